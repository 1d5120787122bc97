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

"""A functional model in another one is not run to learn what it returns.

Patches: `_infer_output_signature` of one model, for a while.  To learn the
shapes and types of what a nested model returns, Keras runs all of its layers in
a graph that is thrown away, which takes longer than building it did.  For the
inputs that a functional model was built with it holds them itself.

Upstream: no issue is known.  Unnecessary once Keras asks a functional model.
"""

from collections.abc import Iterator
import contextlib
from typing import Any

import tensorflow as tf
import tf_keras

_KerasTensor: Any = tf_keras.__internal__.KerasTensor


def _specs(values: Any) -> Any:
  # Without names, which differ.
  return tf.nest.map_structure(
    lambda value: tf.TensorSpec(value.shape, value.dtype), values
  )


@contextlib.contextmanager
def outputs_known(model: tf_keras.Model) -> Iterator[None]:
  """Inside, a functional model can be called in the making of another one.

  Args:
    model: takes no masks.
  """
  infer = model._infer_output_signature

  def known(inputs, args, kwargs, masks):
    if _specs(inputs) != _specs(model.input):
      return infer(inputs, args, kwargs, masks)
    return tf.nest.map_structure(
      lambda output: _KerasTensor(output.type_spec, name=output.name),
      model.output,
    )

  object.__setattr__(model, '_infer_output_signature', known)
  try:
    yield
  finally:
    object.__delattr__(model, '_infer_output_signature')
