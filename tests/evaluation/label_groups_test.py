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

"""One label of each group of classes, from annotations to predictions.

Here the verbs and nouns of EPIC-Kitchens-100, in small.
"""

import csv
import itertools
import json
import re

import numpy as np
from official.core import exp_factory
import pytest
from scipy import special
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import completion
from official_ext.grw.configs import label_groups
from official_ext.grw.datasets import published_annotations
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import source_checks
from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_input
from official_ext.grw.datasets import video_records
from official_ext.grw.evaluation import group_report
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from official_ext.grw.serving import agreement
from official_ext.grw.serving import export
from official_ext.grw.tasks import grw_video_classification
from official_ext.grw.training import launch
from official_ext.grw.training import runner
from tests import tiny
from tests import video_files

VERBS, NOUNS = ['take', 'put'], ['pan', 'cup', 'tap', 'lid']
GROUPS = ['verb:2', 'noun:4']
# Verb and noun of the clips of each video, each of 6 frames at 5 a second.
CLIPS = {
  'train': [(0, 0), (1, 3), (0, 2), (1, 1)],
  'validation': [(1, 0), (0, 3)],
}
SECONDS = tiny.FRAMES / 5
HEADER = (
  'narration_id,participant_id,video_id,start_timestamp,stop_timestamp,'
  'narration,verb,verb_class,noun,noun_class\n'
)


@pytest.mark.parametrize(
  'texts, message',
  [
    (['verb:97'], r"\['verb:97'\]: expected two groups or more"),
    (['verb:97', 'noun:299'], 'add up to num_classes=397'),
    (['verb:97', 'noun'], "texts such as 'verb:97'"),
    (['verb:97', 'verb:300'], 'that no other group has'),
    (['verb:1', 'noun:396'], '2 at least'),
    (['Verb:97', 'noun:300'], 'small letters'),
  ],
)
def test_groups_that_do_not_fit_are_refused(texts, message):
  with pytest.raises(ValueError, match=message):
    label_groups.read(texts, 397)


def test_groups_are_parts_of_one_vector():
  verb, noun = label_groups.read(['verb:97', 'noun:300'], 397)
  assert (verb.part, noun.part) == (slice(0, 97), slice(97, 397))
  assert label_groups.read(None, 397) == []


def experiment(**task):
  params = exp_factory.get_exp_config('movinet_grw_epic_kitchens100')
  params.override(tiny.overrides('', '', **tiny.ONE_STEP, **tiny.EAGER))
  data = {'num_classes': 6, 'label_groups': GROUPS}
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': tiny.merged({'train_data': data, 'validation_data': data}, task),
    }
  )
  return params


@pytest.mark.parametrize(
  'task, message',
  [
    (
      {'validation_data': {'label_groups': ['verb:3', 'noun:3']}},
      'as task.tra',
    ),
    ({'train_data': {'num_classes': 7}}, 'train_data.label_groups=.*add up to'),
    ({'train_data': {'is_multilabel': True}}, 'is_multilabel'),
    ({'train_data': {'tfds_name': 'a'}}, "tfds_name='a': expected ''.*of each"),
    ({'class_weights': [1.0] * 6}, 'class_weights=.*null, because a clip has'),
    (
      {
        'train_data': {'one_hot': False},
        'validation_data': {'one_hot': False},
        'losses': {'one_hot': False},
      },
      'train_data.one_hot=False: expected True, because label_groups',
    ),
  ],
)
def test_what_does_not_go_with_groups_is_refused(task, message):
  with pytest.raises(ValueError, match=message):
    experiment(**task).validate()


@pytest.fixture(name='task', scope='module')
def task_fixture():
  params = experiment()
  params.validate()
  return grw_video_classification.GrwVideoClassificationTask(params.task)


class Fixed(tf.Module):
  """A model of fixed logits."""

  def __init__(self, logits):
    super().__init__()
    self.logits = tf.Variable(logits)
    self.losses = []

  def __call__(self, features, training=None):
    return self.logits


def vectors(labels):
  rows = [np.eye(6)[verb] + np.eye(6)[2 + noun] for verb, noun in labels]
  return np.array(rows, np.float32)


