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

"""Convolutions on videos whose sizes are known, or are not."""

import itertools

import numpy as np
from official.projects.movinet.modeling import movinet_layers
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401  # Replaces `call`.

SHAPE = (2, 5, 6, 8, 3)
# Size of the kernel, strides and padding.
OF_FRAMES = {
  'smaller': ((3, 3), (2, 2), 'valid'),
  'halved': ((3, 3), (2, 2), 'same'),
  'as large': ((3, 3), (1, 1), 'same'),
}
OVER_TIME = (3, 1), (1, 1), 'valid'
KINDS = (*OF_FRAMES, 'over time')


def layers(kind):
  """The convolution as a video's, and as of the images or rows it is made of.

  They share a variable.
  """
  use_temporal = kind == 'over time'
  size, strides, padding = OVER_TIME if use_temporal else OF_FRAMES[kind]
  of_videos = movinet_layers.MobileConv2D(
    4,
    size,
    strides=strides,
    padding=padding,
    use_bias=False,
    use_temporal=use_temporal,
    activation_op=tf.nn.relu,
  )

  def of_pieces(videos):
    batch, frames, rows, columns, channels = videos.shape
    if use_temporal:
      pieces = videos.reshape(batch, frames, rows * columns, channels)
    else:
      pieces = videos.reshape(batch * frames, rows, columns, channels)
    found = np.maximum(of_videos._conv(pieces).numpy(), 0)
    if use_temporal:
      return found.reshape(batch, -1, rows, columns, 4)
    return found.reshape(batch, frames, *found.shape[1:])

  return of_videos, of_pieces


@pytest.mark.parametrize('kind', KINDS)
def test_it_computes_the_same_whichever_sizes_are_known(kind):
  of_videos, of_pieces = layers(kind)
  videos = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
  of_videos(videos)
  want = of_pieces(videos)
  for known in itertools.product([True, False], repeat=4):
    shape = [size if k else None for size, k in zip(SHAPE, (*known, True))]
    function = tf.function(of_videos).get_concrete_function(
      tf.TensorSpec(shape, tf.float32)
    )
    got = function(tf.constant(videos))
    np.testing.assert_array_equal(got, want)
    # A size is known afterwards if it is before.
    known_after = [size is not None for size in function.output_shapes[:4]]
    assert known_after == list(known)


@pytest.mark.parametrize('kind', KINDS)
def test_known_sizes_are_no_operations(kind):
  of_videos, _ = layers(kind)
  for batch in (2, None):
    function = tf.function(of_videos).get_concrete_function(
      tf.TensorSpec([batch, *SHAPE[1:]], tf.float32)
    )
    types = {operation.type for operation in function.graph.get_operations()}
    assert not types & {'Shape', 'StridedSlice', 'Pack'}


@pytest.mark.parametrize('kind', KINDS)
def test_unknown_sizes_are_asked_once_of_each_tensor(kind):
  of_videos, _ = layers(kind)
  function = tf.function(of_videos).get_concrete_function(
    tf.TensorSpec([None] * 4 + [3], tf.float32)
  )
  asked = [
    operation.inputs[0].name
    for operation in function.graph.get_operations()
    if operation.type == 'Shape'
  ]
  assert 1 <= len(asked) == len(set(asked)) <= 2


def test_no_clips_stay_no_clips():
  of_videos, _ = layers('smaller')
  assert of_videos(tf.zeros([0, *SHAPE[1:]])).shape[:2] == (0, 5)
