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

"""TFLite files of streaming MoViNets as a source of weights."""

from collections.abc import Sequence
import pathlib

from ai_edge_litert import interpreter as litert
import numpy as np
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import clips
from official_ext.grw.checkpoints import folded_norms
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.inference import difference
from official_ext.grw.inference import exported
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests import tiny

SIZE, FRAMES, CLASSES = 32, 5, 5
GATES = ('grw>hard_sigmoid', 'hard_sigmoid')
# By quantization, how far the float model may be from the one that was
# converted, and from what the file computes with rounded activations.
LIMITS = {
  'float32': (1e-5, 1e-5),
  'float16': (5e-3, 5e-3),
  'dynamic': (2e-2, 5e-2),
  'int8': (1e-1, 1.0),
}


def frames(seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.uniform(0, 1, (1, FRAMES, SIZE, SIZE, 3)).astype(np.float32)


def stock_stream(gate: str) -> movinet_model.MovinetClassifier:
  """A tiny stream of the Model Garden; the newer one knows positions."""
  # Else its weights are of the tests that ran before.
  tf_keras.utils.set_random_seed(0)
  spec = tf_keras.layers.InputSpec(shape=[1, 1, SIZE, SIZE, 3])
  backbone = movinet.Movinet(
    model_id='tiny',
    causal=True,
    conv_type='2plus1d',
    se_type='2plus3d',
    input_specs=spec,
    activation='hard_swish',
    gating_activation=gate,
    use_sync_bn=False,
    use_external_states=True,
    use_positional_encoding=gate == 'hard_sigmoid',
  )
  model = movinet_model.MovinetClassifier(
    backbone,
    num_classes=CLASSES,
    output_states=True,
    input_specs={'image': spec},
  )
  rng = np.random.default_rng(0)
  for variable in model.variables:
    moved = variable.numpy() + rng.normal(0, 0.3, variable.shape)
    variable.assign(np.abs(moved) if 'variance' in variable.name else moved)
  return model


def stream_logits(model, video: np.ndarray) -> np.ndarray:
  """Logits of a stock stream after each frame, [frames, classes]."""
  states = model.init_states(tf.constant([1, 1, SIZE, SIZE, 3]))
  logits = []
  for number in range(video.shape[1]):
    out, states = model({**states, 'image': video[:, number : number + 1]})
    logits.append(out.numpy()[0])
  return np.stack(logits)


def convert(model, folder: pathlib.Path, quantization: str) -> str:
  """Writes a file as the converter does; the folder has the SavedModel."""
  converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))

  def examples():
    states = model.init_states(tf.constant([1, 1, SIZE, SIZE, 3]))
    for frame in frames(1)[0]:
      image = frame[np.newaxis, np.newaxis]
      yield {**{name: s.numpy() for name, s in states.items()}, 'image': image}
      _, states = model({**states, 'image': image})

  if quantization != 'float32':
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
  if quantization == 'float16':
    converter.target_spec.supported_types = [tf.float16]
  if quantization == 'int8':
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
  path = folder / f'{quantization}.tflite'
  path.write_bytes(converter.convert())
  return str(path)


@pytest.fixture(scope='module', params=GATES)
def stock(request, tmp_path_factory):
  """A stock stream, and files of it by quantization."""
  model = stock_stream(request.param)
  folder = tmp_path_factory.mktemp('stock')
  specs = {
    name: tf.TensorSpec(spec.shape, spec.dtype, name)
    for name, spec in model.initial_state_specs([1, 1, SIZE, SIZE, 3]).items()
  }
  specs['image'] = tf.TensorSpec([1, 1, SIZE, SIZE, 3], tf.float32, 'image')

  @tf.function(input_signature=[specs], autograph=False)
  def call(inputs):
    logits, states = model(inputs)
    return {**states, 'logits': logits}

  saved_model.save(
    tf.train.Checkpoint(), model.variables, str(folder), {'call': call}
  )
  files = {name: convert(model, folder, name) for name in LIMITS}
  return request.param, model, files


@pytest.fixture(scope='module')
def ours(stock):
  """The model that the float32 file tells of, with its weights."""
  return rebuilt(source.read(stock[2]['float32']))


def graph_of(
  weights: published.PublishedWeights,
) -> tflite_graph.StreamingMovinet:
  assert weights.graph is not None
  return weights.graph


def rebuilt(
  weights: published.PublishedWeights, size: Sequence[int | None] = (None,) * 3
) -> grw_model.GrwClassifier:
  config = model_config.model_config(weights)
  # Of what training does, norms alone are to be seen.
  config.dropout_rate = 0.0
  config.backbone.movinet.stochastic_depth_drop_rate = 0.0
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, *size, 3]),
    config,
    weights.architecture.num_classes,
  )
  report = assign.assign(model, weights, 'all')
  assert not report.initial and not report.unused
  return model


