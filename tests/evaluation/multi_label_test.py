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

"""Several labels a clip, from training to prediction."""

import csv
import json

import cv2
import numpy as np
from official.core import exp_factory
import pytest
from scipy import special
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import completion
from official_ext.grw.datasets import source_checks
from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from official_ext.grw.evaluation import multi_label
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from official_ext.grw.inference import prediction_files
from official_ext.grw.serving import export
from official_ext.grw.tasks import grw_video_classification
from official_ext.grw.training import launch
from official_ext.grw.training import runner
from tests import tiny
from tests import video_files

LABELS_OF_CLIPS = ['still;right', 'right', '', 'still;down', 'down']
TEXTS = ['walk', 'run', 'wave $', 'never']


def predictions():
  """Of the second class two of three are found before any other clip."""
  return multi_label.Predictions(
    labels=np.array(
      [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], bool
    ),
    probabilities=np.array(
      [
        [0.9, 0.8, 0.1, 0.6],
        [0.2, 0.9, 0.7, 0.1],
        [0.8, 0.6, 0.2, 0.1],
        [0.1, 0.3, 0.3, 0.1],
      ]
    ),
    sources=['a.mp4', '', '', ''],
  )


def rows(content):
  return list(csv.reader(content.decode().splitlines()))


def test_average_precision_is_the_mean_precision_at_each_true_clip():
  walk, run, wave, never = predictions().average_precisions
  assert walk == 1
  # True, true, false, true: 1/1, 2/2 and 3/4.
  assert run == pytest.approx((1 + 1 + 3 / 4) / 3)
  assert wave == pytest.approx(1 / 3)  # Third of four.
  assert np.isnan(never)
  measures = predictions().measures()
  assert measures['mean_average_precision'] == pytest.approx(
    (walk + run + wave) / 3
  )
  assert 0 < measures['overall_average_precision'] < 1
  assert multi_label.summary(predictions()).startswith(
    'mean average precision 75.0 % over the 3 of 4 classes that occur, '
  )


def test_without_labels_there_is_nothing_to_measure():
  found = predictions()
  nothing = multi_label.Predictions(
    found.labels & False, found.probabilities, found.sources
  )
  assert nothing.measures() == {}
  assert 'none of 4 clips has a label' in multi_label.summary(nothing)


def test_tables_have_a_row_a_class_and_a_row_a_clip():
  assert rows(multi_label.per_class_csv(predictions(), TEXTS)) == [
    ['label', 'clips', 'average_precision', 'precision', 'recall'],
    ['walk', '2', '1.0000', '1.0000', '1.0000'],
    ['run', '3', '0.9167', '0.6667', '0.6667'],
    ['wave $', '1', '0.3333', '0.0000', '0.0000'],
    ['never', '0', '', '0.0000', ''],
  ]
  header, first, second, *_ = rows(
    multi_label.predictions_csv(predictions(), TEXTS)
  )
  assert header == ['clip', 'labels', *TEXTS]
  assert first[:3] == ['a.mp4', 'walk; run', '0.900000']
  assert second[:2] == ['1', 'run']


def test_the_picture_shows_the_classes_that_occur():
  image = cv2.imdecode(
    np.frombuffer(
      multi_label.average_precision_png(predictions(), TEXTS), np.uint8
    ),
    cv2.IMREAD_COLOR,
  )
  assert image is not None
  red = image[..., 2].astype(int) - image[..., 0] > 80
  # The bars: runs of red in a column that all of them cross.
  column = red[:, int(np.argmax(red.sum(axis=0)))]
  assert np.sum(np.diff(column.astype(int)) == 1) == 3


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  return tmp_path_factory.mktemp('several')


