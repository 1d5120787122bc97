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

"""Experiments and YAML files are the paper's, and wrong values are refused."""

import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import schema

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
EXPERIMENTS = ('kinetics600', 'kinetics400', 'ucf101', 'airplanes')
# Of the datasets that the MoViNet paper has and the GRW paper has not: the
# experiment, classes, frames, their rate, and which split is evaluated
# (arXiv 2103.11511, Section 4 and Tables 11 to 15).
OTHERS: dict[str, tuple[str, int, int | None, int | None, str]] = {
  'k700': ('kinetics700', 700, None, None, 'validation'),
  'mit': ('moments_in_time', 339, 75, 25, 'validation'),
  'charades': ('charades', 157, 64, 6, 'test'),
  'epic': ('epic_kitchens100', 397, 32, 12, 'validation'),
  'ssv1': ('something_something_v1', 174, 50, 12, 'validation'),
  'ssv2': ('something_something_v2', 174, 50, 12, 'validation'),
}


def experiment(name='kinetics600', *files, **overrides):
  config = exp_factory.get_exp_config('movinet_grw_' + name)
  for file in files:
    config = hyperparams.override_params_dict(
      config, str(CONFIGS / (file + '.yaml')), is_strict=True
    )
  for field, value in overrides.items():
    config.override({field.split('.')[0]: nested(field, value)})
  return config


def nested(field, value):
  for name in reversed(field.split('.')[1:]):
    value = {name: value}
  return value


@pytest.mark.parametrize(
  'name', [*EXPERIMENTS, *(name for name, *_ in OTHERS.values())]
)
def test_every_experiment_is_valid_as_it_is(name):
  experiment(name).validate()


