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

"""The Model Garden's image ViT on the frames of a video, as a family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tf_keras

from official_ext.grw.backbones import family
from official_ext.grw.backbones.vit_frames import config as vit_config
from official_ext.grw.backbones.vit_frames import model as vit_model
from official_ext.grw.configs import fields

if TYPE_CHECKING:
  from official_ext.grw.configs import schema


class ViTFramesFamily(family.Family):
  """Dosovitskiy et al., arXiv 2010.11929."""

  name = 'vit_frames'
  title = 'ViT'
  config_class = vit_config.ViTFrames

  def build(
    self,
    input_specs,
    backbone_config,
    norm_activation_config,
    l2_regularizer=None,
  ) -> vit_model.ViTFrames:
    del norm_activation_config  # It has layer norms only, of one epsilon.
    config = backbone_config.get()
    config.check_clip(input_specs.shape[1:], 'input_specs')
    return vit_model.ViTFrames(config, l2_regularizer)

  def validate(self, model: schema.GrwModel):
    config = model.backbone.get().resolved()
    smoothing, head = model.smoothing, model.head
    fields.require(
      smoothing.placement != 'intermediate'
      or smoothing.endpoint in config.endpoints(),
      'task.model.smoothing.endpoint',
      smoothing.endpoint,
      f'one of {config.endpoints()}',
    )
    fields.require(
      head.type != 'temporal'
      or bool(head.embedding_dim)
      or config.hidden_size % head.num_heads == 0,
      'task.model.head.num_heads',
      head.num_heads,
      f'a divisor of the embeddings of {config.hidden_size} values, the width '
      'of the backbone, which task.model.head.embedding_dim=0 keeps',
    )

  def check_clip(
    self,
    config: vit_config.ViTFrames,
    shape: Sequence[int | None],
    field: str,
  ):
    config.check_clip(shape, field)

  def normalizes(self, config: vit_config.ViTFrames) -> bool:
    return True

  def with_states(self, config: vit_config.ViTFrames) -> vit_config.ViTFrames:
    return config.replace(use_external_states=True)

  def initialize(self, backbone: tf_keras.Model, prefix: str) -> str | None:
    # Reads checkpoints, and what reads them knows all families.
    from official_ext.grw.backbones.vit_frames import image_weights  # pylint: disable=g-import-not-at-top

    if not isinstance(backbone, vit_model.ViTFrames):
      return None
    return image_weights.initialize(backbone, prefix)

  def experiment(self, smoothed: bool, num_classes: int) -> str:
    return 'vit_frames_grw_kinetics600'

  def register_experiments(self):
    from official_ext.grw.backbones.vit_frames import experiments  # pylint: disable=g-import-not-at-top,unused-import  # noqa: F401
