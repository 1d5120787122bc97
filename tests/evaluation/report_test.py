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

"""Claims about what an evaluation prints and writes."""

import csv
import dataclasses
import json
import re

import cv2
import numpy as np
from official.core import exp_factory
import pytest
import tensorflow_datasets as tfds

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import labels
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.training import launch
from official_ext.grw.training import runner
from tests import tiny

TEXTS = ['walk', 'run, fast', 'jump "high"', 'größe']


def predictions(labels, first, second=None, sources=None):
  """Predictions whose two likeliest classes are given."""
  labels, first = np.array(labels), np.array(first)
  second = (first + 1) % len(TEXTS) if second is None else np.array(second)
  return evaluation.Predictions(
    labels=labels,
    classes=np.stack([first, second], axis=1),
    probabilities=np.tile([0.75, 0.25], [len(labels), 1]),
    sources=sources or [''] * len(labels),
  )


# Agresti and Coull 1998 and R's prop.test(correct = FALSE).
@pytest.mark.parametrize(
  'successes, trials, low, high',
  [
    (0, 10, 0.0, 0.2775),
    (5, 10, 0.2366, 0.7634),
    (10, 10, 0.7225, 1.0),
    (81, 263, 0.2553, 0.3662),
    (21780, 27780, 0.7791, 0.7888),
  ],
)
def test_the_interval_is_wilsons(successes, trials, low, high):
  assert evaluation.wilson_interval(successes, trials) == pytest.approx(
    (low, high), abs=1e-4
  )


def test_the_summary_counts_top_1_and_top_5():
  found = predictions([0, 0, 1, 2], [0, 1, 1, 1], [1, 0, 0, 3])
  others = np.full([4, 3], 9)
  five = dataclasses.replace(found, classes=np.hstack([found.classes, others]))
  # Right at once: 2 of 4; among the likeliest: 3 of 4.
  assert evaluation.summary(five) == (
    'top-1 50.0 % (95 % interval 15.0-85.0), '
    'top-5 75.0 % (95 % interval 30.1-95.4), of 4 clips'
  )


def test_the_summary_of_few_classes_has_no_top_5():
  found = predictions([0, 0, 1, 2], [0, 1, 1, 1], [1, 0, 0, 3])
  assert evaluation.summary(found) == (
    'top-1 50.0 % (95 % interval 15.0-85.0), of 4 clips'
  )


def rows(content):
  return list(csv.reader(content.decode().splitlines()))


def test_accuracy_by_class_is_of_its_own_clips():
  found = predictions([0, 0, 0, 1], [0, 0, 2, 2], [1, 1, 0, 3])
  assert rows(evaluation.per_class_csv(found, TEXTS)) == [
    ['label', 'clips', 'top_1', 'top_5'],
    ['walk', '3', '0.6667', '1.0000'],
    ['run, fast', '1', '0.0000', '0.0000'],
    ['jump "high"', '0', '', ''],
    ['größe', '0', '', ''],
  ]


def test_every_prediction_is_a_row():
  found = predictions([3, 1], [1, 2], sources=['a/é.mp4', ''])
  assert rows(evaluation.predictions_csv(found, TEXTS)) == [
    [
      'clip',
      'label',
      'predicted_1',
      'probability_1',
      'predicted_2',
      'probability_2',
    ],
    ['a/é.mp4', 'größe', 'run, fast', '0.750000', 'jump "high"', '0.250000'],
    ['1', 'run, fast', 'jump "high"', '0.750000', 'größe', '0.250000'],
  ]


def test_the_worst_pairs_come_first():
  found = predictions([0, 0, 1, 2, 2, 2], [1, 1, 0, 2, 3, 0])
  assert evaluation.confused_pairs(found) == [
    (0, 1, 2),
    (1, 0, 1),
    (2, 0, 1),
    (2, 3, 1),
  ]


