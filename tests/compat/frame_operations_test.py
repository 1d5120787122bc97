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

from official_ext.grw.compat import frame_operations
from tests import tiny

CHANNELS = 4


def layers():
  for padding in ('same', 'valid'):
    for kernel, strides in (((1, 3, 3), (1, 2, 2)), ((1, 1, 1), (1, 1, 1))):
      yield tf_keras.layers.Conv3D(
        6, kernel, strides, padding, activation='relu'
      )
      yield tf_keras.layers.AveragePooling3D(kernel, strides, padding)
    for kernel, strides in (
      ((3, 3, 3), (1, 2, 2)),
      ((5, 1, 1), (1, 1, 1)),
      ((2, 3, 3), (1, 1, 1)),
    ):
      yield nn_layers.Conv3D(
        CHANNELS,
        kernel,
        strides,
        padding,
        groups=CHANNELS,
        bias_initializer='ones',
      )
  for buffered in (False, True):
    yield nn_layers.Conv3D(
      CHANNELS,
      (3, 3, 3),
      (1, 2, 2),
      'causal',
      groups=CHANNELS,
      use_buffered_input=buffered,
    )


def operations(model, shape):
  function = tf.function(model).get_concrete_function(
    tf.TensorSpec(shape, tf.float32)
  )
  graphs = [function.graph.as_graph_def()]
  return {
    node.op
    for graph in graphs
    for node in [
      *graph.node,
      *(node for inner in graph.library.function for node in inner.node_def),
    ]
  }


@pytest.mark.parametrize(
  'layer',
  list(layers()),
  ids=lambda layer: (
    f'{type(layer).__name__} {getattr(layer, "kernel_size", "")} '
    f'{layer.strides} {layer.padding} '
    f'{getattr(layer, "use_buffered_input", "")}'
  ),
)
@pytest.mark.parametrize('size', [7, 8])
def test_the_layers_of_movinet_compute_the_same_in_two_dimensions(layer, size):
  layer = layer.from_config(layer.get_config())  # Not changed by a test before.
  # Functional, as models are: built, and traced, before it is changed.
  inputs = tf_keras.Input([None, None, None, CHANNELS])
  model = tf_keras.Model(inputs, layer(inputs))
  videos = (
    np.random.default_rng(0)
    .normal(size=(2, 6, size, size, CHANNELS))
    .astype(np.float32)
  )
  expected = model(videos)
  frame_operations.compute_frame_by_frame(model)
  np.testing.assert_allclose(model(videos), expected, rtol=1e-5, atol=1e-5)
  assert model(tf_keras.Input(videos.shape[1:])).shape[1:] == expected.shape[1:]
  assert not operations(model, videos.shape) & {'Conv3D', 'AvgPool3D'}


@pytest.mark.parametrize(
  'layer',
  [
    tf_keras.layers.Conv3D(6, (3, 3, 3), padding='same'),
    tf_keras.layers.AveragePooling3D((2, 2, 2)),
  ],
)
def test_layers_that_do_more_stay_as_they_are(layer):
  inputs = tf_keras.Input([None, None, None, CHANNELS])
  model = tf_keras.Model(inputs, layer(inputs))
  frame_operations.compute_frame_by_frame(model)
  assert operations(model, (1, 6, 8, 8, CHANNELS)) & {'Conv3D', 'AvgPool3D'}


@pytest.fixture(name='clips', scope='module')
def clips_fixture():
  return np.random.default_rng(0).random(
    (2, tiny.FRAMES, tiny.SIZE, tiny.SIZE, 3), np.float32
  )


def test_a_base_movinet_has_the_same_logits_and_gradients(clips):
  model = tiny.classifier(stream=False, video_operations='volumes')
  assert operations(
    lambda images: model({'image': images}, training=False), clips.shape
  ) & {'Conv3D', 'AvgPool3D', 'DepthwiseConv3dNative'}

  def step():
    with tf.GradientTape() as tape:
      logits = model({'image': clips}, training=False)
      loss = tf.reduce_sum(logits**2)
    return logits, tape.gradient(loss, model.trainable_variables)

  expected, gradients = step()
  frame_operations.compute_frame_by_frame(model)
  logits, found = step()
  np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
  # The gradient of attention's key biases is nought but for rounding.
  noise = 1e-6 * max(np.abs(gradient).max() for gradient in gradients)
  for variable, ours, theirs in zip(
    model.trainable_variables, found, gradients
  ):
    np.testing.assert_allclose(
      ours,
      theirs,
      rtol=0,
      atol=1e-5 * np.abs(theirs).max() + noise,
      err_msg=variable.name,
    )


class Devices:
  """What a strategy says of its devices, which this machine may not have."""

  def __init__(self, *devices):
    self.extended = self
    self.worker_devices = devices


@pytest.mark.parametrize(
  'devices, on_cpus',
  [
    (['/job:localhost/replica:0/task:0/device:CPU:0'], True),
    (['/job:localhost/replica:0/task:0/device:GPU:0'], False),
    (['/device:GPU:0', '/device:GPU:1'], False),
    (['/job:worker/replica:0/task:0/device:TPU:0'], False),
  ],
)
def test_the_device_that_trains_decides(devices, on_cpus, monkeypatch):
  monkeypatch.setattr(tf.distribute, 'has_strategy', lambda: True)
  monkeypatch.setattr(tf.distribute, 'get_strategy', lambda: Devices(*devices))
  # Whatever else the machine has.
  monkeypatch.setattr(tf.config, 'list_logical_devices', lambda kind: [kind])
  assert frame_operations.computes_on_cpus() == on_cpus


@pytest.mark.parametrize(
  'strategy',
  [
    tf.distribute.get_strategy(),
    tf.distribute.OneDeviceStrategy('device:CPU:0'),
  ],
  ids=['none', 'one device'],
)
def test_a_strategy_on_the_cpu_says_so(strategy):
  with strategy.scope():
    assert frame_operations.computes_on_cpus()


def test_on_cpus_a_base_movinet_is_built_without_3d_operations(clips):
  model = tiny.classifier(stream=False)
  found = operations(
    lambda images: model({'image': images}, training=False), clips.shape
  )
  assert not [name for name in found if '3D' in name]
