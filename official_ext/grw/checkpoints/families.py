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

"""Video-FocalNets and PosMLP-Video, as their weights show them."""

from collections.abc import Callable, Mapping
import dataclasses
import math
import re
from typing import Any

from official_ext.grw.backbones.posmlp_video import config as posmlp_video
from official_ext.grw.backbones.videofocalnet import config as videofocalnet

# Structural names to shapes, in the layout of `structure`.
Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Family:
  """Backbones of one kind that are told apart by a few numbers.

  Attributes:
    title: as in the paper.
    variants: for each variant in the family's config, the settings it stands
      for.
    read_settings: finds the settings in the shapes of variables, by the fields
      of the family's config; {} if the variables are of something else.
  """

  title: str
  variants: Mapping[str, Mapping[str, Any]]
  read_settings: Callable[[Shapes], dict[str, Any]]

  def variant(self, settings: Mapping[str, Any]) -> str:
    """The variant of these settings, or ''."""
    return next(
      (
        name
        for name, numbers in self.variants.items()
        if numbers.items() <= settings.items()
      ),
      '',
    )


def _by_stage(shapes: Shapes, pattern: str) -> list[list[tuple[int, ...]]]:
  """In each stage, which `pattern` captures, the shapes of one variable."""
  stages: dict[int, list[tuple[int, ...]]] = {}
  for name, shape in shapes.items():
    if match := re.fullmatch(pattern, name):
      stages.setdefault(int(match[1]), []).append(shape)
  return [stages[stage] for stage in sorted(stages)]


def _videofocalnet_settings(shapes: Shapes) -> dict[str, Any]:
  stem = shapes.get('patch_embed/proj/kernel')
  dense = _by_stage(shapes, r'layers/(\d+)/blocks/\d+/modulation/f/kernel')
  if not stem or not dense:
    return {}
  return {
    'depths': tuple(len(blocks) for blocks in dense),
    'channels': tuple(blocks[0][0] for blocks in dense),
    'tubelet_size': stem[0] if len(stem) == 5 else 1,
  }


def _posmlp_video_settings(shapes: Shapes) -> dict[str, Any]:
  dense = _by_stage(shapes, r'blocks(\d+)/\d+/fc/encoder/fc1/kernel')
  # A row for each distance, from one end to the other and back.
  table = 'encoder/gate_unit/pos/window_relative_position_bias_table'
  spatial = _by_stage(shapes, rf'blocks(\d+)/\d+/fc/{table}')
  temporal = _by_stage(shapes, rf'blocks(\d+)/\d+/t_fc/{table}')
  if not dense or not spatial or not temporal:
    return {}
  return {
    'depths': tuple(len(blocks) for blocks in dense),
    'channels': tuple(blocks[0][0] for blocks in dense),
    'groups': tuple(blocks[0][-1] for blocks in spatial),
    'windows': tuple((math.isqrt(blocks[0][0]) + 1) // 2 for blocks in spatial),
    'num_frames': (temporal[0][0][0] + 1) // 2,
  }


# By the type of backbone, in the config of all of them.
FAMILIES = {
  'videofocalnet': Family(
    'Video-FocalNet',
    {
      name: {'depths': numbers.depths, 'channels': numbers.channels}
      for name, numbers in videofocalnet.VARIANTS.items()
    },
    _videofocalnet_settings,
  ),
  'posmlp_video': Family(
    'PosMLP-Video', posmlp_video.VARIANTS, _posmlp_video_settings
  ),
}
