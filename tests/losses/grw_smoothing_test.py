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

"""The GRW-smoothing loss is the paper's, exact, and safe to train with."""

import itertools
import math
import pathlib

import hypothesis
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import orderings

PARITY = pathlib.Path(__file__).parents[1] / 'testdata' / 'parity'


def brute_force(windows: np.ndarray, alpha: float = 0.5) -> float:
  """The loss of the paper, ordering by ordering, in float64."""
  losses = []
  for z in windows.astype(np.float64):

    def energy(order, z=z):
      return 0.5 * np.sum(np.diff(z[list(order)], 2, axis=0) ** 2)

    true = tuple(range(len(z)))
    energies = np.array(
      [energy((0,) + rest) for rest in itertools.permutations(true[1:])]
    )
    low = energies.min()
    free = low - np.log(np.sum(np.exp(low - energies)))
    speed = 0.5 * np.sum(np.diff(z, axis=0) ** 2)
    losses.append(energy(true) - free + alpha * speed)
  return float(np.mean(losses))


def value_and_gradient(windows, **kwargs):
  windows = tf.constant(windows, tf.float32)
  with tf.GradientTape() as tape:
    tape.watch(windows)
    loss = grw_smoothing.smoothing_terms(windows, **kwargs).smoothing_loss
  return float(loss), tape.gradient(loss, windows).numpy()


def random_windows(count, window, dim, seed=0, scale=0.3):
  rng = np.random.default_rng(seed)
  return scale * rng.standard_normal([count, window, dim])


@pytest.mark.parametrize('alpha', ['0.25', '0.5', '1.0'])
@pytest.mark.parametrize('window', [3, 4, 5, 6, 7])
def test_agrees_with_the_published_loss_and_gradient(window, alpha):
  golden = np.load(PARITY / 'loss_golden.npz')
  prefix = f'T{window}_alpha{alpha}_'
  loss, gradient = value_and_gradient(
    golden[prefix + 'embeddings'], alpha=float(alpha)
  )
  np.testing.assert_allclose(loss, golden[prefix + 'loss'], rtol=1e-5)
  expected = golden[prefix + 'gradient']
  np.testing.assert_allclose(
    gradient, expected, atol=1e-5 * np.abs(expected).max()
  )


@hypothesis.given(
  hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(3, 8), st.integers(1, 6)),
    elements=st.floats(-3, 3, width=32),
  ),
  st.floats(0, 2),
)
@hypothesis.settings(max_examples=40)
def test_equals_the_sum_over_orderings(windows, alpha):
  terms = grw_smoothing.smoothing_terms(tf.constant(windows), alpha)
  expected = brute_force(windows, alpha)
  np.testing.assert_allclose(
    terms.smoothing_loss, expected, rtol=1e-4, atol=1e-4
  )


@pytest.mark.parametrize('window', range(3, 13))
def test_a_collapsed_window_costs_exactly_log_factorial(window):
  terms = grw_smoothing.smoothing_terms(tf.ones([2, window, 4]))
  np.testing.assert_allclose(
    terms.smoothing_loss, math.lgamma(window), rtol=1e-6
  )
  assert terms.order_accuracy == 0  # No order is likelier than another.


@pytest.mark.parametrize('window', [3, 5, 7])
def test_dynamic_program_and_enumeration_agree(window):
  velocity = grw_smoothing.velocities(
    tf.constant(random_windows(20, window, 6))
  )
  gram = grw_smoothing.velocity_gram(velocity)
  listed = orderings.listed_energies(
    gram, orderings.enumerate_orderings(window)
  )
  exact = orderings.exact_energies(gram, window)
  for name in listed._fields:
    np.testing.assert_allclose(
      getattr(exact, name),
      getattr(listed, name),
      rtol=1e-5,
      atol=1e-5,
      err_msg=name,
    )


