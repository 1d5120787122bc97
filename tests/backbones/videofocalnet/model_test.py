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

"""Video-FocalNet is the published network, and takes GRW as any backbone."""

import functools
import json
import math
import pathlib

import numpy as np
from official.vision.configs import video_classification
from official.vision.modeling import factory_3d
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones import families
from official_ext.grw.backbones.videofocalnet import config
from official_ext.grw.backbones.videofocalnet import model as videofocalnet
from official_ext.grw.backbones.videofocalnet import pictures
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from tests import undrawn
from tests.testdata.parity import state_dict_recipe

PARITY = pathlib.Path(__file__).parents[2] / 'testdata' / 'parity'
ANY = tf_keras.layers.InputSpec(shape=[None, None, None, None, 3])
TINY: dict = {'depths': (1, 1, 1, 1), 'channels': (8, 16, 16, 24)}
FRAMES, SIZE, CLASSES = 6, 32, 3


def build(input_specs=ANY, seed=0, **fields) -> videofocalnet.VideoFocalNet:
  """A tiny one with random weights, biases too."""
  model = videofocalnet.VideoFocalNet(
    config.VideoFocalNet(**{**TINY, **fields}), input_specs
  )
  rng = np.random.default_rng(seed)
  for variable in model.variables:
    variable.assign(
      rng.normal(1.0 * ('gamma' in variable.name), 0.2, variable.shape)
    )
  return model


def clips(frames=FRAMES, height=SIZE, width=SIZE, batch=2, seed=0):
  return np.random.default_rng(seed).random(
    (batch, frames, height, width, 3), np.float32
  )


def relative(found, expected):
  return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(name='tiny_model', scope='module')
def tiny_model_fixture():
  return build()


@functools.cache
def published_weights():
  """The stand-ins for a published checkpoint's, by name."""
  golden = np.load(PARITY / 'videofocalnet_t_golden.npz')
  weights = state_dict_recipe.state_dict(PARITY / 'videofocalnet_t_names.json')
  for suffix, factor in json.loads(str(golden['scale_rules'])).items():
    for name in weights:
      if name.endswith(suffix):
        weights[name] = weights[name] * np.float32(factor)
  return weights


def build_published(**fields) -> videofocalnet.VideoFocalNet:
  """One whose variables are still to be assigned."""
  with undrawn.variables():
    return videofocalnet.VideoFocalNet(
      config.VideoFocalNet(**fields),
      tf_keras.layers.InputSpec(shape=[1, 8, 224, 224, 3]),
    )


def load_published(model, weights):
  """Assigns each weight to the variable of its name; none is left."""
  left = {name for name in weights if not name.startswith('head.')}
  for variable in model.variables:
    path, kind = variable.name.removesuffix(':0').rsplit('/', 1)
    name = path.replace('/', '.') + (
      '.bias' if kind in ('bias', 'beta') else '.weight'
    )
    left.remove(name)
    axes = {'depthwise_kernel': (2, 3, 0, 1)}.get(
      kind,
      {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}.get(weights[name].ndim, (0,)),
    )
    variable.assign(weights[name].transpose(axes))
  assert not left


def answers(model, weights, video):
  """Endpoints by frame, and what the published head makes of the last."""
  found = {
    name: np.mean(value, (2, 3))
    for name, value in model(video, training=False).items()
  }
  pooled = np.mean(found['stage4'], 1)
  logits = pooled @ weights['head.weight'].T.astype(pooled.dtype)
  return found, pooled, logits + weights['head.bias']


def test_t_is_the_published_network():
  golden = np.load(PARITY / 'videofocalnet_t_golden.npz')
  weights = published_weights()
  model = build_published()
  load_published(model, weights)
  assert model.count_params() + 769 * 400 == int(golden['num_parameters'])
  found, pooled, logits = answers(
    model, weights, state_dict_recipe.video(8, 224)[:1]
  )
  for name, value in (
    # Where it would part from the published network.
    ('stem_mean', found['patch_embed']),
    ('stage1_mean', found['stage1']),
    ('stage2_mean', found['stage2']),
    ('stage3_mean', found['stage3']),
    ('embeddings', found['stage4']),
    ('pooled', pooled),
    ('logits', logits),
  ):
    error = relative(value, golden[name][:1])
    print(f'{name}: {error:.1e} relative')
    assert error < 1e-5, name


def test_in_float64_it_is_the_published_network_to_the_last_digits():
  golden = np.load(PARITY / 'videofocalnet_t_golden.npz')
  weights = published_weights()
  policy = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy('float64')
  try:
    model = build_published()
  finally:
    tf_keras.mixed_precision.set_global_policy(policy)
  load_published(model, weights)
  video = state_dict_recipe.video(8, 224)[:1].astype(np.float64)
  found, _, logits = answers(model, weights, video)
  for name, value in (('embeddings', found['stage4']), ('logits', logits)):
    error = relative(value, golden[name + '_float64'][:1])
    print(f'{name}: {error:.1e} relative')
    assert error < 1e-9, name


