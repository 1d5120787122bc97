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

"""The loss is the same in models of Keras 3, and is never lost in silence."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext import grw
from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_v3
from official_ext.grw.backbones.posmlp_video import model as posmlp_video
from official_ext.grw.backbones.videofocalnet import model as videofocalnet
from official_ext.grw.backbones.vit_frames import model as vit_frames
from official_ext.grw.heads import linear
from official_ext.grw.heads import temporal
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import loss_term
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import grw_model
from tests import tiny

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = (grw.GrwSmoothingKeras3, grw.GrwSmoothing)
SMOOTHING: dict[str, Any] = {'window': 4, 'alpha': 0.25, 'weight': 0.3}
CLASSES = 3
RNG = np.random.default_rng(0)
CLIPS = RNG.standard_normal([8, 9, 5]).astype(np.float32)
TARGETS = RNG.standard_normal([8, CLASSES]).astype(np.float32)
KERNELS = [
  RNG.normal(0, 0.2, shape).astype(np.float32) for shape in ((5, 6), (6, 3))
]


def functional(library, layer):
  """A functional model of either Keras."""
  inputs = library.Input([9, 5])
  x = library.layers.Dense(6, use_bias=False)(inputs)
  x = library.layers.GlobalAveragePooling1D()(layer(x))
  return library.Model(inputs, library.layers.Dense(CLASSES, use_bias=False)(x))


def subclassed(library, layer):
  """The same, as a class."""

  class Net(library.Model):  # type: ignore[name-defined]
    def __init__(self):
      super().__init__()
      self.embed = library.layers.Dense(6, use_bias=False)
      self.smooth = layer
      self.pool = library.layers.GlobalAveragePooling1D()
      self.classify = library.layers.Dense(CLASSES, use_bias=False)

    def call(self, inputs):
      return self.classify(self.pool(self.smooth(self.embed(inputs))))

  model = Net()
  model(CLIPS)
  return model


def compiled(library, build, layer):
  """A model of known weights, with plain gradient descent."""
  model = build(library, layer)
  model.set_weights(KERNELS)
  model.compile(library.optimizers.SGD(0.05), 'mse')
  return model


def smoothing_loss(weight=SMOOTHING['weight']):
  """λ · L_smooth of CLIPS in the model before training, by the function."""
  windows = grw.cut_windows(tf.constant(CLIPS) @ KERNELS[0], 4)
  return weight * float(
    grw.smoothing_terms(windows, SMOOTHING['alpha']).smoothing_loss
  )


def task_loss():
  logits = (CLIPS @ KERNELS[0]).mean(1) @ KERNELS[1]
  return float(np.mean((logits - TARGETS) ** 2))


@pytest.mark.parametrize('build', [functional, subclassed])
@pytest.mark.parametrize('layer_class', LAYERS)
def test_a_keras3_model_trains_as_one_of_tf_keras(layer_class, build):
  ours = compiled(keras, build, layer_class(**SMOOTHING))
  ours(CLIPS)
  np.testing.assert_allclose(ours.losses, [smoothing_loss()], rtol=1e-6)

  theirs = compiled(tf_keras, build, grw.GrwSmoothing(**SMOOTHING))
  losses = [
    model.fit(
      CLIPS, TARGETS, batch_size=8, epochs=4, shuffle=False, verbose=0
    ).history['loss']
    for model in (ours, theirs)
  ]
  assert losses[0][0] == pytest.approx(task_loss() + smoothing_loss(), rel=1e-5)
  np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
  # The gradients of four steps.
  for weights, expected, start in zip(
    ours.get_weights(), theirs.get_weights(), KERNELS
  ):
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-6)
    assert np.abs(weights - start).max() > 1e-3


@pytest.mark.parametrize('layer_class', LAYERS)
def test_gradients_are_those_of_the_function(layer_class):
  model = compiled(keras, functional, layer_class(**SMOOTHING))
  with tf.GradientTape() as tape:
    model(CLIPS)
    loss = tf.add_n(model.losses)
  (gradient,) = tape.gradient(loss, model.trainable_variables[:1])
  kernel = tf.constant(KERNELS[0])
  with tf.GradientTape() as tape:
    tape.watch(kernel)
    terms = grw.smoothing_terms(
      grw.cut_windows(tf.constant(CLIPS) @ kernel, 4), SMOOTHING['alpha']
    )
    loss = SMOOTHING['weight'] * terms.smoothing_loss
  np.testing.assert_allclose(
    gradient, tape.gradient(loss, kernel), rtol=1e-5, atol=1e-6
  )


@pytest.mark.parametrize('layer_class', LAYERS)
def test_a_saved_keras3_model_has_the_whole_layer(tmp_path, layer_class):
  fields = {
    'window': 9,
    'alpha': 0.1,
    'weight': 0.2,
    'sampled': True,
    'num_orderings': 7,
    'seed': 9,
    'name': 'smooth',
  }
  model = compiled(keras, functional, layer_class(**fields))
  path = tmp_path / 'model.keras'
  model.save(path)
  again = keras.saving.load_model(path)
  config = again.get_layer('smooth').get_config()
  assert fields.items() <= config.items()
  assert config == model.get_layer('smooth').get_config()
  np.testing.assert_allclose(again(CLIPS), model(CLIPS), rtol=1e-6)
  assert again.losses[0] > 0
  np.testing.assert_array_equal(again.losses, model.losses)


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
@pytest.mark.parametrize('layer_class', LAYERS)
def test_under_a_mixed_policy_the_loss_is_float32(layer_class, policy):
  keras.config.set_dtype_policy(policy)
  try:
    layer = layer_class(window=9, weight=1.0)
    inputs = keras.Input([9, 5])
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    outputs = model(CLIPS)
  finally:
    keras.config.set_dtype_policy('float32')
  assert outputs.dtype == policy.removeprefix('mixed_')
  assert model.losses[0].dtype == 'float32'
  expected = grw.smoothing_terms(tf.constant(CLIPS)).smoothing_loss
  # The model's input is of float32 until a layer of another type.
  np.testing.assert_allclose(model.losses[0], expected, rtol=1e-6)


@pytest.mark.parametrize('layer_class', LAYERS)
def test_terms_and_unused_frames_are_as_in_tf_keras(layer_class):
  layer = layer_class(**SMOOTHING)
  inputs = keras.Input([9, 5]), keras.Input([], dtype='int32')
  model = keras.Model(inputs, layer(inputs[0], num_frames=inputs[1]))
  counts = np.array([9, 8, 7, 4, 3, 9, 9, 1], np.int32)
  model([CLIPS, counts])
  expected = grw_smoothing.smoothing_terms(
    grw.cut_windows(tf.constant(CLIPS), 4),
    SMOOTHING['alpha'],
    weights=grw_smoothing.window_weights(tf.constant(counts), 9, 4),
  )
  assert expected.num_windows == 10
  for name, value in layer.terms._asdict().items():
    np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-5)


def test_clips_shorter_than_a_window_cannot_be_trained_on():
  model = functional(keras, grw.GrwSmoothingKeras3(window=10))
  assert model.predict(CLIPS, verbose=0).shape == TARGETS.shape
  model.compile('sgd', 'mse')
  with pytest.raises(ValueError, match='window of 10 .* 9 embeddings'):
    model.fit(CLIPS, TARGETS, verbose=0)


@pytest.mark.parametrize('build', [functional, subclassed])
def test_in_a_tf_keras_model_the_keras3_layer_names_the_right_one(build):
  message = (
    'GrwSmoothingKeras3 is a layer of Keras 3 and does nothing in a model of '
    'tf_keras: use official_ext.grw.GrwSmoothing.'
  )
  with pytest.raises(ValueError, match=message):
    build(tf_keras, grw.GrwSmoothingKeras3())


def made(layer_class):
  """A layer or model of ours, not built where it can be."""
  if layer_class is grw_model.GrwClassifier:
    return tiny.classifier(), np.zeros([1, 6, 16, 16, 3], np.float32)
  if layer_class is temporal.TransformerBlock:
    return layer_class(num_heads=1), CLIPS
  return layer_class(CLASSES), CLIPS


@pytest.mark.parametrize(
  'layer_class',
  [
    temporal.TemporalHead,
    temporal.TransformerBlock,
    linear.LinearHead,
    grw_model.GrwClassifier,
  ],
)
def test_keras3_models_cannot_call_what_they_would_not_train(layer_class):
  layer, inputs = made(layer_class)

  class Net(keras.Model):
    def call(self, inputs):
      return layer(inputs)

  message = f'{layer_class.__name__} is of tf_keras, and a model of Keras 3'
  with pytest.raises(ValueError, match=message):
    Net()(inputs)
  symbolic = keras.Input(inputs.shape[1:])
  with pytest.raises(ValueError, match=message) as raised:
    layer({'image': symbolic} if layer_class is grw.GrwClassifier else symbolic)
  assert '\n' not in str(raised.value)


def test_nor_can_they_call_backbones_and_ensembles():
  symbolic = keras.Input([6, 16, 16, 3])
  for model_class in (
    ensemble.TemporalEnsemble,
    mobilenet_v3.MobileNetV3,
    posmlp_video.PosMlpVideo,
    videofocalnet.VideoFocalNet,
    vit_frames.ViTFrames,
  ):
    with pytest.raises(ValueError, match='does not train its weights'):
      model_class.__call__(None, {'image': symbolic})


def test_a_loss_term_is_no_metric_of_labels():
  model = keras.Sequential([keras.layers.Dense(1)])
  model.compile('sgd', 'mse', metrics=[loss_term.LossTerm('smoothness')])
  with pytest.raises(ValueError, match="'smoothness' takes the scalar value"):
    model.fit(CLIPS[:, 0], TARGETS[:, :1], verbose=0)


@pytest.mark.parametrize('layer_class', LAYERS)
def test_other_backends_are_refused_in_one_line(monkeypatch, layer_class):
  # Neither PyTorch nor JAX is a requirement, so their name stands for them.
  monkeypatch.setattr(keras.config, 'backend', lambda: 'torch')
  with pytest.raises(
    ValueError,
    match='needs the TensorFlow backend of Keras 3, .* on torch: set',
  ):
    functional(keras, layer_class())


def test_keras3_is_imported_for_its_own_layer_alone():
  script = """
import sys
from official_ext import grw
from official_ext.grw import registry_imports
import tensorflow as tf
layer = grw.GrwSmoothing()
layer(tf.ones([2, 5, 3]))
print(len(layer.losses), 'keras' in sys.modules)
"""
  run = subprocess.run(
    [sys.executable, '-c', script],
    env={
      **os.environ,
      'TF_USE_LEGACY_KERAS': '1',
      'PYTHONPATH': str(ROOT),
    },
    capture_output=True,
    text=True,
  )
  assert run.returncode == 0, run.stderr
  assert run.stdout.splitlines() == ['1 False']
