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

"""Claims about resuming, and about stopping before harm is done."""

import logging
import math
import os
import shutil

import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw.datasets import record_check
from official_ext.grw.losses import loss_term
from official_ext.grw.training import checkpoints
from official_ext.grw.training import finite_guard
from official_ext.grw.training import launch
from tests import tiny


class Counter:
  """A checkpoint of one weight and a step, and its manager."""

  def __init__(self, folder, model_dir=None, interval=1):
    self.step = tf.Variable(0, dtype=tf.int64)
    self.weight = tf.Variable(0.0)
    self.initialized = False
    self.manager = checkpoints.CheckpointManager(
      tf.train.Checkpoint(step=self.step, weight=self.weight),
      directory=str(folder),
      model_dir=str(model_dir or folder),
      required={'weight': self.weight},
      max_to_keep=5,
      step_counter=self.step,
      checkpoint_interval=interval,
      init_fn=self._initialize,
    )

  def _initialize(self):
    self.initialized = True

  def run(self, steps):
    for step in range(int(self.step.numpy()) + 1, steps + 1):
      self.step.assign(step)
      self.weight.assign(10.0 * step)
      self.manager.save(checkpoint_number=step)


@pytest.fixture
def three_checkpoints(tmp_path):
  Counter(tmp_path).run(3)
  return tmp_path


def restored_step(folder):
  counter = Counter(folder)
  counter.manager.restore_or_initialize()
  assert counter.weight.numpy() == 10.0 * counter.step.numpy()
  assert counter.initialized == (counter.step.numpy() == 0)
  return int(counter.step.numpy())


