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

"""Claims about folders of pictures as videos."""

import cv2
import numpy as np
import pytest

from official_ext.grw.datasets import frame_folders
from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from tests import video_files


def write(folder, numbers, name='frame_{}.png', size=(64, 48)):
  folder.mkdir(exist_ok=True)
  for number in numbers:
    image = video_files.numbered_frame(number, *size)
    cv2.imwrite(str(folder / name.format(number)), image[..., ::-1])
  return str(folder)


def read(folder, rate=25.0, frames_per_second=25.0):
  return list(frame_folders.read_frames(folder, rate, frames_per_second, 48))


def shown(frames):
  return [video_files.shown_number(frame.image) for frame in frames]


def test_pictures_follow_by_number_and_are_resampled(tmp_path):
  folder = write(tmp_path / 'a', range(8, 33))
  assert shown(read(folder)) == list(range(8, 33))
  frames = read(folder, rate=25.0, frames_per_second=5.0)
  assert shown(frames) == [8, 13, 18, 23, 28]
  assert [frame.seconds for frame in frames] == [0, 0.2, 0.4, 0.6, 0.8]
  assert shown(read(folder, rate=12.5, frames_per_second=25.0)[:4]) == [
    8, 8, 9, 9,
  ]  # fmt: skip


def test_pictures_have_the_colors_that_are_in_them(tmp_path):
  (frame,) = read(write(tmp_path / 'a', [5]))
  assert np.array_equal(frame.image, video_files.numbered_frame(5, 64, 48))


@pytest.mark.parametrize('name', ['{}.jpg', 'frame 100% {}.webp', '{}_a.bmp'])
def test_other_names_and_formats_are_read(tmp_path, name):
  assert shown(read(write(tmp_path / 'a', range(3), name))) == [0, 1, 2]


def test_every_fifth_picture_alone_is_no_gap(tmp_path):
  assert len(read(write(tmp_path / 'a', range(0, 25, 5)))) == 5


def spoil_size(folder):
  write(folder, [3], size=(32, 24))


def spoil_content(folder):
  path = folder / 'frame_3.png'
  path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
  'spoil, reason',
  [
    (
      lambda folder: (folder / 'frame_4.png').unlink(),
      'no picture of number 4 after frame_3.png',
    ),
    (spoil_size, 'frame_3.png is 32 x 24, the first picture 64 x 48'),
    (spoil_content, 'frame_3.png is no whole picture'),
    (
      lambda folder: (folder / 'frame_3.png').write_bytes(b''),
      'frame_3.png is no whole picture',
    ),
  ],
)
def test_what_is_wrong_with_a_picture_is_told(tmp_path, spoil, reason):
  folder = write(tmp_path / 'a', range(6))
  spoil(tmp_path / 'a')
  with pytest.raises(video_decoding.VideoError, match=reason):
    read(folder)


def test_a_folder_becomes_a_record(tmp_path):
  folder = write(tmp_path / 'a', range(10), 'frame_{}.jpg')
  clip = video_sources.Clip('train', 'x', 'x/a', folder, 1, is_folder=True)
  count, record = video_records.encode_clip(
    clip, 0, video_records.EncodingSettings(5.0, 24, 90, picture_rate=10.0)
  )
  assert count == 5 and b'x/a' in record
