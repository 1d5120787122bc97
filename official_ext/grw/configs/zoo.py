# Copyright 2026 The GRW-smoothing Authors. All Rights Reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The models that have a config file, and what papers say of them.

`zoo.yaml`, which stands beside the config files, says both, and is the only
place that does: tables and pictures are made of it.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import os
import pathlib
import re
from typing import Any

import yaml

from official_ext.grw.configs import fields
from official_ext.grw.files import kaggle_models

FILE = 'zoo.yaml'
_SECTIONS = ('models', 'renamed', 'published')


@dataclasses.dataclass(frozen=True)
class Cost:
  """What tools/model_table.py found of a model.

  Attributes:
    parameters: millions.
    multiply_adds: the multiply-adds of a clip at once, in thousands of
      millions.
    without_head: those of the backbone alone.
    stream: those of the same video frame by frame, with the head at each T-th
      frame.
    clip_milliseconds: time of a clip.
    clip_mebibytes: peak memory of it.
    frame_milliseconds: time of a frame of a stream.
    stream_mebibytes: peak memory of a stream.
  """

  parameters: float
  multiply_adds: float
  without_head: float
  stream: float | None = None
  clip_milliseconds: float | None = None
  clip_mebibytes: float | None = None
  frame_milliseconds: float | None = None
  stream_mebibytes: float | None = None


@dataclasses.dataclass(frozen=True)
class Model:
  """A model that a config file describes.

  Attributes:
    key: the name of its file, without the ending.
    name: as tables show it.
    experiment: what `--experiment` names.
    files: what `--config_file` names, in order; paths.
    note: what a reader should know beside the name.
    cost: what was counted and measured here.
  """

  key: str
  name: str
  experiment: str
  files: tuple[pathlib.Path, ...]
  note: str = ''
  cost: Cost | None = None


@dataclasses.dataclass(frozen=True)
class Weights:
  """A file with trained weights, which others have published.

  Attributes:
    name: the file as published, or the handle of a model on Kaggle.
    at: the address of the file, or of the page that has it; '' of a handle,
      which has a page.
    size: as its publisher prints it, or in bytes; '' where that is not known.
    sha256: in hexadecimal; '' where it is not known.
  """

  name: str
  at: str = ''
  size: str = ''
  sha256: str = ''

  def __post_init__(self):
    if kaggle_models.is_handle(self.name):
      kaggle_models.require(self.name)
    else:
      fields.require(
        self.at.startswith('https://'), f'{self.name}: at', self.at, 'https://…'
      )
    fields.require(
      not self.sha256 or bool(re.fullmatch('[0-9a-f]{64}', self.sha256)),
      f'{self.name}: sha256',
      self.sha256,
      '64 hexadecimal digits',
    )

  @property
  def address(self) -> str:
    """Where a browser finds it."""
    return self.at or kaggle_models.page(self.name)


@dataclasses.dataclass(frozen=True)
class Published:
  """A row of a published table, as printed there.

  Attributes:
    name: the model, as the source names it.
    source: paper and table.
    dataset: where accuracy was measured, for example 'kinetics600'.
    top_1: per cent; where a clip has one label of each of some groups, the
      share of clips of which all are right.
    mean_average_precision: per cent, where a clip may have several labels.
    group_top_1: per cent, by the group of labels.
    gflops: what the source calls so, of a video or of one view of it.
    memory_mb: peak while a video is classified.
    parameters: millions.
    size: height and width of the frames in pixels.
    frames: clips x frames of each, for example '1 x 50'.
    config: key of the model that the row is of.
    plain_of: key of the model whose backbone the row has, without smoothing.
    without: name of the row of the same table that the source sets it against.
    weights: files with the trained weights.
  """

  name: str
  source: str
  dataset: str
  top_1: float | None = None
  mean_average_precision: float | None = None
  group_top_1: Mapping[str, float] = dataclasses.field(default_factory=dict)
  gflops: float | None = None
  memory_mb: float | None = None
  parameters: float | None = None
  size: int | None = None
  frames: str = ''
  config: str = ''
  plain_of: str = ''
  without: str = ''
  weights: tuple[Weights, ...] = ()

  @property
  def accuracy(self) -> str:
    """What the source measured, as tables show it; '' if nothing."""
    if self.mean_average_precision is not None:
      return f'{self.mean_average_precision} (mAP)'
    if self.top_1 is None:
      return ''
    groups = ', '.join(
      f'{name} {value}' for name, value in self.group_top_1.items()
    )
    return f'{self.top_1} ({groups})' if groups else str(self.top_1)

  @property
  def clip(self) -> tuple[int, int] | None:
    """Frames of a clip and their size; None where the source does not say."""
    if not self.frames or self.size is None:
      return None
    return int(self.frames.split('x')[1]), self.size


