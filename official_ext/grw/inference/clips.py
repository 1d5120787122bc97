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

"""A clip model, fed frame by frame."""

import collections
from collections.abc import Callable

import numpy as np


class Clips:
  """A clip model that answers each N frames, of the last N or of all."""

  def __init__(
    self, classify: Callable[[np.ndarray], np.ndarray], num_frames: int
  ):
    self._classify = classify
    self._num_frames = num_frames
    self.reset()

  def reset(self):
    self._frames: collections.deque[np.ndarray] = collections.deque(
      maxlen=self._num_frames
    )
    self._unanswered = 0

  def step(self, image: np.ndarray) -> np.ndarray | None:
    if self._frames and image.shape != self._frames[0].shape:
      raise ValueError(
        f'A frame has shape {image.shape} after frames of shape '
        f'{self._frames[0].shape}: a clip has frames of one size.'
      )
    self._frames.append(image)
    self._unanswered += 1
    return self.finish() if self._unanswered == self._num_frames else None

  def finish(self) -> np.ndarray | None:
    if not self._unanswered:
      return None
    self._unanswered = 0
    return self._classify(np.stack(self._frames))
