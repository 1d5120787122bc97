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

--experiment       what is trained: a model, data and their settings
--mode             train, train_and_eval, eval, ...
--model_dir        folder of checkpoints and logs; the same command again
                   continues from its last checkpoint
--config_file      published configurations by name, and files of settings
--params_override  field=value,field=value: what differs from all of these

Of a folder of videos one command makes a model that has been evaluated and
exported; what it runs, it shows:

  grw train --data=videos --weights=a0_stream.tflite --model_dir=/tmp/own

The screen shows how far it is, a row after each validation, and warnings;
train.log in the model folder has what the libraries log, and --verbosity=1
shows that too.

What the user can mend ends in one line and exit status 1; --verbosity=1 shows
the traceback too.
"""

from collections.abc import Iterator
import contextlib
import json
import os
import shlex
import sys
from typing import Any

from absl import flags
from absl import logging

from official_ext.grw.commands import experiment_flags
from official_ext.grw.commands import from_videos
from official_ext.grw.configs import description
from official_ext.grw.configs import overrides
from official_ext.grw.configs import preflight
from official_ext.grw.files import paths
from official_ext.grw.files import screen


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


_AUTO = 'auto'  # Of --batch, as training.batch_size has it.
# Of the flags that matter.
_HELP = {
  'experiment': f'One of {", ".join(sorted(description.read().experiments))}.',
  'mode': f'One of {", ".join(preflight.MODES)}.',
  'model_dir': 'Folder of checkpoints, logs and params.yaml, the configuration '
  'as it was completed.',
  'config_file': 'Published configuration, or YAML or JSON file, of fields '
  "that differ from the experiment's; of several, the later wins.",
  'params_override': 'field=value,field=value, for example '
  'trainer.train_epochs=5,task.train_data.feature_shape=[50,172,172,3]; or '
  'YAML, or the path of a YAML file. Wins over --config_file.',
  'tf_data_service': 'Address of a tf.data service that reads the data, '
  'grpc://host:port.',
  'tpu': "Name or address of a TPU, or 'local' on its own machine; with "
  'runtime.distribution_strategy=tpu.',
}


def define_flags():
  """Defines the Model Garden's flags."""
  experiment_flags.define()
  for name, text in _HELP.items():
    flags.FLAGS[name].help = text
  flags.DEFINE_bool(
    'enable_async_checkpointing',
    True,
    'Whether to write checkpoints while training goes on.',
  )
  flags.DEFINE_bool(
    'dry_run',
    False,
    'Print the completed configuration, make two steps, say what time and '
    'memory a training takes, and draw clips as the model sees them.',
  )
  flags.DEFINE_string(
    'batch',
    None,
    'Clips in a step, of all devices together; auto is as many as a trial '
    'finds room and use for (docs/training.md). By default '
    'task.train_data.global_batch_size.',
  )
  flags.DEFINE_string(
    'data',
    None,
    'Folder of videos, <split>/<class>/<video>: converts them, trains '
    f'{from_videos.EXPERIMENT} on them and exports the best model.',
  )
  flags.DEFINE_string(
    'weights', None, 'With --data: whatever task.init_checkpoint takes.'
  )
  flags.mark_flag_as_required('model_dir')
  flags.register_validator(
    'batch',
    lambda value: (
      value is None or value == _AUTO or (value.isdigit() and int(value) > 0)
    ),
    f'expected a number of clips, or {_AUTO}',
  )
  for name in ('experiment', 'mode'):
    flags.register_multi_flags_validator(
      [name, 'data'],
      lambda values, name=name: bool(values[name]) != bool(values['data']),
      f'expected --{name}, or --data without it',
    )
  flags.register_multi_flags_validator(
    ['weights', 'data'],
    lambda values: values['data'] or not values['weights'],
    '--weights is for --data; otherwise set task.init_checkpoint',
  )


def _batch_of(clips: int) -> tuple[str, dict[str, Any]]:
  """The change that sets the clips in a step."""
  return '--batch', {'task': {'train_data': {'global_batch_size': clips}}}


def _log_file(model_dir: str) -> contextlib.AbstractContextManager[None]:
  """Lets train.log have what is logged; not on remote file systems.

  Of several workers, all but the first have logs of their own.
  """
  if paths.is_remote(model_dir):
    return contextlib.nullcontext()
  task = json.loads(os.environ.get('TF_CONFIG') or '{}').get('task', {})
  kind, index = task.get('type', 'worker'), int(task.get('index', 0))
  is_chief = kind == 'chief' or (kind == 'worker' and index == 0)
  name = 'train.log' if is_chief else f'train_{kind}{index}.log'
  path = os.path.join(model_dir, name)
  screen.tell(f'Log: {path}')
  return screen.log_file(path)


