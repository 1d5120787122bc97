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

"""What a config can train is exported and predicts alike, or is refused.

Each case is held against the task's own evaluation of a video.  How frames are
prepared and labels are read is in tests/evaluated_as_served_test.py, ensembles
in tests/serving/ensemble_export_test.py.
"""

from collections.abc import Callable

import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.inference import exported
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import export
from official_ext.grw.serving import saved_model
from tests import tiny

# Of the video, and of the model.
HEIGHT, WIDTH, SIZE = 24, 32, tiny.SIZE
TFLITE, SAVED_MODEL = export.export_tflite, export.export_saved_model


def both(**data):
  return {'train_data': data, 'validation_data': data}


def head(**values):
  return {'model': {'head': values}}


# Sees frames to come, and so the repetitions of a video that is too short.
BASE = {
  'causal': False,
  'conv_type': '3d',
  'se_type': '3d',
  'activation': 'swish',
  'gating_activation': 'sigmoid',
}
SEGMENTS = both(
  sampling='segments', clip_start='middle', frames_per_second=None
)
# What differs in the config, the frames of the video, and how it is exported.
EXPORTED: dict[str, tuple[dict, int, Callable, dict]] = {
  'frames in [-1, 1], square, labels that are numbers, linear head': (
    {
      **both(zero_centering_image=True, resize='square', one_hot=False),
      **head(type='linear'),
      'losses': {'one_hot': False},
    },
    tiny.FRAMES,
    TFLITE,
    {},
  ),
  'frames in [-1, 1] of several labels, prepared by the model, stock head': (
    {
      **both(zero_centering_image=True, is_multilabel=True),
      **head(type='movinet'),
    },
    tiny.FRAMES,
    SAVED_MODEL,
    {'input_type': 'uint8', 'kind': 'stream'},
  ),
  'frames in [-1, 1] in 16 bits, causal head': (
    {**both(zero_centering_image=True), **head(causal=True)},
    tiny.FRAMES,
    TFLITE,
    {'quantization': 'float16', 'split_head': True},
  ),
  'evaluation clips of another size and of fewer frames than a window': (
    {
      'model': {'smoothing': {'window': 6}},
      'validation_data': {
        'feature_shape': [4, SIZE + 8, SIZE, 3],
        'min_image_size': SIZE + 8,
      },
    },
    4,
    TFLITE,
    {},
  ),
  'a short video, segments of several labels, a TFLite file of clips': (
    {
      **tiny.merged(SEGMENTS, both(is_multilabel=True)),
      'model': {'backbone': {'movinet': BASE}},
    },
    tiny.FRAMES - 2,
    TFLITE,
    {'kind': 'clip', 'quantization': 'dynamic_int8'},
  ),
  'a short video, clips of a base model, prepared by the model': (
    {'model': {'backbone': {'movinet': BASE}}},
    tiny.FRAMES - 1,
    SAVED_MODEL,
    {'input_type': 'uint8'},
  ),
  'evaluation clips of one frame, linear head': (
    {
      **head(type='linear'),
      'validation_data': {'feature_shape': [1, SIZE, SIZE, 3]},
    },
    1,
    TFLITE,
    {'kind': 'clip'},
  ),
}
REFUSED: dict[str, tuple[dict, Callable, dict, str]] = {
  'gray frames': (
    both(feature_shape=[tiny.FRAMES, SIZE, SIZE, 1]),
    TFLITE,
    {},
    'feature_shape=.*read as RGB',
  ),
  'another range of pixels in evaluation': (
    {'validation_data': {'zero_centering_image': True}},
    TFLITE,
    {},
    'validation_data.zero_centering_image=True: expected False',
  ),
  'several labels in training alone': (
    {'train_data': {'is_multilabel': True}},
    SAVED_MODEL,
    {},
    'validation_data.is_multilabel=False: expected True',
  ),
  'another number of classes in evaluation': (
    {'validation_data': {'num_classes': 4}},
    SAVED_MODEL,
    {},
    'validation_data.num_classes=4: expected the 3 classes',
  ),
  'a stream of segments': (
    SEGMENTS,
    TFLITE,
    {},
    "sampling='segments'.*--kind=clip",
  ),
  'a SavedModel stream of segments': (
    SEGMENTS,
    SAVED_MODEL,
    {'kind': 'stream'},
    "sampling='segments'.*--kind=clip",
  ),
  'a stream of one frame': (
    {'validation_data': {'feature_shape': [1, SIZE, SIZE, 3]}},
    TFLITE,
    {},
    'feature_shape=.*at least 2 frames',
  ),
  'a stream of a base model': (
    {'model': {'backbone': {'movinet': BASE}}},
    TFLITE,
    {},
    'not causal',
  ),
  'a head that runs less often than once in a clip': (
    {},
    TFLITE,
    {'classify_every': tiny.FRAMES + 1},
    'classify_every=7: expected 1 to the 6 frames',
  ),
  'a head that never runs': (
    {},
    TFLITE,
    {'classify_every': 0},
    'classify_every=0: expected 1 to the 6 frames',
  ),
  'a causal head that leaves out frames': (
    head(causal=True),
    TFLITE,
    {'classify_every': 2},
    'classify_every=2: expected 1, as a causal head',
  ),
  'a clip model with options of streams': (
    {},
    TFLITE,
    {'kind': 'clip', 'split_head': True},
    'are of streams',
  ),
  'another kind': ({}, TFLITE, {'kind': 'camera'}, "kind='camera': .*'stream'"),
  'another kind of SavedModel': (
    {},
    SAVED_MODEL,
    {'kind': 'camera'},
    "kind='camera': expected one of",
  ),
  'another input': (
    {},
    SAVED_MODEL,
    {'input_type': 'int8'},
    "input_type='int8': expected one of .*'uint8'",
  ),
  'full int8': ({}, TFLITE, {'quantization': 'int8'}, 'Full int8'),
}


