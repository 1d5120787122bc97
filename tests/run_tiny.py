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

"""Runs a program of the project with the tiny MoViNet registered.

python3 tests/run_tiny.py official_ext/grw/train.py --mode=...
"""

import os
import pathlib
import runpy
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

if __name__ == '__main__':
  sys.path[0] = str(ROOT)
  from tests import program_server

  del sys.argv[0]
  if program_server.ADDRESS in os.environ:
    sys.exit(program_server.request(sys.argv))
  from tests import tiny  # noqa: F401  # Registers the block specification.

  # A program replaces the first entry with the root, as for a script.
  runpy.run_path(str(ROOT / sys.argv[0]), run_name='__main__')
