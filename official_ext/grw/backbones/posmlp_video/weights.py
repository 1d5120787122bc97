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

"""How weights of PosMLP-Video (zhouds1918/PosMLP_Video) show."""

import math

from official_ext.grw.backbones import variants
from official_ext.grw.backbones import weights
from official_ext.grw.backbones.posmlp_video import config

_MARK = 'blocks1.0.t_fc.encoder.gate_unit.pos.token_proj_n_bias'


class PosMlpWeights(variants.VariantWeights):
  """Those of the authors of PosMLP-Video."""

  names = variants.TorchNames(r'(patch_embed\d?|blocks\d|norm)/')
  title = 'PosMLP-Video'
  marks = 'blocks*/*/t_fc position table'
  field = config.FIELD

  def __init__(self):
    self.state_dicts = (
      weights.StateDict(
        'posmlp_video_pytorch',
        "a PosMLP-Video authors' PyTorch checkpoint",
        lambda state: _MARK in state,
        lambda state, num_heads: self.translated(state),
      ),
    )

  def identify(self, shapes: weights.Shapes) -> variants.FoundVariant | None:
    dense = variants.by_stage(shapes, r'blocks(\d+)/\d+/fc/encoder/fc1/kernel')
    # A row for each distance, from one end to the other and back.
    table = 'encoder/gate_unit/pos/window_relative_position_bias_table'
    spatial = variants.by_stage(shapes, rf'blocks(\d+)/\d+/fc/{table}')
    temporal = variants.by_stage(shapes, rf'blocks(\d+)/\d+/t_fc/{table}')
    if not dense or not spatial or not temporal:
      return None
    settings = {
      'depths': tuple(len(blocks) for blocks in dense),
      'channels': tuple(blocks[0][0] for blocks in dense),
      'groups': tuple(blocks[0][-1] for blocks in spatial),
      'windows': tuple(
        (math.isqrt(blocks[0][0]) + 1) // 2 for blocks in spatial
      ),
      'num_frames': (temporal[0][0][0] + 1) // 2,
    }
    model_id, implied = variants.variant_of(settings, config.VARIANTS)
    return variants.FoundVariant(model_id, self.title, settings, implied)
