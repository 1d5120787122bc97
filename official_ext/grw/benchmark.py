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
import time

from official.core import config_definitions as cfg
from official.core import task_factory
import tensorflow as tf
import tf_keras

from official_ext.grw.configs import grw


def machine() -> str:
  """The processor and the number of cores this process may use."""
  name = platform.processor() or platform.machine()
  try:
    with open('/proc/cpuinfo') as f:
      name = next(line.split(':', 1)[1].strip() for line in f
                  if line.startswith('model name'))
  except (OSError, StopIteration):
    pass
  return f'{name}, {len(os.sched_getaffinity(0))} cores'


def medians(functions: Sequence[Callable[[], object]],
            repeats: int,
            warm_up: int = 2) -> list[float]:
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
    # neighbour must not always be the same.
    for index in order if turn % 2 else reversed(order):
      start = time.perf_counter()
      functions[index]()
      seconds[index].append(time.perf_counter() - start)
  return [statistics.median(values) for values in seconds]


def train_step(
    params: cfg.ExperimentConfig, batch_size: int,
) -> tuple[tf_keras.Model, tf.Tensor, Callable[[], object]]:
  """The train step of an experiment's own task, on one batch of noise.

  Args:
    params: validated; `task.train_data` gives the shape of a clip.
    batch_size: clips in a step.

  Returns:
    The model, the clips [batch_size, N, height, width, 3], and the step, which
    returns when it is done.
  """
  data = params.task.train_data
  task = task_factory.get_task(params.task)
  model = task.build_model()
  optimizer = task.create_optimizer(params.trainer.optimizer_config)
  metrics = task.build_metrics()
  clips = tf.random.stateless_uniform(
      [batch_size, *data.feature_shape], [0, 1])
  features = {'image': clips, grw.NUM_FRAMES: tf.fill(
      [batch_size], data.feature_shape[0])}
  labels = tf.one_hot(
      tf.range(batch_size) % data.num_classes, data.num_classes)

  @tf.function
  def step():
    return task.train_step(
        (features, labels), model, optimizer, metrics)['loss']

  return model, clips, lambda: step().numpy()


def peak_memory_mib() -> float:
  """Peak resident memory of this process so far, in MiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_memory_mib() -> float:
  """Resident memory of this process now, in MiB; Linux only."""
  with open('/proc/self/statm') as file:
    pages = int(file.read().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE') / 2 ** 20


def markdown_table(header: Sequence[str],
                   rows: Sequence[Sequence[str]]) -> str:
  """A Markdown table; all columns but the first are numbers."""
  lines = ['| ' + ' | '.join(header) + ' |',
           '|---|' + '---:|' * (len(header) - 1)]
  lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
  return '\n'.join(lines)
