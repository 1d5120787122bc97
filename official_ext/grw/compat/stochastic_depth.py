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

"""Stochastic depth that can be repeated.

Patches: `official.vision.modeling.layers.nn_layers.StochasticDepth` draws anew
at every call, and MoViNet's blocks make the layer themselves, so that the
layer's class is exchanged after the block was built.

Upstream: no issue is known.  Unnecessary once the stock layer takes a seed, or
its block a layer.
"""

import threading

from official.vision.modeling.layers import nn_layers
import tensorflow as tf


class SeededStochasticDepth(nn_layers.StochasticDepth):
  """Stochastic depth that drops the same clips wherever the seed is the same.

  Without a seed it is the stock layer.
  """

  def draw_from(self, seeds: threading.local, number: int):
    """Lets `seeds.seed`, [2] int32 or None, say what is dropped.

    Args:
      seeds: the seeds of the thread that calls, as replicas are traced in
        threads.
      number: tells this layer from others that have the same seed.
    """
    self._seeds = seeds
    self._number = number

  def call(self, inputs: tf.Tensor, training: bool | None = None):
    seed = getattr(self._seeds, 'seed', None)
    if not training or seed is None:
      return super().call(inputs, training=training)
    keep = 1.0 - self.get_config()['stochastic_depth_drop_rate']
    shape = [tf.shape(inputs)[0]] + [1] * (inputs.shape.rank - 1)
    kept = tf.floor(
      keep
      + tf.random.stateless_uniform(
        shape, seed + [0, self._number], dtype=inputs.dtype
      )
    )
    return inputs / keep * kept


def make_repeatable(
  layer: nn_layers.StochasticDepth, seeds: threading.local, number: int
):
  """Lets a stock layer drop what a seed says; see `draw_from`."""
  layer.__class__ = SeededStochasticDepth
  layer.draw_from(seeds, number)