@pytest.mark.parametrize('apart', [0.0, 150.0])
def test_the_loss_is_the_sum_of_both_cross_entropies(task, apart):
  """However far apart the logits of verbs and nouns are."""
  logits = np.random.default_rng(0).normal(0, 2, (3, 6)).astype(np.float32)
  logits[:, 2:] += apart
  labels = [(0, 3), (1, 0), (1, 2)]
  numbers = np.array(labels)
  expected = -np.mean(
    special.log_softmax(logits[:, :2], -1)[range(3), numbers[:, 0]]
    + special.log_softmax(logits[:, 2:], -1)[range(3), numbers[:, 1]]
  )
  model = grw_video_classification._OfGroups(Fixed(logits), task.groups)  # pylint: disable=protected-access
  with tf.GradientTape() as tape:
    outputs = tf.nn.softmax(model({}))
    losses = task.build_losses(tf.constant(vectors(labels)), outputs, [])
  assert float(losses['class_loss']) == pytest.approx(expected, rel=1e-4)
  assert float(losses[task.loss]) == pytest.approx(expected, rel=1e-4)
  gradient = tape.gradient(losses[task.loss], model.logits)
  probabilities = np.concatenate(
    [special.softmax(part, -1) for part in np.split(logits, [2], axis=1)], 1
  )
  np.testing.assert_allclose(
    gradient, (probabilities - vectors(labels)) / 3, atol=1e-5
  )
  # As evaluation has it.
  features = {'image': tf.zeros([3, 1])}
  said = task.inference_step(features, Fixed(logits))
  np.testing.assert_allclose(said, probabilities, rtol=1e-4)
  again = task.build_losses(tf.constant(vectors(labels)), said, [])
  assert float(again['class_loss']) == pytest.approx(expected, rel=1e-4)


def test_an_action_is_right_if_verb_and_noun_are(task):
  rng = np.random.default_rng(1)
  probabilities = np.concatenate(
    [rng.dirichlet(np.ones(size), 200) for size in (2, 4)], axis=1
  ).astype(np.float32)
  labels = np.stack([rng.integers(0, 2, 200), rng.integers(0, 4, 200)], axis=1)
  metrics = task.build_metrics(training=False)
  task.process_metrics(
    metrics, tf.constant(vectors(labels)), tf.constant(probabilities)
  )
  found = {metric.name: float(metric.result()) for metric in metrics}
  # Of each clip, how many of the eight actions are more probable.
  actions = np.stack(
    [
      probabilities[:, verb] * probabilities[:, 2 + noun]
      for verb, noun in itertools.product(range(2), range(4))
    ],
    axis=1,
  )
  true = actions[range(200), 4 * labels[:, 0] + labels[:, 1]]
  rank = (actions > true[:, np.newaxis]).sum(axis=1)
  verb = probabilities[:, :2].argmax(axis=1) == labels[:, 0]
  noun = probabilities[:, 2:].argmax(axis=1) == labels[:, 1]
  assert found['verb_top_1_accuracy'] == pytest.approx(verb.mean())
  assert found['noun_top_1_accuracy'] == pytest.approx(noun.mean())
  assert found['verb_top_5_accuracy'] == found['noun_top_5_accuracy'] == 1
  assert found['top_1_accuracy'] == pytest.approx((verb & noun).mean())
  assert found['accuracy'] == found['top_1_accuracy']
  assert found['top_5_accuracy'] == pytest.approx((rank < 5).mean())
  assert found['top_1_accuracy'] < found['top_5_accuracy'] < 1


def test_files_in_8_bits_are_compared_group_by_group():
  groups = label_groups.read(GROUPS, 6)
  logits = np.array([[3.0, 0, 90, 0, 0, 0], [0, 3, 0, 90, 0, 0]])
  other = logits.copy()
  other[:, :2] = other[:, 1::-1]
  assert agreement.measure(logits, logits, groups=groups).same_answers == 1
  # A softmax of all would see of verbs nothing.
  assert agreement.measure(other, logits).same_answers == 1
  assert agreement.measure(other, logits, groups=groups).same_answers == 0


