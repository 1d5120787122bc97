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

"""The model: stock backbones, both placements, both heads, saves and loads."""

import numpy as np
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_layers
from official.projects.movinet.modeling import movinet_model
from official.vision.configs import backbones_3d
from official.vision.modeling import factory_3d
from official.vision.modeling.backbones import resnet_3d
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import schema
from official_ext.grw.heads import temporal as temporal_head
from official_ext.grw.modeling import grw_model

FRAMES, SIZE, CLASSES = 10, 32, 7
# Small enough to build in seconds, with every kind of block a MoViNet has.
TINY = (
  movinet.StemSpec(filters=8, kernel_size=movinet.K13, strides=movinet.S12),
  movinet.MovinetBlockSpec(
    base_filters=8,
    expand_filters=(16,),
    kernel_sizes=(movinet.K15,),
    strides=(movinet.S12,),
  ),
  movinet.MovinetBlockSpec(
    base_filters=16,
    expand_filters=(24, 24),
    kernel_sizes=(movinet.K33, movinet.K53),
    strides=(movinet.S12, movinet.S11),
  ),
  movinet.HeadSpec(project_filters=32, head_filters=64),
)
movinet.BLOCK_SPECS.setdefault('grw_test_tiny', TINY)
TINY_RESNET = 3  # Layers; a model id that is not taken.
resnet_3d.RESNET_SPECS.setdefault(
  TINY_RESNET, [('bottleneck3d', 8, 1), ('bottleneck3d', 16, 1)]
)


def model_config(stream=True, **overrides) -> schema.GrwModel:
  config = schema.GrwModel()
  config.backbone = movinet_config.published('grw_test_tiny', stream=stream)
  config.backbone.movinet.conv_type = '2plus1d'
  config.backbone.movinet.stochastic_depth_drop_rate = 0.0
  config.dropout_rate = 0.0
  config.override(overrides)
  return config


def build(config=None, frames=FRAMES, **overrides) -> grw_model.GrwClassifier:
  config = config or model_config(**overrides)
  model = factory_3d.build_model(
    'grw',
    tf_keras.layers.InputSpec(shape=[None, frames, SIZE, SIZE, 3]),
    config,
    CLASSES,
  )
  rng = np.random.default_rng(0)
  for variable in model.variables:
    # ReZero starts at zero, where most of the backbone has no say.
    if variable.name.endswith('scale:0'):
      variable.assign(tf.fill(variable.shape, 0.5))
    elif 'moving_variance' in variable.name:
      variable.assign(rng.uniform(0.5, 1.5, variable.shape))
  return model


def clips(seed=0, frames=FRAMES, batch=2):
  rng = np.random.default_rng(seed)
  return {
    'image': tf.constant(
      rng.uniform(size=[batch, frames, SIZE, SIZE, 3]), tf.float32
    )
  }


@pytest.fixture(name='final', scope='module')
def final_fixture():
  return build()


@pytest.fixture(name='intermediate', scope='module')
def intermediate_fixture():
  return build(
    smoothing={
      'placement': 'intermediate',
      'endpoint': 'block1_layer0',
      # A list, which Keras would track; windows of one length, as without it.
      'window_range': [5, 5],
    },
    head={'type': 'movinet'},
  )


def gradients(model, inputs):
  with tf.GradientTape() as tape:
    model(inputs, training=True)
    loss = tf.add_n(model.losses)
  return dict(
    zip(
      (v.name for v in model.trainable_variables),
      tape.gradient(loss, model.trainable_variables),
    )
  )


def test_the_backbone_runs_once_in_the_making(monkeypatch):
  calls = []

  def counted(self, *args, **kwargs):
    calls.append(self)
    return tf_keras.layers.Layer.__call__(self, *args, **kwargs)

  monkeypatch.setattr(movinet_layers.MovinetBlock, '__call__', counted)
  build()
  assert len(calls) == len(set(map(id, calls))) > 0


