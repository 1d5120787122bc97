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

"""PosMLP-Video, arXiv 2407.02934: gated mixing by relative position alone.

Variables have the names of the published PyTorch checkpoints, with '/' for '.'
and Keras's words for leaves, as `blocks1/0/fc/encoder/fc1/kernel`.
"""

from collections.abc import Sequence
import math
from typing import Any, TypeAlias

import numpy as np
from official.vision.modeling.layers import nn_layers
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import activations
from official_ext.grw.backbones import frozen_weights
from official_ext.grw.backbones import normalization
from official_ext.grw.backbones.posmlp_video import config as posmlp_config
from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import keras3

# Of batch and layer norms alike, with which the published weights were trained.
_EPSILON = 1e-5

Regularizer: TypeAlias = tf_keras.regularizers.Regularizer


def _layer_norm(name: str) -> tf_keras.layers.LayerNormalization:
  return tf_keras.layers.LayerNormalization(epsilon=_EPSILON, name=name)


def _dense(
  units: int, regularizer: Regularizer | None, name: str
) -> tf_keras.layers.Dense:
  return tf_keras.layers.Dense(
    units,
    kernel_regularizer=regularizer,
    name=name,
    kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.02),
  )


def _convolution(
  in_channels: int, channels: int, regularizer: Regularizer | None, name: str
) -> tf_keras.layers.Conv2D:
  """A convolution that halves padded images, initialized as PyTorch does."""
  bound = (9 * in_channels) ** -0.5
  return tf_keras.layers.Conv2D(
    channels,
    3,
    strides=2,
    kernel_regularizer=regularizer,
    name=name,
    kernel_initializer=tf_keras.initializers.RandomUniform(-bound, bound),
    bias_initializer=tf_keras.initializers.RandomUniform(-bound, bound),
  )


