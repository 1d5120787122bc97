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

"""The inspection tool as it is run."""

import subprocess

from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from tests import tiny
from tests import video_files


def run(*flags):
  return subprocess.run(
    tiny.program('tools/inspect_tfrecords.py', *flags),
    capture_output=True,
    text=True,
  )


def test_a_converted_dataset_is_found_good_and_a_spoiled_one_bad(tmp_path):
  for split in ('train', 'val'):
    (tmp_path / split / 'a').mkdir(parents=True)
    for i in range(2):
      video_files.write_video(tmp_path / split / 'a' / f'{i}.mp4', 5)
  records = tmp_path / 'records'
  video_conversion.convert(
    video_sources.folder_sources(str(tmp_path)),
    str(records),
    video_records.EncodingSettings(25.0, 32, 90),
    shards_per_split=1,
    beam_arguments=['--direct_num_workers=1'],
  )
  process = run(f'--input={records}', f'--contact_sheet={tmp_path / "s.png"}')
  assert process.returncode == 0, process.stderr
  assert 'train: 2 clips in 1 files; 5 to 5 frames, median 5' in process.stdout
  assert '| a | 0 | 2 |' in process.stdout
  assert (tmp_path / 's_train.png').exists()
  assert (tmp_path / 's_validation.png').exists()

  shard = records / 'train-00000-of-00001.tfrecord'
  shard.write_bytes(shard.read_bytes()[:-5])
  process = run(f'--input={shard}', '--num_classes=1')
  assert process.returncode == 1
  assert 'bad: record 1 (from 0) of file "' in process.stdout
  last = process.stderr.splitlines()[-1]
  assert last == f'error: 1 of 1 files of {shard} have a bad record.'
