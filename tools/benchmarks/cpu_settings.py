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
r"""Times a training step with and without the settings for CPUs, side by side.

  python3 tools/benchmarks/cpu_settings.py

MoViNet-A0-Stream with GRW on 8 clips of noise, of 10 frames of 172 x 172: a
step in a process with the settings that `grw` makes (`compat/cpu_settings.py`),
in one with the first of them, and in one with none.  They take turns.
"""

import os
import pathlib
import subprocess
import sys

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.compat import cpu_settings
from official_ext.grw.reports import benchmark

_REPEATS = flags.DEFINE_integer(
  'repeats', 9, 'Timed steps of each.', lower_bound=1
)
_CORES = flags.DEFINE_integer(
  'cores', 1, 'The cores of a process.', lower_bound=1
)
_BATCH = flags.DEFINE_integer('batch', 8, 'Clips in a step.', lower_bound=1)

# A process of its own: answers each line with a line, after a step.
_STEPS = """
import sys
if sys.argv[1] == 'use':
  from official_ext.grw.compat import cpu_settings
  cpu_settings.use()
from official.core import exp_factory
import tensorflow as tf
from official_ext.grw import registry_imports
from official_ext.grw.reports import benchmark, train_step
batch, cores = map(int, sys.argv[2:])
tf.config.threading.set_intra_op_parallelism_threads(cores)
tf.config.threading.set_inter_op_parallelism_threads(cores)
config = exp_factory.get_exp_config('movinet_grw_kinetics600')
for data in config.task.train_data, config.task.validation_data:
  data.feature_shape = 10, 172, 172, 3
config.task.seed = 0
config.validate()
step = train_step.build(config, batch)[2]
for _ in sys.stdin:
  step()
  print('done', flush=True)
print(benchmark.peak_memory_mib())
"""

# How a process is started: its first argument, and what its environment has.
VARIANTS = {
  "TensorFlow's own": ('leave', {}),
  'with oneDNN': ('leave', {'TF_ENABLE_ONEDNN_OPTS': '1'}),
  'with oneDNN, and freed memory kept': ('use', {}),
}


class Trainer:
  """A process that trains a step when it is called."""

  def __init__(self, argument: str, environment: dict[str, str]):
    """Starts it.

    Args:
      argument: `use`, or `leave` for a process without the settings.
      environment: variables that it has besides those of this process.
    """
    inherited = {
      name: value
      for name, value in os.environ.items()
      if name not in (*cpu_settings.MEMORY_VARIABLES, 'TF_ENABLE_ONEDNN_OPTS')
    }
    path = os.pathsep.join(
      filter(None, [sys.path[0], os.environ.get('PYTHONPATH')])
    )
    self._process = subprocess.Popen(
      [
        sys.executable,
        '-c',
        _STEPS,
        argument,
        str(_BATCH.value),
        str(_CORES.value),
      ],
      env={
        'TF_CPP_MIN_LOG_LEVEL': '3',
        **inherited,
        'PYTHONPATH': path,
        'TF_USE_LEGACY_KERAS': '1',
        **environment,
      },
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )

  def __call__(self):
    """Trains one step."""
    assert self._process.stdin and self._process.stdout
    self._process.stdin.write('step\n')
    self._process.stdin.flush()
    if self._process.stdout.readline() != 'done\n':
      raise ChildProcessError('a training ended; its error stands above')

  def end(self) -> float:
    """Ends the process; returns MiB that it had at its peak."""
    output, _ = self._process.communicate()
    return float(output)


def main(_):
  trainers = [Trainer(*variant) for variant in VARIANTS.values()]
  milliseconds = [
    1e3 * seconds for seconds in benchmark.medians(trainers, _REPEATS.value)
  ]
  print(f'{benchmark.machine()}; {_CORES.value} used')
  print(
    benchmark.markdown_table(
      ['settings', 'ms a step', 'ratio', 'memory, MiB'],
      [
        [
          name,
          f'{of_one:.0f}',
          f'{of_one / milliseconds[0]:.2f}',
          f'{trainer.end():.0f}',
        ]
        for name, of_one, trainer in zip(VARIANTS, milliseconds, trainers)
      ],
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
