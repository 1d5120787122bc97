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

"""PosMLP-Video is the published network, and takes GRW as any backbone."""

import functools
import itertools
import math
import pathlib
from typing import Any

from ai_edge_litert import interpreter as litert
import numpy as np
from official.vision.configs import video_classification
from official.vision.modeling import factory_3d
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones import families
from official_ext.grw.backbones.posmlp_video import config
from official_ext.grw.backbones.posmlp_video import model as posmlp_video
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import tflite
from tests import undrawn
from tests.testdata.parity import state_dict_recipe

PARITY = pathlib.Path(__file__).parents[2] / 'testdata' / 'parity'
ANY = tf_keras.layers.InputSpec(shape=[None, None, None, None, 3])
FRAMES, SIZE, CLASSES = 6, 32, 3
TINY: dict[str, Any] = {
  'depths': (1, 1, 1, 1),
  'channels': (8, 8, 16, 16),
  'groups': (2, 4, 2, 4),
  'windows': (4, 2, 2, 1),
  'num_frames': FRAMES,
}


def build(input_specs=ANY, seed=0, **fields) -> posmlp_video.PosMlpVideo:
  """A tiny one with random weights, biases and tables too."""
  model = posmlp_video.PosMlpVideo(
    config.PosMlpVideo(**{**TINY, **fields}), input_specs
  )
  rng = np.random.default_rng(seed)
  for variable in model.variables:
    scale = 'gamma' in variable.name or 'moving_variance' in variable.name
    variable.assign(
      np.clip(rng.normal(float(scale), 0.2, variable.shape), scale - 0.9, None)
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


@pytest.fixture(name='traced', scope='module')
def traced_fixture(tiny_model):
  """The same for clips of a shape known only when they come."""
  return tf.function(
    tiny_model, input_signature=[tf.TensorSpec(ANY.shape, tf.float32)]
  )


@functools.cache
def published_weights():
  """The stand-ins for a published checkpoint's, by name."""
  return state_dict_recipe.state_dict(PARITY / 'posmlp_video_s_names.json')


def load_published(model, weights):
  """Assigns each weight to the variable of its name; none is left."""
  left = {
    name
    for name in weights
    if not name.startswith('head.') and not name.endswith('num_batches_tracked')
  }
  for variable in model.variables:
    path, leaf = variable.name.removesuffix(':0').rsplit('/', 1)
    leaf = {
      'kernel': 'weight',
      'gamma': 'weight',
      'beta': 'bias',
      'moving_mean': 'running_mean',
      'moving_variance': 'running_var',
    }.get(leaf, leaf)
    name = f'{path.replace("/", ".")}.{leaf}'
    left.remove(name)
    value = weights[name]
    if value.ndim == 5:  # One frame deep.
      value = value[:, :, 0].transpose(2, 3, 1, 0)
    elif leaf == 'weight':
      value = value.T
    variable.assign(value)
  assert not left


@pytest.mark.parametrize(
  'dtype, limits',
  [
    ('float32', {'logits': 1e-5, 'pooled': 1e-5, 'embeddings': 5e-5}),
    ('float64', {'logits_float64': 1e-9, 'embeddings_float64': 1e-9}),
  ],
)
def test_s16_is_the_published_network(dtype, limits):
  golden = np.load(PARITY / 'posmlp_video_s_golden.npz')
  weights = published_weights()
  policy = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy(dtype)
  try:
    with undrawn.variables():
      model = posmlp_video.PosMlpVideo(
        config.PosMlpVideo(),
        tf_keras.layers.InputSpec(shape=[1, 16, 224, 224, 3]),
      )
  finally:
    tf_keras.mixed_precision.set_global_policy(policy)
  load_published(model, weights)
  assert (
    sum(np.prod(v.shape) for v in model.trainable_variables)
    + sum(weights[f'head.{leaf}'].size for leaf in ('weight', 'bias'))
    == 13639939
  )

  # The first of the golden's two videos.
  clip = state_dict_recipe.video(16, 224)[:1].astype(dtype)
  found = {
    name: np.mean(value, (2, 3))
    for name, value in model(clip, training=False).items()
  }
  # Where it would part from the published network.
  for name, endpoint in (
    ('stem', 'patch_embed1'),
    ('stage1', 'stage1'),
    ('stage2', 'stage2'),
    ('stage3', 'stage3'),
  ):
    assert relative(found[endpoint], golden[f'{name}_mean'][:1]) < 2e-5, name
  pooled = found['stage4'].mean(1)
  logits = (
    pooled @ weights['head.weight'].T.astype(dtype) + (weights['head.bias'])
  )
  values = {'logits': logits, 'pooled': pooled, 'embeddings': found['stage4']}
  for name, limit in limits.items():
    error = relative(values[name.removesuffix('_float64')], golden[name][:1])
    print(f'{name}: {error:.1e} relative')
    assert error < limit, name


def test_variants_differ_in_width_and_frames():
  kernels = {}
  for variant in ('s32', 'b16'):
    with undrawn.variables():
      block = (
        posmlp_video.PosMlpVideo(
          config.PosMlpVideo(variant=variant, depths=(1, 1, 1, 1)), ANY
        )
        .get_layer('blocks4')
        .blocks[0]
      )
    kernels[variant] = [
      tuple(variable.shape)
      for variable in (
        block.temporal.project.kernel,
        block.temporal.mix.table,
        block.temporal.mix.bias,
        block.spatial.mix.table,
      )
    ]
  assert kernels == {
    's32': [(576, 576), (63, 64), (1, 32, 1), (169, 64)],
    'b16': [(768, 768), (31, 64), (1, 16, 1), (169, 64)],
  }


@pytest.mark.parametrize('extents', [(3, 3), (5,)])
def test_tokens_mix_by_relative_position_and_group(extents):
  groups, channels, outer, between = 2, 6, 2, 3
  mix = posmlp_video.PositionMixing(extents, groups)
  # Tokens are axes 1 and 3, or 1; rows of windows lie between columns.
  shape = [outer, *(size for extent in extents for size in (extent, between))]
  shape[-1:] = [channels] if len(extents) > 1 else [between, channels]
  rng = np.random.default_rng(0)
  u = rng.normal(size=shape).astype(np.float32)
  mix(u)
  for variable in mix.variables:
    variable.assign(rng.normal(size=variable.shape))
  table = mix.table.numpy().reshape(*(2 * e - 1 for e in extents), groups)

  found = np.array(mix(u))
  expected = np.zeros_like(found)
  token_axes = range(1, 2 * len(extents), 2)
  bias = mix.bias.numpy().reshape(extents)
  places = list(np.ndindex(*extents))

  def at(place):
    index = [slice(None)] * found.ndim
    for axis, coordinate in zip(token_axes, place):
      index[axis] = coordinate
    return tuple(index)

  for m in places:
    expected[at(m)] += bias[m]
    for n in places:
      distance = tuple(a - b + e - 1 for a, b, e in zip(m, n, extents))
      weight = np.tile(table[distance], channels // groups)  # c mod groups.
      expected[at(m)] += weight * u[at(n)]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_position_weights_are_constants_of_a_tflite_file(tmp_path):
  # Too large for the converter to compute by itself.
  mix = posmlp_video.PositionMixing((14, 14), 8)
  u = np.random.default_rng(0).random((1, 14, 2, 14, 8), np.float32)
  mix(u)
  mix.table.assign(np.random.default_rng(1).normal(size=mix.table.shape))

  def serving():
    return tf.function(
      lambda u: {'mixed': mix(u)},
      input_signature=[tf.TensorSpec(u.shape, tf.float32, 'u')],
    )

  path = str(tmp_path / 'mix.tflite')
  tflite.convert({'serving_default': serving()}, mix.variables, path, 'float32')
  interpreter = litert.Interpreter(path)
  assert 'GATHER' not in operations(interpreter)
  found = interpreter.get_signature_runner()(u=u)['mixed']
  assert relative(found, mix(u)) < 1e-5
  # Elsewhere they follow their variables.
  serve = serving()
  serve(tf.constant(u))
  mix.table.assign(2 * mix.table)
  assert relative(serve(tf.constant(u))['mixed'], mix(u)) < 1e-5
  assert relative(found, mix(u)) > 0.1


def operations(interpreter) -> set[str]:
  return {op['op_name'] for op in interpreter._get_ops_details()}  # pylint: disable=protected-access


def test_endpoints_are_stages_at_their_strides(tiny_model):
  found = tiny_model(clips())
  assert {name: tuple(value.shape[1:]) for name, value in found.items()} == {
    'patch_embed1': (FRAMES, 8, 8, 8),
    'stage1': (FRAMES, 8, 8, 8),
    'stage2': (FRAMES, 4, 4, 8),
    'stage3': (FRAMES, 2, 2, 16),
    'stage4': (FRAMES, 1, 1, 16),
  }
  assert grw_model.last_endpoint(found) == 'stage4'


def test_sizes_may_be_any_that_windows_divide(tiny_model, traced):
  shape = (FRAMES, 64, 32)
  static = build(tf_keras.layers.InputSpec(shape=[2, *shape, 3]))
  image = clips(*shape)
  expected = static(image)
  for model in (tiny_model, traced):
    for name, found in model(image).items():
      np.testing.assert_allclose(found, expected[name], atol=1e-5)


def test_every_frame_sees_the_others_before_and_after(tiny_model):
  image = tf.Variable(clips(batch=1))
  with tf.GradientTape() as tape:
    middle = tf.reduce_sum(tiny_model(image)['stage4'][:, 3] ** 2)
  seen = np.abs(tape.gradient(middle, image)).sum((0, 2, 3, 4))
  assert np.all(seen > 0) and np.argmax(seen) == 3


def test_blocks_begin_as_the_identity():
  model = posmlp_video.PosMlpVideo(config.PosMlpVideo(**TINY), ANY)
  found = model(clips())
  np.testing.assert_array_equal(found['stage1'], found['patch_embed1'])
  # And yet learn: positions have a gradient where all mixed values are zero.
  table = model.get_layer('blocks1').blocks[0].spatial.mix.table
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(model(clips())['stage1'] ** 2)
  assert np.any(tf.convert_to_tensor(tape.gradient(loss, table)) != 0)


def test_branches_are_dropped_together_and_by_video():
  block = posmlp_video.Block(
    channels=4,
    groups=2,
    window=2,
    num_frames=3,
    stochastic_depth_drop_rate=0.5,
    regularizer=None,
  )
  x = np.random.default_rng(0).normal(size=(60, 3, 2, 2, 4)).astype(np.float32)
  block(x)
  for unit in (block.spatial, block.temporal):
    unit.project.bias.assign(tf.ones([4]))
  branches = np.array(block(x) - x)
  dropped = np.array(block(x, training=True) - x)
  kept = np.abs(dropped).max((1, 2, 3, 4)) > 0
  np.testing.assert_allclose(dropped[kept], 2 * branches[kept], rtol=1e-4)
  assert 0.2 < kept.mean() < 0.8


def small_block(kind: str, drawn: bool = True) -> posmlp_video.Block:
  """A block of 8 channels on 3 frames of 4 x 6, in windows of 2."""
  tf_keras.utils.set_random_seed(0)
  block = posmlp_video.Block(
    channels=8,
    groups=2,
    window=2,
    num_frames=3,
    stochastic_depth_drop_rate=0.0,
    regularizer=None,
    kind=kind,
    name='block',
  )
  block(small_clips())
  rng = np.random.default_rng(1)
  for variable in block.variables if drawn else ():
    variable.assign(rng.normal(0.0, 0.5, variable.shape))
  return block


def small_clips(batch=2):
  rng = np.random.default_rng(0)
  return rng.normal(size=(batch, 3, 4, 6, 8)).astype(np.float32)


class NumpyBlock:
  """A block, written from the paper alone: a token at a time, in float64."""

  def __init__(self, block: posmlp_video.Block):
    self.weights = {
      variable.name.removeprefix('block/').removesuffix(':0'): np.asarray(
        variable, np.float64
      )
      for variable in block.variables
    }

  def __call__(self, x, kind):
    if kind == 'parallel':  # Two MLPs, each with a residual of its own.
      return (
        x
        + self.mlp(x, 'fc', lambda e: self.gate(e, 'fc', '', 'space'))
        + self.mlp(x, 't_fc', lambda e: self.gate(e, 't_fc', '', 'time'))
      )

    def in_time(e):
      return self.gate(e, kind, 'temporal_', 'time')

    def in_space(e):
      return self.gate(e, kind, 'spatial_', 'space')

    units = {
      'joint': lambda e: self.gate(e, kind, '', 'both'),
      'temporal_spatial': lambda e: in_space(in_time(e)),
      'spatial_temporal': lambda e: in_time(in_space(e)),
      'parallel_split': lambda e: np.concatenate(
        [in_time(e[..., :16]), in_space(e[..., 16:])], -1
      ),
      'parallel_concat': lambda e: np.concatenate(
        [in_time(e), in_space(e)], -1
      ),
      'parallel_sum': lambda e: in_time(e) + in_space(e),
    }
    return x + self.mlp(x, kind, units[kind])

  def mlp(self, x, name, units):
    def of(leaf):
      return self.weights[f'{name}/encoder/{leaf}']

    centered = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-5)
    normed = centered / deviation * of('norm/gamma') + of('norm/beta')
    wide = normed @ of('fc1/kernel') + of('fc1/bias')
    wide = wide * (1 + np.vectorize(math.erf)(wide / 2**0.5)) / 2
    return units(wide) @ of('fc2/kernel') + of('fc2/bias')

  def gate(self, wide, name, unit, what):
    """Half of the channels, mixed within windows, times the other half."""
    path = f'{name}/encoder/{unit}gate_unit/pos/'
    table = self.weights[path + 'window_relative_position_bias_table']
    bias = self.weights[path + 'token_proj_n_bias'].ravel()
    _, frames, height, width, channels = wide.shape
    u, v = wide[..., : channels // 2], wide[..., channels // 2 :]
    # A window: [frames, rows, columns], and where windows begin.
    extents = {
      'time': (frames, 1, 1),
      'space': (1, 2, 2),
      'both': (frames, 2, 2),
    }[what]
    lengths = [2 * extent - 1 for extent in extents]
    by_distance = table.reshape(*lengths, -1)
    group = np.arange(channels // 2) % table.shape[-1]
    mixed = np.zeros_like(u)
    for begin in itertools.product(
      *(range(0, s, e) for s, e in zip((frames, height, width), extents))
    ):
      places = list(np.ndindex(*extents))
      for m, out in enumerate(places):
        to = (slice(None), *np.add(begin, out))
        mixed[to] += bias[m]
        for source in places:
          distance = tuple(np.subtract(out, source) + np.subtract(extents, 1))
          mixed[to] += (
            by_distance[distance][group]
            * u[(slice(None), *np.add(begin, source))]
          )
    return mixed * v


@pytest.mark.parametrize('kind', config.BLOCKS)
def test_blocks_are_those_of_a_second_implementation(kind):
  block = small_block(kind)
  x = small_clips()
  found = np.array(block(x))
  expected = NumpyBlock(block)(np.float64(x), kind)
  assert relative(found - x, expected - x) < 1e-5
  # The two implementations part where one of them is of another kind.
  others = {'temporal_spatial', 'spatial_temporal'}
  if kind in others:
    (other,) = others - {kind}
    swapped = NumpyBlock(block)
    swapped.weights = {
      name.replace(kind, other): value
      for name, value in swapped.weights.items()
    }
    assert relative(found - x, swapped(np.float64(x), other) - x) > 0.1


@pytest.mark.parametrize('kind', config.BLOCKS)
def test_blocks_have_the_parameters_of_their_matrices(kind):
  channels, groups, tokens, frames = 8, 2, 4, 3
  space, time = 9 * groups + tokens, 5 * groups + frames
  position = (
    5 * 9 * groups + frames * tokens if kind == 'joint' else space + time
  )
  # Dense layers of C x wide and deep x C, norms and biases.
  wide, deep, layers = {
    'parallel': (2 * 16, 2 * 8, 2),
    'joint': (16, 8, 1),
    'temporal_spatial': (32, 8, 1),
    'spatial_temporal': (32, 8, 1),
    'parallel_split': (32, 16, 1),
    'parallel_concat': (16, 16, 1),
    'parallel_sum': (16, 8, 1),
  }[kind]
  assert sum(np.prod(v.shape) for v in small_block(kind).variables) == (
    channels * (wide + deep) + wide + layers * 3 * channels + position
  )


@pytest.mark.parametrize('kind', config.BLOCKS)
def test_all_of_a_block_learns_from_where_it_begins(kind):
  block = small_block(kind, drawn=False)
  x, target = small_clips(), small_clips()[:, ::-1]
  np.testing.assert_array_equal(block(x), x)  # The identity.
  before = [variable.numpy() for variable in block.trainable_variables]
  optimizer = tf_keras.optimizers.Adam(1e-2)
  losses = []
  for _ in range(4):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean((block(x) - target) ** 2)
    losses.append(float(loss))
    optimizer.apply_gradients(
      zip(
        tape.gradient(loss, block.trainable_variables),
        block.trainable_variables,
      )
    )
  assert losses[-1] < losses[0]
  assert not [
    variable.name
    for variable, value in zip(block.trainable_variables, before)
    if np.array_equal(variable, value)
  ]


def test_half_of_the_channels_each_is_two_mlps_with_one_norm():
  two, one = small_block('parallel'), small_block('parallel_split')
  for unit in (two.spatial, two.temporal):
    unit.norm.set_weights([np.ones(8), np.zeros(8)])
    unit.project.bias.assign(np.zeros(8))
  branches = (two.temporal, two.spatial)
  one.unit.norm.set_weights([np.ones(8), np.zeros(8)])
  for name, axis in (('expand', 1), ('project', 0)):
    layers = [getattr(unit, name) for unit in branches]
    getattr(one.unit, name).kernel.assign(
      tf.concat([layer.kernel for layer in layers], axis)
    )
  one.unit.expand.bias.assign(
    tf.concat([unit.expand.bias for unit in branches], 0)
  )
  one.unit.project.bias.assign(np.zeros(8))
  one.unit.temporal.set_weights(two.temporal.mix.get_weights())
  one.unit.spatial.set_weights(two.spatial.mix.get_weights())
  x = small_clips()
  np.testing.assert_allclose(one(x), two(x), rtol=1e-4, atol=1e-4)


def test_all_blocks_are_builtin_operations_of_a_tflite_file(tmp_path):
  kinds = [kind for kind in config.BLOCKS if kind != 'parallel']
  blocks = {kind: small_block(kind) for kind in kinds}
  x = small_clips(batch=1)
  serve = tf.function(
    lambda x: {kind: block(x) for kind, block in blocks.items()},
    input_signature=[tf.TensorSpec(x.shape, tf.float32, 'x')],
  )
  path = str(tmp_path / 'blocks.tflite')
  variables = [v for block in blocks.values() for v in block.variables]
  tflite.convert({'serving_default': serve}, variables, path, 'float32')
  interpreter = litert.Interpreter(path)
  assert not [
    name
    for name in operations(interpreter)
    if 'Flex' in name or 'CUSTOM' in name
  ]
  found = interpreter.get_signature_runner()(x=x)
  for kind, block in blocks.items():
    assert relative(found[kind], block(x)) < 1e-5, kind


@pytest.mark.parametrize('kind', ['joint', 'temporal_spatial'])
def test_a_backbone_has_the_blocks_of_its_config(kind):
  model = build(block=kind)
  assert (
    type(model.get_layer('blocks4').blocks[0].unit).__name__
    == {
      'joint': 'GatedUnit',
      'temporal_spatial': 'TwoGatedUnits',
    }[kind]
  )
  image = tf.Variable(clips(batch=1))
  with tf.GradientTape() as tape:
    middle = tf.reduce_sum(model(image)['stage4'][:, 3] ** 2)
  seen = np.abs(tape.gradient(middle, image)).sum((0, 2, 3, 4))
  assert np.all(seen > 0)
  again = posmlp_video.PosMlpVideo.from_config(model.get_config())
  again.set_weights(model.get_weights())
  np.testing.assert_array_equal(
    again(clips())['stage4'], model(clips())['stage4']
  )


def test_the_image_is_normalized_inside(tiny_model):
  mean, stddev = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
  image = (clips() - mean) / np.array(stddev, np.float32)
  model = build(mean=mean, stddev=stddev)
  np.testing.assert_allclose(
    model(clips())['stage4'], tiny_model(image)['stage4'], atol=1e-4
  )
  again = posmlp_video.PosMlpVideo.from_config(model.get_config())
  again.set_weights(model.get_weights())
  np.testing.assert_array_equal(
    again(clips())['stage4'], model(clips())['stage4']
  )


def test_mixed_precision_keeps_float32_variables(tiny_model):
  policy = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    model = build()
  finally:
    tf_keras.mixed_precision.set_global_policy(policy)
  found = model(clips())['stage4']
  assert found.dtype == tf.bfloat16
  assert {v.dtype for v in model.variables} == {tf.float32}
  assert (
    relative(tf.cast(found, tf.float32), tiny_model(clips())['stage4']) < 0.1
  )


@pytest.mark.parametrize(
  'shape, message',
  [
    ((FRAMES + 1, SIZE, SIZE, 3), 'expected clips of 6 frames'),
    ((FRAMES, SIZE, 48, 3), 'of 48 pixels stage 3 .* multiples of 32'),
  ],
)
def test_clips_that_do_not_fit_are_refused(tiny_model, traced, shape, message):
  with pytest.raises(ValueError, match=message):
    build(tf_keras.layers.InputSpec(shape=[None, *shape]))
  with pytest.raises(ValueError, match=message):
    tiny_model(clips(*shape[:3]))
  with pytest.raises(tf.errors.InvalidArgumentError):  # Known too late.
    traced(clips(*shape[:3]))


def test_the_stock_classification_model_takes_it():
  model = factory_3d.build_model(
    'video_classification',
    tf_keras.layers.InputSpec(shape=[None, FRAMES, SIZE, SIZE, 3]),
    video_classification.VideoClassificationModel(
      backbone=backbone_config.Backbone3D(
        type='posmlp_video', posmlp_video=config.PosMlpVideo(**TINY)
      )
    ),
    CLASSES,
  )
  assert model({'image': clips()}).shape == (2, CLASSES)


def test_it_does_not_stream():
  with pytest.raises(ValueError, match='posmlp_video, which is not causal'):
    families.with_states(backbone_config.Backbone3D(type='posmlp_video'))


def test_channels_that_groups_do_not_divide_are_refused():
  with pytest.raises(
    ValueError,
    match=(r'channels=\(8, 8, 18, 16\): expected multiples of groups'),
  ):
    build(channels=(8, 8, 18, 16), groups=(2, 4, 4, 4))
