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

"""What a program says on the screen, and what only its log file has.

Libraries log hundreds of lines before the first step of a training.  Within
`only_what_matters` the screen shows what is told, our own warnings and errors;
`log_file` keeps all.
"""

from collections.abc import Iterator
import contextlib
import logging
import os
import sys
from typing import TextIO

from absl import logging as absl_logging
import tqdm

TOLD = 'grw_told'  # The logger of what is told.
# Of what is installed there, only our own warnings are for users.
_INSTALLED, _OURS = 'site-packages', 'official_ext'


def tell(message: str):
  """Says something to whoever runs the program; it is logged too."""
  logging.getLogger(TOLD).info('%s', message)


def write(text: str, stream: TextIO | None = None):
  """Writes a line, above a progress bar if there is one.

  Args:
    text: the line, or several.
    stream: where to; by default to the standard output.
  """
  stream = stream or sys.stdout
  tqdm.tqdm.write(text, file=stream)
  stream.flush()


class _Screen(logging.Handler):
  """Writes what is told, and to the standard error what went wrong."""

  def emit(self, record: logging.LogRecord):
    if record.name == TOLD:
      write(record.getMessage())
    elif _matters(record):
      kind = 'error' if record.levelno >= logging.ERROR else 'warning'
      write(f'{kind}: {record.getMessage()}', sys.stderr)


def _matters(record: logging.LogRecord) -> bool:
  if record.levelno >= logging.ERROR:
    return True
  theirs = _INSTALLED in record.pathname and _OURS not in record.pathname
  return record.levelno >= logging.WARNING and not theirs


@contextlib.contextmanager
def only_what_matters() -> Iterator[None]:
  """Keeps logs of libraries from the screen while the context lasts.

  With --verbosity=1 everything is shown, as it would be without.
  """
  if absl_logging.level_debug():
    yield
    return
  screen, verbosity = _Screen(), absl_logging.get_verbosity()
  absl_handler = absl_logging.get_absl_handler()
  level = absl_handler.level
  root_level = logging.root.level
  absl_logging.set_verbosity(absl_logging.INFO)
  logging.root.setLevel(logging.INFO)
  absl_handler.setLevel(logging.CRITICAL + 1)
  logging.root.addHandler(screen)
  # Imported before anything is configured, TensorFlow has a handler of its own.
  tensorflow = logging.getLogger('tensorflow')
  handlers, tensorflow.handlers = tensorflow.handlers, []
  try:
    yield
  finally:
    tensorflow.handlers = handlers
    logging.root.removeHandler(screen)
    absl_handler.setLevel(level)
    absl_logging.set_verbosity(verbosity)
    logging.root.setLevel(root_level)


@contextlib.contextmanager
def silence() -> Iterator[None]:
  """Lets nothing be said or logged but errors while the context lasts."""
  level = logging.root.manager.disable
  logging.disable(logging.WARNING)
  try:
    yield
  finally:
    logging.disable(level)


@contextlib.contextmanager
def log_file(path: str | os.PathLike[str]) -> Iterator[None]:
  """Appends all that is logged to a file while the context lasts.

  Args:
    path: its folder is made.
  """
  os.makedirs(os.path.dirname(path), exist_ok=True)
  handler = logging.FileHandler(path, encoding='utf-8')
  handler.setFormatter(absl_logging.PythonFormatter())
  logging.root.addHandler(handler)
  try:
    yield
  finally:
    logging.root.removeHandler(handler)
    handler.close()
