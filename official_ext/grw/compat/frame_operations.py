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

"""3D convolutions and pooling, computed by operations on single frames.

Patches: TensorFlow computes depthwise 3D convolutions on CPUs through XLA, tens
of times more slowly than as many 2D ones; TFLite has neither them nor 3D
pooling, and slow kernels for the 3D convolutions it has.  MoViNet's own 3D
layers are all of a kind that a few 2D operations compute exactly, so that the
`call` of these layers is replaced.

Upstream: tensorflow/tensorflow#53251 and google-ai-edge/LiteRT#127.
Unnecessary once TensorFlow's CPU kernels and LiteRT have depthwise 3D
convolutions of their own.
"""

from collections.abc import Callable
import functools
from typing import Any

import tensorflow as tf
import tf_keras

from official_ext.grw.compat import nested_layers


def sizes(x: tf.Tensor) -> list[Any]:
  """The shape, as numbers where they are known."""
  known = list(x.shape)  # Also of an array.
  if None not in known:
    return known
  shape = tf.shape(x)
  return [
    shape[axis] if size is None else size for axis, size in enumerate(known)
  ]


def on_frames(
  operation: Callable[[tf.Tensor], tf.Tensor], videos: tf.Tensor
) -> tf.Tensor:
  """Applies an operation on images to [batch, N, H, W, C] videos."""
  batch, num_frames, *frame = sizes(videos)
  images = operation(tf.reshape(videos, [-1, *frame]))
  return tf.reshape(images, [batch, num_frames, *sizes(images)[1:]])


def _convolution(layer: tf_keras.layers.Conv3D):
  """The layer's `call`, as a sum over the frames of its kernel."""
  strides = (1, *layer.strides[1:], 1)
  padding = 'VALID' if layer.padding == 'valid' else 'SAME'
  taps = layer.kernel_size[0]
  before = {
    'same': (taps - 1) // 2,
    'valid': 0,
    # A buffered input has the frames before it already.
    'causal': 0 if getattr(layer, 'use_buffered_input', False) else taps - 1,
  }[layer.padding]
  after = taps - 1 - before if layer.padding == 'same' else 0

  def convolve(images: tf.Tensor, tap: int) -> tf.Tensor:
    kernel = tf.cast(layer.kernel[tap], images.dtype)
    if layer.groups == 1:
      return tf.nn.conv2d(images, kernel, strides, padding)
    return tf.nn.depthwise_conv2d(
      images, tf.transpose(kernel, [0, 1, 3, 2]), strides, padding
    )

  def call(videos: tf.Tensor) -> tf.Tensor:
    num_frames = sizes(videos)[1] + before + after - taps + 1
    outputs = []
    for tap in range(taps):
      # All frames, of which some are then left out: for its gradient each tap
      # keeps its input, which so is the same for all.
      of_tap = on_frames(functools.partial(convolve, tap=tap), videos)
      if before or after:
        of_tap = tf.pad(of_tap, [[0, 0], [before, after], *[[0, 0]] * 3])
      outputs.append(of_tap[:, tap : tap + num_frames])
    total = tf.add_n(outputs)
    if layer.use_bias:
      total += tf.cast(layer.bias, total.dtype)
    return layer.activation(total) if layer.activation else total

  return call


def _average(layer: tf_keras.layers.AveragePooling3D):
  """The layer's `call`, frame by frame."""
  return functools.partial(
    on_frames,
    functools.partial(
      tf.nn.avg_pool2d,
      ksize=layer.pool_size[1:],
      strides=layer.strides[1:],
      padding=layer.padding.upper(),
    ),
  )


def compute_frame_by_frame(model: tf_keras.Model):
  """Has the 3D layers of a model computed frame by frame, where they can be.

  These are convolutions that are depthwise or see one frame at a time, and
  average pooling of single frames.  Layers that do more stay as they are.

  Args:
    model: is changed: from now on it computes the same by other operations.
  """
  for layer in nested_layers.within(model):
    if isinstance(layer, tf_keras.layers.Conv3D):
      channels = layer.kernel.shape[-1]
      depthwise = layer.groups == channels and layer.kernel.shape[-2] == 1
      alone = layer.groups == 1 and layer.kernel_size[0] == 1
      if (
        (depthwise or alone)
        and layer.strides[0] == 1
        and (set(layer.dilation_rate) == {1})
      ):
        layer.call = _convolution(layer)
    elif isinstance(layer, tf_keras.layers.AveragePooling3D) and (
      layer.pool_size[0] == layer.strides[0] == 1
    ):
      layer.call = _average(layer)


def computes_on_cpus() -> bool:
  """Whether the distribution strategy that is entered computes on CPUs alone.

  Without one, operations go to an accelerator if there is one.
  """
  if not tf.distribute.has_strategy():
    return not any(
      tf.config.list_logical_devices(kind) for kind in ('GPU', 'TPU')
    )
  devices = tf.distribute.get_strategy().extended.worker_devices
  return all(
    tf.DeviceSpec.from_string(device).device_type == 'CPU' for device in devices
  )
