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

"""What the benchmarks in tools/ share: medians side by side, on what machine.

A benchmark reports ratios of medians that were taken in turns within one run,
so that whatever slows the machine slows both sides.
"""

from collections.abc import Callable, Sequence
import os
import platform
import resource
import statistics
import sys
import time

from absl import app
import numpy as np

from official_ext.grw.compat import cores


def run(main: Callable[[Sequence[str]], object]):
  """Runs a benchmark; what is wrong with its input is an error of one line.

  Args:
    main: takes the arguments that are no flags.
  """

  def told_in_one_line(arguments: Sequence[str]):
    try:
      main(arguments)
    except (ValueError, OSError) as error:
      sys.exit(f'error: {error}')

  app.run(told_in_one_line)


def machine() -> str:
  """The processor and the number of cores this process may use."""
  name = platform.processor() or platform.machine()
  try:
    with open('/proc/cpuinfo') as f:
      name = next(
        line.split(':', 1)[1].strip()
        for line in f
        if line.startswith('model name')
      )
  except (OSError, StopIteration):
    pass
  return f'{name}, {cores.usable()} cores'


def medians(
  functions: Sequence[Callable[[], object]], repeats: int, warm_up: int = 2
) -> list[float]:
  """Median seconds of each function, called in turns.

  Args:
    functions: to time; each must block until its work is done.
    repeats: timed calls of each.
    warm_up: calls of each before, not timed.
  """
  for function in functions:
    for _ in range(warm_up):
      function()
  seconds: list[list[float]] = [[] for _ in functions]
  for turn in range(repeats):
    order = list(range(len(functions)))
    # Every second turn the other way round: whoever runs after a given
    # neighbor must not always be the same.
    for index in order if turn % 2 else reversed(order):
      start = time.perf_counter()
      functions[index]()
      seconds[index].append(time.perf_counter() - start)
  return [statistics.median(values) for values in seconds]


def peak_memory_mib() -> float:
  """Peak resident memory of this process so far, in MiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_memory_mib() -> float:
  """Resident memory of this process now, in MiB; Linux only."""
  with open('/proc/self/statm') as file:
    pages = int(file.read().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def with_deviation(values: np.ndarray, unit: str) -> str:
  """A mean, and of several values ± their sample standard deviation.

  Args:
    values: [n] float.
    unit: how each number is shown, as '.2f' or '.1%'.
  """
  mean = f'{values.mean():{unit}}'
  return f'{mean} ± {values.std(ddof=1):{unit}}' if len(values) > 1 else mean


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """A Markdown table; all columns but the first are numbers."""
  lines = [
    '| ' + ' | '.join(header) + ' |',
    '|---|' + '---:|' * (len(header) - 1),
  ]
  lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
  return '\n'.join(lines)
