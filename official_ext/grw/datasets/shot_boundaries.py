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

"""Where one shot of a video ends and another begins, by what frames look like.

Frames are compared by thumbnails of 32 x 32 pixels, averages over equal parts
of the frame, in hue h, saturation s and value v of [0, 1].  The content score
of two frames is

    255/3 · mean over pixels of ( 2·min(s, s′)·δ(h, h′) + |s − s′| + |v − v′| )

with δ the distance of hues around their circle, up to ½.  It is on the scale of
the content detector of PySceneDetect, whose default threshold is 27.  Other
than there, red of hue 0 and red of hue 1 are the same, and the hue of gray,
which is noise, does not count.  Thumbnails are what a small motion or noise
changes little.

The frames of a clip may lie some time apart, and then motion scores higher than
between neighbors of the video: where clips have few frames a second, the
threshold has to be higher.
"""

import tensorflow as tf

THUMBNAIL = 32


def content_scores(frames: tf.Tensor) -> tf.Tensor:
  """How unlike each frame is to the one before it.

  Args:
    frames: [..., N, height, width, 3] uint8, or floats in [0, 255].

  Returns:
    [..., N−1] float32 in [0, 255].
  """
  shape = tf.shape(frames)
  flat = tf.reshape(frames, tf.concat([[-1], shape[-3:]], axis=0))
  thumbnails = tf.image.resize(flat, [THUMBNAIL, THUMBNAIL], 'area') / 255.0
  hsv = tf.reshape(
    tf.image.rgb_to_hsv(thumbnails),
    tf.concat([shape[:-3], [THUMBNAIL**2, 3]], axis=0),
  )
  before, after = hsv[..., :-1, :, :], hsv[..., 1:, :, :]
  hue, saturation, value = tf.unstack(tf.abs(after - before), axis=-1)
  around = tf.minimum(hue, 1.0 - hue)
  color = tf.minimum(before[..., 1], after[..., 1])
  differences = 2.0 * color * around + saturation + value
  return 85.0 * tf.reduce_mean(differences, axis=-1)


def find(frames: tf.Tensor, threshold: float) -> tf.Tensor:
  """Marks the first frame of each shot but the first.

  Args:
    frames: [..., N, height, width, 3] uint8, or floats in [0, 255].
    threshold: the content score from which two frames are of two shots.

  Returns:
    [..., N] bool; the first frame of a clip is not marked.
  """
  cuts = content_scores(frames) >= threshold
  return tf.concat([tf.zeros_like(cuts[..., :1]), cuts], axis=-1)
