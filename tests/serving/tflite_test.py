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

"""TFLite files run in existing clients and answer as the model does."""

import functools
import os

from ai_edge_litert import interpreter as litert
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.configs import schema
from official_ext.grw.inference import tflite_stream
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.modeling import streaming
from official_ext.grw.reports import benchmark
from official_ext.grw.serving import agreement
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import tflite
from tests import java_client
from tests import tiny

N, SIZE = tiny.FRAMES, tiny.SIZE
DATA = tiny.evaluation_data()


def video(frames=N, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (1, frames, SIZE, SIZE, 3), np.uint8)


def export(model, folder, *args, **kwargs):
  written = tflite.export_stream(
    model, str(folder), DATA, video(), *args, **kwargs
  )
  return written, os.path.join(folder, tflite_stream.MODEL_FILE)


@functools.cache
def classifier(causal=False):
  """A classifier for several tests, as exporting it changes no answer."""
  return tiny.classifier(head={'causal': causal})


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return classifier()


@pytest.fixture(name='exported', scope='module')
def exported_fixture(model, tmp_path_factory):
  folder = tmp_path_factory.mktemp('tflite')
  written, path = export(model, folder, classify_every=2, split_head=True)
  assert written.difference < 1e-5
  return written, path


def test_the_interface_that_clients_of_movinet_expect(exported):
  """One signature, found without its name; states in and out alike."""
  written, path = exported
  interpreter = litert.Interpreter(path)
  assert list(interpreter.get_signature_list()) == ['serving_default']
  runner = interpreter.get_signature_runner()
  inputs, outputs = runner.get_input_details(), runner.get_output_details()
  assert set(inputs) - {'image'} == set(outputs) - {'logits'}
  assert set(inputs) - {'image'} == set(written.states)
  assert inputs['image']['dtype'] == np.float32
  assert list(inputs['image']['shape']) == [1, 1, SIZE, SIZE, 3]
  for detail in inputs.values():
    assert -1 not in detail['shape_signature']
  for name in written.states:
    assert list(inputs[name]['shape']) == list(outputs[name]['shape'])
    assert inputs[name]['dtype'] == outputs[name]['dtype']


@pytest.mark.parametrize('file', [tflite_stream.MODEL_FILE, tflite.SPLIT_FILE])
@pytest.mark.parametrize('quantization', ['', *tflite.IN_8_BITS])
def test_clients_in_java_get_every_output(
  exported, file, quantization, tmp_path
):
  path = os.path.join(os.path.dirname(exported[1]), file)
  if quantization:
    tflite.quantize(path, str(tmp_path / file), quantization)
    path = str(tmp_path / file)
  java_client.assert_loses_nothing(path)


@pytest.mark.parametrize(
  'outputs, names',
  [
    (lambda x: {'a': 2 * x, 'b': 2 * x}, 'output a, output b'),
    (lambda x: {'a': 2 * x, 'b': x}, 'input x, output b'),
  ],
)
def test_outputs_that_share_a_tensor_are_an_error(outputs, names, tmp_path):
  path = str(tmp_path / 'shared.tflite')
  serve = tf.function(
    outputs, input_signature=[tf.TensorSpec([1, 4], tf.float32, 'x')]
  )
  with pytest.raises(export_folder.ExportError, match=names):
    tflite.convert({'serving_default': serve}, [], path, 'float32')


def test_a_client_in_java_loses_outputs_that_share_a_tensor(tmp_path):
  """What the imitation above is to find."""
  path = tmp_path / 'shared.tflite'
  serve = tf.function(
    lambda x: {'a': x + 1.0, 'b': x + 1.0},
    input_signature=[tf.TensorSpec([1, 4], tf.float32, 'x')],
  ).get_concrete_function()
  module = tf.Module()
  tf.saved_model.save(module, str(tmp_path / 'model'), signatures=serve)
  converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / 'model'))
  path.write_bytes(converter.convert())
  with pytest.raises(AssertionError, match='serving_default, a'):
    java_client.assert_loses_nothing(str(path))


def test_builtin_operations_alone(exported):
  path = exported[1]
  interpreter = litert.Interpreter(path)
  names = {op['op_name'] for op in interpreter._get_ops_details()}  # pylint: disable=protected-access
  assert 'CONV_2D' in names
  assert not [name for name in names if 'Flex' in name or 'CUSTOM' in name]


