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
"""What a training would be, found by two steps of it; nothing is kept."""

from collections.abc import Sequence
import os
import tempfile
import time

import matplotlib.figure
import numpy as np
from official.core import config_definitions as cfg
import tensorflow as tf
import yaml

from official_ext.grw.configs import schema
from official_ext.grw.datasets import labels as label_files
from official_ext.grw.files import figures
from official_ext.grw.files import screen
from official_ext.grw.training import launch
from official_ext.grw.training import memory
from official_ext.grw.training import progress

SHEET = 'dry_run.png'
_CLIPS, _FRAMES = 8, 6
_INCHES = 1.3
# Of what a step on a clip costs, until it has been measured.
_VALIDATED_CLIP = 1 / 3


def run(params: cfg.ExperimentConfig, model_dir: str):
  """Prints the configuration and what a training would cost; draws its clips.

  Args:
    params: the whole experiment.
    model_dir: the folder that `SHEET` is written into.

  Raises:
    ValueError: the experiment cannot be built.
    InputDataError: its data cannot be read.
  """
  screen.write(yaml.safe_dump(_plain(params.as_dict()), sort_keys=False))
  with tempfile.TemporaryDirectory() as folder:
    experiment = launch.build_runner(params, 'train', folder)
    trainer = experiment.trainer
    trainer.display = None
    seconds = []
    for _ in range(2):
      begun = time.monotonic()
      trainer.train(tf.constant(1))
      seconds.append(time.monotonic() - begun)
    os.makedirs(model_dir, exist_ok=True)
    path = os.path.join(model_dir, SHEET)
    draw_clips(trainer.task, params.task, path)
  first, step = seconds
  for line in expected(params, first, step, memory.peak_bytes()):
    screen.write(line)
  screen.write(f'what the model sees: {path}')


def expected(
  params: cfg.ExperimentConfig, first: float, step: float, peak: float
) -> list[str]:
  """What a training costs, in lines.

  Args:
    params: the whole experiment.
    first: seconds of the first step.
    step: seconds of another.
    peak: bytes.
  """
  trainer, task = params.trainer, params.task
  batch = task.train_data.global_batch_size
  validations = -(-trainer.train_steps // trainer.validation_interval)
  clips = max(0, task.validation_data.num_examples)
  total = first + step * (
    trainer.train_steps + validations * clips / batch * _VALIDATED_CLIP
  )
  return [
    f'clips: {task.train_data.num_examples:,} to train on, {clips:,} to '
    f'validate with; batches of {batch}',
    f'steps: {trainer.train_steps:,}, with a validation every '
    f'{trainer.validation_interval:,}',
    f'time: {first:.0f} s for the first step, {step:.2g} s for another; '
    f'about {progress.duration(total)} with {validations} validations',
    f'memory: {peak / 2**20:,.0f} MiB of this machine at its peak',
  ]


def draw_clips(task, config: schema.GrwTask, path: str):
  """Draws clips of the first batch as the model sees them, a clip a row.

  Where frames have labels, a row has that of its first frame.

  Args:
    task: reads them.
    config: says what it reads.
    path: the path of the PNG.
  """
  data = config.train_data
  features, labels = next(iter(task.build_inputs(data)))
  clips = features['image'][:_CLIPS].numpy()
  if data.zero_centering_image:
    clips = (clips + 1) / 2
  labels = labels.numpy()
  if data.frame_label_field_key:
    labels = labels[:, 0]
  figures.write(
    _sheet(clips, _names(labels, label_files.label_texts(config))), path
  )


def _names(labels: np.ndarray, texts: Sequence[str]) -> list[str]:
  """The texts of class numbers, or of vectors that may be mixed."""
  if labels.ndim == 1:
    return [texts[int(label)] for label in labels]
  return [
    ', '.join(texts[label] for label in np.flatnonzero(row).tolist())
    for row in labels
  ]


def _sheet(clips: np.ndarray, names: Sequence[str]) -> matplotlib.figure.Figure:
  """A row for each of the clips [n, frames, height, width, 3] in [0, 1]."""
  places = np.unique(np.linspace(0, clips.shape[1] - 1, _FRAMES).round())
  figure = matplotlib.figure.Figure(
    figsize=(_INCHES * len(places), 1.2 * _INCHES * len(clips)),
    layout='constrained',
  )
  axes = figure.subplots(len(clips), len(places), squeeze=False)
  for row, clip, name in zip(axes, clips, names):
    # A dollar sign begins a formula.
    row[0].set_title(name.replace('$', r'\$'), loc='left', fontsize=8)
    for axis, place in zip(row, places.astype(int)):
      axis.imshow(np.clip(clip[place], 0, 1))
      axis.set_axis_off()
  return figure


def _plain(value):
  """Lists in the place of tuples, which YAML has no plain form for."""
  if isinstance(value, dict):
    return {name: _plain(item) for name, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  return value
