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

"""How smooth embeddings are where two windows of the loss meet."""

import numpy as np


def acceleration_over_speed(
  embeddings: np.ndarray, window: int
) -> tuple[float, float]:
  """Acceleration over speed at the seams of fixed windows, and within them.

  An acceleration a_t = v_{t+1} − v_t is of three frames, t to t + 2; two in T
  have them in two windows.  Of either kind of accelerations the ratio is

      mean ‖a_t‖ / mean ½ (‖v_t‖ + ‖v_{t+1}‖)

  from 0, straight motion, to 2, back where it came from.

  Args:
    embeddings: [clips, N, D].
    window: T; the last N mod T frames, in no window, are passed over.

  Returns:
    The ratio at seams, and the ratio away from them; NaN for one that has no
    accelerations, as at the seams of a single window, or no motion.
  """
  whole = embeddings.shape[1] // window * window
  velocity = np.diff(np.asarray(embeddings, np.float64)[:, :whole], axis=1)
  speed = np.linalg.norm(velocity, axis=-1)
  acceleration = np.linalg.norm(np.diff(velocity, axis=1), axis=-1)
  both_speeds = 0.5 * (speed[:, 1:] + speed[:, :-1])
  at_seam = np.arange(acceleration.shape[1]) % window >= window - 2

  def ratio(chosen):
    total = np.sum(both_speeds[:, chosen])
    return float(np.sum(acceleration[:, chosen]) / total) if total else np.nan

  return ratio(at_seam), ratio(~at_seam)
