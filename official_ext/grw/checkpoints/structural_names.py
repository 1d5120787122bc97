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

The same variable has other names on Kaggle, in a PyTorch file and in models
that compute a convolution in other ways; its values lie in memory in several
ways; and names bear numbers (`conv2d_3`) that depend on what was built before.
Here each has one structural name and one layout.  Both are what all readers
produce and what `assign` matches.  What they are is up to the family of the
backbone and to the kind of head that own the variable (`names.Names`).
"""

from collections.abc import Iterator, Mapping, Sequence
import re

import numpy as np

from official_ext.grw.backbones import families
from official_ext.grw.checkpoints import names
from official_ext.grw.heads import head_types

# All after the backbone but heads with names of their own.
_AFTER_BACKBONE = names.Names('grw_')
# The last dense layer of any of our heads, and of the stock one.
_CLASSIFIER = re.compile(r'(grw_\w*head|classifier_head)/classifier/')


def _owners() -> Iterator[names.Names]:
  """The names of heads and backbones; the first that owns a name translates."""
  for kind in head_types.registered():
    if kind.names is not None:
      yield kind.names
  yield _AFTER_BACKBONE
  for family in families.registered():
    if family.weights is not None:
      yield family.weights.names


def _owner(structural: str) -> names.Names:
  return next(owner for owner in _owners() if owner.owns(structural))


def _without_numbers(name: str) -> list[str]:
  """The parts of a name, without the numbers that Keras adds."""
  return [
    re.sub(r'_\d+$', '', part) for part in name.removesuffix(':0').split('/')
  ]


def structural_name(name: str, shape: Sequence[int]) -> str | None:
  """The structural name of a variable.

  Args:
    name: the name of the variable, as Keras or TF-Hub spell it, with or without
      ':0'.
    shape: the shape of the variable; tells temporal kernels, [k, 1, ...], from
      spatial ones.

  Returns:
    None for a variable that is of none of the backbones that are read by name
    and of none of our heads, such as a step counter.
  """
  parts = _without_numbers(name)
  for owner in _owners():
    if (structural := owner.structural(parts, shape)) is not None:
      return structural
  return None


def structural_values(
  values: Mapping[str, np.ndarray], path: str
) -> dict[str, np.ndarray]:
  """The variables of a file that have a structural name, under it.

  Args:
    values: by the names of the file, in the layouts of Keras.
    path: the file, for messages.

  Raises:
    ValueError: two different variables would have the same name.
  """
  found: dict[str, np.ndarray] = {}
  origins: dict[str, str] = {}
  for name, value in values.items():
    structural = structural_name(name, value.shape)
    if structural is None:
      continue
    value = to_structural(structural, name, value)
    if structural in found and not np.array_equal(value, found[structural]):
      raise ValueError(
        f'{path} holds {origins[structural]!r} {found[structural].shape} and '
        f'{name!r} {value.shape}, which both would be {structural!r}: more '
        'than one model was saved together.'
      )
    found[structural], origins[structural] = value, name
  return found


def in_backbone(structural: str) -> bool:
  """Whether a structural name is of a backbone and not of a head."""
  return any(
    family.weights is not None and family.weights.owns(structural)
    for family in families.registered()
  )


def in_classifier(structural: str) -> bool:
  """Whether a structural name is of the last dense layer, that of classes."""
  return bool(_CLASSIFIER.match(structural))


def bare_suffix(name: str) -> str | None:
  """What stands behind the block in the name of a variable without a place.

  Returns:
    None for a name that says where the variable is.
  """
  parts = _without_numbers(name)
  if len(parts) == 1:
    for owner in _owners():
      if suffix := owner.bare.get(parts[0]):
        return suffix
  return None


def block_of(name: str) -> str:
  """The block, such as 'block1_layer0', that a variable is in, or ''."""
  structural = structural_name(name, ())
  return _owner(structural).block(structural) if structural else ''


def to_structural(structural: str, name: str, value: np.ndarray) -> np.ndarray:
  """A variable's value in the layout of its structural name.

  Args:
    structural: the variable's structural name.
    name: the name it had in the file, which tells depthwise 2D kernels.
    value: in the layout of Keras.
  """
  return _owner(structural).to_structural(structural, name, value)


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
  return _owner(structural).from_structural(
    structural, name, tuple(shape), value
  )