def test_final_placement_smooths_what_the_head_reads(final):
  logits = final(clips())
  assert logits.shape == (2, CLASSES) and logits.dtype == tf.float32
  np.testing.assert_allclose(
    final.losses, [0.1 * final.smoothing.terms.smoothing_loss], rtol=1e-6
  )
  found = gradients(final, clips())
  assert found['grw_head/classifier/kernel:0'] is None
  for name in ('grw_embedding/kernel:0', 'stem/stem/conv2d/conv2d/kernel:0'):
    assert np.any(found[name] != 0), name


def test_intermediate_placement_leaves_later_layers_alone(intermediate):
  found = gradients(intermediate, clips())
  assert np.any(found['stem/stem/conv2d/conv2d/kernel:0'] != 0)
  later = [name for name in found if name.startswith(('block1_layer1', 'head'))]
  assert later and all(found[name] is None for name in later)


def test_intermediate_embeddings_are_normalized(intermediate):
  # Unit variance in each of C channels, times 1/√C: a mean square distance
  # of 2 between frames that have nothing to do with each other.
  intermediate(clips(batch=8), training=True)
  terms = intermediate.get_layer('grw_smoothing').terms
  assert 0.2 < terms.mean_speed < 2.0


def test_weight_zero_is_attention_without_grw():
  model = build(smoothing={'weight': 0.0})
  model(clips())
  assert not model.losses
  assert model.get_layer('grw_smoothing').terms.order_loss > 0


def test_no_smoothing_and_stock_head_is_the_stock_movinet():
  ours = build(smoothing={'placement': 'none'}, head={'type': 'movinet'})
  config = model_config().backbone.movinet
  stock = movinet_model.MovinetClassifier(
    movinet.Movinet(
      model_id='grw_test_tiny',
      causal=True,
      conv_type='2plus1d',
      se_type=config.se_type,
      activation=config.activation,
      gating_activation=config.gating_activation,
      input_specs=tf_keras.layers.InputSpec(
        shape=[None, FRAMES, SIZE, SIZE, 3]
      ),
    ),
    num_classes=CLASSES,
    input_specs={
      'image': tf_keras.layers.InputSpec(shape=[None, FRAMES, SIZE, SIZE, 3])
    },
  )
  stock.backbone.set_weights(ours.backbone.get_weights())
  head = ours.get_layer('grw_classifier_head').get_weights()
  stock.layers[-1].set_weights(head)
  # Stock averages over space and time at once, before its dense layers.
  np.testing.assert_allclose(
    ours(clips(3)), stock(clips(3)), rtol=1e-4, atol=1e-6
  )


def test_every_variable_after_the_backbone_is_named_so(final, intermediate):
  for model in (final, intermediate):
    backbone = {id(v) for v in model.backbone.variables}
    for variable in model.variables:
      assert variable.name.startswith('grw_') != (id(variable) in backbone)


def test_stream_backbone_is_causal_and_base_backbone_is_not(final):
  def reach(model):
    embeddings = tf_keras.Model(
      model.inputs, model.get_layer('grw_embedding').output
    )
    first = clips()['image'].numpy()
    second = first.copy()
    second[:, 6:] = clips(9)['image'][:, 6:]
    before, after = (
      embeddings({'image': tf.constant(x)}) for x in (first, second)
    )
    return np.abs(before - after)[:, :6].max()

  assert 100 * reach(final) < reach(build(stream=False))


def test_causal_head_reads_the_past_alone():
  def tokens_change(causal):
    head = temporal_head.TransformerBlock(num_heads=4, causal=causal)
    x = np.random.default_rng(0).standard_normal([2, 8, 16]).astype(np.float32)
    y = x.copy()
    y[:, 5:] += 1.0
    return np.abs(head(tf.constant(x)) - head(tf.constant(y)))[:, :5].max()

  assert tokens_change(causal=True) == 0.0 < tokens_change(causal=False)


def test_head_tells_frame_order_by_its_positions():
  head = temporal_head.TemporalHead(CLASSES)
  x = np.random.default_rng(0).standard_normal([2, 8, 16]).astype(np.float32)
  forth, back = head(tf.constant(x)), head(tf.constant(x[:, ::-1].copy()))
  assert np.abs(forth - back).max() > 1e-3


