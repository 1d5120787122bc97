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
"""Runs a command: its flags, its help, its errors.

A command is a module of this package with

  *   a docstring, which is its help;
  *   `define_flags()`, which defines its flags, those that matter first;
  *   `main(argv)`, which does the work.

Modules of commands import neither TensorFlow nor what imports it, except inside
`main`: help and wrong flags are answered at once.
"""

import atexit
from collections.abc import Iterator, Sequence
import contextlib
import importlib
import os
import sys
import textwrap
from typing import Protocol
import warnings

from absl import app
from absl import flags

from official_ext.grw.compat import cpu_settings
from official_ext.grw.files import extras

# Modules that are programs, or commands.
_PROGRAMS = ('official_ext.', 'tools.')

HELP = ('--help', '-help', '--helpshort', '-helpshort', '-h', '-?')


class Command(Protocol):
  """What a module of a command has."""

  __doc__: str | None

  def define_flags(self) -> None: ...

  def main(self, argv: Sequence[str]) -> None: ...


def load(name: str) -> Command:
  """The command that a module of this package is.

  Args:
    name: the name of the module; or 'export NAME', the command of an export
      format.
  """
  module, _, export_format = name.partition(' ')
  command = importlib.import_module(f'{__package__}.{module}')
  return command.ExportCommand(export_format) if export_format else command


def _help_of_flag(flag: flags.Flag) -> str:
  boolean = '[no]' if flag.boolean else ''
  default = '' if flag.default is None else f' (default: {flag.default})'
  return '\n'.join(
    [
      f'  --{boolean}{flag.name}',
      textwrap.fill(
        ' '.join(f'{flag.help}{default}'.split()),
        initial_indent=' ' * 6,
        subsequent_indent=' ' * 6,
        width=80,
      ),
    ]
  )


@contextlib.contextmanager
def flags_of(command: Command) -> Iterator[list[str]]:
  """Defines the flags of a command while the context lasts.

  Another command of the process may have flags of the same names.

  Args:
    command: a module, or what is like one.

  Yields:
    The names of the flags, as they are defined one after the other.
  """
  # A process that runs several programs may hold flags of another's module.
  aside = []
  for name in list(flags.FLAGS):
    module = flags.FLAGS.find_module_defining_flag(name, '')
    if module.startswith(_PROGRAMS):
      aside.append((module, flags.FLAGS[name]))
      delattr(flags.FLAGS, name)
  others = set(flags.FLAGS)
  try:
    command.define_flags()
    yield [flag for flag in flags.FLAGS if flag not in others]
  finally:
    for flag in set(flags.FLAGS) - others:
      delattr(flags.FLAGS, flag)
    for module, other in aside:
      flags.FLAGS[other.name] = other
      flags.FLAGS.register_flag_by_module(module, other)


def _end_quietly():
  """Drops what LiteRT logs when it is unloaded, which no setting of it does."""
  if 'ai_edge_litert' in sys.modules:
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def run(
  name: str, arguments: Sequence[str] | None = None, program: str = ''
) -> None:
  """Runs a command and ends the process.

  Args:
    name: see `load`.
    arguments: the flags; by default those of the process.
    program: how the command was called, for messages; by default the file that
      Python runs.

  Raises:
    SystemExit: always; no code or 0 is success, a text the error that is
      printed.
  """
  # First, to be called after all others.
  atexit.register(_end_quietly)
  # Else TensorFlow imports Keras 3 too, for seconds and for nothing: all here
  # is of tf_keras, as the Model Garden is.
  os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
  # What C++ says is for nobody unless it is fatal: errors come as exceptions,
  # but for those of drivers of GPUs that are not there.  Read at import.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  cpu_settings.use()
  # A library of Beam's says in two lines that Python 3.10 is too old for it.
  warnings.filterwarnings(
    'ignore', category=FutureWarning, module=r'google\.api_core\.'
  )
  command = load(name)
  arguments = sys.argv[1:] if arguments is None else list(arguments)
  with flags_of(command) as own:
    if any(argument in HELP for argument in arguments):
      print(command.__doc__, 'flags:', sep='\n')
      print('\n'.join(_help_of_flag(flags.FLAGS[flag]) for flag in own))
      sys.exit()
    try:
      with extras.named_if_missing():
        app.run(
          command.main,
          [program or sys.argv[0], *arguments],
          getattr(command, 'parse_flags', app.parse_flags_with_usage),
        )
    except extras.MissingExtraError as error:
      sys.exit(f'error: {error}')
