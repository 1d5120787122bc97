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

from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]


def test_bad_input_is_one_line_and_writes_nothing(tmp_path):
  run = subprocess.run(
    tiny.program(
      'tools/sweep.py',
      f'--definition={ROOT / "configs" / "sweeps" / "figure2.yaml"}',
      '--experiment=movinet_grw_airplanes',
      f'--output_dir={tmp_path / "new"}',
      '--seeds=0,x',
    ),
    capture_output=True,
    text=True,
  )
  assert run.returncode == 1
  assert run.stderr.splitlines()[-1].startswith(
    'error: --seeds=0,x: expected whole numbers'
  )
  assert 'Traceback' not in run.stderr
  assert not (tmp_path / 'new').exists()
