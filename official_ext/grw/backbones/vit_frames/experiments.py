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

"""Experiments with the Model Garden's image ViT, a frame at a time.

Settings are those of Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 4,
which has no such backbone.
"""

from official.core import exp_factory

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones.movinet import (
  experiments as movinet_experiments,
)
from official_ext.grw.configs import schema


@exp_factory.register_config_factory('vit_frames_grw_kinetics600')
def vit_frames_grw_kinetics600() -> schema.GrwExperimentConfig:
  """ViT-Ti/16 on each frame, with GRW, on Kinetics-600."""
  config = movinet_experiments.movinet_grw_kinetics600()
  config.task.model.backbone = backbone_config.Backbone3D(type='vit_frames')
  # Images have no temporal head.
  config.task.init_checkpoint_modules = 'backbone'
  for data in (config.task.train_data, config.task.validation_data):
    data.feature_shape = (50, 224, 224, 3)
    data.min_image_size = 256
  return config
