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

"""Convolutions of MoViNet on maps of one pixel as dense layers, for TFLite.

Patches: MoViNet's squeeze-excitations and classifier (Kondratyuk et al., arXiv
2103.11511, Section 3.2) are pointwise convolutions on maps of one pixel.  Their
weights are more than half of all, and a dense layer on [frames, channels] is
where TFLite's kernels for weights of 8 bits pay.

The factors of a hard sigmoid go into the convolutions around it: with
clip(0.2 x + 0.5, 0, 1) = relu6(1.2 x + 3) / 6, the converter has 1.2 and 3 in
the dense layer before, relu6 in the same operation, and the sixth in the
projection after the product, which is linear.

Unnecessary once TFLite's converter does so.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

from official.projects.movinet.modeling import movinet_layers
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import nested_layers


class _Gate(NamedTuple):
  """A gate, activation(x) = relu6(scale · x + 3) · factor."""

  scale: float
  factor: float


# By the names that the Model Garden's layers know them by.  The second is
# rounded as it is there.
_HARD_GATES = {
  'grw>hard_sigmoid': _Gate(0.2 * 6, 1 / 6),
  'hard_sigmoid': _Gate(1.0, 0.16667),
}


def _convolution(
  block: movinet_layers.ConvBlock,
) -> tf_keras.layers.Conv2D | tf_keras.layers.Conv3D:
  """The convolution of a block that has one, of either `conv_type`."""
  inner = block._conv  # pylint: disable=protected-access
  if isinstance(inner, movinet_layers.MobileConv2D):
    return inner._conv  # pylint: disable=protected-access
  return inner


def _dense(
  block: movinet_layers.ConvBlock, gate: _Gate | None = None
) -> Callable[[tf.Tensor], tf.Tensor]:
  """The `call` of a pointwise convolution on maps of one pixel.

  Args:
    block: with a bias and no batch norm.
    gate: the gate whose factor the result is to lack; None for the
      activation of the block.
  """
  layer = _convolution(block)
  activation = block._activation_layer  # pylint: disable=protected-access

  def call(pixels: tf.Tensor) -> tf.Tensor:
    batch, num_frames, *one, channels = frame_operations.sizes(pixels)
    weights = tf.reshape(layer.kernel, [channels, layer.filters])
    x = tf.matmul(
      tf.reshape(pixels, [-1, channels]), tf.cast(weights, pixels.dtype)
    )
    x += tf.cast(layer.bias, x.dtype)
    if gate is not None:
      x = tf.nn.relu6(gate.scale * x + 3.0)
    elif activation is not None:
      x = activation(x)
    return tf.reshape(x, [batch, num_frames, *one, layer.filters])

  return call


def _scaled(call: Callable[[tf.Tensor], tf.Tensor], factor: float, x):
  return factor * call(x)


def use_dense_layers(model: tf_keras.Model):
  """Has what MoViNets do to maps of one pixel computed by dense layers.

  Args:
    model: is changed: from now on it computes the same by other operations.
      `frame_operations.compute_frame_by_frame` is to come before.
  """
  # pylint: disable=protected-access
  for layer in nested_layers.within(model):
    if isinstance(layer, movinet_layers.ClassifierHead):
      for block in (layer._head, layer._classifier):
        block.call = _dense(block)
    if not isinstance(layer, movinet_layers.MobileBottleneck):
      continue
    squeeze = layer._attention_layer
    if not isinstance(squeeze, movinet_layers.StreamSqueezeExcitation):
      continue
    projection = _convolution(layer._projection_layer)
    gate = (
      None
      if projection.use_bias
      else _HARD_GATES.get(squeeze._gating_activation)
    )
    squeeze._se_reduce.call = _dense(squeeze._se_reduce)
    squeeze._se_expand.call = _dense(squeeze._se_expand, gate)
    # Once, also of a model that is exported again.
    if gate and getattr(projection.call, 'func', None) is not _scaled:
      projection.call = functools.partial(_scaled, projection.call, gate.factor)
