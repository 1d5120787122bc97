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

"""Weights of an image ViT go where they belong, or not at all."""

import functools

import numpy as np
from official.vision.modeling import classification_model
from official.vision.modeling.backbones import mobilenet
from official.vision.ops import preprocess_ops
import pytest
import tensorflow as tf

from official_ext.grw.backbones.vit_frames import config as vit_config
from official_ext.grw.backbones.vit_frames import model as vit_frames
from official_ext.grw.checkpoints import initialization
from tests import tiny
from tests.backbones.vit_frames import model_test

SIZE = model_test.TINY['image_size']
FIELD = 'task.model.backbone.vit_frames'


class VideoClassifier(tf.Module):
  """As much of a classifier as initialization reads."""

  def __init__(self, **fields):
    super().__init__()
    config = vit_config.ViTFrames(**{**model_test.TINY, **fields})
    self.backbone = vit_frames.ViTFrames(config)


@functools.cache
def video(pooler='token'):
  return VideoClassifier(pooler=pooler)


def image_classifier(**fields):
  """The Model Garden's, with no weight at its initial value."""
  backbone = model_test.image_network(**fields)
  model = classification_model.ClassificationModel(
    backbone, 10, backbone.inputs[0].type_spec
  )
  tiny.move_weights(model, 3)
  return model


def write(model, folder, layout='trainer'):
  items = model.checkpoint_items if layout == 'trainer' else {}
  return tf.train.Checkpoint(model=model, **items).save(str(folder / 'ckpt'))


def features(model):
  """Of the images of a clip, [images, D]."""
  clips = model_test.videos()
  images = preprocess_ops.normalize_image(
    clips.reshape(-1, SIZE, SIZE, 3),
    preprocess_ops.MEAN_NORM,
    preprocess_ops.STDDEV_NORM,
  )
  return model.backbone(images)['pre_logits'].numpy()[:, 0, 0]


@pytest.mark.parametrize(
  'pooler, layout',
  [('token', 'trainer'), ('token', 'model'), ('gap', 'trainer')],
)
def test_each_frame_has_the_features_of_its_image(pooler, layout, tmp_path):
  model = image_classifier(pooler=pooler)
  path = write(model, tmp_path, layout)
  said = str(initialization.initialize(video(pooler), path))
  assert said == f'Loaded the backbone from {path}.'
  want = features(model)
  got = video(pooler).backbone({'image': model_test.videos()})['head']
  np.testing.assert_allclose(
    np.reshape(got, want.shape), want, rtol=0, atol=1e-6 * np.abs(want).max()
  )
  assert np.std(want, axis=0).max() > 0.01


def test_the_layer_before_the_classes_is_left_out(tmp_path):
  model = image_classifier(representation_size=12)
  path = write(model, tmp_path)
  said = str(initialization.initialize(video(), path))
  assert 'without its dense layer before the classes (pre_logits)' in said
  for mine, other in zip(
    video().backbone.get_weights(), model.backbone.get_weights()
  ):
    np.testing.assert_array_equal(mine, other)
  assert len(model.backbone.weights) == len(video().backbone.weights) + 2


def test_our_own_checkpoints_are_read(tmp_path):
  theirs = VideoClassifier()
  tiny.move_weights(theirs.backbone, 5)
  tf.train.Checkpoint(backbone=theirs.backbone).save(str(tmp_path / 'ckpt'))
  initialization.initialize(video(), str(tmp_path))
  for mine, other in zip(
    video().backbone.get_weights(), theirs.backbone.get_weights(), strict=True
  ):
    np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
  'fields, message',
  [
    (
      {'image_size': 48},
      rf'image_size is 48 there and 32 here. Set {FIELD}.image_size to 48.',
    ),
    (
      {'patch_size': 16, 'image_size': 64},
      'patch_size is 16 there and 8 here, image_size is 64 there and 32 here',
    ),
    (
      {'hidden_size': 24},
      f'hidden_size is 24 there and 16 here. Set {FIELD}.hidden_size to 24',
    ),
    ({'num_layers': 1}, 'num_layers is 1 there and 2 here'),
    ({'num_heads': 4}, 'num_heads is 4 there and 2 here'),
    ({'mlp_dim': 20}, 'mlp_dim is 20 there and 24 here'),
    ({'pooler': 'gap'}, f'pooler is gap there.* Set {FIELD}.pooler to gap.'),
    ({'layer_scale_init_value': 0.1}, r'holds no ViT.* without layer scale'),
    ({'height': 16}, 'with 8 patches, which are not square'),
  ],
)
def test_another_vit_is_refused_in_a_line(fields, message, tmp_path):
  path = write(image_classifier(**fields), tmp_path)
  before = video().backbone.get_weights()
  with pytest.raises(ValueError, match=message) as error:
    initialization.initialize(video(), path)
  assert path in str(error.value) and '\n' not in str(error.value)
  for mine, value in zip(video().backbone.get_weights(), before):
    np.testing.assert_array_equal(mine, value)


def test_a_variant_is_named(tmp_path, monkeypatch):
  numbers = {**model_test.TINY, 'num_layers': 1}
  path = write(image_classifier(**numbers), tmp_path)
  del numbers['image_size']
  monkeypatch.setitem(vit_config.VARIANTS, 'x8', numbers)
  with pytest.raises(
    ValueError,
    match=r'holds a ViT-X8 \(image_size 32, pooler token\).*'
    f"Set {FIELD}.variant to 'x8', which has these num_layers",
  ):
    initialization.initialize(video(), path)


def test_what_is_no_vit_is_refused(tmp_path):
  model = classification_model.ClassificationModel(
    mobilenet.MobileNet('MobileNetV3Tiny'), 3
  )
  path = write(model, tmp_path)
  with pytest.raises(ValueError, match='holds no ViT.* 7 layers.* 3 are'):
    initialization.initialize(video(), path)
  with pytest.raises(ValueError, match='cannot be read.*absent'):
    initialization.initialize(video(), str(tmp_path / 'absent'))
