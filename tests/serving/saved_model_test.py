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

"""Exported SavedModels answer as the model does, or are not there."""

import numpy as np
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.vision.serving import video_classification
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import video_parser
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import saved_model
from tests import tiny

N, SIZE = tiny.FRAMES, tiny.SIZE


def data_config(**overrides) -> schema.DataConfig:
  return schema.DataConfig(
    **{
      'is_training': False,
      'feature_shape': (N, SIZE, SIZE, 3),
      'min_image_size': 20,
      'num_classes': tiny.CLASSES,
      'resize': 'square',
      'augment': False,
      **overrides,
    }
  )


def videos(batch=1, frames=N, height=24, width=30, seed=0):
  return np.random.default_rng(seed).integers(
    0, 256, (batch, frames, height, width, 3), np.uint8
  )


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return tiny.classifier()


@pytest.fixture(name='base', scope='module')
def base_fixture():
  return tiny.classifier(stream=False)


def export(model, folder, write, input_type='float32'):
  written = write(model, str(folder), data_config(), videos(), input_type)
  assert written.difference <= 1e-5
  return folder


@pytest.fixture(name='clip', scope='module')
def clip_fixture(model, tmp_path_factory):
  return export(
    model, tmp_path_factory.mktemp('clip'), saved_model.export_clip_model
  )


@pytest.fixture(name='stream', scope='module')
def stream_fixture(model, tmp_path_factory):
  return export(
    model, tmp_path_factory.mktemp('stream'), saved_model.export_stream_model
  )


def test_clips_of_any_batch_length_and_size(model, clip):
  serve = tf.saved_model.load(str(clip)).signatures['serving_default']
  for shape in ((1, 5, 32, 32, 3), (3, 9, 48, 40, 3)):
    image = np.random.default_rng(0).random(shape, np.float32)
    np.testing.assert_allclose(
      serve(image=image)['logits'], model({'image': image}), atol=1e-5
    )


def test_exported_graph_holds_no_copy_of_the_weights(clip):
  graph = (
    tf.saved_model.load(str(clip))
    .signatures['serving_default']
    .graph.as_graph_def()
  )
  assert len(graph.SerializeToString()) < 1e6


@pytest.mark.parametrize(
  'load', [tf.saved_model.load, tf_keras.models.load_model]
)
def test_clip_model_trains_on(model, clip, load):
  """Twenty steps teach it two clips; its batch norms move."""
  loaded = load(str(clip))
  variables = loaded.trainable_variables
  assert len(variables) == len(model.trainable_variables)
  moving = [
    variable
    for variable in loaded.variables
    if variable.name.endswith('moving_mean:0')
  ]
  before = [variable.numpy() for variable in moving]
  image = np.random.default_rng(1).random((2, N, SIZE, SIZE, 3), np.float32)
  labels = tf.constant([0, 2])
  # One operation a variable, in place of ten.
  optimizer = tf_keras.optimizers.legacy.Adam(0.01)
  tf_keras.utils.set_random_seed(0)  # Of dropout.

  def step():
    with tf.GradientTape() as tape:
      logits = loaded({'image': image}, training=True)
      loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
      )
    gradients = tape.gradient(loss, variables)
    assert all(gradient is not None for gradient in gradients)
    optimizer.apply_gradients(zip(gradients, variables))
    return float(loss)

  losses = [step() for _ in range(20)]
  assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
  assert any(
    np.any(variable != value) for variable, value in zip(moving, before)
  )


def test_clip_model_is_a_hub_layer(model, clip):
  layer = hub.KerasLayer(str(clip), trainable=True)
  image = np.random.default_rng(1).random((2, N, SIZE, SIZE, 3), np.float32)
  np.testing.assert_allclose(
    layer({'image': image}), model({'image': image}), atol=1e-5
  )
  assert len(layer.trainable_variables) == len(model.trainable_variables)


def test_streams_of_any_batch_and_size(model, stream):
  loaded = tf.saved_model.load(str(stream)).signatures
  clips = np.random.default_rng(0).random((3, N, 32, 48, 3), np.float32)
  states = loaded['init_states'](input_shape=tf.constant([3, 1, 32, 48, 3]))
  assert not any(np.any(state) for state in states.values())
  for begin, end in ((0, 1), (1, 4), (4, 6)):
    states = loaded['call'](image=clips[:, begin:end], **states)
    logits = states.pop('logits')
  np.testing.assert_allclose(logits, model({'image': clips}), atol=1e-5)


