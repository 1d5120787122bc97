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

"""The devices that train: GPUs, if there are any."""

from official.common import distribute_utils
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.files import screen


def count_gpus(runtime: schema.RuntimeConfig, there: int) -> int:
  """How many GPUs train.

  Args:
    runtime: says how many are asked for.
    there: how many TensorFlow finds.

  Raises:
    ValueError: there are fewer.
  """
  asked = runtime.num_gpus
  if asked > there:
    raise ValueError(
      f'runtime.num_gpus={asked}: TensorFlow finds {there} GPUs on this '
      'machine. Set it to -1 for all that there are or to 0 for the CPU; if '
      'nvidia-smi lists more, install tensorflow[and-cuda].'
    )
  if asked >= 0:
    return asked
  single = runtime.distribution_strategy in ('one_device', 'off')
  return min(there, 1) if single else there


def build_strategy(runtime: schema.RuntimeConfig) -> tf.distribute.Strategy:
  """Builds the distribution strategy, and says which devices it trains on.

  Raises:
    ValueError: a device that is asked for is not there.
  """
  gpus = tf.config.list_physical_devices('GPU')
  num_gpus = 0
  if runtime.distribution_strategy != 'tpu':
    num_gpus = count_gpus(runtime, len(gpus))
    if num_gpus < len(gpus):
      # Strategies of several workers, and operations outside of any, take
      # what they see.
      tf.config.set_visible_devices(gpus[:num_gpus], 'GPU')
  strategy = distribute_utils.get_distribution_strategy(
    distribution_strategy=runtime.distribution_strategy,
    all_reduce_alg=runtime.all_reduce_alg,
    num_gpus=num_gpus,
    num_packs=runtime.num_packs,
    tpu_address=runtime.tpu,
  )
  if runtime.distribution_strategy == 'off':
    devices = 'the GPU' if num_gpus else 'the CPU'
  else:
    devices = ', '.join(strategy.extended.worker_devices)
  screen.tell(
    f'Devices: {devices} (runtime.num_gpus={runtime.num_gpus}, {len(gpus)} '
    f'GPUs found, strategy {runtime.distribution_strategy}, '
    f'{strategy.num_replicas_in_sync} replicas).'
  )
  return strategy
