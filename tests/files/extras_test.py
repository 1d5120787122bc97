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
"""A library of an extra that is not installed is named with its extra."""

import importlib
import pathlib
import subprocess
import sys

import pytest

from official_ext.grw.files import extras

ROOT = pathlib.Path(__file__).parents[2]
# A None among the modules is one that cannot be imported.
WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from official_ext.grw.commands import main
main.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
  'module, extra, arguments',
  [
    ('apache_beam', 'convert', ['convert', '--input_dir=a', '--output_dir=b']),
    ('av', 'predict', ['predict', '--model=a', '--video=b']),
    (
      'kagglehub',
      'kaggle',
      ['import', '--source=kaggle:a/b/c/d', '--output_dir=b'],
    ),
  ],
)
def test_a_command_names_the_extra_in_one_line(
  tmp_path, module, extra, arguments
):
  for name in ('a', 'b'):  # What a command looks at before it needs a library.
    for number in range(2):
      path = tmp_path / 'a' / 'train' / name / f'{number}.mp4'
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(f'{name}{number}')
  process = subprocess.run(
    [sys.executable, '-c', WITHOUT, module, *arguments],
    cwd=tmp_path,
    env={'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )
  assert process.returncode == 1
  assert process.stderr == (
    f"error: {module} is not installed: pip install 'grw-smoothing[{extra}]'\n"
  )


def test_other_missing_modules_are_not_taken_for_an_extra():
  with pytest.raises(ModuleNotFoundError, match='no_such_module'):
    with extras.named_if_missing():
      importlib.import_module('no_such_module')