@pytest.mark.parametrize(
  'file',
  sorted(path.stem for path in CONFIGS.glob('movinet_*_grw_k[46]00.yaml')),
)
def test_every_published_row_has_the_papers_settings(file):
  dataset = 'kinetics600' if 'k600' in file else 'kinetics400'
  config = experiment(dataset, file)
  config.validate()
  task, movinet = config.task, config.task.model.backbone.movinet
  variant = file.split('_')[1]
  assert (
    movinet
    == movinet_config.published(variant, stream='stream' in file).movinet
  )
  frames, rate, window, size, side = {
    'a0': (50, 5, 5, 172, 200),
    'a1': (50, 5, 5, 172, 200),
    'a2': (50, 5, 5, 224, 256),
    'a3': (120, 12, 6, 256, 300),
    'a4': (80, 8, 6, 290, 320),
    'a5': (120, 12, 6, 320, 368),
    't0': (25, 2.5, 3, 160, 176),
  }[variant]
  for data in (task.train_data, task.validation_data):
    assert tuple(data.feature_shape) == (frames, size, size, 3)
    assert (data.resize, data.min_image_size) == ('square', side)
    assert data.frames_per_second == rate
  assert task.validation_data.clip_start == 'start'
  assert task.validation_data.num_test_clips == 1
  assert not task.validation_data.augment
  assert task.train_data.augment == (
    dataset == 'kinetics400' and variant in ('a2', 'a3')
  )
  smoothing = task.model.smoothing
  assert (smoothing.window, smoothing.alpha, smoothing.weight) == (
    window,
    0.5,
    0.1,
  )
  epochs = 14 if dataset == 'kinetics600' else 10
  steps = config.trainer.train_steps
  assert steps == epochs * (task.train_data.num_examples // 64)
  schedule = config.trainer.optimizer_config.learning_rate.cosine
  assert schedule.initial_learning_rate == 1e-3
  assert schedule.alpha == pytest.approx(0.01) and schedule.decay_steps == steps
  optimizer = config.trainer.optimizer_config.optimizer
  assert optimizer.get().backbone_lr_scale == pytest.approx(0.1)


@pytest.mark.parametrize(
  'file',
  sorted(
    path.stem
    for path in CONFIGS.glob('movinet_*.yaml')
    if path.stem.rsplit('_', 1)[-1] in OTHERS
  ),
)
def test_files_of_other_datasets_have_the_movinet_papers_clips(file):
  _, variant, kind, _, ending = file.split('_')
  name, classes, frames, rate, split = OTHERS[ending]
  config = experiment(name, file)
  config.validate()
  task = config.task
  assert task.model.backbone.movinet == (
    movinet_config.published(variant, stream=kind == 'stream').movinet
  )
  for data in (task.train_data, task.validation_data):
    assert (data.name, data.num_classes) == (name, classes)
    assert data.feature_shape[0] == (frames or 50)
    assert data.frames_per_second == (rate or 5)
    assert (data.feature_shape[1], data.min_image_size) == (
      {'a0': (172, 200), 'a2': (224, 256)}[variant]
    )
    # What is repeated counts on Something-Something alone.
    assert (data.short_clips == 'loop') == ending.startswith('ssv')
    assert data.is_multilabel == (name == 'charades')
    assert data.label_groups == (
      ['verb:97', 'noun:300'] if ending == 'epic' else None
    )
    assert data.num_test_clips == data.num_test_crops == 1
  assert task.validation_data.split == split
  # 0.5 to 1 s, as in the GRW paper.
  seconds = task.model.smoothing.window / task.train_data.frames_per_second
  assert 0.45 < seconds <= 1
  assert config.trainer.train_steps == 10 * (task.train_data.num_examples // 64)
  measured = config.trainer.best_checkpoint_eval_metric
  assert measured == (
    'mean_average_precision' if name == 'charades' else 'top_1_accuracy'
  )


def test_the_whole_movinet_family_has_its_files():
  files = {path.stem for path in CONFIGS.glob('movinet_*_grw_k600.yaml')}
  assert files == {
    f'movinet_{model_id}_{kind}_grw_k600'
    for model_id in ('a0', 'a1', 'a2', 'a3', 'a4', 'a5', 't0')
    for kind in ('base', 'stream')
  }


@pytest.mark.parametrize(
  'ablation, placement, weight, head',
  [
    (None, 'final', 0.1, 'temporal'),
    ('ablation_no_grw', 'final', 0.0, 'temporal'),
    ('ablation_intermediate', 'intermediate', 0.1, 'movinet'),
    ('ablation_stock', 'none', 0.1, 'movinet'),
  ],
)
def test_rows_of_table_4_are_one_override_apart(
  ablation, placement, weight, head
):
  files = ['movinet_a2_stream_grw_k600'] + ([ablation] if ablation else [])
  config = experiment('kinetics600', *files)
  config.validate()
  model = config.task.model
  assert (
    model.smoothing.placement,
    model.smoothing.weight,
    model.head.type,
  ) == (placement, weight, head)


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('task.model.backbone.movinet.model_id', 'a6', "'a6'.*one of.*'a5'.*'t0'"),
    ('task.model.smoothing.window', 2, 'window=2.*at least 3 frames'),
    ('task.model.smoothing.window', 51, 'at least one GRW window: 51'),
    (
      'task.model.backbone.movinet.average_pooling_type',
      '3d',
      "'3d': expected '2d'.*placement is 'final'",
    ),
    ('task.model.smoothing.placement', 'middle', "'middle'.*'intermediate'"),
    ('task.model.smoothing.placement', 'intermediate', 'endpoint.*name of a'),
    ('task.model.smoothing.alpha', -0.5, 'alpha=-0.5.*0 or more'),
    ('task.model.smoothing.weight', -1.0, 'weight=-1.0.*0 or more'),
    ('task.model.smoothing.num_orderings', 1, 'at least 2'),
    ('task.model.smoothing.phase', 'moving', "'moving'.*'overlapping'"),
    ('task.model.head.type', 'lstm', "'lstm'.*'temporal'"),
    ('task.model.head.num_heads', 0, 'num_heads=0'),
    ('task.model.head.embedding_dim', 100, 'multiple of num_heads=8'),
    ('task.model.head.stochastic_depth_drop_rate', 1.0, r'rate in \[0, 1\)'),
    ('task.model.dropout_rate', -0.1, r'rate in \[0, 1\)'),
    (
      'task.init_checkpoint_modules',
      'head',
      "one of 'backbone', 'all_but_classifier'",
    ),
    ('task.num_subclips', 0, 'num_subclips=0: expected at least 1'),
    ('task.num_subclips', 4, 'num_subclips=4.*divisor of the 50 frames'),
    (
      'task.num_subclips',
      25,
      r'num_subclips=25.*cut no window.*=5 frames; of 50 frames they have 2',
    ),
    ('task.train_data.num_classes', 1, 'num_classes=1'),
    ('task.train_data.num_classes', 599, 'the 599 classes'),
    ('task.train_data.is_training', False, 'expected True'),
    ('task.validation_data.on_bad_record', 'ignore', "one of 'error', 'skip'"),
    ('task.validation_data.resize', 'stretch', "'stretch'.*'square'"),
    ('task.validation_data.min_image_size', 160, 'min_image_size=160.*172'),
    ('task.validation_data.clip_start', 'end', "'end'.*'start'"),
    ('task.train_data.frames_per_second', 0, 'above 0'),
    ('task.train_data.sampling', 'sparse', "'sparse'.*'segments'"),
    ('task.train_data.num_examples', 63, 'at most the 63 clips'),
    ('trainer.train_epochs', 0, 'train_steps is unset'),
    ('trainer.checkpoint_interval', 0, 'save or show nothing'),
    ('trainer.summary_interval', 7, 'a multiple of trainer.steps_per_loop'),
    ('trainer.train_steps', 0, 'train_steps=0'),
    (
      'trainer.optimizer_config.optimizer.two_rate_adamw.backbone_lr_scale',
      -1.0,
      'backbone_lr_scale',
    ),
  ],
)
def test_wrong_values_are_refused_by_name(field, value, message):
  with pytest.raises(ValueError, match=message):
    experiment('kinetics600', **{field: value}).validate()


