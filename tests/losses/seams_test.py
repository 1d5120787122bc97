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

"""Seams are where two windows meet, and nowhere else."""

import math

import numpy as np
import pytest

from official_ext.grw.losses import seams


def path(steps):
  """A clip [1, N, 2] of the given steps."""
  return np.cumsum([(0, 0), *steps], axis=0)[np.newaxis].astype(float)


def test_a_bend_between_windows_is_at_the_seam_alone():
  # Frames 0 to 4 go right, and 5 to 9 up.
  clip = path([(1, 0)] * 5 + [(0, 1)] * 4)
  at_seams, away = seams.acceleration_over_speed(clip, 5)
  # One of two accelerations at the seam is of length √2, all speeds are 1.
  assert at_seams == pytest.approx(math.sqrt(2) / 2)
  assert away == 0.0


def test_a_bend_within_a_window_is_away_from_seams():
  clip = path([(1, 0)] * 2 + [(0, 1)] * 7)
  at_seams, away = seams.acceleration_over_speed(clip, 5)
  assert at_seams == 0.0
  assert away == pytest.approx(math.sqrt(2) / 6)


def test_a_pause_at_the_seam_is_seen_there():
  clip = path([(1, 0)] * 4 + [(0, 0)] + [(1, 0)] * 4)
  at_seams, away = seams.acceleration_over_speed(clip, 5)
  assert at_seams == pytest.approx(2.0) and away == 0.0


def test_frames_in_no_window_are_passed_over():
  clip = path([(1, 0)] * 9 + [(0, 5), (3, 0)])
  assert seams.acceleration_over_speed(clip, 5) == (0.0, 0.0)


def test_without_seams_or_motion_there_is_no_ratio():
  at_seams, away = seams.acceleration_over_speed(path([(1, 0)] * 4), 5)
  assert math.isnan(at_seams) and away == 0.0
  assert all(map(math.isnan, seams.acceleration_over_speed(path([]), 5)))
  still = seams.acceleration_over_speed(np.zeros([2, 10, 3]), 5)
  assert all(map(math.isnan, still))
