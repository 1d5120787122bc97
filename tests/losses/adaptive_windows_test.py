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

"""Windows whose lengths are chosen by how their frames move."""

import itertools
import math

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.losses import adaptive_windows
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import window_places


def clips(batch, frames, dim=3, seed=0, scale=0.6):
  rng = np.random.default_rng(seed)
  return scale * rng.standard_normal([batch, frames, dim])


def order_loss(window):
  """−log p(true order) of [T, D], by listing the orderings in float64."""
  orders = itertools.permutations(range(1, len(window)))
  energies = np.array(
    [0.5 * np.sum(np.diff(window[[0, *o]], 2, axis=0) ** 2) for o in orders]
  )
  least = energies.min()
  return energies[0] - least + np.log(np.sum(np.exp(least - energies)))


def cost(window, alpha=0.5):
  """What a frame of the window costs."""
  surprise = order_loss(window) / math.log(math.factorial(len(window) - 1))
  steps = np.diff(window, axis=0)
  return surprise + alpha * 0.5 * np.mean(np.sum(steps**2, axis=-1))


def partitions(length, shortest, longest):
  """Lengths of windows side by side that leave the fewest frames over."""

  def all_of(left):
    yield []
    for window in range(shortest, min(longest, left) + 1):
      for rest in all_of(left - window):
        yield [window, *rest]

  found = list(all_of(length))
  most = max(map(sum, found))
  return [windows for windows in found if sum(windows) == most]


def best_cost(shot, shortest, longest):
  """The least Σ T · cost of all partitions of [L, D], by trying each."""

  def total(windows):
    starts = np.cumsum([0, *windows])
    return sum(
      length * cost(shot[start : start + length])
      for start, length in zip(starts, windows)
    )

  return min(total(p) for p in partitions(len(shot), shortest, longest))


def chosen(embeddings, shortest, longest, num_frames=None, cuts=None):
  """The lengths of windows by where they begin, [batch, N]."""
  embeddings = tf.constant(embeddings, tf.float32)
  padded = tf.pad(embeddings, [[0, 0], [0, longest - shortest], [0, 0]])
  grams = grw_smoothing.overlapping_grams(padded, longest)
  return adaptive_windows.segmentation(
    adaptive_windows.costs(grams, longest, 0.5),
    window_places.shots(embeddings, num_frames, cuts),
    shortest,
    longest,
  ).numpy()


def trained(embeddings, num_frames=None, cuts=None, **settings):
  """The layer after a training step, its loss and the gradient of that."""
  layer = grw_smoothing.GrwSmoothing(weight=1.0, **settings)
  embeddings = tf.constant(embeddings, tf.float32)
  with tf.GradientTape() as tape:
    tape.watch(embeddings)
    layer(embeddings, num_frames=num_frames, training=True, cuts=cuts)
    [loss] = layer.losses
  return layer, loss, tape.gradient(loss, embeddings)


@hypothesis.given(st.integers(0, 99), st.sampled_from([0.01, 0.6, 3.0]))
@hypothesis.settings(max_examples=8, deadline=None)
def test_one_pass_knows_the_windows_of_all_lengths(seed, scale):
  windows = clips(2, 7, seed=seed, scale=scale)
  grams = grw_smoothing.velocity_gram(
    grw_smoothing.velocities(tf.constant(windows, tf.float32))
  )
  for alpha in (0.0, 0.7):
    expected = [
      [cost(window[:length], alpha) for length in range(3, 8)]
      for window in windows
    ]
    np.testing.assert_allclose(
      adaptive_windows.costs(grams, 7, alpha), expected, rtol=1e-3, atol=1e-4
    )


@st.composite
def problems(draw):
  length = draw(st.integers(3, 11))
  shortest = draw(st.integers(3, min(length, 4)))
  longest = draw(st.integers(shortest, 6))
  count = draw(st.integers(1, length))
  cuts = draw(st.lists(st.booleans(), min_size=length, max_size=length))
  return length, shortest, longest, count, cuts, draw(st.integers(0, 99))


@hypothesis.given(problems())
@hypothesis.settings(max_examples=30, deadline=None)
def test_the_partition_is_the_best_of_all(problem):
  length, shortest, longest, count, cuts, seed = problem
  [clip] = clips(1, length, seed=seed)
  [found] = chosen(
    clip[np.newaxis],
    shortest,
    longest,
    tf.constant([count]),
    tf.constant([cuts]),
  )
  bounds = [0, *(n for n in range(1, count) if cuts[n]), count]
  covered = 0
  for begin, end in itertools.pairwise(bounds):
    place, total = begin, 0.0
    while place < end and found[place]:
      window = int(found[place])
      assert shortest <= window <= longest and place + window <= end
      total += window * cost(clip[place : place + window])
      place += window
      covered += 1
    np.testing.assert_allclose(
      total, best_cost(clip[begin:end], shortest, longest), rtol=1e-4, atol=1e-4
    )
    # Side by side from the first frame of the shot on.
    assert place - begin == sum(partitions(end - begin, shortest, longest)[0])
  assert np.count_nonzero(found) == covered, 'a window lies elsewhere'


