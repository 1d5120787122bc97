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

"""A config takes from dataset.json what is unset, and explains bad files."""

import json
import pathlib

from official.core import train_utils
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import dataset_info

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
INFO = {
  'num_classes': 5,
  'labels': 'labels.txt',
  'frames_per_second': 5.0,
  'short_side': 200,
  'splits': {
    'train': {'num_examples': 43, 'files': 'train-*.tfrecord'},
    'validation': {'num_examples': 17, 'files': 'validation-*.tfrecord'},
    'test': {'num_examples': 9, 'files': 'test-*.tfrecord'},
  },
  'failures': {'count': 0, 'file': 'failures.csv'},
  'settings': {},
}


@pytest.fixture(name='path')
def path_fixture(tmp_path):
  path = tmp_path / 'dataset.json'
  path.write_text(json.dumps(INFO))
  return path


def parse(*overrides, experiment='movinet_grw_own_data', config_file=()):
  """Parses as train.py and the export tools do."""
  return train_utils.parse_configuration(
    train_utils.ParseConfigOptions(
      experiment=experiment,
      config_file=list(config_file),
      params_override=','.join(overrides),
    ),
    print_return=False,
  )


def test_nothing_but_the_path_need_be_typed(path):
  params = parse(f'task.dataset_info={path}')
  folder = path.parent
  task, trainer = params.task, params.trainer
  for data, split, count in (
    (task.train_data, 'train', 43),
    (task.validation_data, 'validation', 17),
  ):
    assert data.input_path == str(folder / f'{split}-*.tfrecord')
    assert (data.num_classes, data.num_examples) == (5, count)
    assert data.frames_per_second == 5
  assert task.labels == str(folder / 'labels.txt')
  assert task.init_checkpoint_modules == 'all_but_classifier'
  # Batches of 8, and so few clips without initial weights 80 times.
  assert (trainer.train_steps, trainer.validation_steps) == (400, 3)
  for name in (
    'steps_per_loop',
    'summary_interval',
    'checkpoint_interval',
    'validation_interval',
  ):
    assert getattr(trainer, name) == 40, name
  assert trainer.optimizer_config.learning_rate.cosine.decay_steps == 400


def test_frames_of_segments_have_no_rate(path):
  params = parse(
    f'task.dataset_info={path}',
    *(
      f'task.{split}.{field}'
      for split in ('train_data', 'validation_data')
      for field in (
        'sampling=segments',
        'clip_start=middle',
        'frames_per_second=null',
      )
    ),
  )
  assert params.task.train_data.num_classes == 5
  assert params.task.train_data.frames_per_second is None


def test_what_the_user_sets_wins(path):
  params = parse(
    f'task.dataset_info={path}',
    'task.train_data.num_examples=16',
    'task.train_data.global_batch_size=4',
    'trainer.train_epochs=3',
    'task.validation_data.split=test',
    'task.validation_data.num_classes=5',
    'task.train_data.input_path=/else/where',
    'task.labels=/my/labels.txt',
    'trainer.validation_steps=1',
    'trainer.steps_per_loop=2',
    'trainer.optimizer_config.learning_rate.cosine.decay_steps=100',
  )
  task, trainer = params.task, params.trainer
  assert task.train_data.input_path == '/else/where'
  assert task.labels == '/my/labels.txt'
  assert task.validation_data.input_path.endswith('test-*.tfrecord')
  assert (
    trainer.train_steps,
    trainer.steps_per_loop,
    trainer.checkpoint_interval,
    trainer.validation_steps,
  ) == (12, 2, 2, 1)
  assert trainer.optimizer_config.learning_rate.cosine.decay_steps == 100


def test_several_labels_a_clip_are_the_datasets(path):
  path.write_text(json.dumps({**INFO, 'multi_label': True}))
  task = parse(f'task.dataset_info={path}').task
  assert task.train_data.is_multilabel and task.validation_data.is_multilabel
  for labels in ({'multi_label': False}, {}):
    path.write_text(json.dumps({**INFO, **labels}))
    assert not parse(f'task.dataset_info={path}').task.train_data.is_multilabel

  several = [
    f'task.{split}_data.is_multilabel=true' for split in ('train', 'validation')
  ]
  # An older file does not say it.
  assert parse(f'task.dataset_info={path}', *several)
  path.write_text(json.dumps({**INFO, 'multi_label': False}))
  with pytest.raises(
    ValueError, match='train_data.is_multilabel=True: expected False, because'
  ):
    parse(f'task.dataset_info={path}', *several)


def test_balanced_classes_weigh_the_same(path):
  info = json.loads(json.dumps(INFO))
  info['splits']['train']['classes'] = {'a': 4, 'b': 30, 'c': 6, 'd': 3, 'e': 0}
  path.write_text(json.dumps(info))
  (path.parent / 'labels.txt').write_text('a\nb\nc\nd\ne\n')
  wanted = (f'task.dataset_info={path}', 'task.class_weights=balanced')
  weights = parse(*wanted).task.class_weights
  counts = [4, 30, 6, 3]
  assert [w * n for w, n in zip(weights, counts)] == pytest.approx([43 / 4] * 4)
  assert weights[4] == 1
  with pytest.raises(ValueError, match='class_weights=.*is_multilabel=True'):
    parse(
      *wanted,
      'task.train_data.is_multilabel=true',
      'task.validation_data.is_multilabel=true',
    )
  with pytest.raises(ValueError, match="'balanced': .* no task.dataset_info"):
    parse('task.class_weights=balanced', experiment='movinet_grw_airplanes')


