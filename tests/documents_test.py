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

"""The page made by a program, and the notebooks, are what they promise."""

import csv
import functools
import json
import pathlib
import shlex
import statistics

import matplotlib.pyplot as plt
import numpy as np
import pytest

from official_ext.grw.commands import from_videos
from official_ext.grw.commands import main
from tests import tiny
from tools.maintenance import api_page

DOCS = pathlib.Path(__file__).resolve().parents[1] / 'docs'


def test_the_page_of_public_names_is_what_its_tool_writes():
  assert (DOCS / 'api.md').read_text() == api_page.page(), (
    'run python3 tools/maintenance/api_page.py'
  )


def code_cells(notebook):
  """The sources of the cells that are run."""
  return [
    ''.join(cell['source'])
    for cell in json.loads((DOCS / notebook).read_text())['cells']
    if cell['cell_type'] == 'code'
  ]


def test_the_notebook_runs_and_finds_smoother_paths_with_grw(tmp_path):
  names: dict = {}
  for source in code_cells('quick_start.ipynb'):
    exec(source, names)
  without, smoothed = (
    names['roughness'](names['embeddings'][weight]) for weight in (0.0, 1.0)
  )
  assert smoothed < 0.8 * without
  plt.savefig(tmp_path / 'paths.png')
  plt.close('all')


def top_1_cells(name, *columns):
  """Cells of tables, of each row of runs; and how many runs there are of each.

  Args:
    name: a CSV in docs/ with a line for each run.
    *columns: what tells rows apart.
  """
  top_1: dict[tuple[str, ...], list[float]] = {}
  with open(DOCS / name, newline='') as file:
    for run in csv.DictReader(file):
      of_row = top_1.setdefault(tuple(run[column] for column in columns), [])
      of_row.append(float(run['top_1_accuracy']))
  cells = {
    row: f'| {statistics.mean(runs):.1%} ± {statistics.stdev(runs):.1%} |'
    for row, runs in top_1.items()
  }
  return cells, {len(runs) for runs in top_1.values()}


def require_rows(page, cells):
  """The lines of a page with a mean have these cells, in this order."""
  lines = [line for line in page.read_text().splitlines() if '% ±' in line]
  assert len(lines) == len(cells), page
  for line, cell in zip(lines, cells):
    assert cell in line, page


def test_tables_of_fine_tuning_are_means_of_the_runs_that_are_published():
  cells, runs = top_1_cells('fine_tuning_runs.csv', 'epochs', 'row')
  assert runs == {5}
  require_rows(DOCS / 'fine_tuning.md', list(cells.values()))
  of_six_epochs = sum(epochs == '6' for epochs, _ in cells)
  require_rows(DOCS.parent / 'README.md', list(cells.values())[:of_six_epochs])


def test_tables_of_other_pages_are_means_of_the_runs_that_are_published():
  cells, runs = top_1_cells('measured_runs.csv', 'page', 'set', 'row')
  assert runs == {3, 5}
  for page in {page for page, _, _ in cells}:
    of_page = [cell for row, cell in cells.items() if row[0] == page]
    require_rows(DOCS / page, of_page)


def test_the_notebook_of_own_videos_runs(tmp_path, monkeypatch, capfd):
  """With a tiny model and few videos; all else is as it stands there."""
  monkeypatch.chdir(tmp_path)
  program = tiny.program('official_ext/grw/commands/main.py')
  run = functools.partial(from_videos.run, program=program)
  monkeypatch.setattr(from_videos, 'run', run)
  tiny.write_yaml(
    tmp_path / 'tiny.yaml',
    {
      'task': {
        'model': {
          'backbone': {'movinet': {'model_id': 'tiny'}},
          'head': {'num_layers': 1},
        }
      },
      'trainer': {'train_epochs': 2},
    },
  )
  names: dict = {}
  few = "{'train': 4, 'validation': 2}"
  commands = []
  for source in code_cells('own_videos.ipynb'):
    python, _, shell = source.partition('\n!')
    exec(python.replace("{'train': 24, 'validation': 8}", few), names)
    if shell:
      grw, *arguments = shlex.split(shell.format(**names))
      assert grw == 'grw'
      commands.append(arguments[0])
      with pytest.raises(SystemExit) as end:
        main.main([*arguments, '--config_file=tiny.yaml'])
      assert not end.value.code, capfd.readouterr()
  plt.close('all')
  assert commands == ['train']
  assert 'of 6 videos are called what they are' in capfd.readouterr().out
  # Frames show the classes: blocks that grow change in size alone.
  shown = [
    np.stack(list(names['frames'](name, np.random.default_rng(0))))
    for name in names['CLASSES']
  ]
  areas = [(clip.mean(-1) > 105).sum((1, 2)) for clip in shown]
  assert np.ptp(areas[1]) > 3 * max(np.ptp(areas[0]), np.ptp(areas[2]))
