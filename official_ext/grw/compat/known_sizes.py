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

"""MoViNet's 2D convolutions on videos, without operations for sizes.

Patches: `MobileConv2D` asks for each size of its input and output by operations
of its own, 48 for the two `tf.reshape` around a convolution, though nearly all
sizes are known when it is traced.  Of the operations of a MoViNet they are more
than half, and so of the time to build, trace and export one.  Here `tf.reshape`
gets numbers, and infers one size.

Upstream: no issue is known.  Unnecessary once `MobileConv2D` reads
`inputs.shape`.
"""

from typing import Any

from official.projects.movinet.modeling import movinet_layers
import tensorflow as tf

from official_ext.grw.compat import frame_operations


def _sizes(*axes: tuple[tf.Tensor, int]) -> list[Any]:
  """A number each where they are known; the first other one is inferred."""
  inferred = next((pair for pair in axes if pair[0].shape[pair[1]] is None), ())
  return [
    -1 if pair is inferred else frame_operations.size(*pair) for pair in axes
  ]


def _convolve(
  layer: movinet_layers.MobileConv2D, inputs: tf.Tensor
) -> tf.Tensor:
  """What the stock `call` computes, of videos [batch, N, H, W, C]."""
  rows, columns = (
    frame_operations.size(inputs, 2),
    frame_operations.size(inputs, 3),
  )
  if layer._use_temporal:
    shape = [
      -1,
      frame_operations.size(inputs, 1),
      rows * columns,
      inputs.shape[4],
    ]
  else:
    shape = [-1, rows, columns, inputs.shape[4]]
  x = layer._conv(tf.reshape(inputs, shape))
  if layer._batch_norm_op is not None:
    x = layer._batch_norm_op(x)
  if layer._activation_op is not None:
    x = layer._activation_op(x)
  if layer._use_temporal:
    sizes = _sizes((inputs, 0), (x, 1), (inputs, 2), (inputs, 3))
  else:
    sizes = _sizes((inputs, 0), (inputs, 1), (x, 1), (x, 2))
  return tf.reshape(x, [*sizes, x.shape[3]])


def use_known_sizes() -> None:
  """Replaces the `call` of all layers of the class."""
  movinet_layers.MobileConv2D.call = _convolve
