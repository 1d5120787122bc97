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

"""Whatever variables are called and ordered, each finds its own counterpart."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.backbones import same_structure
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from tests import tiny
from tests.backbones.vit_frames import model_test as vit_test

BACKBONES = {
  'positions': {
    'movinet': {'model_id': 'tiny_deep', 'use_positional_encoding': True}
  },
  'base frame': {
    'type': 'mobilenet_v3',
    'mobilenet_v3': {'size': 'tiny', 'window': 3},
  },
  'shift': {
    'type': 'mobilenet_v3',
    'mobilenet_v3': {'size': 'tiny', 'temporal': 'shift'},
  },
  'blocks in a layer': {'type': 'vit_frames', 'vit_frames': vit_test.TINY},
}


def with_states(model: grw_model.GrwClassifier) -> tf_keras.Model:
  config = schema.GrwModel()
  config.override(model.get_config()['model_config'])
  config.backbone = families.with_states(config.backbone)
  return grw_model.build_backbone(
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]), config
  )


def number_variables(model: tf_keras.Model):
  """Fills every variable with a number of its own."""
  for number, variable in enumerate(model.variables):
    variable.assign(tf.fill(variable.shape, float(number)))


def by_place(model: tf_keras.Model, folder) -> dict[str, np.ndarray]:
  """The values as TensorFlow's own checkpoints find them."""
  path = tf.train.Checkpoint(model=model).write(str(folder))
  return {
    key: value
    for key, value in tiny.read_checkpoint(path).items()
    if key.endswith('VARIABLE_VALUE')
  }


@pytest.mark.parametrize('name', BACKBONES)
def test_every_variable_gets_the_value_of_its_own_place(name, tmp_path):
  source = tiny.classifier(backbone=BACKBONES[name])
  target = with_states(source)
  number_variables(source.backbone)
  same_structure.copy_weights(source.backbone, target)
  want = by_place(source.backbone, tmp_path / 'source')
  got = by_place(target, tmp_path / 'target')
  assert len({float(np.ravel(value)[0]) for value in want.values()}) == len(
    source.backbone.variables
  )
  assert len(want) == len(source.backbone.variables)
  assert got.keys() == want.keys()
  for key, value in want.items():
    np.testing.assert_array_equal(got[key], value, err_msg=key)
  for layer, other in same_structure.paired_layers(source.backbone, target):
    for ours, theirs in zip(layer.variables, other.variables):
      np.testing.assert_array_equal(ours, theirs, err_msg=layer.name)


def test_the_positions_of_three_layers_have_one_name():
  """What the first case above is about."""
  model = tiny.classifier(backbone=BACKBONES['positions'])
  names = [variable.name for variable in model.backbone.variables]
  assert names.count('scale:0') == 3


def chain(*layers: tf_keras.layers.Layer) -> tf_keras.Model:
  x = inputs = tf_keras.Input([4])
  for layer in layers:
    x = layer(x)
  return tf_keras.Model(inputs, x, name='chain')


def dense(name, units=4, **kwargs):
  return tf_keras.layers.Dense(units, name=name, **kwargs)


@pytest.mark.parametrize(
  'target, message',
  [
    ([dense('a'), dense('c')], 'is b and c'),
    ([dense('b'), dense('a')], 'is a and b'),
    ([dense('a')], "'b/.*the second has none"),
    ([dense('a'), dense('b', 5)], r"'b/.*\(4, 5\) of the second"),
    ([dense('a'), dense('b'), dense('d')], "'d/.*in the second alone"),
    ([dense('a'), dense('b', use_bias=False)], "'b/bias.*second has none"),
    (
      [dense('a'), tf_keras.layers.LayerNormalization(name='b')],
      "'b/.*the second has none",
    ),
  ],
)
def test_networks_that_differ_are_refused_whole(target, message):
  source, target = chain(dense('a'), dense('b')), chain(*target)
  number_variables(source)
  before = [variable.numpy() for variable in target.variables]
  with pytest.raises(ValueError, match=message):
    same_structure.copy_weights(source, target)
  for variable, value in zip(target.variables, before):
    np.testing.assert_array_equal(variable, value)


def test_numbers_that_keras_adds_do_not_matter():
  tf_keras.layers.Dense(4)  # One more in this process.
  source = chain(tf_keras.layers.Dense(4), tf_keras.layers.Dense(4))
  target = chain(tf_keras.layers.Dense(4), tf_keras.layers.Dense(4))
  number_variables(source)
  same_structure.copy_weights(source, target)
  assert [float(np.ravel(v)[0]) for v in target.variables] == [0, 1, 2, 3]
