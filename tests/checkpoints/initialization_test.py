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

"""Initialization of models whose backbone is no MoViNet, as stock tasks do."""

import numpy as np
from official.modeling.optimization import ema_optimizer
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import initialization


class Classifier(tf_keras.Model):
  """A backbone that is no MoViNet, and a dense layer."""

  def __init__(self, classes: int, seed: int):
    super().__init__()
    tf_keras.utils.set_random_seed(seed)
    self.backbone = tf_keras.Sequential(
      [tf_keras.layers.Conv3D(4, 3, input_shape=(4, 8, 8, 3))]
    )
    self.classifier = tf_keras.layers.Dense(classes)
    self(tf.zeros((1, 4, 8, 8, 3)))

  def call(self, inputs):
    return self.classifier(tf.reduce_mean(self.backbone(inputs), [1, 2, 3]))


def saved(model: Classifier, folder) -> str:
  return tf.train.Checkpoint(model=model, backbone=model.backbone).save(
    str(folder / 'ckpt')
  )


@pytest.mark.parametrize('modules', ['backbone', 'all'])
def test_other_backbones_are_read_object_by_object(modules, tmp_path):
  theirs, ours = Classifier(5, seed=0), Classifier(5, seed=1)
  before = ours.classifier.kernel.numpy()
  saved(theirs, tmp_path)
  said = initialization.initialize(ours, str(tmp_path), modules)
  assert {'backbone': 'the backbone', 'all': 'the whole'}[modules] in str(said)
  assert str(tmp_path) in str(said)
  for mine, other in zip(ours.backbone.variables, theirs.backbone.variables):
    np.testing.assert_array_equal(mine, other)
  np.testing.assert_array_equal(
    ours.classifier.kernel,
    theirs.classifier.kernel if modules == 'all' else before,
  )


@pytest.mark.parametrize('modules', ['backbone', 'all'])
def test_of_a_trainers_moving_averages_are_read(modules, tmp_path):
  theirs, ours = Classifier(5, seed=0), Classifier(5, seed=1)
  optimizer = ema_optimizer.ExponentialMovingAverage(
    tf_keras.optimizers.legacy.SGD(0.5), average_decay=0.9
  )
  optimizer.shadow_copy(theirs)
  for _ in range(2):
    optimizer.apply_gradients(
      [(tf.ones_like(v), v) for v in theirs.trainable_variables]
    )
  tf.train.Checkpoint(
    model=theirs, backbone=theirs.backbone, optimizer=optimizer
  ).save(str(tmp_path / 'ckpt'))
  said = initialization.initialize(ours, str(tmp_path), modules)
  assert 'moving averages' in str(said)
  read, saved_ = (
    (ours.variables, theirs.variables)
    if modules == 'all'
    else (ours.backbone.variables, theirs.backbone.variables)
  )
  for mine, other in zip(read, saved_, strict=True):
    np.testing.assert_array_equal(mine, optimizer.get_slot(other, 'average'))
    assert not np.array_equal(mine, other)


def test_a_checkpoint_of_another_model_is_refused_in_a_line(tmp_path):
  saved(Classifier(4, seed=0), tmp_path)
  with pytest.raises(
    ValueError, match='does not hold the whole model'
  ) as error:
    initialization.initialize(Classifier(5, seed=0), str(tmp_path), 'all')
  message = str(error.value)
  assert str(tmp_path) in message and '\n' not in message
  assert 'init_checkpoint_modules' in message


def test_a_folder_without_checkpoint_is_named(tmp_path):
  with pytest.raises(ValueError, match='no checkpoint') as error:
    initialization.initialize(Classifier(5, seed=0), str(tmp_path))
  assert str(tmp_path) in str(error.value)
