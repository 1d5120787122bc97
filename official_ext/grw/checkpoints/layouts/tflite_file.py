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

"""TFLite files of streaming MoViNets, published or ours."""

import os
from types import MappingProxyType

import numpy as np

from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.checkpoints import tflite_reader
from official_ext.grw.checkpoints.layouts import layout

# What tools/export_tflite.py writes into a folder.
_EXPORTED = 'model.tflite'
_EPSILON = 1e-3  # Of MoViNets' batch norms.
_KIND = 'tflite'


class TfliteFile(layout.Layout):
  """A TFLite file, or the folder of an exported one."""

  kinds = MappingProxyType({_KIND: 'a TFLite file'})
  expected = 'a TFLite file'

  def find(self, path: str) -> str | None:
    exported = os.path.join(path, _EXPORTED)
    file = exported if os.path.isfile(exported) else path
    if os.path.isfile(file) and tflite_reader.is_tflite(file):
      return file
    return None

  def read(self, place: str, weights: str) -> published.PublishedWeights:
    del weights  # It holds one set of them.
    found = tflite_graph.read(place)
    values = dict(found.values)
    for name in found.norms:
      values[f'{name}/moving_mean'] = np.zeros_like(values[f'{name}/beta'])
      # With the epsilon of the published models, a division by one.
      values[f'{name}/moving_variance'] = np.full_like(
        values[f'{name}/beta'], 1 - _EPSILON
      )
    return published.PublishedWeights(
      kind=_KIND,
      description=self.kinds[_KIND],
      path=place,
      values=values,
      gate=found.backbone.get('gating_activation', ''),
      gate_source='the graph of the file',
      graph=found,
    )
