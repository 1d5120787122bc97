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

"""The page made by a program, and the notebook, are what they promise."""

import json
import pathlib

import matplotlib.pyplot as plt

from tools.maintenance import api_page

DOCS = pathlib.Path(__file__).resolve().parents[1] / 'docs'


def test_the_page_of_public_names_is_what_its_tool_writes():
  assert (DOCS / 'api.md').read_text() == api_page.page(), (
    'run python3 tools/maintenance/api_page.py'
  )


def test_the_notebook_runs_and_finds_smoother_paths_with_grw(tmp_path):
  cells = json.loads((DOCS / 'quick_start.ipynb').read_text())['cells']
  names: dict = {}
  for cell in cells:
    if cell['cell_type'] == 'code':
      exec(''.join(cell['source']), names)
  without, smoothed = (
    names['roughness'](names['embeddings'][weight]) for weight in (0.0, 1.0)
  )
  assert smoothed < 0.8 * without
  plt.savefig(tmp_path / 'paths.png')
  plt.close('all')