@dataclasses.dataclass(frozen=True)
class Zoo:
  """What a `zoo.yaml` says.

  Attributes:
    path: the path of the file.
    models: by key, in the order of the file.
    published: rows in the order of their tables.
    renamed: keys of before, and what they became.
  """

  path: pathlib.Path
  models: Mapping[str, Model]
  published: Sequence[Published]
  renamed: Mapping[str, str]

  def rows_of(self, key: str) -> list[Published]:
    """The published rows that are of a model itself."""
    return [row for row in self.published if row.config == key]

  def counterpart(self, row: Published) -> Published | None:
    """The row without smoothing that its source sets a row against."""
    for other in self.published:
      if other.source == row.source and other.name == row.without:
        return other
    return None


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
  fields.require(isinstance(value, dict), field, value, 'names with values')
  return value


def _model(key: str, value: Any, folder: pathlib.Path) -> Model:
  entry = dict(_mapping(value, f'models.{key}'))
  files = entry.pop('files', [f'{key}.yaml'])
  try:
    if 'cost' in entry:
      entry['cost'] = Cost(**_mapping(entry['cost'], f'models.{key}.cost'))
    return Model(key, files=tuple(folder / name for name in files), **entry)
  except TypeError as error:
    raise ValueError(f'models.{key}: {error}') from error


def _table(value: Any, number: int) -> list[Published]:
  table = dict(_mapping(value, f'published[{number}]'))
  try:
    rows = table.pop('rows')
    return [
      Published(
        **table,
        **{
          **row,
          'weights': tuple(Weights(**file) for file in row.get('weights', [])),
        },
      )
      for row in rows
    ]
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'published[{number}] ({table.get("source")}): {error}'
    ) from error


def _parsed(text: str) -> Any:
  """What a YAML text holds."""
  try:
    # Several times faster than PyYAML's own parser, where libyaml is there.
    return yaml.load(text, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
  except yaml.YAMLError:
    return yaml.safe_load(text)  # Its messages say more.


def read(path: str | os.PathLike) -> Zoo:
  """Reads a `zoo.yaml`.

  Raises:
    ValueError: names the file and what in it cannot be used.
  """
  path = pathlib.Path(path)
  try:
    content = _mapping(_parsed(path.read_text('utf-8')), 'the file')
    for section in content:
      fields.require(
        section in _SECTIONS, 'section', section, f'one of {_SECTIONS}'
      )
    models = {
      key: _model(key, value, path.parent)
      for key, value in _mapping(content.get('models'), 'models').items()
    }
    published = [
      row
      for number, table in enumerate(content.get('published', []))
      for row in _table(table, number)
    ]
    renamed = _mapping(content.get('renamed', {}), 'renamed')
    known = {'', *models}
    for row in published:
      for field in ('config', 'plain_of'):
        key = getattr(row, field)
        fields.require(
          key in known, f'{row.source}: {row.name}: {field}', key, 'a model'
        )
    for old, new in renamed.items():
      fields.require(new in models, f'renamed.{old}', new, 'a model')
  except (OSError, ValueError, yaml.YAMLError) as error:
    raise ValueError(f'{path}: {" ".join(str(error).split())}') from error
  return Zoo(path, models, published, renamed)