def test_a_stock_file_becomes_the_model_it_was_made_of(stock, ours):
  """Of four quantizations, two gates, with and without positions."""
  gate, theirs, files = stock
  expected = stream_logits(theirs, frames())

  @tf.function(
    input_signature=[tf.TensorSpec([1, None, SIZE, SIZE, 3], tf.float32)]
  )
  def of_clip(clip):
    return ours({'image': clip}, training=False)

  for quantization, path in files.items():
    weights = source.read(path)
    assert weights.gate == gate
    assert weights.architecture.backbone.model_id == 'tiny'
    assert weights.architecture.backbone.positional_encoding == (
      gate == 'hard_sigmoid'
    )
    assert bool(graph_of(weights).stored) == (quantization != 'float32')
    config = model_config.model_config(weights, gate)
    assert config.backbone.movinet.gating_activation == gate
    assert config.head.movinet_activation == 'swish'
    assign.assign(ours, weights, 'all')
    of_model, of_file = LIMITS[quantization]
    found = np.stack(
      [of_clip(frames()[:, : number + 1])[0] for number in range(FRAMES)]
    )
    assert saved_model.relative_difference(found, expected) < of_model
    measured = difference.of_file(path, of_clip, [frames()])
    assert measured.frames == FRAMES
    assert measured.largest < of_file, quantization


def test_norms_keep_inference_and_let_training_compute_the_same(stock, ours):
  _, _, files = stock
  weights = source.read(files['float32'])
  assign.assign(ours, weights, 'all')
  video = np.concatenate(clips.rendered(6, SIZE, seed=1))
  before = ours({'image': video}, training=False)
  identity = ours({'image': video}, training=True)

  said = str(initialization.initialize(ours, files['float32'], 'all'))
  after = ours({'image': video}, training=False)
  assert saved_model.relative_difference(after, before) < 1e-5
  assert f'{len(graph_of(weights).norms)} taken out of convolutions' in said
  assert 'read from the graph of the file' in said
  assert 'not the float original' in said
  trained = ours({'image': video}, training=True)
  far = saved_model.relative_difference(identity, before)
  near = saved_model.relative_difference(trained, before)
  assert near < far / 10


def test_training_computes_what_inference_does_on_the_clips_of_the_statistics(
  stock, ours
):
  """A batch's own statistics are then the restored ones, layer after layer."""
  weights = source.read(stock[2]['float32'])
  assign.assign(ours, weights, 'all')
  video = clips.rendered(6, SIZE, seed=1)
  batch = {'image': np.concatenate(video)}
  expected = ours(batch, training=False)
  folded_norms.restore(ours, graph_of(weights).norms, video)
  assert (
    saved_model.relative_difference(ours(batch, training=True), expected) < 1e-4
  )


def test_statistics_are_those_of_the_clips(stock, ours):
  """A norm's mean and variance are what numpy finds in its input."""
  _, _, files = stock
  weights = source.read(files['float32'])
  assign.assign(ours, weights, 'all')
  video = clips.rendered(2, SIZE)
  folded_norms.restore(ours, graph_of(weights).norms, video)
  layer = folded_norms.layers(ours)['stem/stem']
  kernel = weights.values['stem/stem/kernel'][0]
  inputs = np.concatenate(video).reshape(-1, SIZE, SIZE, 3)
  outputs = tf.nn.conv2d(inputs, kernel, 2, 'SAME').numpy()
  np.testing.assert_allclose(
    layer.moving_mean, outputs.mean((0, 1, 2)), rtol=1e-4, atol=1e-5
  )
  np.testing.assert_allclose(
    layer.moving_variance, outputs.var((0, 1, 2)), rtol=1e-3, atol=1e-6
  )


def test_a_model_for_one_size_of_clips_starts_from_a_file(stock, ours):
  path = stock[2]['float32']
  fixed = rebuilt(source.read(path), (3, SIZE + 16, SIZE + 16))
  for model in (ours, fixed):
    initialization.initialize(model, path, 'all')
  for ours_has, fixed_has in zip(ours.variables, fixed.variables):
    np.testing.assert_allclose(
      fixed_has, ours_has, rtol=1e-4, atol=1e-5, err_msg=ours_has.name
    )


DATA = tiny.evaluation_data(size=SIZE)


