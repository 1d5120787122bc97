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

"""Writes trained models as SavedModels that prove themselves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import logging
import numpy as np
from official.core import config_definitions as cfg
from official.vision.modeling import factory_3d
from official.vision.ops import preprocess_ops_3d
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import frozen_weights
from official_ext.grw.checkpoints import initialization
from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import saved_traces
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import frame_resizing
from official_ext.grw.inference import saved_model_runner
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import export_folder

# The exported graph is the model's own; only constant folding differs.
MAX_DIFFERENCE = 1e-5
INPUT_TYPES = ('float32', 'uint8')

Model = grw_model.GrwClassifier | ensemble.TemporalEnsemble


class Written(NamedTuple):
  """What an export came to.

  Attributes:
    difference: the largest difference of logits between what was written and
      the model, relative to the largest logit.
    states: shape and type of each state, by name; a clip model has none.
    agreement: what was measured of answers in 8 bits; '' for others.
  """

  difference: float
  states: dict[str, tf_keras.layers.InputSpec]
  agreement: str = ''


def build_trained_model(params: cfg.ExperimentConfig, checkpoint: str) -> Model:
  """The model of an experiment for clips of any length and size.

  Args:
    params: the experiment the weights were trained by.
    checkpoint: a Trainer's, an imported one, or any published layout that
      `task.init_checkpoint` takes.  Of a Trainer's moving averages are used.
      '' for an ensemble, whose members name theirs.

  Raises:
    ValueError: the checkpoint is not of this model.
  """
  config = params.task.model
  is_ensemble = isinstance(config, ensemble_cfg.GrwEnsemble)
  if is_ensemble and checkpoint:
    raise ValueError(
      f"checkpoint={checkpoint!r}: expected '', as an ensemble takes the "
      'weights of its members. Set task.model.first.checkpoint and '
      'task.model.second.checkpoint.'
    )
  model = factory_3d.build_model(
    config.model_type,
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config,
    params.task.train_data.num_classes,
  )
  logging.info(
    '%s',
    (
      initialization.initialize_members(model.members, config)
      if is_ensemble
      else initialization.initialize(model, checkpoint, 'all', same_model=True)
    ),
  )
  return model


def relative_difference(values: np.ndarray, expected: np.ndarray) -> float:
  """The largest difference relative to the largest expected value."""
  return float(
    np.max(np.abs(np.asarray(values) - np.asarray(expected)))
    / np.max(np.abs(np.asarray(expected)))
  )


def require_agreement(difference: float, largest: float):
  """Raises ExportError if what was written differs from the model."""
  if not difference <= largest:
    raise export_folder.ExportError(
      f'What was exported differs from the model by {difference:.1e} of '
      f'the largest logit; at most {largest:.0e} is allowed. '
      'Nothing was written.'
    )


def save(
  module: tf.train.Checkpoint,
  variables: Sequence[tf.Variable],
  folder: str,
  signatures: dict[str, Any],
):
  """Saves functions with the variables they read, and nothing else.

  With Keras models attached, saving and loading take many times longer and the
  graph is written once more for every layer.
  """
  # Under these names hub.KerasLayer and fine-tuning look for them.
  module.variables = list(variables)
  module.trainable_variables = [v for v in variables if v.trainable]
  module.regularization_losses = []
  with saved_traces.traced_to_be_saved():
    traced = {
      name: function.get_concrete_function()
      for name, function in signatures.items()
    }
  tf.saved_model.save(module, folder, signatures=traced)


def prepared(image: tf.Tensor, data: schema.DataConfig) -> tf.Tensor:
  """What the model takes of an image input: [0, 1] at the model's size.

  Args:
    image: [batch, frames, height, width, 3]; uint8 is resized, cropped and
      scaled as in evaluation, float32 is taken as it is.
    data: the data of the evaluation.
  """
  if image.dtype != tf.uint8:
    return image
  shape = tf.shape(image)
  frames = tf.reshape(image, tf.concat([[-1], shape[2:]], 0))
  frames = frame_resizing.resize(frames, data)
  frames = preprocess_ops_3d.crop_image(frames, *data.feature_shape[1:3])
  frames = preprocess_ops_3d.normalize_image(frames, data.zero_centering_image)
  return tf.reshape(frames, tf.concat([shape[:2], tf.shape(frames)[1:]], 0))


def last_answer(logits: tf.Tensor) -> tf.Tensor:
  """Logits [batch, classes] of clips, or of their last frames if each has."""
  return logits[:, -1] if logits.shape.rank == 3 else logits


def seen_frames(
  clips: tf.Tensor, num_frames: tf.Tensor, data: schema.DataConfig
) -> tf.Tensor:
  """How many frames of each clip the head sees, [batch] int32.

  Args:
    clips: [batch, N, height, width, 3].
    num_frames: [batch] int32, how many come before the first repetition.
    data: the data of the evaluation, which may count what is repeated.
  """
  if data.short_clips != 'loop':
    return num_frames
  # Of both, as an input that nothing depends on is left out of a TFLite file.
  return tf.maximum(num_frames, tf.shape(clips)[1])


def export_clip_model(
  model: Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  input_type: str = 'float32',
) -> Written:
  """Writes a clip model, and checks what was written against the model.

  The SavedModel has the signature `serving_default` from `image` [batch,
  frames, height, width, 3] to `logits` [batch, classes].  `short_clips` also
  takes `num_frames` [batch] int32, how many frames of each clip come before the
  first repetition: videos that are too short are repeated, as in evaluation.
  The SavedModel can be called as
  `loaded({'image': clips}, training=False)`; with `training=True` it drops out
  and updates its batch norms, so that it can be trained on.  `serving_default`
  has what weights alone determine as constants, such as position matrices,
  and so stays at the exported weights: a model that was trained on is to be
  exported again.

  Args:
    model: a model of clips of any batch, length and size; its 3D layers are
      changed, to compute the same by other operations (`frame_operations`).
    folder: to write to.
    data: the data of the evaluation: how uint8 input is prepared.
    example: uint8 clips [batch, N, height, width, 3] for the check.
    input_type: 'float32', in [0, 1] at the model's size, or 'uint8', of any
      size.

  Raises:
    export_folder.ExportError: the two differ by more than MAX_DIFFERENCE.
  """
  spec = tf.TensorSpec([None, None, None, None, 3], input_type, 'image')
  clips = prepared(tf.constant(example), data)
  expected = model({'image': clips}, training=False)
  frame_operations.compute_frame_by_frame(model)

  class ClipModule(tf.train.Checkpoint):
    @tf.function(autograph=False)
    def __call__(self, inputs, training=False):
      return model(
        {'image': prepared(inputs['image'], data)}, training=training
      )

  # By themselves, as what `__call__` computes of the weights is to follow them.
  @tf.function(
    input_signature=[
      spec,
      tf.TensorSpec([None], tf.int32, feature_names.NUM_FRAMES),
    ],
    autograph=False,
  )
  def serve_short(image, num_frames):
    inputs = {
      'image': prepared(image, data),
      feature_names.NUM_FRAMES: seen_frames(image, num_frames, data),
    }
    return {'logits': model(inputs, training=False)}

  @tf.function(input_signature=[spec], autograph=False)
  def serve(image):
    shape = tf.shape(image)
    return serve_short(image, tf.fill(shape[:1], shape[1]))

  module = ClipModule()
  with saved_traces.traced_to_be_saved():
    for training in (False, True):
      module.__call__.get_concrete_function({'image': spec}, training=training)
    with frozen_weights.frozen_weights():
      for function in (serve_short, serve):
        function.get_concrete_function()
  save(
    module,
    model.variables,
    folder,
    {'serving_default': serve, saved_model_runner.SHORT_CLIPS: serve_short},
  )

  written = tf.saved_model.load(folder).signatures['serving_default'](
    image=example if input_type == 'uint8' else clips
  )
  difference = relative_difference(written['logits'], expected)
  require_agreement(difference, MAX_DIFFERENCE)
  return Written(difference, {})


def export_stream_model(
  model: Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  input_type: str = 'float32',
) -> Written:
  """Writes a streaming model, and checks it against the clip model.

  The check feeds what was written frame by frame.

  The SavedModel can be called as `loaded({'image': frames, **states})`, for
  (logits, states).  Its signatures, by keywords: `call` (also
  `serving_default`) from `image` [batch, k, height, width, 3] and the states
  to `logits` [batch, classes] and the states; `init_states` from `input_shape`
  [5] int32 to the states before the first frame, all zero.

  Args:
    model, folder, data, example, input_type: as for `export_clip_model`; with
      uint8, `init_states` takes only the batch from its `input_shape`.

  Raises:
    ValueError: the model cannot stream.
    export_folder.ExportError: the two differ by more than MAX_DIFFERENCE.
  """
  stream = ensemble.stream_of(model, data.feature_shape[0])
  image = tf.TensorSpec([None, None, None, None, 3], input_type, 'image')
  # What the backbone sees: frames that are resized here have one size.
  size = tuple(
    data.feature_shape[1:3] if input_type == 'uint8' else image.shape[2:4]
  )
  state_specs = stream.initial_state_specs((None, None, *size, 3))
  specs = {
    'image': image,
    **{
      name: tf.TensorSpec(spec.shape, spec.dtype, name)
      for name, spec in state_specs.items()
    },
  }

  class StreamModule(tf.train.Checkpoint):
    @tf.function(input_signature=[specs], autograph=False)
    def __call__(self, inputs):
      image = prepared(inputs['image'], data)
      image = tf.ensure_shape(image, [None, None, *size, 3])
      return stream({**inputs, 'image': image})

    @tf.function(input_signature=[specs], autograph=False)
    def serve(self, inputs):
      logits, states = self(inputs)
      return {**states, 'logits': logits}

    @tf.function(
      input_signature=[tf.TensorSpec([5], tf.int32, 'input_shape')],
      autograph=False,
    )
    def init_states(self, input_shape):
      if input_type == 'uint8':
        return stream.init_states(tf.concat([input_shape[:2], [*size, 3]], 0))
      return stream.init_states(input_shape)

  module = StreamModule()
  save(
    module,
    stream.variables,
    folder,
    {
      'serving_default': module.serve,
      'call': module.serve,
      'init_states': module.init_states,
    },
  )

  clips = prepared(tf.constant(example), data)
  loaded = tf.saved_model.load(folder).signatures
  given = tf.constant(example) if input_type == 'uint8' else clips
  states = loaded['init_states'](
    input_shape=tf.constant(given.shape[:1] + [1] + given.shape[2:])
  )
  for number in range(clips.shape[1]):
    states = loaded['call'](image=given[:, number : number + 1], **states)
    logits = states.pop('logits')
  difference = relative_difference(
    logits, last_answer(model({'image': clips}, training=False))
  )
  require_agreement(difference, MAX_DIFFERENCE)
  return Written(difference, state_specs)
