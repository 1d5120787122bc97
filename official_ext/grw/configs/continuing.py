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

"""What may change between two starts of one training.

A checkpoint holds weights, the state of the optimizer and the number of steps.
What these belong to must stay; everything else may change, and the run goes on
at the same step of the new configuration: batch size, epochs, data, learning
rates, augmentation and whatever acts in training alone.
"""

from collections.abc import Iterator, Mapping
import os
import re
from typing import Any

import yaml

from official_ext.grw.configs import overrides
from official_ext.grw.files import paths

# Of the model, what acts in training alone, or changes no result.
_FREE = re.compile(
  r'task\.model\.(.*\.)?('
  r'dropout_rate|stochastic_depth_drop_rate|video_operations'
  r'|smoothing\.(window|alpha|weight|sampled|num_orderings|seed|phase|cuts'
  r'|window_range)'
  r'|norm_activation\.(norm_momentum|use_sync_bn))$'
)
_FIXED = re.compile(
  r'task\.model\.'
  r'|task\.(train|validation)_data\.'
  r'(num_classes|is_multilabel|label_groups|zero_centering_image)$'
)
# The optimizer keeps its state in the order of what it trains.
_FIXED_IN_TRAINING = re.compile(
  r'trainer\.optimizer_config\.(optimizer\.type|ema)$|task\.freeze_backbone$'
)
# The same function; exports read weights by name, of either into either.
_SAME_CONVOLUTIONS = {'2plus1d', '3d_2plus1d'}
_REMEDY = (
  'Give it back, or train into an empty model_dir; task.init_checkpoint='
)


def has_checkpoint(model_dir: str) -> bool:
  """Whether a folder on this machine has a checkpoint."""
  return os.path.isdir(model_dir) and any(
    re.fullmatch(r'ckpt-\d+\.index', name) for name in os.listdir(model_dir)
  )


def changes(values: Mapping[str, Any], mode: str, model_dir: str) -> list[str]:
  """What differs from the last start of a training, in words.

  Args:
    values: the whole configuration, nested.
    mode: the mode of the driver, or 'export'; evaluation and exports need no
      optimizer.
    model_dir: the folder of checkpoints and `params.yaml`; on remote file
      systems nothing is compared.

  Raises:
    ValueError: something differs that the checkpoints depend on; names the
      field.
  """
  path = os.path.join(model_dir, 'params.yaml')
  if not has_checkpoint(model_dir) or not os.path.exists(path):
    return []
  try:
    before = overrides.load_yaml(paths.read_text(path))
  except (yaml.YAMLError, UnicodeDecodeError) as error:
    raise ValueError(
      f'{path} cannot be read ({error}): expected the configuration of the '
      'checkpoints beside it. Restore it, or delete it to go on without a '
      'comparison.'
    ) from error
  if not isinstance(before, dict):
    return []
  found = []
  for field, old, new in _differences(before, values):
    fixed = _FIXED.match(field) and not _FREE.match(field)
    if (
      mode == 'export'
      and field.endswith('.conv_type')
      and ({old, new} == _SAME_CONVOLUTIONS)
    ):
      continue
    # With float16 another optimizer, which scales the loss, is around it.
    scales = field == 'runtime.mixed_precision_dtype' and 'float16' in (
      old,
      new,
    )
    fixed_in_training = scales or _FIXED_IN_TRAINING.match(field)
    if fixed or ('train' in mode and fixed_in_training):
      raise ValueError(
        f'{field}={new!r}: expected {old!r}, with which the checkpoints in '
        f'{model_dir} were trained. {_REMEDY}{model_dir} starts from its '
        'weights.'
      )
    found.append(f'{field} {old!r} -> {new!r}')
  return found


def require_as_trained(values: Mapping[str, Any], checkpoint: str):
  """Raises ValueError if the `params.yaml` of a checkpoint says otherwise.

  Args:
    values: the whole configuration, nested.
    checkpoint: a file or folder; others than of a training have no such file.
  """
  path = os.path.abspath(checkpoint)
  folder = path if os.path.isdir(path) else os.path.dirname(path)
  # Of best/, it is in the folder above.
  for place in (folder, os.path.dirname(folder)):
    changes(values, 'export', place)


def _differences(
  before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ''
) -> Iterator[tuple[str, Any, Any]]:
  """(field, old value, new value) of all that both know."""
  for name, old in before.items():
    if name not in now:
      continue
    field, new = f'{prefix}{name}', now[name]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
      yield from _differences(old, new, f'{field}.')
    elif isinstance(old, Mapping) or isinstance(new, Mapping):
      yield field, _setting(old), _setting(new)
    elif _plain(old) != _plain(new):
      yield field, old, new


def _setting(value: Any) -> Any:
  return 'a setting' if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
  return list(value) if isinstance(value, (list, tuple)) else value
