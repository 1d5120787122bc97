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

"""Claims about decoding, on video files of many kinds made here."""

import contextlib
import fractions
import os
import pickle

import av
import cv2
import numpy as np
import pytest

from official_ext.grw.datasets import video_decoding
from tests import video_files

NTSC = fractions.Fraction(30000, 1001)
FAST_START = {'movflags': 'faststart'}


def numbers(path, *args, **kwargs):
  return [
    video_files.shown_number(frame.image)
    for frame in video_decoding.read_frames(path, *args, **kwargs)
  ]


@pytest.mark.parametrize('rate', [24, 25, NTSC, 60])
@pytest.mark.parametrize('suffix', ['mp4', 'avi', 'webm', 'mkv', 'flv', 'ts'])
def test_no_frame_is_lost_or_repeated(tmp_path, suffix, rate):
  path = video_files.write_video(tmp_path / f'a.{suffix}', 30, rate)
  frames = list(video_decoding.read_frames(path))
  assert [video_files.shown_number(f.image) for f in frames] == list(range(30))
  assert [f.seconds for f in frames] == pytest.approx(
    np.arange(30) / float(rate), abs=1.1e-3
  )
  # Also at its own rate, though some containers round times.
  assert numbers(path, float(rate)) == list(range(30))


@pytest.mark.parametrize(
  'codec', ['libvpx-vp9', 'libx265', 'mpeg2video', 'ffv1']
)
def test_codecs(tmp_path, codec):
  path = video_files.write_video(tmp_path / 'a.mkv', 5, codec=codec)
  assert numbers(path) == list(range(5))


@pytest.mark.parametrize('suffix', ['mp4', 'webm'])
def test_frames_of_a_varying_rate_are_picked_by_their_times(tmp_path, suffix):
  milliseconds = [0, 40, 50, 60, 300, 310, 900]
  path = video_files.write_video(
    tmp_path / f'a.{suffix}', 7, milliseconds=milliseconds
  )
  frames = list(video_decoding.read_frames(path))
  assert [f.seconds for f in frames] == pytest.approx(
    np.array(milliseconds) / 1e3, abs=1e-3
  )
  # At 0, 100, ... 900 ms; the last frame's own duration differs by container.
  assert numbers(path, 10)[:10] == [0, 3, 3, 4, 5, 5, 5, 5, 5, 6]


@pytest.mark.parametrize(
  'rate, expected',
  [
    (5, [0, 5, 10, 15, 20]),
    (12.5, list(range(0, 25, 2))),
    (50, sorted([*range(25), *range(25)])),
    (1, [0]),
  ],
)
def test_resampling_takes_the_frame_shown_at_each_tick(
  tmp_path, rate, expected
):
  path = video_files.write_video(tmp_path / 'a.mp4', 25, 25)
  frames = list(video_decoding.read_frames(path, rate))
  assert [video_files.shown_number(f.image) for f in frames] == expected
  assert [f.seconds for f in frames] == pytest.approx(
    np.arange(len(expected)) / rate
  )


@pytest.mark.parametrize(
  'name, codec',
  [
    ('a.mp4', None),
    ('a.mp4', 'mpeg4'),
    ('a.avi', None),
    ('a.mkv', 'mpeg4'),
    ('a.webm', None),
    ('a.ts', 'mpeg2video'),
  ],
)
def test_a_part_of_a_video_is_what_the_video_shows_then(tmp_path, name, codec):
  path = video_files.write_video(tmp_path / name, 200, 25, codec=codec)
  # Between two frames, the earlier of them is shown.
  for start, first in ((4.0, 100), (0.5, 12), (0.0, 0), (4.03, 100)):
    part = list(video_decoding.read_frames(path, 5, span=(start, start + 2)))
    assert [video_files.shown_number(frame.image) for frame in part] == [
      *range(first, first + 50, 5)
    ], start
    assert [f.seconds for f in part] == pytest.approx(np.arange(10) / 5)
  assert numbers(path, span=(4, 4.2)) == [100, 101, 102, 103, 104]
  assert numbers(path, 25, span=(7.8, 60.0)) == [195, 196, 197, 198, 199]
  with pytest.raises(
    video_decoding.VideoError, match='ends at 8.00 s, and the clip starts at 9'
  ):
    numbers(path, 5, span=(9.0, 10.0))


