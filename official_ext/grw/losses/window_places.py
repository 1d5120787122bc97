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

"""Where the windows of the loss are, in clips that cuts part into shots.

Windows of a shot are those of a clip that has no other frames: they begin anew
with it, and none spans two.  All shapes are known before the cuts are, so that
the functions compile for every device.
"""

from typing import NamedTuple

import tensorflow as tf


class Shots(NamedTuple):
  """The shot that each frame of a clip is of; [batch, N] int32.

  Attributes:
    first: its first frame.
    end: the first frame after it, or after the frames that take part.
  """

  first: tf.Tensor
  end: tf.Tensor


def shots(
  embeddings: tf.Tensor,
  num_frames: tf.Tensor | None,
  cuts: tf.Tensor | None,
) -> Shots:
  """Finds the shot of each frame.

  Args:
    embeddings: [batch, N, D].
    num_frames: [batch] int, how many frames of each clip, from the first, take
      part; None takes all.
    cuts: [batch, N] bool, true for the first frame of a shot, whether or not it
      is true for the first of the clip; None has clips of one shot.
  """
  batch, length = tf.shape(embeddings)[0], tf.shape(embeddings)[1]
  frames = tf.range(embeddings.shape[1] or length)
  if cuts is None:
    first = tf.zeros_like(frames)[tf.newaxis] + tf.zeros([batch, 1], tf.int32)
    end = first + length
  else:
    not_after = frames <= frames[:, tf.newaxis]
    cuts = tf.cast(cuts, tf.bool)[:, tf.newaxis]
    first = tf.reduce_max(tf.where(cuts & not_after, frames, 0), axis=2)
    end = tf.reduce_min(tf.where(cuts & ~not_after, frames, length), axis=2)
  if num_frames is not None:
    end = tf.minimum(end, tf.cast(num_frames, tf.int32)[:, tf.newaxis])
  return Shots(first, end)


def everywhere(shots_of_frames: Shots, window: int) -> tf.Tensor:
  """[batch, N] bool: the frames from which a window of T fits into the shot."""
  frames = tf.range(tf.shape(shots_of_frames.end)[1])
  return frames + window <= shots_of_frames.end


def side_by_side(
  shots_of_frames: Shots, window: int, draw: tf.Tensor | None = None
) -> tf.Tensor:
  """The first frames of windows that do not overlap, [batch, N] bool.

  Args:
    shots_of_frames: from `shots`.
    window: T.
    draw: a scalar in [0, 1): of the windows that fit into a shot of L frames,
      the one from its frame ⌊draw · (L − T + 1)⌋ on takes part, and so the
      windows beside it.  A draw from the uniform distribution lets each take
      part as likely.  None: windows begin with the shot.
  """
  first, end = shots_of_frames
  place = tf.range(tf.shape(first)[1]) - first
  if draw is not None:
    room = tf.maximum(end - first - window + 1, 1)
    drawn = tf.cast(draw * tf.cast(room, tf.float32), tf.int32)
    place -= tf.minimum(drawn, room - 1) % window
  starts = (place >= 0) & (place % window == 0)
  return starts & everywhere(shots_of_frames, window)


def take(
  embeddings: tf.Tensor, starts: tf.Tensor, window: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Takes windows that do not overlap out of clips.

  Args:
    embeddings: [batch, N, D]; N is at least T.
    starts: [batch, N] bool, whether a window begins with a frame.
    window: T.

  Returns:
    windows: [batch · ⌊N/T⌋, T, D], clip by clip.  What a clip has less of is
      filled up with one frame, T times.
    weights: [batch · ⌊N/T⌋] float32, 1 for windows and 0 for what is filled up.
  """
  length = embeddings.shape[1] or tf.shape(embeddings)[1]
  # Greatest first are the earliest windows.
  order = tf.where(starts, length - tf.range(length), 0)
  order, first = tf.math.top_k(order, length // window)
  is_window = tf.cast(order > 0, tf.int32)
  frames = tf.range(window) * is_window[..., tf.newaxis]
  windows = tf.gather(embeddings, first[..., tf.newaxis] + frames, batch_dims=1)
  return (
    tf.reshape(windows, [-1, window, embeddings.shape[-1]]),
    tf.cast(tf.reshape(is_window, [-1]), tf.float32),
  )


def cuts_of_vectors(cuts: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
  """Where feature vectors begin a shot: [batch, N] to [batch, M] bool.

  Vector k is of frames kF … kF + F − 1, F = ⌊N / M⌋.  It begins a shot where
  one of the frames from kF − F + 1 to kF + F − 1 does, 0 excepted: one that
  mixes two shots is parted from both.

  Args:
    cuts: [batch, N] bool, of frames.
    count: M, vectors of a clip.
  """
  frames = (cuts.shape[1] or tf.shape(cuts)[1]) // count
  by_vector = tf.reshape(
    cuts[:, : count * frames], [tf.shape(cuts)[0], count, frames]
  )
  mixes = tf.reduce_any(by_vector[:, :, 1:], axis=2)
  mixed_before = tf.pad(mixes[:, :-1], [[0, 0], [1, 0]])
  return by_vector[:, :, 0] | mixes | mixed_before
