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

"""Rejects labels and frames that training and later steps read differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from official_ext.grw.configs import fields
from official_ext.grw.configs import label_groups

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

CHANNELS = 3

SHORT_CLIPS = ('repeat', 'loop', 'drop')

VIEW_AVERAGES = ('probabilities', 'logits')

# What the pipeline or the model reads nothing of, by the one value it has.
_WITHOUT_EFFECT = {
  'file_type': ('tfrecord', 'files are read as TFRecords'),
  'data_format': ('channels_last', 'frames are [height, width, channels]'),
  'output_audio': (False, 'the model takes frames alone'),
}


# What distorts clips, which `augment: false` does not.
_DISTORTIONS = (
  'aug_type',
  'mixup_and_cutmix',
  'aug_random_rotation',
  'random_stride_range',
)


def validate_augmentation(data: schema.DataConfig, field: str):
  """Raises ValueError for distortions that would not take place.

  Args:
    data: the data of a split.
    field: the name of `data`.
  """
  for name in () if data.augment else _DISTORTIONS:
    fields.require(
      not getattr(data, name),
      f'{field}.{name}',
      getattr(data, name),
      'nothing, because augment=False; set one or the other',
    )
  if data.aug_type is None:
    return
  fields.require(
    data.aug_type.type in ('randaug', 'autoaug'),
    f'{field}.aug_type.type',
    data.aug_type.type,
    "'randaug' or 'autoaug', or aug_type null",
  )
  randaug = data.aug_type.randaug
  fields.require(
    randaug.magnitude_std >= 0,
    f'{field}.aug_type.randaug.magnitude_std',
    randaug.magnitude_std,
    '0 or more',
  )


def validate_labels(task: schema.GrwTask):
  """Raises ValueError for label encodings of data and loss that contradict.

  A loss of vectors (`losses.one_hot`) needs vectors from the data: one-hot, or
  those that mixup and cutmix make.  A loss of class numbers needs numbers.
  """
  losses, train = task.losses, task.train_data
  several = train.is_multilabel
  fields.require(
    task.validation_data.is_multilabel == several,
    'task.validation_data.is_multilabel',
    task.validation_data.is_multilabel,
    f'{several}, as task.train_data has it',
  )
  fields.require(
    task.validation_data.mixup_and_cutmix is None,
    'task.validation_data.mixup_and_cutmix',
    task.validation_data.mixup_and_cutmix,
    'null, because evaluation mixes no clips',
  )
  if several:
    fields.require(
      losses.one_hot,
      'task.losses.one_hot',
      losses.one_hot,
      'True, because several labels of a clip (is_multilabel) are a vector',
    )
    fields.require(
      train.mixup_and_cutmix is None,
      'task.train_data.mixup_and_cutmix',
      train.mixup_and_cutmix,
      'null, because it mixes clips of one label, and is_multilabel=True',
    )
  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    if data.mixup_and_cutmix is not None:
      fields.require(
        losses.one_hot,
        'task.losses.one_hot',
        losses.one_hot,
        f'True, because task.{split}.mixup_and_cutmix makes vectors',
      )
      continue
    fields.require(
      data.one_hot == losses.one_hot,
      f'task.{split}.one_hot',
      data.one_hot,
      f'{losses.one_hot}, as task.losses.one_hot={losses.one_hot}; set both '
      'to true for vectors, or both to false for class numbers',
    )
  fields.require(
    several or not task.metrics.use_per_class_recall,
    'task.metrics.use_per_class_recall',
    task.metrics.use_per_class_recall,
    'False, because recalls are measured of several labels a clip '
    '(is_multilabel) alone; per_class.csv of --mode=eval has top-1 by class',
  )
  weights = task.class_weights
  fields.require(
    weights is None
    or (
      not several
      and not isinstance(weights, str)
      and len(weights) == train.num_classes
      and all(weight > 0 for weight in weights)
    ),
    'task.class_weights',
    weights,
    f'null where a clip may have several labels (is_multilabel={several}), or '
    f'a number above 0 for each of the {train.num_classes} classes',
  )
  smoothing = losses.label_smoothing
  fields.require(
    0 <= smoothing < 1,
    'task.losses.label_smoothing',
    smoothing,
    'a share in [0, 1)',
  )
  fields.require(
    not smoothing or (losses.one_hot and not several),
    'task.losses.label_smoothing',
    smoothing,
    '0, because labels are smoothed only where they are vectors '
    f'(task.losses.one_hot={losses.one_hot}) of one class '
    f'(is_multilabel={several})',
  )


def validate_label_groups(task: schema.GrwTask):
  """Raises ValueError for groups of classes that do not fit the rest."""
  groups = task.train_data.label_groups
  fields.require(
    task.validation_data.label_groups == groups,
    'task.validation_data.label_groups',
    task.validation_data.label_groups,
    f'{groups}, as task.train_data has it',
  )
  if groups is None:
    return
  for split in ('train_data', 'validation_data'):
    data, field = getattr(task, split), f'task.{split}'
    label_groups.read(groups, data.num_classes, f'{field}.label_groups')
    for name, value in (
      ('one_hot', True),
      ('is_multilabel', False),
      ('mixup_and_cutmix', None),
      ('tfds_name', ''),
      ('frame_label_field_key', ''),
    ):
      fields.require(
        getattr(data, name) == value,
        f'{field}.{name}',
        getattr(data, name),
        f'{"null" if value is None else repr(value)}, because label_groups='
        f'{groups}: a record has one label of each group',
      )
  fields.require(
    task.class_weights is None,
    'task.class_weights',
    task.class_weights,
    f'null, because a clip has several labels (label_groups={groups})',
  )


def validate_frame_labels(task: schema.GrwTask):
  """Raises ValueError for data whose frames have labels that nobody can use."""
  per_frame = task.model.head.per_frame
  fields.require(
    not per_frame or task.class_weights is None,
    'task.class_weights',
    task.class_weights,
    'null, because they weigh clips, and task.model.head.per_frame=True',
  )
  for split in ('train_data', 'validation_data'):
    data, field = getattr(task, split), f'task.{split}'
    key = data.frame_label_field_key
    fields.require(
      bool(key) == per_frame,
      f'{field}.frame_label_field_key',
      key,
      'the key of the labels of frames, because task.model.head.per_frame=True'
      if per_frame
      else "'', because task.model.head.per_frame=False",
    )
    for name, value in (
      ('tfds_name', ''),
      ('is_multilabel', False),
      ('mixup_and_cutmix', None),
      ('num_test_clips', 1),
      ('num_test_crops', 1),
    ):
      fields.require(
        not per_frame or getattr(data, name) == value,
        f'{field}.{name}',
        getattr(data, name),
        f'{"null" if value is None else repr(value)}, because '
        'task.model.head.per_frame=True: records have a label for each frame '
        'of one clip',
      )


def validate_frames(task: schema.GrwTask):
  """Raises ValueError for frames that later steps would read otherwise."""
  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    fields.require(
      len(data.feature_shape) == 4 and data.feature_shape[-1] == CHANNELS,
      f'task.{split}.feature_shape',
      tuple(data.feature_shape),
      f'[frames, height, width, {CHANNELS}]: pictures of other channels are '
      'read as RGB',
    )
    for name, values in (
      ('short_clips', SHORT_CLIPS),
      ('view_average', VIEW_AVERAGES),
      ('num_test_crops', (1, 3)),
    ):
      fields.require(
        getattr(data, name) in values,
        f'task.{split}.{name}',
        getattr(data, name),
        f'one of {values}',
      )
    for name, (value, reason) in _WITHOUT_EFFECT.items():
      fields.require(
        getattr(data, name) == value,
        f'task.{split}.{name}',
        getattr(data, name),
        f'{value!r}, because {reason}',
      )
    fields.require(
      data.num_test_clips >= 1,
      f'task.{split}.num_test_clips',
      data.num_test_clips,
      'at least 1',
    )
    fields.require(
      data.num_test_crops == 1
      or set(data.feature_shape[1:3]) == {data.min_image_size},
      f'task.{split}.min_image_size',
      data.min_image_size,
      f'the height and width of feature_shape={tuple(data.feature_shape)}, '
      'because num_test_crops=3 crops cover the longer side of frames whose '
      'shorter side is a crop',
    )
  fields.require(
    task.validation_data.zero_centering_image
    == task.train_data.zero_centering_image,
    'task.validation_data.zero_centering_image',
    task.validation_data.zero_centering_image,
    f'{task.train_data.zero_centering_image}, the range of pixels that '
    'task.train_data trains on',
  )
