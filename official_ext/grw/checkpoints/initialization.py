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

"""The start of fine-tuning: `task.init_checkpoint`."""

import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import source


def initialize(model: tf_keras.Model, path: str,
               modules: str = 'backbone') -> str | assign.Report:
  """Loads weights, in whatever layout they were published, into `model`.

  A model whose backbone is not read by name (see `assign`) is read as the Model
  Garden reads it: object by object, from a checkpoint of the same model.

  Args:
    model: with a `backbone`.
    path: see `source.read`.
    modules: 'backbone' or 'all'.

  Returns:
    What was loaded, to be logged.

  Raises:
    ValueError: the path holds nothing that fits; says why.
  """
  if assign.is_recognised(model):
    return assign.assign(model, source.read(path), modules)
  if tf.io.gfile.isdir(path):
    prefix = tf.train.latest_checkpoint(path)
    if prefix is None:
      raise ValueError(f"{path} has no 'checkpoint' file, so no checkpoint.")
    path = prefix
  checkpoint = (tf.train.Checkpoint(model=model) if modules == 'all'
                else tf.train.Checkpoint(backbone=model.backbone))
  status = checkpoint.read(path)
  status.expect_partial().assert_existing_objects_matched()
  return f'Loaded the {modules} of the model from {path}.'
