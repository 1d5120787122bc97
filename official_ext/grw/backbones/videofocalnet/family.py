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

"""Video-FocalNet as a family of backbones."""

from official_ext.grw.backbones import variants
from official_ext.grw.backbones.videofocalnet import config as focalnet_config
from official_ext.grw.backbones.videofocalnet import model as focalnet_model
from official_ext.grw.backbones.videofocalnet import weights as focalnet_weights


class VideoFocalNetFamily(variants.VariantFamily):
  """Wasim et al., ICCV 2023, arXiv 2307.06947."""

  name = 'videofocalnet'
  title = 'Video-FocalNet'
  config_class = focalnet_config.VideoFocalNet
  weights = focalnet_weights.FocalNetWeights()
  experiments = ('videofocalnet_kinetics400', 'videofocalnet_grw_kinetics400')

  def build(
    self,
    input_specs,
    backbone_config,
    norm_activation_config,
    l2_regularizer=None,
  ) -> focalnet_model.VideoFocalNet:
    del norm_activation_config  # It has layer norms only, of one epsilon.
    return focalnet_model.VideoFocalNet(
      backbone_config.get(), input_specs, l2_regularizer
    )

  def frames_per_vector(self, config: focalnet_config.VideoFocalNet) -> int:
    return config.tubelet_size

  def with_states(
    self, config: focalnet_config.VideoFocalNet
  ) -> focalnet_config.VideoFocalNet:
    if not config.is_of_frames:
      return super().with_states(config)
    return config.replace(use_external_states=True)

  def register_experiments(self):
    from official_ext.grw.backbones.videofocalnet import experiments  # pylint: disable=g-import-not-at-top,unused-import  # noqa: F401
