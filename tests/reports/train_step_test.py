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
"""The train step that benchmarks time is the experiment's."""

import numpy as np
from official.core import exp_factory

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import train_step
from tests import tiny


def test_an_experiment_with_moving_averages_is_trained():
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(tiny.overrides('unused', 'unused'))
  params.override(
    {'trainer': {'optimizer_config': {'ema': {'average_decay': 0.9}}}}
  )
  model, clips, step = train_step.build(params, 2)
  assert clips.shape == (2, *params.task.train_data.feature_shape)
  before = [variable.numpy() for variable in model.trainable_variables]
  assert np.isfinite(step())
  assert any(
    np.any(variable.numpy() != value)
    for variable, value in zip(model.trainable_variables, before)
  )
