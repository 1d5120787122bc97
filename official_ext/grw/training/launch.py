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

from collections.abc import Mapping, Sequence
import pprint
import re
import socket
from typing import Any
from urllib import parse

from absl import logging
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.core import task_factory
from official.core import train_utils
from official.modeling import performance

from official_ext.grw.configs import continuing
from official_ext.grw.configs import preflight
from official_ext.grw.training import checkpoints
from official_ext.grw.training import devices
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


def parse_experiment(
  experiment: str,
  changes: Sequence[tuple[str, Mapping[str, Any]]],
  tpu: str | None = None,
  tf_data_service: str | None = None,
) -> cfg.ExperimentConfig:
  """Returns a registered experiment with changes, validated and locked.

  Args:
    experiment: registered name.
    changes: where each comes from, and nested values.
    tpu: the address of a TPU, unless `changes` say.
    tf_data_service: see `configure_data_service`.

  Raises:
    ValueError: there is no such experiment, or its fields do not fit.
  """
  try:
    params = exp_factory.get_exp_config(experiment)
  except LookupError as error:
    raise preflight.unknown_experiment(experiment) from error
  if tpu is not None:
    params.override({'runtime': {'tpu': tpu}})
  for _, values in changes:
    params.override(dict(values))
  params.validate()
  configure_data_service(params, tf_data_service)
  params.lock()
  return params


def nothing_left(
  params: cfg.ExperimentConfig, mode: str, model_dir: str
) -> str | None:
  """Says that a training has come to its end already; None if it has not."""
  if mode not in ('train', 'train_and_eval'):
    return None
  checkpoint = checkpoints.newest_readable_checkpoint(model_dir)
  number = re.search(r'-(\d+)$', checkpoint or '')
  if not number or int(number[1]) < params.trainer.train_steps:
    return None
  return (
    f'Nothing is left to train: {checkpoint} is at step {number[1]} of '
    f'trainer.train_steps={params.trainer.train_steps}. Raise trainer.'
    'train_epochs or train_steps to train on, or measure it with --mode=eval.'
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
    mode: one of `preflight.MODES`.
    model_dir: the folder of checkpoints, logs and `params.yaml`, which is
      written once all is built.
    enable_async_checkpointing: write checkpoints while training goes on.
    **kwargs: the arguments of `runner.ExperimentRunner`.

  Raises:
    ValueError: the folder has checkpoints of another model or optimizer.
  """
  logging.info(
    'Final experiment parameters:\n%s', pprint.pformat(params.as_dict())
  )
  changed = continuing.changes(params.as_dict(), mode, model_dir)
  if changed and 'train' in mode:
    logging.warning(
      'Changed since %s was trained last: %s.', model_dir, '; '.join(changed)
    )
  if params.runtime.mixed_precision_dtype:
    performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
  strategy = devices.build_strategy(params.runtime)
  with strategy.scope():
    task = task_factory.get_task(params.task, logging_dir=model_dir)
  experiment = runner.ExperimentRunner(
    strategy,
    task,
    mode,
    params,
    model_dir,
    enable_async_checkpointing=enable_async_checkpointing,
    **kwargs,
  )
  if 'train' in mode:
    # An evaluation beside the training must not write the same file.
    train_utils.serialize_config(params, model_dir)
  return experiment
