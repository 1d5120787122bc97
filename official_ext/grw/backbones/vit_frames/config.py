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

"""Configuration of the Model Garden's image ViT on the frames of a video."""

from collections.abc import Sequence
import dataclasses

from official.modeling import hyperparams
from official.vision.modeling.backbones import vit_specs

from official_ext.grw.configs import fields

FIELD = 'task.model.backbone.vit_frames'

POOLERS = ('token', 'gap')
# By the Model Garden's names without 'vit-'.
VARIANTS = {
  name.removeprefix('vit-'): {
    'patch_size': spec['patch_size'],
    'hidden_size': spec['hidden_size'],
    **spec['transformer'],
  }
  for name, spec in vit_specs.VIT_SPECS.items()
}


@dataclasses.dataclass
class ViTFrames(hyperparams.Config):
  """A ViT (Dosovitskiy et al., arXiv 2010.11929), a frame at a time.

  It has no dropout and no stochastic depth: drawn for each image, they would
  move the embeddings of frames that are alike, which the loss punishes.

  Attributes:
    variant: 'ti16', 's16', 'b16', 'b32' or another of the Model Garden's;
      what the next five do not set is the variant's.
    patch_size: height and width of a patch in pixels; 0 is the variant's.
    hidden_size: D, the width of a token; 0 is the variant's.
    num_layers: blocks of the encoder; 0 is the variant's.
    num_heads: attention heads, which must divide D; 0 is the variant's.
    mlp_dim: width inside the MLP of a block; 0 is the variant's.
    image_size: height and width of every frame in pixels, since each patch has
      a position of its own; a multiple of the patches'.
    pooler: what the embedding of a frame is: 'token', the class token, or
      'gap', the mean of the patches'.
    use_external_states: return the states of a stream too, of which it has
      none.
  """

  variant: str = 'ti16'
  patch_size: int = 0
  hidden_size: int = 0
  num_layers: int = 0
  num_heads: int = 0
  mlp_dim: int = 0
  image_size: int = 224
  pooler: str = 'token'
  use_external_states: bool = False

  def resolved(self) -> 'ViTFrames':
    """The same with nothing left to the variant.

    Raises:
      ValueError: a value that no model can have; names the field.
    """
    _require(
      self, 'variant', self.variant in VARIANTS, f'one of {tuple(VARIANTS)}'
    )
    numbers = VARIANTS[self.variant]
    config = self.replace(
      **{name: getattr(self, name) or value for name, value in numbers.items()}
    )
    for name in numbers:
      _require(
        config,
        name,
        getattr(config, name) >= 1,
        "above 0, or 0 for the variant's",
      )
    _require(
      config,
      'hidden_size',
      config.hidden_size % config.num_heads == 0,
      f'a multiple of num_heads={config.num_heads}',
    )
    _require(
      config,
      'image_size',
      config.image_size >= 1 and config.image_size % config.patch_size == 0,
      f'a multiple of patch_size={config.patch_size}',
    )
    _require(config, 'pooler', config.pooler in POOLERS, f'one of {POOLERS}')
    return config

  def endpoints(self) -> list[str]:
    """The names of the endpoints, in their order."""
    count = self.resolved().num_layers
    return [f'block{number}' for number in range(1, count + 1)] + ['head']

  def check_clip(self, shape: Sequence[int | None], field: str):
    """Checks that the backbone can take clips of a shape.

    Args:
      shape: frames, height, width and channels; what may be any is None.
      field: where the shape was set, for the message.

    Raises:
      ValueError: the frames are of another size than the positions.
    """
    size = self.resolved().image_size
    if any(side not in (None, size) for side in shape[1:3]):
      raise ValueError(
        f'{field}={tuple(shape)}: expected frames of {size} x {size}, for '
        f'which vit_frames has positions ({FIELD}.image_size={size}).'
      )


def _require(config: ViTFrames, name: str, condition: bool, expected: str):
  fields.require(condition, f'{FIELD}.{name}', getattr(config, name), expected)
