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

"""Which videos a dataset is made of: folders of classes, or CSV files.

Both ways give the same `Sources`, or a `SourceError` that says what is wrong
before any work is done.  A video is a file, or a folder of pictures, which are
its frames.
"""

from collections.abc import Iterable, Iterator, Sequence
import csv
import hashlib
import math
import os
import re
from typing import Any, NamedTuple
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
# Of a CSV that names files.
FILE_COLUMNS = ('label', 'video', 'split')
# Of a CSV that names files, if they are there: the part of the video that is
# the clip, in seconds; empty cells are the whole video.
SPAN_COLUMNS = ('start', 'end')
# Of either, if it is there: what is seen when, as '0-1.5=walk; 1.5-4=run'.
SEGMENTS_COLUMN = 'segments'
_TRAIN = 'train'
_SHOWN = 3
# The published downloads pad times with zeros.
_PADDED_DIGITS = 6
PICTURES = frozenset('.bmp .jpeg .jpg .png .tif .tiff .webp'.split())
# What lies beside videos.  All other files count as videos, so that none is
# left out in silence for an unusual name.
_NO_VIDEOS = PICTURES | frozenset(
  """.7z .aac .ass .csv .db .doc .docx .flac .gz .h5 .heic .htm .html .ini
  .ipynb .json .jsonl .lnk .log .m4a .md .mp3 .npy .npz .pdf .pkl .py .rar .rst
  .sh .srt .sub .svg .tar .tsv .txt .url .vtt .wav .xls .xlsx .xml .yaml .yml
  .zip""".split()
)
_NO_VIDEOS_BY_NAME = frozenset(('license', 'notes', 'readme'))


class SourceError(ValueError):
  """Videos that cannot become a dataset; the message says why."""


class Segment(NamedTuple):
  """What is seen for some time of a clip.

  Attributes:
    start: seconds from the first frame on.
    end: the first seconds after it.
    label: name of a class.
  """

  start: float
  end: float
  label: str


class Clip(NamedTuple):
  """A video of a dataset.

  Attributes:
    split: 'train', 'validation' or 'test'.
    label: name of its class.
    source_id: names the clip, on whatever machine: '<class>/<file>' of folders,
      '<youtube_id>_<start>_<end>' of a CSV.
    path: the path of the file, or of a folder of pictures.
    num_bytes: size of the file, or of all pictures.
    is_folder: whether it is a folder of pictures.
    where: file and line of the CSV that names it; '' if none does.
    recording: what clips are cut from, as a CSV tells: the YouTube id or the
      video; or ''.
    segments: what a CSV tells of its frames; those of no segment have the label
      of the clip.  None: nothing is told, and frames have no labels.
    span: seconds of the start and the end of the part of the video that is the
      clip; None: all of it.
  """

  split: str
  label: str
  source_id: str
  path: str
  num_bytes: int
  is_folder: bool = False
  where: str = ''
  recording: str = ''
  segments: tuple[Segment, ...] | None = None
  span: tuple[float, float] | None = None

  @property
  def named(self) -> str:
    """What messages call it."""
    return f'{self.where} ({self.path})' if self.where else self.path


class Sources(NamedTuple):
  """The videos of a dataset.

  Attributes:
    labels: the names of all classes, in the order of their indices.
    clips: in any order.
    absent: (split, label, source id) of clips that the CSV names and that are
      not there.
    folds: how the splits were made, if by `video_folds.split`.
    passed_over: paths of files that are no videos by their names.
    separator: what stands between the labels of a clip; None if it has one.
    absent_at: file and line that name the first of the absent clips; ''.
    classes_given: whether a list gave the classes, of which some may have no
      clips.
    label_groups: where a clip has one label of each of some groups, their names
      and numbers of classes, in the order of the labels; None if it has not.
  """

  labels: list[str]
  clips: list[Clip]
  absent: list[tuple[str, str, str]]
  folds: dict[str, Any] | None = None
  passed_over: tuple[str, ...] = ()
  separator: str | None = None
  absent_at: str = ''
  classes_given: bool = False
  label_groups: tuple[tuple[str, int], ...] | None = None

  def fingerprint(self) -> str:
    """A hash of labels, clips and their sizes; it holds no paths."""
    digest = hashlib.sha256()
    rows: list[tuple] = [(label,) for label in self.labels]
    rows += sorted(
      (
        clip.split,
        clip.label,
        clip.source_id,
        clip.num_bytes,
        # So that sets without them keep their hash.
        *([] if clip.segments is None else [clip.segments]),
        *([] if clip.span is None else [('span', *clip.span)]),
      )
      for clip in self.clips
    )
    rows += sorted(self.absent)
    for row in rows:
      digest.update(os.fsencode(repr(row)))
    if self.separator is not None:
      digest.update(self.separator.encode())
    if self.label_groups is not None:
      digest.update(repr(self.label_groups).encode())
    return digest.hexdigest()


