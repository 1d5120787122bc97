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

"""MobileNetV3 on the frames of a video, with a base frame or a shift.

The network is the Model Garden's own, layer by layer and with its own weights.
Here is what it lacks: time.
"""

from collections.abc import Mapping, Sequence
import functools
from typing import Any, NamedTuple

from official.vision.modeling.backbones import mobilenet
from official.vision.modeling.layers import nn_blocks
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import image_networks
from official_ext.grw.compat import keras3

# Of a block's channels, the part that is shifted (TSM, Section 4).
_SHIFT_DIVISOR = 8
_BASE_FRAME = 'state_base_frame'
_COUNT = 'state_base_frame_count'


@tf_keras.utils.register_keras_serializable(package='grw')
class BaseFrame(tf_keras.layers.Layer):
  """Stacks each frame with its base frame, the first of its window."""

  def __init__(self, window: int, **kwargs):
    """Initializes the layer.

    Args:
      window: frames from one base frame to the next.
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self._window = window

  def call(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
    """Returns the stacked frames, and the states after them.

    Args:
      inputs: frames [batch, N, height, width, 3]; and of a stream the base
        frame [batch, 1, height, width, 3] of its last frame, and [1] int32, how
        many frames its last window has had so far.

    Returns:
      [batch, N, height, width, 6], and both states.
    """
    frames = inputs[0]
    base, count = inputs[1:] or (
      tf.zeros_like(frames[:, :1]),
      tf.zeros([1], tf.int32),
    )
    num_frames = tf.shape(frames)[1]
    places = count[0] + tf.range(num_frames)
    # Where the window of each frame began; -1 is before these frames.
    begins = tf.maximum(places - places % self._window - count[0], -1)
    bases = tf.gather(tf.concat([base, frames], axis=1), begins + 1, axis=1)
    return (
      tf.concat([frames, bases], axis=-1),
      bases[:, -1:],
      tf.reshape((count[0] + num_frames) % self._window, [1]),
    )

  def get_config(self) -> dict[str, Any]:
    return {**super().get_config(), 'window': self._window}


@tf_keras.utils.register_keras_serializable(package='grw')
class TemporalShift(tf_keras.layers.Layer):
  """Puts the previous frame's first channels in place of a frame's own."""

  def call(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the shifted features, and the state after them.

    Args:
      inputs: features [batch * N, height, width, C]; the clips [batch, N, ...]
        they are of; and of a stream the state [batch, height, width, C // 8],
        which otherwise is zero.
    """
    features, clips, *state = inputs
    count = features.shape[-1] // _SHIFT_DIVISOR
    own = features[..., :count]
    by_clip = tf.reshape(
      own, tf.concat([tf.shape(clips)[:2], tf.shape(own)[1:]], axis=0)
    )
    before = state[0][:, tf.newaxis] if state else tf.zeros_like(by_clip[:, :1])
    by_clip = tf.concat([before, by_clip], axis=1)
    shifted = tf.reshape(by_clip[:, :-1], tf.shape(own))
    return (
      tf.concat([shifted, features[..., count:]], axis=-1),
      by_clip[:, -1],
    )


class _Shift(NamedTuple):
  """A shift inside a block: its state's name, and of what size that is."""

  state: str
  stride: int
  channels: int


def _shifts(network: tf_keras.Model) -> dict[str, _Shift]:
  """Where TSM shifts, by layer: in blocks that expand and have a shortcut."""
  shifts, stride = {}, 1
  for number, layer in enumerate(
    layer for layer in network.layers if layer.weights
  ):
    config = layer.get_config()
    stride *= config['strides']
    if (
      isinstance(layer, nn_blocks.InvertedBottleneckBlock)
      and config['strides'] == 1
      and config['expand_ratio'] > 1
      and config['in_filters'] == config['out_filters']
    ):
      shifts[layer.name] = _Shift(
        f'state_block{number}_shift',
        stride,
        config['in_filters'] // _SHIFT_DIVISOR,
      )
  return shifts


