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

"""Claims about several views of a video, on real TFRecords."""

import pathlib

import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import video_input
from tests import tiny  # noqa: F401  # Registers the tiny network.

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
N, SIZE = 4, 16


@pytest.fixture(name='path', scope='module')
def path_fixture(tmp_path_factory):
  """Two videos whose frame t has the shade 8 t, brighter to the right."""
  path = str(tmp_path_factory.mktemp('views') / 'a')
  with tf.io.TFRecordWriter(path) as writer:
    for label, frames in enumerate((24, 3)):
      shades = 8 * np.arange(frames, dtype=np.uint8)
      video = np.tile(shades[:, None, None, None], (1, SIZE, 3 * SIZE, 3))
      video[:, :, SIZE : 2 * SIZE, 1] += 4
      video[:, :, 2 * SIZE :, 2] += 4
      record = tf.train.SequenceExample()
      record.context.feature['clip/label/index'].int64_list.value.append(label)
      images = record.feature_lists.feature_list['image/encoded']
      for frame in video:
        images.feature.add().bytes_list.value.append(
          tf.io.encode_png(frame).numpy()
        )
      writer.write(record.SerializeToString())
  return path


def data(path, **values):
  return schema.DataConfig(
    **{
      'input_path': path,
      'feature_shape': (N, SIZE, SIZE, 3),
      'min_image_size': SIZE,
      'num_classes': 2,
      'global_batch_size': 2,
      'is_training': False,
      'drop_remainder': False,
      **values,
    }
  )


def views(params):
  """Of each view: its frames' numbers, which third it is, how many count."""
  [(features, _)] = video_input.build_video_dataset(params)
  image = np.rint(255 * features['image'].numpy()).astype(int)
  middle = image[:, :, SIZE // 2, SIZE // 2]
  thirds = np.where(
    middle[:, 0, 1] > middle[:, 0, 0],
    1,
    np.where(middle[:, 0, 2] > middle[:, 0, 0], 2, 0),
  )
  return (
    (middle[..., 0] // 8).tolist(),
    thirds.tolist(),
    features[feature_names.NUM_FRAMES].numpy().tolist(),
  )


def test_clips_of_segments_are_shifted_within_each(path):
  frames, thirds, counts = views(
    data(path, sampling='segments', num_test_clips=3)
  )
  # Segments of six frames: the middles of three parts of two frames.
  assert frames[:3] == [[1, 7, 13, 19], [3, 9, 15, 21], [5, 11, 17, 23]]
  # A short video has nothing to shift.
  assert frames[3:] == [[0, 1, 2, 0]] * 3
  assert thirds == [1] * 6
  assert counts == [N] * 3 + [3] * 3


@pytest.mark.parametrize('sampling', ['segments', 'dense'])
def test_each_clip_has_three_crops(path, sampling):
  params = data(path, sampling=sampling, num_test_clips=4, num_test_crops=3)
  frames, thirds, counts = views(params)
  assert len(frames) == 2 * 12
  for video in (0, 12):
    # Crop by crop, each with all clips.
    clips = frames[video : video + 4]
    assert frames[video : video + 12] == clips * 3
    assert thirds[video : video + 12] == [0] * 4 + [1] * 4 + [2] * 4
  assert len({tuple(clip) for clip in frames[:4]}) == 4
  assert (
    frames[0] == {'segments': [0, 6, 12, 18], 'dense': [0, 1, 2, 3]}[sampling]
  )
  assert (
    frames[3]
    == {
      'segments': [5, 11, 17, 23],
      'dense': [20, 21, 22, 23],
    }[sampling]
  )
  assert counts == [N] * 12 + [3] * 12


class _Shade(tf_keras.Model):
  """Logits that differ much from view to view."""

  def call(self, inputs, training=False):
    image = tf.reduce_mean(inputs['image'], [1, 2, 3])
    return tf.stack(
      [20 * image[:, 0] - 3, 200 * (image[:, 1] - image[:, 0])], 1
    )


@pytest.mark.parametrize('average', ['probabilities', 'logits'])
@pytest.mark.parametrize('several', [False, True])
def test_views_are_averaged_as_the_config_says(path, average, several):
  params = data(
    path,
    sampling='segments',
    num_test_clips=2,
    num_test_crops=3,
    view_average=average,
    is_multilabel=several,
  )
  config = exp_factory.get_exp_config('movinet_grw_airplanes').task
  config.model.backbone.movinet.model_id = 'tiny'
  config.model.smoothing.window = 3
  config.validation_data = params
  config.train_data.override({'num_classes': 2, 'is_multilabel': several})
  task = task_factory.get_task(config)
  [(features, _)] = task.build_inputs(params)
  model = _Shade()
  found = task.inference_step(features, model)
  logits = model(features).numpy().reshape(2, 6, 2)
  assert logits.std(axis=1).max() > 1

  def activation(values):
    return (tf.sigmoid if several else tf.nn.softmax)(values).numpy()

  expected = (
    activation(logits.mean(axis=1))
    if average == 'logits'
    else activation(logits).mean(axis=1)
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
  'file, experiment, clips, crops, average, side',
  [
    ('videofocalnet_t_k400', 'videofocalnet', 4, 3, 'probabilities', 224),
    ('videofocalnet_b_ssv2', 'videofocalnet_grw', 4, 3, 'probabilities', 224),
    ('posmlp_video_s16_k400', 'posmlp_video_grw', 4, 1, 'logits', 256),
    ('posmlp_video_b16_ssv2', 'posmlp_video', 1, 3, 'logits', 224),
    ('movinet_a0_stream_grw_k400', 'movinet_grw', 1, 1, 'probabilities', 200),
  ],
)
def test_published_rows_are_evaluated_as_published(
  file, experiment, clips, crops, average, side
):
  config = exp_factory.get_exp_config(f'{experiment}_kinetics400')
  config = hyperparams.override_params_dict(
    config, str(CONFIGS / f'{file}.yaml'), is_strict=True
  )
  config.validate()
  evaluated = config.task.validation_data
  assert (
    evaluated.num_test_clips,
    evaluated.num_test_crops,
    evaluated.view_average,
    evaluated.min_image_size,
  ) == (clips, crops, average, side)
