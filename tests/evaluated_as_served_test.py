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

"""What a model was evaluated by is what its exports and clients do."""

import os
from typing import Any

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.inference import exported
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests import tiny

N, SIZE = tiny.FRAMES, tiny.SIZE
LABELS = ['still', 'right', 'down']


def experiment(**values):
  """A tiny experiment, with values of both of its data."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  overrides = tiny.overrides('', '')
  for data in ('train_data', 'validation_data'):
    overrides['task'][data].update(
      {'min_image_size': SIZE + 4, 'clip_start': 'start', **values}
    )
  params.override(overrides)
  params.validate()
  return params


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return tiny.classifier()


@pytest.fixture(name='exports', scope='module')
def exports_fixture(model, tmp_path_factory):
  """One model of float32 input of each kind, whose card a test replaces."""
  data = experiment().task.validation_data
  clip = tiny.clip(1, 0, N, SIZE + 8)[np.newaxis]
  root = tmp_path_factory.mktemp('exports')
  stream, whole = str(root / 'stream'), str(root / 'clip')
  os.makedirs(stream)
  tflite.export_stream(model, stream, data, clip)
  saved_model.export_clip_model(model, whole, data, clip)
  return {
    ('stream', 'tflite'): stream,
    ('clip', 'saved_model'): whole,
  }


def card(params, kind, file_format):
  data = params.task.validation_data
  return model_card.describe(
    params,
    '',
    kind=kind,
    format=file_format,
    quantization='float32',
    classify_every=1,
    states={},
    files={},
    input={
      'shape': [],
      'dtype': 'float32',
      'range': [-1.0 if data.zero_centering_image else 0.0, 1.0],
      'channels': 'RGB',
    },
  )


def write_video(path, frames, labels):
  example = tf.train.SequenceExample()
  example.context.feature['clip/label/index'].int64_list.value.extend(labels)
  images = example.feature_lists.feature_list['image/encoded']
  for frame in frames:
    images.feature.add().bytes_list.value.append(
      tf.io.encode_png(frame).numpy()
    )
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(example.SerializeToString())


# What differs in the data, the length of the video, and which of its frames a
# client feeds at the rate of the card.
SAME: dict[str, tuple[dict[str, Any], int, range]] = {
  'stock': ({}, 13, range(N)),
  'square, antialiased': (
    {'resize': 'square', 'antialias': True},
    13,
    range(N),
  ),
  'antialiased': ({'antialias': True}, 13, range(N)),
  'values in [-1, 1]': ({'zero_centering_image': True}, 13, range(N)),
  'several labels': ({'is_multilabel': True}, 13, range(N)),
  'every second frame': ({'temporal_stride': 2}, 13, range(0, 2 * N, 2)),
  'segments': (
    {'sampling': 'segments', 'clip_start': 'middle', 'frames_per_second': None},
    12,
    range(1, 13, 2),
  ),
  'fewer frames than a clip': ({}, 4, range(4)),
  'class numbers': ({'one_hot': False}, 13, range(N)),
}


def test_frames_that_are_repeated_and_seen_are_so_for_a_client(model, tmp_path):
  video = tiny.clip(1, 0, 4, SIZE + 4)
  write_video(str(tmp_path / 'record'), video, [1])
  params = experiment(short_clips='loop')
  data = params.task.validation_data
  data.input_path = str(tmp_path / 'record')
  task = task_factory.get_task(params.task)
  [(features, labels)] = task.build_inputs(data)
  outputs = task.validation_step((features, labels), model)
  folder = str(tmp_path / 'clip')
  saved_model.export_clip_model(model, folder, data, features['image'].numpy())
  model_card.write(card(params, 'clip', 'saved_model'), LABELS, folder)
  opened = exported.open_model(folder)
  assert all(opened.step(frame) is None for frame in video)
  logits = opened.finish()
  assert logits is not None
  np.testing.assert_allclose(
    opened.probabilities(logits), outputs['probabilities'][0], atol=1e-5
  )
  # Of the four frames alone it would be another answer.
  alone = task.inference_step(
    {'image': features['image'], 'num_frames': tf.constant([4])}, model
  )[0]
  assert np.abs(opened.probabilities(logits) - alone).max() > 1e-3


@pytest.mark.parametrize('name', SAME)
def test_a_client_answers_as_the_evaluation(model, exports, tmp_path, name):
  values, num_frames, fed = SAME[name]
  video = np.random.default_rng(0).integers(
    0, 256, (num_frames, 27, 38, 3), np.uint8
  )
  path = str(tmp_path / 'record')
  write_video(path, video, [1])
  params = experiment() if 'one_hot' in values else experiment(**values)
  if 'one_hot' in values:
    params.task.losses.one_hot = False
    params.task.train_data.one_hot = False
    params.task.validation_data.one_hot = False
    params.validate()
  params.task.validation_data.input_path = path
  task = task_factory.get_task(params.task)
  [(features, _)] = task.build_inputs(params.task.validation_data)
  expected = task.inference_step(
    {key: features[key] for key in ('image', 'num_frames')}, model
  )[0].numpy()
  assert expected.std() > 1e-3
  if not params.task.validation_data.is_multilabel:
    assert expected.sum() == pytest.approx(1)
  for (kind, file_format), source in exports.items():
    folder = tmp_path / kind
    folder.mkdir()
    for file in os.listdir(source):
      os.symlink(os.path.join(source, file), folder / file)
    model_card.write(card(params, kind, file_format), LABELS, str(folder))
    opened = exported.open_model(str(folder))
    answers = [opened.step(video[number]) for number in fed]
    logits = answers[-1] if answers[-1] is not None else opened.finish()
    assert logits is not None
    np.testing.assert_allclose(
      opened.probabilities(logits), expected, rtol=1e-3, atol=1e-5
    )
