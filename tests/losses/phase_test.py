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

"""Where windows begin: at fixed frames, at a random offset, or everywhere."""

import math

import hypothesis
from hypothesis import strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import keras3_smoothing


def clips(batch, frames, dim, seed=0):
  rng = np.random.default_rng(seed)
  return tf.constant(
    0.3 * rng.standard_normal([batch, frames, dim]), tf.float32
  )


def all_windows(embeddings, window):
  """Every window of consecutive frames, [batch · (N−T+1), T, D]."""
  starts = range(embeddings.shape[1] - window + 1)
  stacked = tf.stack([embeddings[:, s : s + window] for s in starts], axis=1)
  return tf.reshape(stacked, [-1, window, embeddings.shape[-1]])


def explicit_terms(embeddings, window, num_frames=None):
  """The terms of overlapping windows, from a copy of each."""
  weights = None
  if num_frames is not None:
    ends = range(window, embeddings.shape[1] + 1)
    weights = tf.constant(
      [float(end <= count) for count in num_frames for end in ends]
    )
  return grw_smoothing.smoothing_terms(
    all_windows(embeddings, window), weights=weights
  )


def assert_same_terms(terms, expected):
  for name, value in expected._asdict().items():
    np.testing.assert_allclose(
      getattr(terms, name), value, rtol=1e-5, atol=1e-5, err_msg=name
    )


def trained(embeddings, num_frames=None, **settings):
  """Terms of one training step, λ · L_smooth, and the gradient of that."""
  layer = grw_smoothing.GrwSmoothing(weight=1.0, **settings)
  return step(layer, embeddings, num_frames)


def step(layer, embeddings, num_frames=None):
  with tf.GradientTape() as tape:
    tape.watch(embeddings)
    layer(embeddings, num_frames=num_frames, training=True)
    [loss] = layer.losses
  return layer.terms, loss, tape.gradient(loss, embeddings)


@hypothesis.given(
  st.integers(3, 8), st.integers(0, 9), st.integers(1, 3), st.integers(1, 6)
)
@hypothesis.settings(max_examples=15)
def test_overlapping_is_the_mean_over_every_window(window, more, batch, dim):
  embeddings = clips(batch, window + more, dim, seed=more)
  terms, loss, gradient = trained(
    embeddings, window=window, phase='overlapping'
  )
  with tf.GradientTape() as tape:
    tape.watch(embeddings)
    expected = explicit_terms(embeddings, window)
  assert_same_terms(terms, expected)
  np.testing.assert_allclose(loss, expected.smoothing_loss, rtol=1e-5)
  np.testing.assert_allclose(
    gradient,
    tape.gradient(expected.smoothing_loss, embeddings),
    rtol=1e-4,
    atol=1e-5,
  )


@pytest.mark.parametrize('window', [4, 9])
def test_overlapping_windows_of_repeated_frames_have_no_weight(window):
  counts = [11, window, window - 1, 10]
  embeddings = clips(4, 11, 5)
  terms, _, gradient = trained(
    embeddings, tf.constant(counts), window=window, phase='overlapping'
  )
  expected = explicit_terms(embeddings, window, counts)
  assert terms.num_windows == (12 - window) + 1 + 0 + (11 - window)
  assert_same_terms(terms, expected)
  for clip, count in zip(gradient.numpy(), counts):
    used = count if count >= window else 0
    assert not clip[used:].any()
    assert np.abs(clip[:used]).sum(axis=-1).all()


@pytest.mark.parametrize('phase', ['random', 'overlapping'])
def test_no_whole_window_costs_nothing_and_has_no_gradient(phase):
  terms, loss, gradient = trained(
    clips(2, 9, 4), tf.constant([4, 1]), phase=phase
  )
  assert loss == 0.0 and terms.num_windows == 0
  np.testing.assert_array_equal(gradient, np.zeros([2, 9, 4]))


def losses_by_offset(embeddings, window, num_frames):
  """What a step costs by the offset of each clip, from windows cut there."""
  rooms = [max(count - window + 1, 1) for count in num_frames]
  draws = (np.arange(math.lcm(*rooms)) + 0.5) / math.lcm(*rooms)
  losses = {}
  for draw in draws:
    offsets = tuple(int(draw * room) % window for room in rooms)
    cut = [
      embeddings[clip, start : start + window]
      for clip, count in enumerate(num_frames)
      for start in range(offsets[clip], count - window + 1, window)
    ]
    losses[offsets] = float(
      grw_smoothing.smoothing_terms(tf.stack(cut)).smoothing_loss
    )
  return losses


@pytest.mark.parametrize(
  'frames, counts', [(11, None), (6, None), (4, None), (11, [9, 11])]
)
def test_random_windows_are_cut_at_every_offset_and_no_other(frames, counts):
  embeddings = clips(2, frames, 3)
  layer = grw_smoothing.GrwSmoothing(window=4, weight=1.0, phase='random')
  num_frames = None if counts is None else tf.constant(counts)

  @tf.function
  def loss():
    layer(embeddings, num_frames=num_frames, training=True)
    return layer.terms.smoothing_loss, layer.terms.num_windows

  expected = losses_by_offset(embeddings, 4, counts or [frames] * 2)
  drawn = [loss() for _ in range(60 if counts is None else 250)]
  seen = set()
  for value, num_windows in drawn:
    [offsets] = [
      offsets
      for offsets, cost in expected.items()
      if abs(cost - float(value)) < 1e-5
    ]
    seen.add(offsets)
    assert num_windows == sum(
      (count - offset) // 4
      for count, offset in zip(counts or [frames] * 2, offsets)
    )
  assert seen == set(expected)


