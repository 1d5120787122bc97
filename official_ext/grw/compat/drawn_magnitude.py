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

"""RandAugment whose magnitudes are drawn.

Patches: the stock RandAugment takes a `magnitude_std`, which the stock parser
of videos does not hand to it; draws magnitudes with a standard deviation of 1
whatever its value; and fails in `Posterize`, `Solarize` and `SolarizeAdd`,
whose arguments are then int32, which does not mix with pixels of uint8.  Of the
threshold of `Solarize` at the largest magnitude, 256, uint8 makes 0, so that
stock inverts all pixels and not none.

Upstream: tensorflow/models#10980 and the open tensorflow/models#13509, for the
value; no issue is known for the others.  Unnecessary once all are mended there.
"""

from typing import Any

from official.vision.ops import augment
import tensorflow as tf

_REPLACE = [128, 128, 128]


def _with_pixels(name: str, image: tf.Tensor, args: tuple[Any, ...]) -> Any:
  """Applies an operation, in a type that holds pixels and argument alike."""
  function = augment.NAME_TO_FUNC[name]
  if name == 'Posterize':
    return function(image, *[tf.cast(bits, image.dtype) for bits in args])
  if name == 'Solarize':
    # The threshold comes to 256.
    return tf.cast(function(tf.cast(image, tf.int32), *args), image.dtype)
  if name == 'SolarizeAdd':
    return function(image, *[tf.cast(addition, tf.int64) for addition in args])
  if name in augment.REPLACE_FUNCS:
    args = (*args, _REPLACE)
  return function(image, *args)


class RandAugment(augment.RandAugment):
  """RandAugment that draws a magnitude for each operation on a clip.

  Magnitudes are normal with mean `magnitude` and standard deviation
  `magnitude_std`, clipped to [0, 10].  Without a deviation it is the stock one.
  In graphs it needs AutoGraph, as the stock one's operations do.
  """

  def draw_magnitude(self) -> tf.Tensor:
    """The magnitude of one operation, [] float32."""
    spread = self.magnitude_std * tf.random.normal([])
    return tf.clip_by_value(self.magnitude + spread, 0.0, 10.0)

  def apply(
    self, name: str, image: tf.Tensor, magnitude: tf.Tensor
  ) -> tf.Tensor:
    """Applies an operation.

    Args:
      name: one of `available_ops`.
      image: [height, width, 3] or [frames, height, width, 3] uint8.
      magnitude: [] float32 in [0, 10].
    """
    arguments = augment.level_to_arg(self.cutout_const, self.translate_const)
    return _with_pixels(name, image, arguments[name](magnitude))

  def _distort_once(self, image: tf.Tensor) -> tf.Tensor:
    """Applies an operation that is drawn, or none; see `apply`."""
    magnitude = self.draw_magnitude()
    # As stock: nothing is one of the choices.
    branches = [
      lambda name=name: self.apply(name, image, magnitude)
      for name in self.available_ops
    ] + [lambda: tf.identity(image)]
    choice = tf.random.uniform([], maxval=len(branches), dtype=tf.int32)
    distorted = tf.switch_case(choice, branches)
    if self.prob_to_apply is None:
      return distorted
    applied = tf.random.uniform([]) < self.prob_to_apply
    return tf.where(applied, distorted, image)

  def distort(self, image: tf.Tensor) -> tf.Tensor:
    """Distorts a picture, or all of a clip alike; see the stock one."""
    if not self.magnitude_std:
      return super().distort(image)
    pixels = tf.saturate_cast(image, tf.uint8)
    for _ in range(self.num_layers):
      pixels = self._distort_once(pixels)
    return tf.cast(pixels, image.dtype)
