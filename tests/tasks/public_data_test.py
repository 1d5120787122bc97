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

"""Experiments on public datasets train and evaluate on records made here."""

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import feature_names
from official_ext.grw.evaluation import multi_label
from official_ext.grw.tasks import grw_video_classification
from tests import tiny

N = tiny.FRAMES
SHORT = 4
# The labels of the clips; of one label it is the first.  The last is short.
LABELS = [[0], [1, 2], [2], [1]]
# What the head sees of a short clip, and how many clips take part.
EXPERIMENTS = {
  'kinetics700': (None, 3),
  'moments_in_time': (SHORT, 4),
  'charades': (SHORT, 4),
  'something_something_v2': (N, 4),
}


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return tiny.classifier()


def write(path, several):
  """A record a clip, of the first label or of all of them."""
  with tf.io.TFRecordWriter(str(path)) as writer:
    for number, labels in enumerate(LABELS):
      frames = tiny.clip(
        labels[0], number, SHORT if number == len(LABELS) - 1 else N
      )
      example = tf.train.SequenceExample.FromString(
        tiny.record(frames, 0, source=str(number))
      )
      found = example.context.feature['clip/label/index'].int64_list.value
      found[:] = labels if several else labels[:1]
      writer.write(example.SerializeToString())
  return str(path)


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_a_step_and_an_evaluation_of_made_records(name, model, tmp_path):
  seen, clips = EXPERIMENTS[name]
  params = exp_factory.get_exp_config(f'movinet_grw_{name}')
  path = write(tmp_path / 'records', params.task.train_data.is_multilabel)
  params.override(tiny.overrides(path, path))
  for data in (params.task.train_data, params.task.validation_data):
    data.global_batch_size = clips
    data.resize = 'keep_aspect'
  params.validate()
  task = task_factory.get_task(params.task)

  metrics = task.build_metrics(training=True)
  inputs = next(iter(task.build_inputs(params.task.train_data)))
  before = [variable.numpy() for variable in model.trainable_variables]
  logs = task.train_step(inputs, model, tf_keras.optimizers.SGD(0.1), metrics)
  assert np.isfinite(float(logs['loss']))
  assert any(
    np.abs(variable - earlier).max() > 0
    for variable, earlier in zip(model.trainable_variables, before)
  )

  metrics = task.build_metrics(training=False)
  [batch] = task.build_inputs(params.task.validation_data)
  features, labels = batch
  outputs = task.validation_step(batch, model, metrics)
  found = outputs[grw_video_classification.PROBABILITIES].numpy()
  assert found.shape == (clips, tiny.CLASSES)
  sources = [
    int(source.tobytes().rstrip(b'\0'))
    for source in features[feature_names.SOURCE_ID].numpy()
  ]
  several = params.task.train_data.is_multilabel
  for number, vector in zip(sources, labels.numpy()):
    wanted = LABELS[number] if several else LABELS[number][:1]
    assert np.flatnonzero(vector).tolist() == sorted(wanted)
  if seen is None:
    # Shorter videos than a clip take no part.
    assert sorted(sources) == [0, 1, 2]
  else:
    place = sources.index(len(LABELS) - 1)
    clip = features['image'][place : place + 1]
    logits = model({'image': clip, 'num_frames': tf.constant([seen])})[0]
    expected = tf.sigmoid(logits) if several else tf.nn.softmax(logits)
    np.testing.assert_allclose(found[place], expected, atol=1e-5)
    other = model(
      {'image': clip, 'num_frames': tf.constant([N + SHORT - seen])}
    )
    assert np.abs(other - logits).max() > 1e-3
  results = {metric.name: float(metric.result()) for metric in metrics}
  if not several:
    right = found.argmax(axis=1) == labels.numpy().argmax(axis=1)
    assert results['top_1_accuracy'] == pytest.approx(right.mean())
    return
  predictions = multi_label.Predictions.from_batches(
    [
      {
        'labels': labels.numpy(),
        'probabilities': found,
        'sources': features[feature_names.SOURCE_ID].numpy(),
      }
    ]
  )
  # Of each class, the mean of the precision at each clip that has it.
  precisions = []
  for true, scores in zip(labels.numpy().T, found.T):
    hits = true[np.argsort(-scores)]
    at_each = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    precisions.append((at_each * hits).sum() / hits.sum())
  assert predictions.measures()['mean_average_precision'] == pytest.approx(
    np.mean(precisions)
  )
