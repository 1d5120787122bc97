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
"""How many clips a step can take: `--batch=auto`, by a trial.

One trial model makes steps of 2, 4, 8, ... copies of a clip of the training
data.  The batch is the largest of them

  *   whose memory, by what the steps before took a clip, is within
      `MEMORY_SHARE` of what the machine has free;
  *   that leaves `LEAST_STEPS` steps a pass over the data: few clips in large
      batches are few steps;
  *   and, where the CPU trains, that makes `FASTER` times as many clips a
      second as half of it.  There a step of twice the clips soon takes twice
      the time, and larger batches only make fewer steps of the same work.

Nothing else follows from it but what follows from `global_batch_size` anyway:
the learning rate stays.
"""

import gc
import os
import time

from official.core import config_definitions as cfg
from official.core import task_factory
from official.modeling import performance
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw.configs import continuing
from official_ext.grw.configs import overrides
from official_ext.grw.files import screen
from official_ext.grw.training import devices
from official_ext.grw.training import memory

AUTO = 'auto'
MEMORY_SHARE = 0.8
LEAST_STEPS = 10
FASTER = 1.1
_SMALLEST = 2
_TIMED_STEPS = 2


def choose(params: cfg.ExperimentConfig, model_dir: str) -> int:
  """The clips in a step for all replicas together; says why.

  A training that goes on keeps what it began with.

  Args:
    params: the whole experiment, with any batch.
    model_dir: the folder of the training.

  Raises:
    ValueError: there is no trial for such devices, or no batch fits.
    InputDataError: the training data cannot be read.
  """
  before = _begun_with(model_dir)
  if before:
    screen.tell(f'Batch of {before} clips, as {model_dir} began with.')
    return before
  strategy = params.runtime.distribution_strategy
  if strategy in ('tpu', 'multi_worker_mirrored'):
    raise ValueError(
      f'--batch={AUTO}: expected a number, as the trial is on one machine and '
      f'not on TPUs, and runtime.distribution_strategy is {strategy!r}.'
    )
  gpus = len(tf.config.list_physical_devices('GPU'))
  replicas = devices.count_gpus(params.runtime, gpus)
  step = TrialStep(params)
  found, tried, reason = try_batches(
    step,
    params.task.train_data.num_examples,
    on_cpu=not replicas,
    budget=memory.available_bytes() * MEMORY_SHARE,
  )
  del step
  tf_keras.backend.clear_session()
  gc.collect()
  batch = found * max(1, replicas)
  screen.tell(f'Batch of {batch} clips: {reason} ({"; ".join(tried)}).')
  return batch


def _begun_with(model_dir: str) -> int | None:
  """The batch of the checkpoints in a folder; None if there are none."""
  path = os.path.join(model_dir, 'params.yaml')
  if not continuing.has_checkpoint(model_dir) or not os.path.exists(path):
    return None
  with open(path, encoding='utf-8') as file:
    try:
      values = overrides.load_yaml(file.read())
      return int(values['task']['train_data']['global_batch_size'])
    except (yaml.YAMLError, LookupError, TypeError, ValueError):
      return None


class TrialStep:
  """A training step on any number of copies of one clip."""

  def __init__(self, params: cfg.ExperimentConfig):
    """Builds a model, and reads a clip.

    Args:
      params: the whole experiment.
    """
    if params.runtime.mixed_precision_dtype:
      performance.set_mixed_precision_policy(
        params.runtime.mixed_precision_dtype
      )
    config = params.task
    task = task_factory.get_task(config)
    model = task.build_model()
    optimizer = task.create_optimizer(
      params.trainer.optimizer_config, params.runtime
    )
    data = config.train_data.replace()
    # Two, as mixing needs another.
    data.override({'global_batch_size': 2, 'shuffle_buffer_size': 1})
    batch = next(iter(task.build_inputs(data)))
    self._clip = tf.nest.map_structure(lambda value: value[:1], batch)

    @tf.function(
      input_signature=[
        tf.nest.map_structure(
          lambda value: tf.TensorSpec([None, *value.shape[1:]], value.dtype),
          self._clip,
        )
      ]
    )
    def step(inputs):
      return task.train_step(inputs, model, optimizer)[task.loss]

    self._step = step

  def seconds(self, batch: int) -> float:
    """Makes steps of a batch, and returns the seconds of the fastest."""
    inputs = tf.nest.map_structure(
      lambda value: tf.repeat(value, batch, axis=0), self._clip
    )
    self._step(inputs).numpy()
    times = []
    for _ in range(_TIMED_STEPS):
      begun = time.monotonic()
      self._step(inputs).numpy()
      times.append(time.monotonic() - begun)
    return min(times)


def try_batches(
  step: TrialStep, clips: int, on_cpu: bool, budget: float
) -> tuple[int, list[str], str]:
  """Makes steps of more and more clips.

  Args:
    step: makes them.
    clips: in the training data; −1 if unknown.
    on_cpu: whether the CPU trains.
    budget: bytes that the steps may take beyond what is taken already.

  Returns:
    The batch, what was tried, and why there is no larger one.

  Raises:
    ValueError: not even the smallest batch fits.
  """
  begun = memory.resident_bytes()
  found, fastest, tried = 0, 0.0, []
  used, expected, batch = 0.0, 0.0, _SMALLEST
  while True:
    if 0 < clips < LEAST_STEPS * batch and found:
      reason = f'twice as many leave less than {LEAST_STEPS} steps a pass'
      break
    if expected > budget and on_cpu:
      reason = f'twice as many need {expected / 2**20:,.0f} MiB'
      break
    try:
      seconds = step.seconds(batch)
    except tf.errors.ResourceExhaustedError:
      reason = 'twice as many do not fit'
      break
    before, used = used, memory.peak_bytes() - begun
    # Twice the clips take twice as much more than half of them did; after the
    # first batch, of which some is for all, this says too much.
    expected = used + 2 * (used - before) if before else 2 * used
    if used > budget and on_cpu:
      reason = f'twice as many need {used / 2**20:,.0f} MiB'
      break
    speed = batch / seconds
    tried.append(
      f'{batch}: {speed:.3g} clips/s'
      + (f', {used / 2**20:,.0f} MiB' if on_cpu else '')
    )
    if on_cpu and speed < FASTER * fastest:
      reason = f'twice as many are not {FASTER:g} times as fast'
      break
    found, fastest = batch, speed
    batch *= 2
  if not found:
    raise ValueError(
      f'--batch={AUTO}: a step of {_SMALLEST} clips does not fit into '
      f'{budget / 2**20:,.0f} MiB. Make task.train_data.feature_shape smaller, '
      'or task.num_subclips larger.'
    )
  return found, tried, reason