def test_lengths_of_clips_are_read(path):
  assert dataset_info.read(str(path)).clip_frames is None
  path.write_text(
    json.dumps(
      {**INFO, 'clip_frames': {'shortest': 1, 'median': 2, 'longest': 3}}
    )
  )
  assert dataset_info.read(str(path)).clip_frames == dataset_info.ClipFrames(
    shortest=1, median=2, longest=3
  )


@pytest.mark.parametrize(
  'rate, message',
  [
    (25, 'frames_per_second=5: expected 25.*set temporal_stride=5'),
    (2.5, 'frames_per_second=5: expected 2.5.*frames_per_second=2.5'),
  ],
)
def test_another_rate_than_is_set_is_an_error(path, rate, message):
  path.write_text(json.dumps({**INFO, 'frames_per_second': rate}))
  with pytest.raises(ValueError, match=message):
    parse(
      f'task.dataset_info={path}',
      'task.train_data.frames_per_second=5',
      'task.train_data.temporal_stride=1',
    )


def test_a_published_row_can_be_trained_on_it(path):
  path.write_text(json.dumps({**INFO, 'frames_per_second': 25}))
  overrides = (
    'task.train_data.temporal_stride=2',
    'task.validation_data.temporal_stride=2',
    'task.train_data.global_batch_size=8',
  )
  params = parse(
    f'task.dataset_info={path}',
    *overrides,
    config_file=[str(CONFIGS / 'movinet_a3_base_grw_k600.yaml')],
  )
  assert params.task.model.backbone.movinet.model_id == 'a3'
  assert params.task.train_data.num_classes == 5
  # 12.5 for 12.
  assert params.task.train_data.frames_per_second == 12


def test_what_was_set_is_written_down_and_read_without_the_file(path, tmp_path):
  params = parse(f'task.dataset_info={path}')
  train_utils.serialize_config(params, str(tmp_path / 'model'))
  path.unlink()
  again = parse(
    'runtime.num_gpus=-1', config_file=[str(tmp_path / 'model' / 'params.yaml')]
  )
  assert again.as_dict() == params.as_dict()


def without(*keys):
  info = json.loads(json.dumps(INFO))
  place = info
  for key in keys[:-1]:
    place = place[key]
  del place[keys[-1]]
  return info


@pytest.mark.parametrize(
  'content, message',
  [
    (None, 'dataset_info=.*is not a file.*videos_to_tfrecords'),
    ('{"num_classes": ', 'is not JSON'),
    (b'\xff\xfe\x00', 'is not JSON'),
    ([1, 2], "lacks 'splits'"),
    (without('num_classes'), "lacks 'num_classes'"),
    (without('splits', 'train', 'files'), "lacks 'splits.train.files'"),
    ({**INFO, 'num_classes': '5'}, "num_classes='5': expected a number"),
    ({**INFO, 'frames_per_second': True}, 'frames_per_second=True'),
    ({**INFO, 'multi_label': 'yes'}, "multi_label='yes': expected true or"),
    ({**INFO, 'clip_frames': 9}, "lacks 'clip_frames.shortest'"),
    (
      {**INFO, 'clip_frames': {'shortest': 1, 'median': 2.5, 'longest': 3}},
      'clip_frames.median=2.5: expected a number of frames',
    ),
    (
      without('splits', 'validation'),
      r"task.validation_data.split='validation'.*\['test', 'train'\]",
    ),
  ],
)
def test_a_bad_file_is_one_clear_error(path, content, message):
  if content is None:
    path.unlink()
  elif isinstance(content, bytes):
    path.write_bytes(content)
  else:
    path.write_text(
      content if isinstance(content, str) else json.dumps(content)
    )
  with pytest.raises(ValueError, match=message) as error:
    parse(f'task.dataset_info={path}')
  assert str(path) in str(error.value)


def test_more_clips_than_there_are_is_an_error(path):
  # The experiment's own numbers are not the dataset's.
  with pytest.raises(ValueError, match='num_classes=600.*at most the 5 of'):
    parse(f'task.dataset_info={path}', experiment='movinet_grw_kinetics600')
  with pytest.raises(ValueError, match='num_examples=44.*at most the 43 of'):
    parse(f'task.dataset_info={path}', 'task.train_data.num_examples=44')


def test_fewer_clips_than_a_batch_is_an_error(path):
  with pytest.raises(ValueError, match='global_batch_size=64.*at most the 43'):
    parse(f'task.dataset_info={path}', 'task.train_data.global_batch_size=64')


def test_without_a_dataset_the_missing_number_is_named():
  with pytest.raises(ValueError, match='task.dataset_info=.*counts the clips'):
    parse('runtime.num_gpus=0')
