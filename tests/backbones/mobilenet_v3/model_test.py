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

"""MobileNetV3 sees what it should of time, in clips and in streams."""

import functools

from ai_edge_litert import interpreter as litert
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.vision.modeling.layers import nn_blocks
from official.vision.ops import preprocess_ops
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_v3
from official_ext.grw.configs import schema
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from official_ext.grw.optimization import two_rate_adamw
from official_ext.grw.serving import tflite
from tests import tiny  # noqa: F401  # Registers a network.
from tests import undrawn

N, HEIGHT, WIDTH, WINDOW, CLASSES = 8, 33, 30, 3, 3
TEMPORALS = ('base_frame', 'shift', 'none')
MODEL = {
  'backbone': {
    'type': 'mobilenet_v3',
    'mobilenet_v3': {'size': 'tiny', 'window': WINDOW},
  },
  # Of the last batch alone: see `classifier`.
  'norm_activation': {'norm_momentum': 0.0, 'use_sync_bn': False},
  'smoothing': {'window': WINDOW},
  'head': {'embedding_dim': 16, 'num_heads': 2, 'num_layers': 1},
}


def videos(frames=N, batch=2, seed=0):
  """Coarse patterns, another one in each frame."""
  coarse = np.random.default_rng(seed).random((batch * frames, 6, 6, 3))
  fine = tf.image.resize(coarse, (HEIGHT, WIDTH)).numpy()
  return fine.reshape(batch, frames, HEIGHT, WIDTH, 3).astype(np.float32)


@functools.cache
def classifier(temporal):
  """A classifier whose features differ between frames.

  With the batch norms' initial statistics a narrow network that has not been
  trained gives almost the same features whatever it is shown.
  """
  tf_keras.utils.set_random_seed(1)
  config = schema.GrwModel(
    backbone=backbone_config.Backbone3D(type='mobilenet_v3')
  )
  config.override(MODEL)
  config.backbone.mobilenet_v3.temporal = temporal
  model = grw_model.GrwClassifier(
    config, CLASSES, tf_keras.layers.InputSpec(shape=[None] * 4 + [3])
  )
  model({'image': videos(seed=9)}, training=True)
  return model


def features(temporal, clips, endpoint='head'):
  return classifier(temporal).backbone({'image': clips})[endpoint].numpy()


@pytest.mark.parametrize('temporal', TEMPORALS)
def test_endpoints_keep_each_frame(temporal):
  model = classifier(temporal)
  assert isinstance(model.backbone, mobilenet_v3.MobileNetV3)
  endpoints = model.backbone({'image': videos()})
  shapes = {name: tuple(value.shape) for name, value in endpoints.items()}
  assert shapes == {
    '2': (2, N, 9, 8, 8),
    '3': (2, N, 5, 4, 16),
    'head': (2, N, 1, 1, 32),
  }
  assert grw_model.last_endpoint(endpoints) == 'head'


@pytest.mark.parametrize(
  'size, channels, shifts',
  [
    ('Small', [16, 24, 48, 96, 1024], 6),
    ('Large', [24, 40, 112, 160, 1280], 9),
  ],
)
def test_published_networks(size, channels, shifts):
  with undrawn.variables():
    backbone = mobilenet_v3.MobileNetV3(
      f'MobileNetV3{size}', temporal='shift', use_external_states=True
    )
  assert [
    value.shape[-1] for _, value in sorted(backbone.output[0].items())
  ] == channels
  states = backbone.init_states((2, 1, 224, 224, 3))
  assert len(states) == shifts and states.keys() == backbone.output[1].keys()


@pytest.mark.parametrize(
  'temporal, changed, sees_it',
  [
    ('none', 3, [3]),
    ('base_frame', 3, [3, 4, 5]),  # The base frame of its window.
    ('base_frame', 4, [4]),
    ('base_frame', 6, [6, 7]),  # Of what is left of a window.
    ('shift', 3, [3, 4, 5]),  # By the shifts of two blocks.
  ],
)
def test_what_a_frame_knows_of_others(temporal, changed, sees_it):
  clips = videos()
  other = clips.copy()
  other[:, changed] = 1 - other[:, changed]
  difference = np.abs(features(temporal, other) - features(temporal, clips))
  differs = np.max(difference, axis=(0, 2, 3, 4)) > 1e-4
  assert list(np.flatnonzero(differs)) == sees_it


