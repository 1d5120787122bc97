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

"""How much of a training clip the windows of GRW-smoothing span.

In the paper a window spans 0.5 to 1 s of video (arXiv 2511.20928, Section 4),
and all but a few frames of a clip are in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import logging

from official_ext.grw.backbones import families

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

MAX_SECONDS = 1.5
MAX_LEFT_OUT = 0.25


def describe(task: schema.GrwTask) -> tuple[str, list[str]]:
  """What the windows of a task span, and what about it is doubtful.

  Args:
    task: a classifier's.

  Returns:
    A line for the log, and a warning for each limit of this module that the
    windows exceed.
  """
  smoothing, data = task.model.smoothing, task.train_data
  window = smoothing.window
  backbone = task.model.backbone
  frames = families.of(backbone).frames_per_vector(backbone.get())
  vectors = data.feature_shape[0] // frames
  moves = smoothing.phase != 'fixed' or smoothing.window_range is not None
  left_out = 0 if moves else vectors % window
  seconds = (
    window * frames / data.frames_per_second if data.frames_per_second else None
  )
  span = (
    f'{seconds:.2g} s'
    if seconds
    else 'an unknown time, as the clips have no frame rate'
  )
  line = (
    f'GRW-smoothing: a window of {window} feature vectors spans {span}; '
    f'{vectors - left_out} of the {vectors} vectors of a training clip are in '
    'windows.'
  )
  warnings = []
  field = f'task.model.smoothing.window={window}'
  if seconds and seconds > MAX_SECONDS:
    warnings.append(
      f'{field} spans {seconds:.2g} s: expected at most {MAX_SECONDS} s, as '
      'frames further apart are hardly a random walk (0.5 to 1 s in the '
      'paper). Set a smaller window, or take frames at a higher rate.'
    )
  if left_out > MAX_LEFT_OUT * vectors:
    warnings.append(
      f'{field} leaves {left_out} of the {vectors} feature vectors of a clip '
      'out of the loss, always the last: expected at most a quarter. Set a '
      f'window that divides {vectors} with a smaller remainder.'
    )
  return line, warnings


def log(task: schema.GrwTask):
  """Logs `describe`, unless nothing is smoothed."""
  if task.model.smoothing.placement == 'none':
    return
  line, warnings = describe(task)
  logging.info('%s', line)
  for warning in warnings:
    logging.warning('%s', warning)
