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

"""Experiments with Video-FocalNet and PosMLP-Video, with GRW and without.

Both of a family have the recipe of its paper, as far as the Model Garden's
video input has it, so that they differ by GRW-smoothing and its head alone.
Numbers are those of the published Kinetics-400 configurations.
"""

from typing import Any

from official.core import exp_factory
from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.backbones import config as backbones
from official_ext.grw.backbones.posmlp_video import config as posmlp_video
from official_ext.grw.backbones.videofocalnet import config as videofocalnet
from official_ext.grw.configs import completion
from official_ext.grw.configs import schema
from official_ext.grw.optimization import config as optimization

# Of both families.
_BATCH_SIZE = 64
_AUGMENTATION = {
  'aug_min_area_ratio': 0.08,
  'aug_max_area_ratio': 1.0,
  'aug_min_aspect_ratio': 3 / 4,
  'aug_max_aspect_ratio': 4 / 3,
  # It takes class numbers, and returns the vectors that the loss expects.
  'mixup_and_cutmix': common.MixupAndCutmix(),
  'one_hot': False,
}


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
      'global_batch_size': _BATCH_SIZE,
      **values,
    },
  )


def _experiment(
  backbone: backbones.Backbone3D,
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


def _schedule(peak: float, lowest: float) -> dict[str, Any]:
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


def _videofocalnet(with_grw: bool) -> schema.GrwExperimentConfig:
  # A learning rate of 0.01 is published for 512 clips, to be scaled.
  scale = _BATCH_SIZE / 512
  return _experiment(
    backbones.Backbone3D(
      type='videofocalnet',
      videofocalnet=videofocalnet.VideoFocalNet(
        mean=(0.485, 0.456, 0.406), stddev=(0.229, 0.224, 0.225)
      ),
    ),
    window=4,  # Two windows hold all eight feature vectors.
    with_grw=with_grw,
    dropout_rate=0.0,
    # Published as clips of one frame, a clip from each of eight segments.
    data={'feature_shape': (8, 224, 224, 3), 'sampling': 'segments'},
    train_data={},
    # Probabilities of 4 clips x 3 crops are averaged.  Then the shorter side is
    # a crop; with one view frames have 256 pixels.
    validation_data={
      'num_test_clips': 4,
      'num_test_crops': 3,
      'min_image_size': 224,
      'global_batch_size': 8,  # Of 12 views each.
    },
    l2_weight_decay=1e-4,
    train_epochs=120,
    warmup_epochs=20,
    optimizer_config={
      'optimizer': {
        'type': 'sgd',
        'sgd': {'momentum': 0.9, 'nesterov': True, 'global_clipnorm': 5.0},
      },
      **_schedule(0.01 * scale, 1e-4 * scale),
    },
  )


def _posmlp_video(with_grw: bool) -> schema.GrwExperimentConfig:
  params = _experiment(
    backbones.Backbone3D(
      type='posmlp_video',
      posmlp_video=posmlp_video.PosMlpVideo(
        mean=(0.45,) * 3, stddev=(0.225,) * 3
      ),
    ),
    window=5,
    with_grw=with_grw,
    dropout_rate=0.5,
    data={
      'feature_shape': (16, 224, 224, 3),
      'temporal_stride': 4,
      'frames_per_second': 25 / 4,
    },
    train_data={
      'aug_type': common.Augmentation(
        type='randaug',
        randaug=common.RandAugment(
          num_layers=4, magnitude=7, magnitude_std=0.5
        ),
      )
    },
    # Logits of 4 clips are averaged; on Something-Something of 3 crops.
    validation_data={
      'num_test_clips': 4,
      'view_average': 'logits',
      'global_batch_size': 16,  # Of 4 views each.
    },
    l2_weight_decay=0.0,
    train_epochs=60,
    warmup_epochs=10,
    optimizer_config={
      'optimizer': {
        'type': 'two_rate_adamw',
        'two_rate_adamw': {
          # One rate: the paper's.
          'backbone_lr_scale': 1.0,
          'weight_decay': 0.05,
          'exclude_from_weight_decay': [r'/(bias|beta|gamma)\b'],
          'global_clipnorm': None,
        },
      },
      **_schedule(2e-4, 1e-6),
    },
  )
  params.task.model.norm_activation.norm_momentum = 0.9  # PyTorch's 0.1.
  return params


@exp_factory.register_config_factory('videofocalnet_grw_kinetics400')
def videofocalnet_grw_kinetics400() -> schema.GrwExperimentConfig:
  """Video-FocalNet-T with GRW on Kinetics-400."""
  return _videofocalnet(with_grw=True)


@exp_factory.register_config_factory('videofocalnet_kinetics400')
def videofocalnet_kinetics400() -> schema.GrwExperimentConfig:
  """Video-FocalNet-T as published (arXiv 2307.06947), on Kinetics-400."""
  return _videofocalnet(with_grw=False)


@exp_factory.register_config_factory('posmlp_video_grw_kinetics400')
def posmlp_video_grw_kinetics400() -> schema.GrwExperimentConfig:
  """PosMLP-Video-S on 16 frames with GRW on Kinetics-400."""
  return _posmlp_video(with_grw=True)


@exp_factory.register_config_factory('posmlp_video_kinetics400')
def posmlp_video_kinetics400() -> schema.GrwExperimentConfig:
  """PosMLP-Video-S on 16 frames as published (2407.02934), Kinetics-400."""
  return _posmlp_video(with_grw=False)
