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

"""Weights of an image classifier go where they belong, or not at all."""

import functools

import numpy as np
from official.vision.modeling import classification_model
from official.vision.modeling.backbones import mobilenet
from official.vision.ops import preprocess_ops
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_v3
from official_ext.grw.checkpoints import initialization
from tests import tiny  # noqa: F401  # Registers a network.

SIZE = 32
MODEL_ID = 'MobileNetV3Tiny'


class VideoClassifier(tf.Module):
  """As much of a classifier as initialization reads."""

  def __init__(self, **backbone):
    super().__init__()
    self.backbone = mobilenet_v3.MobileNetV3(MODEL_ID, **backbone)


@functools.cache
def images():
  coarse = np.random.default_rng(0).random((8, 6, 6, 3))
  return tf.image.resize(coarse, (SIZE, SIZE)).numpy()


def normalized():
  return preprocess_ops.normalize_image(
    images(), preprocess_ops.MEAN_NORM, preprocess_ops.STDDEV_NORM
  )


def image_classifier(width=1.0, model_id=MODEL_ID):
  """The Model Garden's, with statistics as if it had been trained."""
  tf_keras.utils.set_random_seed(2)
  backbone = mobilenet.MobileNet(model_id, width, norm_momentum=0.0)
  model = classification_model.ClassificationModel(backbone, 10)
  model(normalized(), training=True)
  return model


@pytest.fixture(name='trained', scope='module')
def trained_fixture(tmp_path_factory):
  """An image classifier, and its checkpoints in both layouts."""
  model = image_classifier()
  folder = tmp_path_factory.mktemp('images')
  paths = {
    'model': tf.train.Checkpoint(model=model).save(
      str(folder / 'model' / 'ckpt')
    ),
    'trainer': tf.train.Checkpoint(
      model=model,
      optimizer=tf_keras.optimizers.Adam(),
      **model.checkpoint_items,
    ).save(str(folder / 'trainer' / 'ckpt')),
  }
  return model, paths


@pytest.mark.parametrize('layout', ['model', 'trainer'])
@pytest.mark.parametrize('temporal', ['base_frame', 'none'])
def test_a_still_video_has_the_features_of_its_image(trained, layout, temporal):
  model, paths = trained
  video = VideoClassifier(temporal=temporal)
  said = str(initialization.initialize(video, paths[layout]))
  assert ('spread over 6' in said) == (temporal == 'base_frame')
  still = np.repeat(images()[:, np.newaxis], 4, axis=1)
  found = video.backbone({'image': still})['head']
  want = model.backbone(normalized())['4'].numpy()
  for frame in range(4):
    np.testing.assert_allclose(
      found[:, frame], want, rtol=0, atol=1e-5 * np.abs(want).max()
    )
  assert np.std(want, axis=0).max() > 0.1


def test_a_shifted_network_has_the_weights_of_the_image_networks(trained):
  model, paths = trained
  video = VideoClassifier(temporal='shift')
  initialization.initialize(video, paths['trainer'])
  for mine, other in zip(
    video.backbone.get_weights(), model.backbone.get_weights(), strict=True
  ):
    np.testing.assert_array_equal(mine, other)


def test_our_own_checkpoints_are_read(trained, tmp_path):
  theirs = VideoClassifier(temporal='base_frame')
  initialization.initialize(theirs, trained[1]['trainer'])
  theirs.backbone.variables[0].assign_add(
    tf.random.stateless_normal(theirs.backbone.variables[0].shape, (1, 2))
  )
  path = tf.train.Checkpoint(backbone=theirs.backbone).save(
    str(tmp_path / 'ckpt')
  )
  ours = VideoClassifier(temporal='base_frame')
  said = str(initialization.initialize(ours, str(tmp_path)))
  assert path in said
  for mine, other in zip(ours.backbone.variables, theirs.backbone.variables):
    np.testing.assert_array_equal(mine, other)
  with pytest.raises(ValueError, match="temporal='none' takes weights of 3"):
    initialization.initialize(VideoClassifier(temporal='none'), path)


@pytest.mark.parametrize(
  'width, model_id, difference',
  [
    (2.0, MODEL_ID, r'layer 0 has weights of shape .*16.* is expected'),
    (1.0, 'MobileNetV3Small', '14 layers with weights, and 7 are expected'),
  ],
)
def test_another_width_or_size_is_refused(
  width, model_id, difference, tmp_path
):
  path = tf.train.Checkpoint(model=image_classifier(width, model_id)).save(
    str(tmp_path / 'ckpt')
  )
  video = VideoClassifier()
  before = video.backbone.get_weights()
  with pytest.raises(ValueError, match=difference) as error:
    initialization.initialize(video, path)
  message = str(error.value)
  assert path in message and '\n' not in message
  assert f'holds no {MODEL_ID} of width_multiplier=1:' in message
  for mine, value in zip(video.backbone.get_weights(), before):
    np.testing.assert_array_equal(mine, value)


def test_what_holds_no_backbone_is_refused(tmp_path):
  video = VideoClassifier()
  path = tf.train.Checkpoint(
    model=tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))])
  ).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match='has no backbone'):
    initialization.initialize(video, path)
  with pytest.raises(ValueError, match='cannot be read.*absent'):
    initialization.initialize(video, str(tmp_path / 'absent'))
