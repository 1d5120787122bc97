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

"""A file in 8 bits is judged by its answers along a stream, not its logits."""

import os

from ai_edge_litert import schema_py_generated as flatbuffer
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.heads import temporal as temporal_head
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import tflite
from tests import tiny

N, SIZE = tiny.FRAMES, tiny.SIZE
DATA = tiny.evaluation_data()
# Three videos of as many frames.
LENGTH = 102
RIDGE = 1e-3


@pytest.fixture(name='model', scope='module')
def model_fixture():
  """A model whose last layer was fitted to tell where stripes move."""
  model = tiny.classifier()
  labels = [number % tiny.CLASSES for number in range(60)]
  clips = np.stack([tiny.clip(label, n) for n, label in enumerate(labels)])
  head = model.get_layer('grw_head')
  encode = tf_keras.Model(model.input, head.input)
  x = encode({'image': tf.constant(clips / np.float32(255))}, training=False)
  x = head.norm_in(x) + temporal_head.frame_positions(N, x.shape[-1])
  for block in head.blocks:
    x = block(x, training=False)
  features = tf.reduce_mean(head.norm_out(x), axis=1).numpy()
  features = np.pad(features, [(0, 0), (0, 1)], constant_values=1)
  # A small ridge: large weights would leave the bounds of float32 too.
  weights = np.linalg.solve(
    features.T @ features / len(features) + RIDGE * np.eye(features.shape[-1]),
    features.T @ (16 * np.eye(tiny.CLASSES)[labels] - 8) / len(features),
  )
  head.classifier.kernel.assign(weights[:-1])
  head.classifier.bias.assign(weights[-1])
  return model


@pytest.fixture(name='videos', scope='module')
def videos_fixture():
  """Uint8 clips [51, N, SIZE, SIZE, 3] of three videos."""
  videos = [tiny.clip(label, 100 + label, LENGTH) for label in range(3)]
  return np.concatenate(videos).reshape(-1, N, SIZE, SIZE, 3)


def test_logits_may_differ_where_answers_agree(model, videos, tmp_path):
  written = tflite.export_stream(
    model, str(tmp_path), DATA, videos, 'dynamic_int8'
  )
  assert written.difference > 0.1
  assert 'of 306 answers are the same' in written.agreement
  assert os.listdir(tmp_path) == [tflite_stream.MODEL_FILE]


def damage(path: str):
  """Reverses every tensor of 8-bit weights in a TFLite file."""
  with open(path, 'rb') as file:
    content = bytearray(file.read())
  model = flatbuffer.Model.GetRootAs(content, 0)
  buffers = {
    subgraph.Tensors(number).Buffer()
    for subgraph in map(model.Subgraphs, range(model.SubgraphsLength()))
    for number in range(subgraph.TensorsLength())
    if subgraph.Tensors(number).Type() == flatbuffer.TensorType.INT8
  }
  for number in buffers:
    weights = model.Buffers(number).DataAsNumpy()
    if isinstance(weights, np.ndarray):
      weights[:] = weights[::-1].copy()
  with open(path, 'wb') as file:
    file.write(content)


def test_damaged_weights_are_refused(model, videos, tmp_path, monkeypatch):
  quantize = tflite.quantize

  def quantize_and_damage(source, path, quantization):
    quantize(source, path, quantization)
    damage(path)

  monkeypatch.setattr(tflite, 'quantize', quantize_and_damage)
  with pytest.raises(
    export_folder.ExportError,
    match='of 306 answers are the same.*--quantization=dense_int8.*float16',
  ):
    tflite.export_stream(model, str(tmp_path), DATA, videos, 'dynamic_int8')
