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
"""Claims about the checkpoint of the best validation."""

import json

from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.checkpoints import best
from official_ext.grw.training import best_checkpoint
from tests import tiny


class Training:
  """A model of one weight, and what keeps its best checkpoint."""

  def __init__(self, folder, worker_folder=None, **tolerance):
    self.model = tf.Module()
    self.model.weight = tf.Variable(0.0)
    self.checkpoint = tf.train.Checkpoint(
      model=self.model,
      global_step=tf.Variable(0, dtype=tf.int64),
      optimizer=tf.Module(),
    )
    self.exporter = best_checkpoint.BestCheckpointExporter(
      str(folder / 'best'),
      'top_1_accuracy',
      'higher',
      worker_folder,
      **tolerance,
    )

  def validate(self, step, accuracy):
    self.checkpoint.global_step.assign(step)
    self.model.weight.assign(10.0 * step)
    return self.exporter.maybe_export_checkpoint(
      self.checkpoint, {'top_1_accuracy': tf.constant(accuracy)}, step
    )


def write_params(folder, subdir='best'):
  tiny.write_yaml(
    folder / 'params.yaml',
    {
      'trainer': {
        'best_checkpoint_export_subdir': subdir,
        'best_checkpoint_eval_metric': 'top_1_accuracy',
      }
    },
  )


@pytest.fixture(name='folder')
def folder_fixture(tmp_path):
  """Of four validations the second was the best."""
  training = Training(tmp_path)
  kept = [
    training.validate(step, accuracy)
    for step, accuracy in ((10, 0.25), (20, 0.5), (30, 0.5), (40, 0.375))
  ]
  assert kept == [True, True, False, False]
  assert training.exporter.step == 20
  write_params(tmp_path)
  (tmp_path / 'ckpt-40.index').touch()
  return tmp_path


def test_the_best_is_found_with_its_reason(folder):
  found = best.find(str(folder))
  assert found is not None
  assert (found.step, found.value, found.last_step) == (20, 0.5, 40)
  assert found.path == str(folder / 'best' / 'best_ckpt-20')
  assert (
    'best by top_1_accuracy on the validation data, 0.5 at step 20 (the last '
    'is of step 40)'
  ) in found.reason


def test_it_holds_the_weights_and_the_step_alone(folder):
  found = best.find(str(folder))
  assert found is not None
  names = [name for name, _ in tf.train.list_variables(found.path)]
  values = {
    name.split('/')[0]: tf.train.load_variable(found.path, name)
    for name in names
    if name.endswith('VARIABLE_VALUE')
  }
  assert set(values) == {'model', 'global_step', 'save_counter'}
  assert values['model'] == 200.0 and values['global_step'] == 20


def test_a_run_that_goes_on_keeps_what_is_still_the_best(folder):
  again = Training(folder)
  assert again.exporter.step is None
  assert not again.validate(50, 0.5)
  assert again.validate(60, 0.75)
  found = best.find(str(folder))
  assert found is not None and found.step == 60
  assert len(list((folder / 'best').glob('*.index'))) == 1


def test_a_worker_decides_alike_and_saves_elsewhere(folder, tmp_path_factory):
  elsewhere = tmp_path_factory.mktemp('worker')
  before = (folder / 'best' / 'info.json').read_bytes()
  worker = Training(folder, str(elsewhere))
  assert not worker.validate(50, 0.4)
  assert worker.validate(60, 0.75)
  assert (folder / 'best' / 'info.json').read_bytes() == before
  assert list(elsewhere.glob('best_ckpt-60.index'))


def test_the_latest_that_the_clips_cannot_tell_from_the_best_is_kept(tmp_path):
  # Of 64 clips half are right: a standard error is 1 / 16.
  tolerance = {'standard_errors': 1.0, 'clips': 64}
  training = Training(tmp_path, **tolerance)
  write_params(tmp_path)
  for step, accuracy, is_kept in (
    (10, 0.4, True),
    (20, 0.5, True),
    (30, 0.43, False),
    (40, 0.45, True),
  ):
    assert training.validate(step, accuracy) == is_kept
  assert (training.exporter.step, training.exporter.best_step) == (40, 20)
  found = best.find(str(tmp_path))
  assert found is not None and found.step == 40
  assert found.value == pytest.approx(0.45)
  assert (
    '0.45 at step 40, which they cannot tell from the best, 0.5 at step 20'
  ) in found.reason
  # What came down a little at each step is compared with the best of all, by
  # another process too.
  again = Training(tmp_path, **tolerance)
  assert again.exporter.best_step == 20
  assert not again.validate(50, 0.43)
  assert again.validate(60, 0.44)
  assert again.validate(70, 0.75)
  found = best.find(str(tmp_path))
  assert found is not None and 'the best by top_1_accuracy' in found.reason


def test_without_a_number_of_clips_the_best_is_kept(tmp_path):
  training = Training(tmp_path, standard_errors=1.0)
  assert training.validate(10, 0.5)
  assert not training.validate(20, 0.49)


@pytest.mark.parametrize('subdir', ['', 'elsewhere'])
def test_none_is_found_where_none_is_kept(folder, subdir):
  write_params(folder, subdir)
  assert best.find(str(folder)) is None
  assert best.find(str(folder / 'ckpt-40')) is None


def test_another_metric_begins_anew(folder):
  path = folder / 'best' / 'info.json'
  path.write_text(json.dumps({'cross_entropy': 0.1}))
  assert Training(folder).validate(50, 0.1)


def test_every_experiment_keeps_its_best_checkpoint():
  for name in ('movinet_grw_airplanes', 'movinet_grw_kinetics600'):
    trainer = exp_factory.get_exp_config(name).trainer
    assert trainer.best_checkpoint_export_subdir == 'best'
