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

TFLite has neither depthwise 3D convolutions nor 3D pooling, and runs the 3D
convolutions it has on slow kernels.  MoViNet's own 3D layers are all of a kind
that a few 2D operations compute exactly.
"""

from collections.abc import Callable
import functools

import tensorflow as tf
import tf_keras


def _on_frames(operation: Callable[[tf.Tensor], tf.Tensor],
               videos: tf.Tensor) -> tf.Tensor:
  """Applies an operation on images to [batch, N, H, W, C] videos."""
  shape = tf.shape(videos)
  images = operation(tf.reshape(videos, tf.concat([[-1], shape[2:]], 0)))
  return tf.reshape(
      images, tf.concat([shape[:2], tf.shape(images)[1:]], 0))


def _convolution(layer: tf_keras.layers.Conv3D):
  """The layer's `call`, as a sum over the frames of its kernel."""
  strides = (1, *layer.strides[1:], 1)
  padding = layer.padding.upper()
  taps = layer.kernel_size[0]

  def call(videos: tf.Tensor) -> tf.Tensor:
    num_frames = tf.shape(videos)[1]
    if padding == 'VALID':
      num_frames -= taps - 1
    elif taps > 1:
      before = (taps - 1) // 2
      videos = tf.pad(
          videos, [[0, 0], [before, taps - 1 - before], *[[0, 0]] * 3])

    def convolve(tap: int) -> tf.Tensor:
      kernel = tf.cast(layer.kernel[tap], videos.dtype)
      def operation(images):
        if layer.groups == 1:
          return tf.nn.conv2d(images, kernel, strides, padding)
        return tf.nn.depthwise_conv2d(
            images, tf.transpose(kernel, [0, 1, 3, 2]), strides, padding)
      return _on_frames(operation, videos[:, tap:tap + num_frames])

    outputs = tf.add_n([convolve(tap) for tap in range(taps)])
    if layer.use_bias:
      outputs += tf.cast(layer.bias, outputs.dtype)
    return layer.activation(outputs) if layer.activation else outputs

  return call


def _average(layer: tf_keras.layers.AveragePooling3D):
  """The layer's `call`, frame by frame."""
  return functools.partial(_on_frames, functools.partial(
      tf.nn.avg_pool2d, ksize=layer.pool_size[1:], strides=layer.strides[1:],
      padding=layer.padding.upper()))


def use(model: tf_keras.Model):
  """Has the 3D layers of a model computed frame by frame, where they can be.

  These are convolutions that are depthwise or see one frame at a time, and
  average pooling of single frames.  Layers that do more stay as they are.

  Args:
    model: is changed: from now on it computes the same by other operations.
  """
  for layer in model.submodules:
    if isinstance(layer, tf_keras.layers.Conv3D) and (
        layer.padding in ('same', 'valid')):
      channels = layer.kernel.shape[-1]
      depthwise = layer.groups == channels and layer.kernel.shape[-2] == 1
      alone = layer.groups == 1 and layer.kernel_size[0] == 1
      if (depthwise or alone) and layer.strides[0] == 1 and (
          set(layer.dilation_rate) == {1}):
        layer.call = _convolution(layer)
    elif isinstance(layer, tf_keras.layers.AveragePooling3D) and (
        layer.pool_size[0] == layer.strides[0] == 1):
      layer.call = _average(layer)
