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

"""A trained classifier that takes its video frame by frame.

It has the streaming interface of the Model Garden's MoViNet (Kondratyuk et al.,
arXiv 2103.11511, Section 3.2): inputs {'image': frames, **states}, outputs
(logits, states), all states zero at the start.  To the stream buffers of the
backbone it adds what the head has to know of earlier frames.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.backbones import same_structure
from official_ext.grw.configs import schema
from official_ext.grw.heads import frames
from official_ext.grw.heads import head_types
from official_ext.grw.modeling import grw_model

States = dict[str, tf.Tensor]

_PREFIX = 'state_grw_'
COUNT = 'state_grw_frame_count'
_EMBEDDINGS = 'state_grw_embeddings'
LOGITS = 'state_grw_logits'
# Inputs that a backbone with one feature vector a frame declares and ignores.
_UNUSED = 'state_head_pool_'


class StreamingClassifier(tf_keras.Model):
  """The frames of a video, in clips of any length, to logits and states.

      states = model.init_states([1, 1, 172, 172, 3])
      for frame in frames:  # [1, 1, 172, 172, 3] in [0, 1]
        logits, states = model({**states, 'image': frame})

  Up to N frames in all, `logits` are the classifier's for the frames so far.
  Beyond, its head sees the embeddings of the last N frames (the backbone's own
  states reach back to the start); see `TemporalHead.step` for the causal head.
  """

  def __init__(
    self,
    classifier: grw_model.GrwClassifier,
    num_frames: int,
    classify_every: int = 1,
    **kwargs,
  ):
    """Takes the weights of a classifier.

    Args:
      classifier: with a causal MoViNet as backbone.  Layers after the backbone
        are shared with it; the backbone's weights are copied.
      num_frames: N, the frames the head sees: the length of the clips that the
        classifier was trained with.
      classify_every: run the head at the first frame and then at each k-th,
        k up to N, and repeat its last logits between.  A causal head runs at
        every frame.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: the classifier cannot stream, or a number is out of range.
    """
    super().__init__(**kwargs)
    config = schema.GrwModel()
    config.override(classifier.get_config()['model_config'])
    config.backbone = families.with_states(config.backbone)
    self._head_type = head_types.of(config.head)
    self._in_steps = self._head_type.in_steps(config.head)
    if num_frames < 2:
      raise ValueError(f'num_frames={num_frames}: expected at least 2.')
    if not 1 <= classify_every <= (1 if self._in_steps else num_frames):
      raise ValueError(
        f'classify_every={classify_every}: expected 1, as a causal head has '
        'to take every frame'
        if self._in_steps
        else f'classify_every={classify_every}: expected 1 to the '
        f'{num_frames} frames of a clip.'
      )
    self.num_frames = num_frames
    self.classify_every = classify_every
    self.smoothing = config.smoothing
    self._backbone = grw_model.build_backbone(
      tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]), config
    )
    same_structure.copy_weights(classifier.backbone, self._backbone)
    names = {layer.name for layer in classifier.layers}
    self._embedding = (
      classifier.get_layer('grw_embedding')
      if 'grw_embedding' in names
      else None
    )
    self._head = classifier.get_layer(self._head_type.layer_name)
    self._last = grw_model.last_endpoint(self._backbone.output_shape[0])
    features = (
      self._embedding.output_shape
      if self._embedding is not None
      else self._backbone.output_shape[0][self._last]
    )
    self._dim = features[-1]
    self._num_classes = classifier.output_shape[-1]

  @property
  def num_classes(self) -> int:
    """The width of the logits."""
    return self._num_classes

  @property
  def embedding_dim(self) -> int:
    """D, the width of what `encode` returns."""
    return self._dim

  def _head_state_shapes(self, batch: Any) -> dict[str, tuple]:
    shapes: dict[str, tuple] = {COUNT: (1,)}
    if self._in_steps:
      of_head = self._head.state_shapes(batch, self.num_frames, self._dim)
      return {
        **shapes,
        **{_PREFIX + name: shape for name, shape in of_head.items()},
      }
    shapes[_EMBEDDINGS] = (batch, self.num_frames - 1, self._dim)
    if self.classify_every > 1:
      shapes[LOGITS] = logits_shape(batch, self._num_classes)
    return shapes

  def initial_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """Shape and type of every state, by name.

    Args:
      input_shape: [batch, frames, height, width, 3] of the images; sizes that
        are not fixed are None.
    """
    specs = self.backbone_state_specs(input_shape)
    for name, shape in self._head_state_shapes(input_shape[0]).items():
      specs[name] = tf_keras.layers.InputSpec(
        shape=shape, dtype='int32' if name == COUNT else 'float32'
      )
    return specs

  def backbone_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """The part of `initial_state_specs` that `encode` needs."""
    specs = self._backbone.initial_state_specs(input_shape)
    return {
      name: spec for name, spec in specs.items() if not name.startswith(_UNUSED)
    }

  def init_states(self, input_shape: Sequence[int] | tf.Tensor) -> States:
    """The states before the first frame: zeros.

    Args:
      input_shape: [batch, frames, height, width, 3] of the images.
    """
    states = {
      name: state
      for name, state in self._backbone.init_states(input_shape).items()
      if not name.startswith(_UNUSED)
    }
    for name, shape in self._head_state_shapes(input_shape[0]).items():
      states[name] = tf.zeros(shape, tf.int32 if name == COUNT else tf.float32)
    return states

  def encode(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, States]:
    """Embeddings of frames, without the head.

    Args:
      inputs: 'image' [batch, k, height, width, 3] in [0, 1], and the states of
        `backbone_state_specs`; others are ignored.

    Returns:
      [batch, k, D] float32 and the backbone's states.
    """
    image = inputs['image']
    specs = self._backbone.initial_state_specs(image.shape)
    states = {
      name: (
        tf.zeros(
          [size or tf.shape(image)[0] for size in spec.shape], spec.dtype
        )
        if name.startswith(_UNUSED)
        else inputs[name]
      )
      for name, spec in specs.items()
    }
    endpoints, states = self._backbone({**states, 'image': image})
    features = tf.cast(
      tf.reduce_mean(endpoints[self._last], axis=[2, 3]), tf.float32
    )
    if self._embedding is not None:
      features = self._embedding(features)
    return features, {
      name: state
      for name, state in states.items()
      if not name.startswith(_UNUSED)
    }

  def classify(self, embeddings: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
    """Logits [batch, classes] of the first `num_frames` of the embeddings.

    Args:
      embeddings: [batch, M, D]; those beyond `num_frames` are ignored.
      num_frames: a scalar of at least 1.
    """
    counts = tf.repeat(num_frames, tf.shape(embeddings)[0])
    logits = self._head_type.classify(self._head, embeddings, counts)
    return tf.reshape(logits, [-1, self._num_classes])

  def call(
    self, inputs: Mapping[str, tf.Tensor], training: bool = False
  ) -> tuple[tf.Tensor, States]:
    """The next frames of a stream.

    Args:
      inputs: 'image' [batch, k, height, width, 3] in [0, 1] with k ≥ 1, and all
        states.
      training: must be false; train the clip model.

    Returns:
      float32 logits [batch, classes] after the last of the frames, and the
      states to come with the next ones.

    Raises:
      ValueError: a state is missing, not of this model, or of another shape.
    """
    if training:
      raise ValueError(
        'A streaming model does not train: train the clip model '
        'and stream its weights.'
      )
    logits, states, _ = self.answer(inputs)
    return logits, states

  def answer(
    self, inputs: Mapping[str, tf.Tensor]
  ) -> tuple[tf.Tensor, States, tf.Tensor]:
    """What a call returns, and the embeddings of the frames.

    Args:
      inputs: see `call`.

    Returns:
      Logits, states and float32 embeddings [batch, k, D].

    Raises:
      ValueError: as of `call`.
    """
    check_states(inputs, self.initial_state_specs(inputs['image'].shape))
    embeddings, states = self.encode(inputs)
    logits, of_head = self.decide(embeddings, inputs)
    return logits, {**states, **of_head}, embeddings

  def decide(
    self, embeddings: tf.Tensor, inputs: Mapping[str, tf.Tensor]
  ) -> tuple[tf.Tensor, States]:
    """What the head makes of the next frames' embeddings.

    Args:
      embeddings: [batch, k, D], of `encode`.
      inputs: the states that `encode` does not return; others are ignored.

    Returns:
      Logits as of `call`, and these states.
    """
    before = inputs[COUNT][0]
    after = before + tf.shape(embeddings)[1]
    states = {COUNT: tf.reshape(after, [1])}
    if self._in_steps:
      logits, of_head = self._head.step(
        embeddings,
        {
          name.removeprefix(_PREFIX): state
          for name, state in inputs.items()
          if name.startswith(_PREFIX)
        },
        before,
      )
      states.update({_PREFIX + name: state for name, state in of_head.items()})
      return logits, states

    recent = frames.last_frames(
      tf.concat([inputs[_EMBEDDINGS], embeddings], axis=1), self.num_frames
    )
    states[_EMBEDDINGS] = recent[:, 1:]

    def classify():
      # Embeddings stand at the end of the buffer until it is full, and the
      # head wants them at the start.
      count = tf.minimum(after, self.num_frames)
      order = (
        tf.range(self.num_frames) + self.num_frames - count
      ) % self.num_frames
      return self.classify(tf.gather(recent, order, axis=1), count)

    if self.classify_every == 1:
      return classify(), states
    is_due = tf.logical_or(
      tf.equal(before, 0),
      after // self.classify_every > before // self.classify_every,
    )
    logits = tf.cond(is_due, classify, lambda: inputs[LOGITS][:, 0])
    states[LOGITS] = logits[:, tf.newaxis]
    return logits, states


def logits_shape(batch: Any, num_classes: int) -> tuple:
  """The shape of the state that repeats the last logits.

  Another than theirs, as they would be one tensor of a TFLite file under two
  names, of which clients in Java and of LiteRT's CompiledModel fill one.
  """
  return (batch, 1, num_classes)


def check_states(
  inputs: Mapping[str, tf.Tensor],
  specs: Mapping[str, tf_keras.layers.InputSpec],
):
  """Raises ValueError unless the inputs are 'image' and the states of specs."""
  given = set(inputs) - {'image'}
  if given != set(specs):
    raise ValueError(
      f'States of a stream: missing {sorted(set(specs) - given)}, unknown '
      f'{sorted(given - set(specs))}; start with init_states(image.shape) '
      'and pass on what each call returns.'
    )
  for name, spec in specs.items():
    if not tf.TensorShape(spec.shape).is_compatible_with(inputs[name].shape):
      raise ValueError(
        f'State {name!r} has shape {tuple(inputs[name].shape)}, expected '
        f'{tuple(spec.shape)} for images of shape '
        f'{tuple(inputs["image"].shape)}; start anew with init_states.'
      )