@pytest.mark.parametrize('window', [3, 5, 8])
@pytest.mark.parametrize('counts', [None, [17, 9]])
def test_a_single_length_is_the_loss_without_a_choice(window, counts):
  embeddings = clips(2, 17)
  counts = None if counts is None else tf.constant(counts)
  settings = {'window': window, 'alpha': 0.7}
  plain, loss, gradient = trained(embeddings, counts, **settings)
  layer, same, same_gradient = trained(
    embeddings, counts, window_range=[window, window], **settings
  )
  np.testing.assert_allclose(same, loss, rtol=1e-6)
  np.testing.assert_allclose(same_gradient, gradient, rtol=1e-5, atol=1e-6)
  for name, value in plain.terms._asdict().items():
    np.testing.assert_allclose(
      getattr(layer.terms, name), value, rtol=1e-6, err_msg=name
    )


def test_the_loss_is_a_mean_over_frames_of_the_windows_chosen():
  embeddings = clips(2, 13, seed=3)
  found = chosen(embeddings, 3, 6)
  assert len(set(found.flat)) > 2, 'the test could not fail'
  order = speed = frames = 0
  for clip, lengths in zip(embeddings, found):
    for start in np.flatnonzero(lengths):
      window = clip[start : start + lengths[start]]
      order += order_loss(window)
      speed += 0.5 * np.sum(np.diff(window, axis=0) ** 2)
      frames += len(window)
  layer, loss, _ = trained(embeddings, window=5, window_range=[3, 6])
  terms = layer.terms
  np.testing.assert_allclose(terms.order_loss, 5 * order / frames, rtol=1e-4)
  np.testing.assert_allclose(terms.speed_loss, 5 * speed / frames, rtol=1e-4)
  np.testing.assert_allclose(loss, terms[1] + 0.5 * terms[2], rtol=1e-5)
  assert terms.num_windows == np.count_nonzero(found)


def test_windows_meet_where_a_motion_jumps_and_last_while_it_goes_on():
  time = np.arange(12)
  straight = np.stack([time, time], axis=-1)
  jump = straight + [0, 9] * (time > 4)[:, np.newaxis]
  [found] = chosen(jump[np.newaxis], 3, 8)
  assert found[0] == 5 and found[5]
  [found] = chosen(0.2 * straight[np.newaxis, :8], 3, 8)
  assert found[0] == 8


@pytest.mark.parametrize('scale', [0.0, 1e-6, 1e4])
def test_degenerate_embeddings_have_finite_losses_and_gradients(scale):
  embeddings = clips(2, 12, scale=scale)
  _, loss, gradient = trained(embeddings, window=5, window_range=[3, 8])
  assert np.isfinite(loss) and np.isfinite(gradient).all()
  if not scale:
    # Whatever the partition, frames that tell nothing cost log (T−1)! a window.
    assert float(loss) > 5 / 12 * math.log(2)


def test_clips_without_a_window_cost_nothing_and_are_counted():
  embeddings = clips(3, 7)
  cuts = tf.constant([[True] * 7, [False] * 7, [False] * 7])
  layer, loss, gradient = trained(
    embeddings, tf.constant([7, 2, 7]), cuts, window=4, window_range=[3, 5]
  )
  assert layer.clips_without_window == 2 and loss > 0
  assert not gradient.numpy()[:2].any() and gradient.numpy()[2].any()
  layer, loss, gradient = trained(
    embeddings[:2], tf.constant([7, 2]), cuts[:2], window=4, window_range=[3, 5]
  )
  assert loss == 0 and not gradient.numpy().any()


def test_inference_measures_windows_of_t_frames():
  embeddings = tf.constant(clips(2, 11), tf.float32)
  plain = grw_smoothing.GrwSmoothing(window=4)
  adaptive = grw_smoothing.GrwSmoothing(window=4, window_range=[3, 6])
  plain(embeddings, training=False)
  adaptive(embeddings, training=False)
  assert adaptive.terms == plain.terms
  same = grw_smoothing.GrwSmoothing.from_config(adaptive.get_config())
  assert same.window_range == (3, 6)


def test_compiles_with_xla_and_takes_any_length():
  layer = grw_smoothing.GrwSmoothing(window=4, weight=1.0, window_range=[3, 6])

  def step(embeddings):
    with tf.GradientTape() as tape:
      tape.watch(embeddings)
      layer(embeddings, training=True)
      [loss] = layer.losses
    return loss, tape.gradient(loss, embeddings)

  embeddings = tf.constant(clips(2, 10), tf.float32)
  expected, gradient = step(embeddings)
  for run in (
    tf.function(step, jit_compile=True),
    tf.function(step, input_signature=[tf.TensorSpec([None, None, 3])]),
  ):
    loss, found = run(embeddings)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(found, gradient, atol=1e-5)


@pytest.mark.parametrize(
  'settings, message',
  [
    ({'window_range': [6, 8]}, 'window_range=.*shortest <= window=5'),
    ({'window_range': [2, 8]}, '3 <= shortest'),
    ({'window_range': [5, 13]}, '<= longest <= 12'),
    ({'window_range': [5]}, 'shortest, longest'),
    ({'window_range': [3, 6], 'phase': 'random'}, "phase='random'"),
    ({'window_range': [3, 6], 'sampled': True}, 'got sampled=True'),
  ],
)
def test_lengths_that_cannot_be_chosen_from_are_refused(settings, message):
  with pytest.raises(ValueError, match=message):
    grw_smoothing.GrwSmoothing(**settings)