@pytest.mark.parametrize('first', [[1, 1, 0, 3], [0, 0, 1, 2]])
def test_a_picture_is_drawn_also_where_nothing_was_confused(first):
  content = evaluation.confusions_png(
    predictions([0, 0, 1, 2], first), [*TEXTS[:3], '$' + 'long ' * 30 + '$']
  )
  image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
  assert image is not None and min(image.shape[:2]) > 100
  # Bars are red.
  red = (image[..., 2].astype(int) - image[..., 0] > 80).mean()
  assert (red > 0.01) == (first[0] == 1)


def test_the_matrix_counts_true_against_predicted():
  found = predictions([0, 0, 1, 2, 2, 2], [1, 1, 0, 2, 3, 0])
  assert evaluation.confusion_matrix(found, 4).tolist() == [
    [0, 2, 0, 0],
    [1, 0, 0, 0],
    [1, 0, 1, 1],
    [0, 0, 0, 0],
  ]


def test_the_matrix_is_drawn_in_blue_on_its_diagonal():
  texts = [*TEXTS[:3], '$' + 'long ' * 30 + '$']

  def blue(first):
    content = evaluation.confusion_matrix_png(
      predictions([0, 1, 2, 3], first), texts
    )
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    dark = (image[..., 0].astype(int) - image[..., 2] > 60) & (
      image[..., 2] < 60
    )
    rows, columns = np.nonzero(dark[:, : int(0.75 * image.shape[1])])
    return np.corrcoef(rows, columns)[0, 1]

  assert blue([0, 1, 2, 3]) > 0.8
  assert blue([3, 2, 1, 0]) < -0.8


def test_classes_are_listed_the_worst_first():
  found = predictions([0, 0, 1, 2], [0, 3, 1, 1])
  assert evaluation.classes(found, TEXTS) == [
    '    0.0% of 1 clips of jump "high"',
    '   50.0% of 2 clips of walk',
    '  100.0% of 1 clips of run, fast',
  ]
  many = predictions(list(range(12)), list(range(12)))
  lines = evaluation.classes(many, [str(number) for number in range(12)])
  assert len(lines) == 11 and lines[-1] == '  … and 2 better classes'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('evaluation')


@pytest.fixture(scope='module')
def params(folder):
  """An experiment that a dataset.json completes."""
  tiny.write_records(folder / 'train-0.tfrecord', [0, 1, 2, 0])
  tiny.write_records(folder / 'validation-0.tfrecord', [0, 1, 2, 0, 1], 1)
  (folder / 'labels.txt').write_text('still\nright\ndown é\n')
  (folder / 'dataset.json').write_text(
    json.dumps(
      {
        'num_classes': 3,
        'labels': 'labels.txt',
        'frames_per_second': 5,
        'short_side': tiny.SIZE,
        'splits': {
          'train': {'num_examples': 4, 'files': 'train-*.tfrecord'},
          'validation': {'num_examples': 5, 'files': 'validation-*.tfrecord'},
        },
      }
    )
  )
  overrides = tiny.overrides(
    '',
    '',
    train_steps=-1,
    train_epochs=1,
    steps_per_loop=-1,
    summary_interval=-1,
    checkpoint_interval=-1,
    validation_interval=-1,
    validation_steps=-1,
    **tiny.EAGER,
  )
  for data in ('train_data', 'validation_data'):
    del overrides['task'][data]['num_classes']
  overrides['task']['dataset_info'] = str(folder / 'dataset.json')
  params = exp_factory.get_exp_config('movinet_grw_own_data')
  params.override(overrides)
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {'model': {'norm_activation': {'use_sync_bn': False}}},
    }
  )
  params.validate()
  return params


@pytest.fixture(scope='module')
def trained(folder, params):
  launch.build_runner(params, 'train', str(folder / 'model')).run()


