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
"""Makes of a configuration what runs it."""

import socket
from typing import Any
from urllib import parse

from official.common import distribute_utils
from official.core import config_definitions as cfg
from official.core import task_factory
from official.core import train_utils
from official.modeling import performance

from official_ext.grw.training import runner

_CONNECT_SECONDS = 5


def require_data_service(address: str):
  """Raises ValueError unless a tf.data service answers at an address.

  A wrong address would otherwise hang without a word.

  Args:
    address: 'host:port', or with a protocol as in 'grpc://host:port'.
  """
  parts = parse.urlsplit(address if '://' in address else f'grpc://{address}')
  try:
    host, port = parts.hostname, parts.port
  except ValueError:  # The port is not a number.
    host, port = None, None
  if not host or not port:
    raise ValueError(f'tf_data_service={address!r}: expected grpc://host:port.')
  try:
    socket.create_connection((host, port), _CONNECT_SECONDS).close()
  except OSError as error:
    raise ValueError(
      f'tf_data_service={address!r} does not answer ({error}): start the '
      'dispatcher there, or correct the address.'
    ) from error


def configure_data_service(
  params: cfg.ExperimentConfig, address: str | None = None
):
  """Lets both splits read through the tf.data service, each its own data.

  Jobs of one name share one stream of batches: with the default name and equal
  batch sizes, evaluation would read training data.

  Args:
    params: changed in place: the name of each split's job, and if `address` is
      given, that the service is used.
    address: the address of the dispatcher; None leaves it to the config.

  Raises:
    ValueError: the service is enabled and does not answer.
  """
  for split in ('train', 'validation'):
    data = getattr(params.task, f'{split}_data')
    if address:
      data.override(
        {'enable_tf_data_service': True, 'tf_data_service_address': address}
      )
    if not data.enable_tf_data_service:
      continue
    if not data.tf_data_service_address:
      raise ValueError(
        f'task.{split}_data.enable_tf_data_service is set without an address:'
        ' expected tf_data_service_address, or --tf_data_service.'
      )
    require_data_service(data.tf_data_service_address)
    name = data.tf_data_service_job_name
    data.override(
      {'tf_data_service_job_name': f'{name}_{split}' if name else split}
    )


def build_runner(
  params: cfg.ExperimentConfig,
  mode: str,
  model_dir: str,
  enable_async_checkpointing: bool = True,
  **kwargs: Any,
) -> runner.ExperimentRunner:
  """Builds what runs an experiment, restored from `model_dir`.

  Args:
    params: the experiment.
    mode: one of `runner.MODES`.
    model_dir: the folder of checkpoints, logs and `params.yaml`.
    enable_async_checkpointing: write checkpoints while training goes on.
    **kwargs: the arguments of `runner.ExperimentRunner`.
  """
  if 'train' in mode:
    # An evaluation beside the training must not write the same file.
    train_utils.serialize_config(params, model_dir)
  if params.runtime.mixed_precision_dtype:
    performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
  strategy = distribute_utils.get_distribution_strategy(
    distribution_strategy=params.runtime.distribution_strategy,
    all_reduce_alg=params.runtime.all_reduce_alg,
    num_gpus=params.runtime.num_gpus,
    tpu_address=params.runtime.tpu,
  )
  with strategy.scope():
    task = task_factory.get_task(params.task, logging_dir=model_dir)
  return runner.ExperimentRunner(
    strategy,
    task,
    mode,
    params,
    model_dir,
    enable_async_checkpointing=enable_async_checkpointing,
    **kwargs,
  )