def split_labels(label: str, separator: str | None) -> list[str]:
  """The labels of a clip, each once, in the order of the text.

  Args:
    label: the text of a CSV, or the name of a class.
    separator: what stands between labels; None if the text is one label.
  """
  if separator is None:
    return [label]
  parts = (part.strip() for part in label.split(separator))
  return list(dict.fromkeys(part for part in parts if part))


def is_no_video(name: str) -> bool:
  """Whether no one means a file of this name as a video."""
  stem, suffix = os.path.splitext(name.lower())
  return suffix in _NO_VIDEOS or (not suffix and stem in _NO_VIDEOS_BY_NAME)


def is_picture(name: str) -> bool:
  """Whether a file of this name is a picture."""
  return os.path.splitext(name.lower())[1] in PICTURES


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


def _videos(folder: str, passed_over: list[str]) -> Iterator[os.DirEntry]:
  """The videos in the folder of a class; what is none joins `passed_over`."""
  entries = _entries(folder)
  beside = [
    entry.path
    for entry in entries
    if is_no_video(entry.name) and not entry.is_dir()
  ]
  passed_over += beside
  if len(beside) == len(entries):
    if not entries:
      raise SourceError(
        f'{folder} is empty: expected videos; add some or remove the folder.'
      )
    raise SourceError(
      f'{folder} holds no videos, but {len(beside)} other files, such as '
      f'{beside[0]}; frames of a video go into a folder of their own below '
      'that of the class.'
    )
  for entry in entries:
    if entry.is_dir():
      _require_pictures(entry.path)
    elif is_no_video(entry.name):
      continue
    yield entry


def _require_pictures(folder: str, where: str = ''):
  """Raises SourceError unless a folder holds pictures and nothing else."""
  entries = _entries(folder)
  if not any(is_picture(entry.name) for entry in entries):
    raise SourceError(
      f'{where}{folder} is a folder: expected a video, or a folder of its '
      'frames as pictures; move it.'
    )
  for entry in entries:
    if entry.is_dir() or not is_no_video(entry.name):
      raise SourceError(
        f'{where}{entry.path} is among the pictures of {folder}, which are '
        'taken as the frames of a video; move it.'
      )


