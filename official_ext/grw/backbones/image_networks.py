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

"""What backbones that run an image network on each frame have in common."""

from collections.abc import Sequence

import numpy as np
from official.vision.ops import preprocess_ops
import tensorflow as tf
import tf_keras


def imagenet_normalization() -> tf_keras.layers.Normalization:
  """A layer that takes images in [0, 1] to what ImageNet models train on.

  With the mean and the standard deviation of the Model Garden's image
  classification.  It has no variables.
  """
  return tf_keras.layers.Normalization(
    mean=preprocess_ops.MEAN_NORM,
    variance=np.square(preprocess_ops.STDDEV_NORM),
    name='imagenet_normalization',
  )


@tf_keras.utils.register_keras_serializable(package='grw')
class ToFrames(tf_keras.layers.Layer):
  """Clips [batch, N, ...] as frames [batch * N, ...]."""

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.reshape(inputs, tf.concat([[-1], tf.shape(inputs)[2:]], axis=0))


@tf_keras.utils.register_keras_serializable(package='grw')
class ToClips(tf_keras.layers.Layer):
  """Frames [batch * N, ...] as the clips [batch, N, ...] they are of."""

  def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    features, clips = inputs
    return tf.reshape(
      features, tf.concat([tf.shape(clips)[:2], tf.shape(features)[1:]], axis=0)
    )
