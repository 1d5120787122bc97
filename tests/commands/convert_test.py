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

"""Videos that are no dataset are told in a line before anything is decoded.

All are tried in one process (`slips`).
"""

import re

import pytest

from tests import slips

KINETICS = 'label,youtube_id,time_start,time_end,split\n'
TWO = KINETICS + 'sit,one,0,2,train\neat,two,0,2,train\n'
CLIPS = {
  f'{name}_000000_000002.mp4': name for name in ('one', 'two', 'three', 'four')
}
FOUR = TWO + 'sit,three,0,2,val\neat,four,0,2,val\n'
FOLDERS = {
  f'{split}/{label}/{i}.mp4': f'{split} {label} {i}'
  for split in ('train', 'val')
  for label in 'ab'
  for i in range(2)
}

# The files of --input_dir, of which CSVs are given, other flags, what is said.
SLIPS = [
  (
    {'train/a/1.mp4': '1', 'train/a/2.mp4': '2'},
    [],
    "all clips are of one class, 'a': expected at least two",
  ),
  (
    {**FOLDERS, 'train/c/1.mp4': '1'},
    [],
    "train/c/1.mp4 is the only clip of class 'c': expected at least two",
  ),
  (
    {**FOLDERS, 'train/a/copy.mp4': 'val b 0'},
    [],
    "val/b/0.mp4, of class 'b', is the same file as .*train/a/copy.mp4, of "
    "class 'a'; keep one",
  ),
  (
    {**FOLDERS, 'train/b/copy.mp4': 'val b 0'},
    [],
    'val/b/0.mp4, of validation, is the same file as .*train/b/copy.mp4, of '
    'train: what is validated on',
  ),
  (
    {
      **FOLDERS,
      'train/a/x/1.jpg': 'one',
      'train/a/x/2.jpg': 'two',
      'val/a/y/1.jpg': 'one',
      'val/a/y/2.jpg': 'two',
    },
    [],
    'val/a/y, of validation, is the same file as .*train/a/x, of train',
  ),
  (FOLDERS, ['--label_separator=;'], '--label_separator is for .* a --csv'),
  (
    {**CLIPS, 'a.csv': KINETICS + ',one,0,2,train\n'},
    ['--label_separator=;'],
    'no clip has a label',
  ),
  (
    {'x/1.mp4': '1', 'a.csv': 'label,video,split\na,x,train\n'},
    [],
    'a.csv, line 2: .*x is a folder: expected a video, or a folder of its fra',
  ),
  (FOLDERS, ['--folds=2'], 'give --folds, how many, and --fold, which'),
  (
    {**CLIPS, 'a.csv': FOUR},
    ['--label_separator=;', '--folds=2', '--fold=0'],
    '--folds is for clips of one label',
  ),
  (
    {**CLIPS, 'a.csv': FOUR + 'eat,one,0,2,train\n'},
    [],
    "a.csv, line 6: 'one_0_2' is 'eat' here and 'sit' in .*a.csv, line 2; keep",
  ),
  (
    {**CLIPS, 'a.csv': FOUR + 'eat,one,0,2,train\n'},
    ['--label_separator=;'],
    "line 6: 'one_0_2' is 'eat' here and 'sit' in .*, line 2; .*into one line",
  ),
  (
    {**CLIPS, 'a.csv': TWO, 'b.csv': KINETICS + 'sit,one,0,2,val\n'},
    [],
    "b.csv, line 2: 'one_0_2' is validation here and train in .*a.csv, line 2",
  ),
  (
    {**CLIPS, 'a.csv': FOUR + '"sit",one,0.0,2,train\n'},
    [],
    "a.csv, line 6: 'one_0_2' is named in .*a.csv, line 2 already; keep one",
  ),
  (
    {**CLIPS, 'one_000004_000006.mp4': '', 'a.csv': FOUR + 'sit,one,4,6,val\n'},
    [],
    r'a.csv, line 6 \(.*one_000004_000006.mp4\), of validation, is of the same '
    r'recording as .*a.csv, line 2 \(.*\), of train.*--allow_shared_sources',
  ),
  (
    {**CLIPS, 'three_000000_000002.mp4': 'one', 'a.csv': FOUR},
    [],
    r'a.csv, line 4 \(.*three_000000_000002.mp4\), of validation, is the same '
    'file as .*line 2 .*, of train',
  ),
  (
    {**CLIPS, 'a.csv': TWO + 'sit,three,0,2,train\n'},
    [],
    r"line 3 \(.*two_000000_000002.mp4\) is the only clip of class 'eat'",
  ),
  (
    {
      '1.mp4': '1',
      'sub/../2.mp4': '2',
      'a.csv': 'label,video,split\na,1.mp4,train\nb,./1.mp4,train\n',
    },
    [],
    "a.csv, line 3: '1.mp4' is 'b' here and 'a' in .*a.csv, line 2",
  ),
  (FOLDERS, ['--class_file=a.txt'], '--class_file are for --annotations'),
  (
    {'1.mp4': '1', 'a.csv': 'label,video,split\na,1.mp4,train\n'},
    ['--annotations=charades'],
    '--annotations says what --csv, .* would: give it alone',
  ),
  (
    FOLDERS,
    ['--annotations=charades', '--annotation_file=train.csv'],
    '--annotations=charades takes 1 --class_file, and 0 are given',
  ),
]


@pytest.fixture(name='answers', scope='module')
def answers_fixture(tmp_path_factory):
  given = []
  for files, flags, _ in SLIPS:
    folder = tmp_path_factory.mktemp('slip')
    for path, content in files.items():
      (folder / path).parent.mkdir(parents=True, exist_ok=True)
      (folder / path).write_text(content)
    given.append(
      [
        f'--input_dir={folder}',
        f'--output_dir={folder}/records',
        *(f'--csv={folder / path}' for path in files if path.endswith('.csv')),
        *flags,
      ]
    )
  return slips.said('convert', given)


@pytest.mark.parametrize('number', range(len(SLIPS)))
def test_a_slip_in_the_videos_is_told_before_they_are_decoded(number, answers):
  line = answers[number]
  assert line.startswith('error: ') and '\n' not in line
  assert re.search(SLIPS[number][-1], line), line