def test_a_long_window_is_exact_in_value_and_gradient():
  windows = random_windows(2, 8, 3)
  loss, gradient = value_and_gradient(windows)
  np.testing.assert_allclose(loss, brute_force(windows), rtol=1e-5)
  step = 1e-4
  for index in [(0, 0, 0), (1, 3, 2), (0, 7, 1)]:
    nudged = windows.copy()
    nudged[index] += step
    lower = windows.copy()
    lower[index] -= step
    slope = (brute_force(nudged) - brute_force(lower)) / (2 * step)
    np.testing.assert_allclose(gradient[index], slope, rtol=1e-3, atol=1e-5)


@hypothesis.given(st.integers(0, 10**6), st.integers(3, 8))
@hypothesis.settings(max_examples=15)
def test_moving_and_turning_the_embeddings_changes_nothing(seed, window):
  rng = np.random.default_rng(seed)
  windows = rng.standard_normal([3, window, 5])
  turn, _ = np.linalg.qr(rng.standard_normal([5, 5]))
  loss, _ = value_and_gradient(windows)
  moved, _ = value_and_gradient(windows @ turn + rng.standard_normal(5))
  np.testing.assert_allclose(moved, loss, rtol=1e-4, atol=1e-4)


def test_straight_motion_is_cheap_and_shuffled_motion_is_dear():
  line = np.arange(5)[:, np.newaxis] * np.full([1, 16], 1.0)
  shuffled = line[[0, 3, 1, 4, 2]]
  straight = grw_smoothing.smoothing_terms(tf.constant(line[np.newaxis]))
  broken = grw_smoothing.smoothing_terms(tf.constant(shuffled[np.newaxis]))
  assert straight.order_loss < 1e-3 < 10 < broken.order_loss
  assert straight.order_accuracy == 1 and broken.order_accuracy == 0
  np.testing.assert_allclose(straight.mean_speed, 4.0, rtol=1e-6)
  np.testing.assert_allclose(straight.mean_acceleration, 0.0, atol=1e-3)


@pytest.mark.parametrize('window', [9, 12])
def test_the_true_order_is_told_from_its_rivals_in_long_windows(window):
  line = np.cumsum(1 + np.arange(window) / window)[:, np.newaxis]
  swapped = line.copy()
  swapped[[2, 3]] = swapped[[3, 2]]
  windows = tf.constant(np.stack([line, swapped]), tf.float32)
  assert grw_smoothing.smoothing_terms(windows).order_accuracy == 0.5


def test_a_sample_that_holds_every_ordering_is_exact():
  windows = random_windows(4, 6, 8)
  exact, _ = value_and_gradient(windows)
  sampled, _ = value_and_gradient(windows, sampled=True, num_orderings=120)
  assert exact == sampled


def test_sampled_orderings_are_seeded_distinct_and_hold_the_true_one():
  drawn = orderings.sample_orderings(10, 1000, 3)
  assert drawn.shape == (1000, 81)
  assert len(np.unique(drawn, axis=0)) == 1000
  straight = grw_smoothing.velocity_gram(tf.ones([1, 9, 1])).numpy()
  assert drawn[0] @ straight[0] == 0 < (drawn[1:] @ straight[0]).min()
  np.testing.assert_array_equal(
    drawn, orderings.sample_orderings.__wrapped__(10, 1000, 3)
  )
  assert np.any(drawn != orderings.sample_orderings(10, 1000, 4))


def test_sampling_sees_the_same_rivals_in_expectation():
  windows = random_windows(8, 9, 4, scale=0.02)  # Nearly all orders alike.
  terms = grw_smoothing.smoothing_terms(
    tf.constant(windows), sampled=True, num_orderings=1000
  )
  np.testing.assert_allclose(terms.order_loss, math.log(1000), rtol=1e-2)


def test_windows_beyond_twelve_frames_are_sampled():
  terms = grw_smoothing.smoothing_terms(tf.zeros([1, 16, 4]))
  np.testing.assert_allclose(terms.order_loss, math.log(1000), rtol=1e-6)