def test_what_comes_long_before_a_part_is_not_decoded(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 200, 25, codec='mpeg4')
  # pylint: disable-next=protected-access
  with contextlib.closing(video_decoding._decode_from(path, True, 7)) as frames:
    assert 5.0 < next(frames).start < 6.1


def test_a_part_of_a_video_of_varying_rate_holds_its_frames(tmp_path):
  path = video_files.write_video(
    tmp_path / 'a.mp4', 5, milliseconds=[0, 40, 1000, 3000, 3040]
  )
  # The third frame is shown from 1 s to 3 s, whatever its own duration.
  assert numbers(path, 2, span=(0.5, 3.0)) == [1, 2, 2, 2, 2]
  assert numbers(path, 10, span=(2.0, 2.2)) == [2, 2]


@pytest.mark.parametrize('suffix', ['mp4', 'avi', 'webm'])
@pytest.mark.parametrize('count', [1, 3])
def test_few_frames(tmp_path, suffix, count):
  path = video_files.write_video(tmp_path / f'a.{suffix}', count)
  assert numbers(path) == numbers(path, 25) == list(range(count))
  assert numbers(path, 5) == [0]


def test_an_audio_track_changes_nothing(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 25, audio=True)
  with av.open(path) as container:
    assert container.streams.audio
  assert numbers(path) == list(range(25))


def test_sound_alone_is_no_video(tmp_path):
  path = str(tmp_path / 'a.mp4')
  with av.open(path, 'w') as container:
    stream = container.add_stream('aac', rate=8000, layout='mono')
    frame = av.AudioFrame.from_ndarray(
      np.zeros((1, 8000), np.float32), 'fltp', 'mono'
    )
    frame.sample_rate, frame.pts = 8000, 0
    container.mux([*stream.encode(frame), *stream.encode()])
  with pytest.raises(video_decoding.VideoError, match='no video stream'):
    next(video_decoding.read_frames(path))


@pytest.mark.parametrize('orientation', video_files.ORIENTATIONS)
def test_frames_are_upright(tmp_path, orientation):
  stored = video_files.write_video(tmp_path / 'a.mp4', 1)
  plain = next(video_decoding.read_frames(stored)).image
  video_files.set_orientation(stored, orientation)
  turned = next(video_decoding.read_frames(stored)).image
  expected = {
    'as it is': plain,
    'quarter turn clockwise': np.rot90(plain, -1),
    'half turn': np.rot90(plain, 2),
    'quarter turn counterclockwise': np.rot90(plain),
    'mirrored': plain[:, ::-1],
    'mirrored upside down': plain[::-1],
    'transposed': plain.transpose(1, 0, 2),
  }[orientation]
  np.testing.assert_array_equal(turned, expected)
  # OpenCV agrees on whatever is not mirrored, which it does not know.
  if 'turn' in orientation:
    _, shown = cv2.VideoCapture(stored).read()
    difference = np.abs(
      cv2.blur(shown[..., ::-1], (5, 5)).astype(int) - cv2.blur(turned, (5, 5))
    )
    assert difference.mean() < 5


@pytest.mark.parametrize('size', [(63, 47), (51, 100), (17, 17)])
@pytest.mark.parametrize('suffix', ['mp4', 'avi', 'webm'])
def test_odd_sizes(tmp_path, suffix, size):
  path = video_files.write_video(tmp_path / f'a.{suffix}', 3, size=size)
  for short_side in (None, 12, 15):
    frames = list(video_decoding.read_frames(path, short_side=short_side))
    assert len(frames) == 3
    height, width, _ = frames[0].image.shape
    if short_side is None:
      assert (width, height) == size
    else:
      assert min(width, height) == short_side
      assert width / height == pytest.approx(size[0] / size[1], rel=0.05)


