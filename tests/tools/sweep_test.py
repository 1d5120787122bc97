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

"""The tool tells what is wrong in one line."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize('flags, message', [
    (['--seeds=0,x'], '--seeds=0,x: expected whole numbers'),
    (['--params_override=task.model.smoothing.windo=3'], 'windo'),
])
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, flags, message):
  run = subprocess.run(
      [sys.executable, str(ROOT / 'tools' / 'sweep.py'),
       f'--definition={ROOT / "configs" / "sweeps" / "figure2.yaml"}',
       '--experiment=movinet_grw_airplanes',
       f'--output_dir={tmp_path / "new"}', *flags],
      capture_output=True, text=True)
  assert run.returncode == 1
  last = run.stderr.splitlines()[-1]
  assert last.startswith('error: ') and message in last
  assert 'Traceback' not in run.stderr
  assert not (tmp_path / 'new').exists()
