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

"""An ensemble is evaluated with the weights of members trained before."""

import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.checkpoints import initialization
from official_ext.grw.training import checkpoints
from official_ext.grw.training import launch
from official_ext.grw.training import runner
from tests import tiny


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return tiny.ensemble()


@pytest.fixture(name='params', scope='module')
def params_fixture(model, tmp_path_factory):
  folder = tmp_path_factory.mktemp('members')
  records = tiny.write_records(folder / 'records', [0, 1, 2, 1])
  params = exp_factory.get_exp_config('movinet_grw_ensemble_kinetics600')
  params.override(tiny.ensemble_overrides(folder, model, records))
  params.validate()
  return params


def test_evaluation_is_of_the_mean_of_both_members(params, model, tmp_path):
  evaluator = launch.build_runner(params, 'eval', str(tmp_path))
  _, logs = evaluator.run()
  clips = [features['image'] for features, _ in evaluator.trainer.eval_dataset]
  images = np.concatenate(clips)
  assert images.shape[:2] == (4, tiny.FRAMES)
  first, second = model.members
  probabilities = tf.nn.softmax(
    (first({'image': images[:, 0::2]}) + second({'image': images[:, 1::2]})) / 2
  )
  found = evaluator.trainer.predictions
  np.testing.assert_allclose(
    found.probabilities,
    tf.math.top_k(probabilities, tiny.CLASSES).values,
    atol=1e-5,
  )
  assert logs['top_1_accuracy'] == pytest.approx(
    np.mean(np.argmax(probabilities, -1) == [0, 1, 2, 1])
  )
  assert (tmp_path / runner.REPORT_FOLDER).is_dir()


def test_an_ensemble_does_not_train(params, tmp_path):
  with pytest.raises(
    ValueError, match='train its members apart, each on clips of 3 frames'
  ):
    launch.build_runner(params, 'train', str(tmp_path))


def test_members_without_weights_are_not_evaluated(params, model, tmp_path):
  without = params.replace(task={'model': {'second': {'checkpoint': ''}}})
  with pytest.raises(checkpoints.CheckpointError, match='second.checkpoint'):
    launch.build_runner(without, 'eval', str(tmp_path))
  with pytest.raises(ValueError, match='second.checkpoint is not set'):
    initialization.initialize_members(model.members, without.task.model)


def test_a_member_of_which_the_head_is_missing(params, model, tmp_path):
  backbone = tf.train.Checkpoint(backbone=model.members[1].backbone).save(
    str(tmp_path / 'ckpt')
  )
  config = params.task.model.replace(second={'checkpoint': backbone})
  with pytest.raises(
    ValueError, match="second.checkpoint: .*lacks .*'grw_.*whole classifier"
  ):
    initialization.initialize_members(model.members, config)


def test_a_member_of_another_number_of_classes(params, model, tmp_path):
  config = params.task.model
  other = tiny.ensemble_overrides(tmp_path, tiny.ensemble(num_classes=4))[
    'task'
  ]['model']
  with pytest.raises(ValueError, match='second.checkpoint: .*4 classes'):
    initialization.initialize_members(
      model.members,
      config.replace(second={'checkpoint': other['second']['checkpoint']}),
    )
