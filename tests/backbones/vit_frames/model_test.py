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

"""The Model Garden's ViT is the same network on each frame of a video."""

import functools
from typing import Any

from ai_edge_litert import interpreter as litert
import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.vision.modeling.backbones import vit
from official.vision.ops import preprocess_ops
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.vit_frames import config as vit_config
from official_ext.grw.backbones.vit_frames import model as vit_frames
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from official_ext.grw.optimization import two_rate_adamw
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests import tiny
from tests import undrawn

TINY: dict[str, Any] = {
  'patch_size': 8,
  'hidden_size': 16,
  'num_layers': 2,
  'num_heads': 2,
  'mlp_dim': 24,
  'image_size': 32,
}
N, SIZE, CLASSES = tiny.FRAMES, TINY['image_size'], tiny.CLASSES


def videos(batch=2, seed=0):
  """Coarse patterns, another one in each frame."""
  coarse = np.random.default_rng(seed).random((batch * N, 6, 6, 3))
  fine = tf.image.resize(coarse, (SIZE, SIZE)).numpy()
  return fine.reshape(batch, N, SIZE, SIZE, 3).astype(np.float32)


def image_network(**fields):
  """The Model Garden's ViT for images, with the numbers of `TINY`."""
  fields = {'dropout_rate': 0.0, **TINY, **fields}
  width = fields.pop('image_size')
  return vit.VisionTransformer(
    input_specs=tf_keras.layers.InputSpec(
      shape=[None, fields.pop('height', width), width, 3]
    ),
    **fields,
  )


@functools.cache
def classifier(placement='final', pooler='token'):
  return tiny.classifier(
    backbone={'type': 'vit_frames', 'vit_frames': {**TINY, 'pooler': pooler}},
    smoothing={'window': 3, 'placement': placement, 'endpoint': 'block1'},
    head={'num_heads': 2, 'num_layers': 1},
  )


def layers_with_weights(model):
  return [layer for layer in model.layers if layer.weights]


@pytest.mark.parametrize('pooler', ['token', 'gap'])
def test_each_frame_has_what_the_model_garden_gives_its_image(pooler):
  backbone = classifier(pooler=pooler).backbone
  network = image_network(pooler=pooler, output_2d_feature_maps=True)
  network.set_weights(backbone.get_weights())
  clips = videos()
  images = preprocess_ops.normalize_image(
    clips.reshape(-1, SIZE, SIZE, 3),
    preprocess_ops.MEAN_NORM,
    preprocess_ops.STDDEV_NORM,
  )
  want = network(images)
  got = backbone({'image': clips})
  # Of blocks the Model Garden gives the last alone, normalized.
  last = got['block2'].numpy()
  mean, variance = (f(last, -1, keepdims=True) for f in (np.mean, np.var))
  scale, offset = (value.numpy() for value in backbone.weights[-2:])
  normalized = (last - mean) / np.sqrt(variance + 1e-6) * scale + offset
  for ours, theirs in (
    (got['head'].numpy(), want['pre_logits'].numpy()),
    (normalized, want['3'].numpy()),
  ):
    assert np.std(theirs, axis=0).max() > 0.01
    np.testing.assert_allclose(
      ours.reshape(theirs.shape),
      theirs,
      rtol=0,
      atol=1e-6 * np.abs(theirs).max(),
    )


@pytest.mark.parametrize('pooler', ['token', 'gap'])
def test_the_layers_are_configured_as_the_model_gardens(pooler):
  """Initializers among them, and no dropout."""
  # Positions are never resized, so that the grid need not be known.
  unlike = {'name', 'pos_embed_target_shape'}
  ours, theirs = map(
    layers_with_weights,
    (classifier(pooler=pooler).backbone, image_network(pooler=pooler)),
  )
  for layer, other in zip(ours, theirs, strict=True):
    assert isinstance(layer, type(other))
    mine, wanted = (
      {name: value for name, value in config.items() if name not in unlike}
      for config in (layer.get_config(), other.get_config())
    )
    assert mine == wanted


def test_endpoints_keep_each_frame():
  endpoints = classifier().backbone({'image': videos()})
  shapes = {name: tuple(value.shape) for name, value in endpoints.items()}
  assert shapes == {
    'block1': (2, N, 4, 4, 16),
    'block2': (2, N, 4, 4, 16),
    'head': (2, N, 1, 1, 16),
  }
  assert grw_model.last_endpoint(endpoints) == 'head'


