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

"""How weights of MoViNets are recognized, named and shaped.

The same batch norm is `block0_layer0/bneck/expansion/conv2d/bn/gamma` in a
'2plus1d' model, `block0_layer0/bneck/expansion/bn/gamma` in a '3d_2plus1d'
model and `b0/l0/bneck/expansion/bn/gamma` on Kaggle; its kernels lie in memory
in three ways.  The structural name is `block0_layer0/bneck/expansion/gamma`,
and the layout that of a 3D convolution: [time, height, width, in, out] (for
depthwise kernels in = 1).
"""

from collections.abc import Mapping, Sequence
import dataclasses
import re
from types import MappingProxyType

import numpy as np
from official.projects.movinet.modeling import movinet

from official_ext.grw.backbones import weights
from official_ext.grw.checkpoints import names

# Parts of a name that say how a convolution is computed, not which it is.
_CONVOLUTIONS = frozenset(
  (
    'conv2d',
    'conv3d',
    'depthwise_conv2d',
    'conv2d_temporal',
    'conv3d_temporal',
    'bn',
    'bn_temporal',
  )
)
_CONV_RANKS = (4, 5)
_FIELD = 'task.model.backbone.movinet'


class ConvolutionNames(names.Names):
  """Names in MoViNet's layers, however their convolutions are computed."""

  # The published streaming models add a position to squeeze-excitations; its
  # scale is a variable called just 'scale', known by the block that holds it.
  bare: Mapping[str, str] = MappingProxyType({'scale': 'pos_encoding/scale'})

  def structural(
    self, parts: Sequence[str], shape: Sequence[int]
  ) -> str | None:
    parts = list(parts)
    if (
      len(parts) > 2
      and re.fullmatch(r'b\d+', parts[0])
      and re.fullmatch(r'l\d+', parts[1])
    ):
      parts = [f'block{parts[0][1:]}_layer{parts[1][1:]}', *parts[2:]]
    if not self.owns('/'.join(parts)):
      return None
    if parts[-1] == 'scale':
      return (
        f'{parts[0]}/{self.bare["scale"]}'
        if 'pos_encoding' in parts
        else f'{parts[0]}/scale'
      )  # ReZero, with or without bneck/rezero.
    leaf = 'kernel' if parts[-1] == 'depthwise_kernel' else parts[-1]
    temporal = any(part.endswith('_temporal') for part in parts) or (
      leaf == 'kernel' and _is_temporal(shape)
    )
    return '/'.join(
      [part for part in parts[:-1] if part not in _CONVOLUTIONS]
      + ['temporal'] * temporal
      + [leaf]
    )

  def to_structural(
    self, structural: str, name: str, value: np.ndarray
  ) -> np.ndarray:
    if value.ndim != 4 or not structural.endswith('/kernel'):
      return value
    if _leaf(name) == 'depthwise_kernel':  # [.., channels, 1].
      value = np.swapaxes(value, -1, -2)
    return np.expand_dims(value, 1 if '/temporal/' in structural else 0)

  def from_structural(
    self, structural: str, name: str, shape: Sequence[int], value: np.ndarray
  ) -> np.ndarray:
    if len(shape) != 4 or value.ndim != 5 or not structural.endswith('/kernel'):
      return value
    axis = 1 if '/temporal/' in structural else 0
    if value.shape[axis] != 1:
      return value  # A 3D kernel, which no 2D variable can hold.
    value = np.squeeze(value, axis)
    if _leaf(name) == 'depthwise_kernel':
      value = np.swapaxes(value, -1, -2)
    return value

  def block(self, structural: str) -> str:
    block = structural.split('/')[0]
    return block if block.startswith('block') else ''


def _is_temporal(shape: Sequence[int]) -> bool:
  """Whether a kernel in a Keras layout reaches over time only."""
  if len(shape) not in _CONV_RANKS:
    return False
  time, *space = shape[:-2]
  return time > 1 and all(extent == 1 for extent in space)


