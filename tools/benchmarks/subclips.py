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

"""Measures memory and time of training in subclips against whole clips.

  python3 tools/benchmarks/subclips.py

MoViNet-A0-Stream with GRW on 50 frames of 172 x 172, batch 12: the task's own
train step on whole clips and on 5 subclips, each in a process of its own, whose
peak resident memory is compared.  Beside it stands what the process held before
its first step: TensorFlow, the model and the batch.  Linux only.
"""

import json
import pathlib
import subprocess
import sys

from absl import flags
from official.core import exp_factory
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import train_step

LIMIT = 0.35
_SUBCLIPS = flags.DEFINE_integer(
  'subclips', 5, 'Parts of a clip.', lower_bound=2
)
_BATCH = flags.DEFINE_integer('batch', 12, 'Clips in a step.', lower_bound=1)
_FRAMES = flags.DEFINE_integer('frames', 50, 'Frames in a clip.')
_SIZE = flags.DEFINE_integer('size', 172, 'Height and width of a frame.')
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Timed steps.', lower_bound=1)
_ALONE = flags.DEFINE_integer(
  'alone', None, 'Measure so many subclips in this process; prints JSON.'
)


def measure(num_subclips: int) -> dict[str, float]:
  """Seconds of a step, and resident MiB before the first and at the peak."""
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  shape = (_FRAMES.value, _SIZE.value, _SIZE.value, 3)
  config.task.train_data.feature_shape = shape
  config.task.validation_data.feature_shape = shape
  config.task.num_subclips = num_subclips
  config.task.seed = 0
  config.validate()
  *_, step = train_step.build(config, _BATCH.value)
  before = benchmark.resident_memory_mib()
  [seconds] = benchmark.medians([step], _REPEATS.value, warm_up=1)
  return {
    'seconds': seconds,
    'before': before,
    'peak': benchmark.peak_memory_mib(),
  }


def measure_alone(num_subclips: int) -> dict[str, float]:
  """`measure` in a process that has run nothing else."""
  run = subprocess.run(
    [sys.executable, *sys.argv, f'--alone={num_subclips}'],
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  )
  return json.loads(run.stdout.splitlines()[-1])


def main(_):
  if _ALONE.value is not None:
    print(json.dumps(measure(_ALONE.value)))
    return
  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; '
    f'tf_keras {tf_keras.__version__}'
  )
  counts = (1, _SUBCLIPS.value)
  whole, parts = results = [measure_alone(count) for count in counts]
  names = ('whole clip', f'{_SUBCLIPS.value} subclips')
  rows = [
    [
      name,
      f'{result["peak"]:.0f}',
      f'{result["before"]:.0f}',
      f'{1e3 * result["seconds"]:.0f}',
    ]
    for name, result in zip(names, results)
  ]
  ratio = parts['peak'] / whole['peak']
  rows.append(
    ['ratio', f'{ratio:.3f}', '', f'{parts["seconds"] / whole["seconds"]:.2f}']
  )
  print(
    f'A training step of MoViNet-A0-Stream, {_FRAMES.value} frames, '
    f'{_SIZE.value} x {_SIZE.value}, batch {_BATCH.value}:\n'
  )
  print(
    benchmark.markdown_table(
      ['Training on', 'peak MiB', 'before the first step', 'ms a step'], rows
    )
  )
  above = (parts['peak'] - parts['before']) / (whole['peak'] - whole['before'])
  print(
    f'\nRatio of the peaks {ratio:.3f} (expected: at most {LIMIT}), '
    f'above what was held before {above:.3f}.'
  )
  if ratio > LIMIT:
    sys.exit('The ratio is above what is expected.')


if __name__ == '__main__':
  benchmark.run(main)
