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

"""Times a training step with GRW-smoothing against the same step without.

  python3 tools/benchmarks/train_step.py

MoViNet-A0-Stream on 50 frames of 172 x 172, batch 2: the task's own train
step with λ = 0.1 and with λ = 0 in turns, and the ratio of their medians.
"""

import pathlib
import sys

from absl import flags
from official.core import exp_factory
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import train_step

LIMIT = 1.01
_REPEATS = flags.DEFINE_integer(
  'repeats', 15, 'Timed steps of each.', lower_bound=1
)
_BATCH = flags.DEFINE_integer('batch', 2, 'Clips in a step.', lower_bound=1)
_FRAMES = flags.DEFINE_integer('frames', 50, 'Frames in a clip.')
_SIZE = flags.DEFINE_integer('size', 172, 'Height and width of a frame.')


def smoothed_step(weight: float):
  """The task's train step for λ = `weight`, as a function that waits."""
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  config.task.model.smoothing.weight = weight
  shape = (_FRAMES.value, _SIZE.value, _SIZE.value, 3)
  config.task.train_data.feature_shape = shape
  config.task.validation_data.feature_shape = shape
  config.task.seed = 0
  config.validate()
  _, _, step = train_step.build(config, _BATCH.value)
  return step


def main(_):
  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; '
    f'tf_keras {tf_keras.__version__}'
  )
  without, smoothed = benchmark.medians(
    [smoothed_step(0.0), smoothed_step(0.1)], _REPEATS.value
  )
  ratio = smoothed / without
  print(
    f'A training step of MoViNet-A0-Stream, {_FRAMES.value} frames, '
    f'{_SIZE.value} x {_SIZE.value}, batch {_BATCH.value}: '
    f'{1e3 * without:.0f} ms without GRW, {1e3 * smoothed:.0f} ms with, '
    f'ratio {ratio:.3f} (expected: at most {LIMIT})'
  )
  if ratio > LIMIT:
    sys.exit('The ratio is above what is expected.')


if __name__ == '__main__':
  benchmark.run(main)
