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

Each case is held against the task's own evaluation input: the frames of a
record, prepared by the parser, and the model called on them.
"""

from collections.abc import Callable

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.inference import exported
from official_ext.grw.serving import export
from tests import tiny

# Of the video, and of the model: the least that airplanes are rendered at.
HEIGHT, WIDTH, SIZE = 40, 56, 32
TFLITE, SAVED_MODEL = export.export_tflite, export.export_saved_model


def both(**data):
  return {'train_data': data, 'validation_data': data}


def head(**values):
  return {'model': {'head': values}}


SHORT = {
  'model': {'smoothing': {'window': 6}},
  'validation_data': {'feature_shape': [4, SIZE, SIZE, 3]},
}
EXPORTED: dict[str, tuple[dict, tuple[Callable, dict]]] = {
  'frames in [-1, 1], square, labels that are numbers, linear head': (
    {
      **both(zero_centering_image=True, resize='square', one_hot=False),
      **head(type='linear'),
      'losses': {'one_hot': False},
    },
    (TFLITE, {}),
  ),
  'frames in [-1, 1] that the model prepares itself, stock head': (
    {**both(zero_centering_image=True), **head(type='movinet')},
    (SAVED_MODEL, {'input_type': 'uint8'}),
  ),
  'frames in [-1, 1] in 16 bits, causal head': (
    {**both(zero_centering_image=True), **head(causal=True)},
    (TFLITE, {'quantization': 'float16'}),
  ),
  'evaluation clips shorter than a window': (SHORT, (TFLITE, {})),
  'segments of a whole video': (
    both(sampling='segments', frames_per_second=None),
    (TFLITE, {'kind': 'clip'}),
  ),
}
REFUSED: dict[str, tuple[dict, tuple[Callable, dict], str]] = {
  'gray frames': (
    both(feature_shape=[tiny.FRAMES, SIZE, SIZE, 1]),
    (TFLITE, {}),
    'feature_shape=.*read as RGB',
  ),
  'a stream of segments': (
    both(sampling='segments', frames_per_second=None),
    (TFLITE, {}),
    "sampling='segments'.*--kind=clip",
  ),
  'a SavedModel stream of segments': (
    both(sampling='segments', frames_per_second=None),
    (SAVED_MODEL, {'kind': 'stream'}),
    "sampling='segments'.*--kind=clip",
  ),
  'a stream of one frame': (
    {'validation_data': {'feature_shape': [1, SIZE, SIZE, 3]}},
    (TFLITE, {}),
    'feature_shape=.*at least 2 frames',
  ),
  'a head that runs less often than once in a clip': (
    {},
    (TFLITE, {'classify_every': tiny.FRAMES + 1}),
    'classify_every=7: expected 1 to the 6 frames',
  ),
}


def experiment(changes, path=''):
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  overrides = tiny.overrides(path, path)['task']
  shape = {
    'feature_shape': [tiny.FRAMES, SIZE, SIZE, 3],
    'min_image_size': SIZE + 4,
    'frames_per_second': 8,
  }
  for values in (both(**shape), changes):
    overrides = tiny.merged(overrides, values)
  params.override({'task': overrides}, is_strict=False)
  return params


def frames_of(path):
  """The frames of a record, as a video player would show them."""
  example = tf.train.SequenceExample.FromString(
    next(iter(tf.data.TFRecordDataset(path))).numpy()
  )
  return [
    tf.io.decode_jpeg(feature.bytes_list.value[0]).numpy()
    for feature in example.feature_lists.feature_list['image/encoded'].feature
  ]


@pytest.mark.parametrize('case', EXPORTED)
def test_an_exported_model_answers_as_evaluation_does(case, tmp_path):
  changes, (write, arguments) = EXPORTED[case]
  path = str(tmp_path / 'video.tfrecord')
  params = experiment(changes, path)
  params.validate()
  data = params.task.validation_data
  num_frames = data.feature_shape[0]
  rng = np.random.default_rng(0)
  with tf.io.TFRecordWriter(path) as writer:
    frames = rng.integers(0, 255, (num_frames, 5, 7, 3)).astype(np.uint8)
    frames = frames.repeat(HEIGHT // 5, axis=1).repeat(WIDTH // 7, axis=2)
    writer.write(tiny.record(frames, label=1))

  task = task_factory.get_task(params.task)
  model = task.build_model()
  tiny.move_weights(model, seed=0)
  checkpoint = tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path / 'ckpt')
  )
  features, _ = next(iter(task.build_inputs(data)))
  assert (np.min(features['image']) < 0) == data.zero_centering_image
  want = model(features, training=False)[0].numpy()

  folder = str(tmp_path / 'exported')
  write(params, checkpoint, folder, **arguments)
  opened = exported.open_model(folder)
  answers = [opened.step(frame) for frame in frames_of(path)]
  tolerance = 1e-2 if 'quantization' in arguments else 1e-4
  np.testing.assert_allclose(
    np.array(answers[-1]), want, rtol=0, atol=tolerance * np.abs(want).max()
  )


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_exported_is_refused_in_one_line(case, tmp_path):
  changes, (write, arguments), message = REFUSED[case]
  params = experiment(changes)
  with pytest.raises(ValueError, match=message) as error:
    params.validate()
    write(params, 'none', str(tmp_path / 'exported'), **arguments)
  assert '\n' not in str(error.value)
  assert not list(tmp_path.iterdir())
