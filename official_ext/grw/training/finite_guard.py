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

"""Stops training before weights are saved that are not finite."""

from collections.abc import Mapping
import math
from typing import Any

from absl import logging
import numpy as np
from official.core import config_definitions as cfg
import orbit
import tensorflow as tf

from official_ext.grw.training import checkpoints
from official_ext.grw.training import trainer

_SHOWN_VARIABLES = 3


def scalars(logs: Mapping[str, Any]) -> dict[str, float]:
  """Returns what is a single number of the logs, by name."""
  values = {
    name: np.asarray(orbit.utils.get_value(value))
    for name, value in logs.items()
    if not isinstance(value, Mapping)
  }
  return {
    name: float(value) for name, value in values.items() if value.ndim == 0
  }


def not_finite(logs: Mapping[str, Any]) -> dict[str, float]:
  """Returns the scalars that are not finite, by name."""
  return {
    name: value
    for name, value in scalars(logs).items()
    if not math.isfinite(value)
  }


def listed(values: Mapping[str, float]) -> str:
  """Values by name in one line, as 'loss=1.5, accuracy=0.5'."""
  return ', '.join(f'{name}={value:g}' for name, value in values.items())


class StopUnlessFinite:
  """Train action: stops before weights are saved that are of no use.

  Stock training checks for a NaN training loss alone; weights that the last
  step of a loop has spoiled, and infinities, are saved.  With
  `trainer.recovery_max_trials` the stock action that follows this one goes
  back to the last checkpoint so many times; this one stops thereafter.
  """

  def __init__(
    self,
    trainer: trainer.Trainer,
    params: cfg.TrainerConfig,
    checkpoint_manager: checkpoints.CheckpointManager,
  ):
    self._trainer = trainer
    self._params = params
    self._checkpoint_manager = checkpoint_manager
    self._trials = 0
    self._all_finite = tf.function(
      lambda: tf.stack(
        [
          tf.reduce_all(tf.math.is_finite(variable))
          for variable in trainer.model.trainable_variables
        ]
      )
    )

  def __call__(self, output: orbit.runner.Output):
    """Raises FloatingPointError if a measure or a weight is not finite."""
    bad = not_finite(output)
    spoiled = [
      variable.name
      for variable, finite in zip(
        self._trainer.model.trainable_variables, self._all_finite().numpy()
      )
      if not finite
    ]
    if not bad and not spoiled:
      return
    message = self._explanation(bad, spoiled, output)
    last = self._checkpoint_manager.newest_readable()
    self._trials += 1
    if (
      self._trials <= self._params.recovery_max_trials
      and last
      and self._stock_recovers(output)
    ):
      logging.warning(
        '%s Going back to %s (%d of %d times).',
        message,
        last,
        self._trials,
        self._params.recovery_max_trials,
      )
      return
    kept = f'The last checkpoint is {last}' if last else 'There is none before'
    raise FloatingPointError(f'{message} These steps were not saved. {kept}.')

  def _stock_recovers(self, output: orbit.runner.Output) -> bool:
    loss = float(output['training_loss'])
    step = int(self._trainer.global_step.numpy())
    late = step >= self._params.recovery_begin_steps
    return math.isnan(loss) or (late and loss > self._params.loss_upper_bound)

  def _explanation(
    self,
    bad: Mapping[str, float],
    spoiled: list[str],
    output: orbit.runner.Output,
  ) -> str:
    """Says what failed, when, and what to try."""
    first = self._trainer.first_step
    last = int(self._trainer.global_step.numpy())
    terms = self._trainer.failed_terms
    where = f'in steps {first} to {last}'
    if terms:
      step = min(terms.values())
      culprits = [name for name in terms if terms[name] == step]
      where += f', first {" and ".join(culprits)} at step {step}'
    if bad:
      what = f'{listed(bad)} {where}'
      fine = listed(
        {
          name: float(value)
          for name, value in output.items()
          if name.endswith(('_loss', '_entropy')) and name not in bad
        }
      )
      what += f'; finite: {fine}' if fine else ''
    else:
      what = (
        f'{len(spoiled)} weights after step {last}, '
        f'{", ".join(spoiled[:_SHOWN_VARIABLES])} among them'
      )
    return (
      f'Training is not finite: {what}. Try a lower '
      'trainer.optimizer_config.learning_rate, more warm-up, or '
      'global_clipnorm; for order_loss or speed_loss alone a lower '
      'task.model.smoothing.weight; trainer.recovery_max_trials to go back '
      'and try again.'
    )
