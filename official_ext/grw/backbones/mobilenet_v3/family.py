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

"""MobileNetV3 on the frames of a video, as a family of backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tf_keras

from official_ext.grw.backbones import family
from official_ext.grw.backbones.mobilenet_v3 import config as mobilenet_config
from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_model
from official_ext.grw.configs import fields

if TYPE_CHECKING:
  from official_ext.grw.configs import schema


class MobileNetV3Family(family.Family):
  """Howard et al., arXiv 1905.02244; in time as in arXiv 2511.20928."""

  name = 'mobilenet_v3'
  title = 'MobileNetV3'
  config_class = mobilenet_config.MobileNetV3

  def build(
    self,
    input_specs,
    backbone_config,
    norm_activation_config,
    l2_regularizer=None,
  ) -> mobilenet_model.MobileNetV3:
    del input_specs  # It takes clips of any size.
    config = backbone_config.get()
    config.validate()
    return mobilenet_model.MobileNetV3(
      model_id=config.model_id,
      width_multiplier=config.width_multiplier,
      temporal=config.temporal,
      window=config.window,
      use_external_states=config.use_external_states,
      use_sync_bn=norm_activation_config.use_sync_bn,
      norm_momentum=norm_activation_config.norm_momentum,
      norm_epsilon=norm_activation_config.norm_epsilon,
      kernel_regularizer=l2_regularizer,
    )

  def validate(self, model: schema.GrwModel):
    config = model.backbone.get()
    config.validate()
    fields.require(
      config.temporal != 'base_frame'
      or model.smoothing.placement == 'none'
      or config.window == model.smoothing.window,
      f'{mobilenet_config.FIELD}.window',
      config.window,
      f'task.model.smoothing.window={model.smoothing.window}, as a window '
      'that is smoothed has one base frame',
    )

  def normalizes(self, config: mobilenet_config.MobileNetV3) -> bool:
    return True

  def with_states(
    self, config: mobilenet_config.MobileNetV3
  ) -> mobilenet_config.MobileNetV3:
    return config.replace(use_external_states=True)

  def initialize(self, backbone: tf_keras.Model, prefix: str) -> str | None:
    # Reads checkpoints, and what reads them knows all families.
    from official_ext.grw.backbones.mobilenet_v3 import image_weights  # pylint: disable=g-import-not-at-top

    if not isinstance(backbone, mobilenet_model.MobileNetV3):
      return None
    return image_weights.initialize(backbone, prefix)

  def experiment(self, smoothed: bool, num_classes: int) -> str:
    return 'mobilenet_v3_grw_kinetics600'

  def register_experiments(self):
    from official_ext.grw.backbones.mobilenet_v3 import experiments  # pylint: disable=g-import-not-at-top,unused-import  # noqa: F401