def test_frame_positions_are_the_published_ones():
  positions = temporal_head.frame_positions(tf.constant(7), 16).numpy()
  omega = 10000.0 ** (-np.arange(8) / 7)
  angles = np.arange(7)[:, np.newaxis] * omega
  np.testing.assert_allclose(
    positions, np.concatenate([np.sin(angles), np.cos(angles)], 1), atol=1e-6
  )


@pytest.mark.parametrize('extension', ['.keras', '.h5'])
def test_saves_and_loads(final, tmp_path, extension):
  path = str(tmp_path / ('model' + extension))
  final.save(path)
  loaded = tf_keras.models.load_model(
    path, custom_objects={'GrwClassifier': grw_model.GrwClassifier}
  )
  np.testing.assert_array_equal(final(clips()), loaded(clips()))


def test_clones_and_checkpoints(intermediate, tmp_path):
  clone = tf_keras.models.clone_model(intermediate)
  assert clone.get_config() == intermediate.get_config()
  prefix = tf.train.Checkpoint(model=intermediate).save(str(tmp_path / 'ckpt'))
  tf.train.Checkpoint(model=clone).restore(prefix).assert_consumed()
  np.testing.assert_array_equal(intermediate(clips()), clone(clips()))


def test_any_backbone_with_a_feature_map_a_frame_will_do():
  config = model_config()
  block = backbones_3d.ResNet3DBlock(temporal_kernel_sizes=(3,))
  config.backbone = type(config.backbone)(
    type='resnet_3d',
    resnet_3d=backbones_3d.ResNet3D(
      model_id=TINY_RESNET,
      stem_conv_temporal_stride=1,
      stem_pool_temporal_stride=1,
      block_specs=(block, block),
    ),
  )
  for overrides in ({}, {'placement': 'intermediate', 'endpoint': '3'}):
    config.smoothing.override(overrides)
    model = build(config)
    assert model(clips()).shape == (2, CLASSES)
    assert np.any(
      gradients(model, clips())[model.backbone.trainable_variables[0].name]
    )


def test_a_backbone_that_pools_frames_away_is_refused():
  config = model_config()
  config.backbone.movinet.average_pooling_type = '3d'
  model = build(config)
  with pytest.raises(ValueError, match="average_pooling_type='2d'"):
    model(clips(), training=True)


def test_clips_shorter_than_a_window_are_classified_and_do_not_train():
  """A window is of no concern to inference, however the call is made."""
  short, long = (
    build(frames=4, smoothing={'window': window}) for window in (5, 4)
  )
  for variable, value in zip(short.variables, long.variables):
    variable.assign(value)
  image = clips(frames=4)
  want = long(image, training=False)
  for inputs in (image, {**image, 'num_frames': tf.constant([4, 4])}):
    logits = short(inputs, training=False)
    np.testing.assert_allclose(logits, want, rtol=1e-5, atol=1e-6)
    assert short.losses == [0.0]
    assert short.get_layer('grw_smoothing').terms.num_windows == 0
  with pytest.raises(ValueError, match='A GRW window of 5 frames'):
    short(image, training=True)


@pytest.mark.parametrize(
  'overrides, message',
  [
    ({'smoothing': {'window': 2}}, 'at least 3 frames'),
    ({'head': {'num_heads': 7}}, 'num_heads must divide'),
    (
      {'smoothing': {'placement': 'intermediate', 'endpoint': 'block9'}},
      r"'block9' is not an endpoint .*'block1_layer0'.*'stem'",
    ),
  ],
)
def test_refuses_what_cannot_work(overrides, message):
  with pytest.raises(ValueError, match=message):
    build(model_config(**overrides))


def test_trains_in_bfloat16_with_l2_and_a_float32_loss():
  tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    model = grw_model.GrwClassifier(
      model_config(),
      CLASSES,
      tf_keras.layers.InputSpec(shape=[None, FRAMES, SIZE, SIZE, 3]),
      l2_weight_decay=1e-4,
    )
    logits = model(clips(), training=True)
  finally:
    tf_keras.mixed_precision.set_global_policy('float32')
  assert logits.dtype == tf.float32
  assert len(model.losses) > 2
  assert np.isfinite(tf.add_n(model.losses))


