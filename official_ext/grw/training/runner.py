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

"""Runs an experiment: what the stock runner does, without its silent failures.

The stock runner (`official.core.train_lib`) restarts at step 0 when the index
of checkpoints is damaged, gives the workers of a multi-worker run other weights
than the chief's after a restart, evaluates random weights where there is no
checkpoint, reports 0.0 where there are no validation data, and saves weights
that are not finite.  Here each of these is mended or an error.
"""

from collections.abc import Mapping
import math
import os
import re
import tempfile
from typing import Any

from absl import logging
import numpy as np
from official.core import base_trainer
from official.core import config_definitions as cfg
from official.core import train_lib
from official.core import train_utils
import orbit
import tensorflow as tf
import tf_keras

from official_ext.grw.datasets import labels as label_files
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import video_input
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.losses import loss_term
from official_ext.grw.tasks import grw_video_classification

MODES = (
  'train',
  'eval',
  'train_and_eval',
  'train_and_post_eval',
  'continuous_eval',
)

REPORT_FOLDER = 'evaluation'

_CHECKPOINT_INDEX = re.compile(r'(ckpt-(\d+))\.index')
_SHOWN_VARIABLES = 3


class CheckpointError(ValueError):
  """Checkpoints that cannot be resumed from; the message names them."""


def list_checkpoints(directory: str) -> list[str]:
  """Returns the checkpoints of a folder, the one of the latest step first.

  TensorFlow writes `ckpt-*.index` last, so that a checkpoint which was being
  written when its process was killed is not among them.

  Args:
    directory: may not exist.
  """
  names = tf.io.gfile.listdir(directory) if tf.io.gfile.isdir(directory) else []
  found = [match for match in map(_CHECKPOINT_INDEX.fullmatch, names) if match]
  found.sort(key=lambda match: int(match[2]), reverse=True)
  return [os.path.join(directory, match[1]) for match in found]


def read_fault(checkpoint: str) -> str | None:
  """Reads all of a checkpoint; returns why it cannot be read, or None.

  A truncated or damaged file would otherwise be noticed when half of the
  variables are restored.  Reading takes as long as restoring: 0.1 s for A0.
  """
  try:
    reader = tf.train.load_checkpoint(checkpoint)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)
  # A short data file raises IndexError.
  except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
    return str(error).partition('\n')[0] or type(error).__name__
  return None


def _set_damaged_index_aside(directory: str):
  """Renames a `checkpoint` file that TensorFlow would stop at.

  It passes over text that is not a CheckpointState, but neither over an empty
  one nor over bytes that are not text.
  """
  try:
    tf.train.get_checkpoint_state(directory)
  except ValueError:
    index = os.path.join(directory, 'checkpoint')
    logging.warning('%s is damaged: renamed to %s.damaged.', index, index)
    tf.io.gfile.rename(index, f'{index}.damaged', overwrite=True)


def newest_readable_checkpoint(directory: str) -> str | None:
  """Returns the checkpoint to resume from; None if the folder has none.

  That is the one named by the folder's `checkpoint` file.  Where this file or
  that checkpoint is missing or damaged, it is the newest one that can be read
  from beginning to end, and a warning says so.

  Args:
    directory: the model folder.

  Raises:
    CheckpointError: there are checkpoints and none can be read.
  """
  _set_damaged_index_aside(directory)
  named = tf.train.latest_checkpoint(directory)
  state = tf.train.get_checkpoint_state(directory)
  candidates = list_checkpoints(directory)
  if not candidates:
    if state is not None:
      raise CheckpointError(
        f'{directory}/checkpoint names {state.model_checkpoint_path}, and '
        'the folder has no ckpt-*.index. Restore the files of the '
        'checkpoint, or delete the file "checkpoint" to start from step 0.'
      )
    return None
  if named in candidates:
    candidates.remove(named)
    candidates.insert(0, named)
  else:
    logging.warning(
      'The file %s/checkpoint is missing or damaged. The newest checkpoint '
      'beside it is %s.',
      directory,
      candidates[0],
    )

  faults: list[str] = []
  for candidate in candidates:
    fault = read_fault(candidate)
    if fault is None:
      if faults:
        logging.warning(
          'Going back to %s, because of %s', candidate, '; '.join(faults)
        )
      return candidate
    faults.append(f'{candidate}: {fault}')
  raise CheckpointError(
    f'None of the checkpoints in {directory} can be read: {"; ".join(faults)}'
    '. Restore their files, or use an empty model_dir to start from step 0.'
  )


