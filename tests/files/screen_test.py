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
"""Claims about what the screen shows and what only the log has."""

import logging
import subprocess
import sys

from absl import logging as absl_logging
import pytest

from official_ext.grw.files import screen


def log_from(path, level, message, name='absl'):
  """Logs as if a line of a file did."""
  logger = logging.getLogger(name)
  record = logger.makeRecord(name, level, path, 1, message, (), None)
  logger.handle(record)


@pytest.fixture(name='shown')
def shown_fixture(tmp_path, capsys):
  """What was printed and what was logged."""
  with screen.only_what_matters(), screen.log_file(tmp_path / 'a' / 'log'):
    screen.tell('Devices: 2')
    absl_logging.info('a detail')
    absl_logging.warning('a doubt of ours')
    library = '/lib/site-packages/official/core/train_lib.py'
    log_from(library, logging.WARNING, 'a doubt of a library')
    log_from(library, logging.ERROR, 'a fault in a library')
    installed = '/lib/site-packages/official_ext/grw/a.py'
    log_from(installed, logging.WARNING, 'a doubt when installed')
  return capsys.readouterr(), (tmp_path / 'a' / 'log').read_text()


def test_the_screen_has_what_is_told_our_warnings_and_errors(shown):
  printed, _ = shown
  assert printed.out == 'Devices: 2\n'
  assert printed.err.splitlines() == [
    'warning: a doubt of ours',
    'error: a fault in a library',
    'warning: a doubt when installed',
  ]


def test_the_log_has_all_of_it(shown):
  _, log = shown
  for text in ('Devices: 2', 'a detail', 'a doubt of a library'):
    assert text in log


def test_afterwards_everything_is_as_it_was():
  before = logging.root.level, list(logging.root.handlers)
  verbosity = absl_logging.get_verbosity()
  with screen.only_what_matters():
    assert logging.root.level == logging.INFO
  assert (logging.root.level, list(logging.root.handlers)) == before
  assert absl_logging.get_verbosity() == verbosity


def test_saying_something_needs_no_tensorflow():
  code = (
    'import sys\n'
    'from official_ext.grw.files import screen\n'
    'from official_ext.grw.training import progress\n'
    "assert 'tensorflow' not in sys.modules\n"
  )
  subprocess.run([sys.executable, '-c', code], check=True)
