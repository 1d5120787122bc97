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

"""Two classifiers that share the frames of a video.

Kondratyuk et al., arXiv 2103.11511, Section 3.3: each member sees every second
frame, the second one frame later; the mean of their logits, before the softmax,
is the ensemble's.  So a video costs what one member at the full frame rate
does.  Or, as their MoViNet-A6 (Appendix B), each member sees the whole video in
clips of its own rate and size, and a video costs what both cost alone.
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from official.vision.modeling import factory_3d
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import keras3
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.datasets import feature_names
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming

_COUNT = 'state_ensemble_frame_count'


@dataclasses.dataclass(frozen=True)
class View:
  """Which part of a clip [batch, N, height, width, 3] a member sees.

  Attributes:
    offset: its first frame.
    step: from one of its frames to the next.
    crop: height and width of the center of frames that it sees; (), all.
    size: height and width that the crop is resized to, bilinearly.
  """

  offset: int
  step: int
  crop: tuple[int, ...] = ()
  size: tuple[int, ...] = ()

  def clips(self, image: tf.Tensor) -> tf.Tensor:
    """The member's clips."""
    frames = image[:, self.offset :: self.step]
    if not self.crop:
      return frames

    def crop_and_resize(images):
      _, height, width, _ = frame_operations.sizes(images)
      top, left = (height - self.crop[0]) // 2, (width - self.crop[1]) // 2
      # It fails where frames are smaller.
      images = tf.image.crop_to_bounding_box(images, top, left, *self.crop)
      if self.crop == self.size:
        return images
      return tf.image.resize(images, self.size)

    return frame_operations.on_frames(crop_and_resize, frames)

  def counts(self, num_frames: tf.Tensor) -> tf.Tensor:
    """How many of the first frames of clips the member sees, at least 1."""
    return tf.maximum(
      (num_frames - self.offset + self.step - 1) // self.step, 1
    )


def views(model: ensemble_cfg.GrwEnsemble) -> tuple[View, ...]:
  """What each of the members sees."""
  if model.frames == 'alternate':
    return View(0, 2), View(1, 2)
  return tuple(
    View(
      0,
      member.frame_step,
      tuple(member.crop_size),
      tuple(member.feature_shape[1:3]),
    )
    for member in model.members
  )


