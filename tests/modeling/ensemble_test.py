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

"""An ensemble is the mean of its members on their frames, cut as one likes."""

import functools

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import video_parser
from official_ext.grw.modeling import ensemble
from tests import tiny

N, SIZE = 8, tiny.SIZE
HEADS: dict[str, dict] = {
  'bidirectional': {},
  'causal': {'head': {'causal': True}},
}
HEAD = 'bidirectional'
CLIPS = tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.float32)


def clips(batch, frames, seed=0):
  return np.random.default_rng(seed).random(
    (batch, frames, SIZE, SIZE, 3), np.float32
  )


@functools.cache
def model(head):
  return tiny.ensemble(**HEADS[head])


@functools.cache
def of_clips(head, member):
  """A member, for clips that may be shorter than a window."""
  classifier = model(head).members[member]
  return tf.function(
    lambda image: classifier({'image': image}, training=False),
    input_signature=[CLIPS],
  )


@functools.cache
def stream(head):
  streaming = ensemble.stream_of(model(head), N)
  specs = {
    name: tf.TensorSpec(spec.shape, spec.dtype)
    for name, spec in streaming.initial_state_specs(
      (None, None, SIZE, SIZE, 3)
    ).items()
  }
  return streaming, tf.function(
    streaming, input_signature=[{'image': CLIPS, **specs}]
  )


def expected(head, video):
  """Logits after the last frame of a video of up to N frames."""
  first = of_clips(head, 0)(video[:, ::2])
  if video.shape[1] == 1:
    return first
  return (first + of_clips(head, 1)(video[:, 1::2])) / 2


def test_logits_are_the_mean_of_members_on_their_frames():
  video = clips(2, N)
  first, second = model(HEAD).members
  want = (
    first({'image': video[:, 0::2]}) + second({'image': video[:, 1::2]})
  ) / 2
  np.testing.assert_allclose(model(HEAD)({'image': video}), want, atol=1e-6)
  # Neither member is the ensemble, nor are they alike.
  assert np.max(np.abs(want - first({'image': video[:, 0::2]}))) > 1e-2


@pytest.mark.parametrize('num_frames', [1, 4, 6, 7])
def test_repeated_frames_do_not_count(num_frames):
  video = clips(2, N)
  logits = model(HEAD)({'image': video, 'num_frames': tf.fill([2], num_frames)})
  np.testing.assert_allclose(
    logits, expected(HEAD, video[:, :num_frames]), atol=1e-5
  )


def test_odd_clips_are_refused():
  with pytest.raises(ValueError, match='7 frames: expected an even number'):
    tiny.ensemble(num_frames=7)
  with pytest.raises(ValueError, match='5 frames: expected an even number'):
    model(HEAD)({'image': clips(1, 5)})
  with pytest.raises(ValueError, match='7 frames: expected an even number'):
    ensemble.stream_of(model(HEAD), 7)
  any_length = tf.function(
    lambda image: model(HEAD)({'image': image}), input_signature=[CLIPS]
  )
  with pytest.raises(tf.errors.InvalidArgumentError, match='an even number'):
    any_length(clips(1, 5))


@pytest.mark.parametrize('head', HEADS)
@settings(max_examples=6)
@given(data=st.data())
def test_any_split_gives_the_logits_of_the_clip(head, data):
  streaming, step = stream(head)
  batch = data.draw(st.integers(1, 2))
  lengths = data.draw(
    st.lists(st.integers(1, 5), min_size=1, max_size=5).filter(
      lambda lengths: sum(lengths) <= N
    )
  )
  video = clips(batch, sum(lengths), data.draw(st.integers(0, 99)))
  states = streaming.init_states(video.shape)
  seen = 0
  for length in lengths:
    logits, states = step({**states, 'image': video[:, seen : seen + length]})
    seen += length
    want = expected(head, video[:, :seen])
    np.testing.assert_allclose(logits, want, atol=1e-5)