@pytest.mark.parametrize('scale', [0.0, 1e-6, 1.0, 1e4])
@pytest.mark.parametrize('window', [3, 5, 9])
def test_finite_for_collapsed_tiny_and_huge_embeddings(window, scale):
  loss, gradient = value_and_gradient(
    random_windows(4, window, 480, scale=scale)
  )
  assert np.isfinite(loss) and np.all(np.isfinite(gradient))
  _, straight = value_and_gradient(
    scale * np.arange(window)[np.newaxis, :, np.newaxis] * np.ones(480)
  )
  assert np.all(np.isfinite(straight))


def test_a_remainder_of_frames_takes_no_part():
  embeddings = tf.constant(random_windows(2, 13, 4), tf.float32)
  whole = grw_smoothing.cut_windows(embeddings[:, :10], 5)
  cut = grw_smoothing.cut_windows(embeddings, 5)
  assert cut.shape == (4, 5, 4)
  np.testing.assert_array_equal(cut, whole)
  np.testing.assert_array_equal(cut[1], embeddings[0, 5:10])


@pytest.mark.parametrize('window', [4, 8])
def test_windows_without_weight_are_as_if_they_were_not_there(window):
  windows = random_windows(6, window, 5)
  kept = np.array([1, 0, 1, 1, 0, 1], bool)
  loss, gradient = value_and_gradient(
    windows, weights=tf.constant(kept, tf.float32)
  )
  expected, expected_gradient = value_and_gradient(windows[kept])
  assert loss == pytest.approx(expected, rel=1e-5)
  np.testing.assert_allclose(
    gradient[kept], expected_gradient, rtol=1e-4, atol=1e-6
  )
  assert not gradient[~kept].any()
  terms = grw_smoothing.smoothing_terms(
    tf.constant(windows, tf.float32), weights=tf.constant(kept, tf.float32)
  )
  for name, value in (
    grw_smoothing.smoothing_terms(tf.constant(windows[kept], tf.float32))
    ._asdict()
    .items()
  ):
    assert float(getattr(terms, name)) == pytest.approx(
      float(value), rel=1e-5
    ), name


def test_no_window_at_all_costs_nothing_and_has_no_gradient():
  loss, gradient = value_and_gradient(
    random_windows(3, 5, 4), weights=tf.zeros([3])
  )
  assert loss == 0.0
  np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_windows_are_weighted_by_the_frames_they_hold():
  weights = grw_smoothing.window_weights(tf.constant([10, 9, 4, 11]), 11, 5)
  assert weights.numpy().tolist() == [1, 1, 1, 0, 0, 0, 1, 1]


def test_clips_shorter_than_a_window_are_refused():
  with pytest.raises(ValueError, match='window of 5 .* 4 embeddings'):
    grw_smoothing.cut_windows(tf.zeros([1, 4, 2]), 5)


@pytest.mark.parametrize('frames', [4, None])
def test_a_layer_refuses_short_clips_in_training_alone(frames):
  """The same where their length is known only at run time."""
  layer = grw_smoothing.GrwSmoothing()

  @tf.function(input_signature=[tf.TensorSpec([None, frames, 2])])
  def infer(embeddings):
    outputs = layer(embeddings, training=False)
    return outputs, layer.terms

  @tf.function(input_signature=[tf.TensorSpec([None, frames, 2])])
  def train(embeddings):
    layer(embeddings, training=True)
    return layer.terms

  outputs, terms = infer(tf.ones([3, 4, 2]))
  np.testing.assert_array_equal(outputs, np.ones([3, 4, 2]))
  assert all(float(term) == 0.0 for term in terms)
  with pytest.raises(
    (ValueError, tf.errors.InvalidArgumentError), match='window of 5 frames'
  ):
    train(tf.ones([3, 4, 2]))