def _reduced(size: Any, stride: int) -> Any:
  """A height or width, which may be None or a tensor, after convolutions."""
  return None if size is None else -(-size // stride)


def _state_shapes(
  temporal: str, shifts: Mapping[str, _Shift], input_shape: Sequence[Any]
) -> dict[str, tuple]:
  """Shapes of the states for clips of a shape."""
  batch, _, height, width, _ = input_shape
  if temporal == 'base_frame':
    return {_BASE_FRAME: (batch, 1, height, width, 3), _COUNT: (1,)}
  return {
    shift.state: (
      batch,
      _reduced(height, shift.stride),
      _reduced(width, shift.stride),
      shift.channels,
    )
    for shift in shifts.values()
  }


def _state_dtype(name: str) -> str:
  return 'int32' if name == _COUNT else 'float32'


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class MobileNetV3(tf_keras.Model):
  """Clips [batch, N, height, width, 3] to endpoints of the same N frames.

  The input is {'image': clips}, values in [0, 1], which are normalized as for
  the Model Garden's ImageNet models.  Endpoints are [batch, N, h, w, C]: '2' to
  '5' as of the Model Garden's MobileNet, and 'head', of size 1 x 1, which an
  image classifier reads.

  With `use_external_states` it is called as a streaming MoViNet is: on
  {'image': clips, **states}, for (endpoints, states).
  """

  def __init__(
    self,
    model_id: str = 'MobileNetV3Small',
    width_multiplier: float = 1.0,
    temporal: str = 'base_frame',
    window: int = 5,
    use_external_states: bool = False,
    use_sync_bn: bool = False,
    norm_momentum: float = 0.99,
    norm_epsilon: float = 0.001,
    kernel_regularizer: Any = None,
    **kwargs,
  ):
    """Builds the network.

    Args:
      model_id, width_multiplier, temporal, window, use_external_states: see
        `config.MobileNetV3`.
      use_sync_bn: batch norms see all replicas.
      norm_momentum: the momentum of batch norms.
      norm_epsilon: the epsilon of batch norms.
      kernel_regularizer: the regularizer of convolutions that are not
        depthwise.
      **kwargs: the arguments of the Keras model.
    """
    image_network = functools.partial(
      mobilenet.MobileNet,
      model_id=model_id,
      filter_size_scale=width_multiplier,
      use_sync_bn=use_sync_bn,
      norm_momentum=norm_momentum,
      norm_epsilon=norm_epsilon,
      kernel_regularizer=kernel_regularizer,
    )
    network = image_network(
      input_specs=tf_keras.layers.InputSpec(
        shape=[None, None, None, 6 if temporal == 'base_frame' else 3]
      )
    )
    shifts = _shifts(network) if temporal == 'shift' else {}
    state_shapes = functools.partial(_state_shapes, temporal, shifts)

    image = tf_keras.Input((None, None, None, 3), name='image')
    states = {}
    if use_external_states:
      states = {
        name: tf_keras.Input(shape[1:], dtype=_state_dtype(name), name=name)
        for name, shape in state_shapes(image.shape).items()
      }
    inputs = {'image': image, **states}
    x = image_networks.imagenet_normalization()(image)
    if temporal == 'base_frame':
      x, base, count = BaseFrame(window, name='base_frame')(
        [x, *states.values()]
      )
      states = {_BASE_FRAME: base, _COUNT: count}
    x = image_networks.ToFrames(name='to_frames')(x)
    levels = dict(zip(network.output_names, sorted(network.output)))
    endpoints = {}
    for layer in network.layers[1:]:
      if layer.name in shifts:
        name = shifts[layer.name].state
        before = [states[name]] if use_external_states else []
        shifted, states[name] = TemporalShift(name=name.removeprefix('state_'))(
          [x, image, *before]
        )
        # The block adds what it is given, while its shortcut has to be what
        # was there before the shift.
        x = layer(shifted) + (x - shifted)
      else:
        x = layer(x)
      if layer.name in levels:
        level = levels[layer.name]
        endpoints[level] = image_networks.ToClips(name=f'endpoint_{level}')(
          [x, image]
        )
    endpoints['head'] = endpoints.pop(max(endpoints))

    super().__init__(
      inputs=inputs,
      outputs=(endpoints, states) if use_external_states else endpoints,
      **kwargs,
    )
    self._image_network = image_network
    self._state_shapes = state_shapes
    self._config = {
      'model_id': model_id,
      'width_multiplier': width_multiplier,
      'temporal': temporal,
      'window': window,
      'use_external_states': use_external_states,
      'use_sync_bn': use_sync_bn,
      'norm_momentum': norm_momentum,
      'norm_epsilon': norm_epsilon,
      'kernel_regularizer': kernel_regularizer,
    }

  def image_network(self, channels: int = 3) -> mobilenet.MobileNet:
    """A new network of the Model Garden's, of this size, for images.

    It has the layers of this model that have variables; of those only the
    kernel of the first has a shape that depends on `channels`.
    """
    return self._image_network(
      input_specs=tf_keras.layers.InputSpec(shape=[None, None, None, channels])
    )

  def initial_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """Shape and type of every state, by name.

    Args:
      input_shape: [batch, frames, height, width, 3] of the images; sizes that
        are not fixed are None.
    """
    return {
      name: tf_keras.layers.InputSpec(shape=shape, dtype=_state_dtype(name))
      for name, shape in self._state_shapes(input_shape).items()
    }

  def init_states(
    self, input_shape: Sequence[int] | tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """The states before the first frame: zeros.

    Args:
      input_shape: [batch, frames, height, width, 3] of the images.
    """
    return {
      name: tf.zeros(shape, _state_dtype(name))
      for name, shape in self._state_shapes(
        [input_shape[axis] for axis in range(5)]
      ).items()
    }

  def get_config(self) -> dict[str, Any]:
    return {'name': self.name, **self._config}

  @classmethod
  def from_config(cls, config, custom_objects=None):
    return cls(**config)
