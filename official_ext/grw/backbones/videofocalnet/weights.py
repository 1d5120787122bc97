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

"""How weights of Video-FocalNets, and of FocalNets for images, show.

State dicts of TalalWasim/Video-FocalNets, and of microsoft/FocalNet, with which
a Video-FocalNet begins: the same without the temporal branch.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np

from official_ext.grw.backbones import variants
from official_ext.grw.backbones import weights
from official_ext.grw.backbones.videofocalnet import config

_MODULATION = 'layers.0.blocks.0.modulation'
_STEM = 'patch_embed/proj/kernel'
_VARIANTS = {
  name: {'depths': numbers.depths, 'channels': numbers.channels}
  for name, numbers in config.VARIANTS.items()
}


def _in_temporal_branch(name: str) -> bool:
  return '_temporal/' in name


@dataclasses.dataclass(frozen=True)
class FoundFocalNet(variants.FoundVariant):
  """A Video-FocalNet, or a FocalNet.

  Attributes:
    images: whether there is no temporal branch, as in a FocalNet.
  """

  images: bool = False

  @property
  def of_images(self) -> bool:
    return self.images

  def _named(self, variant: str) -> str:
    if self.images:
      return f'FocalNet{variant} for images'
    return super()._named(variant)


class FocalNetWeights(variants.VariantWeights):
  """Those of the authors of Video-FocalNets and of FocalNets."""

  names = variants.TorchNames(r'(patch_embed|layers|norm)/')
  title = 'Video-FocalNet'
  marks = 'layers/*/blocks/*/modulation/f kernel'
  field = config.FIELD

  def __init__(self):
    self.state_dicts = (
      weights.StateDict(
        'videofocalnet_pytorch',
        "a Video-FocalNet authors' PyTorch checkpoint",
        lambda state: f'{_MODULATION}.f_temporal.weight' in state,
        lambda state, num_heads: self.translated(state),
      ),
      weights.StateDict(
        'focalnet_pytorch',
        "a FocalNet authors' PyTorch checkpoint, for images",
        lambda state: (
          f'{_MODULATION}.f.weight' in state
          and f'{_MODULATION}.f_temporal.weight' not in state
        ),
        lambda state, num_heads: self.translated(state),
      ),
    )

  def identify(self, shapes: weights.Shapes) -> FoundFocalNet | None:
    stem = shapes.get(_STEM)
    dense = variants.by_stage(
      shapes, r'layers/(\d+)/blocks/\d+/modulation/f/kernel'
    )
    if not stem or not dense:
      return None
    temporal = any(map(_in_temporal_branch, shapes))
    # Ours without the branch has our head; that of images has a linear one.
    images = not temporal and not any(
      name.startswith('grw_') and not name.startswith('grw_linear_head/')
      for name in shapes
    )
    projected = any('/fuse_temporal/' in name for name in shapes)
    settings = {
      'depths': tuple(len(blocks) for blocks in dense),
      'channels': tuple(blocks[0][0] for blocks in dense),
      'tubelet_size': stem[0] if len(stem) == 5 else 1,
      # A gate a level, and one for the mean.
      'focal_levels': tuple(
        blocks[0][1] - 2 * blocks[0][0] - 1 for blocks in dense
      ),
      'temporal_branch': temporal,
      # Shapes tell no more of it.
      'fusion': 'projection' if projected else 'multiplication',
    }
    model_id, implied = variants.variant_of(settings, _VARIANTS)
    default = config.VideoFocalNet()
    usual = {
      name
      for name in ('focal_levels', 'temporal_branch', 'fusion')
      if settings[name] == getattr(default, name)
    }
    if images:  # A video model of them has the branch.
      usual.add('temporal_branch')
    return FoundFocalNet(
      model_id, self.title, settings, implied, frozenset(usual), images=images
    )

  def may_differ(self, theirs: variants.FoundVariant, field: str) -> bool:
    return theirs.of_images and field in (
      'tubelet_size',
      'temporal_branch',
      'fusion',
    )

  def optional_part(self, structural: str) -> str:
    return 'the temporal branch' if _in_temporal_branch(structural) else ''

  def may_lack(self, theirs: variants.FoundVariant, structural: str) -> bool:
    return theirs.of_images and _in_temporal_branch(structural)

  def fitted(
    self,
    theirs: variants.FoundVariant,
    structural: str,
    shape: Sequence[int],
    value: np.ndarray,
  ) -> np.ndarray:
    if theirs.of_images and structural == _STEM and len(shape) > value.ndim:
      # A tubelet of one image then gives what the image gives.
      return np.repeat(value[np.newaxis] / shape[0], shape[0], axis=0)
    return value
