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

"""Moving averages are what is evaluated, continued from, and exported."""

import json

import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw.checkpoints import best
from official_ext.grw.checkpoints import tf_reader
from official_ext.grw.serving import saved_model
from official_ext.grw.training import launch
from tests import tiny

DECAY = 0.7


def config(folder, decay, **task):
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    tiny.overrides(
      tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0]),
      tiny.write_records(folder / 'valid.tfrecord', [0, 1, 2], seed=1),
      **tiny.EAGER,
      validation_steps=1,
      train_steps=6,
      early_stopping_patience=1,
    )
  )
  ema = {'average_decay': decay, 'trainable_weights_only': False}
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {'validation_data': {'num_examples': 3}, 'seed': 3, **task},
      'trainer': {
        'optimizer_config': {'ema': ema if decay else None},
        # All three classes are among five: the first validation stays the best.
        'best_checkpoint_eval_metric': 'top_5_accuracy',
      },
    }
  )
  params.validate()
  return params


@pytest.fixture(name='run', scope='module')
def run_fixture(tmp_path_factory):
  """A folder, and the logs of the evaluation at the end of a training."""
  folder = tmp_path_factory.mktemp('averages')
  experiment = launch.build_runner(
    config(folder, DECAY), 'train_and_eval', str(folder / 'model')
  )
  _, logs = experiment.run()
  return folder, logs


def initialized(run, target, decay, checkpoint=''):
  folder, _ = run
  last = tf.train.latest_checkpoint(str(folder / 'model'))
  params = config(folder, decay, init_checkpoint=checkpoint or last)
  experiment = launch.build_runner(params, 'eval', str(folder / target))
  # Without the report on it.
  with experiment.strategy.scope():
    return experiment.controller.evaluate(steps=1)['validation_loss']


def test_published_experiments_keep_averages():
  for name in ('movinet_grw_kinetics600', 'movinet_grw_kinetics400'):
    ema = exp_factory.get_exp_config(name).trainer.optimizer_config.ema
    # 0.99 a step of 1,024 clips is as much as this a step of 64.
    assert ema.average_decay == pytest.approx(0.99 ** (64 / 1024), abs=1e-4)
    assert not ema.trainable_weights_only


def test_evaluation_is_of_the_averages(run):
  """A model that is given the averages alone has the same loss."""
  _, logs = run
  assert initialized(run, 'plain', None) == pytest.approx(
    logs['validation_loss'], rel=1e-4
  )


def test_averages_begin_at_the_initial_weights(run):
  """The stock ones are zero until the first step, and would be evaluated."""
  _, logs = run
  assert initialized(run, 'averaged', DECAY) == pytest.approx(
    logs['validation_loss'], rel=1e-4
  )


def test_training_ends_when_nothing_gets_better(run):
  folder, _ = run
  steps = {path.name for path in (folder / 'model').glob('ckpt-*.index')}
  # The validation at step 2 was the best, and one more is waited for.
  assert steps == {'ckpt-2.index', 'ckpt-4.index'}
  again = launch.build_runner(
    config(folder, DECAY), 'train_and_eval', str(folder / 'model')
  )
  again.run()
  assert int(again.trainer.global_step.numpy()) == 4


def test_the_end_of_a_training_leaves_pictures_and_tables(run):
  folder, _ = run
  assert (folder / 'model' / 'learning_curves.png').exists()
  assert (folder / 'model' / 'evaluation' / 'confusion_matrix.png').exists()
  with open(folder / 'model' / 'evaluation' / 'predictions.csv') as file:
    assert len(list(file)) == 4


@pytest.fixture(name='kept', scope='module')
def kept_fixture(run):
  """The best checkpoint, and the loss of its validation."""
  folder, logs = run
  found = best.find(str(folder / 'model'))
  assert found is not None and (found.step, found.last_step) == (2, 4)
  info = json.loads((folder / 'model' / 'best' / 'info.json').read_text())
  assert info['validation_loss'] != pytest.approx(logs['validation_loss'])
  return found, info['validation_loss']


def test_the_best_checkpoint_is_what_was_evaluated(run, kept):
  found, loss = kept
  folder, _ = run
  assert initialized(run, 'best', None, found.path) == pytest.approx(loss)
  # And what is taken where its folder is named, also by a task that averages.
  again = initialized(run, 'best_averaged', DECAY, str(folder / 'model'))
  assert again == pytest.approx(loss)


def test_evaluation_takes_the_best_unless_told_otherwise(run, kept):
  folder, last = run
  _, loss = kept
  params = config(folder, DECAY)
  _, logs = launch.build_runner(params, 'eval', str(folder / 'model')).run()
  assert logs['validation_loss'] == pytest.approx(loss)
  measures = folder / 'model' / 'evaluation' / 'measures.json'
  assert json.loads(measures.read_text())['step'] == 2
  params = config(folder, DECAY)
  params.trainer.override({'best_checkpoint_export_subdir': ''})
  _, logs = launch.build_runner(params, 'eval', str(folder / 'model')).run()
  assert logs['validation_loss'] == pytest.approx(last['validation_loss'])


def test_an_export_takes_the_best(run, kept):
  folder, _ = run
  found, _ = kept
  model = saved_model.build_trained_model(
    config(folder, None), str(folder / 'model')
  )
  expected = tf_reader.read(found.path).values
  for variable in model.variables:
    name = variable.name.removesuffix(':0')
    if name in expected:
      np.testing.assert_array_equal(variable.numpy(), expected[name], name)


def test_an_export_takes_the_averages(run):
  folder, _ = run
  prefix = tf.train.latest_checkpoint(str(folder / 'model'))
  averages = tf_reader.read(prefix, 'ema').values
  weights = tf_reader.read(prefix, 'model').values
  model = saved_model.build_trained_model(config(folder, None), prefix)
  differ = 0
  for variable in model.variables:
    name = variable.name.removesuffix(':0')
    if name in averages:
      np.testing.assert_array_equal(variable.numpy(), averages[name], name)
      differ += not np.array_equal(averages[name], weights[name])
  assert differ > 10