def test_frames_may_be_unknown_until_run_time():
  layer = grw_smoothing.GrwSmoothing()

  @tf.function(input_signature=[tf.TensorSpec([None, None, 4])])
  def order_loss(embeddings):
    layer(embeddings)
    return layer.terms.order_loss

  embeddings = tf.constant(random_windows(2, 12, 4), tf.float32)
  np.testing.assert_allclose(
    order_loss(embeddings),
    grw_smoothing.smoothing_terms(
      grw_smoothing.cut_windows(embeddings, 5)
    ).order_loss,
    rtol=1e-6,
  )


@pytest.mark.parametrize('window', [5, 9, 13])
def test_compiles_with_xla_to_the_same_loss_and_gradient(window):
  windows = random_windows(3, window, 8)
  compiled = tf.function(value_graph, jit_compile=True)
  loss, gradient = compiled(tf.constant(windows, tf.float32))
  expected, expected_gradient = value_and_gradient(windows)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)


def value_graph(windows):
  with tf.GradientTape() as tape:
    tape.watch(windows)
    loss = grw_smoothing.smoothing_terms(windows).smoothing_loss
  return loss, tape.gradient(loss, windows)


def test_layer_returns_its_input_and_adds_its_weighted_loss():
  layer = grw_smoothing.GrwSmoothing(window=4, alpha=0.25, weight=0.3)
  embeddings = tf.constant(random_windows(2, 9, 6), tf.float32)
  np.testing.assert_array_equal(layer(embeddings), embeddings)
  expected = grw_smoothing.smoothing_terms(
    grw_smoothing.cut_windows(embeddings, 4), 0.25
  ).smoothing_loss
  np.testing.assert_allclose(layer.losses, [0.3 * expected], rtol=1e-6)


def test_layer_of_weight_zero_measures_but_adds_nothing():
  layer = grw_smoothing.GrwSmoothing(weight=0.0)
  layer(tf.constant(random_windows(2, 5, 6), tf.float32))
  assert not layer.losses
  assert layer.terms.order_loss > 0


def test_layer_computes_in_float32_under_a_bfloat16_policy():
  embeddings = tf.constant(random_windows(4, 5, 8), tf.float32)
  expected = grw_smoothing.smoothing_terms(embeddings).smoothing_loss
  tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    layer = grw_smoothing.GrwSmoothing(weight=1.0)
    layer(embeddings)
  finally:
    tf_keras.mixed_precision.set_global_policy('float32')
  assert layer.losses[0].dtype == tf.float32
  np.testing.assert_allclose(layer.losses[0], expected, rtol=1e-6)


def test_stock_fit_minimizes_it():
  inputs = tf_keras.Input([5, 3])
  layer = grw_smoothing.GrwSmoothing(weight=1.0)
  model = tf_keras.Model(inputs, layer(tf_keras.layers.Dense(3)(inputs)))
  model.compile(tf_keras.optimizers.Adam(0.03))
  clips = random_windows(16, 5, 3, scale=1.0).astype(np.float32)
  before = model.evaluate(clips, verbose=0)
  model.fit(clips, epochs=40, verbose=0)
  assert model.evaluate(clips, verbose=0) < 0.8 * before


def test_layer_config_is_complete():
  layer = grw_smoothing.GrwSmoothing(
    window=14, alpha=0.1, weight=0.2, sampled=True, num_orderings=7, seed=9
  )
  again = grw_smoothing.GrwSmoothing.from_config(layer.get_config())
  assert again.get_config() == layer.get_config()
  assert again.num_orderings == 7 and again.window == 14


@pytest.mark.parametrize(
  'argument, message',
  [
    ({'window': 2}, 'at least 3 frames'),
    ({'alpha': -1.0}, 'must not be negative'),
    ({'weight': -0.1}, 'must not be negative'),
    ({'num_orderings': 1}, 'at least 2'),
  ],
)
def test_layer_refuses_what_cannot_work(argument, message):
  with pytest.raises(ValueError, match=message):
    grw_smoothing.GrwSmoothing(**argument)
