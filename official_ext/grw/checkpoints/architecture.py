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

"""What a set of weights is, read off its names and shapes."""

from collections.abc import Mapping
import dataclasses
import re
from typing import Any

from official.projects.movinet.modeling import movinet

from official_ext.grw.checkpoints import families
from official_ext.grw.checkpoints import structure

Shapes = families.Shapes


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A backbone, and the head on it.

  Attributes:
    model_id: the size of a MoViNet: 'a0' to 'a5', 't0' or any other registered
      in BLOCK_SPECS; of another family the variant in its config; '' for none
      of these.
    stream: in a MoViNet, whether squeeze-excitations see the frame beside the
      mean over frames, as in the published streaming models.
    factorized: in a MoViNet, whether 3D kernels are split into space and time
      ('2plus1d' or '3d_2plus1d') or whole ('3d').
    positional_encoding: whether squeeze-excitations know their frame's number.
    head: 'temporal' (GRW), 'movinet' (the stock classifier head), 'linear' or
      ''.
    num_classes: the number of classes of the head, or 0.
    embedding_dim: D of a temporal head, or 0.
    num_layers: the number of layers of a temporal head, or 0.
    mlp_ratio: the ratio of widths in the blocks of a temporal head, or 0.
    num_heads: the number of attention heads of a temporal head, or 0.
    family: the type of backbone, in the config of all of them.
    settings: for another family than MoViNet, what shapes tell of its config.
    images: whether it is a FocalNet, which is a Video-FocalNet without the
      temporal branch, and whose classes are those of images.
  """

  model_id: str
  stream: bool
  factorized: bool
  positional_encoding: bool = False
  head: str = ''
  num_classes: int = 0
  embedding_dim: int = 0
  num_layers: int = 0
  mlp_ratio: int = 0
  num_heads: int = 0
  family: str = 'movinet'
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  images: bool = False

  def __str__(self):
    head = {
      'temporal': f'GRW temporal head of {self.num_layers} layers',
      'movinet': 'stock classifier head',
      'linear': 'linear head',
    }.get(self.head, 'no head')
    classes = f', {self.num_classes} classes' if self.num_classes else ''
    if self.images:
      return self._backbone()
    return f'{self._backbone()}, {head}{classes}'

  def _backbone(self) -> str:
    if self.family != 'movinet':
      family = families.FAMILIES[self.family]
      name = 'FocalNet' if self.images else family.title
      name += f'-{self.model_id.upper()}' if self.model_id else ' of no variant'
      name += ' for images' * self.images
      implied = family.variants.get(self.model_id, {})
      numbers = ', '.join(
        f'{field} {value}'
        for field, value in self.settings.items()
        if field not in implied
      )
      return f'{name} ({numbers})' if numbers else name
    name = (
      f'MoViNet-{self.model_id.upper()}'
      if self.model_id
      else ('a MoViNet of no registered model id')
    )
    return (
      f'{name}-{"Stream" if self.stream else "Base"}, '
      f'{"2plus1d" if self.factorized else "3d"} convolutions'
    )


def expand_widths(shapes: Shapes) -> dict[str, int]:
  """Channels inside each block, by the block's name."""
  return {
    name.split('/')[0]: shape[-1]
    for name, shape in shapes.items()
    if name.endswith('/bneck/expansion/kernel')
  }


def _spec_widths(specs) -> tuple[int, dict[str, int], int, list[int]]:
  """(stem, {block: expansion}, head, outputs of stages) of BLOCK_SPECS."""
  stem, *blocks, head = specs
  expansions = {
    f'block{stage}_layer{layer}': width
    for stage, block in enumerate(blocks)
    for layer, width in enumerate(block.expand_filters)
  }
  return (
    stem.filters,
    expansions,
    head.project_filters,
    [block.base_filters for block in blocks],
  )


def _model_id(shapes: Shapes) -> str:
  stem = shapes.get('stem/stem/kernel', (0,))[-1]
  head = shapes.get('head/project/kernel', (0,))[-1]
  expansions = expand_widths(shapes)
  for model_id, specs in movinet.BLOCK_SPECS.items():
    spec_stem, spec_expansions, spec_head, outputs = _spec_widths(specs)
    stages = [
      shapes.get(f'block{stage}_layer0/bneck/projection/kernel', (0,))
      for stage in range(len(outputs))
    ]
    if (stem, expansions, head, [shape[-1] for shape in stages]) == (
      spec_stem,
      spec_expansions,
      spec_head,
      outputs,
    ):
      return model_id
  return ''


def _movinet(shapes: Shapes) -> Architecture | None:
  widths = expand_widths(shapes)
  if 'stem/stem/kernel' not in shapes or not widths:
    return None
  block = min(widths)
  squeeze = shapes.get(f'{block}/bneck/se/se_reduce/kernel')
  # A model without any kernel over time counts as factorized: any layout fits.
  whole = any(
    shape[0] > 1 and max(shape[1:3]) > 1
    for name, shape in shapes.items()
    if name.endswith('/bneck/feature/kernel') and len(shape) == 5
  )
  return Architecture(
    model_id=_model_id(shapes),
    stream=squeeze is not None and squeeze[-2] == 2 * widths[block],
    factorized=not whole,
    positional_encoding=any('/pos_encoding/' in name for name in shapes),
  )


def _of_family(shapes: Shapes) -> Architecture | None:
  """What the weights are of, if of another family than MoViNet."""
  for name, family in families.FAMILIES.items():
    if settings := family.read_settings(shapes):
      return Architecture(
        model_id=family.variant(settings),
        stream=False,
        factorized=False,
        family=name,
        settings=settings,
        images=name == 'videofocalnet'
        and not any(
          structure.in_temporal_branch(variable) for variable in shapes
        ),
      )
  return None


def identify(shapes: Shapes) -> Architecture | None:
  """What the weights of these names and shapes are of.

  Returns:
    None for what is neither a MoViNet nor of one of `families`.
  """
  backbone = _movinet(shapes) or _of_family(shapes)
  if backbone is None or backbone.images:
    return backbone
  if 'grw_head/classifier/kernel' in shapes:
    query = shapes.get('grw_head/block0/attention/query/kernel', (0, 0))
    mlp = shapes.get('grw_head/block0/mlp_in/kernel', (1, 0))
    return dataclasses.replace(
      backbone,
      head='temporal',
      num_classes=shapes['grw_head/classifier/kernel'][-1],
      embedding_dim=shapes['grw_head/classifier/kernel'][0],
      num_layers=len(
        {
          name.split('/')[1]
          for name in shapes
          if re.match(r'grw_head/block\d+/', name)
        }
      ),
      mlp_ratio=mlp[1] // mlp[0],
      num_heads=query[1],
    )
  for head, layer in (
    ('movinet', 'classifier_head'),
    ('linear', 'grw_linear_head'),
  ):
    if f'{layer}/classifier/kernel' in shapes:
      return dataclasses.replace(
        backbone,
        head=head,
        num_classes=shapes[f'{layer}/classifier/kernel'][-1],
      )
  return backbone
