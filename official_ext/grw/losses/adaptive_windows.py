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

"""Windows whose lengths suit how the embeddings of a clip move.

A random walk over a window supposes that its frames move alike.  Where a motion
turns or stops, two short windows that meet there describe it better than a
long one that spans it; where it goes on, a long one tells more.  Goldman et al.
(NeurIPS 2025, arXiv 2511.20928, Section 5) name content of abrupt transitions
as a limit of a fixed window; this is one way to lift it.

What is compared.  A window w of T frames has the loss order(w) + α · speed(w),
of which neither term can be compared between lengths as it is.  Embeddings that
tell nothing of the order (all the same) have an order loss of log (T−1)!, more
where there are more orderings; and an even motion has a speed loss for each of
T−1 steps.  So each is measured by what it grows with:

    surprise(w) = order(w) / log (T−1)!
    cost(w) = surprise(w) + α · speed(w) / (T−1)

The surprise is 0 where the order is certain, 1 where all orderings are alike,
and above 1 where others are likelier, whatever T is; it is less for long
windows of a steady motion and more where a motion turns.  The other term is the
mean over steps, which one jump raises: that alone shows where a path jumps and
goes on, since the order of such frames is clear.  A clip, or each shot of it,
is parted into windows side by side from its first frame on, of T_min to T_max
frames, so that

    Σ_w T_w · cost(w)

is smallest: the mean over frames of the cost of the window that each is in.
Of the partitions only those are compared that leave the fewest frames at the
end out of all windows.  They cover the same frames, so that the sum and the
mean are smallest together.

*   `costs`: the window of the greatest length contains those of all lengths
    from the same frame on.  The dynamic program over its orderings passes
    through sets of the first frames only, whose sums are theirs, so one pass
    has them all (`orderings.beginning_order_losses`).
*   `segmentation`: the best partition by dynamic programming over where windows
    end (Viterbi).

The choice is not differentiated.  The loss is that of the windows chosen, each
frame counting the same (`grw_smoothing.mixed_terms`).  With a single length
the partition is windows of that length side by side, and the loss is the one
without a choice.
"""

import math

import numpy as np
import tensorflow as tf

from official_ext.grw.losses import orderings
from official_ext.grw.losses import window_places
from official_ext.grw.losses import window_sizes


def costs(grams: tf.Tensor, longest: int, alpha: float) -> tf.Tensor:
  """Costs of windows of all lengths from the same frame on.

  Args:
    grams: [windows, (T_max−1)²] Gram matrices of velocities.
    longest: T_max, up to 12.
    alpha: α, the weight of the speed term.

  Returns:
    [windows, T_max−2] float32, of the windows of the first 3, 4, … T_max
    frames.
  """
  lengths = np.arange(window_sizes.MIN_WINDOW, longest + 1)
  by_chance = [math.log(math.factorial(length - 1)) for length in lengths]
  surprise = orderings.beginning_order_losses(grams, longest) / tf.constant(
    by_chance, tf.float32
  )
  squared_speed = grams[:, ::longest]  # The diagonal of the Gram matrix.
  speed = 0.5 * tf.cumsum(squared_speed, axis=1)[:, 1:]
  return surprise + alpha * speed / tf.constant(lengths - 1, tf.float32)


def segmentation(
  window_costs: tf.Tensor,
  shots: window_places.Shots,
  shortest: int,
  longest: int,
) -> tf.Tensor:
  """The lengths of the windows that part clips best.

  Args:
    window_costs: [batch · windows, T_max−2] from `costs`, clip by clip, of
      windows from frame 0, 1, … N−T_min on.
    shots: the shots of N frames each.
    shortest: T_min.
    longest: T_max.

  Returns:
    [batch, N] int32: the frames of the window that begins with a frame, 0 where
    none does.
  """
  first, end = shots
  batch, length = tf.shape(first)[0], tf.shape(first)[1]
  lengths = tf.range(shortest, longest + 1)
  totals = tf.reshape(
    window_costs[:, shortest - window_sizes.MIN_WINDOW :],
    [batch, length - shortest + 1, longest - shortest + 1],
  ) * tf.cast(lengths, tf.float32)
  # Where windows end, 0 … N: [N+1, batch, lengths].
  ends = tf.range(length + 1)[:, tf.newaxis]
  starts = ends - lengths
  places = tf.clip_by_value(starts, 0, length - shortest)
  indices = tf.stack(
    [places, tf.broadcast_to(lengths - shortest, tf.shape(places))], axis=-1
  )
  totals = tf.gather_nd(tf.transpose(totals, [1, 2, 0]), indices)
  whole = tf.gather(tf.transpose(end), places) >= ends[..., tf.newaxis]
  whole &= (starts >= 0)[..., tf.newaxis]
  totals = tf.transpose(tf.where(whole, totals, math.inf), [0, 2, 1])
  # True for the first frame of each shot, and the frame after the clip.
  begins = tf.transpose(tf.equal(first, tf.range(length)))
  begins = tf.concat([begins, tf.ones([1, batch], tf.bool)], axis=0)

  def forward(state, element):
    """From the best partitions of shots before a frame to those before it too.

    Of the state: the least costs of the partitions that end at the T_max
    places before, the last first; and the last place in the shot, up to here,
    where one ends.
    """
    least, last, _, _ = state
    place, of_windows, new_shot = element
    sums = least[:, shortest - 1 :] + of_windows
    total = tf.reduce_min(sums, axis=1)
    reached = tf.math.is_finite(total)
    chosen = tf.where(
      reached, shortest + tf.argmin(sums, axis=1, output_type=tf.int32), 0
    )
    last = tf.where(reached, place, last)
    total = tf.where(new_shot, 0.0, total)
    least = tf.concat([total[:, tf.newaxis], least[:, :-1]], axis=1)
    return least, tf.where(new_shot, place, last), chosen, last

  nothing = tf.zeros([batch], tf.int32)
  start = tf.concat(
    [tf.zeros([batch, 1]), tf.fill([batch, longest - 1], math.inf)], axis=1
  )
  places = tf.range(1, length + 1)
  _, _, chosen, last = tf.scan(
    forward,
    (places, totals[1:], begins[1:]),
    (start, nothing, nothing, nothing),
  )

  def backward(state, element):
    """Goes back through the windows of the best partitions.

    Of the state: the place up to which windows are still to be named.
    """
    left, _ = state
    place, chosen_here, last_here, new_shot = element
    left = tf.where(new_shot & (left == place), last_here, left)
    window = tf.where(left == place, chosen_here, 0)
    return left - window, window

  _, windows = tf.scan(
    backward,
    (places, chosen, last, begins[1:]),
    (tf.fill([batch], length), nothing),
    reverse=True,
  )
  # From where windows end to where they begin.
  windows = tf.transpose(windows)
  frames = tf.range(length)
  chosen = tf.zeros_like(windows)
  for window in range(shortest, longest + 1):
    ahead = tf.gather(windows, tf.minimum(frames + window, length) - 1, axis=1)
    begins_here = (ahead == window) & (frames + window <= length)
    chosen = tf.where(begins_here, window, chosen)
  return chosen
