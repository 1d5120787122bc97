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

"""What can be said of a run before TensorFlow is imported.

Flags, overrides and files are checked against the packaged description of the
experiments, in a second; the experiment itself checks all again, and what needs
the Model Garden.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import importlib
import os
import sys
import types
from typing import Any

from absl import logging

from official_ext.grw.configs import checks
from official_ext.grw.configs import completion
from official_ext.grw.configs import continuing
from official_ext.grw.configs import description
from official_ext.grw.files import kaggle_models
from official_ext.grw.files import paths

MODES = (
  'train',
  'eval',
  'train_and_eval',
  'train_and_post_eval',
  'continuous_eval',
)

# Without them nothing can have been registered.
_REGISTRIES = frozenset(
  (
    'official_ext.grw.backbones.families',
    'official_ext.grw.heads.head_types',
  )
)
_ENSEMBLES = 'GrwEnsembleExperimentConfig'
# Of a file, and what no text has.
_BEGINNING = 1024
_NOT_PRINTED = frozenset(range(32)) - frozenset(b'\t\n\r\f\x1b')


class _Values(types.SimpleNamespace):
  """Nested values by attribute, as the checks read a configuration."""

  def get(self) -> Any:
    """What `type` chooses."""
    return getattr(self, self.type) if self.type else None


def _attributes(value: Any) -> Any:
  if isinstance(value, dict):
    return _Values(**{name: _attributes(item) for name, item in value.items()})
  return value


def _nested(value: Any) -> Any:
  if isinstance(value, _Values):
    return {name: _nested(item) for name, item in vars(value).items()}
  return value


def unknown_experiment(name: str) -> ValueError:
  """The error for an experiment that there is not."""
  known = sorted(description.read().experiments)
  return ValueError(
    f'--experiment={name}: expected one of {", ".join(known)}'
    f'{description.did_you_mean(name, known)}.'
  )


def _known(experiment: str) -> description.Description:
  """What is known of experiments.

  That is the packaged description; in a program that has backbones and heads
  imported, and may have registered others, with the fields that there are now.
  """
  packaged = description.read()
  if experiment not in packaged.experiments or not (
    _REGISTRIES & sys.modules.keys()
  ):
    return packaged
  class_name = packaged.experiments[experiment]['class']
  module, _, name = class_name.rpartition('.')
  present = description.describe_class(
    getattr(importlib.import_module(module), name)
  )
  return description.Description(
    {**packaged.classes, **present.classes}, packaged.experiments
  )


def check(
  experiment: str,
  mode: str,
  model_dir: str,
  changes: Sequence[tuple[str, Mapping[str, Any]]],
  tpu: str | None = None,
):
  """Raises ValueError for a run that cannot go well.

  Weights that are named by their handle on Kaggle are downloaded, last of all.

  Args:
    experiment: its name.
    mode: one of `MODES`.
    model_dir: the folder of checkpoints and logs.
    changes: where each comes from, and nested values.
    tpu: see the flag.
  """
  if mode not in MODES:
    raise ValueError(
      f'--mode={mode}: expected one of {", ".join(MODES)}'
      f'{description.did_you_mean(mode, MODES)}.'
    )
  known = _require_experiment(experiment)
  if known is None:
    return
  if not paths.is_remote(model_dir) and paths.exists(model_dir):
    if not paths.is_folder(model_dir):
      raise ValueError(f'--model_dir={model_dir}: this is a file.')
  values = _changed(known, experiment, changes, tpu)
  _require_weights(values, mode, model_dir)
  config = _completed(known, experiment, values)
  for split in ('train', 'validation'):
    if split == 'train' and 'train' not in mode:
      continue
    if split == 'validation' and 'eval' not in mode:
      continue
    _require_input(getattr(config.task, f'{split}_data'), split)
  _require_labels('task.labels', config.task.labels)
  continuing.changes(_nested(config), mode, model_dir)
  _download_weights(values, model_dir)


def check_export(
  experiment: str,
  checkpoint: str,
  output_dir: str,
  labels: str | None,
  changes: Sequence[tuple[str, Mapping[str, Any]]],
  tpu: str | None = None,
):
  """Raises ValueError for an export that cannot go well.

  Args:
    experiment, changes, tpu: see `check`.
    checkpoint: the weights; by a handle on Kaggle they are downloaded, last of
      all.
    output_dir: the folder to make.
    labels: a file of class names, if another than the task's.
  """
  known = _require_experiment(experiment)
  if checkpoint:
    require_weights('--checkpoint', checkpoint)
  if paths.exists(output_dir):
    raise ValueError(
      f'--output_dir={output_dir} exists: remove it, or give another.'
    )
  if labels:
    _require_labels('--labels', labels)
  if known is not None:
    values = _changed(known, experiment, changes, tpu)
    config = _completed(known, experiment, values)
    if not labels:
      _require_labels('task.labels', config.task.labels)
    if checkpoint:
      continuing.require_as_trained(_nested(config), checkpoint)
  _download('--checkpoint', checkpoint)


def check_videos(
  experiment: str,
  data: str,
  weights: str,
  model_dir: str,
  changes: Sequence[tuple[str, Mapping[str, Any]]],
):
  """Raises ValueError for what can be known before there are any records.

  Args:
    experiment, changes: see `check`.
    data: the folder of the videos.
    weights: what --weights names; '' for none.  By a handle on Kaggle they are
      downloaded, last of all, unless the training goes on.
    model_dir: the folder of the checkpoints.
  """
  known = _require_experiment(experiment)
  if known is not None:
    _changed(known, experiment, changes)
  if not paths.is_folder(data):
    raise ValueError(
      f'--data={data}: expected a folder of videos, <split>/<class>/<video>.'
    )
  if weights:
    require_weights('--weights', weights)
    if not continuing.has_checkpoint(model_dir):
      _download('--weights', weights)


def _require_experiment(experiment: str) -> description.Description | None:
  """What is known of an experiment; None if a program may have its own."""
  known = _known(experiment)
  if experiment in known.experiments:
    return known
  if 'tensorflow' in sys.modules:
    return None
  raise unknown_experiment(experiment)


def _changed(
  known: description.Description,
  experiment: str,
  changes: Sequence[tuple[str, Mapping[str, Any]]],
  tpu: str | None = None,
) -> dict[str, Any]:
  """The values of an experiment with changes, whose fields there are."""
  class_name = known.experiments[experiment]['class']
  values = known.values(experiment)
  if tpu is not None:
    values['runtime']['tpu'] = tpu
  for origin, change in changes:
    try:
      known.require_fields(class_name, change)
    except ValueError as error:
      if not origin.startswith('--config_file'):
        raise
      raise ValueError(f'{origin}: {error}') from error
    description.merge(values, change)
  return values


def _completed(
  known: description.Description, experiment: str, values: dict[str, Any]
) -> Any:
  """The configuration of values, completed and checked, by attribute."""
  config = _attributes(values)
  level = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)  # Warnings come with the experiment.
  try:
    completion.complete(config)
    if not known.experiments[experiment]['class'].endswith(_ENSEMBLES):
      checks.validate_task(config.task)
    checks.validate_experiment(config)
  finally:
    logging.set_verbosity(level)
  return config


def _require_labels(field: str, path: str):
  if path and not paths.exists(path):
    raise ValueError(
      f'{field}={path!r}: there is no such file; expected the texts of the '
      'labels, one a line.'
    )


def _require_input(data: Any, split: str):
  """Raises ValueError for data without files."""
  if data.tfds_name or data.enable_tf_data_service:
    return
  field = f'task.{split}_data.input_path'
  given = data.input_path
  patterns = [given] if isinstance(given, str) else list(given or [])
  patterns = [
    part.strip() for pattern in patterns for part in pattern.split(',')
  ]
  if not any(patterns):
    raise ValueError(
      f'{field}={given!r}: expected the pattern of TFRecord files, such as '
      "'records/train-*', or task.dataset_info."
    )
  for pattern in patterns:
    if not paths.is_remote(pattern) and not paths.matches(pattern):
      raise ValueError(f'{field}={pattern!r}: no file matches.')


def _weights(
  values: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str]]:
  """(field, path) of all weights that are named."""
  for name, value in values.items():
    if isinstance(value, Mapping):
      yield from _weights(value, f'{prefix}.{name}')
    elif name in ('init_checkpoint', 'checkpoint') and value:
      yield f'{prefix}.{name}', value


@contextlib.contextmanager
def _naming(field: str) -> Iterator[None]:
  """Puts a field before the value that an error begins with."""
  try:
    yield
  except ValueError as error:
    raise ValueError(f'{field}={error}') from error


def _download_weights(values: Mapping[str, Any], model_dir: str):
  """Downloads the weights that are named by handles, if they are needed."""
  for field, path in _weights(values['task'], 'task'):
    if not kaggle_models.is_handle(path):
      continue
    # A training that goes on has its own.
    if paths.is_remote(model_dir) or not continuing.has_checkpoint(model_dir):
      _download(field, path)


def _download(field: str, path: str):
  """Downloads weights that a handle names; other paths stay what they are."""
  with _naming(field):
    kaggle_models.local(path)


def require_weights(field: str, path: str):
  """Raises ValueError for weights that are not there; asks no network.

  Args:
    field: the field or the flag that names them.
    path: whatever `task.init_checkpoint` takes.
  """
  if kaggle_models.is_handle(path):
    with _naming(field):
      kaggle_models.require(path)
    kaggle_models.require_library()
  elif not (
    paths.is_remote(path)
    or ':' in path.split('/')[0]
    or paths.exists(path)
    or paths.exists(f'{path}.index')
  ):
    raise ValueError(
      f'{field}={path!r}: there is no such file or folder, and no '
      f'{path}.index of a checkpoint.'
    )
  elif os.path.isdir(path) and not os.listdir(path):
    raise ValueError(f'{field}={path!r}: this folder is empty.')
  elif _is_text(path):
    raise ValueError(
      f'{field}={path!r}: this is a text file; expected weights.'
    )


def _is_text(path: str) -> bool:
  """Whether a local file begins with nothing but printed characters."""
  if not os.path.isfile(path):
    return False
  with open(path, 'rb') as file:
    beginning = file.read(_BEGINNING)
  return bool(beginning) and not set(beginning) & _NOT_PRINTED


def _require_weights(values: Mapping[str, Any], mode: str, model_dir: str):
  """Raises ValueError for weights that are not there."""
  named = list(_weights(values['task'], 'task'))
  for field, path in named:
    require_weights(field, path)
  if (
    mode == 'eval'
    and not named
    and not paths.is_remote(model_dir)
    and not continuing.has_checkpoint(model_dir)
  ):
    raise ValueError(
      f'There is no checkpoint in {model_dir} to evaluate. Train into this '
      'folder first, or set task.init_checkpoint to the weights (of an '
      'ensemble, task.model.first.checkpoint and task.model.second.checkpoint).'
    )
