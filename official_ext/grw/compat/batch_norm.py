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

"""Batch norms that share their statistics between replicas, or do not.

Patches: MoViNet's `use_sync_bn` leaves out the batch norms of skip projections,
which then normalize by the statistics of their own replica and make two
replicas train differently from one.  `tf_keras` decides when a layer is built,
and MoViNet's blocks build theirs, so that the attribute is set afterwards.

Upstream: no issue is known.  Unnecessary once MoViNet hands `use_sync_bn` to
its skip projections.
"""

import tf_keras

from official_ext.grw.compat import nested_layers


def synchronize(model: tf_keras.Model):
  """Lets all batch norms of a model share their statistics."""
  for layer in nested_layers.within(model):
    if isinstance(layer, tf_keras.layers.BatchNormalization):
      layer.synchronized = True
      # The fused kernel knows one replica only.
      layer.fused = False


def use_own_statistics(layer: tf_keras.layers.BatchNormalization):
  """Lets a batch norm normalize by the statistics of its own replica."""
  layer.synchronized = False
