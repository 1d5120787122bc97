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

"""Groups of classes, of each of which a clip has one label, as verb and noun.

The classes of all groups stand one group after the other: labels, logits and
probabilities are those of one vector, of which each group has a part.
"""

from collections.abc import Sequence
import re
from typing import NamedTuple

from official_ext.grw.configs import fields

# Measures of single groups have names that begin with the group's.
_NAME = re.compile(r'[a-z][a-z0-9_]*')


class LabelGroup(NamedTuple):
  """A group of classes.

  Attributes:
    name: the name of the group.
    start: index of its first class.
    stop: the first index after its classes.
  """

  name: str
  start: int
  stop: int

  @property
  def part(self) -> slice:
    """Its part of the last axis of a vector of all classes."""
    return slice(self.start, self.stop)


def read(
  texts: Sequence[str] | None,
  num_classes: int,
  field: str = 'label_groups',
) -> list[LabelGroup]:
  """Reads groups of a configuration.

  Args:
    texts: a name and a number of classes each, as 'verb:97'; None: no groups.
    num_classes: classes of all groups.
    field: what messages call `texts`.

  Returns:
    The groups in the order of their classes; none of None.

  Raises:
    ValueError: the texts read otherwise or do not add up.
  """
  if texts is None:
    return []
  groups: list[LabelGroup] = []
  for text in texts:
    name, _, size = text.partition(':')
    fields.require(
      bool(_NAME.fullmatch(name))
      and name not in {group.name for group in groups}
      and size.isdecimal()
      and int(size) >= 2,
      field,
      list(texts),
      "texts such as 'verb:97': a name in small letters that no other group "
      'has, and a number of classes, 2 at least',
    )
    start = groups[-1].stop if groups else 0
    groups.append(LabelGroup(name, start, start + int(size)))
  total = groups[-1].stop if groups else 0
  fields.require(
    len(groups) >= 2 and total == num_classes,
    field,
    list(texts),
    f'two groups or more that add up to num_classes={num_classes}',
  )
  return groups