def _require_even(num_frames: int):
  if num_frames % 2:
    raise ValueError(
      f'A clip of {num_frames} frames: expected an even number, of which '
      'each member of the ensemble sees every second.'
    )


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class TemporalEnsemble(tf_keras.Model):
  """Clips [batch, N, height, width, 3], N even, to logits [batch, classes].

  The input is {'image': clips}, values in [0, 1]; a call may also give
  'num_frames' as for `GrwClassifier`.  Of a clip with a single frame before the
  first repetition the logits are those of the first member, as in a stream.

  Where `model_config.frames` is 'own', N may be odd, and both members count in
  any case.
  """

  def __init__(
    self,
    model_config: ensemble_cfg.GrwEnsemble,
    num_classes: int,
    input_specs: tf_keras.layers.InputSpec,
    l2_weight_decay: float = 0.0,
    **kwargs,
  ):
    """Builds both members.

    Args:
      model_config: the whole model; kept in the Keras config.
      num_classes: width of the logits.
      input_specs: the shape of the clips; frames, height and width may be None.
      l2_weight_decay: as for `GrwClassifier`.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: the members take turns and the number of frames is odd, or a
        member cannot be built.
    """
    shape = tuple(input_specs.shape)
    seen = views(model_config)
    in_turns = model_config.frames == 'alternate'
    if in_turns and shape[1] is not None:
      _require_even(shape[1])
    members = [
      grw_model.GrwClassifier(
        member.model,
        num_classes,
        tf_keras.layers.InputSpec(
          shape=(
            shape[0],
            shape[1] and shape[1] // view.step,
            *(view.size or shape[2:4]),
            shape[4],
          )
        ),
        l2_weight_decay,
        name=name,
      )
      for name, member, view in zip(
        ensemble_cfg.MEMBERS, model_config.members, seen
      )
    ]
    image = tf_keras.Input(shape=shape[1:], name='image')
    first, second = (
      member({'image': view.clips(image)})
      for view, member in zip(seen, members)
    )
    super().__init__(
      inputs={'image': image}, outputs=(first + second) / 2, **kwargs
    )
    # After super(), so that Keras tracks them.
    self._members = members
    self._views = seen
    self._in_turns = in_turns
    # Not as a dict, whose lists Keras would make lists of another kind.
    self._model_config = model_config.replace()
    self._config = {
      'num_classes': num_classes,
      'input_shape': shape,
      'l2_weight_decay': l2_weight_decay,
    }

  @property
  def members(self) -> Sequence[grw_model.GrwClassifier]:
    """Both classifiers, in the order of the frames they see."""
    return self._members

  @property
  def model_config(self) -> ensemble_cfg.GrwEnsemble:
    """What it was built from."""
    return self._model_config

  @property
  def smoothing(self) -> None:
    """None: there is no one smoothing layer to measure."""

  def call(self, inputs, training=None, mask=None):
    """Logits; see the class for what `inputs` may hold."""
    image = inputs['image']
    if not self._in_turns:
      pass
    elif image.shape[1] is not None:
      _require_even(image.shape[1])
    else:
      tf.debugging.assert_equal(
        tf.shape(image)[1] % 2,
        0,
        'A temporal ensemble takes clips of an even number of frames.',
      )
    num_frames = inputs.get(
      feature_names.HEAD_FRAMES, inputs.get(feature_names.NUM_FRAMES)
    )
    if num_frames is None:
      return super().call({'image': image}, training=training, mask=mask)
    first, second = (
      member(
        {
          'image': view.clips(image),
          feature_names.NUM_FRAMES: view.counts(num_frames),
        },
        training=training,
      )
      for view, member in zip(self._views, self._members)
    )
    mean = (first + second) / 2
    if not self._in_turns:
      return mean
    return tf.where((num_frames > 1)[:, tf.newaxis], mean, first)

  def get_config(self) -> dict[str, Any]:
    return {
      'name': self.name,
      'model_config': self._model_config.as_dict(),
      **self._config,
    }

  @classmethod
  def from_config(cls, config, custom_objects=None):
    config = dict(config)
    model_config = ensemble_cfg.GrwEnsemble()
    model_config.override(config.pop('model_config'))
    return cls(
      model_config=model_config,
      input_specs=tf_keras.layers.InputSpec(
        shape=tuple(config.pop('input_shape'))
      ),
      **config,
    )


@factory_3d.register_model_builder('grw_ensemble')
def build_ensemble(
  input_specs: tf_keras.layers.InputSpec,
  model_config: ensemble_cfg.GrwEnsemble,
  num_classes: int,
  l2_regularizer: tf_keras.regularizers.Regularizer | None = None,
) -> TemporalEnsemble:
  """Builds a TemporalEnsemble as `factory_3d.build_model` asks for it."""
  l2 = float(l2_regularizer.get_config()['l2']) if l2_regularizer else 0.0
  return TemporalEnsemble(
    model_config, num_classes, input_specs, l2_weight_decay=2.0 * l2
  )


def _member_state(member: str, name: str) -> str:
  """The ensemble's name for a state of a member."""
  return f'state_{member}_{name.removeprefix("state_")}'


