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

"""RandAugment draws its magnitudes, and is otherwise the stock one."""

import numpy as np
from official.vision.ops import augment
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import drawn_magnitude
from tests import tiny

OPERATIONS = augment.RandAugment().available_ops
MAGNITUDES = (0.0, 0.3, 7.0, 9.9)
# Half of the time these go the other way.
SIGNED = ('Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')
ATTEMPTS = 3


@pytest.fixture(scope='module')
def clip():
  return tf.constant(tiny.clip(1, seed=0, frames=4))


@pytest.fixture(scope='module')
def drawn(clip):
  """What each operation makes of a clip, by name, attempt and magnitude."""
  augmenter = drawn_magnitude.RandAugment()

  def distort(magnitude):
    return {name: augmenter.apply(name, clip, magnitude) for name in OPERATIONS}

  tf_keras.utils.set_random_seed(1)
  magnitudes = tf.constant([MAGNITUDES + (10.0,)] * ATTEMPTS)
  dataset = tf.data.Dataset.from_tensor_slices(tf.reshape(magnitudes, [-1]))
  return next(iter(dataset.map(distort).batch(len(dataset))))


def pictures(distorted):
  return {picture.tobytes() for picture in distorted}


@pytest.mark.parametrize('name', sorted(set(OPERATIONS) - {'Cutout'}))
def test_operations_do_the_same_with_a_drawn_magnitude_as_with_a_number(
  name, drawn, clip
):
  ours = drawn[name].numpy().reshape(ATTEMPTS, -1, *clip.shape)
  for index, magnitude in enumerate(MAGNITUDES):
    function, _, args = augment._parse_policy_info(
      name, 1.0, magnitude, [128] * 3, 40.0, 100.0
    )
    stock = [function(clip, None, *args)[0].numpy()]
    if name in SIGNED:
      stock.append(function(clip, None, -args[0], *args[1:])[0].numpy())
    assert pictures(ours[:, index]) <= pictures(stock)


def test_cutout_grays_a_box(drawn, clip):
  changed = drawn['Cutout'] != clip
  np.testing.assert_array_equal(drawn['Cutout'].numpy()[changed], 128)
  share = np.mean(changed, axis=(1, 2, 3, 4))
  assert 0 < share.min() and share.max() < 0.5


def test_the_largest_magnitude_solarizes_nothing(drawn, clip):
  """Its threshold is 256, of which uint8 makes 0 in the stock one."""
  strongest = (
    drawn['Solarize'].numpy().reshape(ATTEMPTS, -1, *clip.shape)[:, -1]
  )
  np.testing.assert_array_equal(strongest, [clip] * ATTEMPTS)


@pytest.mark.parametrize('spread', [0.5, 1.5])
def test_magnitudes_have_the_deviation_of_the_config(spread):
  augmenter = drawn_magnitude.RandAugment(magnitude=5, magnitude_std=spread)
  tf_keras.utils.set_random_seed(1)
  dataset = tf.data.Dataset.range(1000)
  magnitudes = list(
    dataset.map(lambda _: augmenter.draw_magnitude()).as_numpy_iterator()
  )
  np.testing.assert_allclose(np.mean(magnitudes), 5, atol=0.1 * spread)
  np.testing.assert_allclose(np.std(magnitudes), spread, rtol=0.08)


@pytest.mark.parametrize('magnitude', [0, 10])
def test_magnitudes_stay_within_their_bounds(magnitude):
  augmenter = drawn_magnitude.RandAugment(
    magnitude=magnitude, magnitude_std=0.5
  )
  drawn = [float(augmenter.draw_magnitude()) for _ in range(20)]
  assert 0 <= min(drawn) < max(drawn) <= 10


def distorted(augmenter, clip, count):
  """Clips out of a data pipeline, repeatably."""
  tf_keras.utils.set_random_seed(3)
  dataset = tf.data.Dataset.from_tensors(clip).repeat(count)
  return np.array([one.numpy() for one in dataset.map(augmenter.distort)])


def test_without_a_deviation_it_is_the_stock_one(clip):
  values = dict(num_layers=1, prob_to_apply=0.8)
  ours = distorted(drawn_magnitude.RandAugment(**values), clip, 20)
  stock = distorted(augment.RandAugment(**values), clip, 20)
  assert len(pictures(stock)) > 5
  np.testing.assert_array_equal(ours, stock)


def test_clips_of_any_type_are_distorted_in_it(clip):
  augmenter = drawn_magnitude.RandAugment(
    num_layers=2,
    magnitude_std=0.5,
    prob_to_apply=0.5,
    exclude_ops=OPERATIONS[2:],
  )
  pixels = tf.cast(clip, tf.float32)
  results = distorted(augmenter, pixels, 20)
  assert results.dtype == np.float32 and results.shape == (20, *clip.shape)
  assert pixels.numpy().tobytes() in pictures(results)
  assert len(pictures(results)) > 2
