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

"""A Model Garden video backbone with GRW-smoothing and a head.

Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 3: smoothing of the
final frame embeddings, or of an intermediate endpoint.
"""

from collections.abc import Mapping
import threading
from typing import Any

from absl import logging
from official.vision.modeling import backbones
from official.vision.modeling import factory_3d
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.compat import batch_norm
from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import keras3
from official_ext.grw.compat import nested_models
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.heads import head_types
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import window_places
from official_ext.grw.modeling import subclips


def build_backbone(
  input_specs: tf_keras.layers.InputSpec,
  model_config: schema.GrwModel,
  l2_regularizer: tf_keras.regularizers.Regularizer | None = None,
) -> tf_keras.Model:
  """The stock backbone, with its batch norms synchronized as configured.

  Where `video_operations` asks for it, or else where the distribution strategy
  that is entered computes on CPUs, its 3D layers are computed by 2D operations,
  see `frame_operations`.

  Args:
    input_specs: [batch, frames, height, width, 3].
    model_config: `backbone`, `norm_activation` and `video_operations` are read.
    l2_regularizer: the regularizer of the convolutions.
  """
  backbone = backbones.factory.build_backbone(
    input_specs=input_specs,
    backbone_config=model_config.backbone,
    norm_activation_config=model_config.norm_activation,
    l2_regularizer=l2_regularizer,
  )
  families.of(model_config.backbone).finish(
    backbone, model_config.backbone.get()
  )
  if model_config.norm_activation.use_sync_bn:
    batch_norm.synchronize(backbone)
  by_frames = {
    'auto': frame_operations.computes_on_cpus(),
    'frames': True,
    'volumes': False,
  }[model_config.video_operations]
  if by_frames:
    frame_operations.compute_frame_by_frame(backbone)
  return backbone


@tf_keras.utils.register_keras_serializable(package='grw', name='Beside')
class KeepsSideBranch(tf_keras.layers.Layer):
  """Returns the first of its inputs, and keeps the second in the model.

  A functional model drops layers that its outputs do not need, and with them
  the losses they add.
  """

  def call(self, inputs):
    return tf.identity(inputs[0])


def _frame_vectors(features: tf.Tensor, name: str) -> tf.Tensor:
  """[batch, N, H, W, C] features to their spatial mean [batch, N, C]."""
  if features.shape.rank != 5:
    raise ValueError(
      f'Endpoint {name!r} has shape {features.shape}; GRW-smoothing needs '
      '[batch, frames, height, width, channels].'
    )
  return tf.reduce_mean(features, axis=[2, 3])


def last_endpoint(endpoints: Mapping[Any, Any]) -> Any:
  """The name of the features that a classifier reads, as in stock."""
  return 'head' if 'head' in endpoints else max(endpoints)


def _endpoints(backbone: tf_keras.Model, image: tf.Tensor) -> dict[Any, Any]:
  """The features of clips [batch, N, H, W, 3], by endpoint."""
  outputs = backbone(
    {'image': image} if isinstance(backbone.input, Mapping) else image
  )
  return outputs[0] if isinstance(outputs, tuple) else outputs