class StreamingEnsemble(tf_keras.Model):
  """The frames of a video, in clips of any length, to logits and states.

  It has the interface of `StreamingClassifier`, and its states are those of
  both members under names of their own, their last logits, and a count of
  frames.  Each frame is taken by one of the members.  After an even number of
  frames, up to N, the logits are the clip model's; between, the last logits of
  both members count; after the first frame, those of the first member alone.
  """

  def __init__(
    self,
    model: TemporalEnsemble,
    num_frames: int,
    classify_every: int = 1,
    **kwargs,
  ):
    """Takes the weights of an ensemble.

    Args:
      model: both members with a causal backbone.
      num_frames: N, even: the frames the heads see, half of them each.
      classify_every: 1, or an even number: each head runs at the first frame
        it sees, and then once in so many frames of the video.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: a member cannot stream, or a number is out of range.
    """
    super().__init__(**kwargs)
    _require_even(num_frames)
    if classify_every != 1 and (
      classify_every % 2 or not 2 <= classify_every <= num_frames
    ):
      raise ValueError(
        f'classify_every={classify_every}: expected 1, or an even number up '
        f'to the {num_frames} frames of a clip, as each member of the '
        'ensemble sees every second frame.'
      )
    self.num_frames = num_frames
    self.classify_every = classify_every
    self._members = {
      name: streaming.StreamingClassifier(
        member, num_frames // 2, max(classify_every // 2, 1)
      )
      for name, member in zip(ensemble_cfg.MEMBERS, model.members)
    }

  @property
  def num_classes(self) -> int:
    """The width of the logits."""
    return self._members['first'].num_classes

  def initial_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """Shape and type of every state, by name; see `StreamingClassifier`."""
    specs = {_COUNT: tf_keras.layers.InputSpec(shape=(1,), dtype='int32')}
    for member, stream in self._members.items():
      # A member that does not classify each frame has its last logits already.
      specs[_member_state(member, streaming.LOGITS)] = (
        tf_keras.layers.InputSpec(
          shape=streaming.logits_shape(input_shape[0], self.num_classes),
          dtype='float32',
        )
      )
      for name, spec in stream.initial_state_specs(input_shape).items():
        specs[_member_state(member, name)] = spec
    return specs

  def init_states(
    self, input_shape: Sequence[int] | tf.Tensor
  ) -> streaming.States:
    """The states before the first frame: zeros."""
    states = {_COUNT: tf.zeros([1], tf.int32)}
    for member, stream in self._members.items():
      states[_member_state(member, streaming.LOGITS)] = tf.zeros(
        streaming.logits_shape(input_shape[0], self.num_classes)
      )
      for name, state in stream.init_states(input_shape).items():
        states[_member_state(member, name)] = state
    return states

  def call(
    self, inputs: Mapping[str, tf.Tensor], training: bool = False
  ) -> tuple[tf.Tensor, streaming.States]:
    """The next frames of a stream; as of `StreamingClassifier`."""
    if training:
      raise ValueError(
        'A streaming model does not train: train the clip '
        'models of the members and stream their weights.'
      )
    streaming.check_states(
      inputs, self.initial_state_specs(inputs['image'].shape)
    )
    image = inputs['image']
    before = inputs[_COUNT][0]
    after = before + tf.shape(image)[1]
    states = {_COUNT: tf.reshape(after, [1])}
    logits = {}
    for offset, (member, stream) in enumerate(self._members.items()):
      names = stream.initial_state_specs(image.shape)
      own = {
        name: inputs[_member_state(member, name)]
        for name in (*names, streaming.LOGITS)
      }
      # Whether its next frame is the first or the second of these.
      begin = (before + offset) % 2
      # A slice of unknown length would make TFLite states of unknown shape.
      frames = image if image.shape[1] == 1 else image[:, begin::2]

      # LiteRT mixes up what leaves a branch if one tensor leaves it twice, so
      # the logits are among the states alone.
      def step(stream=stream, own=own, names=names, frames=frames):
        logits, after = stream(
          {**{name: own[name] for name in names}, 'image': frames}
        )
        return {**after, streaming.LOGITS: logits[:, tf.newaxis]}

      def wait(own=own):
        return own

      own = tf.cond(begin < tf.shape(image)[1], step, wait)
      logits[member] = own[streaming.LOGITS][:, 0]
      for name, state in own.items():
        states[_member_state(member, name)] = state
    first, second = logits['first'], logits['second']
    return tf.where(after > 1, (first + second) / 2, first), states


def stream_of(
  model: grw_model.GrwClassifier | TemporalEnsemble,
  num_frames: int,
  classify_every: int = 1,
) -> streaming.StreamingClassifier | StreamingEnsemble:
  """The streaming model of a trained one.

  Args:
    model: a classifier or an ensemble.
    num_frames: N, the frames that its heads see.
    classify_every: see the class of the streaming model.

  Raises:
    ValueError: the model cannot stream, or a number is out of range.
  """
  if isinstance(model, TemporalEnsemble):
    ensemble_cfg.require_streams(model.model_config)
    return StreamingEnsemble(model, num_frames, classify_every)
  return streaming.StreamingClassifier(model, num_frames, classify_every)
