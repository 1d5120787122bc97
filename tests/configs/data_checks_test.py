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

"""Data that training and later steps read differently are refused by name."""

from official.core import exp_factory
from official.vision.configs import common
import pytest

from official_ext.grw import registry_imports  # noqa: F401


def experiment(**values):
  """The experiment of Kinetics-600, with fields set by name."""
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  for name, value in values.items():
    set_field(config, name, value)
  return config


def set_field(config, name, value):
  *parts, field = name.split('.')
  for part in parts:
    config = getattr(config, part)
  setattr(config, field, value)


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('task.train_data.feature_shape', (50, 172, 172, 1), 'height, width, 3'),
    ('task.validation_data.zero_centering_image', True, 'True: expected False'),
    ('task.metrics.use_per_class_recall', True, 'per_class.csv'),
    ('task.train_data.file_type', 'sstable', "sstable'.*read as TFRecords"),
    ('task.train_data.data_format', 'channels_first', "'channels_last'"),
    ('task.validation_data.output_audio', True, 'frames alone'),
    ('task.validation_data.short_clips', 'pad', "'pad'.*'repeat', 'loop', 'dr"),
    ('task.validation_data.view_average', 'max', "'max'.*'probabilities'"),
    ('task.validation_data.num_test_crops', 5, r'crops=5.*\(1, 3\)'),
    ('task.validation_data.num_test_crops', 3, 'min_image_size=200.*172, 172'),
    ('task.validation_data.num_test_clips', 0, 'at least 1'),
    ('task.train_data.random_stride_range', 1, 'nothing, because augment=Fal'),
    ('task.train_data.aug_random_rotation', True, 'because augment=False'),
    ('task.train_data.aug_type', common.Augmentation(type='randaug'), 'augme'),
    ('task.losses.label_smoothing', 1.0, r'smoothing=1.0.*in \[0, 1\)'),
  ],
)
def test_wrong_values_are_refused_by_name(field, value, message):
  with pytest.raises(ValueError, match=message):
    experiment(**{field: value}).validate()


@pytest.mark.parametrize(
  'field, value',
  [('type', 'ssd_random_crop'), ('randaug.magnitude_std', -0.5)],
)
def test_augmentations_that_cannot_be_are_refused(field, value):
  config = exp_factory.get_exp_config('posmlp_video_grw_kinetics400')
  config.task.dataset_info = ''
  set_field(config, f'task.train_data.aug_type.{field}', value)
  with pytest.raises(ValueError, match=f'aug_type.{field}={value!r}: expected'):
    config.validate()


@pytest.mark.parametrize(
  'values, message',
  [
    ({'enable_xla': True}, 'num_gpus=-1 and steps are compiled by XLA only'),
    ({'enable_xla': True, 'num_gpus': 1}, None),
    ({'run_eagerly': True}, 'run_eagerly=True: expected False, .*compiled'),
    ({'gpu_thread_mode': 'gpu_private'}, 'expected None, .*TF_GPU_THREAD_MODE'),
    ({'per_gpu_thread_count': 2}, 'expected 0, .*TF_GPU_THREAD_COUNT'),
    ({'batchnorm_spatial_persistent': True}, 'PERSISTENT of the environment'),
    ({'dataset_num_private_threads': 8}, 'threads=8: expected None'),
    ({'worker_hosts': 'a:1,b:1'}, 'expected None, .*TF_CONFIG'),
    ({'task_index': 0}, 'expected -1, .*TF_CONFIG'),
    ({'num_cores_per_replica': 2}, 'replica=2: expected 1'),
    ({'default_shard_dim': 0}, 'default_shard_dim=0: expected -1'),
    ({'use_tpu_mp_strategy': True}, 'use_tpu_mp_strategy=True: expected False'),
    (
      {'all_reduce_alg': 'ring'},
      "'ring': expected one of .*'hierarchical_copy",
    ),
    ({'num_packs': 2}, 'num_packs=2: expected 1, unless'),
    ({'loss_scale': 128.0}, "128.0: expected null, .*'float16'"),
    (
      {'loss_scale': 'fixed', 'mixed_precision_dtype': 'float16'},
      "'fixed': expected a number",
    ),
    ({'loss_scale': 128.0, 'mixed_precision_dtype': 'float16'}, None),
    ({'num_packs': 2, 'all_reduce_alg': 'nccl'}, None),
    (
      {
        'all_reduce_alg': 'ring',
        'distribution_strategy': 'multi_worker_mirrored',
      },
      None,
    ),
  ],
)
def test_of_devices_nothing_is_set_that_has_no_effect(values, message):
  config = experiment(
    **{f'runtime.{name}': value for name, value in values.items()}
  )
  if message is None:
    config.validate()
    return
  with pytest.raises(ValueError, match=message):
    config.validate()


LABEL_FIELDS = (
  'losses.one_hot',
  'losses.label_smoothing',
  'train_data.one_hot',
  'validation_data.one_hot',
  'train_data.is_multilabel',
  'validation_data.is_multilabel',
)


@pytest.mark.parametrize(
  'values, wrong',
  [
    ((True, 0.0, True, True, False, False), None),
    ((True, 0.1, True, True, False, False), None),
    ((False, 0.0, False, False, False, False), None),
    ((True, 0.0, True, True, True, True), None),
    ((False, 0.0, True, True, False, False), 'train_data.one_hot'),
    ((True, 0.0, False, True, False, False), 'train_data.one_hot'),
    ((True, 0.0, True, False, False, False), 'validation_data.one_hot'),
    ((False, 0.1, False, False, False, False), 'losses.label_smoothing'),
    ((True, 0.1, True, True, True, True), 'losses.label_smoothing'),
    ((True, 0.0, True, True, True, False), 'validation_data.is_multilabel'),
    ((True, 0.0, True, True, False, True), 'validation_data.is_multilabel'),
    ((False, 0.0, True, True, True, True), 'losses.one_hot'),
    ((True, 0.0, False, False, True, True), 'train_data.one_hot'),
  ],
)
def test_labels_are_encoded_as_the_loss_reads_them(values, wrong):
  config = experiment(
    **{f'task.{name}': value for name, value in zip(LABEL_FIELDS, values)},
  )
  if wrong is None:
    config.validate()
    return
  value = values[LABEL_FIELDS.index(wrong)]
  with pytest.raises(ValueError, match=f'task.{wrong}={value}: expected') as e:
    config.validate()
  assert len(str(e.value).splitlines()) == 1


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'losses.one_hot': False}, 'losses.one_hot=False.*makes vectors'),
    (
      {'train_data.is_multilabel': True, 'validation_data.is_multilabel': True},
      'train_data.mixup_and_cutmix=.*one label',
    ),
    (
      {'validation_data.mixup_and_cutmix': common.MixupAndCutmix()},
      'validation_data.mixup_and_cutmix=.*mixes no clips',
    ),
  ],
)
def test_mixed_clips_have_vectors_of_one_label_in_training_alone(
  changes, message
):
  config = experiment(
    **{
      'task.train_data.augment': True,
      'task.train_data.mixup_and_cutmix': common.MixupAndCutmix(),
      'task.train_data.one_hot': False,
    },
  )
  config.validate()
  for name, value in changes.items():
    set_field(config.task, name, value)
  with pytest.raises(ValueError, match=message):
    config.validate()