def next_commands(
  program: str, experiment: str, model_dir: str, streams: bool
) -> list[str]:
  """What to do with a model that has been trained: evaluate, export, predict.

  Args:
    program: how the training was called.
    experiment: its name.
    model_dir: its folder.
    streams: whether the model can be exported frame by frame.
  """
  if program.split()[0] == 'grw':
    train, export, predict = 'grw train', 'grw export tflite', 'grw predict'
  else:
    train = 'python3 official_ext/grw/train.py'
    export = 'python3 tools/export_tflite.py'
    predict = 'python3 tools/predict_video.py'
  folder = model_dir.rstrip('/')
  trained = f'--experiment={experiment} ' + shlex.quote(
    f'--config_file={folder}/params.yaml'
  )
  exported = shlex.quote(f'{folder}_tflite')
  kind = '' if streams else ' --kind=clip'
  return [
    f'{train} {trained} --mode=eval --model_dir={shlex.quote(folder)}',
    f'{export} {trained} --checkpoint={shlex.quote(folder)}{kind} '
    f'--output_dir={exported}',
    f'{predict} --model={exported} --video=VIDEO '
    f'--output_dir={shlex.quote(f"{folder}_predicted")}',
  ]


def _streams(backbone) -> bool:
  from official_ext.grw.backbones import families

  try:
    families.with_states(backbone)
  except ValueError:
    return False
  return True


def main(argv):
  """Runs the experiment of the flags."""
  values = flags.FLAGS
  with _told_in_one_line(ValueError, OSError):
    experiment_flags.find_config_files()
    changes = overrides.read(values.config_file, values.params_override)
    if values.batch and values.batch != _AUTO:
      changes.append(_batch_of(int(values.batch)))
    if values.data:
      preflight.check_videos(
        from_videos.EXPERIMENT,
        values.data,
        values.weights or '',
        os.path.join(values.model_dir, from_videos.MODEL),
        changes,
      )
    else:
      preflight.check(
        values.experiment, values.mode, values.model_dir, changes, values.tpu
      )
  if values.data:
    options = [f'--config_file={path}' for path in values.config_file]
    if values.batch:
      options.append(f'--batch={values.batch}')
    from_videos.run(
      from_videos.commands(
        values.data,
        values.weights or '',
        values.model_dir,
        options,
        overrides.parse(values.params_override or '{}'),
      )
    )
    return

  with screen.only_what_matters():
    params = _run(values, changes)
  if not logging.level_debug():
    # Threads of libraries log their end when the process ends.
    logging.set_verbosity(logging.WARNING)
  if params is not None and 'train' in values.mode:
    print('Next, evaluate, export and predict:')
    streams = _streams(params.task.model.backbone)
    for line in next_commands(
      argv[0], values.experiment, values.model_dir, streams
    ):
      print(f'  {line}')


def _run(values, changes):
  """Runs the experiment; see `launch.parse_experiment` for the changes.

  Returns:
    Its configuration; None if there was nothing left to run.
  """
  # From here on it takes half a minute to say anything.
  import gin
  from official.core import train_utils
  import tensorflow as tf
  import yaml

  from official_ext.grw import registry_imports  # noqa: F401
  from official_ext.grw.datasets import record_check
  from official_ext.grw.training import batch_size
  from official_ext.grw.training import checkpoints
  from official_ext.grw.training import launch

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
    if values.batch == _AUTO and 'train' in values.mode:
      with screen.silence():
        trial = launch.parse_experiment(values.experiment, changes, values.tpu)
      changes = [
        *changes,
        _batch_of(batch_size.choose(trial, values.model_dir)),
      ]
    params = launch.parse_experiment(
      values.experiment, changes, values.tpu, values.tf_data_service
    )
  run_errors = (
    record_check.InputDataError,
    checkpoints.CheckpointError,
    FloatingPointError,
  )
  if values.dry_run:
    from official_ext.grw.training import dry_run

    with _told_in_one_line(ValueError, *run_errors):
      dry_run.run(params, values.model_dir)
    return None
  with _told_in_one_line(ValueError, *run_errors):
    done = launch.nothing_left(params, values.mode, values.model_dir)
  if done:
    print(done)
    return None
  with _log_file(values.model_dir):
    with _told_in_one_line(ValueError, *run_errors):
      built = launch.build_runner(
        params, values.mode, values.model_dir, values.enable_async_checkpointing
      )
    with _told_in_one_line(*run_errors):
      built.run()
  train_utils.save_gin_config(values.mode, values.model_dir)
  return params
