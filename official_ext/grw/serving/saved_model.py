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

"""Writes a trained model as a SavedModel that proves itself."""

import os
import shutil

from absl import logging
from official.core import config_definitions as cfg
from official.vision.modeling import factory_3d
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import initialization

# The exported graph is the model's own; only constant folding differs.
MAX_DIFFERENCE = 1e-5


class ExportError(ValueError):
  """A model that cannot be exported; says why, and nothing is left behind."""


def build_trained_model(params: cfg.ExperimentConfig,
                        checkpoint: str) -> tf_keras.Model:
  """The model of an experiment for clips of any length and size.

  Args:
    params: the experiment the weights were trained by.
    checkpoint: a Trainer's, an imported one, or any published layout that
      `task.init_checkpoint` takes.  Of a Trainer's moving averages are used.

  Raises:
    ValueError: the checkpoint is not of this model.
  """
  config = params.task.model
  model = factory_3d.build_model(
      config.model_type,
      tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]), config,
      params.task.train_data.num_classes)
  logging.info('%s', initialization.initialize(model, checkpoint, 'all'))
  return model


def export_clip_model(model: tf_keras.Model, output_dir: str,
                      example: tf.Tensor) -> float:
  """Writes a clip model, and checks what was written against the model.

  The SavedModel has the signature `serving_default` from `image` [batch,
  frames, height, width, 3] float32 in [0, 1] to `logits` [batch, classes], and
  can be called as `loaded({'image': clips})`.

  Args:
    model: of clips of any batch, length and size.
    output_dir: a folder that is not there yet; it appears complete or not at
      all.
    example: clips [batch, frames, height, width, 3] for the check.

  Returns:
    The largest difference of logits between what was written and the model,
    relative to the largest logit.

  Raises:
    ExportError: `output_dir` is in use, or the two differ by more than
      MAX_DIFFERENCE.
  """
  output_dir = os.path.abspath(output_dir)
  if os.path.exists(output_dir):
    raise ExportError(
        f'{output_dir} exists: remove it, or give another --output_dir.')
  specs = {'image': tf.TensorSpec([None, *model.input_shape['image'][1:]],
                                  tf.float32, 'image')}

  module = tf.Module()
  # Variables alone: with the Keras model attached, saving and loading take
  # many times longer and the graph is written once more for every layer.
  module.model_variables = list(model.variables)
  module.__call__ = tf.function(
      lambda inputs: model(inputs, training=False), input_signature=[specs])
  signature = tf.function(
      lambda image: {'logits': model({'image': image}, training=False)},
      input_signature=[specs['image']])

  unfinished = f'{output_dir}.unfinished-{os.getpid()}'
  try:
    tf.saved_model.save(
        module, unfinished, signatures={'serving_default': signature})
    loaded = tf.saved_model.load(unfinished)
    written = loaded.signatures['serving_default'](image=example)['logits']
    expected = model({'image': example}, training=False)
    difference = float(tf.reduce_max(tf.abs(written - expected))
                       / tf.reduce_max(tf.abs(expected)))
    if not difference <= MAX_DIFFERENCE:
      raise ExportError(
          f'What was exported differs from the model by {difference:.1e} of '
          f'the largest logit; at most {MAX_DIFFERENCE:.0e} is allowed. '
          'Nothing was written.')
    os.rename(unfinished, output_dir)
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)
  return difference
