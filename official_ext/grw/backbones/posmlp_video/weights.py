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
from typing import Any

from official_ext.grw.backbones import variants
from official_ext.grw.backbones import weights
from official_ext.grw.backbones.posmlp_video import config

_TABLE = 'pos/window_relative_position_bias_table'
_MARK = 'blocks1.0.t_fc.encoder.gate_unit.pos.token_proj_n_bias'


class PosMlpWeights(variants.VariantWeights):
  """Those of the authors of PosMLP-Video."""

  names = variants.TorchNames(r'(patch_embed\d?|blocks\d|norm)/')
  title = 'PosMLP-Video'
  marks = 'blocks*/*/*/encoder position table'
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
    for block in config.BLOCKS:
      encoder = 'fc' if block == 'parallel' else block
      dense = _by_stage(shapes, encoder, 'fc1/kernel')
      if dense and (mixed := _mixed(shapes, block, encoder)):
        break
    else:
      return None
    settings = {
      'depths': tuple(len(blocks) for blocks in dense),
      'channels': tuple(blocks[0][0] for blocks in dense),
      **mixed,
      'block': block,
    }
    model_id, implied = variants.variant_of(settings, config.VARIANTS)
    usual = frozenset({'block'} if block == 'parallel' else ())
    return variants.FoundVariant(model_id, self.title, settings, implied, usual)


def _by_stage(
  shapes: weights.Shapes, encoder: str, leaf: str
) -> list[list[tuple[int, ...]]]:
  return variants.by_stage(shapes, rf'blocks(\d+)/\d+/{encoder}/encoder/{leaf}')


def _mixed(
  shapes: weights.Shapes, block: str, encoder: str
) -> dict[str, Any] | None:
  """What tables and biases tell: groups, windows and frames."""
  if block == 'joint':
    table = _by_stage(shapes, encoder, f'gate_unit/{_TABLE}')
    bias = _by_stage(shapes, encoder, 'gate_unit/pos/token_proj_n_bias')
    if not table or not bias:
      return None
    # T · w² tokens have (2T − 1) · (2w − 1)² distances.
    found = [
      [
        (tokens // window**2, window)
        for window in range(1, math.isqrt(tokens) + 1)
        if tokens % window**2 == 0
        and (2 * tokens // window**2 - 1) * (2 * window - 1) ** 2 == rows
      ]
      for (((rows, _), *_), ((_, tokens, _), *_)) in zip(table, bias)
    ]
    if not all(found):
      return None
    return {
      'groups': tuple(blocks[0][-1] for blocks in table),
      'windows': tuple(pairs[0][1] for pairs in found),
      'num_frames': found[0][0][0],
    }
  # A row for each distance, from one end to the other and back.
  spatial_unit, temporal_unit = (
    ('gate_unit', 'gate_unit')
    if block == 'parallel'
    else ('spatial_gate_unit', 'temporal_gate_unit')
  )
  spatial = _by_stage(shapes, encoder, f'{spatial_unit}/{_TABLE}')
  temporal = _by_stage(
    shapes,
    't_fc' if block == 'parallel' else encoder,
    f'{temporal_unit}/{_TABLE}',
  )
  if not spatial or not temporal:
    return None
  return {
    'groups': tuple(blocks[0][-1] for blocks in spatial),
    'windows': tuple((math.isqrt(blocks[0][0]) + 1) // 2 for blocks in spatial),
    'num_frames': (temporal[0][0][0] + 1) // 2,
  }
