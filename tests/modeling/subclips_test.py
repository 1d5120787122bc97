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

"""Training in subclips has the gradients that the mathematics says.

Exactly these hold, for the loss, every gradient and every batch statistic:

*   n subclips are a stream of n clips under one tape, with batch statistics of
    each and no gradient through the states between them.
*   Where the backbone mixes no frames and batch norm is frozen, n subclips are
    the whole clip.
*   With batch norm frozen the loss, though not the gradient, is that of the
    whole clip for every backbone.
*   Predictions of n subclips are those of a stream after each, whose head has
    no gradient to the subclips before.
"""

import functools

import numpy as np
from official.projects.movinet.modeling import movinet
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.backbones import same_structure
from official_ext.grw.compat import nested_layers
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import subclips
from tests import tiny

# The tiny MoViNet without convolutions over time.
movinet.BLOCK_SPECS['tiny_frames'] = (
  tiny.movinet.BLOCK_SPECS['tiny'][0],
  movinet.MovinetBlockSpec(
    base_filters=8,
    expand_filters=(24,),
    kernel_sizes=((1, 3, 3),),
    strides=((1, 2, 2),),
  ),
  tiny.movinet.BLOCK_SPECS['tiny'][2],
)
L2 = 0.01
INTERMEDIATE = {'placement': 'intermediate', 'endpoint': 'block0_layer0'}
WINDOWS = 2  # Of three frames each.


def classifier(
  smoothing=None, head='temporal', drop_rate=0.0, **backbone
) -> grw_model.GrwClassifier:
  """A classifier of one replica, away from its initial values."""
  model = tiny.classifier(
    l2_weight_decay=L2,
    backbone={'movinet': {'stochastic_depth_drop_rate': drop_rate, **backbone}},
    norm_activation={'use_sync_bn': False},
    dropout_rate=0.0,
    smoothing=smoothing or {},
    head={'type': head},
  )
  for variable in model.backbone.trainable_variables:
    if 'scale' in variable.name:
      variable.assign(1.0)  # Much is to come out of the blocks.
  return model


def with_frozen_batch_norm(model):
  for layer in nested_layers.within(model):
    if isinstance(layer, tf_keras.layers.BatchNormalization):
      layer.trainable = False
  return model


def clips():
  return tf.constant(
    np.stack([tiny.clip(label, seed=label) for label in range(2)]) / 255,
    tf.float32,
  )


def loss_of(logits, layers):
  """The mean over clips, and over subclips if there are logits of each."""
  labels = tf.one_hot([0, 1], tiny.CLASSES)
  if logits.shape.rank == 3:
    labels = tf.stack([labels] * logits.shape[1], axis=1)
  return tf.reduce_mean(
    tf_keras.losses.categorical_crossentropy(labels, logits, from_logits=True)
  ) + tf.add_n([loss for layer in layers for loss in layer.losses])


def values(model):
  return {variable.name: variable.numpy() for variable in model.variables}


def step(model, num_frames=None, graph=False):
  """Loss, gradients by name and variables after one training call."""
  inputs = {'image': clips()}
  if num_frames is not None:
    inputs['num_frames'] = tf.constant(num_frames)

  def differentiate():
    with tf.GradientTape() as tape:
      loss = loss_of(model(inputs, training=True), [model])
    return loss, tape.gradient(loss, model.trainable_variables)

  loss, gradients = (tf.function(differentiate) if graph else differentiate)()
  return (
    loss,
    {
      variable.name: gradient.numpy()
      for variable, gradient in zip(model.trainable_variables, gradients)
    },
    values(model),
  )


def with_states(model):
  """A second backbone, that streams, with initial weights."""
  config = schema.GrwModel()
  config.override(model.get_config()['model_config'])
  config.backbone = families.with_states(config.backbone)
  return grw_model.build_backbone(
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
    config,
    tf_keras.regularizers.l2(L2 / 2),
  )