class CheckpointManager(tf.train.CheckpointManager):
  """Saves into its folder, and restores from the model folder.

  The two are the same except on a worker that is not the chief of a
  multi-worker run: it must take part in saving, but what it saves is of no
  use, and what it restores has to be what the chief restores.
  """

  def __init__(
    self,
    checkpoint: tf.train.Checkpoint,
    directory: str,
    model_dir: str,
    required: Mapping[str, Any],
    **kwargs,
  ):
    """Initialises the manager.

    Args:
      checkpoint: what is saved and restored.
      directory: where this worker saves.
      model_dir: where every worker restores from.
      required: those parts of the checkpoint, by name, of which a checkpoint
        to restore must have every variable.  TensorFlow would leave what it
        does not find as it is, without a word.
      **kwargs: of `tf.train.CheckpointManager`.
    """
    _set_damaged_index_aside(directory)
    super().__init__(checkpoint, directory, **kwargs)
    self._model_dir = model_dir
    self._required = tf.train.Checkpoint(**required)

  def newest_readable(self) -> str | None:
    """Returns what `restore_or_initialize` would restore, if anything."""
    self.sync()
    return newest_readable_checkpoint(self._model_dir)

  def restore_or_initialize(self) -> str | None:
    """Restores the newest checkpoint that can be read, or initialises.

    Returns:
      The checkpoint, or None if there is none.

    Raises:
      CheckpointError: no checkpoint can be read, or it is of another model.
    """
    path = self.newest_readable()
    if path is None:
      return super().restore_or_initialize()
    try:
      status = self._required.restore(path)
      status.assert_existing_objects_matched().expect_partial()
      # What is created later, as the slots of the optimiser are, is restored
      # then; evaluation never does.
      self.checkpoint.restore(path).expect_partial()
    except (AssertionError, ValueError) as error:
      raise CheckpointError(
        f'{path} is of another model than the config describes: '
        f'{str(error).partition(chr(10))[0]} Use the model_dir or the config '
        'of the other model; to start from its weights, set '
        'task.init_checkpoint and an empty model_dir.'
      ) from error
    if path == tf.train.latest_checkpoint(self._model_dir):
      # There is no public way to say so after construction.  Where the file
      # `checkpoint` is damaged, the next loop saves, which mends it.
      self._last_checkpoint_step = int(self._step_counter.numpy())
    return path


def _not_finite(logs: Mapping[str, Any]) -> dict[str, float]:
  """Returns the scalars that are not finite, by name."""
  values = {
    name: np.asarray(orbit.utils.get_value(value))
    for name, value in logs.items()
    if not isinstance(value, Mapping)
  }
  return {
    name: float(value)
    for name, value in values.items()
    if value.ndim == 0 and not np.isfinite(value)
  }


def _listed(values: Mapping[str, float]) -> str:
  return ', '.join(f'{name}={value:g}' for name, value in values.items())


