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

"""What a conversion says at its end."""

from official_ext.grw.configs import schema
from official_ext.grw.datasets import conversion_summary
from official_ext.grw.datasets import video_sources


def lines(shortest, median, clips=(), passed_over=()):
  return conversion_summary.lines(
    'records',
    {
      'num_classes': 2,
      'frames_per_second': 5.0,
      'failures': {'count': 1},
      'settings': {'picture_rate': 12.5},
      'clip_frames': {'shortest': shortest, 'median': median, 'longest': 40},
      'splits': {
        'train': {'num_examples': 9, 'classes': {'a': 3, 'b': 6}},
        'test': {'num_examples': 4, 'classes': {'a': 2, 'b': 2}},
      },
    },
    video_sources.Sources(
      ['a', 'b'], list(clips), [], passed_over=tuple(passed_over)
    ),
  )


def test_clips_classes_and_lengths_are_told():
  assert lines(13, 21) == [
    'written: records: 9 train, 4 test clips of 2 classes, 1 bad',
    "train: 3 clips of 'a' to 6 of 'b'",
    'test: 2 clips of each class',
    'lengths at 5 frames a second: shortest 13 frames (2.6 s), median 21 frames'
    ' (4.2 s), longest 40 frames (8.0 s)',
    'every video fills task.train_data.feature_shape=[10,172,172,3], in whole '
    'windows of 5',
    'half of the videos fill [20,172,172,3], and the others begin again in '
    'such a clip',
  ]


def test_videos_shorter_than_a_window_are_told():
  assert 'does not fill a window of 5 frames' in lines(4, 5)[-2]
  assert 'every video fills' in lines(5, 9)[-1]
  # Longer clips are not advised.
  assert '[50,172,172,3], in whole' in lines(70, 90)[-1]


def test_what_was_passed_over_and_assumed_is_told():
  pictures = video_sources.Clip('train', 'a', 'a/x', 'x', 1, is_folder=True)
  said = lines(5, 5, [pictures], ['a/Thumbs.db', 'b'])
  assert said[1].startswith('passed over: 2 that are no videos')
  assert said[1].endswith('such as a/Thumbs.db')
  assert said[2] == (
    'folders of pictures: 1, as 12.5 pictures a second (--picture_rate)'
  )


def test_a_window_is_that_of_the_experiments():
  assert conversion_summary.WINDOW == schema.Smoothing().window
