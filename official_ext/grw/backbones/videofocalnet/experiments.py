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

"""Experiments with Video-FocalNet, with GRW and without."""

from official.core import exp_factory

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones.videofocalnet import config as focalnet_config
from official_ext.grw.configs import recipes
from official_ext.grw.configs import schema


def _videofocalnet(with_grw: bool) -> schema.GrwExperimentConfig:
  # A learning rate of 0.01 is published for 512 clips, to be scaled.
  scale = recipes.BATCH_SIZE / 512
  return recipes.published_experiment(
    backbone_config.Backbone3D(
      type='videofocalnet',
      videofocalnet=focalnet_config.VideoFocalNet(
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
      **recipes.cosine_schedule(0.01 * scale, 1e-4 * scale),
    },
  )


@exp_factory.register_config_factory('videofocalnet_grw_kinetics400')
def videofocalnet_grw_kinetics400() -> schema.GrwExperimentConfig:
  """Video-FocalNet-T with GRW on Kinetics-400."""
  return _videofocalnet(with_grw=True)


@exp_factory.register_config_factory('videofocalnet_kinetics400')
def videofocalnet_kinetics400() -> schema.GrwExperimentConfig:
  """Video-FocalNet-T as published (arXiv 2307.06947), on Kinetics-400."""
  return _videofocalnet(with_grw=False)
