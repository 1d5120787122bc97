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

"""A MoViNet-A3 is exported with every weight in its place.

Its positional encodings have variables of one name and one shape.  All widths
are A3's, and of each block the first layers: 11 of its 33 encodings, more than
the ten whose numbers sort as their names do.
"""

import dataclasses

import numpy as np
from official.projects.movinet.modeling import movinet
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import schema
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import tflite
from tests import tiny

FRAMES, SIZE, CLASSES = 4, 64, 5
LAYERS = 3, 2, 2, 2, 2
VIDEO = np.random.default_rng(0).integers(
  0, 256, (1, FRAMES, SIZE, SIZE, 3), np.uint8
)


def shortened(blocks):
  layers = iter(LAYERS)
  for block in blocks:
    if isinstance(block, movinet.MovinetBlockSpec):
      number = next(layers)
      block = dataclasses.replace(
        block,
        **{
          name: getattr(block, name)[:number]
          for name in ('expand_filters', 'kernel_sizes', 'strides')
        },
      )
    yield block


movinet.BLOCK_SPECS['a3_short'] = tuple(shortened(movinet.BLOCK_SPECS['a3']))


def make_distinct(model: tf_keras.Model):
  """Moves every number a little, so that no two variables are alike."""
  rng = np.random.default_rng(1)
  for variable in model.variables:
    value = variable.numpy()
    if variable.shape.rank == 0:  # Of positions and ReZero, zero at first.
      value = rng.uniform(0.2, 0.8)
    noise = 1 + 0.1 * rng.uniform(-1, 1, variable.shape)
    variable.assign(value * noise + 1e-3 * rng.uniform(0, 1, variable.shape))


@pytest.fixture(name='model', scope='module')
def model_fixture():
  tf_keras.utils.set_random_seed(0)
  backbone = movinet_config.published('a3', stream=True)
  backbone.movinet.model_id = 'a3_short'
  model = grw_model.GrwClassifier(
    schema.GrwModel(backbone=backbone),
    CLASSES,
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
  )
  make_distinct(model)
  scales = [
    float(variable)
    for variable in model.backbone.variables
    if variable.name == 'scale:0'
  ]
  assert len(set(scales)) == len(scales) == sum(LAYERS)
  return model


def test_the_file_of_an_a3_stream_answers_as_the_clip_model(model, tmp_path):
  data = tiny.evaluation_data(FRAMES, SIZE, CLASSES)
  # Holds the stream against the clip model, and the file against the stream.
  written = tflite.export_stream(model, str(tmp_path), data, VIDEO)
  assert written.difference < 1e-5
  frames = VIDEO[0] / np.float32(255)
  stream = tflite_stream.TfliteStream(str(tmp_path / tflite_stream.MODEL_FILE))
  for frame in frames:
    logits = stream.step(frame)
  want = model({'image': tf.constant(frames[np.newaxis])}, training=False)[0]
  np.testing.assert_allclose(
    logits, want, rtol=0, atol=1e-5 * np.abs(want).max()
  )
