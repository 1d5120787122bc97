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

"""PosMLP-Video as a family of backbones."""

from typing import Any

from official_ext.grw.backbones import variants
from official_ext.grw.backbones.posmlp_video import config as posmlp_config
from official_ext.grw.backbones.posmlp_video import model as posmlp_model
from official_ext.grw.backbones.posmlp_video import weights as posmlp_weights

_CROP = 224  # Height and width of the published models' clips.


class PosMlpVideoFamily(variants.VariantFamily):
  """Hao et al., arXiv 2407.02934."""

  name = 'posmlp_video'
  title = 'PosMLP-Video'
  config_class = posmlp_config.PosMlpVideo
  weights = posmlp_weights.PosMlpWeights()
  experiments = ('posmlp_video_kinetics400', 'posmlp_video_grw_kinetics400')

  def build(
    self,
    input_specs,
    backbone_config,
    norm_activation_config,
    l2_regularizer=None,
  ) -> posmlp_model.PosMlpVideo:
    return posmlp_model.PosMlpVideo(
      backbone_config.get(),
      input_specs,
      norm_momentum=norm_activation_config.norm_momentum,
      use_sync_bn=norm_activation_config.use_sync_bn,
      kernel_regularizer=l2_regularizer,
    )

  def clip(self, config: posmlp_config.PosMlpVideo) -> dict[str, Any]:
    # The weights belong to frames and to places in them.
    frames = config.resolved().num_frames
    return {'feature_shape': [frames, _CROP, _CROP, 3]}

  def register_experiments(self):
    from official_ext.grw.backbones.posmlp_video import experiments  # pylint: disable=g-import-not-at-top,unused-import  # noqa: F401
