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

"""Which hard sigmoid the squeeze-excitations of a MoViNet were trained with.

Weights are the same for both forms (see `activations.hard_sigmoid`), what they
compute is not.  Where a file does not say, its batch norms do: the moving
statistics of a projection, whose input is multiplied by a gate, are those of
the form that it was trained with.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import dataclasses

import numpy as np
from official.modeling import activations as official_activations
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import activations
from official_ext.grw.backbones.movinet import family as movinet
from official_ext.grw.checkpoints import clips
from official_ext.grw.checkpoints import folded_norms
from official_ext.grw.checkpoints import published
from official_ext.grw.compat import nested_layers

FORMS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
  'grw>hard_sigmoid': activations.hard_sigmoid,
  'hard_sigmoid': official_activations.hard_sigmoid,
}
# Statistics of which the better form is no nearer than this are of neither, and
# forms whose distances differ by less than this factor are not told apart.
MAX_DISTANCE = 0.5
MIN_MARGIN = 1.5
# One block alone follows what its few clips happen to show: several have to
# agree.  Of a genuine A0 all 15 did, with a margin of 3.
MIN_BLOCKS = 5
MIN_AGREEMENT = 0.8
# Moving statistics that hold more than this of what they began with are not
# those of either form.
MAX_UNSETTLED = 0.05
_SHARES = np.concatenate([[0.0], np.geomspace(1e-4, 0.99, 93)])
_NUM_CLIPS, _SIZE = 8, 112


@dataclasses.dataclass(frozen=True)
class Evidence:
  """How well the batch statistics of each form fit the stored ones.

  Attributes:
    distances: by form; over the channels of all projections the mean of the
      squared difference of means in standard deviations, plus half the squared
      difference of the logarithms of variances.
    agreement: the share of blocks that the better form fits better.
    blocks: the number of blocks.
    unsettled: the share of the stored statistics that is still what they began
      with, mean 0 and variance 1; of this the distances take account.
  """

  distances: Mapping[str, float]
  agreement: float
  blocks: int
  unsettled: float

  @property
  def better(self) -> str:
    """The form that fits better."""
    return min(self.distances, key=lambda form: self.distances[form])

  @property
  def margin(self) -> float:
    """The larger distance as a multiple of the smaller."""
    return max(self.distances.values()) / max(
      min(self.distances.values()), 1e-12
    )

  @property
  def decides(self) -> bool:
    """Whether the better form fits, and clearly better."""
    return (
      self.distances[self.better] <= MAX_DISTANCE
      and self.margin >= MIN_MARGIN
      and self.blocks >= MIN_BLOCKS
      and self.agreement >= MIN_AGREEMENT
      and self.unsettled <= MAX_UNSETTLED
    )

  def __str__(self):
    return (
      'batch statistics of rendered frames are at a distance of '
      + ' and '.join(
        f'{distance:.2g} with {form}'
        for form, distance in self.distances.items()
      )
      + f' from the stored ones, a margin of {self.margin:.1f}, and '
      f'{self.agreement:.0%} of {self.blocks} blocks agree; '
      f'{self.unsettled:.1%} of the stored ones is what they began with'
    )


@contextlib.contextmanager
def _gates_replaced(
  model: tf_keras.Model, gate: Callable[[tf.Tensor], tf.Tensor]
) -> Iterator[None]:
  def replacement(layer: tf_keras.layers.Layer):
    bias, kernel = sorted(layer.weights, key=lambda each: each.shape.rank)

    def call(inputs):
      dense = tf.reshape(kernel, kernel.shape[-2:])
      exact = tf.cast(inputs, tf.float32)
      return tf.cast(gate(tf.tensordot(exact, dense, 1) + bias), inputs.dtype)

    return call

  layers = [
    layer for layer in nested_layers.within(model) if layer.name == 'se_expand'
  ]
  for layer in layers:
    layer.call = replacement(layer)
  try:
    yield
  finally:
    for layer in layers:
      del layer.call  # That of the class is seen again.


def _distances(
  stored: folded_norms.Moments,
  measured: folded_norms.Moments,
  names: Sequence[str],
  epsilon: float,
  unsettled: float,
) -> list[np.ndarray]:
  """How far stored statistics are from measured ones, see `Evidence`.

  Args:
    stored: mean and variance [channels] by the names of norms.
    measured: likewise.
    names: the norms to compare.
    epsilon: what norms add to a variance.
    unsettled: the share of mean 0 and variance 1 that the stored ones are
      taken to hold.

  Returns:
    float64 [channels] of each norm.
  """
  distances = []
  for name in names:
    stored_mean, stored_variance = stored[name]
    mean, variance = ((1 - unsettled) * moment for moment in measured[name])
    distances.append(
      (mean - stored_mean) ** 2 / (stored_variance + epsilon)
      + np.log((variance + unsettled + epsilon) / (stored_variance + epsilon))
      ** 2
      / 2
    )
  return distances


def weigh(
  model: tf_keras.Model, frames: Sequence[np.ndarray] | None = None
) -> Evidence:
  """Runs a MoViNet with both forms, whichever it was built with.

  As in training, batch norms normalize by the statistics of the batch.  So what
  reaches a gate has the mean and variance that it had in training, whatever the
  frames show.

  Args:
    model: a MoViNet or a model with one as its `backbone`; is not changed.
    frames: batches of clips [batch, frames, height, width, 3] in [0, 1];
      rendered ones by default.
  """
  if frames is None:
    frames = [np.concatenate(clips.rendered(_NUM_CLIPS, _SIZE))]
  backbone = getattr(model, 'backbone', model)
  norms = folded_norms.layers(backbone)
  measured = {}
  for form, gate in FORMS.items():
    with _gates_replaced(backbone, gate):
      measured[form] = folded_norms.measure(
        backbone, frames, norms, as_in_training=True
      )
  stored = {
    name: (
      layer.moving_mean.numpy().astype(np.float64),
      layer.moving_variance.numpy().astype(np.float64),
    )
    for name, layer in norms.items()
  }
  gated = [name for name in norms if name.endswith('/projection')]
  others = [name for name in norms if name not in gated]
  epsilon = next(iter(norms.values())).epsilon

  # After n steps of momentum m, m^n of moving statistics is still the mean 0
  # and the variance 1 that they began with.  Where the variance is small, that
  # is seen as a gate that lets more through.  The norms that no gate comes
  # before tell how much it is: they are the same for both forms.
  def distance_of_others(share: float) -> float:
    return np.mean(
      np.concatenate(
        [
          channels
          for moments in measured.values()
          for channels in _distances(stored, moments, others, epsilon, share)
        ]
      )
    )

  unsettled = float(min(_SHARES, key=distance_of_others))
  of_blocks = {
    form: _distances(stored, moments, gated, epsilon, unsettled)
    for form, moments in measured.items()
  }
  distances = {
    form: float(np.mean(np.concatenate(channels)))
    for form, channels in of_blocks.items()
  }
  better, worse = sorted(distances, key=lambda form: distances[form])
  return Evidence(
    distances,
    float(
      np.mean(
        [
          near.mean() < far.mean()
          for near, far in zip(of_blocks[better], of_blocks[worse])
        ]
      )
    ),
    len(of_blocks[better]),
    unsettled,
  )


def find(
  model: tf_keras.Model, weights: published.PublishedWeights, required: str
) -> tuple[str, str]:
  """The gate that weights were trained with, and what says so.

  Args:
    model: a MoViNet that holds the weights, with any gate.
    weights: the weights of a streaming MoViNet.
    required: what to set if nothing says it, for the error.

  Raises:
    ValueError: nothing says it, and neither form fits clearly better.
  """
  if weights.gate:
    return weights.gate, f'read from {weights.gate_source}'
  evidence = weigh(model)
  if not evidence.decides:
    raise ValueError(
      f'{weights.path} does not say with which hard sigmoid its '
      f'squeeze-excitations were trained, and frames do not tell: {evidence}; '
      f'expected a distance of at most {MAX_DISTANCE}, a margin of at least '
      f'{MIN_MARGIN}, an agreement of {MIN_AGREEMENT:.0%} of at least '
      f'{MIN_BLOCKS} blocks, and at most {MAX_UNSETTLED:.0%} of what '
      f'statistics began with. Set {required} to '
      f'{" or ".join(map(repr, FORMS))}: the first up to '
      'tf-models-official 2.7, as the published weights, the second since 2.8.'
    )
  return evidence.better, str(evidence)


def require_same(
  model: tf_keras.Model,
  weights: published.PublishedWeights,
  stated: str = '',
  weigh_evidence: bool = True,
) -> str:
  """Checks that the gates of a model are those that its weights are for.

  Args:
    model: holds the weights.
    weights: where they are from.
    stated: the gate of the weights, if the user says it.
    weigh_evidence: whether to measure where nothing says it.  If not, the model
      is taken to be the one of the weights.

  Returns:
    What the gates of the weights are, and what says so; '' where there is
    nothing to tell.

  Raises:
    ValueError: they differ, or cannot be known.
  """
  ours = movinet.gating_activation(getattr(model, 'backbone', model))
  if weights.architecture.family != 'movinet' or ours == 'none':
    return ''
  if stated and weights.graph is None:
    gate, reason = stated, 'as task.init_checkpoint_gating_activation says'
  elif weights.gate:
    gate, reason = weights.gate, f'read from {weights.gate_source}'
  elif (
    ours in FORMS
    and weights.architecture.backbone.hard_gates
    and weigh_evidence
  ):
    gate, reason = find(
      model, weights, 'task.init_checkpoint_gating_activation'
    )
  else:
    return ''
  if gate != ours:
    raise ValueError(
      f'{weights.path} was trained with the gate {gate!r} ({reason}), and the '
      f'model has {ours!r}: set '
      f'task.model.backbone.movinet.gating_activation to {gate!r}.'
    )
  return f'{gate}, {reason}'
