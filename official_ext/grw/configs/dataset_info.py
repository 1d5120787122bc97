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

"""What `dataset.json` says of a dataset, beside the TFRecords it describes."""

from collections.abc import Mapping
import dataclasses
import json
import os
from typing import Any

from official_ext.grw.files import paths


@dataclasses.dataclass(frozen=True)
class Split:
  """One split of a dataset.

  Attributes:
    num_examples: clips in it.
    files: pattern of its TFRecord files, with the folder.
    classes: clips of each label by its name; None if the file does not say it.
  """

  num_examples: int
  files: str
  classes: Mapping[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class ClipFrames:
  """How many frames the clips of a dataset have, at its rate.

  Attributes:
    shortest: frames of the shortest clip.
    median: frames of the middle one.
    longest: frames of the longest one.
  """

  shortest: int
  median: int
  longest: int


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
  """A dataset of TFRecords.

  Attributes:
    path: the path of the `dataset.json`.
    num_classes: labels are 0 to num_classes − 1.
    labels: path of the label texts, one a line in the order of the labels.
    frames_per_second: the rate of the records.
    splits: by name.
    clip_frames: lengths of clips; None of a file that was written without.
    multi_label: whether a clip may have several labels, or none; None if the
      file does not say it.
    short_side: height or width of its frames, whichever is less; None likewise.
    label_groups: where a clip has one label of each of some groups of classes,
      the groups as `DataConfig.label_groups` has them; None if it has not.
  """

  path: str
  num_classes: int
  labels: str
  frames_per_second: float
  splits: Mapping[str, Split]
  clip_frames: ClipFrames | None = None
  multi_label: bool | None = None
  short_side: int | None = None
  label_groups: list[str] | None = None

  def split(self, name: str, field: str) -> Split:
    """Returns a split.

    Args:
      name: the name of the split.
      field: the config field that asked for it, for the message.

    Raises:
      ValueError: there is none of this name.
    """
    if name not in self.splits:
      raise ValueError(
        f'{field}={name!r}: {self.path} has the splits '
        f'{sorted(self.splits)}. Set {field} to one of them.'
      )
    return self.splits[name]


def _value(
  found: Any,
  path: str,
  *keys: str,
  kind: type | tuple[type, ...],
  expected: str,
) -> Any:
  """Returns what is under the keys, or raises ValueError naming them."""
  name = '.'.join(keys)
  for key in keys:
    if not isinstance(found, dict) or key not in found:
      raise ValueError(
        f'{path} lacks {name!r}: expected {expected}. Give the dataset.json '
        'that tools/videos_to_tfrecords.py wrote.'
      )
    found = found[key]
  # A bool is an int to Python.
  if not isinstance(found, kind) or isinstance(found, bool):
    raise ValueError(f'{path}: {name}={found!r}: expected {expected}.')
  return found


def read(path: str) -> DatasetInfo:
  """Reads a `dataset.json`.

  Args:
    path: the path of the file; what it names lies in the same folder.

  Raises:
    ValueError: the file is not there, not JSON or lacks something; the message
      names the file and the field.
  """
  if not paths.exists(path) or paths.is_folder(path):
    raise ValueError(
      f'task.dataset_info={path!r} is not a file: expected the dataset.json '
      'that tools/videos_to_tfrecords.py wrote beside its TFRecords.'
    )
  try:
    found = json.loads(paths.read_text(path))
  except ValueError as error:  # Of the encoding too.
    raise ValueError(f'{path} is not JSON: {error}.') from error

  folder = os.path.dirname(path)
  splits = {}
  for name in _value(
    found, path, 'splits', kind=dict, expected='the splits by name'
  ):
    splits[name] = Split(
      num_examples=_value(
        found,
        path,
        'splits',
        name,
        'num_examples',
        kind=int,
        expected='a number of clips',
      ),
      files=os.path.join(
        folder,
        _value(
          found,
          path,
          'splits',
          name,
          'files',
          kind=str,
          expected='a pattern of TFRecord files',
        ),
      ),
      classes=found['splits'][name].get('classes'),
    )
  clip_frames = None
  if found.get('clip_frames') is not None:
    clip_frames = ClipFrames(
      *(
        _value(
          found,
          path,
          'clip_frames',
          field.name,
          kind=int,
          expected='a number of frames',
        )
        for field in dataclasses.fields(ClipFrames)
      )
    )
  multi_label = found.get('multi_label')
  if not isinstance(multi_label, bool | None):
    raise ValueError(
      f'{path}: multi_label={multi_label!r}: expected true or false.'
    )
  short_side = None
  if found.get('short_side') is not None:
    short_side = _value(
      found, path, 'short_side', kind=int, expected='a number of pixels'
    )
  groups = found.get('label_groups')
  if groups is not None and not (
    isinstance(groups, list) and all(isinstance(text, str) for text in groups)
  ):
    raise ValueError(
      f"{path}: label_groups={groups!r}: expected a list such as ['verb:97', "
      "'noun:300']."
    )
  return DatasetInfo(
    path=path,
    label_groups=groups,
    short_side=short_side,
    num_classes=_value(
      found, path, 'num_classes', kind=int, expected='a number of classes'
    ),
    labels=os.path.join(
      folder,
      _value(
        found, path, 'labels', kind=str, expected='the name of a text file'
      ),
    ),
    frames_per_second=_value(
      found,
      path,
      'frames_per_second',
      kind=(int, float),
      expected='the frame rate of the records',
    ),
    splits=splits,
    clip_frames=clip_frames,
    multi_label=multi_label,
  )
