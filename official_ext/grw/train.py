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

r"""Trains and evaluates; takes the Model Garden's flags.

  python3 official_ext/grw/train.py \
    --experiment=movinet_grw_kinetics600 \
    --mode=train_and_eval \
    --config_file=configs/movinet_a0_stream_grw_k600.yaml \
    --model_dir=/tmp/movinet_a0_stream_grw_k600

or the same with `python3 -m official_ext.grw.train`.  The same command again
continues from the last checkpoint.  What the user can mend ends in one line
and exit status 1; --verbosity=1 shows the traceback too.
"""

import os
import sys

if __name__ == '__main__' and not __package__:
  # Run as a script, the first entry of the path is this file's folder, whose
  # sub-folders would hide packages of the same names.  The repository's root
  # takes its place, so that nothing need be installed.
  sys.path[0] = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  )

# ruff: noqa: E402
# pylint: disable=g-import-not-at-top
from collections.abc import Iterator, Mapping
import contextlib
import pprint
import socket
from typing import Any
from urllib import parse

from absl import app
from absl import flags
from absl import logging
import gin
from official.common import distribute_utils
from official.common import flags as tfm_flags
from official.core import config_definitions as cfg
from official.core import task_factory
from official.core import train_utils
from official.modeling import performance
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import record_check
from official_ext.grw.training import checkpoints
from official_ext.grw.training import runner

# pylint: enable=g-import-not-at-top

FLAGS = flags.FLAGS

_CONNECT_SECONDS = 5

# What is wrong when these come out of the config is the config.
_CONFIG_ERRORS = (
  ValueError,
  LookupError,
  TypeError,
  AttributeError,
  OSError,
  tf.errors.NotFoundError,
  yaml.YAMLError,
)
_RUN_ERRORS = (
  record_check.InputDataError,
  checkpoints.CheckpointError,
  FloatingPointError,
)


@contextlib.contextmanager
def _told_in_one_line(*errors: type[BaseException]) -> Iterator[None]:
  """Ends the program with one line for errors that the user can mend."""
  try:
    yield
  except errors as error:
    if logging.level_debug():
      raise
    # str() of a KeyError is quoted.
    is_key = isinstance(error, KeyError) and len(error.args) == 1
    message = str(error.args[0] if is_key else error)
    print(
      f'error: {" ".join(message.split()) or type(error).__name__} '
      '(--verbosity=1 for the traceback)',
      file=sys.stderr,
    )
    sys.exit(1)


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
    address: of the dispatcher; None leaves it to the config.

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


def parse_flags() -> cfg.ExperimentConfig:
  """Returns the experiment that the flags describe, validated and locked.

  Raises:
    one of `_CONFIG_ERRORS`: the flags or the files they name are wrong.
  """
  gin.parse_config_files_and_bindings(FLAGS.gin_file, FLAGS.gin_params)
  if FLAGS.mode not in runner.MODES:
    raise ValueError(
      f'mode={FLAGS.mode!r} is not implemented: expected one of {runner.MODES}.'
    )
  params = train_utils.parse_configuration(
    FLAGS, lock_return=False, print_return=False
  )
  configure_data_service(params, FLAGS.tf_data_service)
  params.lock()
  logging.info(
    'Final experiment parameters:\n%s', pprint.pformat(params.as_dict())
  )
  return params


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
    model_dir: of checkpoints, logs and `params.yaml`.
    enable_async_checkpointing: write checkpoints while training goes on.
    **kwargs: of `runner.ExperimentRunner`.
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


def main(_) -> tuple[tf_keras.Model, Mapping[str, Any]]:
  """Runs the experiment of the flags; returns model and evaluation."""
  with _told_in_one_line(*_CONFIG_ERRORS):
    params = parse_flags()
  with _told_in_one_line(ValueError, *_RUN_ERRORS):
    experiment = build_runner(
      params, FLAGS.mode, FLAGS.model_dir, FLAGS.enable_async_checkpointing
    )
  with _told_in_one_line(*_RUN_ERRORS):
    result = experiment.run()
  train_utils.save_gin_config(FLAGS.mode, FLAGS.model_dir)
  return result


def define_flags():
  """Defines the Model Garden's flags."""
  tfm_flags.define_flags()
  flags.DEFINE_bool(
    'enable_async_checkpointing',
    True,
    'Whether to write checkpoints while training goes on.',
  )
  flags.mark_flags_as_required(['experiment', 'mode', 'model_dir'])


def _run(argv: list[str]):
  # absl would take what main returns as the exit status.
  main(argv)


if __name__ == '__main__':
  define_flags()
  app.run(_run)
