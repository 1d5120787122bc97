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
"""grw: trains, exports and runs video models with GRW-smoothing."""

from collections.abc import Sequence
import difflib
import sys
from typing import NamedTuple

from official_ext.grw import __version__
from official_ext.grw.commands import run
from official_ext.grw.serving import export_formats


class Command(NamedTuple):
  """What follows `grw`.

  Attributes:
    module: the module in this package.
    summary: what it does, in one line.
  """

  module: str
  summary: str


def commands() -> dict[str, Command]:
  """Every command, by its name."""
  return {
    'train': Command('train', 'Trains and evaluates an experiment.'),
    'convert': Command('convert', 'Turns videos into TFRecords.'),
    'inspect': Command('inspect', 'Checks TFRecords and draws clips of them.'),
    'import': Command('import_checkpoint', 'Reads published weights.'),
    **{
      f'export {kind.name}': Command(f'export {kind.name}', kind.summary)
      for kind in export_formats.registered()
    },
    'predict': Command('predict', 'Runs an export on a video or a camera.'),
    'sweep': Command('sweep', 'Runs an ablation over seeds.'),
    'table': Command('table', 'Tables what each model costs.'),
    'demo': Command('demo', 'Trains on airplanes without and with GRW.'),
    'smoothing_scale': Command(
      'smoothing_scale', 'Finds how large the loss alone makes a window.'
    ),
  }


def _list(names: Sequence[str]) -> str:
  known = commands()
  width = max(map(len, known))
  return '\n'.join(
    f'  grw {name:{width}}  {known[name].summary}' for name in names
  )


def main(arguments: Sequence[str] | None = None) -> None:
  """Runs what the arguments name; the console command `grw`.

  Args:
    arguments: the command and its flags; by default those of the process.

  Raises:
    SystemExit: always, as `run.run`.
  """
  arguments = sys.argv[1:] if arguments is None else list(arguments)
  known = commands()
  words = []
  for argument in arguments[:2]:
    if argument.startswith('-'):
      break
    words.append(argument)
  for count in (2, 1):
    name = ' '.join(words[:count])
    if len(words) >= count and name in known:
      run.run(known[name].module, arguments[count:], f'grw {name}')
  if arguments[:1] == ['--version']:
    print(__version__)
    sys.exit()
  group = [name for name in known if name.split()[0] in words[:1]]
  asks = not arguments or any(word in run.HELP for word in arguments)
  if asks and (group or not words):
    print(f'{__doc__}\n\n{_list(group or list(known))}\n')
    print('grw COMMAND --help lists the flags of a command.')
    sys.exit()
  if not words:
    sys.exit(
      f'error: {arguments[0]}: expected a command before the flags, one of '
      f'{", ".join(known)}.'
    )
  if group and len(words) == 1:
    sys.exit(f'error: grw {words[0]}: expected one of\n{_list(group)}')
  wrong = ' '.join(words) if group else words[0]
  names = [*known, *{name.split()[0] for name in known}]
  nearest = difflib.get_close_matches(wrong, names, 1)
  sys.exit(
    f'error: there is no command {wrong!r}'
    + (f'; did you mean grw {nearest[0]}?' if nearest else '.')
    + f' The commands are {", ".join(known)}.'
  )


if __name__ == '__main__':
  main()
