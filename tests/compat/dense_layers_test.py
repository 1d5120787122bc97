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

"""Dense layers compute what MoViNet's convolutions on one pixel do."""

import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.compat import dense_layers
from official_ext.grw.compat import frame_operations
from tests import tiny


def operations(model, clips):
  """Names of the operations of a model, with how often they are there."""
  graph = (
    tf.function(lambda image: model({'image': image}, training=False))
    .get_concrete_function(tf.TensorSpec(clips.shape, tf.float32))
    .graph.as_graph_def()
  )
  names = [node.op for node in graph.node]
  for function in graph.library.function:
    names += [node.op for node in function.node_def]
  return {name: names.count(name) for name in names}


@pytest.mark.parametrize(
  'stream, gate, conv_type, head',
  [
    (True, 'grw>hard_sigmoid', '2plus1d', 'linear'),
    (True, 'hard_sigmoid', '3d_2plus1d', 'movinet'),
    (False, 'sigmoid', '3d', 'linear'),
  ],
)
def test_each_gate_computes_the_same(stream, gate, conv_type, head):
  model = tiny.classifier(
    stream,
    head={'type': head},
    backbone={'movinet': {'gating_activation': gate, 'conv_type': conv_type}},
  )
  clips = np.random.default_rng(0).random(
    (2, tiny.FRAMES, tiny.SIZE, tiny.SIZE, 3), np.float32
  )
  expected = model({'image': clips}, training=False)
  before = operations(model, clips)
  dense_layers.use_dense_layers(model)
  after = operations(model, clips)
  # A model may be exported again.
  frame_operations.compute_frame_by_frame(model)
  dense_layers.use_dense_layers(model)
  assert after['MatMul'] == before.get('MatMul', 0) + (
    4 if head == 'movinet' else 2
  )
  assert after.get('Relu6', 0) == before.get('Relu6', 0) + (
    gate == 'grw>hard_sigmoid'
  )
  np.testing.assert_allclose(
    model({'image': clips}, training=False),
    expected,
    rtol=0,
    atol=1e-5 * np.abs(expected).max(),
  )
