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

"""From a folder of videos to a model for a phone: the commands, one by one.

`grw train --data=videos` runs what the other commands do, each as it would be
typed, and shows it first.  Interrupted, the same command goes on: converting
and training continue by themselves, and an export that is there stays.
"""

from collections.abc import Mapping, Sequence
import json
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

EXPERIMENT = 'movinet_grw_own_data'
MODEL = 'model'  # Folder of the training in that of everything.
_ROOT = pathlib.Path(__file__).resolve().parents[3]
_GRW = (sys.executable, '-m', 'official_ext.grw.commands.main')


def commands(
  data: str,
  weights: str,
  folder: str,
  options: Sequence[str] = (),
  changes: Mapping[str, Any] | None = None,
) -> list[list[str]]:
  """The arguments of `grw`, command by command.

  Args:
    data: the folder of the videos, as `grw convert` takes it.
    weights: whatever `task.init_checkpoint` takes; '' starts at random, or
      with what `changes` say.
    folder: for everything that is written: records, model and tflite.
    options: further flags of the training.
    changes: nested fields of its --params_override.
  """
  folder = folder.rstrip('/')
  records, model, exported = (
    f'{folder}/{name}' for name in ('records', MODEL, 'tflite')
  )
  changes = changes or {}
  task = {**changes.get('task', {}), 'dataset_info': f'{records}/dataset.json'}
  if weights:
    task['init_checkpoint'] = weights
  override = json.dumps({**changes, 'task': task}, ensure_ascii=False)
  result = [
    ['convert', f'--input_dir={data}', f'--output_dir={records}'],
    [
      'train',
      f'--experiment={EXPERIMENT}',
      '--mode=train_and_eval',
      f'--model_dir={model}',
      *options,
      f'--params_override={override}',
    ],
  ]
  if not os.path.exists(exported):
    result.append(
      [
        'export',
        'tflite',
        f'--experiment={EXPERIMENT}',
        f'--config_file={model}/params.yaml',
        f'--checkpoint={model}',
        f'--output_dir={exported}',
      ]
    )
  return result


def run(arguments: Sequence[list[str]], program: Sequence[str] = _GRW):
  """Runs commands until one fails.

  Args:
    arguments: the arguments of each.
    program: what is put before them.

  Raises:
    SystemExit: a command failed, which has said why; with its exit code.
  """
  places = [str(_ROOT), os.environ.get('PYTHONPATH', '')]
  environment = {
    **os.environ,
    'PYTHONPATH': os.pathsep.join(place for place in places if place),
  }
  for number, each in enumerate(arguments, 1):
    print(f'[{number}/{len(arguments)}] grw {shlex.join(each)}', flush=True)
    ended = subprocess.run([*program, *each], env=environment)
    if ended.returncode:
      sys.exit(ended.returncode)
