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

"""Exported models of all kinds give the trained model's answers."""

import csv
import dataclasses
import json
import os

import matplotlib.image
import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from official_ext.grw.inference import prediction_files
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests import tiny
from tests.serving import color_model

FRAMES = tiny.FRAMES
# Of the video; the model crops a square out of it.
HEIGHT, WIDTH = 40, 56
LABELS = ['still', 'right', 'down']
VIDEO = np.random.default_rng(0).integers(
  0, 255, (3 * FRAMES, HEIGHT, WIDTH, 3), np.uint8
)


def experiment(resize='keep_aspect'):
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  overrides = tiny.overrides('', '')
  overrides['task']['validation_data'].update(
    min_image_size=tiny.SIZE + 4, resize=resize, frames_per_second=5.0
  )
  params.override({'task': overrides['task']}, is_strict=False)
  return params


def describe(params, kind, file_format, dtype='float32'):
  return model_card.describe(
    params,
    'ckpt',
    kind=kind,
    format=file_format,
    quantization='float32',
    classify_every=1,
    states={},
    files={},
    input={
      'shape': [],
      'dtype': dtype,
      'channels': 'RGB',
      'range': [0, 255] if dtype == 'uint8' else [0, 1],
    },
  )


@pytest.fixture(name='model', scope='module')
def model_fixture():
  params = experiment()
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    params.task.model,
    tiny.CLASSES,
  )
  # Else no frame would see another; see ReZero.
  for variable in model.variables:
    if variable.name.endswith('scale:0'):
      variable.assign(tf.fill(variable.shape, 0.5))
  return model


@pytest.fixture(name='folders', scope='module')
def folders_fixture(model, tmp_path_factory):
  """A folder of each format, kind and input type."""
  params = experiment()
  data = params.task.validation_data
  root = tmp_path_factory.mktemp('exported')
  folders = {}
  for kind, file_format, dtype in (
    ('stream', 'tflite', 'float32'),
    ('stream', 'saved_model', 'float32'),
    ('stream', 'saved_model', 'uint8'),
    ('clip', 'saved_model', 'float32'),
    ('clip', 'saved_model', 'uint8'),
    ('clip', 'tflite', 'float32'),
  ):
    folder = str(root / f'{kind}_{file_format}_{dtype}')
    if file_format == 'tflite':
      os.makedirs(folder)
      example = VIDEO[np.newaxis, :FRAMES]
      if kind == 'stream':
        tflite.export_stream(model, folder, data, example, signals=True)
      else:
        tflite.export_clip(model, folder, data, example)
    else:
      export = (
        saved_model.export_stream_model
        if kind == 'stream'
        else saved_model.export_clip_model
      )
      export(model, folder, data, VIDEO[np.newaxis, :FRAMES], dtype)
    model_card.write(describe(params, kind, file_format, dtype), LABELS, folder)
    folders[kind, file_format, dtype] = folder
  return folders


@pytest.fixture(name='opened_models', scope='module')
def opened_models_fixture(folders):
  """Each of them, for tests that begin a video anew."""
  return {key: exported.open_model(folder) for key, folder in folders.items()}


def clip_logits(model, start, end):
  clips = saved_model.prepared(
    tf.constant(VIDEO[np.newaxis, start:end]), experiment().task.validation_data
  )
  return model({'image': clips}, training=False)[0].numpy()


def test_predictions_hold_the_signals_of_a_stream(folders, tmp_path):
  charts = []
  for kind in ('stream', 'clip'):
    opened = exported.open_model(folders[kind, 'tflite', 'float32'])
    folder = tmp_path / kind
    prediction.predict(
      opened,
      (
        video_decoding.TimedFrame(number / 5, image)
        for number, image in enumerate(VIDEO)
      ),
      5.0,
      output_dir=str(folder),
    )
    charts.append(
      matplotlib.image.imread(folder / prediction_files.CHART_FILE).shape
    )
    with open(folder / prediction_files.TABLE_FILE, encoding='utf-8') as file:
      rows = list(csv.DictReader(file))
    if kind == 'clip':
      assert 'acceleration' not in rows[0]
      continue
    opened.reset()
    assert len(rows) == len(VIDEO)
    for row, frame in zip(rows, VIDEO):
      opened.step(frame)
      np.testing.assert_allclose(
        [float(row['order_likelihood']), float(row['acceleration'])],
        opened.signals['smoothness'],
        rtol=1e-4,
      )
    assert float(rows[-1]['acceleration']) > 0
  # There is a second picture below.
  assert charts[0][0] > charts[1][0]


