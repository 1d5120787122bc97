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

"""An exported clip model answers as the model does, or is not there."""

import numpy as np
from official.core import exp_factory
from official.projects.movinet.modeling import movinet
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.configs import grw as grw_cfg
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import saved_model

movinet.BLOCK_SPECS.setdefault('grw_export_tiny', (
    movinet.StemSpec(filters=8, kernel_size=movinet.K13, strides=movinet.S12),
    movinet.MovinetBlockSpec(
        base_filters=8, expand_filters=(16,), kernel_sizes=(movinet.K33,),
        strides=(movinet.S12,)),
    movinet.HeadSpec(project_filters=16, head_filters=16)))


def clips(batch=2, frames=10, size=32):
  return tf.random.stateless_uniform([batch, frames, size, size, 3], [1, 2])


@pytest.fixture(name='model', scope='module')
def model_fixture():
  config = grw_cfg.GrwModel(
      backbone=grw_cfg.movinet_backbone('grw_export_tiny', stream=True))
  return grw_model.GrwClassifier(
      config, 5, tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]))


@pytest.fixture(name='exported', scope='module')
def exported_fixture(model, tmp_path_factory):
  path = tmp_path_factory.mktemp('export') / 'clip'
  saved_model.export_clip_model(model, str(path), clips())
  return path


def test_any_batch_length_and_size_will_do(model, exported):
  serve = tf.saved_model.load(str(exported)).signatures['serving_default']
  for shape in ((1, 5, 32), (3, 17, 48)):
    image = clips(*shape)
    np.testing.assert_allclose(
        serve(image=image)['logits'], model({'image': image}), atol=1e-5)


def test_exported_graph_holds_no_copy_of_the_weights(exported):
  graph = tf.saved_model.load(str(exported)).signatures[
      'serving_default'].graph.as_graph_def()
  size = len(graph.SerializeToString())
  assert size < 1e6


def test_a_folder_in_use_is_left_alone(model, exported):
  before = sorted(path.name for path in exported.iterdir())
  with pytest.raises(saved_model.ExportError, match='exists'):
    saved_model.export_clip_model(model, str(exported), clips())
  assert sorted(path.name for path in exported.iterdir()) == before


def test_a_difference_fails_and_leaves_nothing(model, tmp_path, monkeypatch):
  monkeypatch.setattr(saved_model, 'MAX_DIFFERENCE', -1.0)
  with pytest.raises(saved_model.ExportError, match='differs'):
    saved_model.export_clip_model(model, str(tmp_path / 'clip'), clips())
  assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_model_is_refused(model, tmp_path):
  checkpoint = tf.train.Checkpoint(
      model=model, **model.checkpoint_items).save(str(tmp_path / 'ckpt'))
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  with pytest.raises(ValueError):
    saved_model.build_trained_model(params, checkpoint)
