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

"""AdamW with a learning rate of its own for each variable, in one operation.

Patches: `tf_keras.optimizers.experimental.AdamW` reads one learning rate for
all variables, in private methods, and the Model Garden's exponential moving
average calls `_get_hyper`, which optimizers of this kind lack.  It also writes
some forty operations for each variable, the bias corrections of the step among
them: of MoViNet-A0 they are most of the graph of a training step, and tracing
them most of the wait for the first.

Upstream: no issue is known.  Unnecessary once Keras has learning-rate
multipliers per variable, as Keras 3 does not either, updates a variable in one
operation, as its optimizers of before did, and the moving average reads public
attributes.
"""

from collections.abc import Callable, Iterator
import contextlib
from typing import Any

import tensorflow as tf
import tf_keras


class _Once:
  """Tensors by what they are, made when they are first asked for.

  A dictionary in an attribute of an optimizer would go into its checkpoints.
  """

  def __init__(self):
    self._tensors: dict[Any, tf.Tensor] = {}

  def get(self, key: Any, make: Callable[[], tf.Tensor]) -> tf.Tensor:
    """The tensor of a key."""
    if key not in self._tensors:
      self._tensors[key] = make()
    return self._tensors[key]


class ScaledAdamW(tf_keras.optimizers.experimental.AdamW):
  """AdamW that multiplies the learning rate of a variable by a scale.

  Equal, up to the rounding of one operation in place of several, to separate
  AdamW for the variables of each scale, in the update and in the decoupled
  weight decay alike, except that gradients are clipped by the norm over all
  where `global_clipnorm` is set.  `learning_rate`, read from outside (the
  trainer logs it), is that of the scale 1.
  """

  def __init__(self, *args: Any, **kwargs: Any):
    # The learning rate is read through our property from here on.
    self._learning_rate_scale = 1.0
    # What variables share while they are updated; None at other times.
    self._shared: _Once | None = None
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
    if not self.amsgrad and not isinstance(gradient, tf.IndexedSlices):
      self._update_in_one(gradient, variable)
      return
    self._learning_rate_scale = self.scale_of(variable)
    try:
      super().update_step(gradient, variable)
    finally:
      self._learning_rate_scale = 1.0

  def _update_in_one(self, gradient: tf.Tensor, variable: tf.Variable):
    """Updates a variable and its moments by TensorFlow's operation for Adam."""

    def to_the_step(beta: float) -> tf.Tensor:
      return self._once(
        variable,
        beta,
        lambda: tf.pow(
          tf.cast(beta, variable.dtype),
          tf.cast(self.iterations + 1, variable.dtype),
        ),
      )

    index = self._index_dict[self._var_key(variable)]
    tf.raw_ops.ResourceApplyAdam(
      var=variable.handle,
      m=self._momentums[index].handle,
      v=self._velocities[index].handle,
      beta1_power=to_the_step(self.beta_1),
      beta2_power=to_the_step(self.beta_2),
      lr=self._rate_of(variable),
      beta1=self._constant(variable, self.beta_1),
      beta2=self._constant(variable, self.beta_2),
      epsilon=self._constant(variable, self.epsilon),
      grad=gradient,
    )

  def _rate_of(self, variable: tf.Variable) -> tf.Tensor:
    """The learning rate of a variable, in its type."""
    scale = self.scale_of(variable)
    rate = self._once(
      variable, 'rate', lambda: tf.cast(self.learning_rate, variable.dtype)
    )
    if scale == 1.0:
      return rate
    return self._once(variable, ('rate', scale), lambda: rate * scale)

  def _constant(self, variable: tf.Variable, value: float) -> tf.Tensor:
    """A number in the type of a variable."""
    return self._once(
      variable, ('constant', value), lambda: tf.constant(value, variable.dtype)
    )

  def _once(
    self, variable: tf.Variable, what: Any, make: Callable[[], tf.Tensor]
  ) -> tf.Tensor:
    """What `make` returns, made once for all variables that it is alike for."""
    if self._shared is None:
      return make()
    # Devices have copies of their own, and no graph takes another's tensors.
    graph = tf.compat.v1.get_default_graph()
    return self._shared.get(
      (what, variable.dtype, variable.device, graph), make
    )

  @contextlib.contextmanager
  def _sharing(self) -> Iterator[None]:
    """Has variables share while the context lasts; nothing outlasts it."""
    self._shared = _Once()
    try:
      yield
    finally:
      self._shared = None

  def _distributed_apply_gradients_fn(self, *args: Any, **kwargs: Any):
    with self._sharing():
      return super()._distributed_apply_gradients_fn(*args, **kwargs)

  def _apply_weight_decay(self, variables):
    if self.weight_decay is None:
      return

    def decay(variable):
      if self._use_weight_decay(variable):
        share = self._constant(variable, self.weight_decay)
        variable.assign_sub(variable * share * self._rate_of(variable))

    def decay_all(strategy, variables):
      with self._sharing():
        for variable in variables:
          strategy.extended.update(variable, decay, group=False)

    tf.__internal__.distribute.interim.maybe_merge_call(
      decay_all, self._distribution_strategy, variables
    )

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
