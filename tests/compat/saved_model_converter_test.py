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

"""The converter writes what TensorFlow's does."""

import pytest
import tensorflow as tf

from official_ext.grw.compat import saved_model_converter

SPEC = tf.TensorSpec([1, 64], tf.float32, 'x')


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  folder = str(tmp_path_factory.mktemp('saved'))
  module = tf.Module()
  module.weights = tf.Variable(tf.random.normal([64, 64], seed=0))

  @tf.function(input_signature=[SPEC])
  def first(x):
    return {'y': x @ module.weights}

  @tf.function(input_signature=[SPEC])
  def second(x):
    return {'z': tf.nn.relu(x) @ module.weights}

  tf.saved_model.save(module, folder, {'first': first, 'second': second})
  return folder


@pytest.mark.parametrize('names', [['first', 'second'], ['second']])
@pytest.mark.parametrize('in_16_bits', [False, True])
def test_files_are_the_same_as_tensorflow_writes(folder, names, in_16_bits):
  contents = []
  for converter in (
    tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names),
    saved_model_converter.SavedModelConverter(folder, names),
  ):
    if in_16_bits:
      converter.optimizations = [tf.lite.Optimize.DEFAULT]
      converter.target_spec.supported_types = [tf.float16]
    contents.append(converter.convert())
  assert contents[0] == contents[1]