def folder_sources(input_dir: str, split_later: bool = False) -> Sources:
  """Lists <split>/<class>/<video> in a folder.

  A video is a file, or a folder of its frames as pictures.  Every file counts
  that is not hidden and by its name may be a video: what is none will be found
  when it is decoded, and reported.

  Args:
    input_dir: holds 'train' and, if need be, 'validation' (or 'valid', 'val')
      and 'test'.
    split_later: whether `input_dir` may also hold the classes themselves, all
      of whose clips are then 'train'.

  Returns:
    The videos; labels are sorted.

  Raises:
    SourceError: a folder is empty, is not expected or cannot be read; a class
      is in another split but not in 'train'; classes differ only by case.
  """
  clips = []
  passed_over: list[str] = []
  labels_of_split: dict[str, set[str]] = {}
  folders = {entry.name for entry in _entries(input_dir) if entry.is_dir()}
  if split_later and folders and not folders & SPLITS.keys():
    splits = {_TRAIN: input_dir}
  else:
    splits = dict(_split_folders(input_dir))
  for split, folder in splits.items():
    classes = []
    for entry in _entries(folder):
      if entry.is_dir():
        classes.append(entry)
      elif folder == input_dir:
        continue  # Beside the classes there may be files that tell of them.
      elif is_no_video(entry.name):
        passed_over.append(entry.path)
      else:
        raise SourceError(
          f'{entry.path} is a file: expected a folder per class; move it.'
        )
    if not classes:
      raise SourceError(f'{folder} is empty: expected a folder per class.')
    labels_of_split[split] = {entry.name for entry in classes}
    for entry in classes:
      for video in _videos(entry.path, passed_over):
        clips.append(
          Clip(
            split,
            entry.name,
            f'{entry.name}/{video.name}',
            video.path,
            _num_bytes(video.path),
            video.is_dir(),
          )
        )
  return Sources(
    _checked_labels(labels_of_split, input_dir),
    clips,
    [],
    passed_over=tuple(passed_over),
  )


def picture_paths(folder: str) -> list[str]:
  """The pictures in a folder, in the order of the numbers in their names."""
  names = [entry.name for entry in _entries(folder) if is_picture(entry.name)]

  def order(name: str) -> list[str | int]:
    # Texts and numbers take turns, so that like is compared with like.
    parts = re.split('([0-9]+)', name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]

  return [os.path.join(folder, name) for name in sorted(names, key=order)]


def _num_bytes(path: str) -> int:
  """Size of a video; 0 of a link to nothing, which will fail to decode."""
  try:
    if os.path.isdir(path):
      return sum(map(os.path.getsize, picture_paths(path)))
    return os.stat(path).st_size
  except OSError:
    return 0


class Row(NamedTuple):
  """What a file of annotations says of a clip.

  Attributes:
    where: its file and line.
    split: 'train', 'validation' or 'test'.
    label: the text of its label or labels.
    source_id: names the clip.
    names: files that may hold it, the likeliest first.
    recording: see `Clip`.
    segments: see `Clip`.
    span: see `Clip`.
  """

  where: str
  split: str
  label: str
  source_id: str
  names: tuple[str, ...]
  recording: str = ''
  segments: tuple[Segment, ...] | None = None
  span: tuple[float, float] | None = None


def _kinetics_row(cells: dict[str, str], where: str, split: str) -> Row:
  """A row that names a clip by video and time."""
  youtube_id = cells['youtube_id']
  if not youtube_id:
    raise SourceError(f'{where}: no youtube_id.')
  try:
    start, end = (
      int(float(cells[name])) for name in ('time_start', 'time_end')
    )
  except (ValueError, OverflowError) as error:
    raise SourceError(
      f'{where}: time_start {cells["time_start"]!r} and time_end '
      f'{cells["time_end"]!r}, expected seconds.'
    ) from error
  plain = f'{youtube_id}_{start}_{end}'
  padded = f'{youtube_id}_{start:0{_PADDED_DIGITS}}_{end:0{_PADDED_DIGITS}}'
  return Row(
    where,
    split,
    cells['label'],
    plain,
    (f'{padded}.mp4', f'{plain}.mp4', padded, plain),
    youtube_id,
  )


def read_span(start: str, end: str, where: str) -> tuple[float, float]:
  """The part of a video that is a clip, from the texts of its seconds.

  Raises:
    SourceError: they are no seconds, or it ends before it starts.
  """
  try:
    span = float(start), float(end)
  except ValueError:
    span = math.nan, math.nan
  if not 0 <= span[0] < span[1] < math.inf:
    raise SourceError(
      f'{where}: start {start!r} and end {end!r}, expected seconds with '
      'start < end.'
    )
  return span