STREAMS = [
  ('stream', 'tflite', 'float32'),
  ('stream', 'saved_model', 'float32'),
  ('stream', 'saved_model', 'uint8'),
]


def stream_logits(opened, frames):
  """[frames, classes]."""
  opened.reset()
  answers = [opened.step(frame) for frame in frames]
  assert all(answer is not None for answer in answers)
  return np.array(answers)


@pytest.mark.parametrize('key', STREAMS)
def test_after_n_frames_a_stream_answers_as_the_clip_model(
  model, opened_models, key
):
  opened = opened_models[key]
  assert opened.labels == LABELS
  expected = clip_logits(model, 0, FRAMES)
  for _ in range(2):  # Anew after a reset.
    answers = stream_logits(opened, VIDEO[:FRAMES])
    np.testing.assert_allclose(
      answers[-1], expected, atol=1e-5 * np.abs(expected).max()
    )
  assert np.abs(answers[0] - answers[-1]).max() > 1e-3
  assert opened.finish() is None


def test_all_streams_agree_far_beyond_n_frames(opened_models):
  answers = [stream_logits(opened_models[key], VIDEO) for key in STREAMS]
  scale = np.abs(answers[0]).max()
  np.testing.assert_allclose(answers[1], answers[0], atol=1e-5 * scale)
  np.testing.assert_allclose(answers[2], answers[0], atol=1e-5 * scale)


@pytest.mark.parametrize(
  'key',
  [
    ('clip', 'saved_model', 'float32'),
    ('clip', 'saved_model', 'uint8'),
    ('clip', 'tflite', 'float32'),
  ],
)
def test_a_clip_model_answers_each_n_frames_and_at_the_end(
  model, opened_models, key
):
  opened = opened_models[key]
  opened.reset()
  answers = [opened.step(frame) for frame in VIDEO[: 2 * FRAMES + 2]]
  given = [
    number for number, answer in enumerate(answers) if answer is not None
  ]
  assert given == [FRAMES - 1, 2 * FRAMES - 1]
  for number in given:
    np.testing.assert_allclose(
      np.array(answers[number]),
      clip_logits(model, number + 1 - FRAMES, number + 1),
      rtol=1e-4,
      atol=1e-5,
    )
  np.testing.assert_allclose(
    np.array(opened.finish()),
    clip_logits(model, FRAMES + 2, 2 * FRAMES + 2),
    rtol=1e-4,
    atol=1e-5,
  )
  assert opened.finish() is None
  opened.reset()
  for frame in VIDEO[: FRAMES - 2]:
    opened.step(frame)
  # The clip is filled from its start, and repetitions do not count.
  np.testing.assert_allclose(
    np.array(opened.finish()),
    clip_logits(model, 0, FRAMES - 2),
    rtol=1e-4,
    atol=1e-5,
  )


@pytest.mark.parametrize('resize', ['square', 'keep_aspect'])
@pytest.mark.parametrize('size', [(40, 56), (33, 17), (20, 20)])
@pytest.mark.parametrize('centered', [False, True])
@pytest.mark.parametrize('antialias', [False, True])
def test_frames_are_prepared_as_in_evaluation(
  tmp_path, folders, resize, size, centered, antialias
):
  params = experiment(resize)
  data = params.task.validation_data
  data.antialias = antialias
  data.zero_centering_image = centered
  folder = folders['stream', 'tflite', 'float32']
  model_file = os.path.join(folder, tflite_stream.MODEL_FILE)
  os.link(model_file, tmp_path / tflite_stream.MODEL_FILE)
  card = describe(params, 'stream', 'tflite')
  card.input['range'] = [-1, 1] if centered else [0, 1]
  model_card.write(card, LABELS, str(tmp_path))
  frame = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
  # Division by 255 is rounded in another way; a pixel's least step is 4e-3.
  np.testing.assert_allclose(
    exported.open_model(str(tmp_path)).prepared(frame),
    saved_model.prepared(tf.constant(frame[np.newaxis, np.newaxis]), data)[
      0, 0
    ],
    rtol=0,
    # Antialiased pixels are no whole numbers, and sums are rounded.
    atol=1e-5 if antialias else 2e-7,
  )