def truncate(path):
  os.truncate(path, os.path.getsize(path) // 2)


def test_an_empty_folder_is_initialized(tmp_path):
  assert restored_step(tmp_path) == 0
  assert restored_step(tmp_path / 'missing') == 0


def test_resumes_from_the_checkpoint_that_the_folder_names(three_checkpoints):
  assert restored_step(three_checkpoints) == 3
  # Whoever edits the file wants to go back.
  index = three_checkpoints / 'checkpoint'
  index.write_text(
    index.read_text().replace(
      'model_checkpoint_path: "ckpt-3"', 'model_checkpoint_path: "ckpt-2"', 1
    )
  )
  assert restored_step(three_checkpoints) == 2


@pytest.mark.parametrize('content', [None, '', 'garbage {', '\x00\x01\xff'])
def test_a_damaged_index_does_not_restart_at_zero(
  three_checkpoints, content, caplog
):
  index = three_checkpoints / 'checkpoint'
  if content is None:
    index.unlink()
  else:
    index.write_text(content)
  with caplog.at_level(logging.WARNING):
    assert restored_step(three_checkpoints) == 3
  assert 'checkpoint is missing or damaged' in caplog.text

  counter = Counter(three_checkpoints, interval=10)
  counter.manager.restore_or_initialize()
  counter.run(4)
  assert tf.train.latest_checkpoint(three_checkpoints).endswith('ckpt-4'), (
    'the next save did not mend the index'
  )


@pytest.mark.parametrize('suffix', ['.data-00000-of-00001', '.index'])
def test_a_truncated_checkpoint_falls_back_to_the_one_before(
  three_checkpoints, suffix, caplog
):
  truncate(three_checkpoints / f'ckpt-3{suffix}')
  with caplog.at_level(logging.WARNING):
    assert restored_step(three_checkpoints) == 2
  assert 'ckpt-3' in caplog.text and 'Going back to' in caplog.text


def test_missing_data_of_a_checkpoint_falls_back_too(three_checkpoints):
  (three_checkpoints / 'ckpt-3.data-00000-of-00001').unlink()
  assert restored_step(three_checkpoints) == 2


def test_a_checkpoint_that_was_being_written_is_passed_over(three_checkpoints):
  # What kill -9 leaves: data without index, and a folder of parts.
  (three_checkpoints / 'ckpt-4.data-00000-of-00001').write_bytes(b'half')
  (three_checkpoints / 'ckpt-4_temp').mkdir()
  assert restored_step(three_checkpoints) == 3


def test_when_no_checkpoint_can_be_read_all_are_named(three_checkpoints):
  for step in (1, 2, 3):
    truncate(three_checkpoints / f'ckpt-{step}.data-00000-of-00001')
  with pytest.raises(
    checkpoints.CheckpointError, match='ckpt-3.*ckpt-2.*ckpt-1'
  ):
    restored_step(three_checkpoints)


def test_an_index_without_checkpoints_is_an_error(three_checkpoints):
  for path in three_checkpoints.glob('ckpt-*'):
    path.unlink()
  with pytest.raises(checkpoints.CheckpointError, match='names .*ckpt-3'):
    restored_step(three_checkpoints)


def test_a_checkpoint_of_another_model_is_an_error(three_checkpoints):
  other = tf.Variable([1.0, 2.0])
  manager = checkpoints.CheckpointManager(
    tf.train.Checkpoint(other=other),
    directory=str(three_checkpoints),
    model_dir=str(three_checkpoints),
    required={'other': other},
    max_to_keep=1,
  )
  with pytest.raises(checkpoints.CheckpointError, match='another model'):
    manager.restore_or_initialize()


def test_a_worker_restores_the_chiefs_checkpoint_and_saves_elsewhere(
  three_checkpoints, tmp_path_factory
):
  folder = tmp_path_factory.mktemp('worker')
  before = sorted(os.listdir(three_checkpoints))
  worker = Counter(folder, model_dir=three_checkpoints)
  assert (worker.manager.restore_or_initialize() or '').endswith('ckpt-3')
  worker.run(4)
  assert worker.weight.numpy() == 40.0
  assert sorted(os.listdir(three_checkpoints)) == before
  assert 'ckpt-4.index' in os.listdir(folder)


def test_the_interval_of_saving_continues_across_a_restart(three_checkpoints):
  counter = Counter(three_checkpoints, interval=3)
  counter.manager.restore_or_initialize()
  counter.run(6)
  assert {'ckpt-6.index'} == (
    set(os.listdir(three_checkpoints))
    & {'ckpt-4.index', 'ckpt-5.index', 'ckpt-6.index'}
  )


def test_a_loss_term_knows_how_many_steps_were_finite():
  term = loss_term.LossTerm('order_loss')
  for value in (1.0, 3.0, math.inf, math.nan, 5.0):
    term.update_state(value)
  assert term.finite_updates.numpy() == 3
  assert not math.isfinite(term.result())
  term.reset_states()
  term.update_state(2.0)
  assert (term.result().numpy(), term.finite_updates.numpy()) == (2.0, 1)


def experiment_config(folder, **trainer):
  """An experiment that runs eagerly: it need not be traced."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    tiny.overrides(
      tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0] * 3),
      tiny.write_records(folder / 'validation.tfrecord', [0, 1, 2, 0, 1], 1),
      **tiny.EAGER,
      **trainer,
    )
  )
  params.override({'runtime': {'distribution_strategy': 'one_device'}})
  params.validate()
  return params


def test_eval_without_a_checkpoint_is_an_error(tmp_path):
  with pytest.raises(
    checkpoints.CheckpointError, match='no checkpoint in .*empty'
  ):
    launch.build_runner(
      experiment_config(tmp_path), 'eval', str(tmp_path / 'empty')
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('experiment')


@pytest.fixture(scope='module')
def trained(folder):
  """An experiment that has trained two steps and saved them."""
  params = experiment_config(folder, recovery_max_trials=1)
  experiment = launch.build_runner(
    params, 'train_and_eval', str(folder / 'model')
  )
  experiment.controller.train(steps=2)
  return experiment


def test_nothing_is_left_for_the_first_step_to_create(tmp_path):
  experiment = launch.build_runner(
    experiment_config(tmp_path), 'train', str(tmp_path / 'model')
  )
  trained = experiment.trainer.model.trainable_variables
  # Two moments of each, and the step.
  assert len(experiment.trainer.optimizer.variables) == 2 * len(trained) + 1


@pytest.fixture
def experiment(trained):
  """The experiment, back at its checkpoint of step 2."""
  trained.controller.restore_checkpoint()
  assert trained.trainer.global_step.numpy() == 2
  return trained


def spoil(experiment, name):
  """Makes a weight NaN."""
  [weight] = [
    v
    for v in experiment.trainer.model.trainable_variables
    if v.name.startswith(name)
  ]
  weight.assign(np.full(weight.shape, np.nan))


def saved_steps(folder):
  return sorted(path.name for path in folder.glob('model/ckpt-*.index'))


def action(experiment, max_trials):
  """The action as it is at the start of a run."""
  experiment.params.trainer.override({'recovery_max_trials': max_trials})
  return finite_guard.StopUnlessFinite(
    experiment.trainer, experiment.params.trainer, experiment.checkpoint_manager
  )


def test_a_loss_that_is_not_finite_stops_before_saving(experiment, folder):
  experiment.controller.train_actions = (action(experiment, 0),)
  spoil(experiment, 'grw_head/classifier/kernel')
  with pytest.raises(FloatingPointError) as error:
    experiment.controller.train(steps=4)
  message = str(error.value)
  assert 'first cross_entropy at step 3' in message
  assert 'cross_entropy=nan' in message and 'training_loss=nan' in message
  assert 'in steps 3 to 4' in message
  assert 'learning_rate' in message and 'model/ckpt-2' in message
  assert saved_steps(folder) == ['ckpt-2.index']


def test_weights_that_the_last_step_spoiled_are_not_saved(experiment):
  stop = action(experiment, 0)
  stop({'training_loss': tf.constant(1.0)})
  spoil(experiment, 'grw_embedding/kernel')
  with pytest.raises(FloatingPointError, match='1 weights .*grw_embedding'):
    stop({'training_loss': tf.constant(1.0)})


def test_recovery_goes_back_so_many_times_and_no_more(experiment, caplog):
  stop = action(experiment, 1)
  spoil(experiment, 'grw_head/classifier/kernel')
  nan = {'training_loss': tf.constant(math.nan)}
  with caplog.at_level(logging.WARNING):
    stop(nan)
  assert 'Going back to' in caplog.text and '1 of 1' in caplog.text
  with pytest.raises(FloatingPointError):
    stop(nan)


def test_recovery_with_nothing_to_go_back_to_stops(experiment, folder):
  stop = action(experiment, 3)
  hidden = folder / 'hidden'
  shutil.copytree(folder / 'model', hidden)
  for path in folder.glob('model/*ckpt*'):
    path.unlink()
  (folder / 'model' / 'checkpoint').unlink()
  try:
    with pytest.raises(FloatingPointError, match='none before'):
      stop({'training_loss': tf.constant(math.nan)})
  finally:
    shutil.copytree(hidden, folder / 'model', dirs_exist_ok=True)


def test_a_validation_that_is_not_finite_is_an_error(experiment):
  spoil(experiment, 'grw_head/classifier/kernel')
  with pytest.raises(FloatingPointError, match='Validation at step 2.*loss'):
    experiment.controller.evaluate(steps=2)


def test_validation_without_a_batch_is_an_error(experiment):
  trainer = experiment.trainer
  dataset = trainer.eval_dataset
  trainer.eval_dataset = trainer.distribute_dataset(
    lambda: tf.data.Dataset.from_tensors(0).take(0)
  )
  try:
    with pytest.raises(record_check.InputDataError, match='no batch'):
      experiment.controller.evaluate(steps=2)
  finally:
    trainer.eval_dataset = dataset


def test_an_input_error_names_file_and_record(experiment, folder):
  trainer = experiment.trainer
  bad = tiny.write_records(folder / 'bad.tfrecord', [0, 1, 2, 0, 1, 7, 0, 1])
  data = experiment.params.task.train_data.replace(input_path=bad)
  trainer.train_dataset = trainer.distribute_dataset(
    trainer.task.build_inputs, data
  )
  with pytest.raises(
    record_check.InputDataError,
    match=r'record 5 \(from 0\) of file ".*bad.tfrecord"',
  ):
    experiment.controller.train(steps=6)


@pytest.fixture(scope='module')
def ended(folder):
  """A folder of a training that has come to its end, and its configuration."""
  params = experiment_config(
    folder, train_steps=2, steps_per_loop=2, validation_interval=2
  )
  launch.build_runner(params, 'train', str(folder / 'ended')).run()
  return folder / 'ended'


def test_with_nothing_left_to_train_nothing_is_touched(ended, folder):
  before = {path.name: path.read_bytes() for path in ended.glob('*.*')}
  params = experiment_config(folder, train_steps=2)
  params.task.train_data.global_batch_size = 2
  for mode in ('train', 'train_and_eval'):
    said = launch.nothing_left(params, mode, str(ended))
    assert 'ckpt-2 is at step 2 of trainer.train_steps=2' in (said or '')
  assert launch.nothing_left(params, 'eval', str(ended)) is None
  params.trainer.train_steps = 3
  assert launch.nothing_left(params, 'train', str(ended)) is None
  assert launch.nothing_left(params, 'train', str(folder / 'new')) is None
  assert before == {path.name: path.read_bytes() for path in ended.glob('*.*')}


def test_another_model_is_refused_and_params_stay(ended, folder):
  before = (ended / 'params.yaml').read_bytes()
  params = experiment_config(folder, train_steps=4)
  params.override({'task': {'model': {'head': {'num_layers': 2}}}})
  with pytest.raises(ValueError, match='num_layers=2: expected 1'):
    launch.build_runner(params, 'train', str(ended))
  assert (ended / 'params.yaml').read_bytes() == before


def test_a_run_goes_on_with_other_batches_data_and_more_steps(
  ended, folder, caplog
):
  params = experiment_config(folder, train_steps=4)
  other = tiny.write_records(folder / 'other.tfrecord', [2, 1, 0, 2], 5)
  params.task.train_data.override({'global_batch_size': 2, 'input_path': other})
  with caplog.at_level(logging.WARNING):
    run = launch.build_runner(params, 'train', str(ended))
  assert 'global_batch_size 4 -> 2' in caplog.text
  assert 'trainer.train_steps 2 -> 4' in caplog.text
  assert int(run.trainer.global_step.numpy()) == 2
  iterations = run.trainer.optimizer.iterations
  run.run()
  assert int(run.trainer.global_step.numpy()) == 4
  assert int(iterations.numpy()) == 4
  written = (ended / 'params.yaml').read_text()
  assert 'global_batch_size: 2' in written and 'train_steps: 4' in written
