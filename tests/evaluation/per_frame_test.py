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

"""A label and an answer for each frame, from videos to evaluation."""

import csv
import json

import numpy as np
from official.core import exp_factory
import pytest
from sklearn import metrics as sklearn_metrics
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import completion
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import source_checks
from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_input
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from official_ext.grw.evaluation import early_decisions
from official_ext.grw.heads import temporal
from official_ext.grw.inference import exported
from official_ext.grw.modeling import streaming
from official_ext.grw.serving import export
from official_ext.grw.tasks import grw_video_classification
from official_ext.grw.training import launch
from official_ext.grw.training import runner
from tests import tiny
from tests import video_files

RATE = 5
# Of 8 frames a clip at 5 a second: frame 3 is at 0.6 s.
SEGMENTS = ['0-0.6=right; 1-1.2=down', '', '0.2-9=down', '0-0.2=down']
OF_FRAMES = [
  ['right'] * 3 + ['still'] * 2 + ['down'] + ['still'] * 2,
  ['right'] * 8,
  ['still'] + ['down'] * 7,
  ['down'] + ['right'] * 7,
]
LABELS = ['still', 'right', 'still', 'right']
HEAD = {'causal': True, 'per_frame': True}


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  """Videos, and the records that a CSV with segments makes of them."""
  folder = tmp_path_factory.mktemp('frames')
  lines = ['video,label,split,segments']
  for split in ('train', 'val'):
    for number, (label, segments) in enumerate(zip(LABELS, SEGMENTS)):
      lines.append(f'{split}{number}.mp4,{label},{split},{segments}')
      frames = tiny.clip(number, number + len(split), frames=8)
      video_files.write_frames(
        folder / f'{split}{number}.mp4', frames, rate=RATE
      )
  (folder / 'clips.csv').write_text('\n'.join(lines))
  sources = video_sources.csv_sources([str(folder / 'clips.csv')], str(folder))
  source_checks.require_sound(sources)
  video_conversion.convert(
    sources,
    str(folder / 'records'),
    video_records.EncodingSettings(float(RATE), tiny.SIZE, 90),
    shards_per_split=1,
    beam_arguments=['--direct_num_workers=1'],
  )
  return folder


@pytest.fixture(name='params', scope='module')
def params_fixture(folder):
  params = exp_factory.get_exp_config('movinet_grw_own_data')
  params.override(
    tiny.overrides(
      '',
      '',
      **tiny.ONE_STEP,
      **tiny.EAGER,
    )
  )
  # A clip and four frames that repeat its first.
  data = {
    'num_classes': completion.UNSET,
    'feature_shape': [12, tiny.SIZE, tiny.SIZE, 3],
    'clip_start': 'start',
    'frames_per_second': RATE,
  }
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {
        'dataset_info': str(folder / 'records' / 'dataset.json'),
        'model': {'head': HEAD},
        'train_data': data,
        'validation_data': data,
      },
    }
  )
  params.validate()
  return params


def test_records_have_the_labels_of_their_segments(folder, params):
  [(features, labels)] = video_input.build_video_dataset(
    params.task.validation_data.replace(one_hot=False)
  )
  texts = (folder / 'records' / 'labels.txt').read_text().split()
  sources = features[feature_names.SOURCE_ID].numpy()
  for source, found in zip(sources, labels.numpy()):
    number = int(source.tobytes().rstrip(b'\0').decode()[len('val')])
    assert [texts[label] for label in found[:8]] == OF_FRAMES[number]
    # Repeated frames have none.
    assert set(found[8:]) == {feature_names.NO_LABEL}


