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

"""Processes of Apache Beam on this machine that start here and can be missed.

Patches: Beam's own names for this will not do.  DirectRunner downloads a
program before it falls back to worker processes.
`direct_running_mode=multi_processing` breaks on a Python in a folder with
spaces, its workers log to standard error (their errors come another way), and
it waits forever for a worker that was killed.  So the command that starts a
worker is given here, through Beam's environment for subprocesses and variables
of this process's own environment.

Upstream: apache/beam#22039 is about the same mode.  Unnecessary once that mode
quotes the path of Python, takes an environment and ends when a worker dies.
"""

from collections.abc import Callable, Iterator
import contextlib
import os
import pathlib
import signal
import sys

from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.transforms import environments

# The name of an environment variable.
_PYTHON = 'PYTHON_OF_BEAM_WORKERS'


def process_runner() -> fn_runner.FnApiRunner:
  """Runs a process for each worker, inside of `worker_environment`."""
  return fn_runner.FnApiRunner(
    environments.SubprocessSDKEnvironment.from_command_string(
      f'"${_PYTHON}" -m apache_beam.runners.worker.sdk_worker_main '
      '2>/dev/null || [ $? -le 128 ] || kill -USR1 $PPID'
    )
  )


@contextlib.contextmanager
def worker_environment(on_death: Callable[[], None]) -> Iterator[None]:
  """Lets workers start as this process did, and tells if one is killed."""
  root = str(pathlib.Path(__file__).absolute().parents[3])
  variables = {
    _PYTHON: sys.executable,
    'PYTHONPATH': os.pathsep.join(
      filter(None, (root, os.environ.get('PYTHONPATH')))
    ),
  }
  before = {name: os.environ.get(name) for name in variables}
  os.environ.update(variables)
  handler = signal.signal(signal.SIGUSR1, lambda *_: on_death())
  try:
    yield
  finally:
    signal.signal(signal.SIGUSR1, handler)
    for name, value in before.items():
      del os.environ[name]
      if value is not None:
        os.environ[name] = value