def test_a_published_network_has_its_parameters():
  with undrawn.variables():
    backbone = vit_frames.ViTFrames(vit_config.ViTFrames(variant='ti16'))
  # 5,717,416 of DeiT-Ti (arXiv 2012.12877) without its 1,000 classes.
  assert backbone.count_params() == 5717416 - 193 * 1000
  assert backbone.output_shape['block12'] == (None, None, 14, 14, 192)


@pytest.mark.parametrize('endpoint', ['block1', 'head'])
def test_a_frame_knows_nothing_of_others(endpoint):
  clips = videos()
  other = clips.copy()
  other[1, 3] = 1 - other[1, 3]
  backbone = classifier().backbone
  difference = np.abs(
    backbone({'image': other})[endpoint] - backbone({'image': clips})[endpoint]
  )
  differs = np.max(difference, axis=(2, 3, 4)) > 1e-4
  assert np.argwhere(differs).tolist() == [[1, 3]]
  assert not difference[0].any()


def test_training_draws_nothing():
  backbone = classifier().backbone
  inputs = {'image': videos()}
  for name, value in backbone(inputs, training=True).items():
    np.testing.assert_array_equal(value, backbone(inputs)[name])


def test_frames_of_another_size_are_refused():
  backbone = classifier().backbone
  with pytest.raises(ValueError, match='incompatible'):
    backbone({'image': np.zeros([1, 1, 64, 16, 3], np.float32)})
  # Also where the size is known at last: these have as many patches.
  anything = tf.function(
    lambda image: backbone({'image': image})['head'],
    input_signature=[tf.TensorSpec([None] * 5)],
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match='not compatible'):
    anything(np.zeros([1, 1, 64, 16, 3], np.float32))


def test_gradients_are_those_of_differences():
  # In float32, as are the Model Garden's layer norms whatever the precision.
  backbone = classifier().backbone
  clips = tf.constant(videos(batch=1)[:, :3])
  rng = np.random.default_rng(2)
  weights = {
    name: rng.normal(size=shape[2:]).astype(np.float32)
    for name, shape in backbone.output_shape.items()
  }
  variables = backbone.trainable_variables

  def value(clips):
    endpoints = backbone({'image': clips})
    return tf.add_n(
      [
        tf.reduce_mean(tf.sin(endpoints[name]) * weight)
        for name, weight in weights.items()
      ]
    )

  with tf.GradientTape() as tape:
    tape.watch(clips)
    result = value(clips)
  *gradients, of_pixels = tape.gradient(result, [*variables, clips])
  # What a key has in common with all others, attention does not see.
  for variable, gradient in zip(variables, gradients):
    assert (np.abs(gradient).max() > 1e-5) == (
      'key/bias' not in variable.name
    ), variable.name

  # Along the gradient, in which direction a norm is the slope.
  step, norm, moved = 1e-3, tf.linalg.global_norm(gradients), []
  before = backbone.get_weights()
  for sign in (1, -1):
    for variable, start, gradient in zip(variables, before, gradients):
      variable.assign(start + sign * step * gradient / norm)
    moved.append(value(clips))
  backbone.set_weights(before)
  assert float(moved[0] - moved[1]) == pytest.approx(
    2 * step * float(norm), rel=1e-3
  )
  norm = tf.norm(of_pixels)
  along = step * of_pixels / norm
  assert float(value(clips + along) - value(clips - along)) == pytest.approx(
    2 * step * float(norm), rel=1e-3
  )


def test_smoothing_of_a_block_trains_what_is_before_it_alone():
  model = classifier('intermediate')
  with tf.GradientTape() as tape:
    model({'image': videos()}, training=True)
    [loss] = model.losses
  encoder = model.backbone.get_layer('encoder')
  blocks = [
    layer
    for layer in encoder.submodules
    if type(layer).__name__ == 'TransformerEncoderBlock'
  ]
  before, after = (
    [layer.trainable_variables for layer in blocks]
    if blocks[0].name < blocks[1].name
    else [layer.trainable_variables for layer in blocks[::-1]]
  )
  gradients = tape.gradient(loss, [before, after])
  assert float(loss) > 0
  assert all(np.abs(gradient).max() > 0 for gradient in gradients[0])
  assert gradients[1] == [None] * len(after)


