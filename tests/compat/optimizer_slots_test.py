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
"""Who makes an optimizer's variables first is traced once."""

from official.modeling import optimization
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import optimizer_slots
from official_ext.grw.optimization import two_rate_adamw


def _two_rate():
  return two_rate_adamw.TwoRateAdamW(1e-3, weight_decay=0.01)


def _traces(optimizer, variables) -> int:
  """How often a function is traced that applies the optimizer once."""
  traces = []

  @tf.function
  def step():
    traces.append(1)
    gradients = [tf.ones_like(variable) for variable in variables]
    optimizer.apply_gradients(list(zip(gradients, variables)))

  step()
  return len(traces)


@pytest.mark.parametrize(
  'make',
  [
    _two_rate,
    lambda: optimization.ExponentialMovingAverage(_two_rate()),
    lambda: tf_keras.mixed_precision.LossScaleOptimizer(_two_rate()),
    lambda: tf_keras.optimizers.legacy.RMSprop(1e-3, momentum=0.9),
    lambda: optimization.ExponentialMovingAverage(
      tf_keras.optimizers.legacy.SGD(1e-3, momentum=0.9)
    ),
  ],
  ids=['new', 'averaged', 'scaled', 'legacy', 'legacy averaged'],
)
def test_a_step_is_traced_once(make):
  results = []
  for created in (False, True):
    layer = tf_keras.layers.Dense(2, name='grw_head')
    model = tf_keras.Sequential([layer])
    model.build([1, 3])
    layer.kernel.assign(tf.ones_like(layer.kernel))
    optimizer = make()
    if isinstance(optimizer, optimization.ExponentialMovingAverage):
      optimizer.shadow_copy(model)
    if created:
      optimizer_slots.create(optimizer, model.trainable_variables)
      optimizer_slots.create(optimizer, model.trainable_variables)
    assert _traces(optimizer, model.trainable_variables) == 2 - created
    results.append(layer.kernel.numpy())
  before, after = results
  assert (before == after).all() and (after != 1.0).all()
