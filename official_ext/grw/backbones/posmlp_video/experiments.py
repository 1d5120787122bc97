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

"""Experiments with PosMLP-Video, with GRW and without."""

from official.core import exp_factory
from official.vision.configs import common

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones.posmlp_video import config as posmlp_config
from official_ext.grw.configs import recipes
from official_ext.grw.configs import schema


def _posmlp_video(with_grw: bool) -> schema.GrwExperimentConfig:
  params = recipes.published_experiment(
    backbone_config.Backbone3D(
      type='posmlp_video',
      posmlp_video=posmlp_config.PosMlpVideo(
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
      **recipes.cosine_schedule(2e-4, 1e-6),
    },
  )
  params.task.model.norm_activation.norm_momentum = 0.9  # PyTorch's 0.1.
  return params


@exp_factory.register_config_factory('posmlp_video_grw_kinetics400')
def posmlp_video_grw_kinetics400() -> schema.GrwExperimentConfig:
  """PosMLP-Video-S on 16 frames with GRW on Kinetics-400."""
  return _posmlp_video(with_grw=True)


@exp_factory.register_config_factory('posmlp_video_kinetics400')
def posmlp_video_kinetics400() -> schema.GrwExperimentConfig:
  """PosMLP-Video-S on 16 frames as published (2407.02934), Kinetics-400."""
  return _posmlp_video(with_grw=False)
