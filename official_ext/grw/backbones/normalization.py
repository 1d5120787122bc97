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

"""Normalizes images by channel, inside a backbone.

Exported models and the input pipeline so have images in [0, 1], whatever the
published weights were trained on.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package='grw')
class ChannelNormalization(tf_keras.layers.Layer):
  """(x - mean) / stddev, of images [..., channels]."""

  def __init__(
    self, mean: Sequence[float] = (), stddev: Sequence[float] = (), **kwargs
  ):
    """Initializes the layer, which has no weights.

    Args:
      mean: a number for each channel; () is 0.
      stddev: a number for each channel, above 0; () is 1.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self.mean = tuple(mean)
    self.stddev = tuple(stddev)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if self.mean:
      inputs -= tf.constant(self.mean, inputs.dtype)
    if self.stddev:
      inputs /= tf.constant(self.stddev, inputs.dtype)
    return inputs

  def get_config(self) -> dict[str, Any]:
    return {**super().get_config(), 'mean': self.mean, 'stddev': self.stddev}