@pytest.mark.parametrize('head', ['temporal', 'causal', 'movinet'])
def test_streams_end_where_the_clip_model_does(head, tmp_path):
  model = (
    tiny.classifier(head={'type': 'movinet'})
    if head == 'movinet'
    else classifier(causal=head == 'causal')
  )
  _, path = export(model, tmp_path)
  java_client.assert_loses_nothing(path)
  stream = tflite_stream.TfliteStream(path)
  for seed in (1, 2):
    frames = video(seed=seed)[0] / np.float32(255)
    stream.reset()
    logits = [stream.step(frame) for frame in frames]
    for count in (3, N):
      want = model({'image': frames[np.newaxis, :count]})[0]
      np.testing.assert_allclose(logits[count - 1], want, atol=1e-5)


@pytest.mark.parametrize('causal', [False, True])
@pytest.mark.parametrize('quantization', ['float32', 'dynamic_int8'])
def test_signals_are_those_of_the_clip_model(causal, quantization, tmp_path):
  """Of any head, and beside logits and states that stay what they are."""
  model = classifier(causal)
  _, path = export(model, tmp_path, quantization, signals=True)
  java_client.assert_loses_nothing(path)
  stream = tflite_stream.TfliteStream(path)
  frames = video(seed=4)[0] / np.float32(255)
  embeddings, smoothness = [], []
  for frame in frames:
    logits = stream.step(frame)
    assert set(stream.signals) == {'embedding', 'smoothness'}
    embeddings.append(stream.signals['embedding'])
    smoothness.append(stream.signals['smoothness'])
  exact = quantization == 'float32'
  want = model({'image': frames[np.newaxis]})[0]
  np.testing.assert_allclose(logits, want, atol=1e-5 if exact else 0.1)
  embedder = tf_keras.Model(
    model.inputs, model.get_layer('grw_smoothing').output
  )
  [want] = embedder({'image': frames[np.newaxis]}).numpy()
  atol = 1e-5 * np.abs(want).max() if exact else 0.1 * np.abs(want).max()
  np.testing.assert_allclose(embeddings, want, atol=atol)
  # Against the file's own embeddings.  The product that sums over orderings is
  # one of those in 8 bits, too.
  window = 3
  assert np.all(np.isnan(smoothness[: window - 1]))
  for end in range(window, N + 1):
    terms = grw_smoothing.smoothing_terms(
      tf.stack([embeddings[end - window : end]])
    )
    likelihood, acceleration = smoothness[end - 1]
    np.testing.assert_allclose(
      -np.log(likelihood), terms.order_loss, rtol=1e-4 if exact else 2e-2
    )
    np.testing.assert_allclose(acceleration, terms.mean_acceleration, rtol=1e-4)


def test_head_runs_each_kth_frame_inside_the_file(model, exported):
  stream = tflite_stream.TfliteStream(exported[1])
  frames = video(seed=3)[0] / np.float32(255)
  logits = [stream.step(frame) for frame in frames]
  np.testing.assert_array_equal(logits[1], logits[2])
  assert np.any(logits[2] != logits[3])
  np.testing.assert_allclose(
    logits[3], model({'image': frames[np.newaxis, :4]})[0], atol=1e-5
  )


def test_split_file_shares_weights(exported):
  path = os.path.join(os.path.dirname(exported[1]), tflite.SPLIT_FILE)
  signatures = litert.Interpreter(path).get_signature_list()
  assert set(signatures) == {'encode', 'classify'}
  assert 'embeddings' in signatures['classify']['inputs']
  assert os.path.getsize(path) < 1.2 * os.path.getsize(exported[1])


@pytest.mark.parametrize(
  'quantization', ['float16', 'dense_int8', 'dynamic_int8']
)
def test_quantized_files_are_smaller_and_agree(
  quantization, model, exported, tmp_path, monkeypatch
):
  if quantization == 'float16':
    # It is judged by what it answers.  Of trained weights logits may differ by
    # more than a hundredth of the largest while all answers are the same.
    monkeypatch.setattr(tflite, 'MAX_DIFFERENCE', -1.0)
  written, path = export(model, tmp_path, quantization)
  assert 0 < written.difference < 0.1
  assert written.agreement
  if quantization == 'float16':
    assert '100.0% of' in written.agreement
  assert os.path.getsize(path) < 0.8 * os.path.getsize(exported[1])
  java_client.assert_loses_nothing(path)
  details = litert.Interpreter(path).get_signature_runner().get_input_details()
  for name, detail in details.items():
    assert detail['dtype'] == (
      np.int32 if 'frame_count' in name else np.float32
    )


@pytest.fixture(name='base', scope='module')
def base_fixture():
  """A base MoViNet, and what it answers before it is exported."""
  model = tiny.classifier(stream=False)
  frames = video(seed=3)[0] / np.float32(255)
  short = {
    'image': frames[np.newaxis, [0, 1, 2, 3, 0, 1]],
    'num_frames': tf.constant([4]),
  }
  want = [model({'image': frames[np.newaxis]})[0], model(short)[0]]
  return model, frames, want


