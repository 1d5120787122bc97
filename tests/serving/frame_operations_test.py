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
"""3D layers compute the same frame by frame."""

import numpy as np
from official.vision.modeling.layers import nn_layers
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.serving import frame_operations
from tests import tiny

CHANNELS = 4


def layers():
  for padding in ('same', 'valid'):
    for kernel, strides in (((1, 3, 3), (1, 2, 2)), ((1, 1, 1), (1, 1, 1))):
      yield tf_keras.layers.Conv3D(
          6, kernel, strides, padding, activation='relu')
      yield tf_keras.layers.AveragePooling3D(kernel, strides, padding)
    for kernel, strides in (((3, 3, 3), (1, 2, 2)), ((5, 1, 1), (1, 1, 1)),
                            ((2, 3, 3), (1, 1, 1))):
      yield nn_layers.Conv3D(
          CHANNELS, kernel, strides, padding, groups=CHANNELS,
          bias_initializer='ones')


def operations(model, shape):
  function = tf.function(model).get_concrete_function(
      tf.TensorSpec(shape, tf.float32))
  graphs = [function.graph.as_graph_def()]
  return {node.op for graph in graphs
          for node in [*graph.node, *(node for inner in graph.library.function
                                      for node in inner.node_def)]}


@pytest.mark.parametrize(
    'layer', list(layers()), ids=lambda layer: (
        f'{type(layer).__name__} {getattr(layer, "kernel_size", "")} '
        f'{layer.strides} {layer.padding}'))
@pytest.mark.parametrize('size', [7, 8])
def test_the_layers_of_movinet_compute_the_same_in_two_dimensions(layer, size):
  layer = layer.from_config(layer.get_config())  # Not changed by a test before.
  # Functional, as models are: built, and traced, before it is changed.
  inputs = tf_keras.Input([None, None, None, CHANNELS])
  model = tf_keras.Model(inputs, layer(inputs))
  videos = np.random.default_rng(0).normal(
      size=(2, 6, size, size, CHANNELS)).astype(np.float32)
  expected = model(videos)
  frame_operations.use(model)
  np.testing.assert_allclose(model(videos), expected, rtol=1e-5, atol=1e-5)
  assert not operations(model, videos.shape) & {'Conv3D', 'AvgPool3D'}


@pytest.mark.parametrize('layer', [
    tf_keras.layers.Conv3D(6, (3, 3, 3), padding='same'),
    tf_keras.layers.AveragePooling3D((2, 2, 2)),
])
def test_layers_that_do_more_stay_as_they_are(layer):
  inputs = tf_keras.Input([None, None, None, CHANNELS])
  model = tf_keras.Model(inputs, layer(inputs))
  frame_operations.use(model)
  assert operations(model, (1, 6, 8, 8, CHANNELS)) & {'Conv3D', 'AvgPool3D'}


def test_a_base_movinet_has_no_other_3d_layers():
  model = tiny.classifier(stream=False)
  clips = np.random.default_rng(0).random(
      (2, tiny.FRAMES, tiny.SIZE, tiny.SIZE, 3), np.float32)
  expected = model({'image': clips})
  frame_operations.use(model)
  np.testing.assert_allclose(
      model({'image': clips}), expected, rtol=1e-5, atol=1e-5)
  found = operations(
      lambda images: model({'image': images}, training=False), clips.shape)
  assert not [name for name in found if '3D' in name]