@pytest.mark.parametrize('stride', [1, 2])
def test_labels_follow_the_frames_that_are_sampled(params, stride):
  size = (tiny.SIZE, tiny.SIZE, 3)
  data = params.task.train_data.replace(
    feature_shape=(8 // stride, *size),
    temporal_stride=stride,
    # The stock parser does the rest where nothing is switched off.
    random_offset=stride == 1,
    one_hot=False,
    seed=None,
  )
  _, labels = next(iter(video_input.build_video_dataset(data)))
  [(_, whole)] = video_input.build_video_dataset(
    params.task.validation_data.replace(feature_shape=(8, *size), one_hot=False)
  )
  assert sorted(labels.numpy().tolist()) == sorted(
    whole.numpy()[:, ::stride].tolist()
  )


@pytest.mark.parametrize('one_hot', [True, False])
def test_loss_and_accuracy_are_of_frames_with_a_label(params, one_hot):
  task = grw_video_classification.GrwVideoClassificationTask(params.task)
  task.task_config.losses.one_hot = one_hot
  rng = np.random.default_rng(0)
  probabilities = rng.dirichlet(np.ones(3), size=[2, 4]).astype(np.float32)
  labels = np.array([[0, 1, 2, -1], [2, -1, -1, -1]])
  known = labels >= 0
  given = tf.one_hot(labels, 3) if one_hot else tf.constant(labels)
  losses = task.build_losses(given, probabilities, [tf.constant(2.0)])
  of_true = np.take_along_axis(
    probabilities, np.maximum(labels, 0)[..., np.newaxis], axis=-1
  )[..., 0]
  expected = -np.log(of_true[known]).mean()
  np.testing.assert_allclose(losses['class_loss'], expected, rtol=1e-5)
  np.testing.assert_allclose(losses[task.loss], expected + 2, rtol=1e-5)
  metrics = task.build_metrics()
  task.process_metrics(metrics, given, probabilities)
  right = probabilities.argmax(axis=-1) == labels
  measured = {metric.name: float(metric.result()) for metric in metrics}
  assert measured['top_1_accuracy'] == pytest.approx(right[known].mean())
  task.task_config.losses.one_hot = True

  none = task.build_losses(
    tf.zeros([2, 4, 3]), probabilities, [tf.constant(2.0)]
  )
  assert none['class_loss'] == 0 and none[task.loss] == 2


def test_a_stream_answers_each_frame_as_the_clip_model_does():
  classifier = tiny.classifier(head=HEAD)
  clip = tf.constant(
    np.stack([tiny.clip(1, 3), tiny.clip(2, 4)]) / 255, tf.float32
  )
  logits = classifier({'image': clip}, training=False)
  assert logits.shape == (2, tiny.FRAMES, tiny.CLASSES)
  stream = streaming.StreamingClassifier(classifier, tiny.FRAMES)
  states = stream.init_states([2, 1, tiny.SIZE, tiny.SIZE, 3])
  assert not any('tokens' in name for name in states)
  for frame in range(tiny.FRAMES):
    answer, states = stream({**states, 'image': clip[:, frame : frame + 1]})
    np.testing.assert_allclose(answer, logits[:, frame], rtol=1e-4, atol=1e-5)
  spread = np.ptp(logits.numpy(), axis=1)
  assert spread.max() > 1e-3, 'the frames are answered alike'
  # It is another function than the answer for a clip, of the same weights.
  mean = temporal.TemporalHead.from_config(
    {**classifier.get_layer('grw_head').get_config(), 'per_frame': False}
  )
  assert isinstance(mean, tf_keras.layers.Layer) and not mean.per_frame


@pytest.fixture(name='trained', scope='module')
def trained_fixture(folder, params):
  launch.build_runner(params, 'train', str(folder / 'model')).run()
  return str(folder / 'model')


def test_eval_measures_average_precision_over_frames(
  params, trained, folder, capsys
):
  _, logs = launch.build_runner(params, 'eval', trained).run()
  printed = capsys.readouterr().out
  assert 'mean average precision ' in printed and 'of 32 frames' in printed
  report = folder / 'model' / runner.REPORT_FOLDER
  with open(report / 'predictions.csv', encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 4 * 8
  texts = (folder / 'records' / 'labels.txt').read_text().split()
  precisions = []
  for text in texts:
    true = [row['labels'] == text for row in rows]
    scores = [float(row[text]) for row in rows]
    precisions.append(sklearn_metrics.average_precision_score(true, scores))
  by_source = {row['clip']: row['labels'] for row in rows}
  assert by_source['val0.mp4, frame 5'] == 'down'
  measures = json.loads((report / 'measures.json').read_text())
  assert measures['mean_average_precision'] == pytest.approx(
    np.mean(precisions), abs=1e-4
  )
  right = [
    row['labels'] == max(texts, key=lambda text: float(row[text]))
    for row in rows
  ]
  assert float(logs['top_1_accuracy']) == pytest.approx(np.mean(right))
  # Of each clip the answers after 1, 2, ... frames, in order.
  with open(report / early_decisions.CSV, encoding='utf-8') as file:
    curve = {
      int(row['frames']): float(row['top_1']) for row in csv.DictReader(file)
    }
  after = {frames: right[frames - 1 :: 8] for frames in range(1, 9)}
  assert curve == pytest.approx(
    {frames: np.mean(values) for frames, values in after.items()}, abs=1e-4
  )
  assert (report / early_decisions.PICTURE).exists()


def test_the_stream_is_exported_and_a_clip_model_refused(
  params, trained, tmp_path
):
  path = tmp_path / 'exported'
  written = export.export_tflite(params, trained, str(path), kind='stream')
  assert written.difference < 1e-4
  model = exported.open_model(str(path))
  answer = model.step(tiny.clip(1, 7)[0])
  assert answer is not None and answer.shape == (3,)
  for write in (export.export_saved_model, export.export_tflite):
    with pytest.raises(ValueError, match="kind='clip': expected 'stream'"):
      write(params, trained, str(tmp_path / 'clip'), kind='clip')


@pytest.mark.parametrize(
  'labels, message',
  [
    ([0, 1], "2 labels of frames in 'clip/label/frames', expected 3"),
    (None, 'has 0 labels of frames .* expected 3'),
    ([0, 1, 7], r'a frame of label 7 .* expected labels in \[0, 3\)'),
  ],
)
def test_wrong_labels_are_named_with_their_record(
  params, tmp_path, labels, message
):
  path = tmp_path / 'records'
  with tf.io.TFRecordWriter(str(path)) as writer:
    for of_frames in ([0, 1, 2], labels):
      example = tf.train.SequenceExample.FromString(
        tiny.record(tiny.clip(0, 0, frames=3), 0)
      )
      feature = example.context.feature[feature_names.FRAME_LABELS_KEY]
      feature.int64_list.value.extend(of_frames or [])
      if of_frames is None:
        del example.context.feature[feature_names.FRAME_LABELS_KEY]
      writer.write(example.SerializeToString())
  data = params.task.validation_data.replace(input_path=str(path))
  with pytest.raises(
    record_check.InputDataError, match=f'record 1 .*{path}.*{message}'
  ):
    with video_input.explained_errors(data):
      list(video_input.build_video_dataset(data))
  skipping = data.replace(on_bad_record='skip')
  [(features, found)] = video_input.build_video_dataset(skipping)
  assert len(found) == 1
  assert tf.reduce_sum(features[feature_names.BAD_RECORDS]) == 1


@pytest.mark.parametrize(
  'text, message',
  [
    ('0-1', "segment '0-1', expected <start>-<end>=<label>"),
    ('2-1=walk', "segment '2-1=walk', expected .* start < end"),
    ('0-2=walk; 1-3=run', "'walk' to 2 s and 'run' from 1 s overlap"),
  ],
)
def test_wrong_segments_are_refused_with_their_line(text, message, tmp_path):
  (tmp_path / 'clips.csv').write_text(
    f'video,label,split,segments\na.mp4,walk,train,{text}\n'
  )
  (tmp_path / 'a.mp4').write_bytes(b'')
  with pytest.raises(
    video_sources.SourceError, match=f'clips.csv, line 2: .*{message}'
  ):
    video_sources.csv_sources([str(tmp_path / 'clips.csv')], str(tmp_path))


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'model': {'head': {'causal': False}}}, r'head\.per_frame=True'),
    (
      {'model': {'backbone': {'movinet': {'causal': False}}}},
      r'head\.per_frame=True: expected False.*cannot stream',
    ),
    ({'model': {'head': {'per_frame': False}}}, 'frame_label_field_key='),
    (
      {'validation_data': {'num_test_clips': 2}},
      r'num_test_clips=2: expected 1.*per_frame',
    ),
    ({'class_weights': [1.0, 1.0, 2.0]}, 'class_weights=.*per_frame'),
  ],
)
def test_what_cannot_answer_frames_is_refused(params, changes, message):
  changed = params.replace()
  changed.override({'task': changes})
  with pytest.raises(ValueError, match=message):
    changed.validate()
