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

"""MoViNet backbones as published (Kondratyuk et al., arXiv 2103.11511)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from official.projects.movinet.configs import movinet

if TYPE_CHECKING:
  from official_ext.grw.backbones import config as backbone_config


@dataclasses.dataclass
class Movinet(movinet.Movinet):
  """The Model Garden's configuration, with what it lacks.

  Attributes:
    global_squeeze_excitation: whether the squeeze-excitation of each frame of a
      causal backbone, whose convolutions stay causal, is that of the whole
      clip, as in the paper's ablation of operations (Table 4).  Such a backbone
      sees frames to come, and does not stream.
  """

  global_squeeze_excitation: bool = False


def published(model_id: str, stream: bool) -> backbone_config.Backbone3D:
  """A MoViNet as published, with one feature vector a frame at its end.

  Args:
    model_id: 'a0' to 'a5' or 't0'.
    stream: causal, with the two-fold squeeze-excitation and the activations
      of the published streaming models.  Their `hard_sigmoid` is the form of
      2021, clip(0.2 x + 0.5, 0, 1), which the name no longer means
      (tensorflow/models#13559).
  """
  # It imports the families, and so this module.
  from official_ext.grw.backbones import config as backbone_config  # pylint: disable=g-import-not-at-top

  config = Movinet(
    model_id=model_id,
    causal=stream,
    use_positional_encoding=stream and model_id in ('a3', 'a4', 'a5'),
    # The same function as '3d_2plus1d', and many times faster on CPU.
    conv_type='2plus1d' if stream else '3d',
    se_type='2plus3d' if stream else '3d',
    activation='hard_swish' if stream else 'swish',
    gating_activation='grw>hard_sigmoid' if stream else 'sigmoid',
    average_pooling_type='2d',
  )
  return backbone_config.Backbone3D(type='movinet', movinet=config)
