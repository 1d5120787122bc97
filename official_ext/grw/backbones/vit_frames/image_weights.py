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

"""ViT weights of image classifiers, for the frames of videos.

They are those that the Model Garden's image classification saves, or those of
our own video models, which have the same layers.
"""

from collections.abc import Mapping
import math
import re
from typing import Any

from official_ext.grw.backbones import image_checkpoints
from official_ext.grw.backbones import variants
from official_ext.grw.backbones.vit_frames import config as vit_config
from official_ext.grw.backbones.vit_frames import model as vit_model


class _ViTWeights(variants.VariantWeights):
  """Says how two ViTs differ, and what to set."""

  title = 'ViT'
  field = vit_config.FIELD


def initialize(backbone: vit_model.ViTFrames, prefix: str) -> str:
  """Loads the weights of an image classifier, or of a video model of ours.

  A dense layer between the class token and the classes, as the Model Garden's
  `representation_size` adds one, is left out, as in the paper (Section 3.2).

  Args:
    backbone: whose variables are assigned, all or none.
    prefix: the prefix of a checkpoint of a ViT of these numbers, image size and
      pooler.

  Returns:
    What was loaded, to be logged.

  Raises:
    ValueError: the checkpoint is of another model; says how it differs.
  """
  saved = image_checkpoints.read(prefix)
  layers = [layer for layer in backbone.layers if layer.weights]
  settings = _settings(saved)
  kept = saved
  if settings is not None:
    numbers = backbone.numbers
    ours = _found({name: getattr(numbers, name) for name in settings})
    theirs = _found(settings)
    _ViTWeights().check(
      theirs, ours, f'{prefix} holds a {theirs}, and the model is a {ours}'
    )
    kept = saved._replace(layers=saved.layers[: len(layers)])
  difference = kept.difference(layers)
  if difference:
    raise ValueError(
      f'{prefix} holds no ViT as {vit_config.FIELD} has them: {difference}. '
      "Set task.init_checkpoint to one of the Model Garden's ViT for images, "
      'without layer scale.'
    )
  averages = kept.assign(layers)
  of = 'the moving averages of ' if averages else ''
  left_out = (
    ', without its dense layer before the classes (pre_logits)'
    if len(saved.layers) > len(layers)
    else ''
  )
  return f'Loaded {of}the backbone from {prefix}{left_out}.'


def _found(settings: Mapping[str, Any]) -> variants.FoundVariant:
  name, implied = variants.variant_of(settings, vit_config.VARIANTS)
  return variants.FoundVariant(name, 'ViT', settings, implied)


def _settings(saved: image_checkpoints.SavedBackbone) -> dict[str, Any] | None:
  """What shapes tell of the fields of a ViT; None if they are of none.

  Raises:
    ValueError: its images were not square.
  """
  encoders = [
    number
    for number, layer in enumerate(saved.layers)
    if any(path.endswith('pos_embedding') for path in layer)
  ]
  if not encoders or encoders[0] not in (1, 2):
    return None
  encoder = saved.layers[encoders[0]]

  def shapes(pattern: str) -> list[image_checkpoints.Shape]:
    return [
      shape for path, shape in encoder.items() if re.search(pattern, path)
    ]

  stems = [shape for shape in saved.layers[0].values() if len(shape) == 4]
  queries = shapes('query(_dense)?/kernel$')
  inner = shapes('intermediate(_dense)?/kernel$')
  if not stems or not queries or not inner:
    return None
  has_token = encoders[0] == 2
  patches = shapes('pos_embedding$')[0][1] - has_token
  side = math.isqrt(patches)
  if side * side != patches:
    raise ValueError(
      f'{saved.prefix} holds a ViT of images with {patches} patches, which are '
      f'not square: {vit_config.FIELD} takes weights of square images.'
    )
  patch_size = stems[0][0]
  return {
    'patch_size': patch_size,
    'hidden_size': stems[0][-1],
    'num_layers': len(queries),
    'num_heads': queries[0][1],
    'mlp_dim': inner[0][-1],
    'image_size': side * patch_size,
    'pooler': 'token' if has_token else 'gap',
  }
