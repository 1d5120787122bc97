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

"""Windows begin anew at a cut: the loss is that of the shots."""

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import window_places


def clips(batch, frames, dim=3, seed=0):
  rng = np.random.default_rng(seed)
  return tf.constant(
    0.3 * rng.standard_normal([batch, frames, dim]), tf.float32
  )


def marks(shots_of_clips):
  """[batch, N] bool from the lengths of the shots of each clip."""
  cuts = np.zeros([len(shots_of_clips), sum(shots_of_clips[0])], bool)
  for clip, lengths in zip(cuts, shots_of_clips):
    clip[np.cumsum(lengths)[:-1]] = True
  return tf.constant(cuts)


def pieces(embeddings, shots_of_clips, num_frames=None):
  """The shots of all clips, as clips of their own without repeated frames."""
  for number, lengths in enumerate(shots_of_clips):
    count = embeddings.shape[1] if num_frames is None else num_frames[number]
    ends = np.cumsum(lengths)
    for end, length in zip(ends, lengths):
      piece = embeddings[number : number + 1, end - length : min(end, count)]
      if piece.shape[1]:
        yield piece


def of_pieces(layer, shots, training):
  """Terms and loss of all windows of the shots, by the layer on each."""
  means, windows = [], []
  for shot in shots:
    if not training or shot.shape[1] >= layer.window:
      layer(shot, training=training)
      means.append(layer.terms)
      windows.append(layer.terms.num_windows)
  total = tf.add_n(windows) if windows else tf.constant(0.0)
  mean = {
    name: tf.math.divide_no_nan(
      sum(n * getattr(terms, name) for n, terms in zip(windows, means)), total
    )
    for name in ('smoothing_loss', 'order_loss', 'speed_loss', 'order_accuracy')
  }
  return mean, total


def shots_of(length):
  return st.lists(st.integers(1, length), min_size=1, max_size=length).map(
    lambda lengths: [
      min(n, length - sum(lengths[:i]))
      for i, n in enumerate([*lengths, length])
      if sum(lengths[:i]) < length
    ]
  )


@st.composite
def cut_clips(draw):
  length = draw(st.integers(4, 14))
  batch = draw(st.integers(1, 3))
  shots = [draw(shots_of(length)) for _ in range(batch)]
  counts = draw(
    st.none() | st.lists(st.integers(1, length), min_size=batch, max_size=batch)
  )
  return shots, counts


@pytest.mark.parametrize('phase', ['fixed', 'overlapping'])
@hypothesis.given(cut_clips(), st.integers(3, 4))
@hypothesis.settings(max_examples=15, deadline=None)
def test_the_loss_of_cut_clips_is_that_of_the_shots(phase, cut, window):
  shots, counts = cut
  embeddings = clips(len(shots), sum(shots[0]))
  layer = grw_smoothing.GrwSmoothing(window=window, weight=1.0, phase=phase)
  training = phase != 'fixed'  # Inference and fixed training are the same.
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(embeddings)
    layer(
      embeddings,
      num_frames=None if counts is None else tf.constant(counts),
      cuts=marks(shots),
      training=training,
    )
    terms, [loss] = layer.terms, layer.losses
    expected, total = of_pieces(
      layer, pieces(embeddings, shots, counts), training
    )
  assert terms.num_windows == total
  for name, value in expected.items():
    np.testing.assert_allclose(
      getattr(terms, name), value, rtol=1e-4, atol=1e-6, err_msg=name
    )
  gradient = tape.gradient(loss, embeddings)
  wanted = tape.gradient(expected['smoothing_loss'], embeddings)
  np.testing.assert_allclose(
    gradient, np.zeros_like(gradient) if wanted is None else wanted, atol=1e-5
  )


def test_without_cuts_and_with_none_marked_the_loss_is_the_same():
  embeddings = clips(2, 11)
  for phase in ('fixed', 'overlapping'):
    layer = grw_smoothing.GrwSmoothing(window=4, phase=phase)
    layer(embeddings, training=True)
    plain = layer.terms
    layer(embeddings, training=True, cuts=tf.zeros([2, 11], tf.bool))
    for name, value in plain._asdict().items():
      np.testing.assert_allclose(getattr(layer.terms, name), value, rtol=1e-6)
    # The first frame begins a shot, whether it is marked or not.
    layer(embeddings, training=True, cuts=marks([[11]] * 2) | FIRST)
    np.testing.assert_allclose(layer.terms[0], plain[0], rtol=1e-6)


FIRST = tf.constant([[True] + [False] * 10])


