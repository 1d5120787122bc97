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

"""Video-FocalNet: spatial and temporal focal modulation side by side.

Wasim et al., ICCV 2023, arXiv 2307.06947.  Shapes below: B clips of N frames
(or tubelets of two) with H x W tokens of C channels.

The variables' names are those of the published PyTorch models, with slashes:
`layers.0.blocks.1.modulation.f.weight` is
`layers/0/blocks/1/modulation/f/kernel:0` here.
"""

from typing import Any

import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import activations
from official_ext.grw.backbones import normalization
from official_ext.grw.backbones import stateless
from official_ext.grw.backbones.videofocalnet import config as focalnet_config
from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import keras3

PATCH_SIZE = 4
MLP_RATIO = 4
# Side of the depthwise kernels, and length of the temporal ones, at the first
# level, and how much larger they are at each that follows.
FOCAL_WINDOW = 3
FOCAL_FACTOR = 2
_EPSILON = 1e-5


def _uniform(fan_in: int) -> tf_keras.initializers.Initializer:
  """What the published models draw convolutions and their biases from."""
  bound = fan_in**-0.5
  return tf_keras.initializers.RandomUniform(-bound, bound)


def _dense(
  units: int,
  name: str,
  regularizer: tf_keras.regularizers.Regularizer | None,
) -> tf_keras.layers.Dense:
  return tf_keras.layers.Dense(
    units,
    name=name,
    kernel_regularizer=regularizer,
    kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.02),
  )


def _norm(name: str) -> tf_keras.layers.LayerNormalization:
  return tf_keras.layers.LayerNormalization(epsilon=_EPSILON, name=name)


