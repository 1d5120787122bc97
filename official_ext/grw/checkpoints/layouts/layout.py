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

"""A layout in which weights are published: how it is found and read."""

from collections.abc import Mapping

from official_ext.grw.checkpoints import published


class Layout:
  """One kind of file or folder; a file beside this one and a line in `source`.

  Attributes:
    kinds: names for what it may hold, with a description for people each.
    expected: what to give, for the message where nothing is recognized.
  """

  kinds: Mapping[str, str]
  expected: str

  def find(self, path: str) -> str | None:
    """The place of the weights at a path, if they are in this layout.

    Raises:
      ValueError: they are, and more than one could be meant.
    """
    raise NotImplementedError

  def read(self, place: str, weights: str) -> published.PublishedWeights:
    """Reads what `find` has found.

    Args:
      place: returned by `find`.
      weights: one of `published.WEIGHTS`.

    Raises:
      ValueError: the file is damaged, or lacks the weights that were wanted.
    """
    raise NotImplementedError
