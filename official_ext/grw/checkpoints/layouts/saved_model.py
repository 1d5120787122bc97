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

"""SavedModels: those of Kaggle and TF-Hub, or any other."""

import os
from types import MappingProxyType

import tensorflow as tf

from official_ext.grw.checkpoints import graph_gates
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import structural_names
from official_ext.grw.checkpoints import tf_reader
from official_ext.grw.checkpoints.layouts import checkpoint
from official_ext.grw.checkpoints.layouts import layout

_FILE = 'saved_model.pb'
_KIND = 'saved_model'


class SavedModel(layout.Layout):
  """The folder of a SavedModel, or the one above its versions."""

  kinds = MappingProxyType({_KIND: 'a SavedModel (Kaggle, TF-Hub or other)'})
  expected = "a SavedModel's folder"

  def find(self, path: str) -> str | None:
    if os.path.basename(path) == _FILE:
      path = os.path.dirname(path)
    if not tf.io.gfile.isdir(path):
      return None
    if tf.io.gfile.exists(os.path.join(path, _FILE)):
      return path
    versions = [
      folder
      for folder in checkpoint.folders(path)
      if os.path.basename(folder).isdigit()
      and tf.io.gfile.exists(os.path.join(folder, _FILE))
    ]
    return max(
      versions, key=lambda folder: int(os.path.basename(folder)), default=None
    )

  def read(self, place: str, weights: str) -> published.PublishedWeights:
    variables = tf_reader.read(
      os.path.join(place, 'variables', 'variables'), weights
    )
    return published.PublishedWeights(
      kind=_KIND,
      description=self.kinds[_KIND],
      path=place,
      values=structural_names.structural_values(variables.values, place),
      weights=variables.weights,
      has_average=variables.has_average,
      gate=graph_gates.read(os.path.join(place, _FILE)),
      gate_source='the graph of the SavedModel',
    )