def test_a_record_without_a_label_of_each_group_is_named(tmp_path):
  example = tf.train.SequenceExample.FromString(tiny.record(tiny.clip(0, 0), 0))
  found = example.context.feature['clip/label/index'].int64_list.value
  data = experiment().task.validation_data
  wanted = (
    r'expected one in \[0, 2\) \(verb\) and one in \[2, 6\) \(noun\), in this '
    'order'
  )
  for labels in ([1], [0, 1], [0, 2, 3], [2, 0]):
    found[:] = labels
    fault = record_check.describe_record(example.SerializeToString(), data)
    assert fault is not None
    assert re.match(rf'has labels \[{str(labels)[1:-1]}\], {wanted}', fault)
  # With the first record right, the pipeline finds the second.
  data.input_path = str(tmp_path / 'records')
  with tf.io.TFRecordWriter(data.input_path) as writer:
    for labels in ([0, 2], [2, 0]):
      found[:] = labels
      writer.write(example.SerializeToString())
  with pytest.raises(
    record_check.InputDataError, match=rf'record 1 .*\[2, 0\], {wanted}'
  ):
    with video_input.explained_errors(data):
      list(video_input.build_video_dataset(data))


def timestamp(seconds):
  return f'00:00:{seconds:05.2f}'


def write_split(folder, split, pairs):
  """A video whose parts show the noun's motion, and its annotations."""
  video = f'P0{len(pairs)}_01'
  frames = np.concatenate(
    [tiny.clip(noun, number) for number, (_, noun) in enumerate(pairs)]
  )
  (folder / video[:3]).mkdir()
  video_files.write_frames(folder / video[:3] / f'{video}.MP4', frames, rate=5)
  rows = [
    f'{video}_{number},{video[:3]},{video},{timestamp(number * SECONDS)},'
    f'{timestamp((number + 1) * SECONDS)},take pan,take,{verb},pan,{noun}\n'
    for number, (verb, noun) in enumerate(pairs)
  ]
  path = folder / f'EPIC_100_{split}.csv'
  path.write_text(HEADER + ''.join(rows))
  return str(path)


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  folder = tmp_path_factory.mktemp('kitchens')
  for name, texts in (('verb', VERBS), ('noun', NOUNS)):
    rows = [f'{number},{text}\n' for number, text in enumerate(texts)]
    (folder / f'EPIC_100_{name}_classes.csv').write_text(
      'id,key\n' + ''.join(rows)
    )
  sources = published_annotations.sources(
    'epic_kitchens',
    [write_split(folder, *split) for split in CLIPS.items()],
    [str(folder / f'EPIC_100_{name}_classes.csv') for name in ('verb', 'noun')],
    str(folder),
  )
  source_checks.require_sound(sources)
  video_conversion.convert(
    sources,
    str(folder / 'records'),
    video_records.EncodingSettings(5.0, tiny.SIZE, 90),
    shards_per_split=1,
    beam_arguments=['--direct_num_workers=1'],
  )
  return folder


@pytest.fixture(name='params', scope='module')
def params_fixture(folder):
  left_to_the_dataset = {
    'num_classes': completion.UNSET,
    'num_examples': completion.UNSET,
    'label_groups': None,
    'frames_per_second': 5,
    'global_batch_size': 2,
  }
  params = experiment(
    dataset_info=str(folder / 'records' / 'dataset.json'),
    train_data=left_to_the_dataset,
    validation_data=left_to_the_dataset,
  )
  params.override({'trainer': {'validation_steps': 1}})
  params.validate()
  return params


@pytest.fixture(name='trained', scope='module')
def trained_fixture(folder, params):
  launch.build_runner(params, 'train', str(folder / 'model')).run()
  return str(folder / 'model')


