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

"""How the published weights of a family are recognized, named and shaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from official_ext.grw.checkpoints import names

# Structural names to shapes, in the layout of structural names.
Shapes = Mapping[str, tuple[int, ...]]
State = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Found:
  """What names and shapes of variables tell of a backbone.

  A family's own has further fields, and says for people what it is as `str`.

  Attributes:
    model_id: the name of the variant; '' for one without a name.
  """

  model_id: str

  @property
  def hard_gates(self) -> bool:
    """Whether its gates are hard sigmoids, of which there are two forms."""
    return False

  @property
  def of_images(self) -> bool:
    """Whether the classes beside it are those of images and of no use."""
    return False


class StateDict(NamedTuple):
  """A PyTorch state dict that is read.

  Attributes:
    kind: its name among the layouts.
    description: for people.
    recognizes: whether a state dict, {name: array}, is one.
    translate: the state dict under structural names, in their layouts; takes
      the number of attention heads too, which tensors do not tell.
  """

  kind: str
  description: str
  recognizes: Callable[[State], bool]
  translate: Callable[[State, int], dict[str, np.ndarray]]


class Weights:
  """The weights of a family; subclasses say how they are recognized.

  Attributes:
    names: the names of the variables of the backbone.
    title: the family's, as in its paper.
    marks: the variables by which it is recognized, for people.
    state_dicts: PyTorch's forms of them.
  """

  names: names.Names
  title: str
  marks: str
  state_dicts: Sequence[StateDict] = ()

  def identify(self, shapes: Shapes) -> Found | None:
    """What backbone variables of these names and shapes are of, if of any."""
    raise NotImplementedError

  def owns(self, structural: str) -> bool:
    """Whether a structural name is of a variable of these backbones."""
    return self.names.owns(structural)

  def optional_part(self, structural: str) -> str:
    """The part of the backbone that some files lack, if a variable is in it.

    Returns:
      Its name for people; '' for variables that every file must have.
    """
    del structural
    return ''

  def check(self, theirs: Any, ours: Any, held: str):
    """Raises ValueError for backbones that cannot match, and says the remedy.

    Args:
      theirs: found in the file.
      ours: found in the model.
      held: the beginning of the message: what the file and the model are.
    """

  def likely_cause(self, theirs: Any, ours: Any) -> str:
    """Why a variable of the backbone does not fit, and what to do."""
    del theirs, ours
    return (
      'The file may be incomplete, or the model changed since it was saved.'
    )

  def may_lack(self, theirs: Any, structural: str) -> bool:
    """Whether a file need not have a variable, which stays as initialized."""
    del theirs, structural
    return False

  def fitted(
    self, theirs: Any, structural: str, shape: Sequence[int], value: np.ndarray
  ) -> np.ndarray:
    """A value for a variable of `shape`, where another shape has a meaning.

    Args:
      theirs: found in the file.
      structural: the name of the variable.
      shape: the shape of the variable of the model.
      value: the value of the file, in the layout of structural names.
    """
    del theirs, structural, shape
    return value