@pytest.mark.parametrize(
  'placement, pooler, cuts',
  [
    ('final', 'token', range(1, N)),
    ('final', 'gap', [4]),
    ('intermediate', 'token', range(1, N)),
  ],
)
def test_a_stream_gives_the_logits_of_the_clip(placement, pooler, cuts):
  model = classifier(placement, pooler)
  stream = streaming.StreamingClassifier(model, N)
  clips = videos(seed=1)
  states = stream.init_states(clips.shape)
  assert stream.backbone_state_specs(clips.shape) == {}
  for begin, end in zip([0, *cuts], [*cuts, N]):
    logits, states = stream({**states, 'image': clips[:, begin:end]})
  want = model({'image': clips}).numpy()
  np.testing.assert_allclose(
    logits, want, rtol=0, atol=1e-5 * np.abs(want).max()
  )
  assert np.abs(want[0] - want[1]).max() > 1e-3


def test_a_few_steps_lower_the_loss_of_both_groups():
  params = exp_factory.get_exp_config('vit_frames_grw_kinetics600').task
  params.model.override(
    {
      'backbone': {'vit_frames': TINY},
      'smoothing': {'window': 3},
      'head': {'num_heads': 2, 'num_layers': 1},
    }
  )
  for data in (params.train_data, params.validation_data):
    data.feature_shape = (N, SIZE, SIZE, 3)
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
  moved = [
    (variable.name, np.max(np.abs(variable - value)))
    for variable, value in zip(model.trainable_variables, before)
  ]
  head = [value for name, value in moved if name.startswith('grw_')]
  backbone = [value for name, value in moved if not name.startswith('grw_')]
  assert len(backbone) == len(model.backbone.trainable_variables)
  # An Adam step is at most the learning rate, of which a backbone has half.
  assert 2e-3 < max(head) and 1e-3 < max(backbone) < 2e-3
  assert min(backbone) > 0


def test_tflite_streams_as_the_clip_model(tmp_path):
  model = classifier('intermediate')
  example = (255 * videos(batch=1, seed=3)).astype(np.uint8)
  written = tflite.export_stream(
    model, str(tmp_path), tiny.evaluation_data(size=SIZE), example
  )
  assert written.difference < 1e-5
  path = str(tmp_path / tflite_stream.MODEL_FILE)
  interpreter = litert.Interpreter(path)
  runner = interpreter.get_signature_runner()
  assert set(runner.get_input_details()) == {'image', *written.states}
  frames = videos(batch=1, seed=4)[0]
  stream = tflite_stream.TfliteStream(path)
  logits = [stream.step(frame) for frame in frames][-1]
  want = model({'image': frames[np.newaxis]})[0]
  np.testing.assert_allclose(logits, want, atol=1e-5)


def test_a_saved_model_classifies_clips(tmp_path):
  model = classifier(pooler='gap')
  example = (255 * videos(batch=1, seed=3)).astype(np.uint8)
  saved_model.export_clip_model(
    model, str(tmp_path), tiny.evaluation_data(size=SIZE), example
  )
  clips = videos(seed=5)
  served = tf.saved_model.load(str(tmp_path)).signatures['serving_default']
  want = model({'image': clips}).numpy()
  np.testing.assert_allclose(
    served(image=tf.constant(clips))['logits'],
    want,
    atol=1e-5 * np.abs(want).max(),
  )


def test_a_saved_backbone_is_the_backbone_again():
  backbone = vit_frames.ViTFrames(
    vit_config.ViTFrames(**TINY), tf_keras.regularizers.l2(0.1)
  )
  again = tf_keras.models.clone_model(backbone)
  assert again.get_config() == backbone.get_config()
  again.set_weights(backbone.get_weights())
  np.testing.assert_array_equal(
    again({'image': videos()})['head'], backbone({'image': videos()})['head']
  )
  # The Model Garden regularizes no more than the patches.
  network = image_network(kernel_regularizer=tf_keras.regularizers.l2(0.1))
  assert len(again.losses) == len(network.losses) == 1
