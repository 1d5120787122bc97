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

"""Claims about a camera, for which OpenCV takes a video file as well."""

import http.server
import threading

import pytest

from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import camera
from tests import video_files


def test_each_frame_is_taken_if_there_is_time(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 20)
  frames = list(camera.read_frames(path, 1e6))
  assert [video_files.shown_number(f.image) for f in frames] == list(range(20))
  times = [frame.seconds for frame in frames]
  assert times == sorted(set(times)) and times[0] == 0


def test_colors_are_red_green_blue(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 1)
  (ours,) = camera.read_frames(path, 1e6)
  (decoded,) = video_decoding.read_frames(path)
  assert ours.image.mean((0, 1)) == pytest.approx(
    decoded.image.mean((0, 1)), abs=3
  )


def test_frames_before_the_next_tick_are_left_out(tmp_path):
  path = video_files.write_video(tmp_path / 'a.mp4', 20)
  assert len(list(camera.read_frames(path, 1e-3))) == 1


def test_a_missing_camera_is_one_error(capfd):
  with pytest.raises(
    video_decoding.VideoError, match='camera 63: cannot be opened'
  ):
    next(camera.read_frames(63, 5))
  assert capfd.readouterr().err == ''


def test_a_camera_without_frames_is_an_error(tmp_path):
  path = video_files.write_headers(tmp_path / 'a.avi')
  with pytest.raises(video_decoding.VideoError, match='a.avi: '):
    next(camera.read_frames(path, 5))


@pytest.fixture(name='server')
def server_fixture(tmp_path):
  """The address of a camera in the network: a video, served on loopback."""
  video_files.write_video(tmp_path / 'a.mp4', 20)

  class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
      super().__init__(*args, directory=str(tmp_path))

    def log_message(self, *_):
      pass

  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


def test_an_address_is_watched(server):
  address = camera.named(f'{server}/a.mp4')
  frames = camera.read_frames(address, 1e6)
  assert [video_files.shown_number(f.image) for f in frames] == list(range(20))


@pytest.mark.parametrize('path', ['/none.mp4', '/'])
def test_an_address_that_shows_nothing_is_one_error(server, path, capfd):
  address = f'{server}{path}'.replace('//', '//me:secret@')
  with pytest.raises(
    video_decoding.VideoError,
    match=f'^camera {server}{path}: cannot be opened: are host, port',
  ):
    next(camera.read_frames(camera.named(address), 5))
  assert capfd.readouterr().err == ''


def test_a_host_that_does_not_answer_is_one_error():
  with pytest.raises(video_decoding.VideoError, match='^camera rtsp://127.0.'):
    next(camera.read_frames(camera.named('rtsp://a:b@127.0.0.1:9/live'), 5))


def test_a_camera_is_a_number_an_address_or_a_file(tmp_path):
  assert camera.named('1') == 1
  (tmp_path / 'video0').touch()
  assert camera.named(str(tmp_path / 'video0')) == str(tmp_path / 'video0')
  for wrong in ('-1', 'front', 'rtsp:/host'):
    with pytest.raises(ValueError, match=f'--camera={wrong}: expected the num'):
      camera.named(wrong)


def test_a_rate_is_above_zero():
  with pytest.raises(ValueError, match='frames_per_second=0'):
    next(camera.read_frames(0, 0))
