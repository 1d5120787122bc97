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

"""Clips of a folder of videos, to measure a model's statistics on."""

import os

import cv2
import numpy as np

from official_ext.grw.datasets import video_decoding

_NUM_FRAMES = 8
_FRAMES_PER_SECOND = 5.0


def of_videos(folder: str, size: int, most: int = 64) -> list[np.ndarray]:
  """The first frames of the videos in a folder and in those below it.

  Args:
    folder: the folder of the videos.
    size: height and width in pixels, to which whole frames are resized.
    most: videos that are read, evenly spread over the sorted names.

  Returns:
    Arrays [1, up to 8, size, size, 3] float32 in [0, 1], at 5 frames a second.

  Raises:
    ValueError: no video in the folder can be read; names the folder and what
      is wrong with the last file.
  """
  paths = sorted(
    os.path.join(parent, name)
    for parent, _, names in os.walk(folder)
    for name in names
  )
  clips, reason = [], 'it holds no files'
  chosen = np.unique(np.linspace(0, len(paths) - 1, most).astype(int))
  for index in chosen if paths else ():
    frames: list[np.ndarray] = []
    try:
      for timed in video_decoding.read_frames(
        paths[index], _FRAMES_PER_SECOND, strict=False
      ):
        frames.append(_resized(timed.image, size))
        if len(frames) == _NUM_FRAMES:
          break
    except video_decoding.VideoError as error:
      reason = str(error)
    if frames:
      clips.append(np.stack(frames)[np.newaxis])
  if not clips:
    raise ValueError(
      f'{folder}: expected a folder of videos to measure statistics on; '
      f'{reason}.'
    )
  return clips


def _resized(image: np.ndarray, size: int) -> np.ndarray:
  """[height, width, 3] uint8 to [size, size, 3] float32 in [0, 1]."""
  return (
    cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) / 255
  ).astype(np.float32)