def test_a_tflite_file_brings_its_folder_along(folders):
  folder = folders['stream', 'tflite', 'float32']
  opened = exported.open_model(os.path.join(folder, tflite_stream.MODEL_FILE))
  assert stream_logits(opened, VIDEO[:1]).shape == (1, tiny.CLASSES)


@pytest.mark.parametrize(
  'frame', [VIDEO[0].astype(np.float32), VIDEO[0, ..., :1], VIDEO[:1]]
)
def test_what_is_no_frame_is_refused(folders, frame):
  opened = exported.open_model(folders['stream', 'tflite', 'float32'])
  with pytest.raises(ValueError, match='expected uint8 .height, width, 3'):
    opened.step(frame)


def test_uint8_clips_have_frames_of_one_size(opened_models):
  opened = opened_models['clip', 'saved_model', 'uint8']
  opened.reset()
  opened.step(VIDEO[0])
  with pytest.raises(ValueError, match=r'\(30, 56, 3\) after .*\(40, 56, 3\)'):
    opened.step(VIDEO[0, :30])


def changed(tmp_path, folder, labels=LABELS, **fields):
  """A folder with the same model, and another card or labels."""
  for name in os.listdir(folder):
    os.symlink(os.path.join(folder, name), tmp_path / name)
  card, _ = model_card.read(folder)
  for name in (model_card.CARD_FILE, model_card.LABELS_FILE):
    os.unlink(tmp_path / name)
  model_card.write(dataclasses.replace(card, **fields), labels, str(tmp_path))
  return str(tmp_path)


@pytest.mark.parametrize(
  'fields, message',
  [
    ({'labels': LABELS[:2]}, "has 2 labels.*model's 3 classes"),
    ({'kind': 'clip'}, 'has inputs .*: expected image and num_'),
    (
      {'format': 'onnx'},
      "model_card.json: .*no export format 'onnx': expected one of tflite",
    ),
    (
      {'resize': {'mode': 'square', 'size': 20, 'crop': [18, 20]}},
      r'takes frames of \(16, 16\), and its card says \(18, 20\)',
    ),
    ({'format': 'saved_model'}, 'is no SavedModel'),
    (
      {'resize': {'mode': 'square', 'size': 20}},
      'expected mode, size and crop',
    ),
    ({'input': {'dtype': 'float32'}}, 'range .least, greatest'),
  ],
)
def test_a_model_that_is_not_as_its_card_says_is_refused(
  tmp_path, folders, fields, message
):
  labels = fields.pop('labels', LABELS)
  folder = changed(
    tmp_path, folders['stream', 'tflite', 'float32'], labels, **fields
  )
  with pytest.raises(ValueError, match=message) as raised:
    exported.open_model(folder)
  assert '\n' not in str(raised.value)


def test_a_clip_model_that_takes_no_short_clips_is_refused(tmp_path, folders):
  folder = changed(
    tmp_path, folders['stream', 'saved_model', 'float32'], kind='clip'
  )
  with pytest.raises(ValueError, match='expected short_clips among them'):
    exported.open_model(folder)


def test_logits_of_another_width_than_the_card_says_are_refused(
  tmp_path, folders
):
  folder = changed(
    tmp_path, folders['stream', 'tflite', 'float32'], ['a', 'b'], num_classes=2
  )
  with pytest.raises(ValueError, match=r'\(3,\), and its card .*=2'):
    exported.open_model(folder).step(VIDEO[0])


def test_a_folder_without_a_card_is_refused(tmp_path):
  with pytest.raises(ValueError, match='model_card.json is no model card'):
    exported.open_model(str(tmp_path))
  card = dataclasses.asdict(color_model.card())
  del card['kind']
  (tmp_path / model_card.CARD_FILE).write_text(json.dumps(card))
  with pytest.raises(ValueError, match='kind'):
    exported.open_model(str(tmp_path))


def test_the_folder_of_a_training_is_told_to_be_exported(tmp_path):
  (tmp_path / 'params.yaml').touch()
  with pytest.raises(ValueError, match='grw export tflite --config_file='):
    exported.open_model(str(tmp_path))