def experiment(changes, path=''):
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  overrides = tiny.overrides(path, path)['task']
  shape = {'min_image_size': SIZE + 4, 'frames_per_second': 8}
  for values in (both(**shape), changes):
    overrides = tiny.merged(overrides, values)
  params.override({'task': overrides})
  return params


@pytest.mark.parametrize('case', EXPORTED)
def test_an_exported_model_answers_as_evaluation_does(
  case, tmp_path, monkeypatch
):
  changes, num_frames, write, arguments = EXPORTED[case]
  path = str(tmp_path / 'video.tfrecord')
  params = experiment(changes, path)
  params.validate()
  rng = np.random.default_rng(0)
  blocks = rng.integers(0, 256, (num_frames, 3, 4, 3)).astype(np.uint8)
  record = tiny.record(
    blocks.repeat(HEIGHT // 3, axis=1).repeat(WIDTH // 4, axis=2), label=1
  )
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(record)
  images = tf.train.SequenceExample.FromString(record).feature_lists
  frames = [
    # As a video player would show them.
    tf.io.decode_jpeg(feature.bytes_list.value[0]).numpy()
    for feature in images.feature_list['image/encoded'].feature
  ]

  task = task_factory.get_task(params.task)
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
    params.task.model,
    tiny.CLASSES,
  )
  tiny.move_weights(model, seed=0)
  # Whether checkpoints come back is in tests/serving/export_test.py.
  monkeypatch.setattr(
    saved_model, 'build_trained_model', lambda params, checkpoint: model
  )
  [(features, _)] = task.build_inputs(params.task.validation_data)
  expected = task.inference_step(
    {name: features[name] for name in ('image', 'num_frames')}, model
  )[0].numpy()
  assert np.ptp(expected) > 1e-2

  folder = str(tmp_path / 'exported')
  write(params, 'none', folder, **arguments)
  opened = exported.open_model(folder)
  answers = [opened.step(frame) for frame in frames]
  logits = answers[-1] if answers[-1] is not None else opened.finish()
  assert logits is not None
  np.testing.assert_allclose(
    opened.probabilities(logits),
    expected,
    rtol=0,
    atol={'float16': 1e-3, 'dynamic_int8': 1e-2}.get(
      arguments.get('quantization', ''), 1e-4
    ),
  )


@pytest.mark.parametrize(
  'changes, message',
  [
    (
      both(zero_centering_image=True),
      'zero_centering_image=True: expected False, with which the checkpoints',
    ),
    (both(is_multilabel=True), 'is_multilabel=True: expected False'),
    (
      {'model': {'backbone': {'movinet': {'activation': 'swish'}}}},
      "activation='swish': expected 'hard_swish'",
    ),
  ],
)
@pytest.mark.parametrize('place', ['', 'ckpt-3', 'best_ckpt/ckpt-1'])
def test_weights_are_exported_as_they_were_trained(
  changes, message, place, tmp_path, monkeypatch
):
  """Weights fit into models that compute something else."""
  trained = tmp_path / 'trained'
  (trained / 'best_ckpt').mkdir(parents=True)
  for checkpoint in ('ckpt-3', 'best_ckpt/ckpt-1'):
    (trained / f'{checkpoint}.index').touch()
  before, params = experiment({}), experiment(changes)
  for config in (before, params):
    config.validate()
  hyperparams.save_params_dict_to_yaml(before, str(trained / 'params.yaml'))
  monkeypatch.setattr(saved_model, 'build_trained_model', None)
  with pytest.raises(ValueError, match=message) as error:
    TFLITE(params, str(trained / place), str(tmp_path / 'exported'))
  assert '\n' not in str(error.value)
  assert not (tmp_path / 'exported').exists()


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_exported_is_refused_before_anything_is_built(
  case, tmp_path, monkeypatch
):
  changes, write, arguments, message = REFUSED[case]
  params = experiment(changes)
  monkeypatch.setattr(saved_model, 'build_trained_model', None)
  with pytest.raises(ValueError, match=message) as error:
    params.validate()
    write(params, 'none', str(tmp_path / 'exported'), **arguments)
  assert '\n' not in str(error.value)
  assert not list(tmp_path.iterdir())
