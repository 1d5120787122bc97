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

"""A model in another one is not run to learn what it returns."""

import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import nested_models


class Counted(tf_keras.layers.Dense):
  """Counts how often it is run."""

  calls = 0

  def call(self, inputs):
    self.calls += 1
    return super().call(inputs)


@pytest.fixture(name='inner')
def inner_fixture():
  inputs = tf_keras.Input([4], name='inputs')
  counted = Counted(3)
  return tf_keras.Model({'image': inputs}, {'last': counted(inputs)}), counted


def test_inputs_of_another_name_are_known(inner):
  model, counted = inner
  image = tf_keras.Input([4], name='image')
  with nested_models.outputs_known(model):
    outputs = model({'image': image})
  assert counted.calls == 1
  assert outputs['last'].shape == (None, 3)
  # And the model of both computes what the inner one does.
  outer = tf_keras.Model(image, outputs)
  clips = tf.random.stateless_uniform([2, 4], [0, 0])
  tf.debugging.assert_equal(
    outer(clips)['last'], model({'image': clips})['last']
  )


@pytest.mark.parametrize(
  'shape, dtype', [([4], tf.float64), ([None], tf.float32)]
)
def test_what_inputs_of_another_kind_become_is_inferred(inner, shape, dtype):
  model, counted = inner
  image = tf_keras.Input(shape, dtype=dtype, name='image')
  with nested_models.outputs_known(model):
    model({'image': image})
  assert counted.calls == 2
  # As it was before.
  assert '_infer_output_signature' not in vars(model)