def test_eval_prints_and_writes_what_it_found(folder, params, trained, capsys):
  _, logs = launch.build_runner(params, 'eval', str(folder / 'model')).run()
  printed = capsys.readouterr().out
  top_1 = 100 * float(logs['top_1_accuracy'])
  # Of three classes, all are among the five likeliest.
  assert re.search(
    rf'top-1 {top_1:.1f} % \(95 % interval [\d.-]+\), of 5 clips', printed
  )

  report = folder / 'model' / runner.REPORT_FOLDER
  assert sorted(path.name for path in report.iterdir()) == [
    'confusion_matrix.png',
    'confusions.png',
    'early_decisions.csv',
    'early_decisions.png',
    'measures.json',
    'per_class.csv',
    'predictions.csv',
  ]
  _, *early = rows((report / 'early_decisions.csv').read_bytes())
  assert [row[0] for row in early] == ['1', '2', '3', '4', '5', '6']
  assert 100 * float(early[-1][1]) == pytest.approx(top_1, abs=0.01)
  assert json.loads((report / 'measures.json').read_text()) == {
    'step': params.trainer.train_steps,
    **{name: pytest.approx(float(value)) for name, value in logs.items()},
  }
  by_class = rows((report / 'per_class.csv').read_bytes())
  assert [row[:2] for row in by_class[1:]] == [
    ['still', '2'],
    ['right', '2'],
    ['down é', '1'],
  ]
  _, *clips = rows((report / 'predictions.csv').read_bytes())
  assert [row[:2] for row in clips] == [
    [f'clips/{n} é.mp4', text]
    for n, text in enumerate(['still', 'right', 'down é', 'still', 'right'])
  ]
  for _, _, *likeliest in clips:
    shares = [float(share) for share in likeliest[1::2]]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert shares == sorted(shares, reverse=True)
  right = sum(row[1] == row[2] for row in clips)
  assert 100 * right / 5 == pytest.approx(top_1, abs=1e-3)


def test_several_views_are_one_prediction(folder, params, trained, capsys):
  views = params.replace()
  views.override(
    {
      'task': {
        'validation_data': {
          'num_test_clips': 2,
          'num_test_crops': 3,
          'feature_shape': [3, 16, 16, 3],
        },
        'train_data': {'feature_shape': [3, 16, 16, 3]},
      }
    }
  )
  launch.build_runner(views, 'eval', str(folder / 'model')).run()
  assert 'of 5 clips' in capsys.readouterr().out


def test_labels_that_do_not_fit_are_refused_before_the_evaluation(
  folder, params, trained
):
  wrong = folder / 'wrong.txt'
  wrong.write_text('one\ntwo\n')
  for path, message in (
    (wrong, "has 2 labels.*the model's 3 classes"),
    (folder / 'none.txt', 'cannot be read'),
  ):
    with pytest.raises(ValueError, match=message):
      launch.build_runner(
        params.replace(task=params.task.replace(labels=str(path))),
        'eval',
        str(folder / 'model'),
      )


def test_labels_of_tfds_are_its_texts_and_others_are_numbers(params):
  task = exp_factory.get_exp_config('movinet_grw_airplanes').task
  assert labels.label_texts(task) == ['yaw', 'pitch', 'roll']
  assert labels.label_texts(params.task) == ['still', 'right', 'down é']
  assert labels.label_texts(params.task.replace(labels='')) == ['0', '1', '2']


def test_ucf101_trains_and_evaluates_through_tfds(tmp_path, capsys):
  params = exp_factory.get_exp_config('movinet_grw_ucf101')
  overrides = tiny.overrides(
    '',
    '',
    train_steps=2,
    steps_per_loop=2,
    validation_steps=2,
    **tiny.EAGER,
  )
  for data in ('train_data', 'validation_data'):
    for name in ('tfds_name', 'input_path', 'num_classes'):
      del overrides['task'][data][name]
  params.override(overrides)
  # Mocked files do not repeat; cached clips do.
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {
        'model': {'norm_activation': {'use_sync_bn': False}},
        'train_data': {'cache': True},
      },
    }
  )
  params.validate()
  with tfds.testing.mock_data(
    num_examples=6, policy=tfds.testing.MockPolicy.USE_CODE
  ):
    for mode in ('train', 'eval'):
      _, logs = launch.build_runner(params, mode, str(tmp_path)).run()
  assert np.isfinite(logs['validation_loss'])
  assert 'of 6 clips' in capsys.readouterr().out
  report = tmp_path / runner.REPORT_FOLDER / 'per_class.csv'
  texts = [row[0] for row in rows(report.read_bytes())[1:]]
  assert len(texts) == 101 and texts[0] == 'ApplyEyeMakeup'
