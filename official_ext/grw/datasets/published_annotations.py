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

"""Reads the annotations of public datasets as they are published.

Each format is a line of `FORMATS`: a function from a file of annotations to
rows, and one from a file of classes to their names.  Labels have the indices of
the published classes, whatever clips there are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import csv
import json
import os
import re
from typing import Any, NamedTuple

from official_ext.grw.datasets import video_sources

# Between the labels of a clip.
_SEPARATOR = ';'
# What a file that says no split has in its name.
_SPLIT_WORDS = {'train': 'train', 'val': 'validation', 'test': 'test'}
# Of videos that annotations name without; the last are folders of pictures.
_SUFFIXES = ('.mp4', '.webm', '.mkv', '.avi', '.MP4', '')
_ACTIVITYNET_SPLITS = {
  'training': 'train',
  'validation': 'validation',
  'testing': 'test',
}
_KEYED_CLASS = re.compile(r'(c\d{3})\s+(\S.*)')
_TIMESTAMP = re.compile(r'(\d+):(\d\d):(\d\d(?:\.\d+)?)')

# Names of classes in the order of their indices, by what annotations call them.
Classes = Mapping[str, str]


class Format(NamedTuple):
  """How a dataset is published.

  Attributes:
    rows: reads a file of annotations, with the classes of each group.
    read_classes: reads a file of classes; None where the labels of the
      annotations are the classes, in alphabetical order.
    groups: where a clip has one label of each of some groups, their names; the
      name of each file of classes has one of them.
    separator: what stands between the labels of a clip; None if it has one.
    picture_rate: pictures a second of videos that are folders of pictures; None
      if none are published.
  """

  rows: Callable[[str, Sequence[Classes]], Iterator[video_sources.Row]]
  read_classes: Callable[[str], Classes] | None = None
  groups: tuple[str, ...] = ()
  separator: str | None = None
  picture_rate: float | None = None


def _text(path: str) -> str:
  try:
    with open(path, encoding='utf-8-sig') as file:
      return file.read()
  except (OSError, UnicodeDecodeError) as error:
    raise video_sources.SourceError(f'cannot read {path}: {error}.') from error


def _json(path: str) -> Any:
  try:
    return json.loads(_text(path))
  except ValueError as error:
    if isinstance(error, video_sources.SourceError):
      raise
    raise video_sources.SourceError(f'{path} is not JSON: {error}.') from error


def _entries(path: str, *keys: str) -> Iterator[tuple[str, dict[str, Any]]]:
  """The objects of a JSON list with some keys, and where each stands."""
  found = _json(path)
  if not isinstance(found, list):
    raise video_sources.SourceError(f'{path}: expected a list of clips.')
  for number, entry in enumerate(found):
    where = f'{path}, entry {number}'
    if not isinstance(entry, dict) or not set(keys) <= entry.keys():
      raise video_sources.SourceError(
        f'{where}: {_shown(entry)}, expected {", ".join(keys)}.'
      )
    yield where, entry


def _lines(path: str) -> Iterator[tuple[str, str]]:
  """The lines of a text that are not empty, and where each stands."""
  for number, line in enumerate(_text(path).splitlines(), 1):
    if line.strip():
      yield f'{path}, line {number}', line.strip()


def _table(path: str, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
  """The rows of a CSV with a header, and where each stands."""
  # Of the text, as texts between quotes may hold ends of lines.
  reader = csv.DictReader(_text(path).splitlines(keepends=True))
  lacking = [name for name in columns if name not in (reader.fieldnames or ())]
  if lacking:
    raise video_sources.SourceError(
      f'{path}: no column {", ".join(lacking)}; expected {", ".join(columns)}.'
    )
  for row in reader:
    where = f'{path}, line {reader.line_num}'
    yield where, {name: (row[name] or '').strip() for name in columns}


def _shown(value: Any) -> str:
  text = json.dumps(value, ensure_ascii=False)
  return text if len(text) <= 60 else f'{text[:57]}…'


def _split(path: str) -> str:
  """The split of a file of one, by its name."""
  name = os.path.basename(path).lower()
  found = {split for word, split in _SPLIT_WORDS.items() if word in name}
  if len(found) != 1:
    raise video_sources.SourceError(
      f'{path}: expected one of {", ".join(_SPLIT_WORDS)} in the name of the '
      'file, which says its split.'
    )
  return found.pop()


def _class(classes: Classes, key: Any, where: str) -> str:
  """The name of the class that annotations call so."""
  if str(key) not in classes:
    raise video_sources.SourceError(
      f'{where}: class {key!r} is not among the {len(classes)} of --class_file.'
    )
  return classes[str(key)]


def _files(name: str) -> tuple[str, ...]:
  return tuple(f'{name}{suffix}' for suffix in _SUFFIXES)


def _charades(path: str, groups: Sequence[Classes]) -> Iterator:
  """Videos with all actions that are seen in them; Sigurdsson et al., 2016."""
  split = _split(path)
  for where, row in _table(path, 'id', 'actions'):
    keys = [action.split()[0] for action in row['actions'].split(';') if action]
    names = dict.fromkeys(_class(groups[0], key, where) for key in keys)
    label = _SEPARATOR.join(names)
    yield video_sources.Row(where, split, label, row['id'], _files(row['id']))


def _something_v1(path: str, groups: Sequence[Classes]) -> Iterator:
  """Folders of pictures, with the text of their class; Goyal et al., 2017."""
  split = _split(path)
  for where, line in _lines(path):
    name, separator, label = line.partition(';')
    if not separator:
      raise video_sources.SourceError(f'{where}: {line!r}, expected id;label.')
    label = _class(groups[0], label, where)
    yield video_sources.Row(where, split, label, name, _files(name))


def _something_v2(path: str, groups: Sequence[Classes]) -> Iterator:
  """Videos with a template, whose brackets classes lack; Goyal et al., 2017."""
  split = _split(path)
  for where, entry in _entries(path, 'id', 'template'):
    name, template = str(entry['id']), str(entry['template'])
    where = f'{where} (id {name})'
    label = _class(groups[0], re.sub(r'[\[\]]', '', template), where)
    yield video_sources.Row(where, split, label, name, _files(name))


def _moments(path: str, groups: Sequence[Classes]) -> Iterator:
  """Files with their class and the votes for it; Monfort et al., 2018."""
  split = _split(path)
  folder = {'train': 'training'}.get(split, split)
  for where, line in _lines(path):
    name, *rest = next(csv.reader([line]))
    if not rest:
      raise video_sources.SourceError(
        f'{where}: {line!r}, expected file,class,votes for,votes against.'
      )
    label = _class(groups[0], rest[0].strip(), where)
    names = (f'{folder}/{name}', name)
    yield video_sources.Row(where, split, label, f'{folder}/{name}', names)


def _diving48(path: str, groups: Sequence[Classes]) -> Iterator:
  """Clips with the index of their class; Li et al., 2018, labels of 2020.

  Each file holds one dive, from its first frame, 0, to its last.
  """
  split = _split(path)
  for where, entry in _entries(path, 'vid_name', 'label', 'start_frame'):
    name = str(entry['vid_name'])
    where = f'{where} ({name})'
    if entry['start_frame'] != 0:
      raise video_sources.SourceError(
        f'{where}: start_frame {entry["start_frame"]!r}, expected 0: a file '
        'holds one dive.'
      )
    label = _class(groups[0], entry['label'], where)
    yield video_sources.Row(where, split, label, name, _files(name))


def _activitynet_videos(path: str) -> Iterator[tuple[str, str, str, list]]:
  """Where each video with annotations stands, its split, id and annotations."""
  database = _json(path)
  database = database.get('database') if isinstance(database, dict) else None
  if not isinstance(database, dict):
    raise video_sources.SourceError(f'{path}: expected a database of videos.')
  for name, video in database.items():
    where = f'{path}, video {name}'
    try:
      split = _ACTIVITYNET_SPLITS[video['subset']]
      annotations = [
        (float(start), float(end), str(found['label']))
        for found in video['annotations']
        for start, end in [found['segment']]
      ]
    except (KeyError, TypeError, ValueError) as error:
      raise video_sources.SourceError(
        f'{where}: {_shown(video)}, expected a subset of '
        f'{", ".join(_ACTIVITYNET_SPLITS)} and annotations with label and '
        'segment.'
      ) from error
    # The labels of the test videos are not published.
    if annotations:
      yield where, split, name, annotations


def _activitynet_files(name: str) -> tuple[str, ...]:
  return (*_files(f'v_{name}'), *_files(name))


def _activitynet(path: str, groups: Sequence[Classes]) -> Iterator:
  """Whole videos, with what is seen longest; Heilbron et al., 2015."""
  for where, split, name, annotations in _activitynet_videos(path):
    seconds: dict[str, float] = {}
    for start, end, label in annotations:
      seconds[label] = seconds.get(label, 0.0) + abs(end - start)
    label = max(seconds, key=lambda label: seconds[label])
    if groups:
      label = _class(groups[0], label, where)
    yield video_sources.Row(where, split, label, name, _activitynet_files(name))


def _activitynet_segments(path: str, groups: Sequence[Classes]) -> Iterator:
  """Each segment of a video that has a label; Heilbron et al., 2015."""
  for where, split, name, annotations in _activitynet_videos(path):
    for number, (start, end, label) in enumerate(annotations):
      # Some are reversed, or empty, as published.
      start, end = sorted((start, end))
      if start == end:
        continue
      if groups:
        label = _class(groups[0], label, where)
      yield video_sources.Row(
        where,
        split,
        label,
        f'{name} {number}',
        _activitynet_files(name),
        name,
        span=video_sources.read_span(str(start), str(end), where),
      )


def _seconds(timestamp: str, where: str) -> str:
  """Seconds of hours, minutes and seconds."""
  match = _TIMESTAMP.fullmatch(timestamp)
  if match is None:
    raise video_sources.SourceError(
      f'{where}: {timestamp!r}, expected a time such as 00:01:02.34.'
    )
  hours, minutes, seconds = map(float, match.groups())
  return str(round(3600 * hours + 60 * minutes + seconds, 6))


def _epic_kitchens(path: str, groups: Sequence[Classes]) -> Iterator:
  """Segments of long videos, with verb and noun; Damen et al., 2022."""
  split = _split(path)
  for where, row in _table(
    path,
    'narration_id',
    'video_id',
    'start_timestamp',
    'stop_timestamp',
    'verb_class',
    'noun_class',
  ):
    span = video_sources.read_span(
      _seconds(row['start_timestamp'], where),
      _seconds(row['stop_timestamp'], where),
      where,
    )
    labels = [
      _class(classes, row[f'{group}_class'], where)
      for group, classes in zip(('verb', 'noun'), groups)
    ]
    yield video_sources.Row(
      where,
      split,
      _SEPARATOR.join(labels),
      row['narration_id'],
      _files(row['video_id']),
      row['video_id'],
      span=span,
    )


def _keyed_classes(path: str) -> Classes:
  """Lines such as 'c000 Holding some clothes'."""
  found = {}
  for where, line in _lines(path):
    match = _KEYED_CLASS.fullmatch(line)
    if match is None:
      raise video_sources.SourceError(
        f"{where}: {line!r}, expected a class such as 'c000 Holding something'."
      )
    found[match[1]] = match[2]
  return found


def _listed_classes(path: str) -> Classes:
  """A class a line."""
  found: dict[str, str] = {}
  for where, line in _lines(path):
    if line in found:
      raise video_sources.SourceError(f'{where}: class {line!r} again.')
    found[line] = line
  return found


def _in_order(
  indices: Iterable[tuple[str, str, Any]], by_index: bool = False
) -> Classes:
  """Sorts classes by their indices, which are to be 0, 1, 2 and so on.

  Args:
    indices: where each class stands, its name and its index.
    by_index: whether annotations call them by their index.
  """
  found: dict[int, str] = {}
  for where, name, index in indices:
    number = int(index) if str(index).strip().isdecimal() else -1
    if number < 0 or number in found:
      raise video_sources.SourceError(
        f'{where}: class {name!r} has index {index!r}, expected a number that '
        'no other class has.'
      )
    found[number] = name
  if found and max(found) != len(found) - 1:
    missing = min(set(range(len(found))) - found.keys())
    raise video_sources.SourceError(
      f'{where.partition(",")[0]}: no class has index {missing}.'
    )
  return {
    str(index) if by_index else found[index]: found[index]
    for index in range(len(found))
  }


def _numbered_classes(path: str) -> Classes:
  """Lines such as 'aiming,1'."""

  def read():
    for where, line in _lines(path):
      name, _, index = line.rpartition(',')
      yield where, name.strip(), index

  return _in_order(read())


def _indexed_classes(path: str) -> Classes:
  """A JSON object of the index of each class."""
  found = _json(path)
  if not isinstance(found, dict):
    raise video_sources.SourceError(f'{path}: expected classes with an index.')
  return _in_order((path, name, index) for name, index in found.items())


def _diving48_classes(path: str) -> Classes:
  """A JSON list of classes, each a list of what makes it up."""
  found = _json(path)
  if not isinstance(found, list):
    raise video_sources.SourceError(f'{path}: expected a list of classes.')
  return {
    str(index): '_'.join(parts) if isinstance(parts, list) else str(parts)
    for index, parts in enumerate(found)
  }


def _epic_kitchens_classes(path: str) -> Classes:
  """A CSV with columns id and key."""
  rows = _table(path, 'id', 'key')
  return _in_order(
    ((where, row['key'], row['id']) for where, row in rows), by_index=True
  )


FORMATS: Mapping[str, Format] = {
  'activitynet': Format(_activitynet),
  'activitynet_segments': Format(_activitynet_segments),
  'charades': Format(_charades, _keyed_classes, separator=_SEPARATOR),
  'diving48': Format(_diving48, _diving48_classes),
  'epic_kitchens': Format(
    _epic_kitchens, _epic_kitchens_classes, ('verb', 'noun'), _SEPARATOR
  ),
  'moments_in_time': Format(_moments, _numbered_classes),
  'something_something_v1': Format(
    _something_v1, _listed_classes, picture_rate=12.0
  ),
  'something_something_v2': Format(_something_v2, _indexed_classes),
}


def _read_classes(
  name: str, form: Format, paths: Sequence[str]
) -> list[Classes]:
  """The classes of each group, or of the only one."""
  wanted = len(form.groups) or (1 if form.read_classes else 0)
  # Where annotations name the classes, a list may give them another order.
  if form.read_classes is None and len(paths) <= 1:
    return [_listed_classes(path) for path in paths]
  if len(paths) != wanted:
    each = f', of {" and of ".join(form.groups)}' if form.groups else ''
    raise video_sources.SourceError(
      f'--annotations={name} takes {wanted} --class_file{each}, and '
      f'{len(paths)} are given.'
    )
  assert form.read_classes is not None
  if not form.groups:
    return [form.read_classes(paths[0])]
  found: list[Classes] = []
  for group in form.groups:
    of_group = [path for path in paths if group in os.path.basename(path)]
    if len(of_group) != 1:
      raise video_sources.SourceError(
        f'--class_file={",".join(paths)}: expected one file with {group!r} in '
        'its name.'
      )
    # Groups may have names in common.
    classes = form.read_classes(of_group[0])
    found.append({key: f'{group} {text}' for key, text in classes.items()})
  return found


def _require_distinct(classes: Sequence[str], separator: str | None):
  """Raises SourceError for classes that a text of labels cannot tell apart."""
  seen = set()
  for name in classes:
    if (
      name in seen
      or not name.isprintable()
      or (separator and separator in name)
    ):
      raise video_sources.SourceError(
        f'--class_file: class {name!r}, expected names that are unlike'
        + (f' and without {separator!r}.' if separator else '.')
      )
    seen.add(name)


def sources(
  name: str, paths: Sequence[str], class_paths: Sequence[str], input_dir: str
) -> video_sources.Sources:
  """Lists the clips of a public dataset.

  Args:
    name: the key of the dataset in `FORMATS`.
    paths: the files of annotations.
    class_paths: the files of classes.
    input_dir: holds the videos under their published names, in itself or in any
      folder.

  Returns:
    The clips; labels have the published indices.

  Raises:
    video_sources.SourceError: a file cannot be read, or is none of the dataset;
      a class is unknown; a clip is named twice; no clip is there.
  """
  form = FORMATS[name]
  groups = _read_classes(name, form, class_paths)
  classes = [text for of_group in groups for text in of_group.values()]
  _require_distinct(classes, form.separator)
  if not paths:
    raise video_sources.SourceError(
      f'--annotations={name}: expected its files by --annotation_file.'
    )
  found = video_sources.sources_of_rows(
    (row for path in paths for row in form.rows(path, groups)),
    ', '.join(paths),
    input_dir,
    form.separator,
    classes or None,
  )
  if not form.groups:
    return found
  sizes = tuple(zip(form.groups, map(len, groups)))
  return found._replace(label_groups=sizes)
