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

  grw train \
    --experiment=movinet_grw_kinetics600 \
    --mode=train_and_eval \
    --config_file=movinet_a0_stream_grw_k600 \
    --model_dir=/tmp/movinet_a0_stream_grw_k600

The same command again continues from the last checkpoint.  --config_file takes
published configurations by name, and files.  What the user can mend ends in one
line and exit status 1; --verbosity=1 shows the traceback too.
"""

from collections.abc import Iterator
import contextlib
import pprint
import sys

from absl import flags
from absl import logging

from official_ext.grw.commands import experiment_flags


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


def define_flags():
  """Defines the Model Garden's flags."""
  experiment_flags.define()
  flags.DEFINE_bool(
    'enable_async_checkpointing',
    True,
    'Whether to write checkpoints while training goes on.',
  )
  flags.mark_flags_as_required(['experiment', 'mode', 'model_dir'])


def main(_):
  """Runs the experiment of the flags."""
  values = flags.FLAGS
  with _told_in_one_line(ValueError):
    experiment_flags.find_config_files()

  import gin
  from official.core import train_utils
  import tensorflow as tf
  import yaml

  from official_ext.grw import registry_imports  # noqa: F401
  from official_ext.grw.datasets import record_check
  from official_ext.grw.training import checkpoints
  from official_ext.grw.training import launch
  from official_ext.grw.training import runner

  # What is wrong when these come out of the config is the config.
  with _told_in_one_line(
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    tf.errors.NotFoundError,
    yaml.YAMLError,
  ):
    gin.parse_config_files_and_bindings(values.gin_file, values.gin_params)
    if values.mode not in runner.MODES:
      raise ValueError(
        f'mode={values.mode!r} is not implemented: expected one of '
        f'{runner.MODES}.'
      )
    params = experiment_flags.parse()
    launch.configure_data_service(params, values.tf_data_service)
    params.lock()
  logging.info(
    'Final experiment parameters:\n%s', pprint.pformat(params.as_dict())
  )
  run_errors = (
    record_check.InputDataError,
    checkpoints.CheckpointError,
    FloatingPointError,
  )
  with _told_in_one_line(ValueError, *run_errors):
    built = launch.build_runner(
      params, values.mode, values.model_dir, values.enable_async_checkpointing
    )
  with _told_in_one_line(*run_errors):
    built.run()
  train_utils.save_gin_config(values.mode, values.model_dir)