class PatchEmbedding(tf_keras.layers.Layer):
  """Disjoint patches to tokens: [B, N, H, W, C] to [B, N/t, H/p, W/p, D].

  What does not fill a patch is left out.
  """

  def __init__(
    self,
    channels: int,
    patch_size: int,
    tubelet_size: int = 1,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      channels: D.
      patch_size: p.
      tubelet_size: t, frames in a token, by which N must be divisible.
      regularizer: the regularizer of the kernel.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._channels = channels
    self._patch = (tubelet_size, patch_size, patch_size)
    self._regularizer = regularizer

  def build(self, input_shape):
    tubelet_size = self._patch[0]
    # A 3D convolution over single frames would be the same, but slower.
    convolution, patch = (
      (tf_keras.layers.Conv2D, self._patch[1:])
      if tubelet_size == 1
      else (tf_keras.layers.Conv3D, self._patch)
    )
    fan_in = tubelet_size * self._patch[1] ** 2 * input_shape[-1]
    self.proj = convolution(
      self._channels,
      patch,
      patch,
      kernel_regularizer=self._regularizer,
      kernel_initializer=_uniform(fan_in),
      bias_initializer=_uniform(fan_in),
      name='proj',
    )
    self.norm = _norm('norm')
    super().build(input_shape)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    tubelet_size = self._patch[0]
    if tubelet_size == 1:
      return self.norm(frame_operations.on_frames(self.proj, inputs))
    tf.debugging.assert_equal(
      frame_operations.sizes(inputs)[1] % tubelet_size,
      0,
      f'Tubelets of {tubelet_size} frames do not divide the clip.',
    )
    return self.norm(self.proj(inputs))


class TemporalConvolution(tf_keras.layers.Layer):
  """A full 1D convolution over N in [B, N, H x W, C], zeros around.

  In this layout it needs no transposition.  The kernel is that of a Conv1D,
  [k, C, C], without bias.
  """

  def __init__(
    self,
    kernel_size: int,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._kernel_size = kernel_size
    self._regularizer = regularizer

  def build(self, input_shape):
    channels = input_shape[-1]
    self.kernel = self.add_weight(
      'kernel',
      [self._kernel_size, channels, channels],
      initializer=_uniform(self._kernel_size * channels),
      regularizer=self._regularizer,
    )
    super().build(input_shape)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(
      inputs, self.kernel[:, tf.newaxis], strides=1, padding='SAME'
    )


class Modulation(tf_keras.layers.Layer):
  """Focal modulation: q x spatial context x temporal context, projected.

  Both contexts are sums, weighted by a gate for each token and level, of
  convolutions upon convolutions and of the mean at last.  [B, N, H, W, C] to
  the same.
  """

  def __init__(
    self,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    focal_levels: int = 2,
    temporal_branch: bool = True,
    fusion: str = 'multiplication',
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      regularizer: the regularizer of the kernels.
      focal_levels: L, convolutions in each branch.
      temporal_branch: whether there is a temporal context.
      fusion: see `config.VideoFocalNet`.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._regularizer = regularizer
    self._windows = tuple(
      FOCAL_WINDOW + FOCAL_FACTOR * level for level in range(focal_levels)
    )
    self._temporal_branch = temporal_branch
    self._fusion = fusion

  def build(self, input_shape):
    channels, gates = input_shape[-1], len(self._windows) + 1
    regularizer = self._regularizer
    pointwise: dict[str, Any] = {
      'filters': channels,
      'kernel_size': 1,
      'kernel_regularizer': regularizer,
    }
    self.f = _dense(2 * channels + gates, 'f', regularizer)
    self.focal_layers = [
      tf_keras.layers.DepthwiseConv2D(
        size,
        padding='same',
        use_bias=False,
        depthwise_initializer=_uniform(size**2),
        depthwise_regularizer=regularizer,
        name=f'focal_layers/{level}/0',
      )
      for level, size in enumerate(self._windows)
    ]
    self.h = tf_keras.layers.Conv2D(
      kernel_initializer=_uniform(channels),
      bias_initializer=_uniform(channels),
      name='h',
      **pointwise,
    )
    if self._temporal_branch:
      self.f_temporal = _dense(channels + gates, 'f_temporal', regularizer)
      self.focal_layers_temporal = [
        TemporalConvolution(
          size, regularizer, name=f'focal_layers_temporal/{level}/0'
        )
        for level, size in enumerate(self._windows)
      ]
      self.h_temporal = tf_keras.layers.Conv1D(
        kernel_initializer=_uniform(channels),
        bias_initializer=_uniform(channels),
        name='h_temporal',
        **pointwise,
      )
    if self._fusion == 'projection':
      self.fuse_temporal = _dense(channels, 'fuse_temporal', regularizer)
    self.proj = _dense(channels, 'proj', regularizer)
    super().build(input_shape)

  def modulators(
    self, inputs: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The query q, and the modulators of space and time.

    Args:
      inputs: [B, N, H, W, C].

    Returns:
      q, m_s and m_t, [B, N, H, W, C] each; m_t is None without a temporal
      branch.
    """
    shape = tf.shape(inputs)
    query, spatial, temporal = self._modulators(inputs)
    return (
      tf.reshape(query, shape),
      tf.reshape(spatial, shape),
      None if temporal is None else tf.reshape(temporal, shape),
    )

  def _modulators(
    self, inputs: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The same, of each frame by itself: [B N, H, W, C]."""
    _, frames, height, width, channels = frame_operations.sizes(inputs)
    rows = [-1, height, width, channels]
    sequences = [-1, frames, height * width, channels]

    query, context, gates = tf.split(
      self.f(tf.reshape(inputs, rows)),
      [channels, channels, len(self._windows) + 1],
      axis=-1,
    )
    spatial = self.h(
      _gated_context(context, gates, self.focal_layers, axis=[1, 2])
    )
    if not self._temporal_branch:
      return query, spatial, None
    source = query * spatial if self._fusion == 'sequence' else inputs
    context, gates = tf.split(
      self.f_temporal(tf.reshape(source, sequences)),
      [channels, len(self._windows) + 1],
      axis=-1,
    )
    temporal = self.h_temporal(
      _gated_context(context, gates, self.focal_layers_temporal, axis=1)
    )
    return query, spatial, tf.reshape(temporal, rows)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    _, frames, height, width, channels = frame_operations.sizes(inputs)
    query, spatial, temporal = self._modulators(inputs)
    if temporal is None:
      modulated = query * spatial
    elif self._fusion == 'average':
      modulated = query * (spatial + temporal) / 2
    elif self._fusion == 'projection':
      modulated = query * self.fuse_temporal(
        tf.concat([spatial, temporal], axis=-1)
      )
    else:
      modulated = query * spatial * temporal
    return tf.reshape(
      self.proj(modulated), [-1, frames, height, width, channels]
    )


def _gated_context(context, gates, convolutions, axis):
  """The sum over levels, and over all of `axis`, of gate x context."""
  gates = tf.split(gates, len(convolutions) + 1, axis=-1)
  gathered = 0
  for convolution, gate in zip(convolutions, gates):
    context = activations.gelu(convolution(context))
    gathered += context * gate
  everywhere = activations.gelu(
    tf.reduce_mean(context, axis=axis, keepdims=True)
  )
  return gathered + everywhere * gates[-1]


class Block(tf_keras.layers.Layer):
  """x + modulation(norm(x)), then x + MLP(norm(x)); [B, N, H, W, C]."""

  def __init__(
    self,
    stochastic_depth_drop_rate: float,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    focal_levels: int = 2,
    temporal_branch: bool = True,
    fusion: str = 'multiplication',
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      stochastic_depth_drop_rate: chance to drop a branch of a frame, in [0, 1).
      regularizer: the regularizer of the kernels.
      focal_levels, temporal_branch, fusion: see `Modulation`.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._regularizer = regularizer
    self.norm1 = _norm('norm1')
    self.modulation = Modulation(
      regularizer, focal_levels, temporal_branch, fusion, name='modulation'
    )
    self.norm2 = _norm('norm2')
    # As published: each frame is dropped for itself, not the clip.
    self.drop_path = tf_keras.layers.Dropout(
      stochastic_depth_drop_rate, noise_shape=(None, None, 1, 1, 1)
    )

  def build(self, input_shape):
    channels = input_shape[-1]
    self.fc1 = _dense(MLP_RATIO * channels, 'mlp/fc1', self._regularizer)
    self.fc2 = _dense(channels, 'mlp/fc2', self._regularizer)
    super().build(input_shape)

  def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    x = inputs + self.drop_path(
      self.modulation(self.norm1(inputs)), training=training
    )
    mlp = self.fc2(activations.gelu(self.fc1(self.norm2(x))))
    return x + self.drop_path(mlp, training=training)


@keras3.tf_keras_only
class VideoFocalNet(stateless.Stateless, tf_keras.Model):
  """Clips [B, N, H, W, 3] in [0, 1] to features by endpoint.

  Endpoints are [B, N / tubelet size, height, width, channels]: 'patch_embed',
  1/4 of the clip's height and width, and 'stage1' to 'stage4', 1/4 to 1/32,
  the last normalized; their spatial mean is the published model's embedding.

  With `use_external_states` it is called as a streaming MoViNet is, on
  {'image': clips}, for (endpoints, states), of which there are none.
  """

  def __init__(
    self,
    config: focalnet_config.VideoFocalNet,
    input_specs: tf_keras.layers.InputSpec,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    **kwargs,
  ):
    """Builds the model.

    Args:
      config: see there.
      input_specs: [batch, frames, height, width, 3]; all but 3 may be None.
      regularizer: the regularizer of the kernels.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: a field of `config`, by name, that cannot be used, or clips
        that cannot be taken.
    """
    architecture = config.architecture()
    config.check_clip(input_specs.shape[1:], 'input_specs')
    blocks = sum(architecture.depths)

    image = tf_keras.Input(shape=input_specs.shape[1:], name='image')
    x = image
    if config.mean or config.stddev:
      x = normalization.ChannelNormalization(
        config.mean, config.stddev, name='channel_normalization'
      )(x)
    x = PatchEmbedding(
      architecture.channels[0],
      PATCH_SIZE,
      config.tubelet_size,
      regularizer,
      name='patch_embed',
    )(x)
    endpoints = {'patch_embed': x}
    number = 0
    for stage, depth in enumerate(architecture.depths):
      if stage:
        x = PatchEmbedding(
          architecture.channels[stage],
          2,
          regularizer=regularizer,
          name=f'layers/{stage - 1}/downsample',
        )(x)
      for block in range(depth):
        x = Block(
          architecture.stochastic_depth_drop_rate * number / (blocks - 1),
          regularizer,
          config.focal_levels[stage],
          config.temporal_branch,
          config.fusion,
          name=f'layers/{stage}/blocks/{block}',
        )(x)
        number += 1
      endpoints[f'stage{stage + 1}'] = x
    endpoints['stage4'] = _norm('norm')(x)

    super().__init__(
      inputs={'image': image} if config.use_external_states else image,
      outputs=(endpoints, {}) if config.use_external_states else endpoints,
      **kwargs,
    )
    self._config = {
      'config': config.as_dict(),
      'input_shape': tuple(input_specs.shape),
      'regularizer': tf_keras.regularizers.serialize(regularizer),
    }

  def get_config(self) -> dict[str, Any]:
    return {'name': self.name, **self._config}

  @classmethod
  def from_config(cls, config, custom_objects=None):
    config = dict(config)
    return cls(
      focalnet_config.VideoFocalNet(config.pop('config')),
      tf_keras.layers.InputSpec(shape=tuple(config.pop('input_shape'))),
      tf_keras.regularizers.get(config.pop('regularizer')),
      **config,
    )
