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

  def __init__(
    self,
    extents: Sequence[int],
    groups: int,
    bias_initializer: str = 'zeros',
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      extents: the extents of a window: (height, width), or (frames,).
      groups: G; channel c belongs to group c mod G.
      bias_initializer: the initializer of b.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._extents = tuple(extents)
    self._tokens = math.prod(extents)
    self._groups = groups
    self._bias_initializer = bias_initializer

  @property
  def _token_axes(self) -> list[int]:
    """The axes of the input that are mixed: its second, fourth, ..."""
    return list(range(1, 2 * len(self._extents), 2))

  def build(self, input_shape):
    lengths = [2 * extent - 1 for extent in self._extents]
    self.table = self.add_weight(
      'window_relative_position_bias_table',
      [math.prod(lengths), self._groups],
      initializer='zeros',
    )
    self.bias = self.add_weight(
      'token_proj_n_bias',
      [1, self._tokens, 1],
      initializer=self._bias_initializer,
    )
    super().build(input_shape)

  def matrices(self) -> tf.Tensor:
    """P: [G, tokens, tokens], the output token first."""
    return frozen_weights.constant_if_frozen(self._matrices)

  def _matrices(self) -> tf.Tensor:
    weights = tf.reshape(
      self.table, [*(2 * extent - 1 for extent in self._extents), self._groups]
    )
    weights = _by_places(weights, self._extents, axis=0)
    # From [row out, row in, column out, column in, group].
    axes = 2 * len(self._extents)
    return tf.reshape(
      tf.transpose(weights, [axes, *range(0, axes, 2), *range(1, axes, 2)]),
      [self._groups, self._tokens, self._tokens],
    )

  def _products(self, tokens: tf.Tensor) -> tf.Tensor:
    """P · u of each group: [G, tokens, all else] to the same."""
    return tf.matmul(self.matrices(), tokens)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Mixes the extents, each second axis of [.., extent, .., channels]."""
    shape = tf.shape(inputs)
    split = [inputs.shape[-1] // self._groups, self._groups]
    x = tf.reshape(inputs, tf.concat([shape[:-1], split], 0))
    # To [group, tokens, all else]: one product of matrices a group.
    rank = inputs.shape.rank + 1
    first = [rank - 1, *self._token_axes]
    order = first + [axis for axis in range(rank) if axis not in first]
    x = tf.transpose(x, order)
    mixed = self._products(
      tf.reshape(x, [self._groups, self._tokens, -1]),
    )
    mixed = tf.reshape(mixed + self.bias, tf.shape(x))
    back = [order.index(axis) for axis in range(rank)]
    return tf.reshape(tf.transpose(mixed, back), shape)

  def on_clips(self, clips: tf.Tensor) -> tf.Tensor:
    """Mixes [batch, frames, height, width, channels], window by window.

    With one extent, the frames of each place are a window.
    """
    shape = tf.shape(clips)
    batch, frames, height, width, _ = tf.unstack(shape)
    # Every size is given: with one left open, windows could reach from one
    # frame into the next.
    if len(self._extents) == 1:
      windows = [batch, frames, height * width, clips.shape[-1]]
    else:
      rows, columns = self._extents
      windows = [
        batch * frames * (height // rows),
        rows,
        width // columns,
        columns,
        clips.shape[-1],
      ]
    return tf.reshape(self(tf.reshape(clips, windows)), shape)


class SpatioTemporalMixing(PositionMixing):
  """Mixes all tokens of a window in all frames, by their distance in both.

  P would be larger than the table by far: at 16 frames and windows of 14, each
  of its groups has 3136² weights of 31 · 27² numbers.  Its rows for one frame
  are therefore taken out of the matrices of a window, which lie side by side
  by their distance in time.  They are computed at each call: as constants of
  an exported file they would be gigabytes.
  """

  def __init__(self, num_frames: int, window: int, groups: int, **kwargs):
    """Initializes the layer for clips of `num_frames`; see `PositionMixing`."""
    super().__init__((num_frames, window, window), groups, **kwargs)

  @property
  def _token_axes(self) -> list[int]:
    return [1, 3]  # Frames, and the tokens of a window, row by row.

  def _products(self, tokens: tf.Tensor) -> tf.Tensor:
    num_frames, window, _ = self._extents
    count, lengths = window**2, (2 * num_frames - 1, 2 * window - 1)
    # From the largest distance down: later inputs, smaller distances.
    weights = tf.reverse(tf.reshape(self.table, [lengths[0], -1]), [0])
    weights = _by_places(
      tf.reshape(weights, [lengths[0], lengths[1], lengths[1], self._groups]),
      (window, window),
      axis=1,
    )
    # From [time, row out, row in, column out, column in, group].
    matrices = tf.reshape(
      tf.transpose(weights, [5, 1, 3, 0, 2, 4]),
      [self._groups, count, lengths[0] * count],
    )
    return tf.concat(
      [
        tf.matmul(
          matrices[:, :, first * count : (first + num_frames) * count], tokens
        )
        for first in reversed(range(num_frames))
      ],
      axis=1,
    )

  def on_clips(self, clips: tf.Tensor) -> tf.Tensor:
    """Mixes [batch, frames, height, width, channels], window by window."""
    shape = tf.shape(clips)
    batch, frames, height, width, _ = tf.unstack(shape)
    window, channels = self._extents[-1], clips.shape[-1]
    rows, columns = height // window, width // window
    by_row = [batch * frames * rows, window, columns, window * channels]
    by_window = [batch * frames * rows, columns, window, window * channels]
    x = tf.transpose(tf.reshape(clips, by_row), [0, 2, 1, 3])
    x = self(
      tf.reshape(x, [batch, frames, rows * columns, window**2, channels])
    )
    x = tf.transpose(tf.reshape(x, by_window), [0, 2, 1, 3])
    return tf.reshape(x, shape)


def _by_places(
  weights: tf.Tensor, extents: Sequence[int], axis: int
) -> tf.Tensor:
  """Weights by distance as weights by place out and place in.

  Args:
    weights: from `axis` on, an axis of 2E − 1 for each extent E.
    extents: the extents of a window.
    axis: the first of them.

  Returns:
    For each such axis two, [.., E out, E in, ..].
  """
  for number, extent in enumerate(extents):
    # An axis at a time: one index for all pairs of tokens would be as fast,
    # and many times larger than the table.
    places = np.arange(extent, dtype=np.int32)
    distances = places[:, np.newaxis] - places + extent - 1
    weights = tf.gather(weights, distances, axis=axis + 2 * number)
  return weights


def _gated(mix: PositionMixing, inputs: tf.Tensor) -> tf.Tensor:
  """A gating unit: half of the channels, its tokens mixed, times the rest.

  Args:
    mix: the tokens that it mixes make it PoSGU, PoTGU or PoSTGU.
    inputs: [batch, frames, height, width, channels].

  Returns:
    [batch, frames, height, width, channels / 2].
  """
  mixed, gate = tf.split(inputs, 2, axis=-1)
  return mix.on_clips(mixed) * gate


class GatedUnit(tf_keras.layers.Layer):
  """An MLP with one gating unit.

  From and to [batch, frames, height, width, channels].
  """

  def __init__(
    self,
    channels: int,
    mix: PositionMixing,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      channels: width of the input.
      mix: the mixing of the gating unit.
      regularizer: the regularizer of the dense layers.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self.norm = _layer_norm('norm')
    self.expand = _dense(2 * channels, regularizer, 'fc1')
    self.mix = mix
    self.project = _dense(channels, regularizer, 'fc2')

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    expanded = activations.gelu(self.expand(self.norm(inputs)))
    return self.project(_gated(self.mix, expanded))


class TwoGatedUnits(tf_keras.layers.Layer):
  """An MLP with a temporal and a spatial gating unit.

  From and to [batch, frames, height, width, channels].
  """

  def __init__(
    self,
    kind: str,
    channels: int,
    groups: int,
    window: int,
    num_frames: int,
    regularizer: Regularizer | None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      kind: one of `posmlp_config.BLOCKS`.
      channels: width of the input.
      groups: see `PositionMixing`.
      window: side of the windows of a frame in which tokens mix.
      num_frames: in a clip.
      regularizer: the regularizer of the dense layers.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._kind = kind

    def mixing(name, extents):
      # The first of two in a row begins by passing its gate on, as gMLP does:
      # what begins with zero after zero has no gradient, and stays there.
      first = kind.startswith(f'{name}_')
      return PositionMixing(
        extents,
        groups,
        'ones' if first else 'zeros',
        name=f'{name}_gate_unit/pos',
      )

    self.norm = _layer_norm('norm')
    self.expand = _dense(
      posmlp_config.BLOCKS[kind] * channels, regularizer, 'fc1'
    )
    self.temporal = mixing('temporal', (num_frames,))
    self.spatial = mixing('spatial', (window, window))
    self.project = _dense(channels, regularizer, 'fc2')

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    x = activations.gelu(self.expand(self.norm(inputs)))
    if self._kind == 'temporal_spatial':
      return self.project(_gated(self.spatial, _gated(self.temporal, x)))
    if self._kind == 'spatial_temporal':
      return self.project(_gated(self.temporal, _gated(self.spatial, x)))
    in_time = in_space = x
    if self._kind == 'parallel_split':
      in_time, in_space = tf.split(x, 2, axis=-1)
    in_time = _gated(self.temporal, in_time)
    in_space = _gated(self.spatial, in_space)
    return self.project(
      in_time + in_space
      if self._kind == 'parallel_sum'
      else tf.concat([in_time, in_space], axis=-1)
    )


class Block(tf_keras.layers.Layer):
  """x + spatial(x) + temporal(x), or x + an MLP with both units."""

  def __init__(
    self,
    channels: int,
    groups: int,
    window: int,
    num_frames: int,
    stochastic_depth_drop_rate: float,
    regularizer: Regularizer | None,
    kind: str = 'parallel',
    **kwargs,
  ):
    """Initializes the block; arguments as of `TwoGatedUnits`."""
    super().__init__(**kwargs)
    self._parallel = kind == 'parallel'
    if self._parallel:
      self.spatial = GatedUnit(
        channels,
        PositionMixing((window, window), groups, name='gate_unit/pos'),
        regularizer,
        name='fc/encoder',
      )
      self.temporal = GatedUnit(
        channels,
        PositionMixing((num_frames,), groups, name='gate_unit/pos'),
        regularizer,
        name='t_fc/encoder',
      )
    elif kind == 'joint':
      self.unit = GatedUnit(
        channels,
        SpatioTemporalMixing(num_frames, window, groups, name='gate_unit/pos'),
        regularizer,
        name='joint/encoder',
      )
    else:
      self.unit = TwoGatedUnits(
        kind,
        channels,
        groups,
        window,
        num_frames,
        regularizer,
        name=f'{kind}/encoder',
      )
    self._drop = nn_layers.StochasticDepth(stochastic_depth_drop_rate)

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    branches = (
      self.spatial(inputs) + self.temporal(inputs)
      if self._parallel
      else self.unit(inputs)
    )
    return inputs + self._drop(branches, training=training)


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
    kind: str,
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
        kind,
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
        config.block,
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
