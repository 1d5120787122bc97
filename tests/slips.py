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

"""What a command says of wrong command lines, all tried in one process.

  python3 -m tests.slips train < command_lines.json

writes what was said, and which slow libraries had been imported by the end.
"""

from collections.abc import Sequence
import contextlib
import io
import json
import pathlib
import subprocess
import sys

from absl import flags

from official_ext.grw.commands import run

ROOT = pathlib.Path(__file__).resolve().parents[1]
SLOW = ('tensorflow', 'apache_beam', 'av')


def said(command: str, command_lines: Sequence[Sequence[str]]) -> list[str]:
  """What a command says of each command line, before it imports what is slow.

  Args:
    command: the name of the command.
    command_lines: the flags of each; each is to end in an error.
  """
  process = subprocess.run(
    [sys.executable, '-m', 'tests.slips', command],
    input=json.dumps(command_lines),
    capture_output=True,
    text=True,
    check=False,
    cwd=ROOT,
  )
  assert process.returncode == 0, process.stderr[-2000:]
  answers, imported = json.loads(process.stdout)
  assert imported == []
  return answers


def _said(command: run.Command, arguments: Sequence[str]) -> str:
  for name in flags.FLAGS:
    flags.FLAGS[name].unparse()
  flags.FLAGS(['command', *arguments])
  with contextlib.redirect_stderr(io.StringIO()) as stderr:
    try:
      command.main(['command'])
    except SystemExit as stop:
      # Either it is written already, or the interpreter would write it.
      return stop.code if isinstance(stop.code, str) else stderr.getvalue()
  raise AssertionError(f'{arguments} is no slip')


def main():
  command = run.load(sys.argv[1])
  with run.flags_of(command):
    answers = [_said(command, line) for line in json.load(sys.stdin)]
  print(json.dumps([answers, [name for name in SLOW if name in sys.modules]]))


if __name__ == '__main__':
  main()