def _leaf(name: str) -> str:
  return name.removesuffix(':0').rsplit('/', 1)[-1]


@dataclasses.dataclass(frozen=True)
class FoundMovinet(weights.Found):
  """A MoViNet: 'a0' to 'a5', 't0' or any other registered in BLOCK_SPECS.

  Attributes:
    stream: whether squeeze-excitations see the frame beside the mean over
      frames, as in the published streaming models.
    factorized: whether 3D kernels are split into space and time ('2plus1d' or
      '3d_2plus1d') or whole ('3d').
    positional_encoding: whether squeeze-excitations know their frame's number.
  """

  stream: bool
  factorized: bool
  positional_encoding: bool = False

  @property
  def hard_gates(self) -> bool:
    return self.stream

  def __str__(self):
    name = (
      f'MoViNet-{self.model_id.upper()}'
      if self.model_id
      else 'a MoViNet of no registered model id'
    )
    return (
      f'{name}-{"Stream" if self.stream else "Base"}, '
      f'{"2plus1d" if self.factorized else "3d"} convolutions'
    )


class MovinetWeights(weights.Weights):
  """Those of the Model Garden and of the PyTorch port."""

  names = ConvolutionNames(r'(stem|head|block\d+_layer\d+)/')
  title = 'MoViNet'
  marks = 'stem/stem kernel and block*_layer*/bneck/expansion kernel'
  state_dicts = (
    weights.StateDict(
      'movinet_pytorch',
      'a state dict of the PyTorch MoViNet port',
      lambda state: any(translate_port(*entry) for entry in state.items()),
      lambda state, num_heads: _translate(state),
    ),
  )

  def identify(self, shapes: weights.Shapes) -> FoundMovinet | None:
    widths = _expand_widths(shapes)
    if 'stem/stem/kernel' not in shapes or not widths:
      return None
    block = min(widths)
    squeeze = shapes.get(f'{block}/bneck/se/se_reduce/kernel')
    # A model without any kernel over time counts as factorized: any layout
    # fits.
    whole = any(
      shape[0] > 1 and max(shape[1:3]) > 1
      for name, shape in shapes.items()
      if name.endswith('/bneck/feature/kernel') and len(shape) == 5
    )
    return FoundMovinet(
      model_id=_model_id(shapes, widths),
      stream=squeeze is not None and squeeze[-2] == 2 * widths[block],
      factorized=not whole,
      positional_encoding=any('/pos_encoding/' in name for name in shapes),
    )

  def check(self, theirs: FoundMovinet, ours: FoundMovinet, held: str):
    if theirs.factorized == ours.factorized:
      return
    have, want = (
      ('factorized', 'whole') if theirs.factorized else ('whole', 'factorized')
    )
    raise ValueError(
      f'{held}: 3D kernels are {have} there and {want} here, and neither can '
      f'be made of the other. Set {_FIELD}.conv_type to '
      + ("'2plus1d' or '3d_2plus1d'." if theirs.factorized else "'3d'.")
    )

  def likely_cause(self, theirs: FoundMovinet, ours: FoundMovinet) -> str:
    if theirs.model_id != ours.model_id:
      return (
        f'The model id differs: set {_FIELD}.model_id to {theirs.model_id!r}.'
        if theirs.model_id
        else 'The file is of a model id that is not registered in BLOCK_SPECS.'
      )
    if theirs.stream != ours.stream:
      wanted = 'streaming' if theirs.stream else 'base'
      causal, se_type = (
        ('true', '2plus3d') if theirs.stream else ('false', '3d')
      )
      return (
        f'The file is of a {wanted} model: set {_FIELD}.causal to '
        f'{causal} and {_FIELD}.se_type to {se_type}.'
      )
    if theirs.positional_encoding != ours.positional_encoding:
      return (
        f'Set {_FIELD}.use_positional_encoding to '
        f'{str(theirs.positional_encoding).lower()}.'
      )
    return super().likely_cause(theirs, ours)


