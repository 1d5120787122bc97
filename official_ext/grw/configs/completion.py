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

"""Fills in what an experiment leaves to its dataset and to its epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from official_ext.grw.configs import dataset_info
from official_ext.grw.configs import fields
from official_ext.grw.configs import own_data
from official_ext.grw.datasets import feature_names
from official_ext.grw.files import paths

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

UNSET = fields.UNSET

# Records at 25 frames a second, every second of them, serve for 12 a second.
_RATE_TOLERANCE = 0.05


def complete(config: schema.GrwExperimentConfig):
  """Sets all that is unset, in the order in which one follows from another.

  Raises:
    ValueError: something is missing that it follows from.
  """
  own_data.choose_clips(config.task)
  set_from_dataset(config.task)
  set_frame_labels(config.task)
  set_best_metric(config)
  own_data.choose_training(config)
  set_steps(config)


def set_frame_labels(task: schema.GrwTask):
  """Names what records call the labels of frames, if the head has them."""
  # Ensembles have no head of their own.
  head = getattr(task.model, 'head', None)
  if head is None or not head.per_frame:
    return
  for data in (task.train_data, task.validation_data):
    data.frame_label_field_key = (
      data.frame_label_field_key or feature_names.FRAME_LABELS_KEY
    )


def set_from_dataset(task: schema.GrwTask):
  """Takes what is unset of a task's data from its dataset.json.

  Raises:
    ValueError: the file cannot be read or lacks the split; its records, at the
      configured stride, have another frame rate than configured; or clips of
      one label are to have several.
  """
  if task.class_weights == 'balanced':
    task.class_weights = _balanced_weights(task)
  if not task.dataset_info:
    return
  splits = ('train_data', 'validation_data')

  def is_unset(data):
    return UNSET in (data.num_classes, data.num_examples) or not (
      data.input_path or data.tfds_name
    )

  if task.labels and not any(
    is_unset(getattr(task, split)) for split in splits
  ):
    return
  info = dataset_info.read(task.dataset_info)
  task.labels = task.labels or info.labels
  for split in splits:
    data, field = getattr(task, split), f'task.{split}'
    if not is_unset(data):
      continue
    found = info.split(data.split, f'{field}.split')
    if data.num_classes == UNSET:
      data.num_classes = info.num_classes
    if data.num_examples == UNSET:
      data.num_examples = found.num_examples
    if not data.input_path:
      data.input_path = found.files
    if info.multi_label:
      data.is_multilabel = True
    if data.label_groups is None:
      data.label_groups = info.label_groups
    fields.require(
      info.multi_label is not False or not data.is_multilabel,
      f'{field}.is_multilabel',
      data.is_multilabel,
      f'False, because each clip of {info.path} has one label; convert the '
      'videos with --label_separator for several',
    )
    for name, limit in (
      ('num_classes', info.num_classes),
      ('num_examples', found.num_examples),
    ):
      value = getattr(data, name)
      fields.require(
        value <= limit,
        f'{field}.{name}',
        value,
        f'at most the {limit} of {info.path}, or {UNSET} to take it from '
        'there, as --experiment=movinet_grw_own_data does',
      )
    if data.sampling == 'segments':
      continue
    rate = info.frames_per_second / data.temporal_stride
    if data.frames_per_second is None:
      data.frames_per_second = rate
    stride = max(1, round(info.frames_per_second / data.frames_per_second))
    fields.require(
      abs(rate / data.frames_per_second - 1) <= _RATE_TOLERANCE,
      f'{field}.frames_per_second',
      data.frames_per_second,
      f'{rate:g}, the {info.frames_per_second:g} of {info.path} at '
      f'temporal_stride={data.temporal_stride}; set temporal_stride={stride} '
      f'or frames_per_second={rate:g}, or make the records anew',
    )


def _balanced_weights(task: schema.GrwTask) -> list[float]:
  """Weights of classes that sum to the same over the clips of each class."""
  field, value = 'task.class_weights', task.class_weights
  fields.require(
    bool(task.dataset_info),
    field,
    value,
    'a list of numbers, one a class, as no task.dataset_info counts clips',
  )
  info = dataset_info.read(task.dataset_info)
  split = info.split(task.train_data.split, 'task.train_data.split')
  counts = split.classes or {}
  names = paths.read_text(info.labels).splitlines()
  fields.require(
    counts.keys() == set(names),
    field,
    value,
    f'a list of numbers, one a class, as {info.path} does not count the clips '
    f'of the classes of {info.labels}',
  )
  found = [name for name in names if counts[name]]
  return [
    round(sum(counts.values()) / (len(found) * counts[name]), 6)
    if counts[name]
    else 1.0
    for name in names
  ]


def set_best_metric(config: schema.GrwExperimentConfig):
  """Sets by which metric the best checkpoint is the best, unless it is set."""
  trainer = config.trainer
  if trainer.best_checkpoint_export_subdir and (
    not trainer.best_checkpoint_eval_metric
  ):
    # What keeps nothing of its steps cannot rank the clips of a class.
    ranks = config.task.train_data.is_multilabel and (
      not trainer.eval_tf_while_loop
    )
    trainer.best_checkpoint_eval_metric = (
      'mean_average_precision' if ranks else 'top_1_accuracy'
    )


def set_steps(config: schema.GrwExperimentConfig):
  """Sets what is unset of the trainer's steps and intervals.

  `train_steps` becomes `train_epochs` passes over the training data, the steps
  of a warm-up `warmup_epochs`, a loop one pass, and there is a summary, a
  checkpoint and a validation a loop.

  Raises:
    ValueError: the numbers to set them from are missing.
  """
  trainer, data = config.trainer, config.task.train_data
  intervals = ('summary_interval', 'checkpoint_interval', 'validation_interval')
  warmup = trainer.optimizer_config.warmup.get()
  if UNSET in (
    trainer.train_steps,
    trainer.steps_per_loop,
    getattr(warmup, 'warmup_steps', None),
  ):
    fields.require(
      data.global_batch_size >= 1,
      'task.train_data.global_batch_size',
      data.global_batch_size,
      'at least 1',
    )
    fields.require(
      data.num_examples != UNSET,
      'task.dataset_info',
      config.task.dataset_info,
      'the dataset.json that `grw convert` wrote, which counts the clips that '
      'trainer.train_steps or steps_per_loop, or the warm-up, is left to; or '
      'set these, or task.train_data.num_examples',
    )
    fields.require(
      data.num_examples >= data.global_batch_size,
      'task.train_data.global_batch_size',
      data.global_batch_size,
      f'at most the {data.num_examples} clips of the training data '
      '(num_examples)',
    )
    epoch = data.num_examples // data.global_batch_size
    if trainer.train_steps == UNSET:
      fields.require(
        trainer.train_epochs >= 1,
        'trainer.train_epochs',
        trainer.train_epochs,
        'at least 1, because trainer.train_steps is unset',
      )
      trainer.train_steps = trainer.train_epochs * epoch
    if trainer.steps_per_loop == UNSET:
      trainer.steps_per_loop = min(epoch, trainer.train_steps)
    if warmup is not None and warmup.warmup_steps == UNSET:
      fields.require(
        trainer.warmup_epochs >= 1,
        'trainer.warmup_epochs',
        trainer.warmup_epochs,
        'at least 1, because the steps of the warm-up are unset',
      )
      warmup.warmup_steps = trainer.warmup_epochs * epoch
  for name in intervals:
    if getattr(trainer, name) == UNSET:
      setattr(trainer, name, trainer.steps_per_loop)
  validation = config.task.validation_data
  if trainer.validation_steps == UNSET and validation.num_examples >= 1:
    trainer.validation_steps = -(
      -validation.num_examples // validation.global_batch_size
    )
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine' and schedule.cosine.decay_steps is None:
    schedule.cosine.decay_steps = trainer.train_steps
