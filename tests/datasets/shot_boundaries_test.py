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

"""Cuts are found in the frames that the model gets."""

import colorsys

import hypothesis
from hypothesis import strategies as st
import numpy as np
from official.vision.configs import common
import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import shot_boundaries
from official_ext.grw.datasets import video_input
from tests import tiny

N, SIZE = 6, 16


def reference_score(one, other):
  """The content score of two thumbnails, pixel by pixel."""
  total = 0.0
  for before, after in zip(one.reshape(-1, 3), other.reshape(-1, 3)):
    h, s, v = colorsys.rgb_to_hsv(*(before / 255))
    h2, s2, v2 = colorsys.rgb_to_hsv(*(after / 255))
    around = min(abs(h - h2), 1 - abs(h - h2))
    total += 2 * min(s, s2) * around + abs(s - s2) + abs(v - v2)
  return 255 / 3 * total / (len(one) * len(one[0]))


@hypothesis.given(st.integers(0, 999), st.booleans())
@hypothesis.settings(max_examples=10, deadline=None)
def test_the_score_is_the_mean_difference_of_thumbnails(seed, floating):
  rng = np.random.default_rng(seed)
  thumbnails = rng.integers(0, 256, [3, 32, 32, 3])
  # Four pixels of a frame for each of the thumbnail.
  frames = thumbnails.repeat(2, axis=1).repeat(2, axis=2)
  scores = shot_boundaries.content_scores(
    tf.constant(frames, tf.float32 if floating else tf.uint8)
  )
  expected = [
    reference_score(*pair) for pair in zip(thumbnails, thumbnails[1:])
  ]
  np.testing.assert_allclose(scores, expected, rtol=1e-3)


@pytest.mark.parametrize(
  'one, other, score',
  [
    ((0, 0, 0), (255, 255, 255), 85.0),
    ((255, 0, 4), (255, 4, 0), 0.0),  # Both red, of hues 0.99 and 0.
    ((128, 128, 128), (128, 128, 128), 0.0),
    ((129, 128, 128), (128, 128, 129), 0.0),  # The hue of gray is noise.
    ((255, 0, 0), (0, 255, 255), 85.0),
  ],
)
def test_scores_of_plain_colors(one, other, score):
  frames = np.zeros([2, SIZE, SIZE, 3], np.uint8)
  frames[0], frames[1] = one, other
  found = shot_boundaries.content_scores(frames)
  np.testing.assert_allclose(found, [score], atol=1.0)


def video(shades):
  """Frames of one color each; shades that are far apart are of other shots."""
  frames = np.zeros([len(shades), SIZE, 24, 3], np.uint8)
  return frames + np.array(shades, np.uint8)[:, np.newaxis, np.newaxis, None]


@pytest.fixture(name='path', scope='module')
def path_fixture(tmp_path_factory):
  """A video with cuts at frames 2 and 5, one of 4 frames, one without cuts."""
  path = str(tmp_path_factory.mktemp('cuts') / 'records')
  with tf.io.TFRecordWriter(path) as writer:
    for label, shades in enumerate(
      [[20, 25, 200, 205, 210, 90], [30, 35, 200, 205], [50] * 6]
    ):
      writer.write(tiny.record(video(shades), label))
  return path


def batch(path, threshold=10.0, **values):
  params = schema.DataConfig(
    **{
      'input_path': path,
      'feature_shape': (N, SIZE, SIZE, 3),
      'min_image_size': SIZE,
      'num_classes': 3,
      'global_batch_size': 3,
      'is_training': False,
      'drop_remainder': False,
      'shuffle_buffer_size': 1,
      **values,
    }
  )
  dataset = video_input.build_video_dataset(params, cut_threshold=threshold)
  return next(iter(dataset))[0], dataset.element_spec[0]


CUTS = [
  [False, False, True, False, False, True],
  # The clip begins again with its first frame after the fourth.
  [False, False, True, False, True, False],
  [False] * 6,
]


@pytest.mark.parametrize('is_training', [True, False])
@pytest.mark.parametrize('values', [{}, {'augment': False}, {'seed': 3}])
def test_training_and_evaluation_mark_the_same_cuts(path, is_training, values):
  features, spec = batch(path, is_training=is_training, **values)
  assert spec[feature_names.CUTS].shape[1:] == [N]
  np.testing.assert_array_equal(features[feature_names.CUTS], CUTS)
  np.testing.assert_array_equal(features[feature_names.NUM_FRAMES], [6, 4, 6])


def test_frames_are_compared_as_they_are_sampled(path):
  features, _ = batch(
    path,
    feature_shape=(3, SIZE, SIZE, 3),
    temporal_stride=2,
    clip_start='start',
  )
  np.testing.assert_array_equal(
    features[feature_names.CUTS],
    [[False, True, False], [False, True, True], [False] * 3],
  )


def test_each_view_has_its_own(path):
  features, _ = batch(
    path,
    feature_shape=(4, SIZE, SIZE, 3),
    num_test_clips=2,
    num_test_crops=3,
    short_clips='drop',
  )
  # From frame 0 and from frame 2 on, crop by crop.
  first = [CUTS[0][:4], [False, *CUTS[0][3:]]] * 3
  np.testing.assert_array_equal(features[feature_names.CUTS][:6], first)
  assert features['image'].shape[0] == len(features[feature_names.CUTS]) == 18


def test_the_threshold_is_on_the_scale_of_255(path):
  # A step from 210 to 90 of 255 in value alone scores a third of it, 40.
  for threshold, found in ((38.0, True), (42.0, False)):
    features, _ = batch(path, threshold)
    assert features[feature_names.CUTS][0, 5] == found


def test_a_mixed_clip_has_the_cuts_of_both(path):
  features, _ = batch(
    path,
    is_training=True,
    one_hot=False,
    drop_remainder=True,
    mixup_and_cutmix=common.MixupAndCutmix(),
  )
  cuts = np.array(CUTS)
  np.testing.assert_array_equal(features[feature_names.CUTS], cuts | cuts[::-1])


def test_nobody_who_does_not_ask_gets_them(path):
  features, _ = batch(path, threshold=None)
  assert feature_names.CUTS not in features
