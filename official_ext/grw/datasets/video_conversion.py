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

"""Converts videos to TFRecords on all cores, or on a cluster, with Apache Beam.

  sources = video_sources.folder_sources('videos')
  video_conversion.convert(
      sources, 'records', video_records.EncodingSettings(5.0, 256, 90))

A shard is one element of the pipeline: it is decoded, written and reported by
one worker, and nothing of the videos passes through Beam, so memory does not
grow with their number.  Whatever has a report is finished; the rest is what a
next run does.
"""

from collections.abc import Sequence
import contextlib
import csv
import glob
import io
import json
import logging
import math
import os
import re
import statistics
import sys
import threading
import time
from typing import Any

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.runners.portability.fn_api_runner import fn_runner

from official_ext.grw.compat import beam_workers
from official_ext.grw.compat import cores
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from official_ext.grw.files import whole_file

DATASET = 'dataset.json'
LABELS = 'labels.txt'
FAILURES = 'failures.csv'
# What was asked for, beside the reports, from the start.
_SETTINGS = 'reports/settings.json'
_PROGRESS = '.progress'
# About 100 MB of 10 s at 5 frames/s, and a few minutes of one core.
_CLIPS_PER_SHARD = 128
# Fewer would leave cores without work.
_MIN_SHARDS = 16
_FEW_FAILURES = 3
_SECONDS_BETWEEN_LINES = 10.0
_SHARD_ERROR = re.compile(
  r'ConversionError: (.*?)(?: \[while running |\\n|\n|$)'
)


class ConversionError(ValueError):
  """A conversion that cannot begin or go on; the message says what to do."""


def num_shards(
  num_clips: int, clips_per_shard: int | None = None, shards: int | None = None
) -> int:
  """How many files a split has; never more than clips.

  Args:
    num_clips: the number of clips of the split.
    clips_per_shard: at most; None means 128, but fewer if that would make less
      than 16 shards.
    shards: how many; in place of `clips_per_shard`.

  Returns:
    The number, which does not depend on the machine.

  Raises:
    ConversionError: both are given.
  """
  if shards and clips_per_shard:
    raise ConversionError('give clips_per_shard or num_shards, not both.')
  if not shards:
    shards = math.ceil(num_clips / (clips_per_shard or _CLIPS_PER_SHARD))
    if not clips_per_shard:
      shards = max(shards, _MIN_SHARDS)
  return min(shards, num_clips)


class _WriteShard(beam.DoFn):
  """Writes each shard that it is given."""

  def __init__(
    self,
    output_dir: str,
    labels: Sequence[str],
    settings: video_records.EncodingSettings,
    separator: str | None,
  ):
    self._output_dir = output_dir
    self._labels = labels
    self._settings = settings
    self._separator = separator
    self._counters = {
      ok: beam.metrics.Metrics.counter('videos_to_tfrecords', name)
      for ok, name in ((True, 'clips'), (False, 'failures'))
    }

  def process(self, shard: video_records.Shard) -> None:
    """Writes a shard; a byte a clip tells whoever looks how far it is."""
    report = video_records.report_path(self._output_dir, shard.name)
    try:
      with open(report + _PROGRESS, 'wb', buffering=0) as progress:

        def on_clip(ok: bool):
          self._counters[ok].inc()
          progress.write(b'.' if ok else b'x')

        video_records.write_shard(
          self._output_dir,
          shard,
          self._labels,
          self._settings,
          on_clip,
          self._separator,
        )
    except OSError as error:
      raise ConversionError(
        f'cannot write {os.path.join(self._output_dir, shard.name)}: '
        f'{error.strerror}; what is finished is kept: run the same command '
        'again once that is mended.'
      ) from error


class _Progress:
  """Prints counts and rate while others work."""

  def __init__(
    self, output_dir: str, shards: Sequence[video_records.Shard], finished: int
  ):
    self._paths = [
      video_records.report_path(output_dir, shard.name) + _PROGRESS
      for shard in shards
    ]
    self._total = finished + sum(len(shard.clips) for shard in shards)
    self._finished = finished
    self._start = time.monotonic()

  def print(self):
    """Prints a line to standard error."""
    done = failed = 0
    for path in self._paths:
      with contextlib.suppress(OSError), open(path, 'rb') as f:
        marks = f.read()
        done += len(marks)
        failed += marks.count(b'x')
    seconds = max(time.monotonic() - self._start, 1e-3)
    rate = done / seconds
    left = self._total - self._finished - done
    line = (
      f'{self._finished + done} of {self._total} clips, {failed} bad '
      f'in this run, {rate:.1f} clips/s'
    )
    if left and rate:
      line += f', {left / rate / 60:.0f} min left'
    print(line, file=sys.stderr, flush=True)


