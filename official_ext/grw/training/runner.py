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
import os
import tempfile
from typing import Any

from absl import logging
from official.core import config_definitions as cfg
from official.core import train_lib
from official.core import train_utils
import orbit
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import best as best_checkpoints
from official_ext.grw.compat import controller_output
from official_ext.grw.configs import preflight
from official_ext.grw.datasets import labels as label_files
from official_ext.grw.evaluation import curves
from official_ext.grw.evaluation import early_decisions
from official_ext.grw.evaluation import group_report
from official_ext.grw.evaluation import multi_label
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.files import screen
from official_ext.grw.training import best_checkpoint
from official_ext.grw.training import checkpoints
from official_ext.grw.training import finite_guard
from official_ext.grw.training import progress
from official_ext.grw.training import trainer

REPORT_FOLDER = 'evaluation'


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
      mode: one of `preflight.MODES`.
      params: the whole experiment.
      model_dir: checkpoints and logs; shared by all workers.
      **kwargs: the arguments of `train_lib.OrbitExperimentRunner`.
    """
    if mode not in preflight.MODES:
      raise ValueError(f'mode={mode!r}: expected one of {preflight.MODES}.')
    if 'train' in mode:
      task.check_training()
    if mode == 'eval' and not task.has_initial_weights:
      if checkpoints.newest_readable_checkpoint(model_dir) is None:
        raise checkpoints.CheckpointError(
          f'There is no checkpoint in {model_dir} to evaluate. Train into '
          'this folder first, or set task.init_checkpoint to the weights '
          '(of an ensemble, task.model.first.checkpoint and '
          'task.model.second.checkpoint).'
        )
    if mode == 'eval':
      task.look_at_early_answers()
    # Wrong ones must not wait for the end of the evaluation.
    self._label_texts: list[str] = []
    if mode in ('eval', 'train_and_eval') and (
      not params.trainer.eval_tf_while_loop
    ):
      self._label_texts = label_files.label_texts(params.task)
    self._best_predictions: Any = None
    self._best_measures: Mapping[str, float] = {}
    self._worker_dir: tempfile.TemporaryDirectory | None = None
    strategy = distribution_strategy
    if not strategy.extended.should_checkpoint:
      self._worker_dir = tempfile.TemporaryDirectory(prefix='grw_worker_')
    controller_output.silence()
    plan = _plan(params, mode)
    self._display: progress.Display | None = None
    self._progress_file: progress.ProgressFile | None = None
    if 'train' in mode and strategy.extended.should_checkpoint:
      self._display = progress.Display(plan)
      self._progress_file = progress.ProgressFile(model_dir, plan)
    super().__init__(
      distribution_strategy, task, mode, params, model_dir, **kwargs
    )
    with self.strategy.scope():
      self.trainer.begin_averages()
    self.trainer.keeps_predictions = bool(self._label_texts)
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
      # With several workers, all would have to read a measure at one step.
      self.trainer.display = self._display
    self._require_common_step()

  def _build_trainer(
    self, task: Any, train: bool, evaluate: bool
  ) -> trainer.Trainer:
    with self.strategy.scope():
      return train_utils.create_trainer(
        self.params,
        task,
        train=train,
        evaluate=evaluate,
        checkpoint_exporter=self._build_best_checkpoint_exporter(),
        trainer_cls=trainer.Trainer,
      )

  def _build_best_checkpoint_exporter(
    self,
  ) -> best_checkpoint.BestCheckpointExporter | None:
    """None where a validation is of one checkpoint alone."""
    settings = self.params.trainer
    folder = settings.best_checkpoint_export_subdir
    if self._mode not in ('train_and_eval', 'continuous_eval') or not folder:
      return None
    metric = settings.best_checkpoint_eval_metric
    errors = settings.best_checkpoint_standard_errors
    return best_checkpoint.BestCheckpointExporter(
      os.path.join(self.model_dir, folder),
      metric,
      settings.best_checkpoint_metric_comp,
      os.path.join(self._worker_dir.name, folder) if self._worker_dir else None,
      errors if metric.endswith('accuracy') else 0.0,
      max(0, self.params.task.validation_data.num_examples),
    )

  def _find_best(self) -> best_checkpoints.Best | None:
    """The best checkpoint of the folder, if the settings keep one."""
    settings = self.params.trainer
    return best_checkpoints.find(
      self.model_dir,
      settings.best_checkpoint_export_subdir,
      settings.best_checkpoint_eval_metric,
    )

  def _maybe_build_checkpoint_manager(self) -> checkpoints.CheckpointManager:
    directory = self.model_dir
    max_to_keep = self.params.trainer.max_to_keep
    if self._worker_dir:
      directory = self._worker_dir.name
      max_to_keep = 1
    best = self._find_best() if self._mode == 'eval' else None
    if best is not None:
      screen.tell(
        f'Evaluating {best.reason}; '
        'trainer.best_checkpoint_export_subdir= takes the last.'
      )
    return checkpoints.CheckpointManager(
      self.trainer.checkpoint,
      directory=directory,
      model_dir=self.model_dir,
      required={'model': self.trainer.model},
      preferred=best.path if best else None,
      max_to_keep=max_to_keep,
      step_counter=self.trainer.global_step,
      checkpoint_interval=self.params.trainer.checkpoint_interval,
      init_fn=self.trainer.initialize,
    )

  def _build_controller(
    self,
    trainer: trainer.Trainer | None,
    evaluator: trainer.Trainer,
    train_actions: list[Any] | None = None,
    **kwargs,
  ) -> orbit.Controller:
    train_actions = list(train_actions or [])
    eval_actions = list(kwargs.pop('eval_actions', None) or [])
    if trainer:
      # Before the stock actions, one of which raises without saying what
      # failed.
      train_actions.append(
        finite_guard.StopUnlessFinite(
          trainer, self.params.trainer, self.checkpoint_manager
        )
      )
      train_actions.append(self._note_loop)
      eval_actions.append(self._note_validation)
    return super()._build_controller(
      trainer=trainer,
      evaluator=evaluator,
      train_actions=train_actions,
      eval_actions=eval_actions,
      **kwargs,
    )

  def _note_loop(self, output: orbit.runner.Output):
    """Train action: for the next row of the table, and the progress file."""
    measures = finite_guard.scalars(output)
    if self._progress_file is not None:
      step = self._step()
      self._progress_file.append(progress.TRAIN, step, measures)
    if self._display is not None:
      self._display.trained(measures)

  def _note_validation(self, output: orbit.runner.Output):
    """Evaluation action: a row of the table, and of the progress file."""
    measures = finite_guard.scalars(output)
    step = self._step()
    if self._progress_file is not None:
      self._progress_file.append(progress.VALIDATION, step, measures)
    exporter = self.trainer.checkpoint_exporter
    is_kept = exporter is not None and exporter.step == step
    if is_kept and self.trainer.keeps_predictions:
      self._best_predictions = self.trainer.predictions
      self._best_measures = measures
    if self._display is not None:
      is_best = exporter is not None and exporter.best_step == step
      mark = 'best' if is_best else 'kept' if is_kept else ''
      self._display.validated(step, measures, mark)

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
      raise checkpoints.CheckpointError(
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
    top-5 with 95 % intervals, or of several labels a clip mean average
    precision, and writes tables and a picture there; not with
    `eval_tf_while_loop`, which keeps nothing of its steps.

    Returns:
      The model, and the logs of the last evaluation, if there was one.
    """
    trainer = self.params.trainer
    logs = None
    begun = self._step()
    if self._progress_file is not None:
      self._progress_file.begin(begun)
    if self._display is not None:
      self._display.begin(begun)
    try:
      with self.strategy.scope():
        if self._mode == 'train_and_eval':
          logs = self._train_and_evaluate()
        elif self._mode == 'continuous_eval':
          logs = self.controller.evaluate_continuously(
            steps=trainer.validation_steps,
            timeout=trainer.continuous_eval_timeout,
            timeout_fn=lambda: self._step() >= trainer.train_steps,
          )
        elif 'train' in self._mode:
          self.controller.train(steps=trainer.train_steps)
        if self._mode in ('eval', 'train_and_post_eval') or self._run_post_eval:
          logs = self.controller.evaluate(steps=trainer.validation_steps)
          self._report(logs)
        elif self._mode == 'train_and_eval' and logs:
          self._write_measures(self._step(), logs)
    finally:
      if self._display is not None:
        self._display.close()
      self.checkpoint_manager.sync()
      if self._worker_dir:
        self._worker_dir.cleanup()
    if self._progress_file is not None:
      self._finish()
    logging.info(
      'Parameters of the model: %s.', f'{self.trainer.model.count_params():,}'
    )
    return self.trainer.model, logs or {}

  def _step(self) -> int:
    return int(self.trainer.global_step.numpy())

  def _write_measures(self, step: int, measures: Mapping[str, Any]):
    """The chief writes what an evaluation of a step measured."""
    if self.strategy.extended.should_checkpoint:
      evaluation.write_measures(
        step, measures, os.path.join(self.model_dir, REPORT_FOLDER)
      )

  def _train_and_evaluate(self) -> Mapping[str, Any] | None:
    """Trains and validates in turns, until nothing gets better for long.

    As the controller's method of this name, which knows no early end.

    Returns:
      The logs of the last validation.
    """
    settings, logs = self.params.trainer, None
    step = self._step()
    while step < settings.train_steps and not self._stops_early(step):
      until = min(step + settings.validation_interval, settings.train_steps)
      self.controller.train(until, checkpoint_at_completion=False)
      logs = self.controller.evaluate(steps=settings.validation_steps)
      step = self._step()
    self.controller.save_checkpoint()
    return logs

  def _stops_early(self, step: int) -> bool:
    """Whether the best validation is too long ago; says so."""
    settings, exporter = self.params.trainer, self.trainer.checkpoint_exporter
    patience = settings.early_stopping_patience
    if not patience or exporter is None or not exporter.best_step:
      return False
    if step - exporter.best_step < patience * settings.validation_interval:
      return False
    screen.tell(
      f'Ending at step {step}: no validation since step {exporter.best_step} '
      f'has been better (trainer.early_stopping_patience={patience}).'
    )
    return True

  def _report(self, logs: Mapping[str, Any]):
    """The chief writes the measures; in mode 'eval', all that was found."""
    predictions = (
      self.trainer.predictions if self.trainer.keeps_predictions else None
    )
    self._write_measures(
      self._step(), {**logs, **(predictions.measures() if predictions else {})}
    )
    if predictions is None:
      return
    screen.write(_report_of(predictions).summary(predictions))
    if self.strategy.extended.should_checkpoint:
      self._write_report(predictions)

  def _write_report(self, predictions: Any):
    """Writes tables and pictures, and says where."""
    folder = os.path.join(self.model_dir, REPORT_FOLDER)
    report = _report_of(predictions)
    report.write_report(predictions, self._label_texts, folder)
    early_decisions.write(predictions, folder)
    for line in report.classes(predictions, self._label_texts):
      screen.write(line)
    screen.write(f'written: {folder}')

  def _finish(self):
    """At the end of a training: curves, and a report of the best checkpoint."""
    best = self._find_best() if self._mode == 'train_and_eval' else None
    plan = _plan(self.params, self._mode)
    records = progress.read(os.path.join(self.model_dir, progress.FILE))
    if any(record['split'] == progress.VALIDATION for record in records):
      path = os.path.join(self.model_dir, 'learning_curves.png')
      place = (plan.epoch(best.step) or best.step) if best else None
      curves.write(records, plan.measure, path, place)
      screen.write(f'written: {path}')
    if best is None:
      return
    screen.write(f'Kept {best.reason}.')
    if self._best_predictions is not None:
      predictions = self._best_predictions
      screen.write(_report_of(predictions).summary(predictions))
      self._write_report(predictions)
      self._write_measures(best.step, self._best_measures)


def _plan(params: cfg.ExperimentConfig, mode: str) -> progress.Plan:
  """What is known of a training before it starts."""
  trainer, task = params.trainer, params.task
  several = task.train_data.is_multilabel
  interval = trainer.validation_interval if mode == 'train_and_eval' else 0
  return progress.Plan(
    steps=trainer.train_steps,
    batch=task.train_data.global_batch_size,
    clips=task.train_data.num_examples,
    measure='PR-AUC' if several else 'top_1_accuracy',
    heading='PR-AUC' if several else 'top-1',
    validation_interval=interval,
    validation_clips=task.validation_data.num_examples,
  )


def _report_of(predictions: Any) -> Any:
  """The module that reports on predictions of a kind."""
  if isinstance(predictions, multi_label.Predictions):
    return multi_label
  if isinstance(predictions, group_report.Predictions):
    return group_report
  return evaluation
