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

"""All GPUs train, and what is not there is asked for in vain."""

import logging

import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.files import screen
from official_ext.grw.training import devices


@pytest.mark.parametrize(
  'asked, there, strategy, count',
  [
    (-1, 0, 'mirrored', 0),
    (-1, 8, 'mirrored', 8),
    (-1, 8, 'multi_worker_mirrored', 8),
    (-1, 8, 'one_device', 1),
    (-1, 8, 'off', 1),
    (-1, 0, 'one_device', 0),
    (0, 8, 'mirrored', 0),
    (2, 8, 'mirrored', 2),
  ],
)
def test_by_default_all_gpus_train(asked, there, strategy, count):
  runtime = schema.RuntimeConfig(num_gpus=asked, distribution_strategy=strategy)
  assert devices.count_gpus(runtime, there) == count
  assert schema.RuntimeConfig().num_gpus == -1


@pytest.mark.parametrize('asked, there', [(1, 0), (2, 0), (3, 2)])
def test_gpus_that_are_not_there_are_counted(asked, there):
  runtime = schema.RuntimeConfig(num_gpus=asked)
  with pytest.raises(ValueError, match=f'num_gpus={asked}.*finds {there} GPUs'):
    devices.count_gpus(runtime, there)


@pytest.mark.skipif(
  bool(tf.config.list_physical_devices('GPU')), reason='this machine has GPUs'
)
def test_without_gpus_the_cpu_trains_and_the_log_says_so(caplog):
  with caplog.at_level(logging.INFO, logger=screen.TOLD):
    strategy = devices.build_strategy(
      schema.RuntimeConfig(distribution_strategy='one_device')
    )
  assert 'CPU' in strategy.extended.worker_devices[0]
  assert 'CPU:0 (runtime.num_gpus=-1, 0 GPUs found' in caplog.text
  for asked in (1, 2):
    with pytest.raises(ValueError, match='0 for the CPU'):
      devices.build_strategy(schema.RuntimeConfig(num_gpus=asked))