def streamed_step(model, backbone, num_subclips, predict_each=False):
  """The same of a second backbone that streams, all under one tape."""
  same_structure.copy_weights(model.backbone, backbone)
  layers = {layer.name: layer for layer in model.layers}
  after = [layer for name, layer in layers.items() if name.startswith('grw_')]
  with tf.GradientTape() as tape:
    states = backbone.init_states([2, 1, tiny.SIZE, tiny.SIZE, 3])
    frames, middles = [], []
    for part in tf.split(clips(), num_subclips, axis=1):
      states = tf.nest.map_structure(tf.stop_gradient, states)
      endpoints, states = backbone({**states, 'image': part}, training=True)
      frames.append(endpoints['head'][:, :, 0, 0])
      middles.append(tf.reduce_mean(endpoints['block0_layer0'], axis=[2, 3]))
    # What the head sees: all frames, or those so far with a gradient to the
    # last subclip's alone.
    ends = range(1, num_subclips + 1) if predict_each else [num_subclips]

    def seen(vectors, end):
      if not predict_each:
        return tf.concat(vectors, axis=1)
      before = [tf.stop_gradient(part) for part in vectors[: end - 1]]
      return tf.concat([*before, vectors[end - 1]], axis=1)

    if 'grw_norm' in layers:
      middle = layers['grw_norm'](tf.concat(middles, axis=1), training=True)
      layers['grw_smoothing'](middle * middle.shape[-1] ** -0.5)
      logits = [
        layers['grw_classifier_head'](
          tf.reduce_mean(seen(frames, end), axis=1)[
            :, tf.newaxis, tf.newaxis, tf.newaxis
          ],
          training=True,
        )
        for end in ends
      ]
    else:
      embedded = [layers['grw_embedding'](part) for part in frames]
      layers['grw_smoothing'](tf.concat(embedded, axis=1))
      logits = [
        layers['grw_head'](seen(embedded, end), training=True) for end in ends
      ]
    logits = tf.stack(logits, axis=1) if predict_each else logits[0]
    loss = loss_of(logits, [backbone, *after])
  variables = [
    variable
    for owner in (backbone, *after)
    for variable in owner.trainable_variables
  ]
  gradients = tape.gradient(loss, variables)
  return (
    loss,
    {
      variable.name: gradient.numpy()
      for variable, gradient in zip(variables, gradients)
    },
    {
      variable.name: variable.numpy()
      for owner in (backbone, *after)
      for variable in owner.variables
    },
  )


def assert_same(ours, theirs):
  """The same loss, gradients and variables."""
  np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
  for index, kind in ((1, 'gradient'), (2, 'value')):
    assert set(ours[index]) == set(theirs[index])
    # What is nought in exact arithmetic, as the gradient of an offset before a
    # batch norm, is what is left of a sum of the size of the other gradients.
    noise = 1e-6 * max(
      [1.0, *(np.abs(value).max() for value in theirs[index].values())]
    )
    for name, value in theirs[index].items():
      np.testing.assert_allclose(
        ours[index][name],
        value,
        rtol=0,
        atol=1e-5 * np.abs(value).max() + noise,
        err_msg=f'{kind} of {name}',
      )


KINDS: dict[str, dict] = {
  'final': {},
  'intermediate': {'smoothing': INTERMEDIATE, 'head': 'movinet'},
  'positions': {'use_positional_encoding': True},
}


@functools.cache
def of_kind(kind):
  """A classifier, its variables, and a second backbone that streams."""
  model = classifier(**KINDS[kind])
  return model, values(model), with_states(model)


@pytest.mark.parametrize(
  'kind, graph, each',
  [
    ('final', True, False),
    ('intermediate', False, False),
    ('positions', False, False),
    ('final', False, True),
    ('intermediate', False, True),
  ],
)
def test_subclips_are_a_stream_without_gradient_through_its_states(
  kind, graph, each
):
  model, before, backbone = of_kind(kind)

  def begin():
    for variable in model.variables:
      variable.assign(before[variable.name])

  begin()
  expected = streamed_step(model, backbone, WINDOWS, each)
  begin()  # `grw_norm` has seen the clips.
  model.train_in_subclips(WINDOWS, predict_each=each)
  ours = step(model, graph=graph)
  assert_same(ours, expected)
  assert any(
    np.abs(ours[2][name] - value).max() > 1e-4
    for name, value in before.items()
    if 'moving_mean' in name
  )


@pytest.fixture(name='whole', scope='module')
def whole_fixture():
  """A classifier with frozen batch norm, and its steps on whole clips."""
  model = with_frozen_batch_norm(classifier())
  steps = {counts: step(model, counts) for counts in (None, (6, 3))}
  model.train_in_subclips(WINDOWS)
  return model, steps


@pytest.mark.parametrize('num_frames', [None, (6, 3)])
def test_with_frozen_batch_norm_the_loss_is_that_of_the_whole_clip(
  whole, num_frames
):
  model, steps = whole
  loss, gradients, _ = step(model, num_frames)
  np.testing.assert_allclose(loss, steps[num_frames][0], rtol=1e-5)
  # Nothing comes back to earlier subclips through the buffer.
  kernel = next(name for name in gradients if 'expansion' in name)
  assert np.abs(gradients[kernel] - steps[num_frames][1][kernel]).max() > 1e-4


