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

import dataclasses
import os
import shutil

from absl import logging
import numpy as np
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import clips
from official_ext.grw.checkpoints import gates
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import published as published_lib
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.configs import schema
from official_ext.grw.datasets import labels
from official_ext.grw.modeling import grw_model

# The checkpoint in the folder that is made.
NAME = 'ckpt-1'
_LABELS = 'labels.txt'


def import_checkpoint(
  path: str,
  output_dir: str,
  weights: str = 'auto',
  num_classes: int | None = None,
  gating_activation: str = '',
  calibration_videos: str = '',
) -> assign.Report:
  """Reads weights, rebuilds their model and writes it in our layout.

  Args:
    path: see `source.read`.
    output_dir: a folder that is not there yet, or is empty.
    weights: see `source.read`.
    num_classes: the number of classes of a new head; None keeps the head of the
      file.
    gating_activation: see `model_config.model_config`.
    calibration_videos: a folder of videos for `initialization.restore_norms`;
      only for a TFLite file.

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
  model, report = _build(published, config, classes, modules)
  notes = []
  gates_tell = published.architecture.backbone.hard_gates
  if gates_tell and gating_activation:
    notes.append(f'gates:       {gating_activation}, as asked for')
  elif gates_tell:
    gate, reason = gates.find(model, published, '--gating_activation')
    notes.append(f'gates:       {gate}, {reason}')
    if gate != config.backbone.movinet.gating_activation:
      config.backbone.movinet.gating_activation = gate
      model, report = _build(published, config, classes, modules)
  texts: list[str] = []
  if published.graph is not None:
    videos = _videos(calibration_videos, published.graph)
    notes += initialization.restore_norms(model, published.graph, videos)
    if modules == 'all':
      notes.append(_difference(published, model, videos))
      texts = _labels_beside(published.path, classes)
  elif calibration_videos:
    raise ValueError(
      f'calibration_videos={calibration_videos!r}: expected none, because '
      f'{published.path} holds the statistics of its batch norms.'
    )
  report = dataclasses.replace(report, notes=tuple(notes))

  # Made beside its place and renamed, so that it is whole or not there.
  unfinished = f'{output_dir}.unfinished-{os.getpid()}'
  os.makedirs(unfinished)
  try:
    tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
      os.path.join(unfinished, NAME.split('-')[0])
    )
    if texts:
      with open(os.path.join(unfinished, _LABELS), 'w', encoding='utf-8') as f:
        f.writelines(f'{text}\n' for text in texts)
    overrides = model_config.experiment_overrides(
      config,
      classes,
      os.path.join(output_dir, NAME),
      modules,
      published.graph,
      os.path.join(output_dir, _LABELS) if texts else '',
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


def _build(
  published: published_lib.PublishedWeights,
  config: schema.GrwModel,
  classes: int,
  modules: str,
) -> tuple[grw_model.GrwClassifier, assign.Report]:
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config,
    classes,
  )
  return model, assign.assign(model, published, modules)


def _videos(
  folder: str, graph: tflite_graph.StreamingMovinet
) -> list[np.ndarray]:
  """Clips of the videos in a folder; none where no folder is given."""
  if not folder:
    return []
  from official_ext.grw.datasets import video_clips  # Decodes by an extra.

  return video_clips.of_videos(folder, initialization.clip_size(graph))


def _difference(
  published: published_lib.PublishedWeights,
  model: grw_model.GrwClassifier,
  videos: list[np.ndarray],
) -> str:
  """A line on how far the model is from the file it was read from."""
  graph = published.graph
  assert graph is not None
  title = 'difference:  '
  if graph.image_size[0] != graph.image_size[1] or not graph.image_size[0]:
    return f'{title}not measured, as the file takes frames of any size'
  try:
    from official_ext.grw.inference import difference  # Runs it by an extra.

    found = difference.of_file(
      published.path,
      lambda clip: model({'image': clip}, training=False),
      videos[:4] or clips.rendered(4, graph.image_size[0], seed=1),
      graph.num_frames,
    )
  except (ValueError, ImportError) as error:
    return f'{title}not measured: {error}'
  where = 'of your videos' if videos else 'that are rendered'
  return f'{title}inference differs from the file by {found} {where}'


def _labels_beside(path: str, num_classes: int) -> list[str]:
  """The texts of a label file beside a TFLite file, if one fits."""
  folder = os.path.dirname(path)
  for name in ('labels.txt', 'label_map.txt'):
    if os.path.exists(os.path.join(folder, name)):
      try:
        return labels.read(os.path.join(folder, name), num_classes)
      except ValueError as error:
        logging.warning('Labels beside the file are not used: %s', error)
  return []


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