def _beam_options(arguments: Sequence[str]) -> pipeline_options.PipelineOptions:
  """Beam's options; all cores of this machine unless they say otherwise."""

  def has(flag):
    return any(argument.startswith(flag) for argument in arguments)

  local = not has('--runner')
  if local:
    # The errors raised here say it better.
    for name in ('apache_beam', 'grpc'):
      logging.getLogger(name).setLevel(logging.CRITICAL)
  options = pipeline_options.PipelineOptions(list(arguments))
  if local:
    unknown = sorted(
      options.get_all_options(retain_unknown_options=True).keys()
      - options.get_all_options().keys()
    )
    if unknown:
      raise ConversionError(
        f'--{unknown[0]} is a flag neither of this tool '
        'nor of Apache Beam on one machine.'
      )
    if not has('--direct_num_workers'):
      options.view_as(
        pipeline_options.DirectOptions
      ).direct_num_workers = cores.usable()
  return options


def _run(
  shards: Sequence[video_records.Shard],
  write_shard: _WriteShard,
  options: pipeline_options.PipelineOptions,
  progress: _Progress,
):
  """Writes the shards with Beam."""
  runner: fn_runner.FnApiRunner | None = None
  ended = threading.Event()
  errors: list[str] = []

  def on_death():
    errors.append(
      'a worker process was killed, maybe for want of memory; what '
      'is finished is kept: run the same command again, perhaps '
      'with a smaller --direct_num_workers.'
    )
    ended.set()

  def run():
    try:
      with beam.Pipeline(runner, options) as pipeline:
        _ = (
          pipeline
          | 'Shards' >> beam.Create(list(shards))
          # Without it, one worker would do what was created in one place.
          | 'Spread' >> beam.Reshuffle()
          | 'Write' >> beam.ParDo(write_shard)
        )
    except Exception as error:  # pylint: disable=broad-exception-caught
      # Beam gives the error of a worker as the text of a traceback.
      text = str(error).strip() or repr(error)
      found = _SHARD_ERROR.search(text)
      errors.append(
        found.group(1)
        if found
        else f'Apache Beam failed: {text.splitlines()[-1]}'
      )
    ended.set()

  with contextlib.ExitStack() as stack:
    if options.view_as(pipeline_options.StandardOptions).runner is None:
      direct = options.view_as(pipeline_options.DirectOptions)
      if direct.direct_num_workers == 1:
        runner = fn_runner.FnApiRunner()
      else:
        runner = beam_workers.process_runner()
        stack.enter_context(beam_workers.worker_environment(on_death))
    # Not in this thread, which could not be interrupted: Beam waits for its
    # workers to end whatever happens, and for a killed one for ever.
    threading.Thread(target=run, daemon=True).start()
    while not ended.wait(_SECONDS_BETWEEN_LINES):
      progress.print()
  progress.print()
  if errors:
    raise ConversionError(errors[0])


def _asked_for(
  sources: video_sources.Sources,
  settings: video_records.EncodingSettings,
  shards: dict[str, list[video_records.Shard]],
) -> dict[str, Any]:
  """All that the bytes of a dataset depend on."""
  asked_for = {
    **settings._asdict(),
    'num_shards': {split: len(names) for split, names in shards.items()},
    'sources': sources.fingerprint(),
  }
  if not any(clip.is_folder for clip in sources.clips):
    del asked_for['picture_rate']
  return asked_for


