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

"""Video frames as evaluation prepared them, by NumPy alone.

The same arithmetic as TensorFlow's bilinear resizing; without antialiasing in
its order and its precision, so that no pixel is rounded in another way.
"""

from typing import NamedTuple

import numpy as np

from official_ext.grw.serving import model_card


def _neighbors(length: int, count: int) -> tuple[np.ndarray, ...]:
  """What `count` pixels are interpolated from, along an axis of `length`.

  Returns:
    The pixels before and after each of them, [count] integers, and the weight
    of the pixel after, [count] float32.
  """
  positions = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * (
    np.float32(length) / np.float32(count)
  ) - np.float32(0.5)
  floor = np.floor(positions)
  return (
    np.maximum(floor.astype(np.intp), 0),
    np.minimum(np.ceil(positions).astype(np.intp), length - 1),
    positions - floor,
  )


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """Bilinear, [height, width, 3] uint8, with fractions cut off."""
  if image.shape[:2] == (height, width):
    return image
  above, below, down = _neighbors(image.shape[0], height)
  before, after, across = _neighbors(image.shape[1], width)

  def columns(rows):
    left = image[np.ix_(rows, before)].astype(np.float32)
    right = image[np.ix_(rows, after)].astype(np.float32)
    return left + (right - left) * across[:, np.newaxis]

  upper, lower = columns(above), columns(below)
  mixed = upper + (lower - upper) * down[:, np.newaxis, np.newaxis]
  return mixed.astype(np.uint8)


def _averages(length: int, count: int) -> np.ndarray:
  """Weights [count, length] of an axis's pixels in an antialiased resize.

  A triangle around each of the `count` pixels, as wide as two of them, or as
  two of the others where these are larger.
  """
  scale = length / count
  centers = (np.arange(count) + 0.5) * scale - 0.5
  distances = np.abs(np.arange(length) - centers[:, np.newaxis])
  weights = np.maximum(1 - distances / max(scale, 1), 0)
  return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _antialiased(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """Bilinear with antialiasing, [height, width, 3] float32 in [0, 255]."""
  if image.shape[:2] == (height, width):
    return image.astype(np.float32)
  down = _averages(image.shape[0], height)
  across = _averages(image.shape[1], width)
  columns = np.tensordot(down, image.astype(np.float32), 1)
  return np.matmul(across, columns)


def _center(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """The middle of an image; where it is smaller, in a black frame."""
  top, left = (
    max(have - want, 0) // 2 for have, want in zip(image.shape, (height, width))
  )
  image = image[top : top + height, left : left + width]
  missing = [want - have for have, want in zip(image.shape, (height, width))]
  if any(missing):
    image = np.pad(
      image, [(gap // 2, gap - gap // 2) for gap in missing] + [(0, 0)]
    )
  return image


class Preparation(NamedTuple):
  """How a whole frame becomes what a model takes.

  Attributes:
    square: both sides are resized to `size`, whatever the aspect ratio;
      otherwise the shorter side is, and the longer one in proportion.
    size: in pixels, before the crop.
    crop: height and width of the middle that is kept.
    zero_centered: values are in [-1, 1]; otherwise in [0, 1].
    antialias: the resize averages over more pixels where it makes frames
      smaller.
  """

  square: bool
  size: int
  crop: tuple[int, int]
  zero_centered: bool
  antialias: bool = False

  @classmethod
  def of_card(cls, card: model_card.ModelCard, path: str) -> 'Preparation':
    """Reads a model card.

    Args:
      card: the card of the model.
      path: the path of the card's file, for the error.

    Raises:
      ValueError: the card does not say how.
    """
    try:
      return cls(
        square={'square': True, 'keep_aspect': False}[card.resize['mode']],
        size=int(card.resize['size']),
        crop=card.size,
        zero_centered=min(card.input['range']) < 0,
        # Earlier cards do not say: there was none.
        antialias=bool(card.resize.get('antialias', False)),
      )
    except (IndexError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        f'{path} has resize={card.resize} and input={card.input}: expected '
        'mode, size and crop [height, width], and range [least, greatest]; '
        'mode is keep_aspect or square.'
      ) from error

  def __call__(self, frame: np.ndarray) -> np.ndarray:
    """[height, width, 3] uint8 to [*crop, 3] float32."""
    height = width = self.size
    if not self.square:
      rows, columns = frame.shape[:2]
      height = max(height, self.size * rows // columns)
      width = max(width, self.size * columns // rows)
    resized = _antialiased if self.antialias else _resized
    image = _center(resized(frame, height, width), *self.crop)
    image = image.astype(np.float32)
    if self.zero_centered:
      return image * np.float32(2 / 255) - np.float32(1)
    return image / np.float32(255)
