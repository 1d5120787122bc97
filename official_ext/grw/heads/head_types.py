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

"""The kinds of heads, one line each.

A kind from outside the package is registered by `register` too, before
configurations that name it are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from official_ext.grw.configs import fields
from official_ext.grw.heads import head as head_lib
from official_ext.grw.heads import linear
from official_ext.grw.heads import movinet
from official_ext.grw.heads import temporal

if TYPE_CHECKING:
  from official_ext.grw.heads import config

_registered: dict[str, head_lib.HeadType] = {}


def register(kind: head_lib.HeadType):
  """Makes a kind of head known.

  Raises:
    ValueError: there is a kind of this name, or with this name of the layer.
  """
  for other in _registered.values():
    if kind.name == other.name or kind.layer_name == other.layer_name:
      raise ValueError(
        f'There is a head {other.name!r} with the layer {other.layer_name!r} '
        'already.'
      )
  _registered[kind.name] = kind


register(temporal.TemporalHeadType())
register(movinet.MovinetHeadType())
register(linear.LinearHeadType())


def registered() -> Sequence[head_lib.HeadType]:
  """All kinds, in the order in which they were registered."""
  return tuple(_registered.values())


def named(name: str) -> head_lib.HeadType:
  """The kind of a name.

  Raises:
    ValueError: there is none.
  """
  fields.require(
    name in _registered,
    'task.model.head.type',
    name,
    f'one of {tuple(_registered)}',
  )
  return _registered[name]


def of(head: config.Head) -> head_lib.HeadType:
  """The kind that a `task.model.head` is of."""
  return named(head.type)


def identify(shapes: head_lib.Shapes) -> head_lib.FoundHead | None:
  """The head that variables of these structural names and shapes are of."""
  for kind in registered():
    if found := kind.identify(shapes):
      return found
  return None
