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
"""The batch of --batch=auto is the largest that there is room and use for."""

from official.core import exp_factory
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.training import batch_size
from official_ext.grw.training import memory
from tests import tiny


@pytest.fixture(name='params', scope='module')
def params_fixture(tmp_path_factory):
  folder = tmp_path_factory.mktemp('data')
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  path = tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0])
  params.override(tiny.overrides(path, path))
  params.override({'runtime': {'distribution_strategy': 'one_device'}})
  params.validate()
  return params


@pytest.fixture(name='step', scope='module')
def step_fixture(params):
  """One trial for all tests: it is most of their time."""
  return batch_size.TrialStep(params)


GIB = 2.0**30


def test_few_clips_keep_ten_steps_a_pass(params, step):
  found, tried, reason = batch_size.try_batches(
    step, clips=95, on_cpu=False, budget=64 * GIB
  )
  assert found == 8 and len(tried) == 3
  assert reason == 'twice as many leave less than 10 steps a pass'


def test_on_a_cpu_a_larger_batch_has_to_be_faster(params, step):
  found, tried, reason = batch_size.try_batches(
    step, clips=10**6, on_cpu=True, budget=64 * GIB
  )
  # A step of four clips takes less than twice a step of two; at some size the
  # cores are busy.
  assert 2 <= found <= 512
  assert reason == 'twice as many are not 1.1 times as fast'
  speeds = [float(line.split()[1]) for line in tried]
  for before, speed in zip(speeds[:-1], speeds[1:-1]):
    assert speed >= 1.09 * before
  assert speeds[-1] <= 1.11 * speeds[-2]


def test_what_does_not_fit_is_not_tried(params, step):
  with pytest.raises(ValueError, match='--batch=auto: a step of 2 clips does'):
    batch_size.try_batches(step, clips=10**6, on_cpu=True, budget=-1.0)


def test_a_training_that_goes_on_keeps_its_batch(params, tmp_path, monkeypatch):
  (tmp_path / 'params.yaml').write_text(
    'task: {train_data: {global_batch_size: 6}}'
  )
  (tmp_path / 'ckpt-3.index').touch()
  assert batch_size.choose(params, str(tmp_path)) == 6


def test_several_machines_have_no_trial(params, tmp_path):
  params = params.replace()
  params.override({'runtime': {'distribution_strategy': 'tpu'}})
  with pytest.raises(ValueError, match="expected a number.*'tpu'"):
    batch_size.choose(params, str(tmp_path))


def test_there_is_less_memory_than_the_machine_has():
  # What TensorFlow takes by being imported, and no machine has.
  for size in (memory.resident_bytes(), memory.peak_bytes()):
    assert 100 * 2**20 < size < 2**40
  assert 0 < memory.available_bytes() < 2**50
