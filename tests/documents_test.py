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

import csv
import json
import pathlib
import statistics

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


def test_tables_of_fine_tuning_are_means_of_the_runs_that_are_published():
  top_1: dict[str, list[float]] = {}
  with open(DOCS / 'fine_tuning_runs.csv', newline='') as file:
    for run in csv.DictReader(file):
      top_1.setdefault(run['row'], []).append(float(run['top_1_accuracy']))
  assert all(len(of_folds) == 5 for of_folds in top_1.values())
  expected = [
    f'| {statistics.mean(of_folds):.1%} ± {statistics.stdev(of_folds):.1%} |'
    for of_folds in top_1.values()
  ]
  for page in (DOCS / 'fine_tuning.md', DOCS.parent / 'README.md'):
    lines = [line for line in page.read_text().splitlines() if '% ±' in line]
    assert len(lines) == len(expected)
    for line, cell in zip(lines, expected):
      assert cell in line, page
