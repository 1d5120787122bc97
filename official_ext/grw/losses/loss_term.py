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

"""The mean of a term of the loss, which knows when the term failed."""

from typing import Any

import tensorflow as tf
import tf_keras


class LossTerm(tf_keras.metrics.Mean):
  """Mean of a scalar over steps; also counts the steps where it is finite.

  Once a step is not finite the weights are not either, and every term of the
  later steps fails: of the means of a loop, none tells which failed first.
  """

  def __init__(self, name: str, **kwargs):
    super().__init__(name, **kwargs)
    self._finite_updates = self.add_weight(
      name='finite_updates', initializer='zeros'
    )

  @property
  def finite_updates(self) -> tf.Tensor:
    """In how many updates, over all replicas, the term was finite."""
    return tf.convert_to_tensor(self._finite_updates)

  def update_state(self, values: Any, sample_weight: Any = None):
    """Adds a scalar.

    Raises:
      ValueError: it is none; so it would be of labels and predictions, which
        `compile(metrics=...)` hands to metrics.
    """
    if tf.convert_to_tensor(values).shape.rank not in (0, None):
      raise ValueError(
        f'LossTerm {self.name!r} takes the scalar value of a loss, got shape '
        f'{tuple(tf.convert_to_tensor(values).shape)}: it is no metric for '
        'compile(metrics=...).'
      )
    self._finite_updates.assign_add(
      tf.cast(tf.reduce_all(tf.math.is_finite(values)), tf.float32)
    )
    return super().update_state(values, sample_weight)
