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

"""The stock trainer, which explains bad input and notes where terms fail."""

from collections.abc import Callable
import time
from typing import Any

import numpy as np
from official.core import base_trainer
from official.modeling import optimization
import orbit
import tensorflow as tf

from official_ext.grw.compat import optimizer_slots
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import video_input
from official_ext.grw.evaluation import group_report
from official_ext.grw.evaluation import multi_label
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.losses import loss_term
from official_ext.grw.tasks import grw_video_classification
from official_ext.grw.training import finite_guard
from official_ext.grw.training import progress


class Trainer(base_trainer.Trainer):
  """The stock trainer, which explains bad input and notes where terms fail.

  Attributes:
    keeps_predictions: an evaluation keeps what was said of each clip,
      for `predictions`; to be set before the first.
    display: shows loops while they run, and that a validation begins; to be set
      before the first.
    first_step: the first step of the current loop.
    failed_terms: the step at which each term of the loss failed, if it did.
  """

  keeps_predictions: bool = False
  display: progress.Display | None = None
  first_step: int = 0
  failed_terms: dict[str, int]
  _batches: list[dict[str, np.ndarray]]

  def __init__(self, *args: Any, train: bool = True, **kwargs: Any):
    """As the stock trainer, in the scope of the strategy.

    Args:
      *args: see `base_trainer.Trainer`.
      train: whether it will train.
      **kwargs: see `base_trainer.Trainer`.
    """
    super().__init__(*args, train=train, **kwargs)
    if train:
      optimizer_slots.create(self.optimizer, self.model.trainable_variables)

  def begin_averages(self):
    """Starts moving averages that are still zero at the weights.

    The stock averages start at zero, with which an evaluation before the first
    step, of `task.init_checkpoint` or of a checkpoint without averages, would
    be of a model that is all zeros.
    """
    optimizer = self.optimizer
    if not isinstance(optimizer, optimization.ExponentialMovingAverage):
      return
    ema = self.config.trainer.optimizer_config.ema
    weights = (
      self.model.trainable_variables
      if ema.trainable_weights_only
      else self.model.variables
    )
    averages = [optimizer.get_slot(weight, 'average') for weight in weights]
    if any(np.any(average.numpy()) for average in averages):
      return
    for average, weight in zip(averages, weights):
      average.assign(weight.read_value())

  def train(self, num_steps: tf.Tensor) -> orbit.runner.Output | None:
    """Trains for some steps; input errors name the file and the record."""
    self.first_step = int(self.global_step.numpy()) + 1
    with video_input.explained_errors(self.config.task.train_data):
      return super().train(num_steps)

  def create_train_loop_fn(self) -> Callable[[Any, tf.Tensor], None]:
    """The stock loop, in parts between which the display is renewed.

    Measures are read between two parts alone, as reading one waits for the
    device.
    """
    loop, display = super().create_train_loop_fn(), self.display
    if display is None:
      return loop

    def in_parts(iterator, num_steps):
      left = int(num_steps)
      while left:
        part = min(left, display.steps_until_shown())
        begun = time.monotonic()
        loop(iterator, tf.constant(part, tf.int32))
        loss = float(self.train_loss.result())
        left -= part
        if display.ran(part, time.monotonic() - begun):
          measure = self._train_measure(display.plan.measure)
          display.show(int(self.global_step.numpy()), loss, measure)

    return in_parts

  def _train_measure(self, name: str) -> float | None:
    """A measure of the current loop so far; None if there is none."""
    for metric in self.train_metrics:
      if metric.name == name:
        return float(metric.result())
    return None

  def train_loop_end(self) -> dict[str, Any]:
    """Returns the logs; `failed_terms` has the step at which terms failed."""
    self.failed_terms = {}
    steps = int(self.global_step.numpy()) + 1 - self.first_step
    replicas = self.strategy.num_replicas_in_sync
    for metric in self.train_metrics:
      if isinstance(metric, loss_term.LossTerm):
        finite = int(metric.finite_updates.numpy()) // replicas
        if finite < steps:
          self.failed_terms[metric.name] = self.first_step + finite
    return super().train_loop_end()

  def evaluate(self, num_steps: tf.Tensor) -> orbit.runner.Output | None:
    """Evaluates; input errors name the file and the record."""
    if self.display is not None:
      self.display.validating(int(self.global_step.numpy()))
    with video_input.explained_errors(self.config.task.validation_data):
      return super().evaluate(num_steps)

  def eval_step(self, iterator: Any) -> dict[str, tf.Tensor] | None:
    """Evaluates a batch; its loss counts by its clips, as its measures do.

    Returns:
      With `keeps_predictions`, a batch of what `predictions` joins.
    """

    def step(inputs):
      logs = self.task.validation_step(
        inputs, model=self.model, metrics=self.validation_metrics
      )
      features, labels = inputs
      self.validation_loss.update_state(
        logs[self.task.loss], sample_weight=tf.shape(labels)[0]
      )
      if not self.keeps_predictions:
        return None
      probabilities = logs[grw_video_classification.PROBABILITIES]
      # Bytes cannot be gathered.
      sources = tf.cast(features[feature_names.SOURCE_ID], tf.int32)
      if self._answers_frames:
        if self.config.task.validation_data.one_hot:
          none = tf.reduce_sum(labels, axis=-1) == 0
          classes = tf.argmax(labels, axis=-1, output_type=tf.int32)
          labels = tf.where(none, feature_names.NO_LABEL, classes)
        return {
          'labels': tf.cast(labels, tf.int32),
          'probabilities': probabilities,
          'sources': sources,
        }
      data = self.config.task.validation_data
      if data.is_multilabel or data.label_groups:
        return {
          'labels': tf.cast(labels, tf.int32),
          'probabilities': probabilities,
          'sources': sources,
        }
      top = tf.math.top_k(
        probabilities, min(evaluation.TOP_K, probabilities.shape[-1])
      )
      if self.config.task.validation_data.one_hot:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
      early = grw_video_classification.EARLY_CLASSES
      return {
        'labels': tf.reshape(tf.cast(labels, tf.int32), [-1]),
        'classes': top.indices,
        'probabilities': top.values,
        'sources': sources,
        **({early: logs[early]} if early in logs else {}),
      }

    outputs = self.strategy.run(step, args=(next(iterator),))
    if not self.keeps_predictions:
      return None
    return {
      name: self.strategy.gather(value, axis=0)
      for name, value in outputs.items()
    }

  @property
  def _answers_frames(self) -> bool:
    return getattr(self.task, 'per_frame', False)

  def eval_begin(self):
    """Resets what is measured and kept."""
    super().eval_begin()
    self._batches = []

  def eval_reduce(self, state: Any = None, step_outputs: Any = None):
    """Keeps the predictions of a batch, if there are to be any."""
    if step_outputs is not None:
      self._batches.append(
        {name: value.numpy() for name, value in step_outputs.items()}
      )

  @property
  def predictions(
    self,
  ) -> (
    evaluation.Predictions | multi_label.Predictions | group_report.Predictions
  ):
    """What the last evaluation kept, with `keeps_predictions`."""
    if self._answers_frames:
      return multi_label.Predictions.of_frames(self._batches)
    if self.config.task.validation_data.is_multilabel:
      return multi_label.Predictions.from_batches(self._batches)
    if self.task.groups:
      return group_report.Predictions.from_batches(
        self._batches, self.task.groups
      )
    return evaluation.Predictions.from_batches(
      self._batches, self.task.early_counts
    )

  def eval_end(self, aggregated_logs: Any = None) -> dict[str, Any]:
    """Returns the logs of an evaluation.

    Raises:
      InputDataError: there was no batch to evaluate.
      FloatingPointError: a measure is not finite.
    """
    data = self.config.task.validation_data
    if not self.validation_loss.count:
      raise record_check.InputDataError(
        'The validation data gave no batch: expected at least one record '
        f'(drop_remainder={data.drop_remainder} with global_batch_size='
        f'{data.global_batch_size}) in input_path={data.input_path!r}, '
        f'tfds_name={data.tfds_name!r}, tfds_split={data.tfds_split!r}'
        + (
          f', of at least {data.feature_shape[0]} frames at temporal_stride='
          f"{data.temporal_stride}, as short_clips='drop'."
          if data.short_clips == 'drop'
          else '.'
        )
      )
    # Before the logs can make this the best checkpoint.
    bad = finite_guard.not_finite(
      {
        metric.name: metric.result()
        for metric in [*self.validation_metrics, self.validation_loss]
      }
    )
    if bad:
      raise FloatingPointError(
        f'Validation at step {int(self.global_step.numpy())} is not finite: '
        f'{finite_guard.listed(bad)}. Lower the learning rate, or with small '
        'batches raise the batch size: batch norm statistics that are off give '
        'such values in evaluation alone.'
      )
    if self.keeps_predictions:
      aggregated_logs = self.predictions.measures()
      several = data.is_multilabel or self._answers_frames
      if several and not aggregated_logs:
        # No clip has a label; the best checkpoint is still one of them.
        aggregated_logs = dict.fromkeys(multi_label.MEASURES, 0.0)
    return super().eval_end(aggregated_logs)
