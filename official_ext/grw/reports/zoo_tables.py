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

"""The tables of README.md and docs/ that are made of the zoo.

A page holds a table between two lines, `<!-- zoo: NAME -->` and
`<!-- zoo end -->`; what stands between them is made here.
"""

from collections.abc import Callable, Iterable, Mapping
import os
import pathlib
import re
from typing import Any

import yaml

from official_ext.grw.configs import zoo
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark

_BLOCK = re.compile(
  r'(<!-- zoo: (?P<name>\w+) -->\n).*?(<!-- zoo end -->)', re.DOTALL
)
_DATASETS = {
  'kinetics400': 'K400',
  'kinetics600': 'K600',
  'livestock': '7 behaviors of livestock',
  'something_something_v2': 'SSv2',
  'kinetics700': 'K700',
  'moments_in_time': 'Moments in Time',
  'charades': 'Charades',
  'something_something_v1': 'SSv1',
  'epic_kitchens100': 'EPIC-Kitchens-100',
  'diving48': 'Diving-48',
  'activitynet': 'ActivityNet',
}
# By the ends of the names of config files.
_ENDINGS = {
  'k400': 'kinetics400',
  'k600': 'kinetics600',
  'k700': 'kinetics700',
  'mit': 'moments_in_time',
  'charades': 'charades',
  'ssv1': 'something_something_v1',
  'ssv2': 'something_something_v2',
  'epic': 'epic_kitchens100',
  'diving48': 'diving48',
  'anet': 'activitynet',
}


def _number(value: float | None) -> str:
  return '' if value is None else str(value)


def _joined(values: Iterable[str]) -> str:
  """Values without repetitions, in their order."""
  return '; '.join(dict.fromkeys(value for value in values if value))


def _link(page: str, model: zoo.Model) -> str:
  """A link to a config file from a page of the repository."""
  folder = '../' * page.count('/') + 'configs'
  return f'[{model.key}]({folder}/{model.key}.yaml)'


def _clip(model: zoo.Model) -> str:
  """Frames and size of the clips of a model, as its files say."""
  for path in reversed(model.files):
    content = yaml.safe_load(path.read_text('utf-8'))
    shape = content['task'].get('validation_data', {}).get('feature_shape')
    if shape:
      return f'{shape[0]} x {shape[1]}²'
  return ''


def _dataset(model: zoo.Model) -> str:
  ending = model.key.rsplit('_', 1)[-1]
  if ending in _ENDINGS:
    return _DATASETS[_ENDINGS[ending]]
  return 'airplanes' if 'airplanes' in model.key else 'K600'


def _of(found: zoo.Zoo, model: zoo.Model) -> dict[str, str]:
  """What papers print of a model, for its line of a table."""
  rows = found.rows_of(model.key)
  others = [found.counterpart(row) for row in rows]
  if not rows:
    others = [row for row in found.published if row.plain_of == model.key]
  return {
    'top_1': _joined(row.accuracy for row in rows),
    'gflops': _joined(_number(row.gflops) for row in rows),
    'memory': _joined(_number(row.memory_mb) for row in rows),
    'without': _joined(
      f'{other.accuracy} ({other.name})'
      for other in others
      if other and other.accuracy
    ),
    'sources': _joined(row.source for row in rows),
  }


def headline(found: zoo.Zoo, page: str) -> str:
  """The GRW paper's models: accuracy with and without smoothing."""
  lines = []
  for model in found.models.values():
    rows = [row for row in found.rows_of(model.key) if row.without]
    if rows and 'ablation' not in model.key:
      of = _of(found, model)
      lines.append(
        [
          _link(page, model),
          _dataset(model),
          of['top_1'],
          of['without'],
          of['gflops'],
          of['memory'],
        ]
      )
  return benchmark.markdown_table(
    ['config', 'data', 'top-1, %', 'without GRW', 'GFLOPs', 'memory, MB'],
    lines,
  )


def models(found: zoo.Zoo, page: str) -> str:
  """Every model that has a config."""
  lines = []
  for model in found.models.values():
    of = _of(found, model)
    lines.append(
      [
        _link(page, model),
        model.name,
        f'`{model.experiment}`',
        _dataset(model),
        _clip(model),
        of['top_1'],
        of['without'],
        of['gflops'],
        of['memory'],
        _joined([of['sources'], model.note]),
      ]
    )
  return benchmark.markdown_table(
    [
      'config',
      'model',
      'experiment',
      'data',
      'clip',
      'top-1, %',
      'without GRW',
      'GFLOPs',
      'memory, MB',
      'source, and notes',
    ],
    lines,
  )


