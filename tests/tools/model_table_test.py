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

"""The command line of the model table."""

import json
import pathlib
import subprocess

from official_ext.grw.reports import model_table
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]


def write_zoo(folder, *names):
  models = {
    name: {'name': name, 'experiment': 'movinet_grw_airplanes'}
    for name in names
  }
  (folder / 'zoo.yaml').write_text(json.dumps({'models': models}))


def run_tool(*flags):
  return subprocess.run(
    tiny.program('tools/model_table.py', *flags),
    cwd=ROOT,
    capture_output=True,
    text=True,
  )


def test_configs_of_a_pattern_are_tabled(tmp_path):
  for name, layers in (('one', 1), ('two', 2), ('else', 3)):
    values = tiny.merged(
      tiny.overrides('', ''),
      {'task': {'model': {'head': {'num_layers': layers}}}},
    )
    (tmp_path / f'{name}.yaml').write_text(json.dumps(values))
  write_zoo(tmp_path, 'two', 'one', 'else')
  output = tmp_path / 'table'
  result = run_tool(
    f'--configs={tmp_path}/*o*.yaml',
    '--measure=false',
    '--frames=6,9',
    f'--output_dir={output}',
  )
  assert result.returncode == 0, result.stderr
  assert sorted(path.name for path in output.iterdir()) == sorted(
    [
      model_table.MARKDOWN_FILE,
      model_table.CSV_FILE,
      model_table.ROWS_FILE,
    ]
  )
  text = (output / model_table.CSV_FILE).read_text()
  assert [line.split(',')[:2] for line in text.splitlines()] == [
    ['config', 'frames'],
    *(['two', frames] for frames in '69'),
    *(['one', frames] for frames in '69'),
  ]


def test_lengths_that_are_none_are_refused_in_one_line(tmp_path):
  (tmp_path / 'one.yaml').write_text(json.dumps(tiny.overrides('', '')))
  write_zoo(tmp_path, 'one')
  result = run_tool(
    f'--configs={tmp_path}/one.yaml', '--frames=8,x', f'--output_dir={tmp_path}'
  )
  assert result.stderr.splitlines()[-1] == (
    'error: --frames=8,x: expected numbers of at least 1, as 8,16,32.'
  )


def test_what_cannot_be_tabled_is_one_line_and_no_file(tmp_path):
  (tmp_path / 'bad.yaml').write_text(
    '{task: {model: {smoothing: {window: 2}}}}'
  )
  write_zoo(tmp_path, 'bad')
  result = run_tool(
    f'--configs={tmp_path}/bad.yaml', f'--output_dir={tmp_path}/table'
  )
  assert result.returncode == 1
  assert 'Traceback' not in result.stderr
  assert result.stderr.splitlines()[-1].startswith(
    f'error: {tmp_path}/bad.yaml: task.model.smoothing.window=2: '
  )
  assert not (tmp_path / 'table').exists()