@pytest.fixture(name='params', scope='module')
def params_fixture(folder):
  """A run on videos that a CSV gives labels, which the dataset completes."""
  rows = ['video,label,split']
  for split in ('train', 'val'):
    for number, labels in enumerate(LABELS_OF_CLIPS):
      rows.append(f'{split}{number}.mp4,{labels},{split}')
      video_files.write_frames(
        folder / f'{split}{number}.mp4',
        tiny.clip(number, number + len(split)),
        rate=5,
      )
  (folder / 'clips.csv').write_text('\n'.join(rows))
  sources = video_sources.csv_sources(
    [str(folder / 'clips.csv')], str(folder), separator=';'
  )
  source_checks.require_sound(sources)
  video_conversion.convert(
    sources,
    str(folder / 'records'),
    video_records.EncodingSettings(5.0, tiny.SIZE, 90),
    shards_per_split=1,
    beam_arguments=['--direct_num_workers=1'],
  )
  params = exp_factory.get_exp_config('movinet_grw_own_data')
  params.override(
    tiny.overrides(
      '',
      '',
      **tiny.ONE_STEP,
      **tiny.EAGER,
    )
  )
  left_to_the_dataset = {'num_classes': completion.UNSET}
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {
        'dataset_info': str(folder / 'records' / 'dataset.json'),
        'train_data': left_to_the_dataset,
        'validation_data': left_to_the_dataset,
      },
    }
  )
  params.validate()
  return params


@pytest.fixture(name='trained', scope='module')
def trained_fixture(folder, params):
  launch.build_runner(params, 'train', str(folder / 'model')).run()
  return str(folder / 'model')


def test_the_loss_of_a_batch_is_the_mean_over_its_clips(params):
  task = grw_video_classification.GrwVideoClassificationTask(params.task)
  probabilities = tf.constant([[0.9, 0.2, 0.1], [0.6, 0.5, 0.3]])
  labels = tf.constant([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
  losses = task.build_losses(labels, probabilities, [tf.constant(2.0)])
  entropy = -(
    labels * tf.math.log(probabilities)
    + (1 - labels) * tf.math.log(1 - probabilities)
  )
  assert losses['class_loss'].shape == losses[task.loss].shape == ()
  np.testing.assert_allclose(
    losses['class_loss'], tf.reduce_mean(entropy), rtol=1e-5
  )
  np.testing.assert_allclose(
    losses[task.loss], tf.reduce_mean(entropy) + 2, rtol=1e-5
  )


def test_eval_measures_average_precision(params, trained, folder, capsys):
  _, logs = launch.build_runner(params, 'eval', trained).run()
  printed = capsys.readouterr().out
  assert 'mean average precision ' in printed
  assert 'over the 3 of 3 classes that occur' in printed
  assert 'of 5 clips' in printed
  report = folder / 'model' / runner.REPORT_FOLDER
  assert sorted(path.name for path in report.iterdir()) == [
    'average_precision.png',
    'measures.json',
    'per_class.csv',
    'predictions.csv',
  ]
  measures = json.loads((report / 'measures.json').read_text())
  assert 0 < measures['mean_average_precision'] <= 1
  _, *clips = rows((report / 'predictions.csv').read_bytes())
  assert {row[0]: row[1] for row in clips} == {
    f'val{number}.mp4': '; '.join(sorted(filter(None, labels.split(';'))))
    for number, labels in enumerate(LABELS_OF_CLIPS)
  }
  sums = [sum(map(float, row[2:])) for row in clips]
  assert min(abs(total - 1) for total in sums) > 1e-3
  assert np.isfinite(float(logs['validation_loss']))


def test_what_is_exported_is_predicted_with_sigmoids(params, trained, folder):
  path = folder / 'exported'
  export.export_saved_model(params, trained, str(path), kind='stream')
  model = exported.open_model(str(path))
  assert model.card.multi_label
  video = [
    video_decoding.TimedFrame(number / 5, image)
    for number, image in enumerate(tiny.clip(1, 7))
  ]
  last = prediction.predict(
    model, video, 5, top=2, output_dir=str(folder / 'out'), threshold=0.4
  )
  model.reset()
  logits = [model.step(frame.image) for frame in video][-1]
  np.testing.assert_allclose(
    last.probabilities, special.expit(logits), rtol=1e-5
  )
  assert abs(last.probabilities.sum() - 1) > 1e-3
  named = [
    label
    for label, probability in zip(model.labels, last.probabilities)
    if probability >= 0.4
  ]
  first, *lines = prediction.table(last, model.labels, 2, 0.4).splitlines()
  assert all(label in first for label in named or ['no label'])
  assert len(lines) == 2
  with open(
    folder / 'out' / prediction_files.TABLE_FILE, encoding='utf-8'
  ) as file:
    *_, row = csv.DictReader(file)
  assert set(filter(None, row['labels'].split('; '))) == set(named)
