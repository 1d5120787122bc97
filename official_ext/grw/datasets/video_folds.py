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


"""Cross-validation: splits clips into folds, a source never on both sides.

Clips that are cut from one video show the same place and people, so a model
that has seen one of them is not tested by another.  A file of groups says which
clips belong together.  It is a CSV with the columns `clip` and `group`:

  clip,group
  fi001,7q6KJoSgxmY
  fight/fi002.mp4,7q6KJoSgxmY

or a text with a line for each group, followed by lines of its clips, as some
datasets come with; whatever follows a colon is left out, and a range names its
group after the colon:

  https://www.youtube.com/watch?v=7q6KJoSgxmY
  fi001: 0.13.50 - 0.15.60
  fi002: 1.30.00 - 1.32.50
  nofi062 - nofi076 : CamNet Dataset

A clip is named by its file, with or without class and ending.  A clip of two
groups joins them, and one of none is a group of its own.  Clips that a CSV cuts
from one YouTube video are of one group anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
import csv
import io
import os
import re

import numpy as np

from official_ext.grw.datasets import video_sources

_COLUMNS = ['clip', 'group']
_RANGE = re.compile(r'(\S*?)(\d+)\s*-\s*(\S*?)(\d+)\s*:\s*(.+)')
_CLIP = re.compile(r'(\S+?)\s*:\s+\S.*')
_POOLED = ('train', 'validation')


def _csv_pairs(text: str, path: str) -> Iterator[tuple[str, str, str]]:
  """Where, clip and group of the rows of a CSV."""
  reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
  for row in reader:
    where = f'{path}, line {reader.line_num}'
    clip, group = ((row[column] or '').strip() for column in _COLUMNS)
    if not clip or not group:
      raise video_sources.SourceError(f'{where}: no clip or no group.')
    yield where, clip, group


def _text_pairs(text: str, path: str) -> Iterator[tuple[str, str, str]]:
  """Where, clip and group of a text of groups and their clips."""
  group = ''
  for number, line in enumerate(text.splitlines(), 1):
    line, where = line.strip(), f'{path}, line {number}'
    if not line:
      continue
    if found := _RANGE.fullmatch(line):
      prefix, first, last_prefix, last, of_range = found.groups()
      if prefix != last_prefix or int(first) > int(last):
        raise video_sources.SourceError(
          f'{where}: {line!r}: expected a range of clips, as in '
          '"clip062 - clip076 : group".'
        )
      for index in range(int(first), int(last) + 1):
        yield where, f'{prefix}{index:0{len(first)}}', of_range
    elif found := _CLIP.fullmatch(line):
      if not group:
        raise video_sources.SourceError(
          f'{where}: {line!r}: expected the name of a group in a line before '
          'its clips, or a CSV with the columns clip and group.'
        )
      yield where, found[1], group
    else:
      group = line


def read_groups(path: str) -> list[tuple[str, str, str]]:
  """Reads a file of groups, which the module describes.

  Args:
    path: the path of the file.

  Returns:
    (file and line, clip, group), in the order of the file.

  Raises:
    SourceError: the file cannot be read, or names no clip.
  """
  try:
    # Some editors begin a file with a byte order mark.
    with open(path, encoding='utf-8-sig') as f:
      text = f.read()
  except (OSError, UnicodeDecodeError) as error:
    raise video_sources.SourceError(f'cannot read {path}: {error}.') from error
  header = next(csv.reader([text.partition('\n')[0]], skipinitialspace=True))
  is_csv = set(_COLUMNS) <= set(header)
  pairs = list((_csv_pairs if is_csv else _text_pairs)(text, path))
  if not pairs:
    raise video_sources.SourceError(
      f'{path} names no clip: expected a CSV with the columns clip and group, '
      'or lines of groups and of their clips, as in "clip001: 0:13 - 0:15".'
    )
  return pairs


def _group_numbers(
  clips: Sequence[video_sources.Clip], pairs: Iterable[tuple[str, str, str]]
) -> np.ndarray:
  """[clips] int: equal for clips that belong together."""
  by_name: dict[str, set[str]] = {}
  for clip in clips:
    file = os.path.basename(clip.source_id)
    for name in (
      clip.source_id,
      os.path.splitext(clip.source_id)[0],
      file,
      os.path.splitext(file)[0],
    ):
      by_name.setdefault(name, set()).add(clip.source_id)
  # Each leads to another of the same group, the last to itself.
  parents: dict[str, str] = {}

  def root(node: str) -> str:
    while parents.setdefault(node, node) != node:
      node = parents[node]
    return node

  for where, name, group in pairs:
    found = by_name.get(name, set())
    if len(found) != 1:
      expected = (
        f'it may be any of {sorted(found)}; name its class too'
        if found
        else 'there is no such clip; expected the name of a file, with or '
        f'without class and ending, such as {clips[0].source_id}'
      )
      raise video_sources.SourceError(f'{where}: clip {name!r}: {expected}.')
    # No clip is called so.
    parents[root(next(iter(found)))] = root(f'\0{group}')
  for clip in clips:
    if clip.recording:
      parents[root(clip.source_id)] = root(f'\1{clip.recording}')
  roots = [root(clip.source_id) for clip in clips]
  return np.unique(roots, return_inverse=True)[1]


def split(
  sources: video_sources.Sources,
  folds: int,
  fold: int,
  groups_path: str | None = None,
  seed: int = 0,
) -> video_sources.Sources:
  """Splits clips anew: one fold is 'validation', the others are 'train'.

  Groups stay together.  Folds are alike in size and in shares of classes, as
  far as groups allow.

  Args:
    sources: clips; those of 'train' and 'validation' are pooled, a 'test' split
      stays as it is.
    folds: how many parts.
    fold: which of them is 'validation', from 0.
    groups_path: the path of a file of groups; None makes each clip one.
    seed: the seed of the assignment; of one seed, each clip is in the
      'validation' of exactly one fold.

  Returns:
    The same clips with other splits.

  Raises:
    SourceError: a number is out of range; the file of groups cannot be read or
      names a clip that is not there; or a fold lacks a class.
  """
  from sklearn import model_selection  # Takes a second.

  if folds < 2:
    raise video_sources.SourceError(f'--folds={folds}: expected at least 2.')
  if not 0 <= fold < folds:
    raise video_sources.SourceError(
      f'--fold={fold}: expected 0 to {folds - 1}, as --folds={folds}.'
    )
  pooled = sorted(clip for clip in sources.clips if clip.split in _POOLED)
  pairs = read_groups(groups_path) if groups_path else []
  groups = _group_numbers(pooled, pairs)
  labels = [clip.label for clip in pooled]
  for label in sources.labels:
    of_label = {group for name, group in zip(labels, groups) if name == label}
    if len(of_label) < folds:
      raise video_sources.SourceError(
        f'class {label!r} has {len(of_label)} groups of clips: expected at '
        f'least one for each of --folds={folds}.'
      )
  # Not by its `shuffle`: up to 1.7, which is the last for Python 3.10, it
  # confuses the groups, and folds may lack classes.
  order = np.arange(max(groups) + 1)
  np.random.RandomState(seed).shuffle(order)
  held_out = list(
    model_selection.StratifiedGroupKFold(folds).split(
      labels, labels, np.argsort(order)[groups]
    )
  )[fold][1]
  lacking = set(sources.labels) - {labels[index] for index in held_out}
  if lacking:
    raise video_sources.SourceError(
      f'fold {fold} of {folds} would lack the class {min(lacking)!r}: expected '
      'fewer --folds, smaller groups, or another --fold_seed.'
    )
  is_held_out = set(held_out.tolist())
  clips = [
    clip._replace(split='validation' if index in is_held_out else 'train')
    for index, clip in enumerate(pooled)
  ]
  clips += [clip for clip in sources.clips if clip.split not in _POOLED]
  return sources._replace(
    clips=clips,
    folds={
      'folds': folds,
      'fold': fold,
      'seed': seed,
      'groups': int(groups.max()) + 1,
      'groups_file': os.path.basename(groups_path) if groups_path else None,
    },
  )
