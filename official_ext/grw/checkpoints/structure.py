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

"""Variables by what they are, whatever a file or a model calls them.

The same batch norm is `block0_layer0/bneck/expansion/conv2d/bn/gamma` in a
'2plus1d' model, `block0_layer0/bneck/expansion/bn/gamma` in a '3d_2plus1d'
model and `b0/l0/bneck/expansion/bn/gamma` on Kaggle; its kernels lie in memory
in three ways and bear numbers (`conv2d_3`) that depend on what was built
before.  Here each has one structural name, `block0_layer0/bneck/expansion/
gamma`, and one layout, that of a 3D convolution: [time, height, width, in, out]
(for depthwise kernels in = 1).  Both are what all readers produce and what
`assign` matches.

The variables of Video-FocalNets and PosMLP-Video bear everywhere the names of
the published PyTorch modules.  Only their kernels differ: a dense layer may
stand for a convolution of extent 1, and one over time for one over time and
space.  Their layout is [extents above 1, ..., in, out].
"""

from collections.abc import Sequence
import re

import numpy as np

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
_BACKBONE = re.compile(r'(stem|head|block\d+_layer\d+)/')
# Video-FocalNets' and PosMLP-Video's.
_CLIP_BACKBONE = re.compile(r'(patch_embed\d?|layers|blocks\d|norm)/')
_MOVINET = re.compile(r'(stem|head|classifier_head|block\d+_layer\d+)/')
# The last dense layer of any of our heads, and of the stock one.
_CLASSIFIER = re.compile(r'(grw_\w*head|classifier_head)/classifier/')
_CONV_RANKS = (4, 5)

# The published streaming models add a position to squeeze-excitations; its
# scale is a variable called just 'scale', known by the block that holds it.
BARE_SCALE = 'scale'


def positional_scale(block: str) -> str:
  """The structural name of the positional scale in `block`."""
  return f'{block}/pos_encoding/scale'


def in_backbone(name: str) -> bool:
  """Whether a structural name is of the backbone and not of a head."""
  return bool(_BACKBONE.match(name) or _CLIP_BACKBONE.match(name))


def in_classifier(name: str) -> bool:
  """Whether a structural name is of the last dense layer, that of classes."""
  return bool(_CLASSIFIER.match(name))


def in_temporal_branch(name: str) -> bool:
  """Whether a name is of what a Video-FocalNet has and a FocalNet has not."""
  return '_temporal/' in name and bool(_CLIP_BACKBONE.match(name))


def structural_name(name: str, shape: Sequence[int]) -> str | None:
  """The structural name of a variable.

  Args:
    name: the name of the variable, as Keras or TF-Hub spell it, with or without
      ':0'.
    shape: the shape of the variable; tells temporal kernels, [k, 1, ...], from
      spatial.

  Returns:
    None for a variable that is of none of the backbones that are read by name
    and of none of our heads, such as a step counter.
  """
  parts = [
    re.sub(r'_\d+$', '', part)  # Numbers that Keras adds.
    for part in name.removesuffix(':0').split('/')
  ]
  if (
    re.fullmatch(r'b\d+', parts[0])
    and len(parts) > 2
    and re.fullmatch(r'l\d+', parts[1])
  ):
    parts = [f'block{parts[0][1:]}_layer{parts[1][1:]}', *parts[2:]]
  # Ours is the stock head under a name the optimizer can tell apart.
  if parts[0] == 'grw_classifier_head':
    parts[0] = 'classifier_head'
  if parts[0].startswith('grw_'):
    return '/'.join(parts)
  if _CLIP_BACKBONE.match('/'.join(parts)):
    return '/'.join([*parts[:-1], re.sub('^depthwise_', '', parts[-1])])
  if not _MOVINET.match('/'.join(parts)):
    return None
  if parts[-1] == 'scale':
    return (
      positional_scale(parts[0])
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


def _is_temporal(shape: Sequence[int]) -> bool:
  """Whether a kernel in a Keras layout reaches over time only."""
  if len(shape) not in _CONV_RANKS:
    return False
  time, *space = shape[:-2]
  return time > 1 and all(extent == 1 for extent in space)


def _is_convolution(structural: str, rank: int) -> bool:
  return (
    structural.endswith('/kernel')
    and bool(_MOVINET.match(structural))
    and rank in _CONV_RANKS
  )


def to_structural(structural: str, name: str, value: np.ndarray) -> np.ndarray:
  """A variable's value in the layout of its structural name.

  Args:
    structural: the variable's structural name.
    name: the name it had in the file, which tells depthwise 2D kernels.
    value: in the layout of Keras.
  """
  if _CLIP_BACKBONE.match(structural):
    if not structural.endswith('/kernel') or value.ndim < 2:
      return value
    if value.shape[-1] == 1:  # Depthwise, [.., channels, 1].
      value = np.swapaxes(value, -1, -2)
    extents = [n for n in value.shape[:-2] if n > 1]
    return value.reshape(*extents, *value.shape[-2:])
  if value.ndim != 4 or not _is_convolution(structural, value.ndim):
    return value
  if _leaf(name) == 'depthwise_kernel':  # [.., channels, 1].
    value = np.swapaxes(value, -1, -2)
  return np.expand_dims(value, 1 if '/temporal/' in structural else 0)


def structural_shape(
  structural: str, name: str, shape: Sequence[int]
) -> tuple[int, ...]:
  """The shape that `to_structural` gives a value of `shape`."""
  return to_structural(
    structural, name, np.broadcast_to(np.float32(0), tuple(shape))
  ).shape


def from_structural(
  structural: str, name: str, shape: Sequence[int], value: np.ndarray
) -> np.ndarray:
  """The inverse of `to_structural` for a variable of `shape` called `name`.

  A value that no such variable can hold is returned in another shape.
  """
  shape, rank = tuple(shape), len(shape)
  if _CLIP_BACKBONE.match(structural):
    if structural_shape(structural, name, shape) != value.shape:
      return value
    if structural.endswith('/kernel') and shape[-1] == 1:
      value = np.swapaxes(value, -1, -2)
    return value.reshape(shape)
  if rank != 4 or value.ndim != 5 or not _is_convolution(structural, 5):
    return value
  axis = 1 if '/temporal/' in structural else 0
  if value.shape[axis] != 1:
    return value  # A 3D kernel, which no 2D variable can hold.
  value = np.squeeze(value, axis)
  if _leaf(name) == 'depthwise_kernel':
    value = np.swapaxes(value, -1, -2)
  return value


def _leaf(name: str) -> str:
  return name.removesuffix(':0').rsplit('/', 1)[-1]
