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

"""A stream, however it is cut, answers as the clip model does."""

import functools

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones import families
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import schema
from official_ext.grw.heads import temporal as temporal_head
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from tests import tiny

N = tiny.FRAMES
SIZE = tiny.SIZE
HEADS: dict[str, dict] = {
  'final, bidirectional': {},
  'final, causal': {'head': {'causal': True}},
  'intermediate, movinet': {
    'smoothing': {'placement': 'intermediate'},
    'head': {'type': 'movinet'},
  },
  'intermediate, bidirectional': {'smoothing': {'placement': 'intermediate'}},
  'none, movinet': {
    'smoothing': {'placement': 'none'},
    'head': {'type': 'movinet'},
  },
  'final, linear': {'head': {'type': 'linear'}},
  'positions in the backbone': {
    'backbone': {'movinet': {'use_positional_encoding': True}}
  },
}


@functools.cache
def classifier(name):
  return tiny.classifier(**HEADS[name])


@functools.cache
def stream(name, classify_every=1):
  model = streaming.StreamingClassifier(classifier(name), N, classify_every)
  # One trace for clips of all lengths.
  image = tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.float32)
  specs = {
    key: tf.TensorSpec(spec.shape, spec.dtype)
    for key, spec in model.initial_state_specs(
      (None, None, SIZE, SIZE, 3)
    ).items()
  }
  step = tf.function(model, input_signature=[{'image': image, **specs}])
  return model, step


@functools.cache
def embeddings_of(name):
  """Clips to what the classifier's head is given."""
  model = classifier(name)
  head = [
    layer
    for layer in model.layers
    if layer.name in ('grw_head', 'grw_classifier_head', 'grw_linear_head')
  ][0]
  encoder = tf_keras.Model(model.input, head.input)
  return head, tf.function(
    encoder,
    input_signature=[
      {'image': tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.float32)}
    ],
  )


def causal_logits(head, embeddings):
  """The causal head on a whole video at once, by band-limited attention."""
  frames = embeddings.shape[1]
  order = np.arange(frames)
  positions = temporal_head.frame_positions(N, embeddings.shape[-1])
  x = head.norm_in(embeddings) + tf.gather(positions, order % N)
  band = (order[np.newaxis] > order[:, np.newaxis] - N)[np.newaxis]
  for block in head.blocks:
    x = block(x, attention_mask=tf.constant(band))
  tokens = head.norm_out(x)
  return head.classifier(tf.reduce_mean(tokens[:, -N:], axis=1))


@functools.cache
def clip_model(name):
  """The classifier, for clips that may be shorter than a window."""
  return tf.function(
    lambda image: classifier(name)({'image': image}, training=False),
    input_signature=[tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.float32)],
  )


def expected(name, clips):
  """Logits after the last frame of videos, computed from all of them."""
  if clips.shape[1] <= N:
    return clip_model(name)(clips)
  head, encode = embeddings_of(name)
  if head.name == 'grw_head':
    embeddings = encode({'image': clips})
    if head.causal:
      return causal_logits(head, embeddings)
    return head(embeddings[:, -N:])
  # The other heads take the mean over frames, of which each one's own part
  # is the difference of two means.
  sums = [
    n * encode({'image': clips[:, :n]})
    for n in (clips.shape[1] - N, clips.shape[1])
  ]
  return head((sums[1] - sums[0]) / N)


def videos(batch, frames, seed):
  return np.random.default_rng(seed).random(
    (batch, frames, SIZE, SIZE, 3), np.float32
  )


@pytest.mark.parametrize('name', HEADS)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_any_split_gives_the_logits_of_the_whole(name, data):
  model, step = stream(name)
  batch = data.draw(st.integers(1, 3))
  lengths = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=5))
  clips = videos(batch, sum(lengths), data.draw(st.integers(0, 99)))
  states = model.init_states(clips.shape)
  if data.draw(st.booleans()):  # Reset in mid-way: nothing may stay behind.
    _, states = step({**states, 'image': clips[:, ::-1]})
    states = model.init_states(clips.shape)
  seen = 0
  for length in lengths:
    logits, states = step({**states, 'image': clips[:, seen : seen + length]})
    seen += length
    want = expected(name, clips[:, :seen])
    np.testing.assert_allclose(
      logits,
      want,
      rtol=0,
      atol=1e-5 * np.abs(want).max(),
      err_msg=f'after {seen} frames of {lengths}',
    )


