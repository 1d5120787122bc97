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

"""Claims about windows that are free to be where L_smooth is least."""

import csv
import io
import math

import cv2
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.reports import smoothing_scale


@pytest.fixture(name='minima', scope='module')
def minima_fixture():
  return [smoothing_scale.minimize(window) for window in (3, 4, 6, 8)]


@pytest.mark.parametrize('alpha', [0.1, 0.5, 2.0])
def test_three_points_are_where_the_closed_form_is(alpha):
  """Of three points there are two orderings.

  With the speeds x and y along a line, L = log(1 + exp(−μr²)) + ½αr², where
  r² = x² + y² and μ is the larger eigenvalue of the form 3xy + 3y²/2, at
  y/x the golden ratio.
  """
  golden = (1 + math.sqrt(5)) / 2
  eigenvalue = 1.5 * golden
  squared = math.log(2 * eigenvalue / alpha - 1) / eigenvalue
  loss = math.log1p(math.exp(-eigenvalue * squared)) + alpha / 2 * squared
  radius = math.sqrt(squared / (1 + golden**2)) * (1 + golden)

  minimum = smoothing_scale.minimize(3, alpha)
  assert minimum.loss == pytest.approx(loss, abs=1e-6)
  assert minimum.radius == pytest.approx(radius, rel=1e-3)
  speeds = np.linalg.norm(np.diff(minimum.points, axis=0), axis=1)
  assert speeds[1] / speeds[0] == pytest.approx(golden, rel=1e-2)
  # On a line the path is the radius.
  assert minimum.path_length == pytest.approx(radius, rel=1e-3)


def test_it_is_a_minimum(minima):
  rng = np.random.default_rng(0)
  for minimum in minima:
    moved = minimum.points + rng.normal(0, 0.1, (100, *minimum.points.shape))
    losses = [
      float(
        grw_smoothing.smoothing_terms(
          tf.constant(points[np.newaxis], tf.float32)
        ).smoothing_loss
      )
      for points in moved
    ]
    assert min(losses) > minimum.loss


def test_the_radius_is_within_the_theorem(minima):
  for minimum in minima:
    # A collapsed window costs log (T−1)!, which is more.
    collapsed = float(
      grw_smoothing.smoothing_terms(
        tf.zeros([1, minimum.window, 2])
      ).smoothing_loss
    )
    assert collapsed == pytest.approx(
      math.log(math.factorial(minimum.window - 1))
    )
    assert minimum.loss < collapsed
    assert minimum.radius <= minimum.path_length + 1e-9
    assert minimum.path_length < minimum.bound
    assert minimum.bound < math.sqrt(2 / minimum.alpha) * minimum.rate


def test_the_radius_grows_more_slowly_than_the_theorem_allows(minima):
  ratios = [minimum.radius / minimum.rate for minimum in minima]
  assert 0.2 < min(ratios) and max(ratios) < 0.45
  assert np.all(np.diff(ratios) < 0)
  assert np.all(np.diff([minimum.radius for minimum in minima]) > 0)
  ratio, exponent = smoothing_scale.fit(minima)
  assert min(ratios) < ratio < max(ratios)
  assert 0.4 < exponent < 0.8


def test_the_same_each_time():
  first, second = (smoothing_scale.minimize(4) for _ in range(2))
  assert np.array_equal(first.points, second.points)


def test_the_report_has_a_row_and_a_curve_for_each_window(minima, tmp_path):
  folder = tmp_path / 'new' / 'folder'
  smoothing_scale.write_report(minima, folder)
  assert sorted(path.name for path in folder.iterdir()) == [
    f'smoothing_scale.{kind}' for kind in ('csv', 'md', 'png')
  ]
  rows = list(
    csv.DictReader(
      io.StringIO((folder / 'smoothing_scale.csv').read_text('utf-8'))
    )
  )
  assert [row['T'] for row in rows] == ['3', '4', '6', '8']
  for row, minimum in zip(rows, minima):
    assert float(row['radius']) == minimum.radius
  assert len((folder / 'smoothing_scale.md').read_text().splitlines()) == 6
  picture = cv2.imread(str(folder / 'smoothing_scale.png'))
  assert picture is not None
  assert len(np.unique(picture.reshape([-1, 3]), axis=0)) > 100


@pytest.mark.parametrize(
  'window, alpha, message',
  [
    (2, 0.5, 'window=2: expected 3 to 12'),
    (13, 0.5, 'window=13: expected 3 to 12'),
    (5, 0.0, 'alpha=0: expected more than 0'),
  ],
)
def test_what_has_no_minimum_is_refused(window, alpha, message):
  with pytest.raises(ValueError, match=message):
    smoothing_scale.minimize(window, alpha)
