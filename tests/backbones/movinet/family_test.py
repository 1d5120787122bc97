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

"""MoViNets as configured: the smallest runs, and what options do is exact."""

import pathlib
import types

import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
from official.modeling import optimization
from official.projects.movinet.modeling import movinet_layers
from official.vision.modeling import factory_3d
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import families
from official_ext.grw.datasets import video_parser
from official_ext.grw.modeling import streaming
from tests import tiny

CONFIGS = pathlib.Path(__file__).parents[3] / 'configs'
# Half a second of video suffices for the layers, and a window for the loss.
FRAMES, SIZE = 6, 32


def t0(kind):
  """A model of a file, of 3 classes, that lets frames pass through time."""
  config = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_kinetics600'),
    str(CONFIGS / f'movinet_t0_{kind}_grw_k600.yaml'),
    is_strict=True,
  )
  config.validate()
  model = factory_3d.build_model(
    config.task.model.model_type,
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config.task.model,
    3,
  )
  rng = np.random.default_rng(0)
  for variable in model.variables:
    if 'scale' in variable.name:
      variable.assign(rng.uniform(0.2, 0.8, variable.shape))
  return model, rng.random((1, FRAMES, SIZE, SIZE, 3), np.float32)


def test_t0_stream_trains_and_streams():
  model, clips = t0('stream')
  with tf.GradientTape() as tape:
    logits = model({'image': clips}, training=True)
    loss = tf.add_n(model.losses) - tf.nn.log_softmax(logits)[0, 2]
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
  tf_keras.optimizers.SGD(1e-2).apply_gradients(
    zip(gradients, model.trainable_variables)
  )

  stream = streaming.StreamingClassifier(model, FRAMES)
  states = stream.init_states(clips.shape)
  for begin, end in ((0, 1), (1, 4), (4, 6)):
    logits, states = stream({**states, 'image': clips[:, begin:end]})
  np.testing.assert_allclose(logits, model({'image': clips}), atol=1e-4)


def test_t0_base_classifies_clips_alone():
  model, clips = t0('base')
  assert model({'image': clips}).shape == (1, 3)
  with pytest.raises(ValueError, match='T0 Base.*cannot stream'):
    streaming.StreamingClassifier(model, FRAMES)


def global_classifier(se_type='2plus3d', is_global=True, **backbone):
  return tiny.classifier(
    backbone={
      'movinet': {
        'se_type': se_type,
        'global_squeeze_excitation': is_global,
        **backbone,
      }
    }
  )


def gated(layer, inputs):
  """Squeeze-excitation of whole clips, from the weights of a layer."""
  clip = np.mean(inputs, axis=(1, 2, 3), keepdims=True)
  squeezed = np.broadcast_to(clip, (*inputs.shape[:2], 1, 1, inputs.shape[-1]))
  if layer.get_config()['se_type'] == '2plus3d':
    frame = np.mean(inputs, axis=(2, 3), keepdims=True)
    squeezed = np.concatenate([squeezed, frame], axis=-1)

  def dense(x, block):
    kernel, bias = block.get_weights()
    return x @ kernel.reshape(kernel.shape[-2:]) + bias

  reduced = dense(squeezed, layer._se_reduce)
  reduced *= np.clip(reduced + 3, 0, 6) / 6
  return np.clip(dense(reduced, layer._se_expand) / 5 + 0.5, 0, 1) * inputs


@pytest.mark.parametrize('se_type', ['3d', '2plus3d'])
def test_global_squeeze_excitation_is_that_of_the_whole_clip(se_type):
  model = global_classifier(se_type)
  causal = global_classifier(se_type, is_global=False)
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(2, 5, 4, 4, 16)).astype(np.float32)
  inputs += np.arange(5, dtype=np.float32)[:, None, None, None]
  found = []
  for backbone in (model.backbone, causal.backbone):
    (layer,) = (
      layer
      for layer in backbone.submodules
      if isinstance(layer, movinet_layers.StreamSqueezeExcitation)
    )
    expected = gated(layer, inputs)
    found.append(layer(inputs)[0])
  np.testing.assert_allclose(found[0], expected, atol=1e-5)
  # A causal gate knows the clip at its last frame alone.
  np.testing.assert_allclose(found[1][:, -1], expected[:, -1], atol=1e-5)
  assert np.max(np.abs(found[1] - expected)[:, :-1]) > 1e-2

  # The last frame is seen by the first, and by way of the gates alone.
  image = rng.random((1, 5, 16, 16, 3), np.float32)
  other = image.copy()
  other[:, -1] = 0
  for backbone, sees in ((model.backbone, True), (causal.backbone, False)):
    first, second = (
      backbone({'image': clip})[0]['head'][:, 0] for clip in (image, other)
    )
    assert np.any(first != second) == sees

  again = type(model).from_config(model.get_config())
  again.set_weights(model.get_weights())
  np.testing.assert_allclose(
    again({'image': image}), model({'image': image}), atol=1e-6
  )


def test_what_sees_whole_clips_does_not_stream():
  model = global_classifier()
  with pytest.raises(
    ValueError, match='global_squeeze_excitation=True, which .* cannot stream'
  ):
    streaming.StreamingClassifier(model, 5)
  with pytest.raises(ValueError, match='num_subclips=2: expected 1.*no states'):
    recipe(
      'movinet_grw_kinetics600',
      {
        'num_subclips': 2,
        'model': {'backbone': {'movinet': {'global_squeeze_excitation': True}}},
      },
    )


