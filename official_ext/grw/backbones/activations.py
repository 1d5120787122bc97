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

"""Activations under the names that the configs use."""

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package='grw', name='hard_sigmoid')
def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
  """clip(0.2 x + 0.5, 0, 1), as Keras defined it when MoViNet was trained.

  Since tf-models-official 2.8 the plain name 'hard_sigmoid' means
  relu6(x + 3) · 0.16667 in MoViNet's layers, with which the published
  streaming weights compute something else (tensorflow/models#13559).  Configs
  reach this one as 'grw>hard_sigmoid'.
  """
  return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)


def gelu(x: tf.Tensor) -> tf.Tensor:
  """Computes x · Φ(x), exact: with the error function, not with tanh."""
  if x.dtype == tf.float64:
    # tf.nn.gelu rounds the square root of two to float32, also here.
    return (
      0.5 * x * (1.0 + tf.math.erf(x * tf.constant(0.5, tf.float64) ** 0.5))
    )
  # One op of TFLite, which has none for the error function.
  return tf.nn.gelu(x, approximate=False)