def test_parts_of_videos_become_records_with_both_labels(folder, params):
  dataset = json.loads((folder / 'records' / 'dataset.json').read_text())
  assert dataset['label_groups'] == GROUPS
  assert not dataset['multi_label']
  assert dataset['clip_frames'] == {'shortest': 6, 'median': 6, 'longest': 6}
  labels = (folder / 'records' / 'labels.txt').read_text().splitlines()
  assert labels == ['verb take', 'verb put'] + [
    f'noun {text}' for text in NOUNS
  ]
  data = params.task.validation_data
  assert data.label_groups == GROUPS and data.num_classes == 6
  [(features, found)] = video_input.build_video_dataset(data)
  pairs = dict(zip(('P02_01_0', 'P02_01_1'), CLIPS['validation']))
  for source, vector, clip in zip(
    features['source_id'].numpy(), found.numpy(), features['image'].numpy()
  ):
    name = source.tobytes().rstrip(b'\0').decode()
    np.testing.assert_array_equal(vector, vectors([pairs[name]])[0])
    # The frames are those of the part.
    shown = tiny.clip(pairs[name][1], int(name[-1])) / 255
    assert np.abs(clip - shown).mean() < 0.08


def test_eval_measures_actions_verbs_and_nouns(params, trained, folder, capsys):
  _, logs = launch.build_runner(params, 'eval', trained).run()
  printed = capsys.readouterr().out
  assert 'top-1 of verb and noun ' in printed and ', of 2 clips' in printed
  for name in ('top_1', 'verb_top_1', 'noun_top_5'):
    assert 0 <= float(logs[f'{name}_accuracy']) <= 1
  assert float(logs['verb_top_5_accuracy']) == 1
  report = folder / 'model' / runner.REPORT_FOLDER
  assert sorted(path.name for path in report.iterdir()) == [
    'measures.json',
    'per_class.csv',
    'predictions.csv',
  ]
  with open(report / 'predictions.csv', encoding='utf-8') as file:
    clips = {row['clip']: row for row in csv.DictReader(file)}
  assert {name: (row['verb'], row['noun']) for name, row in clips.items()} == {
    'P02_01_0': ('verb put', 'noun pan'),
    'P02_01_1': ('verb take', 'noun lid'),
  }
  right = [
    row['verb'] == row['predicted_verb']
    and row['noun'] == row['predicted_noun']
    for row in clips.values()
  ]
  assert float(logs['top_1_accuracy']) == pytest.approx(np.mean(right))
  with open(report / 'per_class.csv', encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  assert [row['group'] for row in rows] == ['verb'] * 2 + ['noun'] * 4
  assert [int(row['clips']) for row in rows] == [1, 1, 1, 0, 0, 1]


def test_what_is_exported_is_predicted_group_by_group(params, trained, folder):
  path = folder / 'exported'
  export.export_saved_model(params, trained, str(path), kind='stream')
  model = exported.open_model(str(path))
  assert model.card.label_groups == {'verb': [0, 2], 'noun': [2, 6]}
  video = [
    video_decoding.TimedFrame(number / 5, image)
    for number, image in enumerate(tiny.clip(1, 7))
  ]
  last = prediction.predict(model, video, 5)
  model.reset()
  logits = [model.step(frame.image) for frame in video][-1]
  assert logits is not None
  for part in (slice(0, 2), slice(2, 6)):
    np.testing.assert_allclose(
      last.probabilities[part], special.softmax(logits[part]), rtol=1e-5
    )


def test_the_report_tells_the_worst_classes_of_all_groups():
  found = group_report.Predictions(
    labels=np.array([[0, 2], [1, 2], [1, 5]]),
    probabilities=np.array(
      [
        [0.9, 0.1, 0.7, 0.1, 0.1, 0.1],
        [0.8, 0.2, 0.4, 0.3, 0.2, 0.1],
        [0.3, 0.7, 0.5, 0.2, 0.2, 0.1],
      ]
    ),
    sources=['a', '', 'c'],
    groups=label_groups.read(GROUPS, 6),
  )
  texts = [f'verb {text}' for text in VERBS] + [
    f'noun {text}' for text in NOUNS
  ]
  assert group_report.summary(found).startswith(
    'top-1 of verb and noun 33.3 % (95 % interval 6.1-79.2), verb 66.7 %'
  )
  assert group_report.classes(found, texts) == [
    '    0.0% of 1 clips of noun lid',
    '   50.0% of 2 clips of verb put',
    '  100.0% of 1 clips of verb take',
    '  100.0% of 2 clips of noun pan',
  ]
