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

r"""Turns folders of videos, or a Kinetics CSV and its clips, into TFRecords.

  python3 tools/videos_to_tfrecords.py \
    --input_dir=videos --output_dir=records --fps=5 --short_side=256

  python3 tools/videos_to_tfrecords.py --csv=train.csv --csv=validate.csv \
    --input_dir=clips --output_dir=records

`input_dir` holds <split>/<class>/<video> with splits train, validation (or
val, valid) and test; or, with --csv, files <youtube_id>_<start>_<end>.mp4.  All
cores of the machine work.  An interrupted run goes on when it is started again.
The flags of Apache Beam work too: --runner=FlinkRunner, SparkRunner or
DataflowRunner and theirs; both folders must then be mounted on all workers.
"""

import logging
import pathlib
import sys

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

# Beam warns on import of clouds that are not installed.
logging.disable(logging.WARNING)
from official_ext.grw.datasets import video_conversion  # noqa: E402

logging.disable(logging.NOTSET)
from official_ext.grw.datasets import video_records  # noqa: E402
from official_ext.grw.datasets import video_sources  # noqa: E402

_INPUT_DIR = flags.DEFINE_string('input_dir', None, 'Folder of the videos.')
_CSV = flags.DEFINE_multi_string(
  'csv',
  [],
  'CSV file with columns label, youtube_id, time_start, time_end '
  'and split; may be given several times.',
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to make for the dataset, or to go on with.'
)
_FPS = flags.DEFINE_float(
  'fps',
  5.0,
  'Frames a second of the clips; videos are resampled by presentation time.',
  lower_bound=1e-3,
)
_SHORT_SIDE = flags.DEFINE_integer(
  'short_side',
  256,
  'Height or width in pixels, whichever is less.',
  lower_bound=1,
)
_JPEG_QUALITY = flags.DEFINE_integer(
  'jpeg_quality', 90, 'Of the frames.', lower_bound=1, upper_bound=100
)
_CLIPS_PER_SHARD = flags.DEFINE_integer(
  'clips_per_shard',
  None,
  'Most clips in a file; by default 128, or fewer to have 16 files a split.',
  lower_bound=1,
)
_NUM_SHARDS = flags.DEFINE_integer(
  'num_shards',
  None,
  'Files of each split, in place of clips_per_shard.',
  lower_bound=1,
)
_MAX_FAILURE_RATE = flags.DEFINE_float(
  'max_failure_rate',
  0.01,
  'Share of the clips that may be absent or bad.',
  lower_bound=0.0,
  upper_bound=1.0,
)


def main(argv):
  settings = video_records.EncodingSettings(
    _FPS.value, _SHORT_SIDE.value, _JPEG_QUALITY.value
  )
  try:
    sources = (
      video_sources.csv_sources(_CSV.value, _INPUT_DIR.value)
      if _CSV.value
      else video_sources.folder_sources(_INPUT_DIR.value)
    )
    dataset = video_conversion.convert(
      sources,
      _OUTPUT_DIR.value,
      settings,
      _CLIPS_PER_SHARD.value,
      _NUM_SHARDS.value,
      _MAX_FAILURE_RATE.value,
      argv[1:],
    )
  except (video_sources.SourceError, video_conversion.ConversionError) as error:
    sys.exit(f'error: {error}')
  except KeyboardInterrupt:
    sys.exit('error: interrupted; run the same command again to go on.')
  counts = ', '.join(
    f'{split["num_examples"]} {name}'
    for name, split in dataset['splits'].items()
  )
  print(
    f'written: {_OUTPUT_DIR.value}: {counts} clips of '
    f'{dataset["num_classes"]} classes, '
    f'{dataset["failures"]["count"]} bad'
  )


if __name__ == '__main__':
  flags.mark_flags_as_required(['input_dir', 'output_dir'])
  # What is no flag of ours is left to Apache Beam.
  app.run(main, flags_parser=lambda argv: flags.FLAGS(argv, known_only=True))
