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

"""Rejects experiments that cannot be built or cannot train, by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import logging
from official.core import config_definitions as cfg
from official.projects.movinet.modeling import movinet as movinet_specs

from official_ext.grw.backbones import config as backbones
from official_ext.grw.configs import data_checks
from official_ext.grw.configs import fields

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

PLACEMENTS = ('final', 'intermediate', 'none')

HEADS = ('temporal', 'movinet', 'linear')

RESIZES = ('keep_aspect', 'square')

CLIP_STARTS = ('middle', 'start')

SAMPLINGS = ('dense', 'segments')

MIN_WINDOW = 3


def validate_task(task: schema.GrwTask):
  """Raises ValueError for a task that cannot be built or cannot train."""
  smoothing, head = task.model.smoothing, task.model.head
  fields.require(
    smoothing.placement in PLACEMENTS,
    'task.model.smoothing.placement',
    smoothing.placement,
    f'one of {PLACEMENTS}',
  )
  fields.require(
    smoothing.placement != 'intermediate' or bool(smoothing.endpoint),
    'task.model.smoothing.endpoint',
    smoothing.endpoint,
    "the name of a backbone endpoint, because placement is 'intermediate'",
  )
  fields.require(
    smoothing.window >= MIN_WINDOW,
    'task.model.smoothing.window',
    smoothing.window,
    f'at least {MIN_WINDOW} frames, as an acceleration takes three',
  )
  backbone = task.model.backbone
  if backbone.type == 'movinet':
    model_ids = sorted(movinet_specs.BLOCK_SPECS)
    fields.require(
      backbone.movinet.model_id in model_ids,
      'task.model.backbone.movinet.model_id',
      backbone.movinet.model_id,
      f'one of {model_ids}',
    )
    fields.require(
      smoothing.placement != 'final'
      or backbone.movinet.average_pooling_type == '2d',
      'task.model.backbone.movinet.average_pooling_type',
      backbone.movinet.average_pooling_type,
      "'2d', one feature vector a frame, because "
      "task.model.smoothing.placement is 'final'",
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
    head.type in HEADS, 'task.model.head.type', head.type, f'one of {HEADS}'
  )
  validate_backbone(task.model)
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
    ('dropout_rate', task.model.dropout_rate),
  ):
    fields.require(
      0 <= rate < 1, f'task.model.{field}', rate, 'a rate in [0, 1)'
    )
  fields.require(
    task.init_checkpoint_modules in ('all', 'backbone'),
    'task.init_checkpoint_modules',
    task.init_checkpoint_modules,
    "'all' or 'backbone'",
  )

  data_checks.validate_frames(task)
  data_checks.validate_labels(task)
  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    field = f'task.{split}'
    fields.require(
      data.num_classes >= 2,
      f'{field}.num_classes',
      data.num_classes,
      'at least 2, or task.dataset_info to take it from',
    )
    fields.require(
      data.resize in RESIZES,
      f'{field}.resize',
      data.resize,
      f'one of {RESIZES}',
    )
    fields.require(
      data.resize != 'square'
      or (max(data.feature_shape[1:3]) <= data.min_image_size),
      f'{field}.min_image_size',
      data.min_image_size,
      'at least the crop of feature_shape='
      f"{tuple(data.feature_shape)}, because resize is 'square'",
    )
    fields.require(
      data.clip_start in CLIP_STARTS,
      f'{field}.clip_start',
      data.clip_start,
      f'one of {CLIP_STARTS}',
    )
    fields.require(
      data.sampling in SAMPLINGS,
      f'{field}.sampling',
      data.sampling,
      f'one of {SAMPLINGS}',
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
    backbones.check_clip(backbone, data.feature_shape, f'{field}.feature_shape')
    fields.require(
      not (data.zero_centering_image and backbones.normalizes(backbone)),
      f'{field}.zero_centering_image',
      data.zero_centering_image,
      f'False, because {backbone.type} normalizes frames in [0, 1] itself',
    )
    frames = smoothing.window * backbones.frames_per_vector(backbone)
    fields.require(
      # A window is of no concern to evaluation.
      not data.is_training or data.feature_shape[0] >= frames,
      f'{field}.feature_shape',
      tuple(data.feature_shape),
      f'clips of at least one GRW window: {frames} frames or more',
    )
    fields.require(
      data.mixup_and_cutmix is None or not data.one_hot,
      f'{field}.one_hot',
      data.one_hot,
      'False, because mixup_and_cutmix mixes and returns vectors itself',
    )
    fields.require(
      data.on_bad_record in ('error', 'skip'),
      f'{field}.on_bad_record',
      data.on_bad_record,
      "'error' or 'skip'",
    )
    fields.require(
      data.is_training == (split == 'train_data'),
      f'{field}.is_training',
      data.is_training,
      f'{split == "train_data"}',
    )
  fields.require(
    task.train_data.num_classes == task.validation_data.num_classes,
    'task.validation_data.num_classes',
    task.validation_data.num_classes,
    f'the {task.train_data.num_classes} classes of task.train_data',
  )
  validate_subclips(task)


def validate_subclips(task: schema.GrwTask):
  """Raises ValueError for training clips that cannot be split as asked."""
  count = task.num_subclips
  fields.require(count >= 1, 'task.num_subclips', count, 'at least 1')
  if count == 1:
    return
  try:
    backbones.with_states(task.model.backbone)
  except ValueError as error:
    raise ValueError(
      f'task.num_subclips={count}: expected 1, because the backbone has no '
      f'states to carry from one subclip to the next. {error}'
    ) from error
  frames = task.train_data.feature_shape[0]
  fields.require(
    frames % count == 0,
    'task.num_subclips',
    count,
    f'a divisor of the {frames} frames of task.train_data.feature_shape',
  )
  smoothing, length = task.model.smoothing, frames // count
  fields.require(
    smoothing.placement == 'none' or length % smoothing.window == 0,
    'task.num_subclips',
    count,
    'subclips that cut no window of task.model.smoothing.window='
    f'{smoothing.window} frames; of {frames} frames they have {length}',
  )


def validate_backbone(model: schema.GrwModel):
  """Raises ValueError for a backbone that does not fit the rest."""
  if model.backbone.type != 'mobilenet_v3':
    return
  backbone = model.backbone.mobilenet_v3
  backbone.validate()
  fields.require(
    backbone.temporal != 'base_frame'
    or model.smoothing.placement == 'none'
    or backbone.window == model.smoothing.window,
    'task.model.backbone.mobilenet_v3.window',
    backbone.window,
    f'task.model.smoothing.window={model.smoothing.window}, as a window '
    'that is smoothed has one base frame',
  )


def validate_trainer(trainer: cfg.TrainerConfig):
  """Raises ValueError for a trainer that would lose its work or its logs."""
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
  optimizer = trainer.optimizer_config.optimizer
  if optimizer.type == 'two_rate_adamw':
    optimizer.two_rate_adamw.validate()
