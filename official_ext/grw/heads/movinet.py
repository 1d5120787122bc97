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

"""The Model Garden's classifier head of MoViNet, on the mean of a clip."""

from __future__ import annotations

from collections.abc import Sequence

from official.projects.movinet.modeling import movinet_layers

from official_ext.grw.backbones.movinet import weights
from official_ext.grw.heads import head as head_lib

# Of backbones that do not say how many they have.
_HEAD_FILTERS = 2048
# What the Model Garden calls it, and structural names do.
_STOCK_NAME = 'classifier_head'


class _Names(weights.ConvolutionNames):
  """The stock names, also of the layer whose name is ours.

  Ours is the stock head under a name that the optimizer can tell apart.
  """

  def structural(
    self, parts: Sequence[str], shape: Sequence[int]
  ) -> str | None:
    if parts[0] == MovinetHeadType.layer_name:
      parts = [_STOCK_NAME, *parts[1:]]
    return super().structural(parts, shape)


class MovinetHeadType(head_lib.HeadType):
  """Kondratyuk et al., arXiv 2103.11511."""

  name = 'movinet'
  title = 'stock classifier head'
  layer_name = 'grw_classifier_head'
  names = _Names(f'{_STOCK_NAME}/')

  def build(
    self, model, num_classes, backbone, regularizer
  ) -> movinet_layers.ClassifierHead:
    return movinet_layers.ClassifierHead(
      head_filters=getattr(backbone, 'head_filters', _HEAD_FILTERS),
      num_classes=num_classes,
      dropout_rate=model.dropout_rate,
      kernel_regularizer=regularizer,
      conv_type='2plus1d',
      activation=model.head.movinet_activation,
      name=self.layer_name,
    )

  def identify(self, shapes: head_lib.Shapes) -> head_lib.FoundHead | None:
    kernel = shapes.get(f'{_STOCK_NAME}/classifier/kernel')
    if not kernel:
      return None
    return head_lib.FoundHead(self.name, self.title, kernel[-1])