def _claim(output_dir: str, asked_for: dict[str, Any]):
  """Makes the output folder ours, or finds that it is."""
  path = os.path.join(output_dir, _SETTINGS)
  try:
    os.makedirs(os.path.dirname(output_dir) or '.', exist_ok=True)
    found = os.listdir(output_dir) if os.path.lexists(output_dir) else []
    if found and not os.path.exists(path):
      raise ConversionError(
        f'{output_dir} holds other files, such as {min(found)}; give another '
        '--output_dir or empty it.'
      )
    if not found:
      os.makedirs(os.path.dirname(path), exist_ok=True)
      with whole_file.opened(path) as f:
        f.write(video_records.json_bytes(asked_for))
      return
    with open(path, 'rb') as f:
      there = json.load(f)
  except ValueError as error:
    if isinstance(error, ConversionError):
      raise
    raise ConversionError(
      f'{path} cannot be read: {error}; give another --output_dir or remove it.'
    ) from error
  except OSError as error:
    raise ConversionError(
      f'cannot use {output_dir}: {error.strerror}.'
    ) from error
  differing = [
    name
    for name in sorted(asked_for.keys() | there.keys())
    if asked_for.get(name) != there.get(name)
  ]
  if differing:
    what = '; '.join(
      'other videos or classes'
      if name == 'sources'
      else f'{name} {there.get(name)} there, {asked_for.get(name)} asked for'
      for name in differing
    )
    raise ConversionError(
      f'{output_dir} holds another dataset ({what}); give another '
      '--output_dir, or remove it to convert anew.'
    )


def _remove_unfinished(output_dir: str):
  """Removes what an interrupted run left behind."""
  folder = glob.escape(output_dir)
  for pattern in (
    f'*{whole_file.UNFINISHED}*',
    f'reports/*{_PROGRESS}',
    f'reports/*{whole_file.UNFINISHED}*',
  ):
    for path in glob.glob(os.path.join(folder, pattern)):
      with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _lengths(frames: Sequence[int]) -> dict[str, int] | None:
  """What dataset.json says of the frames of clips; None of no clips."""
  if not frames:
    return None
  return {
    'shortest': min(frames),
    'median': statistics.median_low(frames),
    'longest': max(frames),
  }


def _write_summary(
  sources: video_sources.Sources,
  output_dir: str,
  asked_for: dict[str, Any],
  shards: dict[str, list[video_records.Shard]],
) -> dict[str, Any]:
  """Writes labels, failures and dataset.json from the reports."""
  failures = [(*clip, 'absent') for clip in sources.absent]
  splits = {}
  all_frames: list[int] = []
  for split, of_split in shards.items():
    classes = dict.fromkeys(sources.labels, 0)
    frames: list[int] = []
    for shard in of_split:
      report = video_records.read_report(output_dir, shard.name)
      if report is None:
        raise ConversionError(
          f'{shard.name} is not in {output_dir} after the pipeline has ended:'
          ' do the workers write to the same file system?'
        )
      for label, count in report['classes'].items():
        classes[label] += count
      frames += report['frames']
      failures += [(split, *failure) for failure in report['failures']]
    splits[split] = {
      'num_examples': len(frames),
      'files': f'{split}-*.tfrecord',
      'classes': classes,
      'clip_frames': _lengths(frames),
    }
    all_frames += frames
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(('split', 'label', 'source', 'reason'))
  writer.writerows(sorted(failures))
  dataset = {
    'num_classes': len(sources.labels),
    'labels': LABELS,
    'frames_per_second': asked_for['frames_per_second'],
    'short_side': asked_for['short_side'],
    'multi_label': sources.separator is not None
    and sources.label_groups is None,
    **(
      {'label_groups': [f'{name}:{n}' for name, n in sources.label_groups]}
      if sources.label_groups
      else {}
    ),
    'clip_frames': _lengths(all_frames),
    'splits': splits,
    **({'folds': sources.folds} if sources.folds else {}),
    'failures': {'count': len(failures), 'file': FAILURES},
    'settings': asked_for,
  }
  for name, content in (
    (LABELS, ''.join(f'{label}\n' for label in sources.labels).encode()),
    (FAILURES, table.getvalue().encode(errors='surrogateescape')),
    # The last: it says that all the others are there.
    (DATASET, video_records.json_bytes(dataset)),
  ):
    with whole_file.opened(os.path.join(output_dir, name)) as f:
      f.write(content)
  return dataset


