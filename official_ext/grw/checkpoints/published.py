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

"""Weights as they were published, in one form whatever their layout was."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import functools
from types import MappingProxyType
from typing import Any, TYPE_CHECKING

import numpy as np

from official_ext.grw.backbones import families
from official_ext.grw.checkpoints import architecture

if TYPE_CHECKING:
  from official_ext.grw.checkpoints import tflite_graph

WEIGHTS = ('auto', 'model', 'ema')


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
  """Weights from anywhere, under structural names (see `structural_names`).

  Attributes:
    kind: the name of the layout they were read from.
    description: what that is, for people.
    path: the file or checkpoint that was read.
    values: structural names to arrays.
    weights: 'model' or 'ema', which of those in the file were read.
    has_average: whether the file holds an exponential moving average.
    window: T of the GRW loss, if the file says, or 0.
    gate: the gating activation, where the source says it, or ''.
    gate_source: what says it.
    graph: what the graph of a TFLite file tells, or None.  The batch norms in
      it were folded: `folded_norms.restore` gives them statistics.
    trained: the configuration of the training, if it was beside them.
  """

  kind: str
  description: str
  path: str
  values: Mapping[str, np.ndarray]
  weights: str = 'model'
  has_average: bool = False
  window: int = 0
  gate: str = ''
  gate_source: str = ''
  graph: tflite_graph.StreamingMovinet | None = None
  trained: Mapping[str, Any] = dataclasses.field(
    default_factory=lambda: MappingProxyType({})
  )

  @functools.cached_property
  def architecture(self) -> architecture.Architecture:
    """What they are the weights of.

    Raises:
      ValueError: nothing that is recognized by names and shapes.
    """
    found = architecture.identify(
      {name: value.shape for name, value in self.values.items()}
    )
    if found is None:
      known = [
        family.weights
        for family in families.registered()
        if family.weights is not None
      ]
      raise ValueError(
        f'{self.path} can be read, but holds no '
        + ', no '.join(weights.title for weights in known)
        + ': among its variables is no '
        + ', no '.join(weights.marks for weights in known)
        + '.'
      )
    return found

  def __str__(self):
    averages = ''
    if self.has_average:
      averages = (
        ', its exponential moving average'
        if self.weights == 'ema'
        else ', its trained weights (not their moving average)'
      )
    return f'{self.path}: {self.description}{averages}: {self.architecture}'
