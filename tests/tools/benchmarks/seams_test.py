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

"""The table of seams is of the runs that a sweep has trained."""

from absl import app
from official.core import exp_factory
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.losses import seams
from official_ext.grw.reports import demo
from official_ext.grw.training import launch
from tests import tiny
from tools.benchmarks import seams as tool


def test_each_row_has_the_means_of_its_runs(tmp_path):
  records = tiny.write_records(tmp_path / 'records', [0, 1, 2, 0])
  for seed in (0, 1):
    params = exp_factory.get_exp_config('movinet_grw_airplanes')
    params.override(
      tiny.overrides(
        records, records, train_steps=1, steps_per_loop=1, **tiny.EAGER
      )
    )
    params.override(
      {
        'task': {'seed': seed},
        'runtime': {'distribution_strategy': 'one_device'},
      }
    )
    params.validate()
    folder = tmp_path / 'sweep' / 'runs' / 'grw' / f'seed{seed}'
    launch.build_runner(params, 'train', str(folder)).run()
  (tmp_path / 'sweep' / 'runs' / 'not begun').mkdir()

  *_, line = tool.table(
    tmp_path / 'sweep', 'movinet_grw_airplanes'
  ).splitlines()
  _, embeddings, _ = demo.measure(folder)
  assert embeddings.shape[:2] == (4, tiny.FRAMES)
  at_seams, elsewhere = seams.acceleration_over_speed(embeddings, 3)
  name, runs, *cells = (cell.strip() for cell in line.strip('| ').split('|'))
  assert (name, runs) == ('grw', '2')
  means, deviations = zip(*(map(float, cell.split('±')) for cell in cells))
  # Of two runs either is as far from the mean.
  for mean, deviation, value in zip(means, deviations, (at_seams, elsewhere)):
    assert abs(abs(value - mean) * 2**0.5 - deviation) < 0.02
  assert means[2] == pytest.approx(means[0] / means[1], abs=0.05)


def test_a_folder_that_is_no_sweep_is_named(tmp_path):
  with pytest.raises(app.UsageError, match=f'--sweep={tmp_path}: expected'):
    tool.table(tmp_path, 'movinet_grw_airplanes')
