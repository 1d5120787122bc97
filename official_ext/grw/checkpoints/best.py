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
"""The best checkpoint of a training, which stands beside its last ones."""

from collections.abc import Mapping
import dataclasses
import json
import os
import re
from typing import Any

import yaml

from official_ext.grw.configs import overrides
from official_ext.grw.files import paths

# Of the folder of best checkpoints, by the Model Garden.
INFO = 'info.json'
_STEP = 'best_ckpt_global_step'
# In it by us: the best value so far and its step.  What is kept may be of a
# later step that is as good.
BEST_VALUE = 'best_value'
BEST_STEP = 'best_value_global_step'
_INDEX = re.compile(r'(best_ckpt-\d+)\.index')


@dataclasses.dataclass(frozen=True)
class Best:
  """A checkpoint that was kept because it was the best.

  Attributes:
    path: its prefix.
    step: that its weights are of.
    metric: by which it was chosen.
    value: the value of this metric on the validation data.
    best_value: the best value of all steps; a little better where the
      validation clips cannot tell them apart.
    best_step: the step of that value.
    last_step: the step of the last checkpoint in the model folder, or 0.
  """

  path: str
  step: int
  metric: str
  value: float
  best_value: float
  best_step: int
  last_step: int

  @property
  def reason(self) -> str:
    """Which it is and why, in one line."""
    last = f' (the last is of step {self.last_step})' if self.last_step else ''
    if self.step != self.best_step:
      return (
        f'{self.path}: {self.metric} on the validation data is '
        f'{self.value:.4g} at step {self.step}, which they cannot tell from '
        f'the best, {self.best_value:.4g} at step {self.best_step}{last}'
      )
    return (
      f'{self.path}: the best by {self.metric} on the validation data, '
      f'{self.value:.4g} at step {self.step}{last}'
    )


def best_so_far(info: Mapping[str, float], metric: str) -> tuple[float, int]:
  """The best value of a metric, and its step.

  Args:
    info: what the file of that name says.
    metric: the name of the metric.
  """
  # Files of earlier versions, and of the Model Garden, keep the best alone.
  return (
    float(info.get(BEST_VALUE, info[metric])),
    int(info.get(BEST_STEP, info[_STEP])),
  )


def find(
  model_dir: str, folder: str | None = None, metric: str | None = None
) -> Best | None:
  """Returns the best checkpoint of a training, if one was kept.

  Args:
    model_dir: the model folder.
    folder: where in it the best is kept; '' is nowhere; by default as the
      `params.yaml` of the folder says.
    metric: by which it was chosen; likewise.
  """
  if not paths.is_folder(model_dir):
    return None
  if folder is None or metric is None:
    trainer = _trainer(model_dir)
    folder = trainer.get('best_checkpoint_export_subdir')
    metric = trainer.get('best_checkpoint_eval_metric')
  if not folder or not metric:
    return None
  place = os.path.join(model_dir, folder)
  info = os.path.join(place, INFO)
  if not paths.exists(info):
    return None
  try:
    found = json.loads(paths.read_text(info))
  except ValueError:
    return None
  prefixes = [
    match[1] for match in map(_INDEX.fullmatch, paths.names(place)) if match
  ]
  if not prefixes or not {metric, _STEP} <= found.keys():
    return None
  # The one before goes only when the new one is whole.
  newest = max(prefixes, key=lambda name: int(name.rpartition('-')[2]))
  steps = [
    int(name[len('ckpt-') : -len('.index')])
    for name in paths.names(model_dir)
    if re.fullmatch(r'ckpt-\d+\.index', name)
  ]
  best_value, best_step = best_so_far(found, metric)
  return Best(
    path=os.path.join(place, newest),
    step=int(newest.rpartition('-')[2]),
    metric=metric,
    value=float(found[metric]),
    best_value=best_value,
    best_step=best_step,
    last_step=max(steps, default=0),
  )


def _trainer(model_dir: str) -> dict[str, Any]:
  """What the `params.yaml` of a folder says of its trainer, if it is there."""
  path = os.path.join(model_dir, 'params.yaml')
  if not paths.exists(path):
    return {}
  try:
    found = overrides.load_yaml(paths.read_text(path))
  except (yaml.YAMLError, UnicodeDecodeError):
    return {}
  trainer = found.get('trainer') if isinstance(found, dict) else None
  return trainer if isinstance(trainer, dict) else {}
