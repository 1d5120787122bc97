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

"""The linear head: a dense layer on the mean vector of a clip."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from official_ext.grw.compat import keras3
from official_ext.grw.heads import head as head_lib


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class LinearHead(tf_keras.layers.Layer):
  """The mean vector of a clip, [batch, 1, 1, 1, C], to [batch, classes].

  It stands where MoViNet's ClassifierHead may, and takes what that takes.
  """

  def __init__(
    self,
    num_classes: int,
    dropout_rate: float = 0.0,
    kernel_regularizer: Any = None,
    **kwargs,
  ):
    """Initializes the head.

    Args:
      num_classes: width of the float32 logits.
      dropout_rate: before the dense layer, in [0, 1).
      kernel_regularizer: the regularizer of the dense layer.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self.dropout = tf_keras.layers.Dropout(dropout_rate)
    self.classifier = tf_keras.layers.Dense(
      num_classes,
      kernel_regularizer=kernel_regularizer,
      dtype='float32',
      name='classifier',
    )

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    clip = self.dropout(inputs[:, 0, 0, 0], training=training)
    return self.classifier(clip)

  def get_config(self) -> dict[str, Any]:
    return {
      **super().get_config(),
      'num_classes': self.classifier.units,
      'dropout_rate': self.dropout.rate,
      'kernel_regularizer': tf_keras.regularizers.serialize(
        self.classifier.kernel_regularizer
      ),
    }


class LinearHeadType(head_lib.HeadType):
  """As most video models have it."""

  name = 'linear'
  title = 'linear head'
  layer_name = 'grw_linear_head'

  def build(self, model, num_classes, backbone, regularizer) -> LinearHead:
    return LinearHead(
      num_classes, model.dropout_rate, regularizer, name=self.layer_name
    )

  def identify(self, shapes: head_lib.Shapes) -> head_lib.FoundHead | None:
    kernel = shapes.get(f'{self.layer_name}/classifier/kernel')
    if not kernel:
      return None
    return head_lib.FoundHead(self.name, self.title, kernel[-1])