def test_a_frame_alone_is_the_image_networks():
  clips = videos()
  backbone = classifier('none').backbone
  network = backbone.image_network()
  network.set_weights(backbone.get_weights())
  frames = preprocess_ops.normalize_image(
    clips.reshape(-1, HEIGHT, WIDTH, 3),
    preprocess_ops.MEAN_NORM,
    preprocess_ops.STDDEV_NORM,
  )
  for ours, theirs in (('2', '2'), ('3', '3'), ('head', '4')):
    of_clips = features('none', clips, ours)
    of_images = network(frames)[theirs].numpy()
    np.testing.assert_allclose(
      of_clips, of_images.reshape(of_clips.shape), rtol=1e-4, atol=1e-4
    )


def test_an_eighth_of_the_channels_is_of_the_frame_before():
  frames = np.arange(2 * 3 * 16, dtype=np.float32).reshape(6, 1, 1, 16)
  shifted, state = mobilenet_v3.TemporalShift()([frames, tf.zeros((2, 3, 1))])
  want = frames.reshape(2, 3, 16).copy()
  want[:, 1:, :2] = want[:, :-1, :2]
  want[:, 0, :2] = 0
  np.testing.assert_array_equal(np.reshape(shifted, (2, 3, 16)), want)
  np.testing.assert_array_equal(state[:, 0, 0], frames[[2, 5], 0, 0, :2])


def test_the_shortcut_is_not_shifted():
  """Residuals of zero leave nothing of the shift."""
  zeroed = {}
  for temporal in ('shift', 'none'):
    backbone = mobilenet_v3.MobileNetV3('MobileNetV3Tiny', temporal=temporal)
    backbone.set_weights(classifier('none').backbone.get_weights())
    for layer in backbone.layers:
      if isinstance(layer, nn_blocks.InvertedBottleneckBlock):
        config = layer.get_config()
        if (
          config['in_filters'] == config['out_filters']
          and config['strides'] == 1
        ):
          for variable in layer.trainable_weights[-2:]:
            assert 'batch_normalization' in variable.name
            variable.assign(tf.zeros_like(variable))
    zeroed[temporal] = backbone({'image': videos()})['head']
  np.testing.assert_allclose(zeroed['shift'], zeroed['none'], atol=1e-5)
  assert (
    np.max(np.abs(features('none', videos()) - zeroed['none'].numpy())) > 0.1
  )


@functools.cache
def stream(temporal):
  model = streaming.StreamingClassifier(classifier(temporal), N)
  image = tf.TensorSpec([None, None, HEIGHT, WIDTH, 3], tf.float32)
  specs = {
    name: tf.TensorSpec(spec.shape, spec.dtype)
    for name, spec in model.initial_state_specs(
      (None, None, HEIGHT, WIDTH, 3)
    ).items()
  }
  return model, tf.function(model, input_signature=[{'image': image, **specs}])


@pytest.mark.parametrize('temporal', TEMPORALS)
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_any_split_of_a_stream_gives_the_logits_of_the_clip(temporal, data):
  model, step = stream(temporal)
  cuts = sorted(data.draw(st.sets(st.integers(1, N - 1), max_size=N - 1)))
  clips = videos(seed=data.draw(st.integers(0, 99)))
  states = model.init_states(clips.shape)
  for begin, end in zip([0, *cuts], [*cuts, N]):
    logits, states = step({**states, 'image': clips[:, begin:end]})
  want = classifier(temporal)({'image': clips}).numpy()
  np.testing.assert_allclose(
    logits, want, rtol=0, atol=1e-5 * np.abs(want).max(), err_msg=str(cuts)
  )
  assert np.abs(want[0] - want[1]).max() > 1e-3


