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

"""Rendered clips to measure a model's statistics on."""

import numpy as np

_NUM_FRAMES = 8


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
  """A colored texture [size, size, 3], mean 0 and standard deviation 1.

  Its spectrum falls with the frequency as that of natural images does.
  """
  frequency = np.hypot(
    np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size)
  )
  frequency[0, 0] = np.inf
  noise = rng.normal(size=(3, size, frequency.shape[1], 2)) @ [1, 1j]
  layers = np.fft.irfft2(
    noise / frequency ** rng.uniform(0.9, 1.4), (size,) * 2
  )
  layers /= layers.std(axis=(1, 2), keepdims=True)
  # Most of what differs in an image is its brightness.
  colored = 0.95 * layers[0] + 0.3 * layers[[1, 2, 1]] * np.array(
    [1, -1, -1]
  ).reshape(3, 1, 1)
  return np.moveaxis(colored / colored.std(), 0, -1)


def rendered(count: int, size: int, seed: int = 0) -> list[np.ndarray]:
  """Clips of a textured thing that moves over a moving textured ground.

  Args:
    count: the number of clips.
    size: height and width in pixels.
    seed: the seed of the clips.

  Returns:
    Arrays [1, 8, size, size, 3] float32 in [0, 1].
  """
  rng = np.random.default_rng(seed)
  rows, columns = np.mgrid[:size, :size] / size - 0.5
  clips = []
  for _ in range(count):
    ground, thing = (_texture(rng, 2 * size) for _ in range(2))
    mean, contrast = rng.uniform(0.25, 0.65), rng.uniform(0.12, 0.3)
    pan, drift = rng.uniform(-0.04, 0.04, (2, 2))
    center, radius = rng.uniform(-0.3, 0.3, 2), rng.uniform(0.1, 0.35, 2)
    frames = []
    for number in range(_NUM_FRAMES):
      top, left = (size * (0.5 + number * pan)).astype(int)
      image = ground[top : top + size, left : left + size]
      y, x = center + number * drift
      inside = ((rows - y) / radius[0]) ** 2 + (
        (columns - x) / radius[1]
      ) ** 2 < 1
      shift = tuple((size * number * drift).astype(int))
      moved = np.roll(thing, shift, (0, 1))[:size, :size]
      image = np.where(inside[..., np.newaxis], moved + 0.5, image)
      frames.append(np.clip(mean + contrast * image, 0, 1))
    clips.append(np.stack(frames)[np.newaxis].astype(np.float32))
  return clips