def test_stream_is_a_hub_layer_as_movinet_is(model, stream):
  """As in the Model Garden's streaming tutorial."""
  layer = hub.KerasLayer(str(stream))
  clips = np.random.default_rng(0).random((1, N, SIZE, SIZE, 3), np.float32)
  init_states = layer.resolved_object.signatures['init_states']
  states = init_states(input_shape=tf.constant(clips.shape))
  for number in range(N):
    logits, states = layer({**states, 'image': clips[:, number : number + 1]})
  np.testing.assert_allclose(logits, model({'image': clips}), atol=1e-5)


@pytest.mark.parametrize('resize', ['square', 'keep_aspect'])
@pytest.mark.parametrize('antialias', [False, True])
def test_whole_frames_are_prepared_as_in_evaluation(resize, antialias):
  frames = videos()[0]
  data = data_config(resize=resize, antialias=antialias, clip_start='start')
  clip, _ = video_parser.VideoParser(data).parse_fn(False)(
    {
      'image/encoded': tf.stack([tf.io.encode_png(frame) for frame in frames]),
      'clip/label/index': tf.constant([0], tf.int64),
      feature_names.SOURCE_ID_KEY: tf.constant('a video'),
      feature_names.LOCATION: tf.constant('a test'),
    }
  )
  np.testing.assert_allclose(
    saved_model.prepared(tf.constant(frames[np.newaxis]), data)[0],
    clip['image'],
    atol=1e-6,
  )


@pytest.mark.parametrize(
  'write', [saved_model.export_clip_model, saved_model.export_stream_model]
)
def test_uint8_input_takes_frames_of_any_size(model, tmp_path, write):
  loaded = tf.saved_model.load(
    str(export(model, tmp_path, write, 'uint8'))
  ).signatures
  for height, width in ((24, 30), (41, 23)):
    frames = videos(2, N, height, width)
    want = model(
      {'image': saved_model.prepared(tf.constant(frames), data_config())}
    )
    if 'init_states' in loaded:
      states = loaded['init_states'](input_shape=tf.constant(frames.shape))
      got = loaded['call'](image=frames, **states)['logits']
    else:
      got = loaded['serving_default'](image=frames)['logits']
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_a_difference_is_an_error(model, tmp_path, monkeypatch):
  monkeypatch.setattr(saved_model, 'MAX_DIFFERENCE', -1.0)
  with pytest.raises(export_folder.ExportError, match='differs'):
    export(model, tmp_path, saved_model.export_stream_model)


def test_a_base_model_does_not_stream(base, tmp_path):
  with pytest.raises(ValueError, match='TINY Base.*not causal'):
    export(base, tmp_path, saved_model.export_stream_model)


def test_a_base_model_exports_clips_and_trains_on(base, tmp_path):
  loaded = tf.saved_model.load(
    str(export(base, tmp_path, saved_model.export_clip_model))
  )
  image = tf.random.stateless_uniform([2, N, SIZE, SIZE, 3], [1, 2])
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(loaded({'image': image}, training=True) ** 2)
  assert all(
    gradient is not None
    for gradient in tape.gradient(loss, loaded.trainable_variables)
  )


def test_a_checkpoint_of_another_model_is_refused(model, tmp_path):
  checkpoint = tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path / 'ckpt')
  )
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(tiny.overrides('', ''))
  params.task.model.backbone.movinet.model_id = 'tiny_deep'
  with pytest.raises(ValueError, match='model is MoViNet-TINY_DEEP'):
    saved_model.build_trained_model(params, checkpoint)


def test_the_stock_serving_module_takes_the_model():
  """official.vision.serving, which resizes, crops and scales by itself."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  assert isinstance(params, cfg.ExperimentConfig)
  params.override(tiny.overrides('', ''))
  module = video_classification.VideoClassificationModule(
    params, batch_size=1, input_image_size=[N, SIZE, SIZE]
  )
  serve = module.get_inference_signatures({'image_tensor': 'serving_default'})[
    'serving_default'
  ]
  outputs = serve(tf.constant(videos(1, N, SIZE, SIZE)))
  assert outputs['logits'].shape == (1, tiny.CLASSES)
  np.testing.assert_allclose(tf.reduce_sum(outputs['probs']), 1.0, rtol=1e-5)
