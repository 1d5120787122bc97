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

"""Names and layouts of variables, as models have them and as files share them.

A structural name says what a variable is, whatever a file or a model calls it,
and comes with one layout of its value (see `structural_names`).
"""

from collections.abc import Iterable, Mapping, Sequence
import re
from types import MappingProxyType

import numpy as np

# What PyTorch calls the leaves of modules, in Keras's words.
TORCH_NORM = MappingProxyType(
  {
    'weight': 'gamma',
    'bias': 'beta',
    'running_mean': 'moving_mean',
    'running_var': 'moving_variance',
  }
)
TORCH_DENSE = MappingProxyType({'weight': 'kernel', 'bias': 'bias'})


def translated(
  entries: Iterable[tuple[str, tuple[str, np.ndarray]]],
) -> dict[str, np.ndarray]:
  """Values by structural name, each of which is given once.

  Args:
    entries: each key of a state dict, with its structural name and value.

  Raises:
    ValueError: two entries have one structural name.
  """
  values: dict[str, np.ndarray] = {}
  for key, (name, value) in entries:
    if name in values:
      raise ValueError(
        f'The state dict has {key!r} and another entry, which both would be '
        f'{name!r}: expected one of them.'
      )
    values[name] = value
  return values


class Names:
  """Variables that have one name and one layout wherever they are.

  Subclasses translate those that have several.

  Attributes:
    bare: variables that some files and models give a name without a place, by
      that name: what stands behind the block in their structural name.
  """

  bare: Mapping[str, str] = MappingProxyType({})

  def __init__(self, pattern: str):
    """Takes the names that begin like a pattern.

    Args:
      pattern: a regular expression for the beginning of a structural name.
    """
    self._pattern = re.compile(pattern)

  def owns(self, structural: str) -> bool:
    """Whether a structural name is one of these."""
    return bool(self._pattern.match(structural))

  def structural(
    self, parts: Sequence[str], shape: Sequence[int]
  ) -> str | None:
    """The structural name of a variable, or None if it is not one of these.

    Args:
      parts: the parts of its name in a model or a file, without numbers that
        Keras adds.
      shape: the shape of the variable there.
    """
    del shape
    name = '/'.join(parts)
    return name if self.owns(name) else None

  def to_structural(
    self, structural: str, name: str, value: np.ndarray
  ) -> np.ndarray:
    """A value in the layout of its structural name.

    Args:
      structural: the structural name of the variable.
      name: the name it has in the model or the file.
      value: in the layout of the model or the file.
    """
    del structural, name
    return value

  def from_structural(
    self, structural: str, name: str, shape: Sequence[int], value: np.ndarray
  ) -> np.ndarray:
    """The inverse of `to_structural` for a variable of `shape`.

    A value that no such variable can hold is returned in another shape.
    """
    del structural, name, shape
    return value

  def block(self, structural: str) -> str:
    """The block that a variable is in; '' where blocks have no names."""
    del structural
    return ''
