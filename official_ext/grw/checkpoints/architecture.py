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

import dataclasses
from typing import Any

from official_ext.grw.backbones import families
from official_ext.grw.backbones import weights
from official_ext.grw.heads import head as head_lib
from official_ext.grw.heads import head_types


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A backbone, and the head on it.

  Attributes:
    family: the backbone's, by name.
    backbone: what the family found, a `weights.Found` of its own.
    head: None for a backbone alone.
  """

  family: str
  backbone: Any
  head: head_lib.FoundHead | None = None

  @property
  def num_classes(self) -> int:
    """The classes of the head, or 0."""
    return self.head.num_classes if self.head else 0

  def __str__(self):
    if self.backbone.of_images:
      return str(self.backbone)
    if not self.head:
      return f'{self.backbone}, no head'
    return f'{self.backbone}, {self.head}, {self.num_classes} classes'


def identify(shapes: weights.Shapes) -> Architecture | None:
  """What the weights of these structural names and shapes are of.

  Returns:
    None for what is of no registered family that is recognized by name.
  """
  for family in families.registered():
    found = family.weights.identify(shapes) if family.weights else None
    if found:
      of_head = None if found.of_images else head_types.identify(shapes)
      return Architecture(family.name, found, of_head)
  return None
