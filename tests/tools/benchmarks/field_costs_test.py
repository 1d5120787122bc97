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
"""A row of costs is of the changed model; wrong changes are one error."""

import re

from absl import flags
import pytest

from tools.benchmarks import field_costs

POSMLP = 'task.model.backbone.posmlp_video'
TINY = f'{POSMLP}.depths=[1,1,1,1],{POSMLP}.channels=[8,16,32,64]'


def test_a_row_is_of_the_changed_model():
  flags.FLAGS.mark_as_parsed()
  said, parameters, multiply_adds = field_costs.row(
    f'{TINY},{POSMLP}.block=joint'
  )
  assert said == ('`depths=[1,1,1,1], channels=[8,16,32,64], block=joint`')
  # Of the position tables alone, 31 · 27² and 31 · 13² numbers a group.
  tables = 31 * (27**2 * (8 + 16 + 32) + 13**2 * 64)
  assert tables < 1e6 * float(parameters) < 1.1 * tables
  # Of the mixing alone, 3136 or 784 to each token of each channel.
  mixing = 3136 * 16 * (56**2 * 8 + 28**2 * 16 + 14**2 * 32) + 784**2 * 64
  assert mixing < 1e9 * float(multiply_adds) < 1.3 * mixing


@pytest.mark.parametrize(
  'change, message',
  [
    (f'{POSMLP}.block=v2', "posmlp_video.block='v2': expected one of"),
    (f'{POSMLP}.blok=joint', '--change=.*blok'),
  ],
)
def test_a_wrong_change_is_named(change, message):
  flags.FLAGS.mark_as_parsed()
  with pytest.raises(ValueError, match=message) as error:
    field_costs.row(change)
  assert not re.search('\n', str(error.value))