@pytest.mark.parametrize(
  'backbone, message',
  [
    ({'causal': False}, 'global_squeeze_excitation=True: .*causal=False'),
    ({'se_type': '2d'}, "se_type='2d': expected '3d' or '2plus3d'"),
    ({'se_type': 'none'}, "se_type='none': expected '3d' or '2plus3d'"),
    (
      {'use_positional_encoding': True},
      'use_positional_encoding=True: .*False',
    ),
  ],
)
def test_global_squeeze_excitation_that_would_change_nothing_is_refused(
  backbone, message
):
  with pytest.raises(ValueError, match=message):
    recipe(
      'movinet_grw_kinetics600',
      {
        'model': {
          'backbone': {
            'movinet': {'global_squeeze_excitation': True, **backbone}
          }
        }
      },
    )


def recipe(name='movinet_scratch_kinetics600', task=None, file=None):
  config = exp_factory.get_exp_config(name)
  if file:
    config = hyperparams.override_params_dict(
      config, str(CONFIGS / file), is_strict=True
    )
  config.override({'task': task or {}})
  config.validate()
  return config


STEPS = 240 * (366016 // 1024)
WARMUP = 5 * (366016 // 1024)


def test_the_learning_rate_from_scratch_rises_for_5_epochs_and_falls_to_0():
  config = recipe().trainer
  assert config.train_steps == STEPS
  rate = optimization.OptimizerFactory(
    config.optimizer_config
  ).build_learning_rate()

  def cosine(step):
    return 0.9 * (1 + np.cos(np.pi * step / STEPS))

  for step, expected in (
    (0, 0.0),
    (WARMUP // 5, cosine(WARMUP) / 5),
    (WARMUP, cosine(WARMUP)),
    (STEPS // 2, 0.9),
    (STEPS, 0.0),
  ):
    assert float(rate(step)) == pytest.approx(expected, abs=1e-5)


def test_steps_from_scratch_are_rmsprop_with_momentum_and_an_average():
  config = recipe().trainer.optimizer_config
  optimizer = optimization.OptimizerFactory(config).build_optimizer(1.8)
  before = np.array([1.0, -2.0, 0.5], np.float32)
  variable = tf.Variable(before)
  optimizer.shadow_copy(
    types.SimpleNamespace(variables=[variable], trainable_variables=[variable])
  )
  average = optimizer.get_slot(variable, 'average')
  average.assign(variable)
  # Past the steps in which the average warms up.
  optimizer.iterations = tf.Variable(2000, dtype=tf.int64)
  value = before.astype(np.float64)
  mean, squares, momentum = value, np.zeros(3), np.zeros(3)
  for gradient in ([3.0, 0.0, 4.0], [0.1, -0.2, 0.0], [0.0, 30.0, -40.0]):
    optimizer.apply_gradients([(tf.constant(gradient), variable)])
    gradient = np.array(gradient) / max(np.linalg.norm(gradient), 1.0)
    squares = 0.9 * squares + 0.1 * gradient**2
    momentum = 0.9 * momentum + 1.8 * gradient / np.sqrt(squares + 1.0)
    value = value - momentum
    mean = 0.99 * mean + 0.01 * value
  np.testing.assert_allclose(variable, value, rtol=1e-5)
  np.testing.assert_allclose(average, mean, rtol=1e-5)


def test_the_loss_from_scratch_is_of_smooth_labels():
  task = task_factory.get_task(
    recipe(
      task={
        'train_data': {'num_classes': 4},
        'validation_data': {'num_classes': 4},
      }
    ).task
  )
  probabilities = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.5, 0.1]])
  labels = tf.one_hot([0, 1], 4)
  smooth = 0.9 * labels.numpy() + 0.1 / 4
  assert float(
    task.build_losses(labels, tf.constant(probabilities, tf.float32))['loss']
  ) == pytest.approx(
    np.mean(-np.sum(smooth * np.log(probabilities), axis=-1)), rel=1e-5
  )


def test_clips_from_scratch_are_distorted_by_autoaugment_all_frames_alike():
  data = recipe().task.train_data
  data.override({'feature_shape': (2, 16, 16, 3), 'min_image_size': 16})
  augmenter = video_parser.VideoParser(data)._augmenter
  frame = tiny.clip(1, seed=0, frames=1)
  clip = tf.constant(np.concatenate([frame, frame]))
  augmenter.policies = augmenter.policies[:6]  # Each is long to trace.
  draws = 40
  found = next(
    iter(
      tf.data.Dataset.range(draws)
      .map(lambda _: augmenter.distort(clip))
      .batch(draws)
    )
  ).numpy()
  np.testing.assert_array_equal(found[:, 0], found[:, 1])
  kinds = {picture.tobytes() for picture in found[:, 0]}
  assert len(kinds) > 6
  for file, distorts in (
    ('movinet_a0_base_k600.yaml', False),
    ('movinet_a0_stream_k600.yaml', False),
    ('movinet_a4_base_k600.yaml', True),
    ('movinet_a5_base_k600.yaml', True),
  ):
    task = recipe(file=file).task
    assert (task.train_data.aug_type is not None) == distorts
    assert task.validation_data.aug_type is None
    backbone = task.model.backbone
    published = families.of(backbone).clip(backbone.get())
    shape = published['feature_shape']
    assert list(task.validation_data.feature_shape) == shape
    assert list(task.train_data.feature_shape) == [
      min(shape[0], 64),
      *shape[1:],
    ]