def test_after_n_frames_heads_see_the_last_ones():
  """Two streams of N/2 frames, each fed its frames, are the reference."""
  streaming, step = stream(HEAD)
  video = clips(1, N + 3)
  states = streaming.init_states(video.shape)
  for number in range(video.shape[1]):
    logits, states = step({**states, 'image': video[:, number : number + 1]})
  parts = []
  for member, offset in zip(model(HEAD).members, (0, 1)):
    single = ensemble.stream_of(member, N // 2)
    frames = video[:, offset::2]
    parts.append(
      single({**single.init_states(frames.shape), 'image': frames})[0]
    )
  np.testing.assert_allclose(logits, (parts[0] + parts[1]) / 2, atol=1e-5)


def test_each_frame_is_seen_by_one_member():
  streaming, step = stream(HEAD)
  states = streaming.init_states((1, 1, SIZE, SIZE, 3))
  for number in range(4):
    _, after = step({**states, 'image': clips(1, 1, seed=number)})
    moved = {
      name.split('_')[1]
      for name in states
      if np.any(np.asarray(after[name]) != np.asarray(states[name]))
    }
    assert moved == {'ensemble', ('first', 'second')[number % 2]}
    states = after


def test_heads_run_once_in_so_many_frames_of_the_video():
  streaming = ensemble.stream_of(model(HEAD), N, classify_every=4)
  video = clips(1, N)
  states = streaming.init_states(video.shape)
  found = []
  for number in range(N):
    logits, states = streaming(
      {**states, 'image': video[:, number : number + 1]}
    )
    found.append(logits.numpy())
  for seen in (4, 8):
    np.testing.assert_allclose(
      found[seen - 1], expected(HEAD, video[:, :seen]), atol=1e-5
    )
  np.testing.assert_array_equal(found[3], found[5])


@pytest.mark.parametrize('every', [0, 3, 10])
def test_heads_cannot_run_at_odd_intervals(every):
  with pytest.raises(ValueError, match=f'classify_every={every}: expected 1'):
    ensemble.stream_of(model(HEAD), N, every)


def test_states_of_another_model_are_refused():
  streaming, _ = stream(HEAD)
  states = streaming.init_states((1, 1, SIZE, SIZE, 3))
  with pytest.raises(ValueError, match='state_second_grw_logits'):
    states.pop('state_second_grw_logits')
    streaming({**states, 'image': clips(1, 1)})


def test_base_members_classify_clips_and_do_not_stream():
  mixed = tiny.ensemble(streams=(True, False))
  video = clips(1, N)
  first, second = mixed.members
  np.testing.assert_allclose(
    mixed({'image': video}),
    (first({'image': video[:, 0::2]}) + second({'image': video[:, 1::2]})) / 2,
    atol=1e-6,
  )
  with pytest.raises(ValueError, match='not causal'):
    ensemble.stream_of(mixed, N)


def test_the_configuration_rebuilds_the_model():
  again = ensemble.TemporalEnsemble.from_config(model(HEAD).get_config())
  again.set_weights(model(HEAD).get_weights())
  video = clips(1, N)
  np.testing.assert_allclose(
    again({'image': video}), model(HEAD)({'image': video}), atol=1e-6
  )


# Of clips of 12 frames of 20 x 20 that were cropped of 24 x 24: every third, of
# which 20 are as many as 16 of 19; and every second, of which 16 are 16 of 24.
OWN_SHAPE = (12, 20, 20, 3)
OWN = {
  'frames': 'own',
  'first': {
    'feature_shape': [4, 16, 16, 3],
    'frame_step': 3,
    'crop_size': [20, 20],
  },
  'second': {
    'feature_shape': [6, 16, 16, 3],
    'frame_step': 2,
    'crop_size': [16, 16],
  },
}


@functools.cache
def of_own_clips(stream=False):
  tf_keras.utils.set_random_seed(0)
  config = ensemble_cfg.GrwEnsemble()
  config.override(OWN)
  for member in config.members:
    member.model.backbone = movinet_config.published('tiny', stream)
    member.model.override(
      {'smoothing': {'placement': 'none'}, 'head': {'type': 'movinet'}}
    )
  found = ensemble.TemporalEnsemble(
    config,
    tiny.CLASSES,
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
  )
  tiny.move_weights(found, 0)
  return found


def own_video(frames=OWN_SHAPE[0]):
  return np.random.default_rng(1).random(
    (2, frames, *OWN_SHAPE[1:]), np.float32
  )


def own_clips(video):
  """What both members see, frame by frame."""
  third = np.stack(
    [tf.image.resize(clip, [16, 16]).numpy() for clip in video[:, ::3]]
  )
  return third, video[:, ::2, 2:18, 2:18]


@pytest.mark.parametrize('num_frames', [None, 1, 7, 12])
def test_members_see_all_of_a_video_at_their_own_rate_and_size(num_frames):
  model = of_own_clips()
  video = own_video()
  inputs = {'image': video}
  counts: list[dict] = [{}, {}]
  if num_frames:
    inputs['num_frames'] = tf.constant([num_frames, 12])
    counts = list(
      {'num_frames': tf.constant([-(-num_frames // step), 12 // step])}
      for step in (3, 2)
    )
  first, second = (
    member({'image': clip, **count})
    for member, clip, count in zip(model.members, own_clips(video), counts)
  )
  np.testing.assert_allclose(model(inputs), (first + second) / 2, atol=1e-5)
  assert np.max(np.abs(first - second)) > 1e-2


def test_frames_that_are_smaller_than_a_crop_are_refused():
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
    of_own_clips()({'image': own_video()[:, :, :15]})


def test_a_member_sees_the_pixels_that_evaluation_shows_it_alone():
  video = np.random.default_rng(2).integers(0, 256, (12, 24, 24, 3), np.uint8)

  def evaluated(shape, stride):
    data = tiny.evaluation_data().replace(
      feature_shape=shape, temporal_stride=stride, min_image_size=24
    )
    features, _ = video_parser.VideoParser(data).parse_fn(False)(
      {
        data.image_field_key: tf.constant(video),
        data.label_field_key: tf.constant([1], tf.int64),
        feature_names.SOURCE_ID_KEY: tf.constant(''),
        feature_names.LOCATION: tf.constant(''),
      }
    )
    return features['image']

  whole = evaluated(OWN_SHAPE, 1)
  _, second = ensemble.views(of_own_clips().model_config)
  np.testing.assert_array_equal(
    second.clips(whole[tf.newaxis])[0], evaluated((6, 16, 16, 3), 2)
  )


def test_members_with_their_own_clips_do_not_stream():
  with pytest.raises(ValueError, match="frames='own': expected 'alternate'"):
    ensemble.stream_of(of_own_clips(stream=True), 12)


def test_the_configuration_rebuilds_an_ensemble_of_own_clips(tmp_path):
  model = of_own_clips()
  again = ensemble.TemporalEnsemble.from_config(model.get_config())
  path = tf.train.Checkpoint(model=model).save(str(tmp_path / 'ckpt'))
  tf.train.Checkpoint(model=again).restore(
    path
  ).expect_partial().assert_existing_objects_matched()
  video = own_video()
  np.testing.assert_allclose(
    again({'image': video}), model({'image': video}), atol=1e-6
  )