def test_random_windows_cost_what_overlapping_ones_do_on_average():
  # 2 windows at offset 0 and 1 at the others: it is drawn twice as often.  Only
  # those two hold the frames that stand apart.
  embeddings = clips(1, 10, 3) + tf.constant([[2.0]] + [[0.0]] * 8 + [[2.0]])
  layer = grw_smoothing.GrwSmoothing(weight=1.0, phase='random')

  @tf.function
  def mean(steps):
    total = 0.0
    for _ in tf.range(steps):
      layer(embeddings, training=True)
      total += layer.terms.smoothing_loss
    return total / tf.cast(steps, tf.float32)

  expected = explicit_terms(embeddings, 5).smoothing_loss
  by_offset = losses_by_offset(embeddings, 5, [10])
  assert len(by_offset) == 5
  spread = np.std(list(by_offset.values()))
  even = np.mean(list(by_offset.values()))
  assert abs(even - expected) > 0.2 * spread, 'the test could not fail'
  np.testing.assert_allclose(
    mean(20000), expected, atol=4 * spread / np.sqrt(20000)
  )


def test_random_offsets_are_seeded():
  def offsets(seed):
    layer = grw_smoothing.GrwSmoothing(phase='random', seed=seed)

    @tf.function
    def loss():
      layer(embeddings, training=True)
      return layer.terms.smoothing_loss

    return [float(loss()) for _ in range(12)]

  embeddings = clips(1, 14, 3)
  assert offsets(1) == offsets(1) != offsets(2)


@pytest.mark.parametrize('phase', ['random', 'overlapping'])
def test_inference_measures_fixed_windows(phase):
  embeddings = clips(2, 11, 4)
  fixed = grw_smoothing.GrwSmoothing(window=4)
  moving = grw_smoothing.GrwSmoothing(window=4, phase=phase)
  for training in (None, False):
    fixed(embeddings, training=training)
    moving(embeddings, training=training)
    assert moving.terms == fixed.terms
  fixed(embeddings, training=True)
  moving(embeddings, training=True)
  if phase == 'overlapping':
    assert moving.terms.num_windows == 16 != fixed.terms.num_windows


@pytest.mark.parametrize('phase', ['random', 'overlapping'])
def test_compiles_with_xla_to_the_same_loss_and_gradient(phase):
  embeddings = clips(2, 10, 4)
  layer = grw_smoothing.GrwSmoothing(weight=1.0, phase=phase)

  @tf.function(jit_compile=True)
  def compiled(embeddings):
    _, loss, gradient = step(layer, embeddings)
    return loss, gradient

  loss, gradient = compiled(embeddings)
  if phase == 'overlapping':
    _, expected, expected_gradient = step(layer, embeddings)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)
  else:
    costs = losses_by_offset(embeddings, 5, [10] * 2).values()
    assert min(abs(cost - float(loss)) for cost in costs) < 1e-5
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize('phase', ['random', 'overlapping'])
def test_frames_may_be_unknown_until_run_time(phase):
  layer = grw_smoothing.GrwSmoothing(window=4, weight=1.0, phase=phase)
  traced = tf.function(
    lambda embeddings, counts: step(layer, embeddings, counts)[1],
    input_signature=[
      tf.TensorSpec([None, None, 3]),
      tf.TensorSpec([None], tf.int32),
    ],
  )
  embeddings = clips(2, 7, 3)
  loss = float(traced(embeddings, [7, 6]))
  if phase == 'overlapping':
    expected = explicit_terms(embeddings, 4, [7, 6]).smoothing_loss
    assert loss == pytest.approx(float(expected), rel=1e-5)
  else:
    costs = losses_by_offset(embeddings, 4, [7, 6]).values()
    assert min(abs(cost - loss) for cost in costs) < 1e-5
  with pytest.raises(tf.errors.InvalidArgumentError, match='window of 4'):
    traced(clips(2, 3, 3), [3, 3])


@pytest.mark.parametrize('phase', ['fixed', 'random', 'overlapping'])
def test_clips_known_to_be_too_short_are_refused_in_training(phase):
  layer = grw_smoothing.GrwSmoothing(phase=phase)
  layer(clips(1, 4, 2), training=False)
  with pytest.raises(ValueError, match='window of 5 .* 4 embeddings'):
    layer(clips(1, 4, 2), training=True)


LIBRARIES = {
  'tf_keras': (tf_keras, grw_smoothing.GrwSmoothing),
  'keras': (keras, keras3_smoothing.GrwSmoothingKeras3),
}


@pytest.mark.parametrize('library', LIBRARIES)
def test_functional_models_of_both_libraries_train_with_it(library):
  module, layer_class = LIBRARIES[library]
  inputs = module.Input([9, 3])
  layer = layer_class(window=4, weight=1.0, phase='overlapping')
  model = module.Model(inputs, layer(inputs))
  embeddings = clips(2, 9, 3)
  model(embeddings, training=True)
  expected = explicit_terms(embeddings, 4).smoothing_loss
  np.testing.assert_allclose(model.losses, [expected], rtol=1e-5)
  model(embeddings, training=False)
  fixed = grw_smoothing.smoothing_terms(
    grw_smoothing.cut_windows(embeddings, 4)
  )
  np.testing.assert_allclose(model.losses, [fixed.smoothing_loss], rtol=1e-5)
  assert layer_class.from_config(layer.get_config()).phase == 'overlapping'


def test_an_unknown_phase_is_refused():
  with pytest.raises(ValueError, match="one of .*'random'.* got 'moving'"):
    grw_smoothing.GrwSmoothing(phase='moving')
