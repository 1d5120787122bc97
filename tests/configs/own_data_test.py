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
"""Claims about the recipe for own data, made without TensorFlow."""

import json
import logging
import types

from absl import logging as absl_logging
import pytest

from official_ext.grw.configs import completion
from official_ext.grw.configs import description
from official_ext.grw.configs import own_data
from official_ext.grw.files import screen

EXPERIMENT = 'movinet_grw_own_data'


class Values(types.SimpleNamespace):
  def get(self):
    return getattr(self, self.type) if self.type else None


def attributes(value):
  if isinstance(value, dict):
    return Values(**{name: attributes(item) for name, item in value.items()})
  return value


def dataset(folder, clips=96, frames=None, rate=5, side=256):
  path = folder / 'dataset.json'
  info = {
    'num_classes': 4,
    'labels': 'labels.txt',
    'frames_per_second': rate,
    'short_side': side,
    'splits': {
      'train': {'num_examples': clips, 'files': 'train-*'},
      'validation': {'num_examples': 40, 'files': 'validation-*'},
    },
  }
  if frames:
    info['clip_frames'] = {
      'shortest': frames[0],
      'median': frames[1],
      'longest': frames[2],
    }
  path.write_text(json.dumps(info))
  return str(path)


def completed(info, weights='', **changes):
  """The experiment, completed.

  Args:
    info: the path of a dataset.json; '' for none.
    weights: the initial checkpoint.
    **changes: values of `task` and `trainer`.
  """
  values = description.read().values(EXPERIMENT)
  description.merge(
    values,
    {'task': {'dataset_info': info, 'init_checkpoint': weights}},
  )
  description.merge(values, changes)
  config = attributes(values)
  completion.complete(config)
  return config


@pytest.fixture(name='said')
def said_fixture(capsys):
  """What the screen shows."""

  def shown():
    printed = capsys.readouterr()
    return printed.out, printed.err

  with screen.only_what_matters():
    yield shown


@pytest.mark.parametrize(
  'frames, rate, expected',
  [
    # As long as the clips are, in whole windows of five.
    ((8, 17, 40), 5, (15, 1)),
    # No longer than the published models see.
    ((10, 300, 900), 5, (50, 1)),
    # Windows of five do not span more than 1.5 s.
    ((500, 1000, 2000), 25, (50, 7)),
    # 3 s at 25 frames a second.
    ((60, 75, 90), 25, (35, 2)),
    # Not less than a window.
    ((1, 3, 4), 5, (5, 1)),
  ],
)
def test_clips_are_as_long_as_half_of_the_videos(
  tmp_path, frames, rate, expected
):
  task = completed(dataset(tmp_path, frames=frames, rate=rate)).task
  for data in (task.train_data, task.validation_data):
    assert (data.feature_shape[0], data.temporal_stride) == expected
    assert data.frames_per_second == rate / expected[1]


def test_without_lengths_clips_are_as_published_and_that_is_said(
  tmp_path, said
):
  task = completed(dataset(tmp_path, rate=25)).task
  data = task.train_data
  assert (data.feature_shape[0], data.temporal_stride) == (50, 5)
  out, _ = said()
  assert (
    'Clips of 50 frames of 112 x 112, 5 a second, as the published models'
    in out
  )
  assert 'dataset.json does not say how long its clips are' in out


def chosen(config):
  optimizer = config.trainer.optimizer_config
  return {
    'epochs': config.trainer.train_epochs,
    'rate': optimizer.learning_rate.cosine.initial_learning_rate,
    'share': optimizer.optimizer.two_rate_adamw.backbone_lr_scale,
    'momentum': config.task.model.norm_activation.norm_momentum,
    'width': config.task.model.head.embedding_dim,
    'decay': optimizer.ema and optimizer.ema.average_decay,
  }


def test_from_scratch_one_rate_a_narrow_head_and_more_epochs(tmp_path, said):
  config = completed(dataset(tmp_path, clips=96, frames=(10, 10, 10)))
  found = chosen(config)
  assert found['share'] == 1 and found['width'] == 64
  assert found['decay'] is None
  assert found['epochs'] == 80
  # Means over the last 20 of 960 steps, and not over 100.
  assert found['momentum'] == pytest.approx(0.948, abs=1e-3)
  out, err = said()
  assert 'no initial weights' in out and 'epochs 80' in out
  assert 'random_flip=false' in out
  assert err.startswith('warning: 96 clips without initial weights')
  assert err.count('. ') == 1 and 'published_weights.md' in err


def test_from_weights_two_rates_few_epochs_and_their_head(tmp_path, said):
  info = dataset(tmp_path, clips=800, frames=(10, 10, 10))
  config = completed(info, weights='/some/checkpoint')
  found = chosen(config)
  assert found['share'] == 0.3 and found['width'] == 0
  assert found['epochs'] == 10
  # Over the last 167 of 1,000 steps.
  assert found['decay'] == pytest.approx(0.994, abs=1e-3)
  out, err = said()
  assert 'Recipe for 800 clips and initial weights' in out and not err


def test_many_clips_need_no_warning_and_few_epochs(tmp_path, said):
  config = completed(dataset(tmp_path, clips=80_000, frames=(10, 50, 90)))
  assert chosen(config)['epochs'] == 10
  assert chosen(config)['momentum'] == 0.99
  assert not said()[1]


