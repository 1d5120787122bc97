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

"""Streams of backbones that see each frame alone."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras


class Stateless:
  """The states of a backbone that keeps nothing from one frame to the next."""

  def initial_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """Shape and type of every state, by name: none."""
    del input_shape
    return {}

  def init_states(
    self, input_shape: Sequence[int] | tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """The states before the first frame: none."""
    del input_shape
    return {}