@pytest.mark.parametrize(
  'temporal, count', [('base_frame', 2), ('shift', 2), ('none', 0)]
)
def test_every_state_starts_at_zero_and_is_used(temporal, count):
  model, step = stream(temporal)
  clips = videos()
  states = model.init_states(clips.shape)
  of_backbone = model.backbone_state_specs(clips.shape)
  assert len(of_backbone) == count
  for name, spec in of_backbone.items():
    assert states[name].dtype == spec.dtype
    assert tuple(states[name].shape) == tuple(spec.shape)
    assert not np.any(states[name])
  _, states = step({**states, 'image': clips[:, :4]})
  logits, _ = step({**states, 'image': clips[:, 4:5]})
  for name in of_backbone:
    # By 2, the count goes from the second frame of a window to the next window.
    other = {**states, name: states[name] + 2 * tf.ones_like(states[name])}
    changed, _ = step({**other, 'image': clips[:, 4:5]})
    assert not np.array_equal(changed, logits), name


@pytest.mark.parametrize('temporal', ['base_frame', 'shift'])
def test_a_few_steps_lower_the_loss_of_both_groups(temporal):
  params = exp_factory.get_exp_config('mobilenet_v3_grw_kinetics600').task
  params.model.override(MODEL)
  params.model.backbone.mobilenet_v3.temporal = temporal
  params.model.norm_activation.norm_momentum = 0.9
  for data in (params.train_data, params.validation_data):
    data.feature_shape = (N, HEIGHT, WIDTH, 3)
    data.num_classes = CLASSES
  params.seed = 1
  task = task_factory.get_task(params)
  model, metrics = task.build_model(), task.build_metrics()
  optimizer = two_rate_adamw.TwoRateAdamW(1e-3, backbone_lr_scale=0.5)
  before = [variable.numpy() for variable in model.trainable_variables]
  batch = {'image': tf.constant(videos())}, tf.one_hot([0, 1], CLASSES)
  losses = [
    float(task.train_step(batch, model, optimizer, metrics)['loss'])
    for _ in range(3)
  ]
  assert losses[-1] < losses[0]
  moved = {
    variable.name: np.max(np.abs(variable - value))
    for variable, value in zip(model.trainable_variables, before)
  }
  head = [value for name, value in moved.items() if name.startswith('grw_')]
  backbone = [
    value for name, value in moved.items() if not name.startswith('grw_')
  ]
  assert len(backbone) == len(model.backbone.trainable_variables)
  # An Adam step is at most the learning rate, of which a backbone has half.
  assert 2e-3 < max(head) and 1e-3 < max(backbone) < 2e-3


@pytest.mark.parametrize('temporal', ['base_frame', 'shift'])
def test_tflite_streams_as_the_clip_model(temporal, tmp_path):
  data = schema.DataConfig(
    is_training=False,
    feature_shape=(N, HEIGHT, WIDTH, 3),
    min_image_size=HEIGHT,
    num_classes=CLASSES,
  )
  model = classifier(temporal)
  example = (255 * videos(batch=1, seed=3)).astype(np.uint8)
  example = np.pad(example, ((0, 0),) * 3 + ((1, 2), (0, 0)), 'edge')
  written = tflite.export_stream(model, str(tmp_path), data, example)
  assert written.difference < 1e-5
  path = str(tmp_path / tflite_stream.MODEL_FILE)
  runner = litert.Interpreter(path).get_signature_runner()
  assert set(runner.get_input_details()) == {'image', *written.states}
  frames = videos(batch=1, seed=4)[0]
  interpreter = tflite_stream.TfliteStream(path)
  logits = [interpreter.step(frame) for frame in frames][-1]
  want = model({'image': frames[np.newaxis]})[0]
  np.testing.assert_allclose(logits, want, atol=1e-5)


def test_a_saved_model_is_the_model_again(tmp_path):
  model = classifier('shift')
  model.save(tmp_path / 'model.keras')
  again = tf_keras.models.load_model(tmp_path / 'model.keras')
  np.testing.assert_array_equal(
    again({'image': videos()}), model({'image': videos()})
  )
  config = model.backbone.get_config()
  backbone = mobilenet_v3.MobileNetV3.from_config(config)
  assert backbone.get_config() == config and config['temporal'] == 'shift'