def _file_row(cells: dict[str, str], where: str, split: str) -> Row:
  """A row that names a file."""
  video = os.path.normpath(cells['video']) if cells['video'] else ''
  if not video or os.path.isabs(video) or video.startswith(os.pardir):
    raise SourceError(
      f'{where}: video {cells["video"]!r}, expected a path below --input_dir.'
    )
  start, end = (cells.get(name, '') for name in SPAN_COLUMNS)
  if not (start or end):
    return Row(where, split, cells['label'], video, (video,))
  span = read_span(start, end, where)
  return Row(
    where,
    split,
    cells['label'],
    f'{video} {span[0]}-{span[1]}',
    (video,),
    video,
    span=span,
  )


def read_segments(text: str, where: str) -> tuple[Segment, ...]:
  """Reads what is seen when.

  Args:
    text: such as '0-1.5=walk; 1.5-4=run', seconds and names of classes; '' is
      no segment.
    where: what the message calls the place of the text.

  Returns:
    The segments in the order of time.

  Raises:
    SourceError: it reads otherwise, a segment ends before it starts, or two
      overlap.
  """
  found = []
  for part in filter(None, (part.strip() for part in text.split(';'))):
    seconds = r'(\d+(?:\.\d*)?)'
    match = re.fullmatch(rf'{seconds}\s*-\s*{seconds}\s*=\s*(.+)', part)
    if match is None or float(match[1]) >= float(match[2]):
      raise SourceError(
        f'{where}: segment {part!r}, expected <start>-<end>=<label> in seconds '
        "with start < end, several as '0-1.5=walk; 1.5-4=run'."
      )
    found.append(Segment(float(match[1]), float(match[2]), match[3]))
  found.sort()
  for before, after in zip(found, found[1:]):
    if after.start < before.end:
      raise SourceError(
        f'{where}: segments {before.label!r} to {before.end:g} s and '
        f'{after.label!r} from {after.start:g} s overlap; a frame has one '
        'label.'
      )
  return tuple(found)


def _rows(path: str, several: bool) -> Iterator[Row]:
  """The rows of a CSV.

  Args:
    path: the path of the file.
    several: whether a clip may have several labels, or none.
  """
  try:
    # Some editors begin a file with a byte order mark.
    with open(path, encoding='utf-8-sig', newline='') as f:
      reader = csv.DictReader(f, skipinitialspace=True)
      found = reader.fieldnames or ()
      names_files = FILE_COLUMNS[1] in found
      columns: tuple[str, ...] = FILE_COLUMNS if names_files else CSV_COLUMNS
      if names_files and set(SPAN_COLUMNS) & set(found):
        columns += SPAN_COLUMNS
      lacking = [name for name in columns if name not in found]
      if lacking:
        raise SourceError(
          f'{path}: no column {", ".join(lacking)}; expected '
          f'{", ".join(CSV_COLUMNS)}; or {", ".join(FILE_COLUMNS)}, and '
          f'{" and ".join(SPAN_COLUMNS)} of a part of the video.'
        )
      for row in reader:
        where = f'{path}, line {reader.line_num}'
        cells = {column: (row[column] or '').strip() for column in columns}
        if not cells['label'] and not several:
          raise SourceError(f'{where}: no label.')
        split = SPLITS.get(cells['split'])
        if split is None:
          raise SourceError(
            f'{where}: split {cells["split"]!r}, expected one of '
            f'{", ".join(SPLITS)}.'
          )
        make = _file_row if names_files else _kinetics_row
        made = make(cells, where, split)
        if SEGMENTS_COLUMN not in found:
          yield made
          continue
        if several:
          raise SourceError(
            f'{path}: a column {SEGMENTS_COLUMN}, expected none with '
            '--label_separator, as a frame has one label.'
          )
        text = row[SEGMENTS_COLUMN] or ''
        yield made._replace(segments=read_segments(text, where))
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise SourceError(f'cannot read {path}: {error}.') from error


def _require_once(row: Row, earlier: Row | None):
  """Raises SourceError if an earlier row names the same clip."""
  if earlier is None:
    return
  said = f'{row.where}: {row.source_id!r} is'
  if row.split != earlier.split:
    raise SourceError(
      f'{said} {row.split} here and {earlier.split} in {earlier.where}: what '
      'is validated on must not be trained on; keep one.'
    )
  if row.label != earlier.label:
    raise SourceError(
      f'{said} {row.label!r} here and {earlier.label!r} in {earlier.where}; '
      'keep one, or write both into one line with --label_separator.'
    )
  raise SourceError(f'{said} named in {earlier.where} already; keep one.')


