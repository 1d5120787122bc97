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
r"""Turns folders of videos, or a CSV and its clips, into TFRecords.

  grw convert \
    --input_dir=videos --output_dir=records --fps=5 --short_side=256

  grw convert --csv=train.csv --csv=validate.csv \
    --input_dir=clips --output_dir=records

`input_dir` holds <split>/<class>/<video> with splits train, validation (or
val, valid) and test; or, with --csv, files <youtube_id>_<start>_<end>.mp4, or
those that a column `video` names.  A folder of pictures is a video too.  For
cross-validation a fold becomes the validation split, and no source of clips is
on both sides; `input_dir` may then hold <class>/<video>:

  grw convert --input_dir=videos --groups=videos.txt --folds=5 --fold=0 \
    --output_dir=records/fold0

Public datasets are read as they are published, from their files of annotations
and classes, here of Charades:

  grw convert --annotations=charades --class_file=Charades_v1_classes.txt \
    --annotation_file=Charades_v1_train.csv \
    --annotation_file=Charades_v1_test.csv \
    --input_dir=Charades_v1 --output_dir=records --fps=6

official_ext/grw/datasets/video_folds.py says what a file of groups holds.  All
cores of the machine work.  An interrupted run goes on when it is started again.
The flags of Apache Beam work too: --runner=FlinkRunner, SparkRunner or
DataflowRunner and theirs; both folders must then be mounted on all workers.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from absl import flags

from official_ext.grw.datasets import published_annotations

if TYPE_CHECKING:
  from official_ext.grw.datasets import video_sources

_PICTURE_RATE = 25.0


def define_flags():
  flags.DEFINE_string('input_dir', None, 'The folder of the videos.')
  flags.DEFINE_multi_string(
    'csv',
    [],
    'CSV file with columns label, youtube_id, time_start, time_end '
    'and split, or label, video (a path in input_dir) and split, and start and '
    'end (seconds) if the clip is a part of the video; may be given several '
    'times.',
  )
  flags.DEFINE_enum(
    'annotations',
    None,
    sorted(published_annotations.FORMATS),
    'The public dataset whose files --annotation_file and --class_file name.',
  )
  flags.DEFINE_multi_string(
    'annotation_file',
    [],
    'A file of --annotations, as published; may be given several times.',
  )
  flags.DEFINE_multi_string(
    'class_file',
    [],
    'The classes of --annotations, as published; of each group of classes a '
    'file.',
  )
  flags.DEFINE_string(
    'output_dir', None, 'The folder to make for the dataset, or to go on with.'
  )
  flags.DEFINE_float(
    'fps',
    5.0,
    'Frames a second of the clips; videos are resampled by presentation time.',
    lower_bound=1e-3,
  )
  flags.DEFINE_integer(
    'short_side',
    256,
    'The height or width in pixels, whichever is less.',
    lower_bound=1,
  )
  flags.DEFINE_integer(
    'jpeg_quality',
    90,
    'The quality of the frames.',
    lower_bound=1,
    upper_bound=100,
  )
  flags.DEFINE_integer(
    'clips_per_shard',
    None,
    'The most clips in a file; by default 128, or fewer to have 16 files a '
    'split.',
    lower_bound=1,
  )
  flags.DEFINE_integer(
    'num_shards',
    None,
    'The number of files of each split, in place of clips_per_shard.',
    lower_bound=1,
  )
  flags.DEFINE_float(
    'max_failure_rate',
    None,
    'The share of the clips that may be absent or bad; by default 0.01, and of '
    'less than 300 clips one in ten, three at most.',
    lower_bound=0.0,
    upper_bound=1.0,
  )
  flags.DEFINE_float(
    'picture_rate',
    None,
    'Pictures a second of videos that are folders of pictures; by default 25, '
    'or as the dataset of --annotations has them.',
    lower_bound=1e-3,
  )
  flags.DEFINE_string(
    'label_separator',
    None,
    'What stands between the labels of a clip in the CSV, such as ;. Clips may '
    'then have several labels, or none.',
  )
  flags.DEFINE_bool(
    'allow_shared_sources',
    False,
    'Whether the splits may share files, and clips of one recording.',
  )
  flags.DEFINE_integer(
    'folds', None, 'The number of folds of a cross-validation.'
  )
  flags.DEFINE_integer(
    'fold', None, 'Which of --folds is the validation split, from 0.'
  )
  flags.DEFINE_integer('fold_seed', 0, 'The seed by which folds are drawn.')
  flags.DEFINE_string(
    'groups',
    None,
    'A CSV with columns clip and group, or a text of groups and their clips: '
    'clips of one group are in one fold.',
  )
  flags.mark_flags_as_required(['input_dir', 'output_dir'])


def parse_flags(argv: list[str]) -> list[str]:
  """Parses the flags and leaves what is none of ours to Apache Beam."""
  try:
    return flags.FLAGS(argv, known_only=True)
  except flags.Error as error:
    sys.exit(f'error: {error}')


def _require_flags_that_fit():
  """Raises ValueError for flags that do not go together."""
  values = flags.FLAGS
  if (values.folds is None) != (values.fold is None):
    raise ValueError('give --folds, how many, and --fold, which, or neither.')
  if values.groups and values.folds is None:
    raise ValueError('--groups is for --folds and --fold: give these too.')
  if values.annotations is None:
    if values.annotation_file or values.class_file:
      raise ValueError(
        '--annotation_file and --class_file are for --annotations, which says '
        'of what dataset they are.'
      )
  elif values.csv or values.label_separator or values.folds is not None:
    raise ValueError(
      '--annotations says what --csv, --label_separator and --folds would: '
      'give it alone.'
    )
  if values.label_separator is None:
    return
  if not values.csv:
    raise ValueError(
      '--label_separator is for the labels of a --csv; in folders a clip has '
      'the label of its folder.'
    )
  if values.folds is not None:
    raise ValueError(
      '--folds is for clips of one label: make the splits of --label_separator '
      'in the CSV.'
    )


def _sources() -> video_sources.Sources:
  """The videos that the flags name, of which a dataset can be made."""
  from official_ext.grw.datasets import source_checks
  from official_ext.grw.datasets import video_folds
  from official_ext.grw.datasets import video_sources

  values = flags.FLAGS
  _require_flags_that_fit()
  with_folds = values.folds is not None
  if values.annotations:
    sources = published_annotations.sources(
      values.annotations,
      values.annotation_file,
      values.class_file,
      values.input_dir,
    )
  elif values.csv:
    sources = video_sources.csv_sources(
      values.csv, values.input_dir, values.label_separator
    )
  else:
    sources = video_sources.folder_sources(values.input_dir, with_folds)
  if with_folds:
    sources = video_folds.split(
      sources, values.folds, values.fold, values.groups, values.fold_seed
    )
  source_checks.require_sound(sources, values.allow_shared_sources)
  return sources


def main(argv):
  values = flags.FLAGS
  try:
    # Before what converts is imported, which takes a while.
    sources = _sources()
  except ValueError as error:
    sys.exit(f'error: {error}')
  # Beam warns on import of clouds that are not installed.
  logging.disable(logging.WARNING)
  from official_ext.grw.datasets import video_conversion

  logging.disable(logging.NOTSET)
  from official_ext.grw.datasets import conversion_summary
  from official_ext.grw.datasets import video_records

  form = published_annotations.FORMATS.get(values.annotations)
  picture_rate = values.picture_rate or (form and form.picture_rate)
  settings = video_records.EncodingSettings(
    values.fps,
    values.short_side,
    values.jpeg_quality,
    picture_rate or _PICTURE_RATE,
  )
  try:
    dataset = video_conversion.convert(
      sources,
      values.output_dir,
      settings,
      values.clips_per_shard,
      values.num_shards,
      values.max_failure_rate,
      argv[1:],
    )
  except video_conversion.ConversionError as error:
    sys.exit(f'error: {error}')
  except KeyboardInterrupt:
    sys.exit('error: interrupted; run the same command again to go on.')
  for line in conversion_summary.lines(values.output_dir, dataset, sources):
    print(line)
