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

"""Brings whole frames to the size that they are cropped from."""

import tensorflow as tf

from official_ext.grw.configs import schema


def resize(frames: tf.Tensor, data: schema.DataConfig) -> tf.Tensor:
  """Resizes frames to `min_image_size`, as in evaluation.

  Args:
    frames: [frames, height, width, channels] uint8.
    data: `resize`, `min_image_size` and `antialias` say how.

  Returns:
    [frames, height, width, channels].  With `antialias` float32 in [0, 255],
    as torchvision resizes frames of floating point; without, uint8, rounded
    down, as the Model Garden does.
  """
  shape, size = tf.shape(frames), data.min_image_size
  height = width = tf.constant(size)
  if data.resize == 'keep_aspect':
    height = tf.maximum(size, shape[1] * size // shape[2])
    width = tf.maximum(size, shape[2] * size // shape[1])
  resized = tf.image.resize(frames, [height, width], antialias=data.antialias)
  return resized if data.antialias else tf.cast(resized, frames.dtype)
