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

"""Windows span what the paper's do, and the log says what they span."""

import pathlib

from absl import logging as absl_logging
from official.core import exp_factory
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import windows
from official_ext.grw.reports import model_table

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'


def task(experiment='movinet_grw_kinetics600', **smoothing):
  params = exp_factory.get_exp_config(experiment)
  params.override({'task': {'model': {'smoothing': smoothing}}})
  return params.task


def test_windows_of_all_configs_fit():
  configs, _ = model_table.read_configs(str(CONFIGS / '*.yaml'))
  for config in configs:
    model = config.params.task.model
    if hasattr(model, 'members') or model.smoothing.placement == 'none':
      continue
    line, warnings = windows.describe(config.params.task)
    assert not warnings, config.name


def test_windows_of_members_of_ensembles_fit():
  params = exp_factory.get_exp_config('movinet_grw_ensemble_kinetics600')
  params.validate()
  for member in params.task.model.members:
    window = member.model.smoothing.window
    assert window / member.frames_per_second <= windows.MAX_SECONDS


@pytest.mark.parametrize(
  'family, vectors', [('videofocalnet', 8), ('posmlp_video', 15)]
)
def test_families_smooth_the_ends_of_their_clips(family, vectors):
  line, warnings = windows.describe(task(f'{family}_grw_kinetics400'))
  assert not warnings
  assert f'; {vectors} of the ' in line


def test_the_papers_window_is_a_second():
  line, warnings = windows.describe(task())
  assert 'a window of 5 feature vectors spans 1 s; 50 of the 50' in line
  assert not warnings


@pytest.mark.parametrize(
  'window, message',
  [
    # 1.6 s; 48 of 50 vectors.
    (8, r'window=8 spans 1.6 s: expected at most 1.5 s'),
    # 20 of 50 are left out, and a window of 6 s is too long as well.
    (30, r'window=30 leaves 20 of the 50 feature vectors'),
  ],
)
def test_windows_that_do_not_fit_are_warned_of(window, message):
  with_warning = task(window=window)
  _, warnings = windows.describe(with_warning)
  assert any(message in warning for warning in warnings)


@pytest.mark.parametrize('phase', ['random', 'overlapping'])
def test_windows_that_begin_anywhere_leave_no_vector_out(phase):
  line, warnings = windows.describe(task(window=30, phase=phase))
  assert '50 of the 50 vectors' in line
  assert not any('leaves' in warning for warning in warnings)


def test_an_experiment_says_at_its_start_what_its_windows_span(monkeypatch):
  lines = []
  for level in ('info', 'warning'):
    monkeypatch.setattr(
      absl_logging, level, lambda text, *values: lines.append(text % values)
    )
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  params.override({'task': {'model': {'smoothing': {'window': 8}}}})
  params.validate()
  assert any('8 feature vectors spans 1.6 s' in line for line in lines)
  assert any('expected at most 1.5 s' in line for line in lines)
  lines.clear()
  params.override({'task': {'model': {'smoothing': {'placement': 'none'}}}})
  params.validate()
  assert not any('window' in line for line in lines)
