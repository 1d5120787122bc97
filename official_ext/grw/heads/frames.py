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

"""The frames of a clip that take part."""

import tensorflow as tf


def mean_of_frames(
  features: tf.Tensor, num_frames: tf.Tensor | None = None
) -> tf.Tensor:
  """The mean over the first frames: [batch, N, D] → [batch, D].

  Args:
    features: [batch, N, D].
    num_frames: [batch] int, at least 1; None takes all N.
  """
  if num_frames is None:
    return tf.reduce_mean(features, axis=1)
  taken = tf.sequence_mask(num_frames, tf.shape(features)[1], features.dtype)
  return (
    tf.reduce_sum(features * taken[..., tf.newaxis], axis=1)
    / tf.cast(num_frames, features.dtype)[:, tf.newaxis]
  )


def last_frames(frames: tf.Tensor, count: int) -> tf.Tensor:
  """The last `count` of [batch, M, D]; all of them without a copy."""
  return frames if frames.shape[1] == count else frames[:, -count:]
