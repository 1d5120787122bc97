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

"""What is measured on several folds is of the clips of all of them."""

import json
import subprocess

from tests import tiny


def test_a_seed_is_measured_on_the_clips_of_all_folds(tmp_path):
  found = {
    ('before', 0): (0.5, 0.8),
    ('before', 1): (0.6, 0.8),
    ('recipe', 0): (0.9, 0.7),
    ('recipe', 1): (0.7, None),  # Of one fold alone, as of an interrupted run.
  }
  tested = 60, 40
  for number, clips in enumerate(tested):
    part = tmp_path / 'videos' / f'fold{number + 1}'
    (part / 'records').mkdir(parents=True)
    info = {'splits': {'test': {'num_examples': clips}}}
    (part / 'records/dataset.json').write_text(json.dumps(info))
    for (row, seed), of_folds in found.items():
      if of_folds[number] is None:
        continue
      folder = part / row / f'seed{seed}'
      folder.mkdir(parents=True)
      measures = {
        'top_1_accuracy': of_folds[number],
        'cpu_seconds': 60.0 * (number + 1),
      }
      (folder / 'measured.json').write_text(json.dumps(measures))
  run = subprocess.run(
    tiny.program(
      'tools/benchmarks/own_data.py',
      f'--output_dir={tmp_path}',
      '--set=videos',
      '--fold=1',
      '--fold=2',
      '--row=before',
      '--seeds=2',
    ),
    capture_output=True,
    text=True,
    check=True,
  )
  *_, before, recipe = run.stdout.splitlines()
  assert before == (
    '| videos, before | 65.0% | 62.0% to 68.0% | 6.0% | 2 | 1.5 |'
  )
  assert recipe == (
    '| videos, recipe | 82.0% | 82.0% to 82.0% | 0.0% | 1 | 1.5 |'
  )