@pytest.mark.parametrize('phase', ['fixed', 'random', 'overlapping'])
def test_clips_without_a_whole_window_cost_nothing_and_are_counted(phase):
  shots = [[1] * 9, [3, 2, 4], [9]]  # T = 5: only the last has a window.
  embeddings = clips(3, 9) + tf.constant([[[1e3]], [[0.0]], [[0.0]]])
  layer = grw_smoothing.GrwSmoothing(weight=1.0, phase=phase)
  with tf.GradientTape() as tape:
    tape.watch(embeddings)
    layer(embeddings, training=True, cuts=marks(shots))
    [loss] = layer.losses
  gradient = tape.gradient(loss, embeddings).numpy()
  assert layer.clips_without_window == 2
  assert np.isfinite(gradient).all() and loss > 0
  assert not gradient[:2].any() and gradient[2].any()

  layer(embeddings[:2], training=True, cuts=marks(shots[:2]))
  assert layer.losses == [0.0] and layer.clips_without_window == 2
  layer(embeddings, training=True, num_frames=tf.constant([4, 5, 9]))
  assert layer.clips_without_window == 1
  layer(embeddings[:, :4], training=False)
  assert layer.clips_without_window == 3
  layer(embeddings, training=True)
  assert layer.clips_without_window == 0


def test_what_a_cut_leaves_out_is_not_looked_at():
  embeddings = clips(1, 9).numpy()
  embeddings[0, 5:] *= 1e25  # Squares overflow float32.
  layer = grw_smoothing.GrwSmoothing()
  layer(tf.constant(embeddings), training=True, cuts=marks([[5, 4]]))
  alone = grw_smoothing.smoothing_terms(embeddings[:, :5])
  np.testing.assert_allclose(layer.terms[0], alone[0], rtol=1e-6)


@hypothesis.given(shots_of(12), st.integers(3, 5))
@hypothesis.settings(max_examples=20, deadline=None)
def test_random_windows_of_a_shot_average_to_all_of_them(lengths, window):
  shots = window_places.shots(clips(1, 12), None, marks([lengths]))
  for end, length in zip(np.cumsum(lengths), lengths):
    room = length - window + 1
    shares = np.zeros(12)
    for draw in (np.arange(max(room, 1)) + 0.5) / max(room, 1):
      starts = window_places.side_by_side(
        shots, window, tf.constant(draw, tf.float32)
      )
      here = starts.numpy()[0] & (np.arange(12) >= end - length)
      here &= np.arange(12) < end
      shares += here / max(here.sum(), 1)
    expected = np.zeros(12)
    expected[end - length : max(end - window + 1, 0)] = 1.0
    np.testing.assert_allclose(shares, expected)


@hypothesis.given(st.data(), st.integers(1, 3), st.integers(3, 5))
@hypothesis.settings(max_examples=20, deadline=None)
def test_a_vector_of_frames_of_two_shots_is_parted_from_both(
  data, frames, vectors
):
  cuts = data.draw(
    st.lists(
      st.booleans(), min_size=frames * vectors, max_size=frames * vectors
    )
  )
  found = window_places.cuts_of_vectors(tf.constant([cuts]), vectors).numpy()[0]
  shot = np.cumsum([False, *cuts[1:]])
  shots = shot.reshape(vectors, frames)
  for vector in range(1, vectors):
    alike = len(set(shots[vector - 1]) | set(shots[vector])) == 1
    assert found[vector] == (not alike)


@pytest.mark.parametrize('phase', ['fixed', 'random', 'overlapping'])
def test_compiles_with_xla_and_takes_any_length(phase):
  embeddings, cuts = clips(2, 10), marks([[7, 3], [4, 6]])
  layer = grw_smoothing.GrwSmoothing(window=6, weight=1.0, phase=phase)

  def step(embeddings, cuts):
    with tf.GradientTape() as tape:
      tape.watch(embeddings)
      layer(embeddings, training=True, cuts=cuts)
      [loss] = layer.losses
    return loss, tape.gradient(loss, embeddings), layer.terms.num_windows

  any_length = tf.function(
    step,
    input_signature=[
      tf.TensorSpec([None, None, 3]),
      tf.TensorSpec([None, None], tf.bool),
    ],
  )
  compiled = tf.function(step, jit_compile=True)
  for run in (compiled, any_length):
    loss, gradient, count = run(embeddings, cuts)
    assert count == (3 if phase == 'overlapping' else 2)
    assert np.isfinite(gradient).all() and loss > 0
    if phase != 'random':
      np.testing.assert_allclose(loss, step(embeddings, cuts)[0], rtol=1e-5)