def allowed_failures(num_clips: int, max_rate: float | None) -> int:
  """How many clips may be absent or bad.

  Args:
    num_clips: clips of all splits.
    max_rate: their share; None means a hundredth, but of small sets one in ten
      as long as these are no more than three.
  """
  if max_rate is None:
    return max(num_clips // 100, min(num_clips // 10, _FEW_FAILURES))
  return int(max_rate * num_clips)


def _check_failures(
  num_failures: int, num_clips: int, max_rate: float | None, where: str
):
  """Raises ConversionError if too many clips are bad."""
  allowed = allowed_failures(num_clips, max_rate)
  if num_failures > allowed:
    raise ConversionError(
      f'{num_failures} of {num_clips} clips '
      f'({100 * num_failures / num_clips:.1f} %) {where}; at most '
      f'{allowed} may be (--max_failure_rate).'
    )


def convert(
  sources: video_sources.Sources,
  output_dir: str,
  settings: video_records.EncodingSettings,
  clips_per_shard: int | None = None,
  shards_per_split: int | None = None,
  max_failure_rate: float | None = None,
  beam_arguments: Sequence[str] = (),
) -> dict[str, Any]:
  """Converts videos to a dataset of TFRecords; goes on where it was stopped.

  Writes <split>-<i>-of-<n>.tfrecord, labels.txt (line number = label index),
  failures.csv, dataset.json and, so that it can go on, reports/.  The same
  videos and settings give the same bytes, whatever runs the pipeline.

  Args:
    sources: the videos.
    output_dir: new, empty or of an earlier run with the same arguments; on a
      file system that all workers share.
    settings: how the frames are sampled and encoded.
    clips_per_shard: see `num_shards`.
    shards_per_split: see `num_shards`.
    max_failure_rate: share of clips that may be absent or bad; see
      `allowed_failures`.
    beam_arguments: flags of Apache Beam; by default all cores of this machine
      are used.

  Returns:
    What dataset.json holds.

  Raises:
    ConversionError: the folder holds something else; a file cannot be written;
      or too many clips are absent (nothing is written then) or bad (all is
      written but for those).
  """
  options = _beam_options(beam_arguments)
  output_dir = os.path.abspath(output_dir)
  num_clips = len(sources.clips) + len(sources.absent)
  absent = ', '.join(source_id for *_, source_id in sources.absent[:3])
  _check_failures(
    len(sources.absent),
    num_clips,
    max_failure_rate,
    f'are absent, such as {absent}'
    + (f' ({sources.absent_at})' if sources.absent_at else ''),
  )
  clips: dict[str, list[video_sources.Clip]] = {}
  for clip in sources.clips:
    clips.setdefault(clip.split, []).append(clip)
  shards = {
    split: video_records.make_shards(
      split,
      of_split,
      num_shards(len(of_split), clips_per_shard, shards_per_split),
    )
    for split, of_split in sorted(clips.items())
  }
  asked_for = _asked_for(sources, settings, shards)
  _claim(output_dir, asked_for)
  try:
    _remove_unfinished(output_dir)
    missing = [
      shard
      for of_split in shards.values()
      for shard in of_split
      if video_records.read_report(output_dir, shard.name) is None
    ]
    if missing:
      finished = len(sources.clips) - sum(len(s.clips) for s in missing)
      _run(
        missing,
        _WriteShard(output_dir, sources.labels, settings, sources.separator),
        options,
        _Progress(output_dir, missing, finished),
      )
    dataset = _write_summary(sources, output_dir, asked_for, shards)
  except OSError as error:
    raise ConversionError(
      f'cannot write {error.filename or output_dir}: {error.strerror}.'
    ) from error
  finally:
    _remove_unfinished(output_dir)
  _check_failures(
    dataset['failures']['count'],
    num_clips,
    max_failure_rate,
    f'are bad, see {os.path.join(output_dir, FAILURES)}',
  )
  for split, of_split in clips.items():
    named = {
      label
      for clip in of_split
      for label in video_sources.split_labels(clip.label, sources.separator)
    }
    read = dataset['splits'][split]['classes']
    if lost := sorted(label for label in named if not read[label]):
      raise ConversionError(
        f'no clip of class {lost[0]!r} in {split} could be read, see '
        f'{os.path.join(output_dir, FAILURES)}.'
      )
  return dataset
