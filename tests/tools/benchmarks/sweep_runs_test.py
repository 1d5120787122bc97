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

"""What is measured of a sweep is of the runs that it has trained."""

import csv
import shutil

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.losses import seams
from official_ext.grw.reports import demo
from official_ext.grw.reports import sweep
from official_ext.grw.training import launch
from tests import tiny
from tools.benchmarks import sweep_runs


def test_each_row_has_the_means_of_its_runs(tmp_path):
  # Else weights are of the tests that ran before.
  tf_keras.utils.set_random_seed(0)
  records = tiny.write_records(tmp_path / 'records', [0, 1, 2, 0])
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    tiny.overrides(
      records, records, train_steps=1, steps_per_loop=1, **tiny.EAGER
    )
  )
  params.override({'runtime': {'distribution_strategy': 'one_device'}})
  params.validate()
  row = tmp_path / 'sweep' / 'runs' / 'grw'
  launch.build_runner(params, 'train', str(row / 'seed0')).run()
  # Another with other weights, and one that has saved none.
  shutil.copytree(row / 'seed0', row / 'seed1')
  (row / 'seed2').mkdir()
  shutil.copy(row / 'seed0' / 'params.yaml', row / 'seed2')
  task = task_factory.get_task(params.task)
  model = task.build_model()
  for variable in model.trainable_variables:
    variable.assign(1.5 * variable)
  path = tf.train.Checkpoint(model=model).save(str(row / 'seed1' / 'other'))
  assert tf.train.latest_checkpoint(row / 'seed1') == path

  measured = []
  for seed in (0, 1):
    _, embeddings, _ = demo.measure(row / f'seed{seed}')
    assert embeddings.shape[:2] == (4, tiny.FRAMES)
    measured.append(seams.acceleration_over_speed(embeddings, 3))
  at_seams, elsewhere = np.transpose(measured)
  columns = (at_seams, elsewhere, at_seams / elsewhere)
  assert min(values.std() for values in columns) > 0.01
  cells = [f'{x.mean():.2f} ± {x.std(ddof=1):.2f}' for x in columns]
  *_, line = sweep_runs.table(
    str(tmp_path / 'sweep'), 'movinet_grw_airplanes', 'seams'
  ).splitlines()
  assert line == f'| grw | 2 | {" | ".join(cells)} |'

  # Of the same runs, how soon their streams are right.
  *_, line = sweep_runs.table(
    str(tmp_path / 'sweep'), 'movinet_grw_airplanes', 'early_decisions'
  ).splitlines()
  curves = []
  for seed in (0, 1):
    path = row / f'seed{seed}' / 'evaluation' / 'early_decisions.csv'
    with open(path, encoding='utf-8') as file:
      curves.append([float(entry['top_1']) for entry in csv.DictReader(file)])
  after = np.transpose(curves)
  assert len(after) == tiny.FRAMES
  cells = [f'{x.mean():.1%} ± {x.std(ddof=1):.1%}' for x in after]
  assert line == f'| grw | 2 | {" | ".join(cells)} |'


def test_a_folder_that_is_no_sweep_is_named(tmp_path):
  with pytest.raises(sweep.SweepError, match=f'{tmp_path}: expected'):
    sweep_runs.table(str(tmp_path), 'movinet_grw_airplanes', 'seams')
