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

"""What the experiments of several families have in common."""

from typing import Any

from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.configs import completion
from official_ext.grw.configs import schema
from official_ext.grw.optimization import config as optimization

BATCH_SIZE = 64  # In clips, of the published experiments below.
_AUGMENTATION = {
  'aug_min_area_ratio': 0.08,
  'aug_max_area_ratio': 1.0,
  'aug_min_aspect_ratio': 3 / 4,
  'aug_max_aspect_ratio': 4 / 3,
  # It takes class numbers, and returns the vectors that the loss expects.
  'mixup_and_cutmix': common.MixupAndCutmix(),
  'one_hot': False,
}


def grw_experiment(
  model: schema.GrwModel,
  train_data: schema.DataConfig,
  validation_data: schema.DataConfig,
  train_epochs: int,
  train_batch_size: int,
  validation_batch_size: int,
  **optimization_values: Any,
) -> schema.GrwExperimentConfig:
  """An experiment of `train_epochs`, logged and saved once an epoch.

  Steps are left to `validate`, so that they follow from the epochs and batch
  sizes that the user has set.
  """
  train_data.global_batch_size = train_batch_size
  validation_data.global_batch_size = validation_batch_size
  return schema.GrwExperimentConfig(
    runtime=schema.RuntimeConfig(),
    task=schema.GrwTask(
      model=model, train_data=train_data, validation_data=validation_data
    ),
    trainer=optimization.TrainerConfig(
      train_epochs=train_epochs,
      steps_per_loop=completion.UNSET,
      summary_interval=completion.UNSET,
      checkpoint_interval=completion.UNSET,
      validation_interval=completion.UNSET,
      train_steps=completion.UNSET,
      validation_steps=completion.UNSET,
      optimizer_config=optimization.two_rate_optimization(
        None, **optimization_values
      ),
    ),
  )


def _data(split: str, **values: Any) -> schema.DataConfig:
  """Clips of Kinetics-400 for crops of 224 x 224."""
  is_training = split == 'train'
  return schema.DataConfig(
    name='kinetics400',
    split=split,
    num_classes=400,
    num_examples=215570 if is_training else 17706,
    is_training=is_training,
    drop_remainder=is_training,
    augment=is_training,
    **{
      'min_image_size': 256,
      'global_batch_size': BATCH_SIZE,
      **values,
    },
  )


def published_experiment(
  backbone: backbone_config.Backbone3D,
  window: int,
  with_grw: bool,
  dropout_rate: float,
  data: dict[str, Any],
  train_data: dict[str, Any],
  validation_data: dict[str, Any],
  l2_weight_decay: float,
  train_epochs: int,
  warmup_epochs: int,
  optimizer_config: dict[str, Any],
) -> schema.GrwExperimentConfig:
  """A backbone on Kinetics-400, smoothed or as published.

  Both have the recipe of the backbone's paper, as far as the Model Garden's
  video input has it, so that they differ by GRW-smoothing and its head alone.

  Args:
    backbone: the backbone of the model.
    window: the window T of the smoothing.
    with_grw: smooth the final features for the temporal head; otherwise a
      linear head reads their mean.
    dropout_rate: the rate of dropout of the head.
    data: the data of both splits.
    train_data: the data of training, beside what both families share.
    validation_data: the data of evaluation: the views of a video.
    l2_weight_decay: the decay of kernels, in the loss.
    train_epochs: passes over the training data.
    warmup_epochs: how many of them the learning rate rises in.
    optimizer_config: optimizer, schedule and warm-up.
  """
  model = schema.GrwModel(backbone=backbone, dropout_rate=dropout_rate)
  model.smoothing.window = window
  if not with_grw:
    model.smoothing.placement = 'none'
    model.head.type = 'linear'
  return schema.GrwExperimentConfig(
    runtime=schema.RuntimeConfig(),
    task=schema.GrwTask(
      model=model,
      losses=video_classification.Losses(l2_weight_decay=l2_weight_decay),
      # Published image weights have another head, or none.
      init_checkpoint_modules='backbone',
      train_data=_data('train', **data, **_AUGMENTATION, **train_data),
      validation_data=_data('validation', **data, **validation_data),
    ),
    trainer=optimization.TrainerConfig(
      train_epochs=train_epochs,
      warmup_epochs=warmup_epochs,
      train_steps=completion.UNSET,
      steps_per_loop=completion.UNSET,
      summary_interval=completion.UNSET,
      checkpoint_interval=completion.UNSET,
      validation_interval=completion.UNSET,
      validation_steps=completion.UNSET,
      optimizer_config=optimization.OptimizationConfig(optimizer_config),
    ),
  )


def cosine_schedule(peak: float, lowest: float) -> dict[str, Any]:
  """A linear warm-up from `lowest` into a cosine from `peak` to `lowest`.

  The cosine counts from the first step, and its steps and the warm-up's are
  left to the epochs.
  """
  return {
    'learning_rate': {
      'type': 'cosine',
      'cosine': {'initial_learning_rate': peak, 'alpha': lowest / peak},
    },
    'warmup': {
      'type': 'linear',
      'linear': {
        'warmup_learning_rate': lowest,
        'warmup_steps': completion.UNSET,
      },
    },
  }