class PositionMixing(tf_keras.layers.Layer):
  """Mixes the tokens of a window with weights that only their places give.

  u'[m, c] = Σ_n P[m, n, c mod G] · u[n, c] + b[m], with one weight for each
  distance m − n and each of G groups of channels.
  """

  def __init__(self, extents: Sequence[int], groups: int, **kwargs):
    """Initializes the layer.

    Args:
      extents: the extents of a window: (height, width), or (frames,).
      groups: G; channel c belongs to group c mod G.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._extents = tuple(extents)
    self._tokens = math.prod(extents)
    self._groups = groups

  def build(self, input_shape):
    lengths = [2 * extent - 1 for extent in self._extents]
    self.table = self.add_weight(
      'window_relative_position_bias_table',
      [math.prod(lengths), self._groups],
      initializer='zeros',
    )
    self.bias = self.add_weight(
      'token_proj_n_bias', [1, self._tokens, 1], initializer='zeros'
    )
    super().build(input_shape)

  def matrices(self) -> tf.Tensor:
    """P: [G, tokens, tokens], the output token first."""
    return frozen_weights.constant_if_frozen(self._matrices)

  def _matrices(self) -> tf.Tensor:
    weights = tf.reshape(
      self.table, [*(2 * extent - 1 for extent in self._extents), self._groups]
    )
    for axis, extent in enumerate(self._extents):
      # An axis at a time: one index for all pairs of tokens would be as fast,
      # and many times larger than the table.
      places = np.arange(extent, dtype=np.int32)
      distances = places[:, np.newaxis] - places + extent - 1
      weights = tf.gather(weights, distances, axis=2 * axis)
    # From [row out, row in, column out, column in, group].
    axes = 2 * len(self._extents)
    return tf.reshape(
      tf.transpose(weights, [axes, *range(0, axes, 2), *range(1, axes, 2)]),
      [self._groups, self._tokens, self._tokens],
    )

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Mixes the extents, each second axis of [.., extent, .., channels]."""
    shape = tf.shape(inputs)
    split = [inputs.shape[-1] // self._groups, self._groups]
    x = tf.reshape(inputs, tf.concat([shape[:-1], split], 0))
    # To [group, tokens, all else]: one product of matrices a group.
    rank = inputs.shape.rank + 1
    first = [rank - 1, *range(1, 2 * len(self._extents), 2)]
    order = first + [axis for axis in range(rank) if axis not in first]
    x = tf.transpose(x, order)
    mixed = tf.matmul(
      self.matrices(), tf.reshape(x, [self._groups, self._tokens, -1])
    )
    mixed = tf.reshape(mixed + self.bias, tf.shape(x))
    back = [order.index(axis) for axis in range(rank)]
    return tf.reshape(tf.transpose(mixed, back), shape)


class GatedUnit(tf_keras.layers.Layer):
  """One half of the channels, its tokens mixed, times the other half.

  From and to [batch, frames, height, width, channels].
  """

  def __init__(
    self,
    channels: int,
    groups: int,
    window: int | None,
    num_frames: int,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      channels: width of the input.
      groups: see `PositionMixing`.
      window: side of the windows of a frame in which tokens mix; None mixes
        the frames of each place.
      num_frames: in a clip.
      regularizer: the regularizer of the dense layers.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._window = window
    self.norm = _layer_norm('norm')
    self.expand = _dense(2 * channels, regularizer, 'fc1')
    self.mix = PositionMixing(
      (window, window) if window else (num_frames,),
      groups,
      name='gate_unit/pos',
    )
    self.project = _dense(channels, regularizer, 'fc2')

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    expanded = activations.gelu(self.expand(self.norm(inputs)))
    mixed, gate = tf.split(expanded, 2, axis=-1)
    shape = tf.shape(mixed)
    batch, frames, height, width, _ = tf.unstack(shape)
    # Every size is given: with one left open, windows could reach from one
    # frame into the next.
    if self._window:
      windows = [
        batch * frames * (height // self._window),
        self._window,
        width // self._window,
        self._window,
        mixed.shape[-1],
      ]
    else:
      windows = [batch, frames, height * width, mixed.shape[-1]]
    mixed = tf.reshape(self.mix(tf.reshape(mixed, windows)), shape)
    return self.project(mixed * gate)


class Block(tf_keras.layers.Layer):
  """x + spatial(x) + temporal(x)."""

  def __init__(
    self,
    channels: int,
    groups: int,
    window: int,
    num_frames: int,
    stochastic_depth_drop_rate: float,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the block; arguments as of `GatedUnit`."""
    super().__init__(**kwargs)
    self.spatial = GatedUnit(
      channels, groups, window, num_frames, regularizer, name='fc/encoder'
    )
    self.temporal = GatedUnit(
      channels, groups, None, num_frames, regularizer, name='t_fc/encoder'
    )
    self._drop = nn_layers.StochasticDepth(stochastic_depth_drop_rate)

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    return inputs + self._drop(
      self.spatial(inputs) + self.temporal(inputs), training=training
    )


class Stage(tf_keras.layers.Layer):
  """Blocks, one after the other."""

  def __init__(
    self,
    channels: int,
    groups: int,
    window: int,
    num_frames: int,
    stochastic_depth_drop_rates: Sequence[float],
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the stage; one block for each drop rate."""
    super().__init__(**kwargs)
    self.blocks = [
      Block(
        channels,
        groups,
        window,
        num_frames,
        rate,
        regularizer,
        name=str(number),
      )
      for number, rate in enumerate(stochastic_depth_drop_rates)
    ]

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    for block in self.blocks:
      inputs = block(inputs, training=training)
    return inputs


def _padded(images: tf.Tensor) -> tf.Tensor:
  """One pixel of zeros on each side: SAME would pad even sizes on two alone."""
  return tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])


class Stem(tf_keras.layers.Layer):
  """Clips to features of a quarter of their height and width."""

  def __init__(
    self,
    channels: int,
    num_frames: int,
    norm_momentum: float,
    use_sync_bn: bool,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      channels: the channels of the output; the first convolution has half of
        them.
      num_frames: that every clip has.
      norm_momentum: the momentum of the batch norms.
      use_sync_bn: whether the batch norms are of all replicas together.
      regularizer: the regularizer of the kernels.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._num_frames = num_frames
    half = channels // 2
    batch_norm = dict(
      momentum=norm_momentum, epsilon=_EPSILON, synchronized=use_sync_bn
    )
    self.proj1 = _convolution(3, half, regularizer, 'proj1')
    self.norm1 = tf_keras.layers.BatchNormalization(name='norm1', **batch_norm)
    self.proj2 = _convolution(half, channels, regularizer, 'proj2')
    self.norm2 = tf_keras.layers.BatchNormalization(name='norm2', **batch_norm)

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    def embed(images):
      x = self.norm1(self.proj1(_padded(images)), training=training)
      x = activations.gelu(x)
      return self.norm2(self.proj2(_padded(x)), training=training)

    # Where the length is known only now: others would be taken as other
    # numbers of clips.
    return frame_operations.on_frames(
      embed, tf.ensure_shape(inputs, [None, self._num_frames, None, None, None])
    )


class Downsampling(tf_keras.layers.Layer):
  """A convolution of each frame to half of its height and width; a norm."""

  def __init__(
    self,
    in_channels: int,
    channels: int,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the layer, from one number of channels to another."""
    super().__init__(**kwargs)
    self.proj = _convolution(in_channels, channels, regularizer, 'proj')
    self.norm = _layer_norm('norm')

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return frame_operations.on_frames(
      lambda images: self.norm(self.proj(_padded(images))), inputs
    )


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class PosMlpVideo(tf_keras.Model):
  """Clips [batch, frames, height, width, 3], in [0, 1], to endpoints.

  Endpoints are 'patch_embed1', the stem's features, and 'stage1' to 'stage4',
  [batch, frames, height / s, width / s, channels] with s = 4, 8, 16, 32;
  'stage4' is normalized, as what a classifier reads.  Time is never strided,
  and each frame's features see all frames.
  """

  def __init__(
    self,
    config: posmlp_config.PosMlpVideo,
    input_specs: tf_keras.layers.InputSpec,
    norm_momentum: float = 0.9,
    use_sync_bn: bool = False,
    kernel_regularizer: Any = None,
    **kwargs,
  ):
    """Builds the backbone.

    Args:
      config: depths, widths and the rest.
      input_specs: the shape of the clips; frames, height and width may be None.
      norm_momentum: the momentum of the stem's batch norms.  Their epsilon is
        that of the published weights.
      use_sync_bn: whether the batch norms are of all replicas together.
      kernel_regularizer: the regularizer of convolutions and dense layers.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: values of the config that do not fit one another, or clips
        that the backbone cannot take.
    """
    config = config.resolved()
    config.check_clip(input_specs.shape[1:], 'input shape')
    regularizer = tf_keras.regularizers.get(kernel_regularizer)
    depths, channels = config.depths, config.channels
    # Linearly from 0 at the first block to the last.
    last = max(sum(depths) - 1, 1)
    rates = [
      config.stochastic_depth_drop_rate * number / last
      for number in range(sum(depths))
    ]

    image = tf_keras.Input(shape=input_specs.shape[1:], name='image')
    x = image
    if config.mean or config.stddev:
      x = normalization.ChannelNormalization(
        config.mean, config.stddev, name='channel_normalization'
      )(x)
    x = Stem(
      channels[0],
      config.num_frames,
      norm_momentum,
      use_sync_bn,
      regularizer,
      name='patch_embed1',
    )(x)
    endpoints = {'patch_embed1': x}
    for number in range(1, len(depths) + 1):
      if number > 1:
        x = Downsampling(
          channels[number - 2],
          channels[number - 1],
          regularizer,
          name=f'patch_embed{number}',
        )(x)
      first = sum(depths[: number - 1])
      x = Stage(
        channels[number - 1],
        config.groups[number - 1],
        config.windows[number - 1],
        config.num_frames,
        rates[first : first + depths[number - 1]],
        regularizer,
        name=f'blocks{number}',
      )(x)
      if number == len(depths):
        x = _layer_norm('norm')(x)
      endpoints[f'stage{number}'] = x

    super().__init__(inputs=image, outputs=endpoints, **kwargs)
    self._backbone_config = config
    self._config = {
      'config': config.as_dict(),
      'input_shape': tuple(input_specs.shape),
      'norm_momentum': norm_momentum,
      'use_sync_bn': use_sync_bn,
      'kernel_regularizer': tf_keras.regularizers.serialize(regularizer),
    }

  def call(self, inputs, training=None, mask=None):
    """Endpoints of clips; ValueError for those that it cannot take."""
    self._backbone_config.check_clip(inputs.shape[1:], 'clip shape')
    return super().call(inputs, training=training, mask=mask)

  @property
  def output_specs(self) -> dict[str, tf.TensorShape]:
    """Shapes of the endpoints."""
    return {name: features.shape for name, features in self.output.items()}

  def get_config(self) -> dict[str, Any]:
    return {'name': self.name, **self._config}

  @classmethod
  def from_config(cls, config, custom_objects=None):
    config = dict(config)
    return cls(
      posmlp_config.PosMlpVideo(**config.pop('config')),
      tf_keras.layers.InputSpec(shape=tuple(config.pop('input_shape'))),
      **config,
    )