def published(found: zoo.Zoo, page: str) -> str:
  """Every published row that prints a number, by source."""
  lines = []
  for row in found.published:
    if not (row.accuracy or row.gflops or row.memory_mb):
      continue
    model = found.models.get(row.config)
    lines.append(
      [
        row.name,
        row.source,
        _DATASETS[row.dataset],
        row.accuracy,
        *map(_number, (row.gflops, row.memory_mb, row.parameters)),
        row.frames,
        _number(row.size),
        _link(page, model) if model else '',
      ]
    )
  return benchmark.markdown_table(
    [
      'model',
      'source',
      'data',
      'top-1, %',
      'GFLOPs',
      'memory, MB',
      'parameters, M',
      'clips x frames',
      'size',
      'config',
    ],
    lines,
  )


def weights(found: zoo.Zoo, page: str) -> str:
  """Published weights, and the config that they are of."""
  lines = []
  for row in found.published:
    model = found.models.get(row.config)
    for file in row.weights:
      checksum = f'sha256 `{file.sha256}`' if file.sha256 else ''
      lines.append(
        [
          row.name,
          f'[{file.name}]({file.address})',
          ', '.join(part for part in (file.size, checksum) if part),
          _DATASETS[row.dataset],
          row.accuracy,
          _link(page, model) if model else 'written by the importer',
        ]
      )
  return benchmark.markdown_table(
    ['model', 'weights', 'size', 'data', 'top-1, %', 'config'], lines
  )


def costs(found: zoo.Zoo, page: str) -> str:
  """What was counted and measured of the models, beside the papers' GFLOPs."""
  lines = []
  for model in found.models.values():
    if not model.cost:
      continue
    cost = model.cost
    lines.append(
      [
        _link(page, model),
        _clip(model),
        *map(
          _number,
          (
            cost.parameters,
            cost.multiply_adds,
            cost.without_head,
            cost.stream,
          ),
        ),
        _of(found, model)['gflops'],
        _joined(
          f'{row.gflops} ({row.name})'
          for row in found.published
          if row.plain_of == model.key and row.gflops
        ),
        *map(
          _number,
          (
            cost.clip_milliseconds,
            cost.clip_mebibytes,
            cost.frame_milliseconds,
            cost.stream_mebibytes,
          ),
        ),
        _of(found, model)['memory'],
      ]
    )
  return benchmark.markdown_table(
    [
      'config',
      'clip',
      'parameters, M',
      'multiply-adds, G',
      'without head',
      'stream',
      'published GFLOPs',
      'of the stock model',
      'clip, ms',
      'clip, MiB',
      'frame, ms',
      'stream, MiB',
      'published memory, MB',
    ],
    lines,
  )


TABLES: Mapping[str, Callable[[zoo.Zoo, str], str]] = {
  'headline': headline,
  'models': models,
  'published': published,
  'weights': weights,
  'costs': costs,
}


def filled(text: str, found: zoo.Zoo, page: str) -> str:
  """A page with its tables made anew.

  Args:
    text: the page.
    found: the zoo.
    page: path of the page from the root of the repository, for links.

  Raises:
    ValueError: the page names a table that is not one of `TABLES`.
  """

  def table(match: Any) -> str:
    name = match.group('name')
    if name not in TABLES:
      raise ValueError(
        f'{page}: <!-- zoo: {name} -->: expected one of {tuple(TABLES)}.'
      )
    return f'{match.group(1)}{TABLES[name](found, page)}\n{match.group(3)}'

  return _BLOCK.sub(table, text)


def pages(root: str | os.PathLike) -> list[pathlib.Path]:
  """The pages that hold a table of the zoo."""
  root = pathlib.Path(root)
  candidates = [root / 'README.md', *sorted((root / 'docs').glob('*.md'))]
  return [
    path
    for path in candidates
    if path.exists() and _BLOCK.search(path.read_text('utf-8'))
  ]


def rewrite(root: str | os.PathLike, found: zoo.Zoo) -> list[pathlib.Path]:
  """Makes the tables of all pages anew; returns the pages that changed."""
  changed = []
  for path in pages(root):
    before = path.read_text('utf-8')
    page = path.relative_to(root).as_posix()
    after = filled(before, found, page)
    if after != before:
      whole_file.write(path, after)
      changed.append(path)
  return changed