class _SmoothingAndHead:
  """What becomes of a backbone's endpoints: smoothing, embedding and head.

  Not a layer, so that the model's layers, and with them its checkpoints, are
  the same flat list however they are called.
  """

  def __init__(
    self,
    model_config: schema.GrwModel,
    num_classes: int,
    endpoints: Mapping[Any, tf.Tensor],
    backbone: tf_keras.Model,
    regularizer: tf_keras.regularizers.Regularizer | None,
  ):
    """Makes the layers; arguments and errors as of `GrwClassifier`."""
    config, head = model_config.smoothing, model_config.head
    self._config = config
    self._head_type = head_types.of(head)
    self._last = last_endpoint(endpoints)
    features = _frame_vectors(endpoints[self._last], self._last)
    self.smooth = grw_smoothing.GrwSmoothing(
      window=config.window,
      alpha=config.alpha,
      weight=config.weight,
      sampled=config.sampled,
      num_orderings=config.num_orderings,
      seed=config.seed,
      phase=config.phase,
      window_range=config.window_range,
      name='grw_smoothing',
    )
    if config.placement == 'intermediate':
      if config.endpoint not in endpoints:
        raise ValueError(
          f'task.model.smoothing.endpoint={config.endpoint!r} is not an '
          f'endpoint of the backbone, which has {sorted(endpoints)}.'
        )
      # Normalized so that neither a scale nor an offset, both of which the
      # following layers could undo, makes the loss small.
      self._norm = tf_keras.layers.BatchNormalization(
        center=False,
        scale=False,
        synchronized=model_config.norm_activation.use_sync_bn,
        momentum=model_config.norm_activation.norm_momentum,
        epsilon=model_config.norm_activation.norm_epsilon,
        dtype='float32',
        name='grw_norm',
      )
      self._keeps_side_branch = KeepsSideBranch(name='grw_beside')

    self._embed = None
    if config.placement == 'final' or self._head_type.reads_embeddings:
      # The published "normalizing affine map".  float32, so that the loss
      # sees embeddings that no precision policy has rounded.
      self._embed = tf_keras.layers.Dense(
        head.embedding_dim or features.shape[-1],
        dtype='float32',
        name='grw_embedding',
      )
    self._head = self._head_type.build(
      model_config, num_classes, backbone, regularizer
    )
    # Of a thread: MirroredStrategy traces each replica in one of its own.
    self._last_call = threading.local()

  @property
  def endpoints(self) -> list[Any]:
    """Names of those that are used."""
    if self._config.placement == 'intermediate':
      return list({self._last: None, self._config.endpoint: None})
    return [self._last]

  def __call__(
    self,
    endpoints: Mapping[Any, tf.Tensor],
    num_frames: tf.Tensor | None = None,
    clip_frames: tf.Tensor | None = None,
    cuts: tf.Tensor | None = None,
    head_frames: tf.Tensor | None = None,
    predictions: int | None = None,
  ) -> tf.Tensor:
    """Returns logits, [batch, classes].

    Args:
      endpoints: the endpoints of the backbone.
      num_frames: [batch] int, frames that are not repetitions, or None.
      clip_frames: N, a scalar; not None unless num_frames is.
      cuts: [batch, N] bool, frames that begin a shot, or None.
      head_frames: [batch] int, frames that the head sees; None: `num_frames`.
      predictions: n; logits are [batch, n, classes], those after each of n
        subclips (`modeling.subclips`).  None, those of the clip alone.
    """

    def masked(vectors, frames=num_frames):
      """The arguments that tell a layer of vectors which take part."""
      if frames is None:
        return {}
      # A backbone may keep one vector for several frames.
      count = frames * tf.shape(vectors)[1] // clip_frames
      return {'num_frames': tf.maximum(count, 1)}

    def smoothed(vectors):
      if cuts is None:
        return self.smooth(vectors, **masked(vectors))
      count = vectors.shape[1] or tf.shape(vectors)[1]
      of_vectors = window_places.cuts_of_vectors(cuts, count)
      return self.smooth(vectors, **masked(vectors), cuts=of_vectors)

    features = _frame_vectors(endpoints[self._last], self._last)
    config = self._config
    if config.placement == 'intermediate':
      vectors = _frame_vectors(endpoints[config.endpoint], config.endpoint)
      normalized = self._norm(vectors) * vectors.shape[-1] ** -0.5
      features = self._keeps_side_branch([features, smoothed(normalized)])
    if self._embed is not None:
      features = self._embed(features)
    if config.placement == 'final':
      features = smoothed(features)
    seen = masked(features, num_frames if head_frames is None else head_frames)
    self._last_call.vectors = features
    self._last_call.masks = seen
    if predictions is not None:
      return self._after_each(features, predictions, **seen)
    return self._head_type.classify(self._head, features, **seen)

  def _after_each(
    self,
    vectors: tf.Tensor,
    num_subclips: int,
    num_frames: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Logits [batch, n, classes] after each of n subclips of the vectors."""
    length = frame_operations.sizes(vectors)[1] // num_subclips
    logits = []
    for end in range(1, num_subclips + 1):
      # What the head keeps of the subclips before is a buffer, too.
      seen = tf.concat(
        [
          tf.stop_gradient(vectors[:, : (end - 1) * length]),
          vectors[:, (end - 1) * length : end * length],
        ],
        axis=1,
      )
      masks = (
        {}
        if num_frames is None
        else {'num_frames': tf.minimum(num_frames, end * length)}
      )
      logits.append(self._head_type.classify(self._head, seen, **masks))
    return tf.stack(logits, axis=1)

  def after(self, count: int) -> tf.Tensor:
    """Logits [batch, classes] of the first vectors of the last call alone."""
    vectors, masks = self._last_call.vectors, self._last_call.masks
    counts = masks.get('num_frames', tf.fill([tf.shape(vectors)[0]], count))
    return self._head_type.classify(
      self._head, vectors, num_frames=tf.minimum(counts, count)
    )


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class GrwClassifier(tf_keras.Model):
  """Clips [batch, N, height, width, 3] to logits [batch, classes].

  The input is {'image': clips}, values in [0, 1].  λ · L_smooth is in
  `losses` after a call.  Layers after the backbone have names that begin with
  'grw_', by which the optimizer tells them from the backbone's.

  Training refuses clips with fewer feature vectors than a window of the loss;
  to inference a window is of no concern.

  A call may also give 'num_frames', [batch] int32: how many frames of each
  clip, from the first, are not repetitions.  Only they take part in the head,
  and only windows of them in the loss, so that with a streaming backbone, which
  does not look ahead, the logits are those of the clip cut short.  Other
  backbones see repeated frames through convolutions and pooling over time, and
  batch statistics see them in any case, as in stock.  With 'head_frames',
  [batch] int32, the head sees so many, and the loss is as before.

  And it may give 'cuts', [batch, N] bool: the frames that begin a shot.  No
  window of the loss spans two shots; the logits are the same.
  """

  def __init__(
    self,
    model_config: schema.GrwModel,
    num_classes: int,
    input_specs: tf_keras.layers.InputSpec,
    l2_weight_decay: float = 0.0,
    **kwargs,
  ):
    """Builds backbone, smoothing and head.

    Args:
      model_config: the whole model; kept in the Keras config, so that a saved
        model loads without the code that made it.
      num_classes: width of the logits.
      input_specs: the shape of the clips; frames, height and width may be None.
      l2_weight_decay: the decay of convolutions and of the last dense layer.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: an endpoint that does not exist, or embeddings that the
        attention heads cannot share.
    """
    # Half, to match tf.nn.l2_loss.
    regularizer = (
      tf_keras.regularizers.l2(l2_weight_decay / 2.0)
      if l2_weight_decay
      else None
    )
    backbone = build_backbone(input_specs, model_config, regularizer)

    image = tf_keras.Input(shape=input_specs.shape[1:], name='image')
    with nested_models.outputs_known(backbone):
      endpoints = _endpoints(backbone, image)
    smoothing_and_head = _SmoothingAndHead(
      model_config,
      num_classes,
      endpoints,
      backbone,
      regularizer,
    )

    super().__init__(
      inputs={'image': image}, outputs=smoothing_and_head(endpoints), **kwargs
    )
    # After super(), so that Keras tracks them.
    self._backbone = backbone
    self._smoothing_and_head = smoothing_and_head
    self._subclips: subclips.SubclipBackbone | None = None
    self._predictions: int | None = None
    self._smoothing = (
      smoothing_and_head.smooth
      if model_config.smoothing.placement != 'none'
      else None
    )
    # Not as a dict, whose lists Keras would make lists of another kind.
    self._model_config = model_config.replace()
    self._config = {
      'num_classes': num_classes,
      'input_shape': tuple(input_specs.shape),
      'l2_weight_decay': l2_weight_decay,
    }

  def call(self, inputs, training=None, mask=None):
    """Logits; see the class for what `inputs` may hold."""
    in_subclips = self._subclips if training else None
    given = {
      feature_names.NUM_FRAMES,
      feature_names.HEAD_FRAMES,
      feature_names.CUTS,
    } & set(inputs)
    if not given and in_subclips is None:
      return super().call(inputs, training=training, mask=mask)
    image = inputs['image']
    # Layers know from the context of this call whether they train.
    endpoints = (
      _endpoints(self._backbone, image)
      if in_subclips is None
      else in_subclips(image)
    )
    return self._smoothing_and_head(
      endpoints,
      inputs.get(feature_names.NUM_FRAMES),
      tf.shape(image)[1],
      inputs.get(feature_names.CUTS),
      inputs.get(feature_names.HEAD_FRAMES),
      self._predictions if in_subclips is not None else None,
    )

  def logits_after(self, count: int) -> tf.Tensor:
    """What a stream says after some frames of the clips of the last call.

    Read it in the same step.

    Args:
      count: the frames, at least 1.  The backbone looks at no frame to come and
        has a vector for each.

    Returns:
      Logits [batch, classes].
    """
    return self._smoothing_and_head.after(count)

  def train_in_subclips(self, num_subclips: int, predict_each: bool = False):
    """Lets training calls run the backbone with the stream buffer.

    Calls that do not train, weights and checkpoints are as before.

    Args:
      num_subclips: n, at least 2; divides the frames of clips.
      predict_each: whether training calls return [batch, n, classes], the
        logits after each subclip, in place of those of the clip.

    Raises:
      ValueError: the backbone cannot stream, or see `SubclipBackbone`.
    """
    config = self._model_config.replace()
    config.backbone = families.with_states(config.backbone)
    with_states = build_backbone(
      tf_keras.layers.InputSpec(shape=self._config['input_shape']), config
    )
    self._subclips = subclips.SubclipBackbone(
      self._backbone,
      with_states,
      self._smoothing_and_head.endpoints,
      num_subclips,
    )
    self._predictions = num_subclips if predict_each else None

  @property
  def backbone(self) -> tf_keras.Model:
    """The stock backbone."""
    return self._backbone

  @property
  def smoothing(self) -> grw_smoothing.GrwSmoothing | None:
    """The smoothing layer; None where placement is 'none'."""
    return self._smoothing

  @property
  def checkpoint_items(self) -> dict[str, Any]:
    """What a trainer's checkpoint holds besides the model."""
    return {'backbone': self.backbone}

  def get_config(self) -> dict[str, Any]:
    return {
      'name': self.name,
      'model_config': self._model_config.as_dict(),
      **self._config,
    }

  @classmethod
  def from_config(cls, config, custom_objects=None):
    config = dict(config)
    model_config = schema.GrwModel()
    model_config.override(config.pop('model_config'))
    return cls(
      model_config=model_config,
      input_specs=tf_keras.layers.InputSpec(
        shape=tuple(config.pop('input_shape'))
      ),
      **config,
    )


@factory_3d.register_model_builder('grw')
def build_grw_model(
  input_specs: tf_keras.layers.InputSpec,
  model_config: schema.GrwModel,
  num_classes: int,
  l2_regularizer: tf_keras.regularizers.Regularizer | None = None,
) -> GrwClassifier:
  """Builds a GrwClassifier as `factory_3d.build_model` asks for it."""
  l2 = float(l2_regularizer.get_config()['l2']) if l2_regularizer else 0.0
  logging.info(
    'Building a GRW-smoothed %s: placement %s, window %d, lambda %g, %s head',
    model_config.backbone.type,
    model_config.smoothing.placement,
    model_config.smoothing.window,
    model_config.smoothing.weight,
    model_config.head.type,
  )
  return GrwClassifier(
    model_config, num_classes, input_specs, l2_weight_decay=2.0 * l2
  )
