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
"""The variables of an optimizer, before the step that uses them is traced.

Patches: optimizers create what they keep of each variable when they are first
applied, and the Model Garden's trainer leaves it at that, so that the first
trace of the training step creates variables.  `tf.function` then traces it a
second time, for a graph that does not.

Upstream: no issue is known.  Unnecessary once the trainer builds its optimizer.
"""

from collections.abc import Sequence

from official.modeling.optimization import ema_optimizer
import tensorflow as tf
import tf_keras


def create(
  optimizer: tf_keras.optimizers.Optimizer, variables: Sequence[tf.Variable]
):
  """Creates them, in the scope of the strategy; a second call does nothing.

  Args:
    optimizer: an optimizer of Keras, old or new, or one of them wrapped for
      moving averages or loss scaling.
    variables: all that will be trained.
  """
  while True:
    if isinstance(optimizer, ema_optimizer.ExponentialMovingAverage):
      optimizer = optimizer._optimizer
    elif isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
      optimizer = optimizer.inner_optimizer
    else:
      break
  if isinstance(optimizer, tf_keras.optimizers.legacy.Optimizer):
    optimizer._create_all_weights(variables)
  else:
    optimizer.build(variables)