@pytest.mark.parametrize('quantization', tflite.QUANTIZATIONS)
def test_a_clip_model_of_any_backbone_is_a_file_too(
  base, quantization, tmp_path
):
  """A base MoViNet sees frames to come, and has 3D convolutions."""
  model, frames, want = base
  written = tflite.export_clip(
    model, str(tmp_path), DATA, video(), quantization
  )
  assert not written.states
  path = str(tmp_path / tflite_stream.MODEL_FILE)
  java_client.assert_loses_nothing(path)
  interpreter = litert.Interpreter(path)
  assert list(interpreter.get_signature_list()) == ['serving_default']
  names = {op['op_name'] for op in interpreter._get_ops_details()}  # pylint: disable=protected-access
  assert not [name for name in names if 'Flex' in name or '3D' in name]
  classify = tflite_stream.TfliteClip(path)
  assert classify.image_shape == (1, N, SIZE, SIZE, 3)
  atol = np.max(np.abs(want)) * {
    'float32': tflite.MAX_DIFFERENCE,
    'float16': 1e-2,
  }.get(quantization, 0.1)
  np.testing.assert_allclose(classify(frames), want[0], atol=atol)
  # Four frames are filled by beginning again, and only they count.
  np.testing.assert_allclose(classify(frames[:4]), want[1], atol=atol)
  with pytest.raises(ValueError, match=r'shape \(7, 16, 16, 3\), expected'):
    classify(np.zeros([N + 1, SIZE, SIZE, 3]))


def test_full_int8_is_refused_in_one_line(model, tmp_path):
  with pytest.raises(ValueError, match='int8.*drift') as error:
    export(model, tmp_path, 'int8')
  assert '\n' not in str(error.value)


def test_float16_that_answers_differently_is_an_error(
  model, tmp_path, monkeypatch
):
  monkeypatch.setattr(agreement, 'MOST_DIFFERENCE_OF_FLOAT16', -1.0)
  with pytest.raises(export_folder.ExportError, match='quantization=float32'):
    export(model, tmp_path, 'float16')


def test_a_difference_over_the_bound_is_an_error(model, tmp_path, monkeypatch):
  monkeypatch.setattr(tflite, 'MAX_DIFFERENCE', -1.0)
  with pytest.raises(export_folder.ExportError, match='differs'):
    export(model, tmp_path)


def test_a_stream_that_left_the_clip_model_is_an_error(
  model, tmp_path, monkeypatch
):
  """The file is held against the clip model, not only its own source."""
  monkeypatch.setattr(
    streaming.StreamingClassifier,
    'classify',
    lambda self, embeddings, num_frames: tf.reduce_mean(embeddings, axis=1)[
      :, : tiny.CLASSES
    ],
  )
  with pytest.raises(export_folder.ExportError, match='differs'):
    export(model, tmp_path)


@pytest.mark.parametrize(
  'config, every',
  [
    ({}, 3),
    ({'head': {'causal': True}}, 1),
    ({'head': {'type': 'movinet'}}, 1),
  ],
)
def test_a_costly_head_runs_once_a_window_by_default(config, every):
  model = schema.GrwModel()
  model.override({'smoothing': {'window': 3}, **config})
  assert tflite.default_classify_every(model, N) == every
  assert tflite.default_classify_every(model, 2) == min(every, 2)
  # The head runs at the last frame of a clip, as in evaluation.
  assert tflite.default_classify_every(model, 8) == (4 if every > 1 else 1)


def test_memory_is_flat_over_ten_thousand_frames(exported):
  stream = tflite_stream.TfliteStream(exported[1])
  frames = video()[0] / np.float32(255)

  def run(count):
    for number in range(count):
      logits = stream.step(frames[number % N])
    return logits

  run(1000)
  before = benchmark.resident_memory_mib()
  logits = run(10_000)
  assert np.all(np.isfinite(logits))
  assert benchmark.resident_memory_mib() - before < 1


def test_other_files_are_refused(tmp_path):
  path = tmp_path / 'other.tflite'
  path.write_bytes(b'no flatbuffer')
  with pytest.raises(ValueError, match='other.tflite cannot be run'):
    tflite_stream.TfliteStream(str(path))


def test_frames_of_another_size_are_refused(exported):
  with pytest.raises(ValueError, match=r'\(8, 8, 3\), expected \(16, 16, 3\)'):
    tflite_stream.TfliteStream(exported[1]).step(np.zeros([8, 8, 3]))
