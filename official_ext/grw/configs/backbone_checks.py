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

"""Rejects models whose backbone or head does not fit the rest, by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from official_ext.grw.backbones import families
from official_ext.grw.configs import fields
from official_ext.grw.heads import head_types

if TYPE_CHECKING:
  from official_ext.grw.configs import schema


def validate_task(task: schema.GrwTask):
  """Raises ValueError for a backbone or head that does not fit."""
  backbone = task.model.backbone
  family, config = families.of(backbone), backbone.get()
  family.validate(task.model)
  head_types.of(task.model.head).validate(task.model.head)
  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    field = f'task.{split}'
    family.check_clip(config, data.feature_shape, f'{field}.feature_shape')
    fields.require(
      not (data.zero_centering_image and family.normalizes(config)),
      f'{field}.zero_centering_image',
      data.zero_centering_image,
      f'False, because {backbone.type} normalizes frames in [0, 1] itself',
    )
    window = task.model.smoothing.window
    frames = window * family.frames_per_vector(config)
    fields.require(
      # A window is of no concern to evaluation.
      not data.is_training or data.feature_shape[0] >= frames,
      f'{field}.feature_shape',
      tuple(data.feature_shape),
      f'clips of at least one GRW window: {frames} frames or more',
    )
  if task.model.head.per_frame:
    try:
      families.with_states(backbone)
    except ValueError as error:
      raise ValueError(
        'task.model.head.per_frame=True: expected False, as a frame is '
        f'answered when it is seen. {error}'
      ) from error
    fields.require(
      family.frames_per_vector(config) == 1,
      'task.model.head.per_frame',
      True,
      f'False, because {backbone.type} has a feature vector for several frames',
    )
  validate_subclips(task)


def validate_subclips(task: schema.GrwTask):
  """Raises ValueError for training clips that cannot be split as asked."""
  count = task.num_subclips
  fields.require(count >= 1, 'task.num_subclips', count, 'at least 1')
  fields.require(
    not task.subclip_predictions or not task.model.head.per_frame,
    'task.subclip_predictions',
    task.subclip_predictions,
    'False, because task.model.head.per_frame=True: each frame has an answer',
  )
  if count == 1:
    return
  try:
    families.with_states(task.model.backbone)
  except ValueError as error:
    raise ValueError(
      f'task.num_subclips={count}: expected 1, because the backbone has no '
      f'states to carry from one subclip to the next. {error}'
    ) from error
  frames = task.train_data.feature_shape[0]
  fields.require(
    frames % count == 0,
    'task.num_subclips',
    count,
    f'a divisor of the {frames} frames of task.train_data.feature_shape',
  )
  smoothing, length = task.model.smoothing, frames // count
  fields.require(
    smoothing.placement == 'none' or length % smoothing.window == 0,
    'task.num_subclips',
    count,
    'subclips that cut no window of task.model.smoothing.window='
    f'{smoothing.window} frames; of {frames} frames they have {length}',
  )
  for name, value in (
    ('phase', 'fixed'),
    ('cuts', None),
    ('window_range', None),
  ):
    fields.require(
      smoothing.placement == 'none' or getattr(smoothing, name) == value,
      f'task.model.smoothing.{name}',
      getattr(smoothing, name),
      f'{"null" if value is None else repr(value)}, because '
      f'task.num_subclips={count} and other windows span two subclips, each of '
      'which batch norm normalizes by its own statistics',
    )
