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

"""Which videos a dataset is made of: folders of classes, or a Kinetics CSV.

Both ways give the same `Sources`, or a `SourceError` that says what is wrong
before any work is done.
"""

from collections.abc import Iterable, Iterator, Sequence
import csv
import hashlib
import os
from typing import NamedTuple
import unicodedata

# Names of a split, in folders and in the CSV, and what it is called in the
# dataset.
SPLITS = {
  'train': 'train',
  'validation': 'validation',
  'validate': 'validation',
  'valid': 'validation',
  'val': 'validation',
  'test': 'test',
}
CSV_COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end', 'split')
_TRAIN = 'train'
_SHOWN = 3
# The published downloads pad times with zeros.
_PADDED_DIGITS = 6


class SourceError(ValueError):
  """Videos that cannot become a dataset; the message says why."""


class Clip(NamedTuple):
  """A video of a dataset.

  Attributes:
    split: 'train', 'validation' or 'test'.
    label: name of its class.
    source_id: names the clip, on whatever machine: '<class>/<file>' of folders,
      '<youtube_id>_<start>_<end>' of a CSV.
    path: the path of the file.
    num_bytes: size of the file.
  """

  split: str
  label: str
  source_id: str
  path: str
  num_bytes: int


class Sources(NamedTuple):
  """The videos of a dataset.

  Attributes:
    labels: the names of all classes, in the order of their indices.
    clips: in any order.
    absent: (split, label, source id) of clips that the CSV names and that are
      not there.
  """

  labels: list[str]
  clips: list[Clip]
  absent: list[tuple[str, str, str]]

  def fingerprint(self) -> str:
    """A hash of labels, clips and their sizes; it holds no paths."""
    digest = hashlib.sha256()
    rows: list[tuple] = [(label,) for label in self.labels]
    rows += sorted(
      (clip.split, clip.label, clip.source_id, clip.num_bytes)
      for clip in self.clips
    )
    rows += sorted(self.absent)
    for row in rows:
      digest.update(os.fsencode(repr(row)))
    return digest.hexdigest()


def _shown(names: Iterable[str]) -> str:
  """The first few of some names, and how many more there are."""
  names = sorted(names)
  more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
  return ', '.join(map(repr, names[:_SHOWN])) + more


def _entries(folder: str) -> list[os.DirEntry]:
  """What a folder holds, by name, but for hidden files."""
  try:
    with os.scandir(folder) as found:
      return sorted(
        (entry for entry in found if entry.name[0] != '.'),
        key=lambda entry: entry.name,
      )
  except OSError as error:
    raise SourceError(
      f'cannot read the folder {folder}: {error.strerror}.'
    ) from error


def _checked_labels(
  labels_of_split: dict[str, set[str]], where: str
) -> list[str]:
  """Sorts the labels of all splits, once they are known to fit."""
  labels = sorted(set().union(*labels_of_split.values()))
  seen: dict[str, str] = {}
  for label in labels:
    if not label.isprintable():
      raise SourceError(
        f'{where}: class {label!r} has characters that do not '
        'print, so labels.txt could not hold it; rename it.'
      )
    same = unicodedata.normalize('NFC', label).casefold()
    if same in seen:
      raise SourceError(
        f'{where}: classes {seen[same]!r} and {label!r} differ '
        'only by case; rename or merge them.'
      )
    seen[same] = label
  for split, found in sorted(labels_of_split.items()):
    unknown = found - labels_of_split.get(_TRAIN, found)
    if unknown:
      raise SourceError(
        f'{where}: {split} has classes that {_TRAIN} lacks: '
        f'{_shown(unknown)}; add them to {_TRAIN} or remove them.'
      )
  return labels


def _split_folders(input_dir: str) -> Iterator[tuple[str, str]]:
  """Names of splits, and their folders."""
  folders: dict[str, str] = {}
  for entry in _entries(input_dir):
    if not entry.is_dir():
      continue
    split = SPLITS.get(entry.name)
    if split is None:
      raise SourceError(
        f'{input_dir}: expected folders named {", ".join(SPLITS)}, which '
        f'hold a folder per class, not {entry.name!r}.'
      )
    if split in folders:
      raise SourceError(
        f'{folders[split]} and {entry.path} are both the '
        f'{split} split; keep one.'
      )
    folders[split] = entry.path
  if not folders:
    raise SourceError(
      f'{input_dir} is empty: expected {_TRAIN}/<class>/<video> in it.'
    )
  yield from folders.items()


