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

"""Frames of a camera as they come, at the rate that a model wants."""

from collections.abc import Iterator
import os
import re
import time

from absl import logging
import cv2

from official_ext.grw.datasets import video_decoding

# What stands between // and @ of an address: who may watch, and by what word.
_CREDENTIALS = re.compile(r'//[^/@]*@')


def named(camera: str) -> int | str:
  """What `read_frames` takes for the text of a flag.

  Args:
    camera: a number, an address with '://' or the path of a file or device.

  Raises:
    ValueError: it is none of these.
  """
  if camera.isdecimal():
    return int(camera)
  if '://' in camera or os.path.exists(camera):
    return camera
  raise ValueError(
    f'--camera={camera}: expected the number of a camera, the first being 0, '
    'or an address such as rtsp://host/path; there is no such file either.'
  )


def read_frames(
  camera: int | str, frames_per_second: float
) -> Iterator[video_decoding.TimedFrame]:
  """Reads a camera.

  Of the frames that the camera gives, the first at or after each tick is taken
  and the others are left out.  Ticks at which the caller is still busy with an
  earlier frame are lost, so that what is seen is always the present.

  Args:
    camera: number of the camera, or what else OpenCV opens: the address of one
      in the network; a file, whose frames come as fast as they are asked for.
    frames_per_second: ticks.

  Yields:
    Frames without end, with the time of their ticks.

  Raises:
    video_decoding.VideoError: the camera cannot be opened or gives no frame.
    ValueError: a rate that is not above zero.
  """
  if not frames_per_second > 0:
    raise ValueError(
      f'frames_per_second={frames_per_second!r}: expected a number above zero.'
    )
  name = f'camera {_CREDENTIALS.sub("//", str(camera))}'
  # What OpenCV logs of a missing camera are the insides of its drivers.
  level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
  try:
    capture = cv2.VideoCapture(camera)
  finally:
    cv2.utils.logging.setLogLevel(level)
  try:
    if not capture.isOpened():
      raise video_decoding.VideoError(
        name,
        'cannot be opened: is it connected, free and readable by you?'
        if isinstance(camera, int)
        else 'cannot be opened: are host, port, path, name and password right, '
        'and does a player show it?',
      )
    ticks = 0
    start = 0.0
    while capture.grab():
      now = time.monotonic()
      if not ticks:
        start = now  # Cameras take seconds to warm up.
      tick = int((now - start) * frames_per_second)
      if tick < ticks:
        continue
      whole, image = capture.retrieve()
      if not whole:
        break
      yield video_decoding.TimedFrame(
        tick / frames_per_second, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
      )
      ticks = tick + 1
    if not ticks:
      raise video_decoding.VideoError(name, 'gives no frames')
    logging.warning('The %s gives no more frames.', name)
  finally:
    capture.release()