def repeated(num_frames, batch=2):
  """Clips that begin again after so many frames, and are cut there."""
  whole = clips(5, batch=batch)['image']
  order = np.arange(FRAMES) % num_frames
  return tf.gather(whole, order, axis=1), whole[:, :num_frames]


SHORT = 7
HEADS: dict[str, dict] = {
  'temporal': {},
  'causal': {'head': {'causal': True}},
  'movinet': {'head': {'type': 'movinet'}},
  'linear': {'head': {'type': 'linear'}},
  'intermediate': {
    'smoothing': {'placement': 'intermediate', 'endpoint': 'block1_layer0'},
    'head': {'type': 'movinet'},
  },
}


@pytest.mark.parametrize('name', HEADS)
def test_repeated_frames_take_part_in_neither_logits_nor_loss(name):
  tf_keras.utils.set_random_seed(0)
  model = build(frames=None, **HEADS[name])
  filled, cut = repeated(SHORT)
  logits = model({'image': filled, 'num_frames': tf.constant([SHORT, SHORT])})
  terms = model.get_layer('grw_smoothing').terms
  assert terms.num_windows == 2  # Of the four, those within seven frames.
  losses = model.losses
  expected = model({'image': cut})
  scale = np.abs(expected).max()
  np.testing.assert_allclose(logits, expected, atol=1e-5 * scale)
  np.testing.assert_allclose(losses, model.losses, rtol=1e-5)
  # Without being told, both are others.
  unaware = model({'image': filled})
  assert np.abs(unaware - expected).max() > 1e-3 * scale
  assert abs(model.losses[0] - losses[0]) > 2e-4 * losses[0]
  # The head may be told to see them nevertheless.
  logits = model(
    {
      'image': filled,
      'num_frames': tf.constant([SHORT, SHORT]),
      'head_frames': tf.constant([FRAMES, FRAMES]),
    }
  )
  np.testing.assert_allclose(logits, unaware, atol=1e-5 * scale)
  np.testing.assert_allclose(losses, model.losses, rtol=1e-5)


def test_clips_of_one_batch_are_masked_each_by_its_own_length(final):
  filled, _ = repeated(SHORT)
  counts = tf.constant([SHORT, FRAMES])
  together = final({'image': filled, 'num_frames': counts})
  for clip in range(2):
    alone = final(
      {'image': filled[clip : clip + 1], 'num_frames': counts[clip : clip + 1]}
    )
    np.testing.assert_allclose(together[clip], alone[0], atol=1e-5)


def test_clips_too_short_for_a_window_cost_nothing(final):
  filled, _ = repeated(4)
  features = {'image': filled, 'num_frames': tf.constant([4, 1])}
  with tf.GradientTape() as tape:
    logits = final(features, training=True)
    [smoothing_loss] = final.losses
    loss = smoothing_loss + tf.reduce_sum(logits)
  assert smoothing_loss == 0 and final.smoothing.terms.num_windows == 0
  for value in tape.gradient(loss, final.trainable_variables):
    assert np.all(np.isfinite(tf.convert_to_tensor(value)))


@pytest.mark.parametrize('training', [False, True])
def test_full_clips_are_the_same_whether_told_or_not(final, training):
  def outcome(features):
    logits = final(features, training=training)
    return [
      logits,
      *final.losses,
      *(v for v in final.variables if 'moving' in v.name),
    ]

  before = final.get_weights()
  told = [
    tf.identity(value)
    for value in outcome(
      {**clips(), 'num_frames': tf.constant([FRAMES, FRAMES])}
    )
  ]
  changed = np.any(
    [np.any(a != b) for a, b in zip(before, final.get_weights())]
  )
  final.set_weights(before)
  for ours, theirs in zip(told, outcome(clips())):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
  final.set_weights(before)
  assert changed == training