def folder_sources(input_dir: str) -> Sources:
  """Lists <split>/<class>/<video> in a folder.

  Every file that is not hidden counts as a video: what is none will be found
  when it is decoded, and reported.

  Args:
    input_dir: holds 'train' and, if need be, 'validation' (or 'valid', 'val')
      and 'test'.

  Returns:
    The videos; labels are sorted.

  Raises:
    SourceError: a folder is empty, is not expected or cannot be read; a class
      is in another split but not in 'train'; classes differ only by case.
  """
  clips = []
  labels_of_split: dict[str, set[str]] = {}
  for split, folder in _split_folders(input_dir):
    classes = _entries(folder)
    if not classes:
      raise SourceError(f'{folder} is empty: expected a folder per class.')
    labels_of_split[split] = {entry.name for entry in classes}
    for entry in classes:
      if not entry.is_dir():
        raise SourceError(
          f'{entry.path} is a file: expected a folder per class; move it.'
        )
      videos = _entries(entry.path)
      if not videos:
        raise SourceError(
          f'{entry.path} is empty: expected videos; add some '
          'or remove the folder.'
        )
      for video in videos:
        if video.is_dir():
          raise SourceError(
            f'{video.path} is a folder: expected a video; move it.'
          )
        clips.append(
          Clip(
            split,
            entry.name,
            f'{entry.name}/{video.name}',
            video.path,
            _num_bytes(video.path),
          )
        )
  return Sources(_checked_labels(labels_of_split, input_dir), clips, [])


def _num_bytes(path: str) -> int:
  """Size of a file; 0 of a link to nothing, which will fail to decode."""
  try:
    return os.stat(path).st_size
  except OSError:
    return 0


def _rows(path: str) -> Iterator[tuple[str, str, str, str, int, int]]:
  """Place in the file, split, label, id, start and end of a CSV's rows."""
  try:
    # Some editors begin a file with a byte order mark.
    with open(path, encoding='utf-8-sig', newline='') as f:
      reader = csv.DictReader(f, skipinitialspace=True)
      lacking = [
        name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())
      ]
      if lacking:
        raise SourceError(
          f'{path}: no column {", ".join(lacking)}; expected '
          f'{", ".join(CSV_COLUMNS)}.'
        )
      for row in reader:
        where = f'{path}, line {reader.line_num}'
        label, youtube_id, start, end, name = (
          (row[column] or '').strip() for column in CSV_COLUMNS
        )
        if not label or not youtube_id:
          raise SourceError(f'{where}: no label or no youtube_id.')
        if name not in SPLITS:
          raise SourceError(
            f'{where}: split {name!r}, expected one of {", ".join(SPLITS)}.'
          )
        try:
          times = int(float(start)), int(float(end))
        except (ValueError, OverflowError) as error:
          raise SourceError(
            f'{where}: time_start {start!r} and time_end '
            f'{end!r}, expected seconds.'
          ) from error
        yield where, SPLITS[name], label, youtube_id, *times
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise SourceError(f'cannot read {path}: {error}.') from error


def csv_sources(csv_paths: Sequence[str], input_dir: str) -> Sources:
  """Lists the clips of Kinetics' CSV files.

  Args:
    csv_paths: the paths of files with the columns `CSV_COLUMNS`.
    input_dir: holds '<youtube_id>_<time_start>_<time_end>.mp4', the times in
      seconds, with or without zeros before them, in itself or in any folder.

  Returns:
    The clips; labels are those of all CSV files, sorted.

  Raises:
    SourceError: a file cannot be read or has no rows; a clip has two rows; a
      class is in another split but not in 'train'; classes differ only by
      case; no clip is there.
  """
  files: dict[str, str] = {}
  for folder, folders, names in os.walk(input_dir):
    folders.sort()
    for name in names:
      files.setdefault(name, os.path.join(folder, name))
  if not files:
    raise SourceError(
      f'{input_dir} is empty: expected '
      '<youtube_id>_<time_start>_<time_end>.mp4 in it.'
    )
  clips, absent = [], []
  labels_of_split: dict[str, set[str]] = {}
  rows: dict[str, str] = {}
  for csv_path in csv_paths:
    for where, split, label, youtube_id, start, end in _rows(csv_path):
      labels_of_split.setdefault(split, set()).add(label)
      source_id = f'{youtube_id}_{start}_{end}'
      row = f'label {label!r}, split {split!r}'
      if source_id in rows:
        raise SourceError(
          f'{where}: clip {source_id} with {row} has a row before '
          f'({rows[source_id]}): expected one label and one split of each '
          'clip; remove a row.'
        )
      rows[source_id] = f'{where}, {row}'
      padded = f'{youtube_id}_{start:0{_PADDED_DIGITS}}_{end:0{_PADDED_DIGITS}}'
      path = files.get(f'{padded}.mp4', files.get(f'{source_id}.mp4'))
      if path is None:
        absent.append((split, label, source_id))
      else:
        clips.append(Clip(split, label, source_id, path, _num_bytes(path)))
  where = ', '.join(csv_paths)
  if not labels_of_split:
    raise SourceError(f'{where}: no rows.')
  if not clips:
    raise SourceError(
      f'none of the {len(absent)} clips of {where} is in {input_dir}: '
      f'expected files such as {absent[0][2]}.mp4.'
    )
  return Sources(_checked_labels(labels_of_split, where), clips, absent)
