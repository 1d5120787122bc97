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

"""What a stream knows of its frames beside their classes.

Embeddings of consecutive frames are a smooth random walk under GRW-smoothing
(Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 3).  Where they leave
it, something new begins: another scene, a cut.  A stream has its embeddings
anyhow, so that to say how smooth they are costs next to nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.modeling import streaming

EMBEDDING = 'embedding'
SMOOTHNESS = 'smoothness'

# The embeddings of the last T - 1 frames, of whatever head.
_RECENT = 'state_grw_recent_embeddings'


class SignallingStream:
  """A streaming classifier that also tells of its embeddings.

  Its interface is that of `StreamingClassifier`, with one frame at a time and
  one more state.
  """

  def __init__(self, stream: streaming.StreamingClassifier):
    """Takes a stream.

    Args:
      stream: its configuration says how many frames a window has, T, and how
        orderings of them are summed over.
    """
    self._stream = stream
    self._smoothing = stream.smoothing

  def initial_state_specs(
    self, input_shape: Sequence[int | None]
  ) -> dict[str, tf_keras.layers.InputSpec]:
    """Shape and type of every state; see `StreamingClassifier`."""
    return {
      **self._stream.initial_state_specs(input_shape),
      _RECENT: tf_keras.layers.InputSpec(
        shape=self._recent_shape(input_shape[0]), dtype='float32'
      ),
    }

  def init_states(self, input_shape: Sequence[int]) -> streaming.States:
    """The states before the first frame: zeros."""
    return {
      **self._stream.init_states(input_shape),
      _RECENT: tf.zeros(self._recent_shape(input_shape[0])),
    }

  def _recent_shape(self, batch: Any) -> tuple:
    return (batch, self._smoothing.window - 1, self._stream.embedding_dim)

  def __call__(
    self, inputs: Mapping[str, tf.Tensor]
  ) -> tuple[tf.Tensor, streaming.States, dict[str, tf.Tensor]]:
    """The next frame of a stream.

    Args:
      inputs: 'image' [batch, 1, height, width, 3] and all states.

    Returns:
      Logits and states as of `StreamingClassifier`, and by name

      *   'embedding' [batch, D], of the frame;
      *   'smoothness' [batch, 2]: how likely the order of the last T frames is
          among all orderings that keep the first of them, in (0, 1], and the
          length of the last acceleration, ‖z_t - 2 z_{t-1} + z_{t-2}‖.  Before
          the T-th frame both are not a number.
    """
    inputs = dict(inputs)
    recent = inputs.pop(_RECENT)
    logits, states, embeddings = self._stream.answer(inputs)
    window = tf.concat([recent, embeddings], axis=1)
    states[_RECENT] = window[:, 1:]
    return (
      logits,
      states,
      {
        EMBEDDING: embeddings[:, 0],
        SMOOTHNESS: tf.where(
          states[streaming.COUNT] >= self._smoothing.window,
          self._smoothness(window),
          tf.constant(float('nan')),
        ),
      },
    )

  def _smoothness(self, window: tf.Tensor) -> tf.Tensor:
    """[batch, 2] of windows [batch, T, D]."""
    velocities = grw_smoothing.velocities(window)
    energies = grw_smoothing.order_energies(
      grw_smoothing.velocity_gram(velocities),
      self._smoothing.window,
      self._smoothing.sampled,
      self._smoothing.num_orderings,
      self._smoothing.seed,
    )
    return tf.stack(
      [
        tf.exp(energies.free - energies.true),
        tf.norm(velocities[:, -1] - velocities[:, -2], axis=-1),
      ],
      axis=-1,
    )
