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
"""Claims about a dry run."""

import os

import cv2
from official.core import exp_factory
import pytest
import yaml

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.training import dry_run
from tests import tiny


@pytest.fixture(name='params', scope='module')
def params_fixture(tmp_path_factory):
  folder = tmp_path_factory.mktemp('data')
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    tiny.overrides(
      tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0]),
      tiny.write_records(folder / 'validation.tfrecord', [0, 1, 2]),
      train_tf_while_loop=False,
      train_tf_function=False,
    )
  )
  params.override({'runtime': {'distribution_strategy': 'one_device'}})
  params.validate()
  return params


def test_it_says_what_a_training_costs_and_leaves_a_picture(
  params, tmp_path, capsys
):
  folder = tmp_path / 'model'
  dry_run.run(params, str(folder))
  printed = capsys.readouterr().out
  assert os.listdir(folder) == [dry_run.SHEET]
  sheet = cv2.imread(str(folder / dry_run.SHEET))
  assert sheet is not None and sheet.std() > 20
  config = yaml.safe_load(printed[: printed.index('\nclips: ')])
  assert config['trainer']['train_steps'] == 4
  assert 'steps: 4, with a validation every 2' in printed


def test_the_time_has_the_first_step_and_the_validations(params):
  params = params.replace()
  params.override(
    {
      'trainer': {
        'train_steps': 100,
        'validation_interval': 20,
        'steps_per_loop': 20,
      },
      'task': {'validation_data': {'num_examples': 12}},
    }
  )
  *_, time, memory = dry_run.expected(params, 60.0, 2.0, 3 * 2**30)
  # 60 + 200 + five of three batches at a third of a step.
  assert time.endswith('about 4:30 with 5 validations')
  assert '60 s for the first step, 2 s for another' in time
  assert memory == 'memory: 3,072 MiB of this machine at its peak'