@pytest.mark.parametrize('variant, count', [('s', 88735168), ('b', 157389216)])
def test_variants_have_the_published_number_of_parameters(variant, count):
  model = build_published(variant=variant)
  head = (model.output['stage4'].shape[-1] + 1) * 400
  assert sum(np.prod(v.shape) for v in model.variables) + head == count


def test_endpoints_are_stages_at_their_strides(tiny_model):
  found = tiny_model(clips())
  assert {name: tuple(value.shape[1:]) for name, value in found.items()} == {
    'patch_embed': (FRAMES, 8, 8, 8),
    'stage1': (FRAMES, 8, 8, 8),
    'stage2': (FRAMES, 4, 4, 16),
    'stage3': (FRAMES, 2, 2, 16),
    'stage4': (FRAMES, 1, 1, 24),
  }
  assert grw_model.last_endpoint(found) == 'stage4'


@pytest.mark.parametrize('shape', [(1, 32, 32), (7, 45, 70)])
def test_clips_may_have_any_length_and_size(tiny_model, shape):
  static = build(tf_keras.layers.InputSpec(shape=[2, *shape, 3]))
  image = clips(*shape)
  expected = static(image)
  for name, found in tiny_model(image).items():
    np.testing.assert_allclose(found, expected[name], atol=1e-5)
  # What does not fill a patch is not seen.
  kept = image[:, :, : shape[1] // 4 * 4, : shape[2] // 4 * 4]
  np.testing.assert_allclose(
    tiny_model(kept)['stage4'], expected['stage4'], atol=1e-5
  )


def test_every_frame_sees_the_others_before_and_after(tiny_model):
  image = tf.Variable(clips(batch=1))
  with tf.GradientTape() as tape:
    middle = tf.reduce_sum(tiny_model(image)['stage4'][:, 3] ** 2)
  seen = np.abs(tape.gradient(middle, image)).sum((0, 2, 3, 4))
  assert np.all(seen > 0) and np.argmax(seen) == 3


def test_tubelets_of_equal_frames_are_those_frames():
  single, double = build(), build(tubelet_size=2)
  for of_one, of_two in zip(single.variables, double.variables):
    assert of_one.name == of_two.name
    if of_two.shape.rank == 5:  # As the published code inflates it.
      of_one = tf.stack([of_one, of_one]) / 2
    of_two.assign(of_one)
  image = clips(frames=4)
  found = double(np.repeat(image, 2, axis=1))['stage4']
  assert found.shape[1] == 4
  np.testing.assert_allclose(found, single(image)['stage4'], atol=1e-5)


def test_an_odd_clip_is_not_cut_to_tubelets():
  with pytest.raises(ValueError, match='divisible by.*tubelet_size=2'):
    build(
      tf_keras.layers.InputSpec(shape=[None, 7, SIZE, SIZE, 3]), tubelet_size=2
    )
  with pytest.raises(tf.errors.InvalidArgumentError, match='Tubelets of 2'):
    build(tubelet_size=2)(clips(frames=7))


def test_branches_are_dropped_by_frame():
  block = videofocalnet.Block(0.5)
  x = tf.constant(
    np.random.default_rng(0).normal(size=(4, 50, 2, 2, 8)), tf.float32
  )
  block.modulation.trainable = False
  block(x)
  block.fc2.kernel.assign(tf.zeros_like(block.fc2.kernel))  # One branch left.
  block.modulation.proj.bias.assign(tf.ones([8]))
  branch = np.array(block(x) - x)
  dropped = np.array(block(x, training=True) - x)
  kept = np.abs(dropped).max((2, 3, 4)) > 0
  np.testing.assert_allclose(
    dropped[kept], 2 * branch[kept], rtol=1e-4, atol=1e-5
  )
  assert np.all((kept.mean(1) > 0.2) & (kept.mean(1) < 0.8))


def test_drop_rates_rise_over_the_whole_network():
  model = build(stochastic_depth_drop_rate=0.3)
  rates = [
    layer.drop_path.rate
    for layer in model.layers
    if isinstance(layer, videofocalnet.Block)
  ]
  np.testing.assert_allclose(rates, [0, 0.1, 0.2, 0.3])


VARIATIONS: dict[str, dict] = {
  'as published': {},
  'one level': {'focal_levels': 1},
  'three levels': {'focal_levels': 3},
  'no temporal branch': {'temporal_branch': False},
  **{fusion: {'fusion': fusion} for fusion in config.FUSIONS[1:]},
}


def small_modulation(**fields):
  """A modulation with random weights, and [2, 5, 4, 6, 8] for it."""
  modulation = videofocalnet.Modulation(name='modulation', **fields)
  rng = np.random.default_rng(0)
  z = rng.normal(size=(2, 5, 4, 6, 8)).astype(np.float32)
  modulation(z)
  for variable in modulation.variables:
    variable.assign(rng.normal(0, 0.4, variable.shape))
  return modulation, z


def numpy_modulation(
  weights, z, focal_levels=2, temporal_branch=True, fusion='multiplication'
):
  """Focal modulation, written from the paper alone, in float64.

  Args:
    weights: what `modulation_weights` returned.
    z: [B, N, H, W, C].
    focal_levels: L.
    temporal_branch: whether there is m_t.
    fusion: how m_s and m_t meet the query.

  Returns:
    The modulated features, and m_s and m_t.
  """
  channels = z.shape[-1]

  def linear(x, name):
    kernel = weights[f'{name}/kernel'].reshape(x.shape[-1], -1)
    return x @ kernel + weights[f'{name}/bias']

  def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2

  def gathered(context, gates, convolve, axes):
    total = 0
    for level in range(focal_levels):
      context = gelu(convolve(context, level))
      total = total + context * gates[..., level, np.newaxis]
    everywhere = gelu(context.mean(axes, keepdims=True))
    return total + everywhere * gates[..., focal_levels, np.newaxis]

  def in_space(x, level):
    side = 3 + 2 * level
    kernel = weights[f'focal_layers/{level}/0/depthwise_kernel'][..., 0]
    padded = np.pad(x, [(0, 0), (0, 0), *[(side // 2,) * 2] * 2, (0, 0)])
    height, width = x.shape[2:4]
    return sum(
      padded[:, :, i : i + height, j : j + width] * kernel[i, j]
      for i in range(side)
      for j in range(side)
    )

  def in_time(x, level):
    length = 3 + 2 * level
    kernel = weights[f'focal_layers_temporal/{level}/0/kernel']
    padded = np.pad(x, [(0, 0), (length // 2,) * 2, *[(0, 0)] * 3])
    return sum(padded[:, i : i + x.shape[1]] @ kernel[i] for i in range(length))

  mapped = linear(z, 'f')
  query = mapped[..., :channels]
  spatial = linear(
    gathered(
      mapped[..., channels : 2 * channels],
      mapped[..., 2 * channels :],
      in_space,
      (2, 3),
    ),
    'h',
  )
  if not temporal_branch:
    return linear(query * spatial, 'proj'), spatial, None
  source = query * spatial if fusion == 'sequence' else z
  mapped = linear(source, 'f_temporal')
  temporal = linear(
    gathered(mapped[..., :channels], mapped[..., channels:], in_time, 1),
    'h_temporal',
  )
  if fusion == 'average':
    modulator = (spatial + temporal) / 2
  elif fusion == 'projection':
    modulator = linear(np.concatenate([spatial, temporal], -1), 'fuse_temporal')
  else:
    modulator = spatial * temporal
  return linear(query * modulator, 'proj'), spatial, temporal


def modulation_weights(modulation):
  """Its values in float64, by their names below it."""
  return {
    variable.name.removesuffix(':0').split('modulation/')[1]: np.float64(
      variable
    )
    for variable in modulation.variables
  }


@pytest.mark.parametrize('name', VARIATIONS)
def test_modulation_is_that_of_a_second_implementation(name):
  fields = VARIATIONS[name]
  modulation, z = small_modulation(**fields)
  weights = modulation_weights(modulation)
  expected, *modulators = numpy_modulation(weights, np.float64(z), **fields)
  found = np.array(modulation(z))
  assert relative(found, expected) < 1e-5
  for one, other in zip(modulation.modulators(z)[1:], modulators):
    assert (one is None) == (other is None)
    assert one is None or relative(np.array(one), other) < 1e-5
  if fields.get('fusion') in ('average', 'sequence'):
    # With the same weights, another function.
    published, *_ = numpy_modulation(weights, np.float64(z))
    assert relative(found, published) > 0.1


def test_a_level_costs_a_gate_and_a_convolution_in_each_branch():
  counts = {
    name: sum(
      np.prod(variable.shape)
      for variable in small_modulation(**fields)[0].variables
    )
    for name, fields in VARIATIONS.items()
  }
  channels, published = 8, counts.pop('as published')
  gate = channels + 1
  assert {name: count - published for name, count in counts.items()} == {
    'one level': -2 * gate - 25 * channels - 5 * channels**2,
    'three levels': 2 * gate + 49 * channels + 7 * channels**2,
    'no temporal branch': -(channels + 1) * (2 * channels + 3)
    - 8 * channels**2,
    'average': 0,
    'projection': (2 * channels + 1) * channels,
    'sequence': 0,
  }


@pytest.mark.parametrize('name', VARIATIONS)
def test_all_of_a_modulation_has_a_gradient(name):
  modulation, z = small_modulation(**VARIATIONS[name])
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(modulation(z) ** 2)
  gradients = tape.gradient(loss, modulation.trainable_variables)
  assert not [
    variable.name
    for variable, gradient in zip(modulation.trainable_variables, gradients)
    if gradient is None or not np.any(gradient)
  ]


def test_stages_have_the_levels_of_the_config():
  model = build(focal_levels=(1, 2, 3, 4), fusion='projection')
  assert [
    len(model.get_layer(name).modulation.focal_layers)
    for name in pictures.block_names(model)
  ] == [1, 2, 3, 4]
  again = videofocalnet.VideoFocalNet.from_config(model.get_config())
  again.set_weights(model.get_weights())
  np.testing.assert_array_equal(
    again(clips())['stage4'], model(clips())['stage4']
  )


def test_without_temporal_branch_frames_stream_alone():
  model = schema.GrwModel()
  model.override(
    {
      'backbone': {
        'type': 'videofocalnet',
        'videofocalnet': {**TINY, 'temporal_branch': False},
      },
      'smoothing': {'placement': 'final', 'window': 3},
      'head': {'num_layers': 1, 'num_heads': 2},
    }
  )
  classifier = grw_model.GrwClassifier(model, CLASSES, ANY)
  image = clips(batch=1)
  stream = streaming.StreamingClassifier(classifier, FRAMES)
  states = stream.init_states(image.shape)
  for frame in np.split(image, FRAMES, axis=1):
    logits, states = stream({**states, 'image': frame})
  assert relative(logits.numpy(), classifier({'image': image}).numpy()) < 1e-5
  assert not [name for name in states if 'modulation' in name]


def test_tubelets_and_temporal_branches_do_not_stream():
  for fields in ({}, {'temporal_branch': False, 'tubelet_size': 2}):
    with pytest.raises(ValueError, match='is videofocalnet, which is not caus'):
      families.with_states(tiny_backbone(**fields))


def test_pictures_are_of_the_norms_of_the_modulators(tiny_model):
  name = 'layers/2/blocks/0'
  clip = clips()[0]
  found = pictures.magnitudes(tiny_model, clip, [name])[name]
  # What the block is given: the stage before, made smaller.
  block = tiny_model.get_layer(name)
  given = tiny_model.get_layer('layers/1/downsample')(
    tiny_model(clip[np.newaxis])['stage2']
  )
  _, *modulators = numpy_modulation(
    modulation_weights(block.modulation), np.float64(block.norm1(given))
  )
  for kind, modulator in zip(('space', 'time'), modulators):
    expected = np.sqrt((modulator[0] ** 2).sum(-1))
    assert expected.shape == (FRAMES, 2, 2)
    assert relative(found[kind], expected) < 1e-5
  sheet = pictures.draw(clip, {name: found})
  assert len(sheet.axes) == 3 * FRAMES
  shown = sheet.axes[2 * FRAMES + 1].images[0]
  np.testing.assert_array_equal(shown.get_array(), found['time'][1])
  assert shown.get_clim() == (found['time'].min(), found['time'].max())
  with pytest.raises(ValueError, match='expected of layers/0/blocks/0 to'):
    pictures.magnitudes(tiny_model, clip, ['layers/9/blocks/0'])


def test_the_image_is_normalized_inside(tiny_model):
  mean, stddev = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
  model = build(mean=mean, stddev=stddev)
  np.testing.assert_allclose(
    model(clips())['stage4'],
    tiny_model(((clips() - mean) / stddev).astype(np.float32))['stage4'],
    atol=1e-5,
  )
  again = videofocalnet.VideoFocalNet.from_config(model.get_config())
  again.set_weights(model.get_weights())
  np.testing.assert_array_equal(
    again(clips())['stage4'], model(clips())['stage4']
  )


def test_mixed_precision_keeps_float32_variables():
  policy = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    model = build()
  finally:
    tf_keras.mixed_precision.set_global_policy(policy)
  found = model(clips())['stage4']
  assert found.dtype == tf.bfloat16
  assert {v.dtype for v in model.variables} == {tf.float32}
  assert relative(tf.cast(found, tf.float32), build()(clips())['stage4']) < 0.1


def test_the_stock_classification_model_takes_it():
  model = factory_3d.build_model(
    'video_classification',
    tf_keras.layers.InputSpec(shape=[None, FRAMES, SIZE, SIZE, 3]),
    video_classification.VideoClassificationModel(backbone=tiny_backbone()),
    CLASSES,
  )
  assert model({'image': clips()}).shape == (2, CLASSES)


def tiny_backbone(**fields):
  return backbone_config.Backbone3D(
    type='videofocalnet',
    videofocalnet=config.VideoFocalNet(**{**TINY, **fields}),
  )