def test_the_shorter_side_is_resized_by_averaging(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 2, size=(320, 240))
  for short_side in (60, 24, 300):
    frame = list(video_decoding.read_frames(path, None, short_side))[1].image
    assert frame.shape == (short_side, round(320 * short_side / 240), 3)
    expected = cv2.resize(
      video_files.numbered_frame(1, 320, 240),
      frame.shape[1::-1],
      interpolation=cv2.INTER_AREA,
    )
    assert np.abs(frame.astype(int) - expected).mean() < 6


def test_repeated_frames_are_one_array(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 2, 5)
  frames = list(video_decoding.read_frames(path, 10))
  assert frames[0].image is frames[1].image
  assert frames[1].image is not frames[2].image


@pytest.mark.parametrize('name', ['ünïcödé 视频.mp4', 'a:b.mp4', '-x %d.mp4'])
def test_names(tmp_path, name, monkeypatch):
  video_files.write_video(tmp_path / name, 3)
  monkeypatch.chdir(tmp_path)
  assert numbers(name) == numbers(str(tmp_path / name)) == [0, 1, 2]


@pytest.mark.parametrize(
  'suffix, options',
  [
    ('mp4', {}),
    ('mp4', FAST_START),
    ('mp4', {'movflags': 'frag_keyframe+empty_moov'}),
    ('avi', {}),
    ('webm', {}),
    ('mkv', {}),
    ('flv', {}),
  ],
)
@pytest.mark.parametrize('share', [0.5, 0.8])
def test_truncated_files_are_errors(tmp_path, suffix, options, share):
  path = video_files.write_video(
    tmp_path / f'a.{suffix}', 100, size=(160, 120), options=options
  )
  video_files.truncate(path, share)
  with pytest.raises(video_decoding.VideoError) as error:
    list(video_decoding.read_frames(path, 5))
  assert error.value.path == path
  assert str(error.value) == f'{path}: {error.value.reason}'
  assert 'truncated' in error.value.reason


@pytest.mark.parametrize(
  'suffix, options', [('mp4', FAST_START), ('avi', {}), ('webm', {})]
)
def test_what_comes_before_the_break_can_be_had(tmp_path, suffix, options):
  path = video_files.write_video(
    tmp_path / f'a.{suffix}', 100, size=(160, 120), options=options
  )
  video_files.truncate(path, 0.6)
  frames = numbers(path, strict=False)
  assert 20 < len(frames) < 90
  assert frames[:20] == list(range(20))


def picture(path):
  path.write_bytes(cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1])


@pytest.mark.parametrize(
  'name, make, reason',
  [
    ('a.mp4', lambda path: path.write_bytes(b''), 'not a video'),
    ('a.mp4', lambda path: path.write_text('a b c\n' * 99), 'not a video'),
    ('a.txt', lambda path: path.write_text('a b c\n' * 99), 'not a video'),
    ('a.mp4', picture, 'not a video'),
    (
      'a.mp4',
      lambda path: path.write_bytes(bytes(range(256)) * 99),
      'not a video',
    ),
    ('a.mp4', lambda path: path.mkdir(), 'directory'),
    ('a.mp4', lambda path: None, 'No such file'),
    ('a.avi', video_files.write_headers, 'zero frames'),
  ],
)
def test_what_is_no_video_is_one_error(tmp_path, name, make, reason):
  make(tmp_path / name)
  with pytest.raises(video_decoding.VideoError, match=reason) as error:
    list(video_decoding.read_frames(str(tmp_path / name)))
  assert '\n' not in str(error.value)


def test_a_name_need_not_be_utf8(tmp_path):
  path = os.fsdecode(os.fsencode(tmp_path) + b'/\xff.mp4')
  os.rename(video_files.write_video(tmp_path / 'a.mp4', 1), path)
  assert numbers(path) == [0]


def test_wrong_arguments(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 1)
  for frames_per_second, short_side in ((0, None), (None, -1)):
    with pytest.raises(ValueError, match='expected a number above zero'):
      next(video_decoding.read_frames(path, frames_per_second, short_side))


def test_errors_cross_processes():
  error = pickle.loads(pickle.dumps(video_decoding.VideoError('a.mp4', 'bad')))
  assert (str(error), error.path, error.reason) == (
    'a.mp4: bad',
    'a.mp4',
    'bad',
  )
