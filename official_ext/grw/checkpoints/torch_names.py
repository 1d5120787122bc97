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

"""State dicts of PyTorch models, translated.

Those of families come from their folders.  Those of the GRW authors are here:
they hold the MoViNet port's under `video_backbone._encoder.` and a transformer
under `attention.`.
"""

from collections.abc import Mapping, Sequence
import re

import numpy as np

from official_ext.grw.backbones import families
from official_ext.grw.backbones import weights
from official_ext.grw.backbones.movinet import weights as movinet_weights
from official_ext.grw.checkpoints import names

_GRW_ENCODER = 'video_backbone._encoder.'
_COUNTER = '.num_batches_tracked'

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


def state_dicts() -> Sequence[weights.StateDict]:
  """All forms that are read, in the order in which they are recognized."""
  return [
    _GRW,
    *(
      form
      for family in families.registered()
      if family.weights is not None
      for form in family.weights.state_dicts
    ),
  ]


def recognized(state: Mapping[str, np.ndarray]) -> weights.StateDict:
  """The form of a state dict.

  Raises:
    ValueError: it has none of the forms that are read; names an entry.
  """
  for form in state_dicts():
    if form.recognizes(state):
      return form
  key, value = next(iter(state.items()))
  raise ValueError(
    f'The state dict has an entry {key!r} {tuple(value.shape)} and is none of '
    'those that are read: '
    + '; '.join(form.description for form in state_dicts())
    + '.'
  )


def translate(
  state: Mapping[str, np.ndarray], num_heads: int = 8
) -> dict[str, np.ndarray]:
  """A state dict under structural names, in the layouts of `structural_names`.

  Args:
    state: names to arrays, of any of the forms above.
    num_heads: the heads of the attention, which its tensors do not tell.

  Returns:
    {structural name: array}; counters of batches and indices of position
    tables, which are constants, are left out.

  Raises:
    ValueError: a key that does not belong to the form.
  """
  return recognized(state).translate(state, num_heads)


def _translate_grw(
  state: Mapping[str, np.ndarray], num_heads: int
) -> dict[str, np.ndarray]:
  return names.translated(_grw_entries(state, num_heads))


def _grw_entries(state: Mapping[str, np.ndarray], num_heads: int):
  """(key, (structural name, value)) of what a model of the authors has."""
  for key, value in state.items():
    if key.endswith(_COUNTER):
      continue
    if attention := _ATTENTION.fullmatch(key):
      for part in _attention(attention[1], attention[2], value, num_heads):
        yield key, part
      continue
    inner = key.removeprefix(_GRW_ENCODER)
    found = movinet_weights.translate_port(inner, value) or _head(inner, value)
    if not found:
      raise ValueError(
        f'The state dict has an entry {key!r} {tuple(value.shape)} that '
        'belongs to no model of the GRW authors, as others do.'
      )
    yield key, found


def _head(key: str, value: np.ndarray):
  """(structural name, value) of a GRW model's `key`, or None."""
  for pattern, name in _HEAD:
    if match := re.fullmatch(pattern, key):
      module, leaf = match.expand(name).rsplit('/', 1)
      if leaf not in names.TORCH_DENSE:
        return None
      if '/norm' in module:
        return f'{module}/{names.TORCH_NORM[leaf]}', value
      # Weights are [out, in].
      return f'{module}/{names.TORCH_DENSE[leaf]}', value.T
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


_GRW = weights.StateDict(
  'grw_pytorch',
  "a GRW authors' PyTorch checkpoint",
  lambda state: any(key.startswith(_GRW_ENCODER) for key in state),
  _translate_grw,
)