@pytest.mark.parametrize('name', HEADS)
def test_a_clip_model_knows_what_the_stream_says_on_the_way(name):
  model, step = stream(name)
  clips = videos(2, N, 5)
  counts = tf.constant([N, 3])  # The second clip repeats frames from there.

  @tf.function
  def answers():
    classifier(name)({'image': clips, 'num_frames': counts}, training=False)
    return [classifier(name).logits_after(count) for count in range(1, N + 1)]

  states = model.init_states(clips.shape)
  for frame, early in enumerate(answers()):
    logits, states = step({**states, 'image': clips[:, frame : frame + 1]})
    if frame < 3:
      third = logits
    np.testing.assert_allclose(
      early, [logits[0], third[1]], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize('name', HEADS)
def test_every_state_starts_at_zero_and_is_used(name):
  model, step = stream(name)
  clips = videos(1, 4, 0)
  states = model.init_states(clips.shape)
  specs = model.initial_state_specs(clips.shape)
  assert states.keys() == specs.keys()
  for key, state in states.items():
    assert tuple(state.shape) == tuple(specs[key].shape)
    assert state.dtype == specs[key].dtype
    assert not np.any(state)
  _, states = step({**states, 'image': clips})
  assert states.keys() == specs.keys()
  logits, _ = step({**states, 'image': clips[:, :1]})
  for key in states:
    other = {**states, key: states[key] + 7 * tf.ones_like(states[key])}
    changed, _ = step({**other, 'image': clips[:, :1]})
    assert not np.array_equal(changed, logits), key


@pytest.mark.parametrize('every', [2, 4])
@pytest.mark.parametrize('length', [1, 3])
def test_head_runs_at_the_first_and_each_kth_frame(every, length):
  """In clips: where a multiple of k has been passed."""
  name = 'final, bidirectional'
  model, step = stream(name, every)
  _, each = stream(name)
  clips = videos(2, 12, 1)
  states = model.init_states(clips.shape)
  all_states = stream(name)[0].init_states(clips.shape)
  for seen in range(0, 12, length):
    image = clips[:, seen : seen + length]
    logits, states = step({**states, 'image': image})
    now, all_states = each({**all_states, 'image': image})
    if seen == 0 or (seen + length) // every > seen // every:
      want = now
    np.testing.assert_allclose(logits, want, atol=1e-6)


def test_states_do_not_grow_and_logits_stay_finite():
  for name in ('final, bidirectional', 'final, causal'):
    model, step = stream(name)
    clips = videos(1, 1, 0)
    states = model.init_states(clips.shape)
    shapes = {key: state.shape for key, state in states.items()}
    for _ in range(300):
      logits, states = step({**states, 'image': clips})
    assert {key: state.shape for key, state in states.items()} == shapes
    assert np.all(np.isfinite(logits))


def test_one_token_a_frame_in_the_causal_head():
  """Dense layers see one row, whatever N; caches alone have N − 1."""
  model, _ = stream('final, causal')
  shape = (1, 1, SIZE, SIZE, 3)
  specs = {
    key: tf.TensorSpec(spec.shape, spec.dtype)
    for key, spec in model.initial_state_specs(shape).items()
  }
  graph = (
    tf.function(
      model, input_signature=[{'image': tf.TensorSpec(shape), **specs}]
    )
    .get_concrete_function()
    .graph
  )
  rows = [
    int(op.inputs[0].shape[0])
    for op in graph.get_operations()
    if op.type == 'MatMul'
  ]
  assert rows and set(rows) == {1}


@pytest.mark.parametrize(
  'change, message',
  [
    (
      lambda states: states.pop('state_grw_frame_count'),
      "missing .'state_grw_frame_count'",
    ),
    (
      lambda states: states.update(state_other=tf.zeros([1])),
      "unknown .'state_other'",
    ),
    (
      lambda states: states.update(state_grw_embeddings=tf.zeros([1, N, 32])),
      r'state_grw_embeddings.*\(1, 6, 32\), expected \(1, 5, 32\)',
    ),
  ],
)
def test_wrong_states_are_named(change, message):
  model, _ = stream('final, bidirectional')
  image = tf.zeros([1, 1, SIZE, SIZE, 3])
  states = model.init_states(image.shape)
  change(states)
  with pytest.raises(ValueError, match=message):
    model({**states, 'image': image})


@pytest.mark.parametrize(
  'config, message',
  [
    (
      schema.GrwModel(backbone=movinet_config.published('a0', stream=False)),
      'MoViNet-A0 Base.*not causal',
    ),
    (
      schema.GrwModel(backbone=backbone_config.Backbone3D(type='resnet_3d')),
      'resnet_3d.*not causal',
    ),
  ],
)
def test_a_backbone_that_looks_ahead_is_refused(config, message):
  with pytest.raises(ValueError, match=message):
    families.with_states(config.backbone)


@pytest.mark.parametrize(
  'name, frames, every, message',
  [
    ('final, causal', N, 2, 'classify_every=2: expected 1'),
    ('final, bidirectional', N, 0, 'classify_every=0: expected 1 to the 6'),
    ('final, bidirectional', N, 7, 'classify_every=7: expected 1 to the 6'),
    ('final, bidirectional', 1, 1, 'num_frames=1: expected at least 2'),
  ],
)
def test_wrong_numbers_are_refused(name, frames, every, message):
  with pytest.raises(ValueError, match=message):
    streaming.StreamingClassifier(classifier(name), frames, every)


def test_a_stream_does_not_train():
  model, _ = stream('final, bidirectional')
  image = tf.zeros([1, 1, SIZE, SIZE, 3])
  with pytest.raises(ValueError, match='train the clip model'):
    model({**model.init_states(image.shape), 'image': image}, training=True)


def test_a_real_backbone_streams():
  """A0 with the positional encodings of A3, each with its own frame count."""
  config = schema.GrwModel(backbone=movinet_config.published('a0', stream=True))
  config.backbone.movinet.use_positional_encoding = True
  model = grw_model.GrwClassifier(
    config, 5, tf_keras.layers.InputSpec(shape=[None] * 4 + [3])
  )
  for variable in model.variables:
    if variable.name.endswith('scale:0') and variable.shape.rank == 0:
      variable.assign(0.5)
  clips = np.random.default_rng(0).random((1, 5, 64, 64, 3), np.float32)
  streamed = streaming.StreamingClassifier(model, 5)
  states = streamed.init_states(clips.shape)
  for begin, end in ((0, 2), (2, 3), (3, 5)):
    logits, states = streamed({**states, 'image': clips[:, begin:end]})
  want = model({'image': clips})
  np.testing.assert_allclose(
    logits, want, rtol=0, atol=1e-5 * np.abs(want).max()
  )
