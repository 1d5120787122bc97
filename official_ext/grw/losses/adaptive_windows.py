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

What is compared.  A window w of T frames from frame s on has the order loss

    order(w) = −log p(true order),  p among all (T−1)! orderings

which cannot be compared between lengths as it is: embeddings that tell nothing
of the order (all the same) cost log (T−1)!, more for longer windows.  So each
window is measured by chance:

    surprise(w) = order(w) / log (T−1)!

is 0 where the order is certain, 1 where all orderings are alike, and above 1
where others are likelier, whatever T is.  A clip, or each shot of it, is parted
into windows side by side from its first frame on, of T_min to T_max frames, so
that

    Σ_w T_w · surprise(w)

is smallest: the mean over frames of the surprise of the window that each is in.
Of the partitions only those are compared that leave the fewest frames at the
end out of all windows.  They cover the same frames, so that the sum and the
mean are smallest together.

*   `order_surprise`: the window of the greatest length contains those of all
    lengths from the same frame on.  The dynamic program over its orderings
    passes through sets of the first frames only, whose sums are theirs, so one
    pass has them all (`orderings.beginning_order_losses`).
*   `segmentation`: the best partition by dynamic programming over where windows
    end (Viterbi).

The choice is not differentiated.  The loss is that of the windows chosen, each
frame counting the same (`grw_smoothing.mixed_terms`).  With a single length
the partition is windows of that length side by side, and the loss is the one
without a choice.
"""

import math

import tensorflow as tf

from official_ext.grw.losses import orderings
from official_ext.grw.losses import window_places
from official_ext.grw.losses import window_sizes


def order_surprise(grams: tf.Tensor, longest: int) -> tf.Tensor:
  """Order losses by chance, of windows of all lengths from the same frame on.

  Args:
    grams: [windows, (T_max−1)²] Gram matrices of velocities.
    longest: T_max, up to 12.

  Returns:
    [windows, T_max−2] float32, of the windows of the first 3, 4, … T_max
    frames.
  """
  lengths = range(window_sizes.MIN_WINDOW, longest + 1)
  by_chance = [math.log(math.factorial(length - 1)) for length in lengths]
  return orderings.beginning_order_losses(grams, longest) / tf.constant(
    by_chance, tf.float32
  )


def segmentation(
  surprise: tf.Tensor,
  shots: window_places.Shots,
  shortest: int,
  longest: int,
) -> tf.Tensor:
  """The lengths of the windows that part clips best.

  Args:
    surprise: [batch · windows, T_max−2] from `order_surprise`, clip by clip, of
      windows from frame 0, 1, … N−T_min on.
    shots: of N frames each.
    shortest: T_min.
    longest: T_max.

  Returns:
    [batch, N] int32: the frames of the window that begins with a frame, 0 where
    none does.
  """
  first, end = shots
  batch, length = tf.shape(first)[0], tf.shape(first)[1]
  lengths = tf.range(shortest, longest + 1)
  costs = tf.reshape(
    surprise[:, shortest - window_sizes.MIN_WINDOW :],
    [batch, length - shortest + 1, longest - shortest + 1],
  ) * tf.cast(lengths, tf.float32)
  # Where windows end, 0 … N: [N+1, batch, lengths].
  ends = tf.range(length + 1)[:, tf.newaxis]
  starts = ends - lengths
  places = tf.clip_by_value(starts, 0, length - shortest)
  indices = tf.stack(
    [places, tf.broadcast_to(lengths - shortest, tf.shape(places))], axis=-1
  )
  costs = tf.gather_nd(tf.transpose(costs, [1, 2, 0]), indices)
  whole = tf.gather(tf.transpose(end), places) >= ends[..., tf.newaxis]
  whole &= (starts >= 0)[..., tf.newaxis]
  costs = tf.transpose(tf.where(whole, costs, math.inf), [0, 2, 1])
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
    place, costs_here, new_shot = element
    totals = least[:, shortest - 1 :] + costs_here
    total = tf.reduce_min(totals, axis=1)
    reached = tf.math.is_finite(total)
    chosen = tf.where(
      reached, shortest + tf.argmin(totals, axis=1, output_type=tf.int32), 0
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
    (places, costs[1:], begins[1:]),
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
