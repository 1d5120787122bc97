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

"""Files that are fast say what slower ones say, and so does the fast client."""

import os

from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.compat import dense_layers
from official_ext.grw.configs import schema as configs
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import agreement
from official_ext.grw.serving import tflite
from tests import index_client
from tests import java_client
from tests import tiny

N, SIZE = tiny.FRAMES, tiny.SIZE
DATA = configs.DataConfig(
  is_training=False,
  feature_shape=(N, SIZE, SIZE, 3),
  min_image_size=SIZE,
  num_classes=tiny.CLASSES,
)
FRAMES = tiny.clip(1, 0, 60) / np.float32(255)


def export(model, folder, **options) -> str:
  folder.mkdir()
  tflite.export_stream(
    model, str(folder), DATA, tiny.clip(0, 0)[np.newaxis], **options
  )
  return str(folder / tflite_stream.MODEL_FILE)


@pytest.fixture(name='files', scope='module')
def files_fixture(tmp_path_factory) -> dict[str, str]:
  """A file with convolutions as gates, ours, and both of ours in 8 bits."""
  folder = tmp_path_factory.mktemp('fast')
  model = tiny.classifier()
  found = {'float32': export(model, folder / 'float32', classify_every=2)}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(dense_layers, 'use_dense_layers', lambda model: None)
    found['convolutions'] = export(
      model, folder / 'convolutions', classify_every=2
    )
  for quantization in tflite.IN_8_BITS:
    found[quantization] = str(folder / f'{quantization}.tflite')
    tflite.quantize(found['float32'], found[quantization], quantization)
  return found


def plain_stream(path: str, frames: np.ndarray) -> np.ndarray:
  """Logits [frames, classes] by LiteRT's signature runner."""
  interpreter = litert.Interpreter(path)
  run = interpreter.get_signature_runner()
  states = {
    name: np.zeros(detail['shape'], detail['dtype'])
    for name, detail in run.get_input_details().items()
    if name != 'image'
  }
  logits = []
  for frame in frames:
    states = run(image=frame[np.newaxis, np.newaxis], **states)
    logits.append(states.pop('logits')[0])
  return np.stack(logits)


def operations(path: str) -> list[tuple[str, schema.OperatorT, list[int]]]:
  """Name, operation and types of the inputs of all that a file computes."""
  with open(path, 'rb') as file:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read(), 0))
  names = {
    value: name
    for name, value in vars(schema.BuiltinOperator).items()
    if isinstance(value, int)
  }
  return [
    (
      names[model.operatorCodes[operation.opcodeIndex].builtinCode],
      operation,
      [graph.tensors[i].type for i in operation.inputs if i >= 0],
    )
    for graph in model.subgraphs
    for operation in graph.operators
  ]


def test_gates_are_dense_and_say_the_same(files):
  logits = [
    plain_stream(files[key], FRAMES) for key in ('convolutions', 'float32')
  ]
  np.testing.assert_allclose(
    logits[1], logits[0], rtol=0, atol=1e-5 * np.abs(logits[0]).max()
  )
  counts = []
  for key in ('convolutions', 'float32'):
    names = [name for name, _, _ in operations(files[key])]
    counts.append({name: names.count(name) for name in names})
  before, after = counts
  assert after['FULLY_CONNECTED'] == before['FULLY_CONNECTED'] + 2
  assert after['CONV_2D'] == before['CONV_2D'] - 2
  # What a hard sigmoid is made of is gone, not moved.
  assert sum(after.values()) < sum(before.values())
  relu6 = schema.ActivationFunctionType.RELU6
  assert [
    name
    for name, operation, _ in operations(files['float32'])
    if getattr(operation.builtinOptions, 'fusedActivationFunction', 0) == relu6
  ] == ['FULLY_CONNECTED']


def test_only_dense_layers_are_in_8_bits(files):
  in_8_bits = {
    key: {
      name
      for name, _, types in operations(files[key])
      if schema.TensorType.INT8 in types
    }
    for key in files
  }
  assert in_8_bits == {
    'convolutions': set(),
    'float32': set(),
    'dense_int8': {'FULLY_CONNECTED'},
    'dynamic_int8': {'FULLY_CONNECTED', 'CONV_2D'},
  }
  sizes = {key: os.path.getsize(path) for key, path in files.items()}
  assert sizes['dynamic_int8'] < sizes['dense_int8'] < sizes['float32']


def test_dense_int8_answers_alike_along_a_stream(files):
  expected = plain_stream(files['float32'], FRAMES)
  found = plain_stream(files['dense_int8'], FRAMES)
  agreement.require(agreement.measure(found, expected))
  assert np.any(found != expected)


@pytest.mark.parametrize('key', ['float32', 'dense_int8', 'dynamic_int8'])
def test_clients_in_java_and_cpp_get_the_same(files, key):
  java_client.assert_loses_nothing(files[key])
  np.testing.assert_array_equal(
    index_client.stream(files[key], FRAMES[:8]),
    plain_stream(files[key], FRAMES[:8]),
  )


@pytest.mark.parametrize('num_threads', [1, 2])
@pytest.mark.parametrize('key', ['float32', 'dense_int8'])
def test_swapped_states_are_those_that_are_copied(files, key, num_threads):
  """Over 30 frames, and again from the start, after an odd number."""
  stream = tflite_stream.TfliteStream(files[key], num_threads)
  assert stream.swaps
  expected = plain_stream(files[key], FRAMES[:30])
  for count in (30, 7, 30):
    stream.reset()
    logits = np.stack([stream.step(frame) for frame in FRAMES[:count]])
    np.testing.assert_allclose(logits, expected[:count], rtol=0, atol=1e-6)


@pytest.mark.parametrize('kind', ['causal', 'ensemble'])
def test_states_of_every_kind_are_swapped(kind, tmp_path):
  """Caches, and states that pass a frame as they are."""
  model = (
    tiny.ensemble()
    if kind == 'ensemble'
    else tiny.classifier(head={'causal': True})
  )
  path = export(model, tmp_path / kind)
  stream = tflite_stream.TfliteStream(path)
  assert stream.swaps
  np.testing.assert_allclose(
    [stream.step(frame) for frame in FRAMES[:30]],
    plain_stream(path, FRAMES[:30]),
    rtol=0,
    atol=1e-6,
  )


@pytest.mark.parametrize('shared', [True, False])
def test_counts_that_are_one_tensor_are_not_swapped(shared, tmp_path):
  """As files of others have; a CompiledModel would fill one of them."""

  def serve(image, state_a, state_b):
    total = tf.reduce_sum(image)
    other = state_a if shared else state_b
    return {
      'logits': tf.reshape(
        total + tf.cast(10 * state_a + state_b, tf.float32), [1, 1]
      ),
      'state_a': state_a + 1,
      'state_b': other + 1,
    }

  specs = [tf.TensorSpec([1, 1, 4, 4, 3], tf.float32, 'image')]
  specs += [tf.TensorSpec([1], tf.int32, f'state_{name}') for name in 'ab']
  folder = str(tmp_path / 'saved')
  tf.saved_model.save(
    tf.Module(),
    folder,
    tf.function(serve, input_signature=specs).get_concrete_function(),
  )
  path = tmp_path / 'counts.tflite'
  path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
  stream = tflite_stream.TfliteStream(str(path))
  assert stream.swaps != shared
  for _ in range(2):
    stream.reset()
    logits = [stream.step(np.zeros([4, 4, 3]))[0] for _ in range(4)]
    np.testing.assert_array_equal(logits, [0, 11, 22, 33])
