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

"""Rejects experiments that cannot be built or cannot train, by field.

Nothing here needs TensorFlow, so that `train.py` can say what is wrong before
it is imported: of a configuration only attributes are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import logging

from official_ext.grw.configs import data_checks
from official_ext.grw.configs import description
from official_ext.grw.configs import fields
from official_ext.grw.configs import label_groups
from official_ext.grw.losses import window_sizes

if TYPE_CHECKING:
  from official_ext.grw.configs import schema
  from official_ext.grw.optimization import config as optimization

# What stock lists and nothing reads, by the one value it has.
_RUNTIME_WITHOUT_EFFECT = {
  'run_eagerly': (False, 'steps are compiled'),
  'gpu_thread_mode': (
    None,
    'the variable TF_GPU_THREAD_MODE of the environment says so',
  ),
  'per_gpu_thread_count': (
    0,
    'the variable TF_GPU_THREAD_COUNT of the environment says so',
  ),
  'batchnorm_spatial_persistent': (
    False,
    'the variable TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT of the '
    'environment says so',
  ),
  'dataset_num_private_threads': (
    None,
    "data are read by TensorFlow's own threads",
  ),
  'worker_hosts': (
    None,
    'the variable TF_CONFIG of the environment lists the workers',
  ),
  'task_index': (
    -1,
    'the variable TF_CONFIG of the environment says which worker this is',
  ),
  'num_cores_per_replica': (1, 'a replica is one core'),
  'default_shard_dim': (-1, 'a replica is one core'),
  'use_tpu_mp_strategy': (False, 'a replica is one core'),
}

_ALL_REDUCE = {
  'mirrored': (None, 'nccl', 'hierarchical_copy'),
  'multi_worker_mirrored': (None, 'nccl', 'ring'),
}


def validate_task(task: schema.GrwTask):
  """Raises ValueError for a task that cannot be built or cannot train."""
  _validate_smoothing(task.model.smoothing)
  _validate_head(task.model)
  data_checks.validate_frames(task)
  data_checks.validate_labels(task)
  data_checks.validate_frame_labels(task)
  data_checks.validate_label_groups(task)
  for split in ('train_data', 'validation_data'):
    _validate_data(
      getattr(task, split), f'task.{split}', is_training=split == 'train_data'
    )
  fields.require(
    task.train_data.num_classes == task.validation_data.num_classes,
    'task.validation_data.num_classes',
    task.validation_data.num_classes,
    f'the {task.train_data.num_classes} classes of task.train_data',
  )


def _validate_smoothing(smoothing: schema.Smoothing):
  fields.require(
    smoothing.placement != 'intermediate' or bool(smoothing.endpoint),
    'task.model.smoothing.endpoint',
    smoothing.endpoint,
    "the name of a backbone endpoint, because placement is 'intermediate'",
  )
  fields.require(
    smoothing.window >= window_sizes.MIN_WINDOW,
    'task.model.smoothing.window',
    smoothing.window,
    f'at least {window_sizes.MIN_WINDOW} frames, as an acceleration takes '
    'three',
  )
  for name in ('alpha', 'weight'):
    value = getattr(smoothing, name)
    fields.require(
      value >= 0, f'task.model.smoothing.{name}', value, '0 or more'
    )
  fields.require(
    smoothing.num_orderings >= 2,
    'task.model.smoothing.num_orderings',
    smoothing.num_orderings,
    'at least 2',
  )
  fields.require(
    smoothing.cuts is None or smoothing.cuts > 0,
    'task.model.smoothing.cuts',
    smoothing.cuts,
    'a content score above 0, of 255 at most, or null to look for no cuts',
  )
  if smoothing.window_range is not None:
    window_sizes.check_range(
      smoothing.window_range,
      smoothing.window,
      smoothing.sampled,
      smoothing.phase,
      'task.model.smoothing.',
    )


def _validate_head(model: schema.GrwModel):
  head = model.head
  for name in ('num_layers', 'num_heads', 'mlp_ratio'):
    value = getattr(head, name)
    fields.require(value >= 1, f'task.model.head.{name}', value, 'at least 1')
  fields.require(
    head.embedding_dim >= 0,
    'task.model.head.embedding_dim',
    head.embedding_dim,
    "0 (the backbone's width) or more",
  )
  if head.type == 'temporal' and head.embedding_dim:
    fields.require(
      head.embedding_dim % head.num_heads == 0 and head.embedding_dim % 2 == 0,
      'task.model.head.embedding_dim',
      head.embedding_dim,
      f'an even multiple of num_heads={head.num_heads}',
    )
  for field, rate in (
    ('head.stochastic_depth_drop_rate', head.stochastic_depth_drop_rate),
    ('dropout_rate', model.dropout_rate),
  ):
    fields.require(
      0 <= rate < 1, f'task.model.{field}', rate, 'a rate in [0, 1)'
    )
  fields.require(
    not head.per_frame or (head.type == 'temporal' and head.causal),
    'task.model.head.per_frame',
    head.per_frame,
    "False, unless task.model.head.type is 'temporal' and "
    'task.model.head.causal is True',
  )


def _validate_data(data: schema.DataConfig, field: str, is_training: bool):
  data_checks.validate_augmentation(data, field)
  fields.require(
    data.num_classes >= 2,
    f'{field}.num_classes',
    data.num_classes,
    'at least 2, or task.dataset_info to take it from',
  )
  fields.require(
    min(data.feature_shape) >= 1,
    f'{field}.feature_shape',
    list(data.feature_shape),
    '4 integers of at least 1, [frames, height, width, channels]',
  )
  fields.require(
    data.resize != 'square'
    or (max(data.feature_shape[1:3]) <= data.min_image_size),
    f'{field}.min_image_size',
    data.min_image_size,
    'at least the crop of feature_shape='
    f"{tuple(data.feature_shape)}, because resize is 'square'",
  )
  if data.sampling == 'segments':
    for name, value in (
      ('temporal_stride', 1),
      ('random_stride_range', 0),
      ('clip_start', 'middle'),
      ('frames_per_second', None),
    ):
      fields.require(
        getattr(data, name) == value,
        f'{field}.{name}',
        getattr(data, name),
        f'{"null" if value is None else repr(value)}, '
        "because sampling is 'segments': a clip spans the whole video",
      )
  fields.require(
    data.frames_per_second is None or data.frames_per_second > 0,
    f'{field}.frames_per_second',
    data.frames_per_second,
    'a frame rate above 0, or null',
  )
  fields.require(
    data.mixup_and_cutmix is None or not data.one_hot,
    f'{field}.one_hot',
    data.one_hot,
    'False, because mixup_and_cutmix mixes and returns vectors itself',
  )
  fields.require(
    data.is_training == is_training,
    f'{field}.is_training',
    data.is_training,
    f'{is_training}',
  )


def metric_names(task: schema.GrwTask) -> list[str]:
  """What an evaluation measures, by the names in logs and TensorBoard."""
  names = ['validation_loss', 'accuracy', 'top_1_accuracy', 'top_5_accuracy']
  data = task.validation_data
  if task.losses.one_hot and task.train_data.is_multilabel:
    names += ['ROC-AUC', 'RecallAtPrecision95', 'PR-AUC']
    if task.metrics.use_per_class_recall:
      names += [f'recall-{label}' for label in range(data.num_classes)]
  for group in label_groups.read(data.label_groups, data.num_classes):
    names += [f'{group.name}_top_{k}_accuracy' for k in (1, 5)]
  head = getattr(task.model, 'head', None)
  if task.train_data.is_multilabel or (head is not None and head.per_frame):
    names += ['mean_average_precision', 'overall_average_precision']
  names.append('cross_entropy')
  smoothing = getattr(task.model, 'smoothing', None)  # Ensembles have none.
  if smoothing is not None and smoothing.placement != 'none':
    names += [
      'order_loss',
      'speed_loss',
      'order_accuracy',
      'acceleration_over_speed',
      'clips_without_window',
    ]
    if smoothing.cuts is not None:
      names.append('cuts')
  if data.on_bad_record == 'skip':
    names.append('bad_records')
  if data.short_clips == 'drop':
    names.append('short_clips')
  return names


def validate_best_checkpoint(
  trainer: optimization.TrainerConfig, metrics: Sequence[str]
):
  """Raises ValueError for a best checkpoint that could not be kept.

  Args:
    trainer: says where, and by which metric.
    metrics: the names of those that there are.
  """
  folder = trainer.best_checkpoint_export_subdir
  metric = trainer.best_checkpoint_eval_metric
  fields.require(
    not metric or metric in metrics,
    'trainer.best_checkpoint_eval_metric',
    metric,
    f'one of {", ".join(metrics)}{description.did_you_mean(metric, metrics)}',
  )
  fields.require(
    bool(folder) == bool(metric),
    'trainer.best_checkpoint_eval_metric'
    if folder
    else 'trainer.best_checkpoint_export_subdir',
    metric if folder else folder,
    f'one of {", ".join(metrics)}, because trainer.'
    f'best_checkpoint_export_subdir={folder!r} asks for the best checkpoint'
    if folder
    else 'the name of a folder for the best checkpoint, because trainer.'
    f'best_checkpoint_eval_metric={metric!r} asks for one',
  )
  fields.require(
    trainer.best_checkpoint_metric_comp in ('higher', 'lower'),
    'trainer.best_checkpoint_metric_comp',
    trainer.best_checkpoint_metric_comp,
    "'higher' or 'lower'",
  )
  fields.require(
    trainer.best_checkpoint_standard_errors >= 0,
    'trainer.best_checkpoint_standard_errors',
    trainer.best_checkpoint_standard_errors,
    'a number of standard errors, or 0 to keep the best alone',
  )


def validate_runtime(config: schema.GrwExperimentConfig):
  """Raises ValueError for devices that could not be used."""
  runtime = config.runtime
  fields.require(
    runtime.num_gpus >= -1,
    'runtime.num_gpus',
    runtime.num_gpus,
    'a number of GPUs, 0 for the CPU or -1 for all GPUs that there are',
  )
  if runtime.distribution_strategy in ('one_device', 'off'):
    fields.require(
      runtime.num_gpus <= 1,
      'runtime.num_gpus',
      runtime.num_gpus,
      '1 at most, because runtime.distribution_strategy='
      f'{runtime.distribution_strategy!r}',
    )
  fields.require(
    runtime.distribution_strategy != 'tpu' or runtime.tpu is not None,
    'runtime.tpu',
    runtime.tpu,
    "the name or address of a TPU, or 'local' on its own machine (or --tpu), "
    "because runtime.distribution_strategy is 'tpu'",
  )
  for name, (value, reason) in _RUNTIME_WITHOUT_EFFECT.items():
    fields.require(
      getattr(runtime, name) == value,
      f'runtime.{name}',
      getattr(runtime, name),
      f'{value!r}, because {reason}',
    )
  fields.require(
    not runtime.enable_xla or runtime.num_gpus > 0,
    'runtime.enable_xla',
    runtime.enable_xla,
    f'False, because runtime.num_gpus={runtime.num_gpus} and steps are '
    'compiled by XLA only for a number of GPUs that is set',
  )
  algorithms = _ALL_REDUCE.get(runtime.distribution_strategy, (None,))
  fields.require(
    runtime.all_reduce_alg in algorithms,
    'runtime.all_reduce_alg',
    runtime.all_reduce_alg,
    f'one of {algorithms}, because runtime.distribution_strategy='
    f'{runtime.distribution_strategy!r}',
  )
  packed = (
    runtime.distribution_strategy == 'mirrored'
    and runtime.all_reduce_alg is not None
  )
  fields.require(
    runtime.num_packs == 1 or (packed and runtime.num_packs > 1),
    'runtime.num_packs',
    runtime.num_packs,
    'a number above 0'
    if packed
    else "1, unless distribution_strategy is 'mirrored' with an all_reduce_alg",
  )
  precision, scale = runtime.mixed_precision_dtype, runtime.loss_scale
  fields.require(
    scale is None or precision == 'float16',
    'runtime.loss_scale',
    scale,
    "null, because only runtime.mixed_precision_dtype='float16' scales the "
    'loss',
  )
  fields.require(
    scale in (None, 'dynamic')
    or (isinstance(scale, (int, float)) and scale > 0),
    'runtime.loss_scale',
    scale,
    "a number above 0, or 'dynamic' (as null)",
  )
  subclips = config.task.num_subclips
  fields.require(
    subclips == 1 or precision in (None, 'float32'),
    'runtime.mixed_precision_dtype',
    precision,
    "'float32', as the states of a stream are, because "
    f'task.num_subclips={subclips}',
  )


def validate_experiment(config: schema.GrwExperimentConfig):
  """Raises ValueError for what tasks, trainers and devices say together."""
  validate_trainer(config.trainer)
  validate_best_checkpoint(config.trainer, metric_names(config.task))
  validate_runtime(config)


def validate_trainer(trainer: optimization.TrainerConfig):
  """Raises ValueError for a trainer that would lose its work or its logs."""
  patience = trainer.early_stopping_patience
  keeps_best = bool(trainer.best_checkpoint_export_subdir)
  fields.require(
    patience == 0 or (patience > 0 and keeps_best),
    'trainer.early_stopping_patience',
    patience,
    'a number of validations, or 0 to train all steps; it needs trainer.'
    'best_checkpoint_export_subdir, as the best checkpoint is kept there',
  )
  for name in (
    'train_steps',
    'steps_per_loop',
    'summary_interval',
    'checkpoint_interval',
    'validation_interval',
  ):
    value = getattr(trainer, name)
    fields.require(
      value >= 1,
      f'trainer.{name}',
      value,
      'at least 1 (0 would train, and save or show nothing)',
    )
  for name in (
    'summary_interval',
    'checkpoint_interval',
    'validation_interval',
  ):
    value = getattr(trainer, name)
    fields.require(
      value % trainer.steps_per_loop == 0,
      f'trainer.{name}',
      value,
      f'a multiple of trainer.steps_per_loop={trainer.steps_per_loop}',
    )
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine' and (
    schedule.cosine.decay_steps != trainer.train_steps
  ):
    logging.warning(
      'trainer.optimizer_config.learning_rate.cosine.decay_steps=%s differs '
      'from trainer.train_steps=%s: the learning rate %s.',
      schedule.cosine.decay_steps,
      trainer.train_steps,
      'stays at its end for the rest'
      if schedule.cosine.decay_steps < trainer.train_steps
      else 'never comes to its end',
    )
  warmup = trainer.optimizer_config.warmup.get()
  if warmup is not None and warmup.warmup_steps >= trainer.train_steps:
    logging.warning(
      'trainer.optimizer_config.warmup lasts %s steps, and '
      'trainer.train_steps=%s: the learning rate only rises.',
      warmup.warmup_steps,
      trainer.train_steps,
    )
