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

"""Tells Keras 3 and tf_keras apart, so that neither ignores what the other has.

Patches: nothing, but reads what neither makes public: which layer is being
called.  Keras 3 takes a layer of tf_keras for any object, and tf_keras a layer
of Keras 3: weights are not trained and losses not added, without a word.  Here
is asked before.  Neither library is imported for it, as importing Keras 3 takes
seconds: who has not imported it has no model of it.

Upstream: tensorflow/tensorflow#50249 is about weights that mixed layers lose.
Unnecessary once the two refuse each other's layers.
"""

import sys
from typing import Any, TypeVar

import tensorflow as tf

_Class = TypeVar('_Class', bound=type)


def _is_symbolic_of(library: str, inputs: Any) -> bool:
  """Whether inputs of a layer are those of a functional model of a library."""
  return any(
    type(value).__name__ == 'KerasTensor'
    and type(value).__module__.partition('.')[0] == library
    for value in tf.nest.flatten(inputs)
  )


def is_symbolic(inputs: Any) -> bool:
  """Whether inputs are those of a functional model of Keras 3."""
  return _is_symbolic_of('keras', inputs)


def outermost_layer() -> Any:
  """The Keras 3 layer or model whose call this thread is in, or None.

  Of nested ones the outermost, whose `losses` a training step adds.
  """
  state = sys.modules.get('keras.src.backend.common.global_state')
  if state is None:
    return None
  context = state.get_global_attribute('current_call_ctx')
  return None if context is None else context.entry_layer


def require_tensorflow(name: str):
  """Raises ValueError if Keras 3 runs on another backend.

  Args:
    name: what needs TensorFlow.
  """
  backend = sys.modules['keras'].config.backend()
  if backend != 'tensorflow':
    raise ValueError(
      f'{name} needs the TensorFlow backend of Keras 3, which runs on '
      f'{backend}: set KERAS_BACKEND=tensorflow before importing keras.'
    )


def require_no_tf_keras(name: str, inputs: Any, instead: str):
  """Raises ValueError if a layer of Keras 3 is called in a tf_keras model.

  Args:
    name: the class of the layer.
    inputs: that it is called with.
    instead: the layer to use.
  """
  base_layers = sys.modules.get('tf_keras.src.engine.base_layer_utils')
  called = base_layers is not None and base_layers.call_context().in_call
  if called or _is_symbolic_of('tf_keras', inputs):
    raise ValueError(
      f'{name} is a layer of Keras 3 and does nothing in a model of tf_keras: '
      f'use {instead}.'
    )


def tf_keras_only(layer_class: _Class) -> _Class:
  """Class decorator: a layer of tf_keras that no Keras 3 model may call.

  Its calls raise ValueError there, since its weights would not be trained.
  """
  layer: Any = layer_class

  def call(self, *args, **kwargs):
    if outermost_layer() is not None or is_symbolic([args, kwargs]):
      raise ValueError(
        f'{layer.__name__} is of tf_keras, and a model of Keras 3 does not '
        'train its weights: build the model with tf_keras ("import tf_keras" '
        'in place of tf.keras).'
      )
    return super(layer, self).__call__(*args, **kwargs)

  layer.__call__ = call
  return layer_class