def _expand_widths(shapes: weights.Shapes) -> dict[str, int]:
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


def _model_id(shapes: weights.Shapes, expansions: Mapping[str, int]) -> str:
  stem = shapes.get('stem/stem/kernel', (0,))[-1]
  head = shapes.get('head/project/kernel', (0,))[-1]
  for model_id, specs in movinet.BLOCK_SPECS.items():
    spec_stem, spec_expansions, spec_head, outputs = _spec_widths(specs)
    stages = [
      shapes.get(f'block{stage}_layer0/bneck/projection/kernel', (0,))[-1]
      for stage in range(len(outputs))
    ]
    if (stem, expansions, head, stages) == (
      spec_stem,
      spec_expansions,
      spec_head,
      outputs,
    ):
      return model_id
  return ''


# The modules of the PyTorch port (Atze00/MoViNet-pytorch), in order of the
# first match.
_PORT = (
  (r'conv1\.', 'stem/stem'),
  (r'conv7\.', 'head/project'),
  (r'classifier\.0\.', 'classifier_head/head'),
  (r'classifier\.3\.', 'classifier_head/classifier'),
  (r'blocks\.b(\d+)_l(\d+)\.expand\.', r'block\1_layer\2/bneck/expansion'),
  (r'blocks\.b(\d+)_l(\d+)\.deep\.', r'block\1_layer\2/bneck/feature'),
  (r'blocks\.b(\d+)_l(\d+)\.project\.', r'block\1_layer\2/bneck/projection'),
  (r'blocks\.b(\d+)_l(\d+)\.se\.fc1\.', r'block\1_layer\2/bneck/se/se_reduce'),
  (r'blocks\.b(\d+)_l(\d+)\.se\.fc2\.', r'block\1_layer\2/bneck/se/se_expand'),
  # res.1 after an average pooling, res.0 where the stride is 1.
  (
    r'blocks\.b(\d+)_l(\d+)\.res\.[01]\.',
    r'block\1_layer\2/bneck/skip/skip_project',
  ),
)


def translate_port(
  key: str, value: np.ndarray
) -> tuple[str, np.ndarray] | None:
  """(structural name, value) of an entry of the port's state dict, or None."""
  if match := re.fullmatch(r'blocks\.b(\d+)_l(\d+)\.alpha', key):
    return f'block{match[1]}_layer{match[2]}/scale', value.reshape(())
  for pattern, module in _PORT:
    match = re.match(pattern, key)
    if not match:
      continue
    part = re.fullmatch(
      r'conv_([12])\.(conv2d|conv3d|norm)\.(\w+)', key[match.end() :]
    )
    if not part:
      return None
    leaves = names.TORCH_NORM if part[2] == 'norm' else names.TORCH_DENSE
    leaf = leaves.get(part[3])
    if leaf is None:
      return None
    temporal = part[1] == '2'
    if leaf == 'kernel':
      value = _port_kernel(value, temporal)
    return '/'.join(
      [match.expand(module)] + ['temporal'] * temporal + [leaf]
    ), value
  return None


def _port_kernel(weight: np.ndarray, temporal: bool) -> np.ndarray:
  """[out, in, ..] to [time, height, width, in, out]."""
  kernel = np.moveaxis(weight, (0, 1), (-1, -2))
  if kernel.ndim == 4:
    kernel = np.expand_dims(kernel, 1 if temporal else 0)
  return kernel


def _translate(state: weights.State) -> dict[str, np.ndarray]:
  return names.translated(_entries(state))


def _entries(state: weights.State):
  """(key, (structural name, value)) of what a model of the port has."""
  for key, value in state.items():
    if key.endswith('.num_batches_tracked'):
      continue
    found = translate_port(key, value)
    if not found:
      raise ValueError(
        f'The state dict has an entry {key!r} {tuple(value.shape)} that does '
        'not belong to the PyTorch MoViNet port, as others do.'
      )
    yield key, found