@pytest.mark.parametrize(
  'overrides, options',
  [
    ({}, {'classify_every': 3, 'split_head': True}),
    ({'head': {'causal': True}}, {}),
    ({'head': {'type': 'linear'}}, {'quantization': 'dynamic_int8'}),
  ],
  ids=['temporal', 'causal', 'linear'],
)
def test_our_exports_come_back_with_the_same_logits(
  overrides, options, tmp_path
):
  model = tiny.classifier(**overrides)
  example = np.random.default_rng(0).integers(
    0, 255, (1, 6, SIZE, SIZE, 3), dtype=np.uint8
  )
  tflite.export_stream(model, str(tmp_path), DATA, example, **options)
  video = np.random.default_rng(1).uniform(size=(2, 6, SIZE, SIZE, 3))
  expected = model({'image': video.astype(np.float32)}, training=False)
  limit = 2e-2 if options.get('quantization') else 1e-5
  for path in sorted(tmp_path.glob('*.tflite')):
    weights = source.read(str(path))
    assert graph_of(weights).num_frames == 6
    # Though its factors are in the weights around it.
    assert weights.gate == 'grw>hard_sigmoid'
    again = rebuilt(weights)
    config = model_config.model_config(weights)
    head = overrides.get('head', {})
    assert config.head.type == head.get('type', 'temporal')
    assert config.head.causal == head.get('causal', False)
    assert (
      saved_model.relative_difference(
        again({'image': video.astype(np.float32)}), expected
      )
      < limit
    ), path.name


def test_a_gate_other_than_the_graphs_is_refused(stock):
  gate, _, files = stock
  weights = source.read(files['float32'])
  with pytest.raises(ValueError, match='as its graph shows'):
    model_config.model_config(weights, GATES[1 - GATES.index(gate)])


def one_line(path: pathlib.Path) -> str:
  with pytest.raises(ValueError) as error:
    source.read(str(path))
  message = str(error.value)
  assert str(path) in message and '\n' not in message
  return message


def test_damaged_files_end_in_one_line(stock, tmp_path):
  _, _, files = stock
  content = pathlib.Path(files['float32']).read_bytes()
  path = tmp_path / 'x.tflite'
  for share in (0.01, 0.3, 0.6, 0.9, 0.99):
    path.write_bytes(content[: int(len(content) * share)])
    assert 'damaged' in one_line(path)
  path.write_bytes(content[:8] + b'\xff' * 2000)
  assert 'damaged' in one_line(path)
  path.write_bytes(content[:8])
  assert 'damaged' in one_line(path)
  path.write_bytes(b'')
  assert 'not recognized' in one_line(path)


def test_files_of_other_networks_end_in_one_line(stock, tmp_path, monkeypatch):
  inputs = tf_keras.Input((SIZE, SIZE, 3), batch_size=1)
  hidden = tf_keras.layers.Conv2D(4, 3, activation='relu')(inputs)
  model = tf_keras.Model(inputs, tf_keras.layers.Flatten()(hidden))
  path = tmp_path / 'images.tflite'
  path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
  assert 'no streaming MoViNet' in one_line(path)
  monkeypatch.delitem(movinet.BLOCK_SPECS, 'tiny')
  message = one_line(pathlib.Path(stock[2]['float32']))
  assert 'register its specification first' in message


def test_no_interpreter_is_needed_to_read(stock, monkeypatch):
  def refused(*args, **kwargs):
    raise AssertionError('an interpreter was made')

  monkeypatch.setattr(litert, 'Interpreter', refused)
  assert source.read(stock[2]['dynamic']).architecture.num_classes == CLASSES


def test_a_file_without_a_card_predicts_as_published(stock, tmp_path):
  gate, theirs, files = stock
  names = tmp_path / 'names.txt'
  names.write_text('\n'.join('abcde'))
  video = np.random.default_rng(0).integers(
    0, 255, (4, 48, 64, 3), dtype=np.uint8
  )
  for quantization, limit in (('float32', 1e-5), ('int8', 1.0)):
    opened = exported.open_model(files[quantization], labels_file=str(names))
    assert opened.labels == list('abcde')
    assert '5 frames a second' in opened.assumed
    assert files[quantization] in opened.assumed
    assert opened.frame_rate() == 5
    prepared = np.stack([opened.prepared(frame) for frame in video])
    assert prepared.shape == (4, SIZE, SIZE, 3)
    found = np.array([opened.step(frame) for frame in video])
    expected = stream_logits(theirs, prepared[np.newaxis])
    assert saved_model.relative_difference(found, expected) < limit
  unnamed = exported.open_model(files['float32'])
  assert unnamed.labels[1] == 'class 1' and 'no labels' in unnamed.assumed
  names.write_text('a\nb')
  with pytest.raises(ValueError, match='2 labels'):
    exported.open_model(files['float32'], labels_file=str(names))