def _files_below(folder: str) -> dict[str, str]:
  """Paths of files and folders below a folder, by name and relative path."""
  found: dict[str, str] = {}
  for parent, folders, names in os.walk(folder):
    folders.sort()
    for name in (*names, *folders):
      path = os.path.join(parent, name)
      found.setdefault(name, path)
      found[os.path.relpath(path, folder)] = path
  return found


def csv_sources(
  csv_paths: Sequence[str], input_dir: str, separator: str | None = None
) -> Sources:
  """Lists the clips of CSV files.

  Args:
    csv_paths: the paths of files with the columns `CSV_COLUMNS`, as Kinetics
      has them, or `FILE_COLUMNS`, where a clip is a part of a video
      `SPAN_COLUMNS`, and if frames have labels `SEGMENTS_COLUMN`.
    input_dir: holds '<youtube_id>_<time_start>_<time_end>.mp4', the times in
      seconds, with or without zeros before them, in itself or in any folder, or
      a folder of that name with pictures; or the files and folders of pictures
      that 'video' names by their paths in it.
    separator: what stands between the labels of a clip; None if it has one.

  Returns:
    The clips; labels are those of all CSV files, sorted.

  Raises:
    SourceError: a file cannot be read or has no rows; a clip is named twice; a
      class is in another split but not in 'train'; classes differ only by case;
      no clip is there.
  """
  if separator is not None and not separator.strip():
    raise SourceError(
      f'--label_separator={separator!r}: expected something to see, such as ;'
    )
  rows = (
    row for path in csv_paths for row in _rows(path, separator is not None)
  )
  return sources_of_rows(rows, ', '.join(csv_paths), input_dir, separator)


def sources_of_rows(
  rows: Iterable[Row],
  where: str,
  input_dir: str,
  separator: str | None = None,
  classes: Sequence[str] | None = None,
) -> Sources:
  """Finds the videos of annotations.

  Args:
    rows: what is said of each clip.
    where: what messages call the files that say it.
    input_dir: holds the videos, in itself or in any folder.
    separator: what stands between the labels of a clip; None if it has one.
    classes: the names of all classes in the order of their indices; None: those
      of the rows, sorted.

  Returns:
    The clips.

  Raises:
    SourceError: see `csv_sources`.
  """
  files = _files_below(input_dir)
  if not files:
    raise SourceError(
      f'{input_dir} is empty: expected the videos that {where} names in it.'
    )
  clips, absent = [], []
  absent_at = ''
  labels_of_split: dict[str, set[str]] = {}
  seen: dict[str, Row] = {}
  for row in rows:
    _require_once(row, seen.get(row.source_id))
    seen[row.source_id] = row
    labels_of_split.setdefault(row.split, set()).update(
      split_labels(row.label, separator)
      + [segment.label for segment in row.segments or ()]
    )
    path = next((files[name] for name in row.names if name in files), None)
    if path is None:
      absent.append((row.split, row.label, row.source_id))
      absent_at = absent_at or row.where
      continue
    is_folder = os.path.isdir(path)
    if is_folder:
      _require_pictures(path, f'{row.where}: ')
    clips.append(
      Clip(
        row.split,
        row.label,
        row.source_id,
        path,
        _num_bytes(path),
        is_folder,
        row.where,
        row.recording,
        row.segments,
        row.span,
      )
    )
  if not seen:
    raise SourceError(f'{where}: no rows.')
  if not clips:
    raise SourceError(
      f'none of the {len(absent)} clips of {where} is in {input_dir}: '
      f'expected files such as {next(iter(seen.values())).names[0]}.'
    )
  return Sources(
    _checked_labels(labels_of_split, where)
    if classes is None
    else list(classes),
    clips,
    absent,
    separator=separator,
    absent_at=absent_at,
    classes_given=classes is not None,
  )
