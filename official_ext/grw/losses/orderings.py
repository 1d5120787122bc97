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

"""How likely is the true order of a window among all orderings of its frames?

A window of T embeddings z_0 … z_{T−1} enters only through the Gram matrix of
its velocities v_t = z_{t+1} − z_t.  The accelerations of any ordering π of
the frames (frame 0 stays first) are a fixed linear map A_π of the velocities,
so its energy

    E_π = ½ Σ_t ‖a_t^π‖² = ½ ⟨A_πᵀ A_π, V Vᵀ⟩

is a linear function of the (T−1)×(T−1) Gram matrix V Vᵀ, whatever the width D
of the embeddings: no permuted copy of them is ever made.  Velocities rather
than positions keep float32 accurate, because the true order, which decides
the loss, has the smallest coefficients in them.

Three ways to sum exp(−E_π) over orderings, Goldman et al. (NeurIPS 2025,
arXiv 2511.20928), Section 3:

*   `enumerate_orderings`: all (T−1)! of them as one matrix product;
*   `sample_orderings`: k of them, drawn uniformly;
*   `exact_energies`: all of them by dynamic programming, for windows whose
    (T−1)! is too large to list.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# (T−1)! = 720 orderings at T = 7.  From T = 8 on the dynamic program visits
# fewer terms (3,360) than there are orderings (5,040).
MAX_ENUMERATED_WINDOW = 7


class OrderEnergies(NamedTuple):
  """What one window's orderings come to; every field has shape [windows].

  Attributes:
    true: E of the true order.
    free: −log Σ_π exp(−E_π) over all orderings considered, the true one too.
    best_wrong: the smallest E among the orderings other than the true one.
  """

  true: tf.Tensor
  free: tf.Tensor
  best_wrong: tf.Tensor


def _positions_from_velocities(window: int) -> np.ndarray:
  """The [T, T−1] map from velocities to positions relative to frame 0."""
  return np.tril(np.ones((window, window - 1)), -1)


def _energy_coefficients(orderings: np.ndarray) -> np.ndarray:
  """Coefficients of ½ Σ‖a^π‖² in the Gram matrix of velocities.

  Args:
    orderings: [P, T] integers, each row an ordering of the T frames.

  Returns:
    [P, (T−1)²] float32.
  """
  window = orderings.shape[1]
  second_difference = np.zeros((window - 2, window))
  for t in range(window - 2):
    second_difference[t, t : t + 3] = 1, -2, 1
  positions = _positions_from_velocities(window)[orderings]  # [P, T, T−1]
  accelerations = np.einsum('at,ptv->pav', second_difference, positions)
  coefficients = 0.5 * np.einsum('pav,paw->pvw', accelerations, accelerations)
  return coefficients.reshape([len(orderings), -1]).astype(np.float32)


@functools.cache
def enumerate_orderings(window: int) -> np.ndarray:
  """Coefficients [(T−1)!, (T−1)²] of every ordering, the true one first."""
  rest = itertools.permutations(range(1, window))
  return _energy_coefficients(np.array([(0,) + order for order in rest]))


@functools.cache
def sample_orderings(window: int, count: int, seed: int) -> np.ndarray:
  """Coefficients [≤ count, (T−1)²] of distinct uniform orderings.

  The true order is always the first.  The draw depends on `seed` alone, so
  that the loss of a fixed window does not change from step to step.

  Args:
    window: T, frames in a window.
    count: how many orderings to sum over; all (T−1)! if they are fewer.
    seed: the seed of the draw.
  """
  if count >= math.factorial(window - 1):
    return enumerate_orderings(window)
  rng = np.random.default_rng(seed)
  chosen = {tuple(range(1, window)): None}  # A dict keeps the order of draws.
  while len(chosen) < count:
    chosen.setdefault(tuple(int(t) for t in 1 + rng.permutation(window - 1)))
  return _energy_coefficients(np.array([(0,) + order for order in chosen]))


def listed_energies(gram: tf.Tensor, coefficients: np.ndarray) -> OrderEnergies:
  """Energies of orderings given one by one.

  Args:
    gram: [windows, (T−1)²] float32, the flattened Gram matrix of velocities.
    coefficients: [P, (T−1)²] from `enumerate_orderings` or
      `sample_orderings`; the first row is the true order.
  """
  energies = tf.matmul(gram, tf.constant(coefficients), transpose_b=True)
  return OrderEnergies(
    true=energies[:, 0],
    free=-tf.reduce_logsumexp(-energies, axis=1),
    best_wrong=tf.reduce_min(energies[:, 1:], axis=1),
  )


# Set of frames used, last but one, last.
_State = tuple[tuple[int, ...], int, int]


class _Layer(NamedTuple):
  """Transitions into the states that have used one more frame.

  Attributes hold, for each state, the indices of its predecessors in the layer
  before, and of the triples (i, j, k) whose acceleration the step adds.
  """

  predecessors: np.ndarray  # [states, predecessors]
  triples: np.ndarray  # [states, predecessors]
  true_state: int  # The state that the true order passes through.
  true_column: int  # Which of its predecessors the true order comes from.


@functools.cache
def _program(window: int) -> tuple[np.ndarray, tuple[_Layer, ...]]:
  """The dynamic program over orderings of frames 1 … T−1 after frame 0.

  Returns:
    coefficients: [triples, (T−1)²] of ½‖z_i − 2 z_j + z_k‖² in the Gram matrix
      of velocities.
    layers: from two frames used (after frame 0) to all T−1.
  """
  triples: dict[tuple[int, int, int], int] = {}

  def triple(i, j, k):  # An acceleration is the same read backwards.
    return triples.setdefault((min(i, k), j, max(i, k)), len(triples))

  frames = range(1, window)
  states: dict[_State, int] = {
    ((j,), 0, j): index for index, j in enumerate(frames)
  }
  layers = []
  true_state = 0
  for used in range(2, window):
    grown: dict[_State, int] = {}
    predecessors, indices = [], []
    for subset in itertools.combinations(frames, used):
      for j, k in itertools.permutations(subset, 2):
        before = tuple(t for t in subset if t != k)
        firsts = [0] if used == 2 else [t for t in before if t != j]
        grown[subset, j, k] = len(grown)
        predecessors.append([states[before, i, j] for i in firsts])
        indices.append([triple(i, j, k) for i in firsts])
    before_true = true_state
    true_state = grown[tuple(range(1, used + 1)), used - 1, used]
    layers.append(
      _Layer(
        np.array(predecessors, np.int32),
        np.array(indices, np.int32),
        true_state,
        predecessors[true_state].index(before_true),
      )
    )
    states = grown

  positions = _positions_from_velocities(window)
  i, j, k = np.array(list(triples)).T
  steps = positions[i] - 2 * positions[j] + positions[k]
  coefficients = 0.5 * np.einsum('pv,pw->pvw', steps, steps)
  return (
    coefficients.reshape([len(triples), -1]).astype(np.float32),
    tuple(layers),
  )


def exact_energies(gram: tf.Tensor, window: int) -> OrderEnergies:
  """Sums over all (T−1)! orderings by dynamic programming.

  Orderings that have used the same frames and end in the same two share all
  that is to come, so their sums are carried together: F[S ∪ k, j, k] =
  log Σ_i exp(F[S, i, j] − ½‖z_i − 2 z_j + z_k‖²), log-sum-exp at every step.
  T = 10 costs 32,256 terms in place of 362,880 orderings of eight each.

  Args:
    gram: [windows, (T−1)²] float32, the flattened Gram matrix of velocities.
    window: T.
  """
  coefficients, layers = _program(window)
  # Windows are the last axis: gathering a state copies one contiguous row.
  costs = tf.matmul(
    tf.constant(coefficients), gram, transpose_b=True
  )  # [triples, windows]

  sums = tf.zeros([window - 1, tf.shape(gram)[0]], gram.dtype)
  best, true = sums, sums[0]  # Smallest energies; energy of the true order.
  # `best_wrong` is the smallest energy with which another ordering than the
  # true one reaches the state that the true one passes through.
  best_wrong = tf.fill([tf.shape(gram)[0]], tf.constant(np.inf, gram.dtype))
  true_state = 0
  for layer in layers:
    costs_in = tf.gather(costs, layer.triples)
    sums = tf.reduce_logsumexp(
      tf.gather(sums, layer.predecessors) - costs_in, axis=1
    )

    column = layer.true_column
    step_costs = tf.stop_gradient(costs_in)
    into_true = tf.gather(best, layer.predecessors[layer.true_state])
    into_true = tf.concat(
      [into_true[:column], best_wrong[tf.newaxis], into_true[column + 1 :]], 0
    )
    best_wrong = tf.reduce_min(into_true + step_costs[layer.true_state], axis=0)
    best = tf.reduce_min(
      tf.gather(best, layer.predecessors) + step_costs, axis=1
    )
    true += tf.gather(costs, layer.triples[layer.true_state, column])
    true_state = layer.true_state
  others = tf.concat(
    [best[:true_state], best[true_state + 1 :], best_wrong[tf.newaxis]], 0
  )
  return OrderEnergies(
    true=true,
    free=-tf.reduce_logsumexp(sums, axis=0),
    best_wrong=tf.stop_gradient(tf.reduce_min(others, axis=0)),
  )


def beginning_order_losses(gram: tf.Tensor, window: int) -> tf.Tensor:
  """−log p(true order) of all windows that begin a window, in one pass.

  The dynamic program of `exact_energies` adds up the orderings of each set of
  frames that may come first.  Those of frames 1 … t−1 are the orderings of the
  window of the first t frames.

  Args:
    gram: [windows, (T−1)²] float32, the flattened Gram matrix of velocities.
    window: T.

  Returns:
    [windows, T−2] float32, in nats, of the first 3, 4, … T frames.
  """
  coefficients, layers = _program(window)
  costs = tf.matmul(tf.constant(coefficients), gram, transpose_b=True)
  sums = tf.zeros([window - 1, tf.shape(gram)[0]], gram.dtype)
  true = sums[0]
  losses = []
  for used, layer in enumerate(layers, start=2):
    sums = tf.reduce_logsumexp(
      tf.gather(sums, layer.predecessors) - tf.gather(costs, layer.triples),
      axis=1,
    )
    true += tf.gather(costs, layer.triples[layer.true_state, layer.true_column])
    # The first subset is that of frames 1 … `used`, which any two may end.
    of_first = sums[: used * (used - 1)]
    losses.append(true + tf.reduce_logsumexp(of_first, axis=0))
  return tf.stack(losses, axis=1)
