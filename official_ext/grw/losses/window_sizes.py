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

"""Limits of the window T, and where windows begin, without TensorFlow."""

from collections.abc import Sequence

# An acceleration takes three frames.
MIN_WINDOW = 3
# 253,440 transitions a window at T = 12; each frame more costs 2.4 times that.
MAX_EXACT_WINDOW = 12
# Where the windows of a clip begin, see `grw_smoothing`.
PHASES = ('fixed', 'random', 'overlapping')


def check_range(
  window_range: Sequence[int],
  window: int,
  sampled: bool,
  phase: str,
  field: str = '',
):
  """Raises ValueError for lengths that cannot be chosen from.

  Args:
    window_range: the least and the greatest number of frames of a window.
    window: T.
    sampled: whether orderings are sampled.
    phase: where windows begin.
    field: what messages put before the names of these.
  """
  bounds = list(window_range)
  if (
    len(bounds) != 2
    or not MIN_WINDOW <= bounds[0] <= window <= bounds[1] <= MAX_EXACT_WINDOW
  ):
    raise ValueError(
      f'{field}window_range={bounds}: expected [shortest, longest], with '
      f'{MIN_WINDOW} <= shortest <= window={window} <= longest <= '
      f'{MAX_EXACT_WINDOW}, or null for windows of one length.'
    )
  if sampled or phase != 'fixed':
    raise ValueError(
      f'{field}window_range={bounds}: expected null, or sampled=False and '
      "phase='fixed', as windows are chosen by sums over all orderings and lie "
      f'side by side; got sampled={sampled} and phase={phase!r}.'
    )