def test_evaluation_may_see_clips_shorter_than_a_window():
  shape = {'feature_shape': (4, 172, 172, 3)}
  experiment('kinetics600', **{'task.validation_data': shape}).validate()
  with pytest.raises(ValueError, match='train_data.feature_shape.*one GRW'):
    experiment('kinetics600', **{'task.train_data': shape}).validate()


@pytest.mark.parametrize(
  'changes, message',
  [
    (
      {'task.model.backbone.movinet.causal': False},
      'num_subclips=5: expected 1.*no states.*not causal',
    ),
    (
      {'runtime.mixed_precision_dtype': 'bfloat16'},
      "mixed_precision_dtype='bfloat16'.*float32.*num_subclips=5",
    ),
    (
      {'task.model.smoothing.phase': 'random'},
      "phase='random': expected 'fixed'.*num_subclips=5.*span two subclips",
    ),
    (
      {'task.model.smoothing.cuts': 20.0},
      'cuts=20.0: expected null.*num_subclips=5.*span two subclips',
    ),
    (
      {'task.model.smoothing.window_range': [3, 8]},
      r'window_range=\[3, 8\]: expected null.*num_subclips=5',
    ),
  ],
)
def test_subclips_need_states_in_float32_and_fixed_windows(changes, message):
  with pytest.raises(ValueError, match=message):
    experiment('kinetics600', **{'task.num_subclips': 5, **changes}).validate()


def test_frames_with_answers_have_no_predictions_of_subclips():
  with pytest.raises(ValueError, match='subclip_predictions=True: .*per_frame'):
    experiment(
      'kinetics600',
      **{
        'task.subclip_predictions': True,
        'task.model.head': {'per_frame': True, 'causal': True},
      },
    ).validate()


def test_subclips_of_whole_windows_are_valid():
  experiment('kinetics600', **{'task.num_subclips': 5}).validate()
  # Without smoothing there are no windows to cut.
  experiment(
    'kinetics600', 'ablation_stock', **{'task.num_subclips': 25}
  ).validate()


@pytest.mark.parametrize(
  'split, field, value',
  [
    ('validation_data', 'temporal_stride', 2),
    ('train_data', 'random_stride_range', 1),
    ('validation_data', 'clip_start', 'start'),
    ('validation_data', 'frames_per_second', 5.0),
  ],
)
def test_frames_of_segments_leave_no_room_for_other_choices(
  split, field, value
):
  config = experiment('kinetics600')
  choices = {
    'sampling': 'segments',
    'clip_start': 'middle',
    'frames_per_second': None,
  }
  config.override({'task': {'train_data': choices, 'validation_data': choices}})
  # Without augmentation a range of strides is refused whatever the sampling.
  config.override({'task': {'train_data': {'augment': True}}})
  config.validate()
  config.override({'task': {split: {field: value}}})
  with pytest.raises(
    ValueError, match=f'task.{split}.{field}={value!r}.*segments'
  ):
    config.validate()


def test_saved_parameters_are_the_experiment_again(tmp_path):
  path = str(tmp_path / 'params.yaml')
  config = experiment('kinetics600', **{'task.model.smoothing.window': 6})
  hyperparams.save_params_dict_to_yaml(config, path)
  again = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_kinetics600'), path, is_strict=True
  )
  assert again.as_dict() == config.as_dict()
  assert isinstance(again, schema.GrwExperimentConfig)