def test_clips_are_augmented_in_training_alone(tmp_path):
  task = completed(dataset(tmp_path)).task
  assert task.train_data.augment and task.train_data.random_flip
  assert not task.validation_data.augment
  assert task.model.dropout_rate == 0.2


def test_it_stops_when_a_third_of_the_validations_brought_nothing(tmp_path):
  trainer = completed(dataset(tmp_path, clips=96)).trainer
  # 960 steps in loops of four passes of 12.
  assert trainer.validation_interval == trainer.steps_per_loop == 48
  assert trainer.early_stopping_patience == 7
  off = completed(
    dataset(tmp_path), trainer={'best_checkpoint_export_subdir': ''}
  )
  assert off.trainer.early_stopping_patience == 0


def test_an_interval_of_one_pass_can_be_set(tmp_path):
  trainer = completed(
    dataset(tmp_path, clips=96), trainer={'validation_interval': 12}
  ).trainer
  assert trainer.validation_interval == trainer.steps_per_loop == 12
  assert trainer.early_stopping_patience == 27


@pytest.mark.parametrize('weights', ['', '/some/checkpoint'])
def test_what_is_set_wins(tmp_path, said, weights):
  config = completed(
    dataset(tmp_path, frames=(10, 20, 30)),
    weights=weights,
    task={
      'train_data': {
        'feature_shape': [12, 64, 64, 3],
        'temporal_stride': 1,
        'augment': False,
      },
      'validation_data': {
        'feature_shape': [12, 64, 64, 3],
        'temporal_stride': 1,
      },
      'model': {
        'dropout_rate': 0.0,
        'head': {'embedding_dim': 32},
        'norm_activation': {'norm_momentum': 0.5},
      },
    },
    trainer={
      'train_epochs': 3,
      'steps_per_loop': 6,
      'early_stopping_patience': 2,
      'optimizer_config': {
        'optimizer': {'two_rate_adamw': {'backbone_lr_scale': 0.3}},
        'learning_rate': {'cosine': {'initial_learning_rate': 1e-2}},
        'ema': {'average_decay': 0.5},
      },
    },
  )
  assert chosen(config) == {
    'epochs': 3,
    'rate': 1e-2,
    'share': 0.3,
    'momentum': 0.5,
    'width': 32,
    'decay': 0.5,
  }
  assert config.task.train_data.feature_shape == [12, 64, 64, 3]
  assert config.trainer.train_steps == 36
  assert config.trainer.steps_per_loop == 6
  assert config.trainer.early_stopping_patience == 2
  assert said() == ('', '')


@pytest.mark.parametrize(
  'clips, weights, records, expected',
  [
    (96, '/some/checkpoint', 256, (172, 200)),
    (96, '/some/checkpoint', 64, (172, 200)),
    (80_000, '', 256, (172, 200)),
    (96, '', 256, (112, 128)),
    (96, '', 64, (56, 64)),
    (96, '', 10, (8, 10)),
  ],
)
def test_few_clips_without_weights_have_smaller_frames(
  tmp_path, said, clips, weights, records, expected
):
  info = dataset(tmp_path, clips, frames=(10, 20, 30), side=records)
  task = completed(info, weights=weights).task
  crop, side = expected
  for data in (task.train_data, task.validation_data):
    assert list(data.feature_shape) == [20, crop, crop, 3]
    assert data.min_image_size == side
  assert f'Clips of 20 frames of {crop} x {crop}, ' in said()[0]


@pytest.mark.parametrize(
  'given, expected',
  [
    ({'feature_shape': [-1, 64, 64, 3]}, (64, 74)),
    ({'feature_shape': [-1, 224, 224, 3]}, (224, 260)),
    ({'min_image_size': 64}, (56, 64)),
    ({'feature_shape': [-1, 60, 60, 3], 'min_image_size': 60}, (60, 60)),
  ],
)
def test_the_frame_size_can_be_set_alone(tmp_path, given, expected):
  task = completed(
    dataset(tmp_path, frames=(10, 20, 30)),
    task={'train_data': given, 'validation_data': given},
  ).task
  crop, side = expected
  assert list(task.validation_data.feature_shape) == [20, crop, crop, 3]
  assert task.validation_data.min_image_size == side


def test_when_to_stop_is_left_to_the_recipe_alone(tmp_path):
  config = completed(dataset(tmp_path, frames=(10, 20, 30)))
  config.trainer.early_stopping_patience = -1
  own_data.choose_training(config)
  assert config.trainer.early_stopping_patience == 7


def test_once_completed_nothing_is_chosen_or_said_again(tmp_path, said):
  config = completed(dataset(tmp_path, frames=(10, 20, 30)))
  before = repr(config)
  said()
  own_data.choose_clips(config.task)
  own_data.choose_training(config)
  assert repr(config) == before
  assert said() == ('', '')


def test_other_experiments_are_as_published(caplog):
  values = description.read().values('movinet_grw_kinetics600')
  config = attributes(values)
  absl_logging.set_verbosity(absl_logging.INFO)
  with caplog.at_level(logging.INFO):
    own_data.choose_clips(config.task)
    own_data.choose_training(config)
  assert repr(config) == repr(
    attributes(description.read().values('movinet_grw_kinetics600'))
  )
  assert not caplog.text
