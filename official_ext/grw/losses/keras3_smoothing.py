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

"""GRW-smoothing for models of Keras 3, which `tf.keras` is by default."""

from typing import Any

import keras

from official_ext.grw.compat import keras3
from official_ext.grw.losses import grw_smoothing


@keras.saving.register_keras_serializable(package='grw')
class GrwSmoothingKeras3(grw_smoothing.SmoothingLayer, keras.layers.Layer):
  """Adds λ · L_smooth of its input to the model's losses; identity otherwise.

  The layer of Keras 3 that `GrwSmoothing` is of tf_keras, with the same
  arguments.  Put it where the embeddings of consecutive frames are,
  [batch, N, D]:

      embeddings = GrwSmoothingKeras3(window=5, weight=0.1)(embeddings)

  Raises:
    ValueError: Keras 3 runs on another backend than TensorFlow, or the layer is
      called in a model of tf_keras.
  """

  def __init__(self, *args, **kwargs):
    keras3.require_tensorflow(type(self).__name__)
    super().__init__(*args, **kwargs)

  def __call__(self, inputs: Any, *args, **kwargs) -> Any:
    keras3.require_no_tf_keras(
      type(self).__name__, inputs, 'official_ext.grw.GrwSmoothing'
    )
    return super().__call__(inputs, *args, **kwargs)
