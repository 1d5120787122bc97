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

"""The smallest of the MoViNet family, as its files configure it, runs."""

import pathlib

import numpy as np
from official.core import exp_factory
from official.modeling import hyperparams
from official.vision.modeling import factory_3d
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.modeling import streaming

CONFIGS = pathlib.Path(__file__).parents[3] / 'configs'
# Half a second of video suffices for the layers, and a window for the loss.
FRAMES, SIZE = 6, 32


def t0(kind):
  """A model of a file, of 3 classes, that lets frames pass through time."""
  config = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_kinetics600'),
    str(CONFIGS / f'movinet_t0_{kind}_grw_k600.yaml'),
    is_strict=True,
  )
  config.validate()
  model = factory_3d.build_model(
    config.task.model.model_type,
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config.task.model,
    3,
  )
  rng = np.random.default_rng(0)
  for variable in model.variables:
    if 'scale' in variable.name:
      variable.assign(rng.uniform(0.2, 0.8, variable.shape))
  return model, rng.random((1, FRAMES, SIZE, SIZE, 3), np.float32)


def test_t0_stream_trains_and_streams():
  model, clips = t0('stream')
  with tf.GradientTape() as tape:
    logits = model({'image': clips}, training=True)
    loss = tf.add_n(model.losses) - tf.nn.log_softmax(logits)[0, 2]
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
  tf_keras.optimizers.SGD(1e-2).apply_gradients(
    zip(gradients, model.trainable_variables)
  )

  stream = streaming.StreamingClassifier(model, FRAMES)
  states = stream.init_states(clips.shape)
  for begin, end in ((0, 1), (1, 4), (4, 6)):
    logits, states = stream({**states, 'image': clips[:, begin:end]})
  np.testing.assert_allclose(logits, model({'image': clips}), atol=1e-4)


def test_t0_base_classifies_clips_alone():
  model, clips = t0('base')
  assert model({'image': clips}).shape == (1, 3)
  with pytest.raises(ValueError, match='T0 Base.*cannot stream'):
    streaming.StreamingClassifier(model, FRAMES)