class Trainer(base_trainer.Trainer):
  """The stock trainer, which explains bad input and notes where terms fail.

  Attributes:
    keeps_predictions: an evaluation keeps the likeliest classes of each clip,
      for `predictions`; to be set before the first.
    first_step: of the current loop.
    failed_terms: the step at which each term of the loss failed, if it did.
  """

  keeps_predictions: bool = False
  first_step: int = 0
  failed_terms: dict[str, int]
  _batches: list[dict[str, np.ndarray]]

  def train(self, num_steps: tf.Tensor) -> orbit.runner.Output | None:
    """Trains for some steps; input errors name the file and the record."""
    self.first_step = int(self.global_step.numpy()) + 1
    with video_input.explained_errors(self.config.task.train_data):
      return super().train(num_steps)

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
    with video_input.explained_errors(self.config.task.validation_data):
      return super().evaluate(num_steps)

  def eval_step(self, iterator: Any) -> dict[str, tf.Tensor] | None:
    """Evaluates a batch; its loss counts by its clips, as its measures do.

    Returns:
      With `keeps_predictions`, a batch of `evaluation.Predictions`.
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
      top = tf.math.top_k(
        probabilities, min(evaluation.TOP_K, probabilities.shape[-1])
      )
      if self.config.task.validation_data.one_hot:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
      return {
        'labels': tf.reshape(tf.cast(labels, tf.int32), [-1]),
        'classes': top.indices,
        'probabilities': top.values,
        # Bytes cannot be gathered.
        'sources': tf.cast(features[video_input.SOURCE_ID], tf.int32),
      }

    outputs = self.strategy.run(step, args=(next(iterator),))
    if not self.keeps_predictions:
      return None
    return {
      name: self.strategy.gather(value, axis=0)
      for name, value in outputs.items()
    }

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
  def predictions(self) -> evaluation.Predictions:
    """What the last evaluation kept, with `keeps_predictions`."""
    return evaluation.Predictions.from_batches(self._batches)

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
        f'tfds_name={data.tfds_name!r}, tfds_split={data.tfds_split!r}.'
      )
    # Before the logs can make this the best checkpoint.
    bad = _not_finite(
      {
        metric.name: metric.result()
        for metric in [*self.validation_metrics, self.validation_loss]
      }
    )
    if bad:
      raise FloatingPointError(
        f'Validation at step {int(self.global_step.numpy())} is not finite: '
        f'{_listed(bad)}. Lower the learning rate, or with small batches '
        'raise the batch size: batch norm statistics that are off give '
        'such values in evaluation alone.'
      )
    return super().eval_end(aggregated_logs)


class StopUnlessFinite:
  """Train action: stops before weights are saved that are of no use.

  Stock training checks for a NaN training loss alone; weights that the last
  step of a loop has spoilt, and infinities, are saved.  With
  `trainer.recovery_max_trials` the stock action that follows this one goes
  back to the last checkpoint so many times; this one stops thereafter.
  """

  def __init__(
    self,
    trainer: Trainer,
    params: cfg.TrainerConfig,
    checkpoint_manager: CheckpointManager,
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
    bad = _not_finite(output)
    spoilt = [
      variable.name
      for variable, finite in zip(
        self._trainer.model.trainable_variables, self._all_finite().numpy()
      )
      if not finite
    ]
    if not bad and not spoilt:
      return
    message = self._explanation(bad, spoilt, output)
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
    spoilt: list[str],
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
      what = f'{_listed(bad)} {where}'
      fine = _listed(
        {
          name: float(value)
          for name, value in output.items()
          if name.endswith(('_loss', '_entropy')) and name not in bad
        }
      )
      what += f'; finite: {fine}' if fine else ''
    else:
      what = (
        f'{len(spoilt)} weights after step {last}, '
        f'{", ".join(spoilt[:_SHOWN_VARIABLES])} among them'
      )
    return (
      f'Training is not finite: {what}. Try a lower '
      'trainer.optimizer_config.learning_rate, more warm-up, or '
      'global_clipnorm; for order_loss or speed_loss alone a lower '
      'task.model.smoothing.weight; trainer.recovery_max_trials to go back '
      'and try again.'
    )


class ExperimentRunner(train_lib.OrbitExperimentRunner):
  """Trains and evaluates one experiment, and resumes it.

  Raises where it is built, or in `run`:
    CheckpointError: checkpoints that cannot be resumed from, or none to
      evaluate.
    InputDataError: input that cannot be trained on, naming file and record.
    FloatingPointError: a loss, a measure or a weight is not finite.
  """

  def __init__(
    self,
    distribution_strategy: tf.distribute.Strategy,
    task: Any,
    mode: str,
    params: cfg.ExperimentConfig,
    model_dir: str,
    **kwargs,
  ):
    """Builds the model, and restores it from `model_dir`.

    Args:
      distribution_strategy: what to train under.
      task: what to train.
      mode: one of `MODES`.
      params: the whole experiment.
      model_dir: checkpoints and logs; shared by all workers.
      **kwargs: of `train_lib.OrbitExperimentRunner`.
    """
    if mode not in MODES:
      raise ValueError(f'mode={mode!r}: expected one of {MODES}.')
    if 'train' in mode:
      task.check_training()
    if mode == 'eval' and not task.has_initial_weights:
      if newest_readable_checkpoint(model_dir) is None:
        raise CheckpointError(
          f'There is no checkpoint in {model_dir} to evaluate. Train into '
          'this folder first, or set task.init_checkpoint to the weights '
          '(of an ensemble, task.model.first.checkpoint and '
          'task.model.second.checkpoint).'
        )
    # Wrong ones must not wait for the end of the evaluation.
    self._label_texts: list[str] = []
    if mode == 'eval' and not (
      params.task.validation_data.is_multilabel
      or params.trainer.eval_tf_while_loop
    ):
      self._label_texts = label_files.label_texts(params.task)
    self._worker_dir: tempfile.TemporaryDirectory | None = None
    super().__init__(
      distribution_strategy, task, mode, params, model_dir, **kwargs
    )
    self.trainer.keeps_predictions = bool(self._label_texts)
    self._require_common_step()

  def _build_trainer(self, task: Any, train: bool, evaluate: bool) -> Trainer:
    with self.strategy.scope():
      return train_utils.create_trainer(
        self.params,
        task,
        train=train,
        evaluate=evaluate,
        checkpoint_exporter=self._build_best_checkpoint_exporter(),
        trainer_cls=Trainer,
      )

  def _maybe_build_checkpoint_manager(self) -> CheckpointManager:
    directory = self.model_dir
    max_to_keep = self.params.trainer.max_to_keep
    if not self.strategy.extended.should_checkpoint:
      self._worker_dir = tempfile.TemporaryDirectory(prefix='grw_worker_')
      directory = self._worker_dir.name
      max_to_keep = 1
    return CheckpointManager(
      self.trainer.checkpoint,
      directory=directory,
      model_dir=self.model_dir,
      required={'model': self.trainer.model},
      max_to_keep=max_to_keep,
      step_counter=self.trainer.global_step,
      checkpoint_interval=self.params.trainer.checkpoint_interval,
      init_fn=self.trainer.initialize,
    )

  def _build_controller(
    self,
    trainer: Trainer | None,
    evaluator: Trainer,
    train_actions: list[Any] | None = None,
    **kwargs,
  ) -> orbit.Controller:
    train_actions = list(train_actions or [])
    if trainer:
      # Before the stock actions, one of which raises without saying what
      # failed.
      train_actions.append(
        StopUnlessFinite(trainer, self.params.trainer, self.checkpoint_manager)
      )
    return super()._build_controller(
      trainer=trainer,
      evaluator=evaluator,
      train_actions=train_actions,
      **kwargs,
    )

  def _require_common_step(self):
    """Raises CheckpointError if workers have restored different steps."""
    if not isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
      return
    step = self.trainer.global_step
    with self.strategy.scope():
      steps = self.strategy.gather(
        self.strategy.run(lambda: tf.reshape(step, [1])), axis=0
      )
    if len(set(steps.numpy())) > 1:
      raise CheckpointError(
        f'The workers restored different steps, {sorted(set(steps.numpy()))},'
        f' from model_dir={self.model_dir}: expected a folder that all of '
        'them share.'
      )

  def run(self) -> tuple[tf_keras.Model, Mapping[str, Any]]:
    """Trains and evaluates as the mode says.

    Does what the stock method does, except that it does not count FLOPs, which
    takes 11 s for A0 and misses 3D depthwise convolutions; and that it returns
    the logs of whichever evaluation came last.

    An evaluation that no training follows writes its measures into
    `REPORT_FOLDER` of the model folder.  Mode 'eval' also prints top-1 and
    top-5 with 95 % intervals, and writes tables and a picture there; not for
    data with several labels a clip, nor with `eval_tf_while_loop`, which keeps
    nothing of its steps.

    Returns:
      The model, and the logs of the last evaluation, if there was one.
    """
    trainer = self.params.trainer
    logs = None
    try:
      with self.strategy.scope():
        if self._mode == 'train_and_eval':
          logs = self.controller.train_and_evaluate(
            train_steps=trainer.train_steps,
            eval_steps=trainer.validation_steps,
            eval_interval=trainer.validation_interval,
          )
        elif self._mode == 'continuous_eval':
          logs = self.controller.evaluate_continuously(
            steps=trainer.validation_steps,
            timeout=trainer.continuous_eval_timeout,
            timeout_fn=lambda: (
              int(self.trainer.global_step.numpy()) >= trainer.train_steps
            ),
          )
        elif 'train' in self._mode:
          self.controller.train(steps=trainer.train_steps)
        if self._mode in ('eval', 'train_and_post_eval') or self._run_post_eval:
          logs = self.controller.evaluate(steps=trainer.validation_steps)
          self._report(logs)
    finally:
      self.checkpoint_manager.sync()
      if self._worker_dir:
        self._worker_dir.cleanup()
    logging.info(
      'Parameters of the model: %s.', f'{self.trainer.model.count_params():,}'
    )
    return self.trainer.model, logs or {}

  def _report(self, logs: Mapping[str, Any]):
    """The chief writes the measures; in mode 'eval', all that was found."""
    folder = os.path.join(self.model_dir, REPORT_FOLDER)
    is_chief = self.strategy.extended.should_checkpoint
    if is_chief:
      evaluation.write_measures(
        int(self.trainer.global_step.numpy()), logs, folder
      )
    if not self._label_texts:
      return
    predictions = self.trainer.predictions
    print(evaluation.summary(predictions), flush=True)
    if is_chief:
      evaluation.write_report(predictions, self._label_texts, folder)
      print(f'written: {folder}', flush=True)
