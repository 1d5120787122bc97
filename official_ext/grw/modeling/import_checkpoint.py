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
"""Writes published weights as a checkpoint of this project."""

import os
import shutil

import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import source
from official_ext.grw.modeling import grw_model

# The checkpoint in the folder that is made.
NAME = 'ckpt-1'


def import_checkpoint(
  path: str,
  output_dir: str,
  weights: str = 'auto',
  num_classes: int | None = None,
  gating_activation: str = '',
) -> assign.Report:
  """Reads weights, rebuilds their model and writes it in our layout.

  Args:
    path: see `source.read`.
    output_dir: a folder that is not there yet, or is empty.
    weights: see `source.read`.
    num_classes: the number of classes of a new head; None keeps the head of the
      file.
    gating_activation: see `model_config.model_config`.

  Returns:
    What was recognized and matched.

  Raises:
    ValueError: the source cannot be used, or `output_dir` is in use.
  """
  output_dir = os.path.abspath(output_dir)
  if os.path.exists(output_dir) and (
    not os.path.isdir(output_dir) or os.listdir(output_dir)
  ):
    raise ValueError(
      f'{output_dir} exists and is not an empty folder; give '
      'another --output_dir or remove it.'
    )
  published = source.read(path, weights)
  config = model_config.model_config(published, gating_activation)
  classes = num_classes or published.architecture.num_classes
  if not classes:
    raise ValueError(
      f'{published.path} holds no classifier: give --num_classes.'
    )
  modules = 'all' if num_classes is None else 'backbone'
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config,
    classes,
  )
  report = assign.assign(model, published, modules)

  # Made beside its place and renamed, so that it is whole or not there.
  unfinished = f'{output_dir}.unfinished-{os.getpid()}'
  os.makedirs(unfinished)
  try:
    tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
      os.path.join(unfinished, NAME.split('-')[0])
    )
    overrides = model_config.experiment_overrides(
      config, classes, os.path.join(output_dir, NAME), modules
    )
    with open(os.path.join(unfinished, 'config.yaml'), 'w') as f:
      f.write(
        _heading(report, output_dir, model_config.experiment(config, classes))
      )
      yaml.safe_dump(overrides, f, sort_keys=False, default_flow_style=None)
    if os.path.isdir(output_dir):
      os.rmdir(output_dir)
    os.rename(unfinished, output_dir)
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)
  return report


def _heading(report: assign.Report, output_dir: str, experiment: str) -> str:
  usage = [
    '',
    'Evaluates (with --mode=train_and_eval: fine-tunes):',
    'python3 official_ext/grw/train.py \\',
    f'  --experiment={experiment} --mode=eval \\',
    f'  --config_file={os.path.join(output_dir, "config.yaml")} \\',
    '  --model_dir=DIR --params_override='
    'task.train_data.input_path=TRAIN,task.validation_data.input_path=VALID',
    'For other classes also set '
    'task.init_checkpoint_modules=all_but_classifier.',
  ]
  return ''.join(
    f'# {line}'.rstrip() + '\n' for line in str(report).split('\n') + usage
  )
