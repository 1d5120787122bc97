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

"""AdamW with a learning rate of its own for each variable.

Patches: `tf_keras.optimizers.experimental.AdamW` reads one learning rate for
all variables, in private methods, and the Model Garden's exponential moving
average calls `_get_hyper`, which optimizers of this kind lack.

Upstream: no issue is known.  Unnecessary once Keras has learning-rate
multipliers per variable, as Keras 3 does not either, and the moving average
reads public attributes.
"""

from typing import Any

import tensorflow as tf
import tf_keras


class ScaledAdamW(tf_keras.optimizers.experimental.AdamW):
  """AdamW that multiplies the learning rate of a variable by a scale.

  Bitwise equal to separate AdamW for the variables of each scale, in the update
  and in the decoupled weight decay alike, except that gradients are clipped by
  the norm over all where `global_clipnorm` is set.  `learning_rate`, read from
  outside (the trainer logs it), is that of the scale 1.
  """

  def __init__(self, *args: Any, **kwargs: Any):
    # The learning rate is read through our property from here on.
    self._learning_rate_scale = 1.0
    super().__init__(*args, **kwargs)

  @property
  def learning_rate(self):
    """The learning rate; inside an update, the variable's own."""
    learning_rate = super().learning_rate
    if self._learning_rate_scale == 1.0:
      return learning_rate
    return learning_rate * self._learning_rate_scale

  @learning_rate.setter
  def learning_rate(self, learning_rate):
    super(ScaledAdamW, type(self)).learning_rate.fset(self, learning_rate)

  def scale_of(self, variable: tf.Variable) -> float:
    """The factor of the learning rate of a variable; to be overridden."""
    del variable
    return 1.0

  def key_of(self, variable: tf.Variable) -> str:
    """Tells a variable from others, on whatever replica its copy is."""
    return self._var_key(variable)

  @property
  def is_built(self) -> bool:
    """Whether the slots exist."""
    return getattr(self, '_built', False)

  def update_step(self, gradient, variable):
    """Updates one variable at its own learning rate."""
    self._learning_rate_scale = self.scale_of(variable)
    try:
      super().update_step(gradient, variable)
    finally:
      self._learning_rate_scale = 1.0

  def _apply_weight_decay(self, variables):
    # The base class reads one learning rate per variable, but across replicas
    # it does so on another thread; hence a call for each scale.
    by_scale: dict[float, list[tf.Variable]] = {}
    for variable in variables:
      by_scale.setdefault(self.scale_of(variable), []).append(variable)
    for scale, group in by_scale.items():
      self._learning_rate_scale = scale
      try:
        super()._apply_weight_decay(group)
      finally:
        self._learning_rate_scale = 1.0

  def _get_hyper(self, name: str) -> Any:
    """A hyperparameter; this is what the exponential moving average calls."""
    return getattr(self, name)


class CheckpointedNames(tf.train.experimental.PythonState):
  """Names that a checkpoint holds; see `serialize` and `deserialize`.

  Asynchronous checkpoints ask everything they save for a copy on the host, and
  warn of skipping what offers none.  Names are there already.
  """

  def _copy_trackable_to_cpu(self, object_map) -> None:
    object_map[self] = self