def test_each_subclip_ends_with_the_logits_of_the_clip_so_far():
  model = with_frozen_batch_norm(classifier())
  model.train_in_subclips(WINDOWS, predict_each=True)
  counts = (6, 2)  # Of the second clip all frames from the third on repeat.
  for inputs in ({}, {'num_frames': tf.constant(counts)}):
    logits = model({'image': clips(), **inputs}, training=True)
    assert logits.shape == (2, WINDOWS, tiny.CLASSES)
    for clip, count in enumerate(counts if inputs else (6, 6)):
      for subclip, end in enumerate((3, 6)):
        so_far = clips()[clip : clip + 1, : min(end, count)]
        np.testing.assert_allclose(
          logits[clip, subclip], model({'image': so_far})[0], atol=1e-5
        )
  # Evaluation has one answer a clip.
  assert model({'image': clips()}).shape == (2, tiny.CLASSES)


def test_a_backbone_that_mixes_no_frames_has_the_gradients_of_the_whole_clip():
  model = with_frozen_batch_norm(
    classifier(model_id='tiny_frames', se_type='2d')
  )
  expected = step(model)
  model.train_in_subclips(WINDOWS)
  assert_same(step(model), expected)


def test_stochastic_depth_drops_whole_clips_and_the_same_in_both_runs():
  model = with_frozen_batch_norm(classifier(drop_rate=0.5))
  backbone = subclips.SubclipBackbone(
    model.backbone, with_states(model), ['head'], WINDOWS
  )
  [scale] = [
    variable
    for variable in model.backbone.trainable_variables
    if 'scale' in variable.name
  ]
  # The same clip so often that some are dropped and some are not.
  image = tf.repeat(clips()[:1], 16, axis=0)
  with tf.GradientTape(persistent=True) as tape:
    vectors = tf.reshape(backbone(image)['head'], [16, -1])
    kinds = np.unique(np.round(vectors, 4), axis=0)
    assert len(kinds) == 2, 'kept in all subclips, and dropped in all'
    sums = [
      tf.reduce_sum(vectors[np.isclose(vectors, kind, atol=1e-3).all(1)])
      for kind in kinds
    ]
  gradients = sorted(abs(float(tape.gradient(total, scale))) for total in sums)
  assert gradients[0] == 0.0 < gradients[1], 'another choice in the second run'


def test_base_frames_of_mobilenet_have_the_gradients_of_the_whole_clip():
  # Subclips of whole windows of base frames share none.
  config = schema.GrwModel()
  config.override(
    {
      'backbone': {
        'type': 'mobilenet_v3',
        'mobilenet_v3': {'size': 'tiny', 'window': 3},
      },
      'norm_activation': {'use_sync_bn': False},
      'dropout_rate': 0.0,
      'smoothing': {'window': 3},
      'head': {'embedding_dim': 8},
    }
  )
  model = with_frozen_batch_norm(
    grw_model.GrwClassifier(
      config,
      tiny.CLASSES,
      tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
      L2,
    )
  )
  expected = step(model)
  model.train_in_subclips(WINDOWS)
  assert_same(step(model), expected)


def test_checkpoints_and_evaluation_are_those_of_whole_clips(whole, tmp_path):
  model, _ = whole
  same = with_frozen_batch_norm(
    grw_model.GrwClassifier.from_config(model.get_config())
  )
  keys = []
  for name, saved in (('whole', same), ('subclips', model)):
    optimizer = tf_keras.optimizers.experimental.AdamW()
    optimizer.build(saved.trainable_variables)
    path = tf.train.Checkpoint(
      model=saved, optimizer=optimizer, **saved.checkpoint_items
    ).save(str(tmp_path / name))
    keys.append(tf.train.list_variables(path))
  assert keys[0] == keys[1]
  tf.train.Checkpoint(model=same).restore(
    path
  ).expect_partial().assert_existing_objects_matched()
  np.testing.assert_array_equal(
    model({'image': clips()}), same({'image': clips()})
  )


def small_backbone(units, rate, has_states):
  """A dense layer and dropout of each pixel."""
  image = tf_keras.Input([None, None, None, 3], name='image')
  states = {'state': tf_keras.Input([1], name='state')} if has_states else {}
  x = tf_keras.layers.Dense(units)(image)
  x = tf_keras.layers.Dropout(rate, name='dropout')(x)
  return tf_keras.Model(
    {'image': image, **states}, ({'head': x}, states), name='small'
  )


@pytest.mark.parametrize(
  'units, rate, message',
  [
    (4, 0.5, 'dropout .* cannot be repeated: set its rate to 0'),
    (5, 0.0, 'small has other layers with states than without'),
  ],
)
def test_refuses_backbones_that_it_would_train_wrongly(units, rate, message):
  with pytest.raises(ValueError, match=message):
    subclips.SubclipBackbone(
      small_backbone(4, rate, False),
      small_backbone(units, rate, True),
      ['head'],
      WINDOWS,
    )


def test_refuses_clips_that_it_cannot_split(whole):
  model, _ = whole
  with pytest.raises(ValueError, match='5 frames cannot be split into.*=2'):
    model({'image': clips()[:, :5]}, training=True)
