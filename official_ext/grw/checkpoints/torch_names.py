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

"""Names and layouts of the PyTorch models, translated.

State dicts of the MoViNet port (Atze00/MoViNet-pytorch); of the GRW models,
which hold a port's MoViNet under `video_backbone._encoder.` and a transformer
under `attention.`; and of Video-FocalNets (TalalWasim/Video-FocalNets), of the
FocalNets for images that they start from (microsoft/FocalNet) and of
PosMLP-Video (zhouds1918/PosMLP_Video), whose names ours follow.
"""

from collections.abc import Mapping
import re

import numpy as np

from official_ext.grw.checkpoints import structure

_GRW_ENCODER = 'video_backbone._encoder.'

# The port's modules, in order of the first match.
_BACKBONE = (
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
_BATCH_NORM = {
  'weight': 'gamma',
  'bias': 'beta',
  'running_mean': 'moving_mean',
  'running_var': 'moving_variance',
}
_CONVOLUTION = {'weight': 'kernel', 'bias': 'bias'}
_CONSTANTS = ('.num_batches_tracked', '.window_relative_position_index')

_HEAD = (
  (r'ln\.(\w+)', r'grw_head/norm_in/\1'),
  (r'attention\.transformer\.norm\.(\w+)', r'grw_head/norm_out/\1'),
  (
    r'attention\.transformer\.layers\.(\d+)\.0\.(\w+)',
    r'grw_head/block\1/norm1/\2',
  ),
  (
    r'attention\.transformer\.layers\.(\d+)\.2\.net\.0\.(\w+)',
    r'grw_head/block\1/norm2/\2',
  ),
  (
    r'attention\.transformer\.layers\.(\d+)\.2\.net\.1\.(\w+)',
    r'grw_head/block\1/mlp_in/\2',
  ),
  (
    r'attention\.transformer\.layers\.(\d+)\.2\.net\.3\.(\w+)',
    r'grw_head/block\1/mlp_out/\2',
  ),
  (r'attention\.linear_head\.(\w+)', r'grw_head/classifier/\1'),
  (r'classifier\.(\w+)', r'grw_embedding/\1'),
)
_ATTENTION = re.compile(
  r'attention\.transformer\.layers\.(\d+)\.1\.(\w+\.?\w*)'
)


_FOCALNET = 'layers.0.blocks.0.modulation'
_POSMLP_VIDEO = 'blocks1.0.t_fc.encoder.gate_unit.pos.token_proj_n_bias'


def kind(state: Mapping[str, np.ndarray]) -> str:
  """Of which of the models above a state dict is.

  Returns:
    'grw', 'videofocalnet', 'focalnet' (for images), 'posmlp_video', or for all
    others 'movinet'.
  """
  if any(key.startswith(_GRW_ENCODER) for key in state):
    return 'grw'
  if f'{_FOCALNET}.f.weight' in state:
    return (
      'videofocalnet'
      if f'{_FOCALNET}.f_temporal.weight' in state
      else 'focalnet'
    )
  return 'posmlp_video' if _POSMLP_VIDEO in state else 'movinet'


def translate(
  state: Mapping[str, np.ndarray], num_heads: int = 8
) -> dict[str, np.ndarray]:
  """A state dict under structural names, in the layouts of `structure`.

  Args:
    state: names to arrays, of any of the models above.
    num_heads: the number of heads of the attention, which its tensors do not
      tell.

  Returns:
    {structural name: array}; counters of batches and indices of position
    tables, which are constants, are left out.

  Raises:
    ValueError: a key that belongs to none of the models.
  """
  found_kind = kind(state)
  if found_kind not in ('grw', 'movinet'):
    return dict(
      _clip_backbone(key, value, found_kind)
      for key, value in state.items()
      if not key.endswith(_CONSTANTS)
    )
  grw = found_kind == 'grw'
  values = {}
  for key, value in state.items():
    if key.endswith(_CONSTANTS):
      continue
    inner = key.removeprefix(_GRW_ENCODER)
    attention = _ATTENTION.fullmatch(key)
    if grw and attention:
      values.update(_attention(attention[1], attention[2], value, num_heads))
      continue
    found = _backbone(inner, value) or (_head(inner, value) if grw else None)
    if not found:
      raise ValueError(
        f'The state dict has an entry {key!r} {tuple(value.shape)} that '
        'belongs neither to the PyTorch MoViNet port nor to a GRW model, a '
        'FocalNet, a Video-FocalNet or a PosMLP-Video.'
      )
    if found[0] in values:
      raise ValueError(
        f'The state dict has {key!r} and another entry, which both would be '
        f'{found[0]!r}: expected one of them.'
      )
    values[found[0]] = found[1]
  return values


def _backbone(key: str, value: np.ndarray):
  """(structural name, value) of the port's `key`, or None."""
  if match := re.fullmatch(r'blocks\.b(\d+)_l(\d+)\.alpha', key):
    return f'block{match[1]}_layer{match[2]}/scale', value.reshape(())
  for pattern, module in _BACKBONE:
    match = re.match(pattern, key)
    if not match:
      continue
    part = re.fullmatch(
      r'conv_([12])\.(conv2d|conv3d|norm)\.(\w+)', key[match.end() :]
    )
    if not part:
      return None
    leaf = (_BATCH_NORM if part[2] == 'norm' else _CONVOLUTION).get(part[3])
    if leaf is None:
      return None
    temporal = part[1] == '2'
    if leaf == 'kernel':
      value = _kernel(value, temporal)
    return '/'.join(
      [match.expand(module)] + ['temporal'] * temporal + [leaf]
    ), value
  return None


def _kernel(weight: np.ndarray, temporal: bool) -> np.ndarray:
  """[out, in, ..] to [time, height, width, in, out]."""
  kernel = np.moveaxis(weight, (0, 1), (-1, -2))
  if kernel.ndim == 4:
    kernel = np.expand_dims(kernel, 1 if temporal else 0)
  return kernel


def _head(key: str, value: np.ndarray):
  """(structural name, value) of a GRW model's `key`, or None."""
  for pattern, name in _HEAD:
    if match := re.fullmatch(pattern, key):
      module, leaf = match.expand(name).rsplit('/', 1)
      if leaf not in _CONVOLUTION:
        return None
      if '/norm' in module:
        return f'{module}/{_BATCH_NORM[leaf]}', value
      return f'{module}/{_CONVOLUTION[leaf]}', value.T  # [out, in] weights.
  return None


def _attention(block: str, leaf: str, value: np.ndarray, num_heads: int):
  """torch.nn.MultiheadAttention as Keras's: one variable a projection.

  in_proj stacks query, key and value by rows; heads are consecutive channels.
  """
  module = f'grw_head/block{block}/attention'
  dim = value.shape[-1] if leaf != 'in_proj_bias' else value.shape[0] // 3
  if dim % num_heads:
    raise ValueError(
      f'The checkpoint says {num_heads} attention heads, which do not divide '
      f'its embeddings of width {dim}.'
    )
  head_dim = dim // num_heads
  if leaf == 'in_proj_weight':
    for name, weight in zip(('query', 'key', 'value'), np.split(value, 3)):
      yield (
        f'{module}/{name}/kernel',
        weight.T.reshape(dim, num_heads, head_dim),
      )
  elif leaf == 'in_proj_bias':
    for name, bias in zip(('query', 'key', 'value'), np.split(value, 3)):
      yield f'{module}/{name}/bias', bias.reshape(num_heads, head_dim)
  elif leaf == 'out_proj.weight':
    yield (
      f'{module}/attention_output/kernel',
      value.T.reshape(num_heads, head_dim, dim),
    )
  elif leaf == 'out_proj.bias':
    yield f'{module}/attention_output/bias', value
  else:
    raise ValueError(f'Unknown part of an attention layer: {leaf!r}.')


def _clip_backbone(key: str, value: np.ndarray, family: str):
  """(structural name, value) of `key` in a state dict of `family`."""
  *module, leaf = key.split('.')
  if module == ['head']:
    module = ['grw_linear_head', 'classifier']
  norm = re.search(r'(^|\.)norm\d?\.\w+$', key)
  leaves = _BATCH_NORM if norm else _CONVOLUTION
  name = '/'.join([*module, leaves.get(leaf, leaf)])
  if not (structure.in_backbone(name) or name.startswith('grw_linear_head/')):
    raise ValueError(
      f'The state dict has an entry {key!r} {tuple(value.shape)} that '
      f'belongs to no {family}.'
    )
  if value.ndim >= 2 and name.endswith('/kernel'):
    value = np.moveaxis(value, (0, 1), (-1, -2))  # Of [out, in, ..].
  return name, structure.to_structural(name, name, value)
