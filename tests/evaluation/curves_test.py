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

"""Claims about the picture of a training."""

import cv2
import numpy as np
import pytest

from official_ext.grw.evaluation import curves

RECORDS = [
  {'split': 'train', 'step': 10, 'epoch': 1.0, 'training_loss': 2.0, 'a': 0.2},
  {'split': 'validation', 'step': 10, 'epoch': 1.0, 'validation_loss': 2.5},
  {'split': 'train', 'step': 20, 'epoch': 2.0, 'training_loss': None, 'a': 0.4},
]


def test_a_series_is_of_a_split_and_passes_over_what_was_not_finite():
  assert curves.series(RECORDS, 'train', 'a') == ([1.0, 2.0], [0.2, 0.4])
  assert curves.series(RECORDS, 'train', 'training_loss') == ([1.0], [2.0])
  assert curves.series(RECORDS, 'validation', 'a') == ([], [])


def test_steps_take_the_place_of_epochs_that_are_not_known():
  records = [{'split': 'train', 'step': 10, 'a': 0.2}]
  assert curves.series(records, 'train', 'a') == ([10], [0.2])


@pytest.mark.parametrize('best', [None, 2.0])
def test_both_splits_are_drawn(tmp_path, best):
  records = [
    {
      'split': split,
      'step': step,
      'epoch': float(step),
      f'{name}_loss': 3.0 / step,
      'top_1_accuracy': step / 10,
    }
    for step in range(1, 9)
    for split, name in (('train', 'training'), ('validation', 'validation'))
  ]
  path = tmp_path / 'curves.png'
  curves.write(records, 'top_1_accuracy', path, best)
  picture = cv2.imread(str(path))
  assert picture is not None
  orange = np.abs(picture.astype(int) - (14, 127, 255)).sum(axis=-1) < 30
  left, right = np.array_split(orange, 2, axis=1)
  assert left.sum() > 100 and right.sum() > 100
