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

"""Finds the bad record of a TFRecord dataset and says what is wrong with it.

TensorFlow's messages about bad input name neither the file nor the record.  The
reader here keeps both beside each record, turns a file that cannot be read to
its end into one record that cannot be parsed, and explains an error that came
out of training by looking at the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
import contextlib
import math
import os
import re
import time
from typing import Any, NamedTuple, Protocol, TYPE_CHECKING

from absl import logging
from google.protobuf import message
import tensorflow as tf

from official_ext.grw.configs import label_groups
from official_ext.grw.datasets import dropped_clips

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

# What the reader yields: 'serialized' and 'file' (strings), 'record' (int64).
RawRecord = dict[str, tf.Tensor]
ParseFn = Callable[[RawRecord], Any]

# Stands for the rest of a file that cannot be read; no SequenceExample starts
# with these bytes.
UNREADABLE = b'\xff unreadable rest of a TFRecord file'

POLICIES = ('error', 'skip')
ADVICE = 're-create the file, or set on_bad_record: skip to drop and count'
LABEL_ADVICE = (
  'set num_classes to the number of classes in the data, '
  'correct the label, or set on_bad_record: skip to drop and '
  'count'
)

_BAD = 'Bad input: '
_END = ' (end of report)'
_LOCATION = re.compile(r'record (\d+) \(from 0\) of file "([^"]*)"')
_REPORT = re.compile(re.escape(_BAD) + '(.*?)' + re.escape(_END), re.DOTALL)
# What an error of the input pipeline has in its message and others lack.
_INPUT_ERROR = re.compile(
  'IteratorGetNext|GetNextFromShard|MapDataset|'
  'Dataset_map|truncated record|corrupted record'
)

SECONDS_BETWEEN_LOGS = 10

_SHOWN_FILES = 5
_STAT_THREADS = 32
_FIRST_FILES = 4


class Expected(Protocol):
  """What records should hold: a `schema.DataConfig`, or as much of it."""

  image_field_key: str
  label_field_key: str
  num_classes: int
  is_multilabel: bool
  label_groups: list[str] | None
  feature_shape: Sequence[int]


class InputDataError(ValueError):
  """Input data that cannot be trained on; the message says where and why."""


class BadRecord(NamedTuple):
  """A record that does not parse.

  Attributes:
    file: its TFRecord file.
    record: its position in the file, from 0.
    reason: what is wrong, what was expected and what to do.
  """

  file: str
  record: int
  reason: str

  def __str__(self) -> str:
    return f'record {self.record} (from 0) of file "{self.file}" {self.reason}'


def location(raw: RawRecord) -> tf.Tensor:
  """Returns a string, in the graph: which record of which file this is."""
  return tf.strings.join(
    [
      'record ',
      tf.strings.as_string(raw['record']),
      ' (from 0) of file "',
      raw['file'],
      '"',
    ]
  )


def require(
  condition: tf.Tensor, where: tf.Tensor, reason: Callable[[], Sequence[Any]]
) -> tf.Tensor:
  """Asserts in the graph, with a message `explain_input_error` understands.

  Args:
    condition: a boolean scalar.
    where: a string scalar, the place of the data.
    reason: returns strings, Python or tensors, joined to what is wrong; a
      function, so that good records do not pay for it.

  Returns:
    A tensor for `tf.control_dependencies`.
  """

  def fail():
    report = tf.strings.join([_BAD, where, ' ', *reason(), _END])
    with tf.control_dependencies([tf.debugging.Assert(condition, [report])]):
      return tf.identity(condition)

  return tf.cond(condition, lambda: tf.identity(condition), fail)


def check_policy(policy: str):
  """Raises ValueError unless `policy` is one of `POLICIES`."""
  if policy not in POLICIES:
    raise ValueError(f'on_bad_record={policy!r}: expected one of {POLICIES}.')


def _file_fault(path: str) -> str | None:
  """Returns why a file cannot hold a record, or None."""
  try:
    stat = tf.io.gfile.stat(path)
  except tf.errors.NotFoundError:
    return 'does not exist'
  if stat.is_directory:
    return 'is a folder (give a pattern such as folder/*.tfrecord)'
  if stat.length == 0:
    return 'is empty (0 bytes)'
  if '://' not in path and not os.access(path, os.R_OK):
    return 'may not be read (permissions)'
  return None


def list_files(params: schema.DataConfig) -> list[str]:
  """Matches `params.input_path` and checks that every file can hold records.

  An empty shard must go before training: a reader that repeats two of them
  never returns.

  Args:
    params: `input_path` as the Model Garden takes it, and `on_bad_record`.

  Returns:
    The files that exist and are not empty.

  Raises:
    InputDataError: no file matches; or, with 'error', a file is missing, empty,
      a folder or not readable; or, with 'skip', all of them are.
  """
  # Takes as long to import as TensorFlow, and not all who read records need it.
  from official.core import input_reader

  check_policy(params.on_bad_record)
  try:
    files = input_reader.match_files(params.input_path)
  except ValueError as error:
    raise InputDataError(
      f'input_path={params.input_path!r}: {error} Give a path or pattern '
      'that matches TFRecord files.'
    ) from error
  with futures.ThreadPoolExecutor(_STAT_THREADS) as pool:
    faults = list(pool.map(_file_fault, files))
  bad = [f'"{file}" {fault}' for file, fault in zip(files, faults) if fault]
  if not bad:
    return files
  shown = '; '.join(bad[:_SHOWN_FILES])
  if len(bad) > _SHOWN_FILES:
    shown += f'; and {len(bad) - _SHOWN_FILES} more'
  found = f'{len(bad)} of {len(files)} input files hold no records: {shown}.'
  if len(bad) == len(files):
    raise InputDataError(f'{found} Re-create them, or correct input_path.')
  if params.on_bad_record == 'error':
    raise InputDataError(
      f'{found} Re-create them, or set on_bad_record: skip to leave them out.'
    )
  logging.warning('Left out: %s', found)
  return [file for file, fault in zip(files, faults) if not fault]


def _read_file(file: tf.Tensor, compression: str) -> tf.data.Dataset:
  """Reads one file; a part that cannot be read is one `UNREADABLE` record."""
  # An open that fails would be tried again for ever below.
  pattern = tf.strings.regex_replace(file, r'([\\*?\[\]])', r'\\\1')
  exists = tf.size(tf.io.matching_files(pattern)) > 0
  records = tf.data.TFRecordDataset(
    tf.boolean_mask([file], [exists]), compression_type=compression
  )
  records = records.concatenate(tf.data.Dataset.from_tensors(UNREADABLE))
  # A failed read uses up a number of the inner count and none of the outer.
  attempts = tf.data.Dataset.range(tf.int64.max)
  names = tf.data.Dataset.from_tensors(file).repeat()
  tried = tf.data.Dataset.zip(
    {'attempt': attempts, 'file': names, 'serialized': records}
  )
  read = tf.data.Dataset.zip(
    {'record': attempts, 'tried': tried.ignore_errors(log_warning=True)}
  )

  def is_record_or_fault(element):
    return tf.logical_or(
      element['tried']['serialized'] != UNREADABLE,
      tf.logical_or(
        element['record'] != element['tried']['attempt'], tf.logical_not(exists)
      ),
    )

  return read.filter(is_record_or_fault).map(
    lambda element: {  # pylint: disable=g-long-lambda
      'file': element['tried']['file'],
      'record': element['record'],
      'serialized': element['tried']['serialized'],
    }
  )


def read_records(files, compression: str = '') -> tf.data.Dataset:
  """Reads TFRecord files, in order, as records that know where they come from.

  A file that is truncated, corrupted or gone ends in one record whose
  'serialized' is `UNREADABLE`, so that whoever parses it fails and can name it.
  It stands for all that would have followed: nobody knows how many.

  Args:
    files: a path, or a list of paths, Python or tensor of strings.
    compression: '' or 'GZIP', as `tf.data.TFRecordDataset` takes it.

  Returns:
    A dataset of {'file': string, 'record': int64 from 0, 'serialized': string}.
  """
  files = tf.convert_to_tensor(files)
  if files.shape.rank == 0:
    return _read_file(files, compression)
  return tf.data.Dataset.from_tensor_slices(files).flat_map(
    lambda file: _read_file(file, compression)
  )


def compression_type(params: schema.DataConfig) -> str:
  """Returns how the TFRecords of a config are compressed."""
  return 'GZIP' if params.compressed_input else ''


def read_fault(file: str, record: int, compression: str) -> str:
  """Says why TensorFlow stopped reading a file.

  Args:
    file: a TFRecord file.
    record: how many records were read before.
    compression: '' or 'GZIP'.
  """
  try:
    for _ in tf.data.TFRecordDataset(file, compression):
      pass
  except tf.errors.DataLossError as error:
    kind = 'truncated' if 'truncated' in str(error) else 'corrupted'
    return (
      f'cannot be read: the file is {kind} after {record} whole records; '
      f'{ADVICE}.'
    )
  except tf.errors.OpError as error:
    return f'cannot be read: {error.message}; {ADVICE}.'
  return 'could not be read, but can be now; check the file system.'


def _frames_fault(frames: Sequence[Any], channels: int) -> str | None:
  """Says which encoded frame does not decode or differs in size."""
  size = None
  for index, frame in enumerate(frames):
    if len(frame.bytes_list.value) != 1:
      return (
        f'holds {len(frame.bytes_list.value)} byte strings as frame '
        f'{index}, expected one JPEG or PNG image; {ADVICE}.'
      )
    encoded = frame.bytes_list.value[0]
    try:
      image = tf.io.decode_image(encoded, channels, expand_animations=False)
    except tf.errors.OpError:
      return (
        f'holds a frame that cannot be decoded, frame {index} of '
        f'{len(frames)} ({len(encoded)} bytes, expected a JPEG or PNG '
        f'image); {ADVICE}.'
      )
    height, width = image.shape[:2]
    if size not in (None, (height, width)):
      return (
        f'holds frames of differing size: frame 0 is {size[0]}x{size[1]},'
        f' frame {index} is {height}x{width}, expected one size; '
        f'{ADVICE}.'
      )
    size = (height, width)
  return None


def _frame_labels_fault(
  context: Mapping[str, Any], num_frames: int, params: Expected
) -> str | None:
  """Says what is wrong with the labels of frames, if they are to be there."""
  key = getattr(params, 'frame_label_field_key', '')
  if not key:
    return None
  labels = list(context[key].int64_list.value) if key in context else []
  if len(labels) != num_frames:
    return (
      f'has {len(labels)} labels of frames in {key!r}, expected {num_frames}, '
      f'one for each frame; {ADVICE}.'
    )
  limit = num_labels(params.num_classes)
  wrong = [label for label in labels if not 0 <= label < limit]
  if wrong:
    return (
      f'has a frame of label {wrong[0]} in {key!r}, expected labels in '
      f'[0, {limit}) (num_classes={params.num_classes}); {LABEL_ADVICE}.'
    )
  return None


def num_labels(num_classes: int) -> int:
  """Returns how many label values there are: one class means labels 0 and 1."""
  return max(num_classes, 2)


def of_groups(groups: Sequence[label_groups.LabelGroup]) -> str:
  """What the labels of a record are to be, one of each group."""
  each = ' and '.join(
    f'one in [{group.start}, {group.stop}) ({group.name})' for group in groups
  )
  return f'{each}, in this order; {LABEL_ADVICE}'


def describe_record(serialized: bytes, params: Expected) -> str | None:
  """Says in plain words what is wrong with a record, or None if nothing is.

  Args:
    serialized: a `tf.train.SequenceExample`.
    params: the keys and the classes expected.

  Returns:
    The reason, or None.
  """
  try:
    example = tf.train.SequenceExample.FromString(serialized)
  except message.DecodeError:
    return f'is not a tf.train.SequenceExample; {ADVICE}.'
  context = example.context.feature
  lists = example.feature_lists.feature_list
  found = f'keys found: {sorted(lists)} with frames, {sorted(context)} once'
  image_key, label_key = params.image_field_key, params.label_field_key
  if image_key not in lists:
    return (
      f'lacks the frames {image_key!r} ({found}); set image_field_key, '
      f'or {ADVICE}.'
    )
  frames = lists[image_key].feature
  if not frames:
    return f'has zero frames in {image_key!r}; {ADVICE}.'
  if label_key not in context:
    return (
      f'lacks the label {label_key!r} ({found}); set label_field_key, or '
      f'{ADVICE}.'
    )
  labels = list(context[label_key].int64_list.value)
  limit = num_labels(params.num_classes)
  if groups := label_groups.read(params.label_groups, params.num_classes):
    if len(labels) != len(groups) or not all(
      group.start <= label < group.stop for group, label in zip(groups, labels)
    ):
      return f'has labels {labels}, expected {of_groups(groups)}.'
  elif not params.is_multilabel and len(labels) != 1:
    return (
      f'has {len(labels)} labels {labels}, expected one in [0, {limit}) '
      f'(num_classes={params.num_classes}); {LABEL_ADVICE}.'
    )
  if any(not 0 <= label < limit for label in labels):
    return (
      f'has label {", ".join(map(str, labels))} outside [0, {limit}) '
      f'(num_classes={params.num_classes}); {LABEL_ADVICE}.'
    )
  if fault := _frame_labels_fault(context, len(frames), params):
    return fault
  return _frames_fault(frames, params.feature_shape[3])


def _examine(
  file: str, record: int, params: schema.DataConfig
) -> BadRecord | None:
  """Returns what is wrong with one record, if anything is."""
  compression = compression_type(params)
  raw = next(iter(read_records(file, compression).skip(record)), None)
  if raw is None or raw['serialized'].numpy() == UNREADABLE:
    return BadRecord(file, record, read_fault(file, record, compression))
  reason = describe_record(raw['serialized'].numpy(), params)
  return None if reason is None else BadRecord(file, record, reason)


def _explained(
  file: str, record: int, params: schema.DataConfig, error: tf.errors.OpError
) -> BadRecord:
  """Returns what is wrong with a record whose parser failed."""
  return _examine(file, record, params) or BadRecord(
    file, record, f'does not parse: {error.message}; {ADVICE}.'
  )


def _parse_file(
  file: str, parse_fn: ParseFn, params: schema.DataConfig
) -> Iterator[BadRecord | None]:
  """Parses records of a file until one fails.

  Args:
    file: a TFRecord file.
    parse_fn: as in `find_bad_record`.
    params: what the records should hold.

  Yields:
    None for each record that parses, and at last the one that does not.
  """
  parsed = read_records(file, compression_type(params))
  parsed = parsed.map(
    parse_fn, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
  )
  record = 0
  try:
    for _ in parsed:
      record += 1
      yield None
  except tf.errors.OpError as error:
    yield _explained(file, record, params, error)


def find_bad_record(
  files: Sequence[str], parse_fn: ParseFn, params: schema.DataConfig
) -> BadRecord | None:
  """Parses records until one fails, logging the progress.

  Args:
    files: TFRecord files.
    parse_fn: maps what `read_records` yields to tensors, or fails; should look
      at all frames, as a random clip may miss the bad one.
    params: what the records should hold.

  Returns:
    The first bad record, or None if all parse.
  """
  parse_fn = tf.function(parse_fn)  # Traced once for all files.
  done = 0
  start = time.monotonic()
  for number, file in enumerate(files):
    for bad in _parse_file(file, parse_fn, params):
      if bad is not None:
        return bad
      done += 1
      logging.log_every_n_seconds(
        logging.INFO,
        'Looking for the bad record: %d records checked, file %d of %d, '
        '%.0f records/s.',
        SECONDS_BETWEEN_LOGS,
        done,
        number + 1,
        len(files),
        done / max(time.monotonic() - start, 1e-3),
      )
  return None


def _first_record(file: str, compression: str) -> dict[str, tf.Tensor] | None:
  """What `read_records` yields first; None for a file without records."""
  try:
    # Without what knows the places of all others, which takes longer to build.
    serialized = next(iter(tf.data.TFRecordDataset(file, compression)), None)
  except tf.errors.OpError:
    serialized = tf.constant(UNREADABLE)
  if serialized is None:
    return None
  return {
    'file': tf.constant(file),
    'record': tf.constant(0, tf.int64),
    'serialized': serialized,
  }


def check_first_records(
  files: Sequence[str], parse_fn: ParseFn, params: schema.DataConfig
):
  """Fails at once on data that would fail later, or never give a batch.

  With 'error', parses the first record of up to four files spread over the
  set.  With 'skip', looks for one record that parses.

  Args:
    files: TFRecord files.
    parse_fn: as in `find_bad_record`.
    params: what the records should hold.

  Raises:
    InputDataError: there is no record; a first record is bad; or, with 'skip',
      all records are.
  """
  compression = compression_type(params)
  if params.short_clips == 'drop':
    check_lengths(
      read_records(list(files), compression),
      parse_fn,
      params,
      f'{len(files)} input files',
    )
  if params.on_bad_record == 'skip':
    first = _first_record(files[0], compression)
    if first is not None:
      with contextlib.suppress(tf.errors.OpError):
        parse_fn(first)  # Eager, as below: as a rule it is one that parses.
        return
    parsed = read_records(list(files), compression).map(parse_fn)
    if next(iter(parsed.ignore_errors()), None) is not None:
      return
    bad = find_bad_record(files, parse_fn, params)
    if bad is not None:
      raise InputDataError(
        f'None of the records in {len(files)} input files can be used. '
        f'The first: {bad}'
      )
  else:
    found = 0
    for file in files[:: math.ceil(len(files) / _FIRST_FILES)]:
      raw = _first_record(file, compression)
      if raw is None:
        continue
      try:
        parse_fn(raw)  # Eager: of so few, tracing it would take longer.
      except tf.errors.OpError as error:
        raise InputDataError(
          f'Bad input: {_explained(file, 0, params, error)}'
        ) from error
      found += 1
    if found:
      return
  if next(iter(read_records(list(files), compression)), None) is None:
    raise InputDataError(
      f'{len(files)} input files hold no records: {files[:_SHOWN_FILES]}. '
      'Re-create them, or correct input_path.'
    )


def check_lengths(
  raw: tf.data.Dataset,
  parse_fn: ParseFn,
  params: schema.DataConfig,
  source: str,
):
  """Fails if `short_clips` 'drop' would leave nothing.

  Args:
    raw: elements for `parse_fn`, each once.
    parse_fn: as in `find_bad_record`; returns the shape of the frames first.
    params: how many frames a clip has.
    source: what the message calls the data.

  Raises:
    InputDataError: every video that can be read is shorter than a clip.
  """
  longest = 0
  for shape, (features, _) in raw.map(parse_fn).ignore_errors():
    if dropped_clips.has_frames(features, params.feature_shape[0]):
      return
    longest = max(longest, int(shape[0]))
  if longest:
    raise InputDataError(
      f"short_clips='drop' leaves none of the videos in {source}: the longest "
      f'has {longest} frames, and a clip {params.feature_shape[0]} at '
      f'temporal_stride={params.temporal_stride}. Set short_clips: repeat, or '
      'another feature_shape or temporal_stride.'
    )


def explain_input_error(
  error: tf.errors.OpError, params: schema.DataConfig, parse_fn: ParseFn
) -> InputDataError | None:
  """Says what an error of the input pipeline means, naming file and record.

  A message that already says it is passed on, and one that names its record is
  explained from that record.  For the others (frames that cannot be decoded,
  frames of differing size) the files are read until the bad record is found.

  Args:
    error: what came out of training or evaluation.
    params: the data being read.
    parse_fn: as in `find_bad_record`.

  Returns:
    The explanation, or None if the error is not about the input or no bad
    record is found in this data: then the error itself is to be raised.
  """
  # An assertion prints its strings with quotes escaped.
  text = re.sub(r'\\(["\'])', r'\1', str(error))
  if report := _REPORT.search(text):
    return InputDataError(f'Bad input: {report[1]}')
  if place := _LOCATION.search(text):
    file, record = place[2], int(place[1])
    bad = _examine(file, record, params) or BadRecord(
      file, record, f'does not parse: {error.message}; {ADVICE}.'
    )
    return InputDataError(f'Bad input: {bad}')
  if not params.input_path or not _INPUT_ERROR.search(text):
    return None
  files = list_files(params)
  logging.info(
    'The input pipeline failed; looking through %d files of %s for '
    'the bad record.',
    len(files),
    params.input_path,
  )
  found = find_bad_record(files, parse_fn, params)
  if found is None:
    logging.error(
      'No bad record in %d files of %s: the error is elsewhere, or has passed.',
      len(files),
      params.input_path,
    )
    return None
  return InputDataError(f'Bad input: {found}')
