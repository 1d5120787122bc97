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

"""A trained model starts another one, whose classes are others."""

import functools
import json

import numpy as np
from official.vision.configs import video_classification
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import weights as movinet_weights
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import source
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from tests import tiny

OTHER_CLASSES = 5
# One block is no evidence of which hard sigmoid its weights were trained with.
GATE = 'grw>hard_sigmoid'
MOBILENET = {
  'type': 'mobilenet_v3',
  'mobilenet_v3': {'size': 'tiny', 'window': 3},
}


@pytest.fixture(scope='module', autouse=True)
def registered():
  assert video_classification  # The configs of stock backbones.


# Models are built once for each configuration, written as JSON.
@functools.cache
def _built(num_classes: int, overrides: str) -> grw_model.GrwClassifier:
  if num_classes == tiny.CLASSES:
    return tiny.classifier(**json.loads(overrides))
  config = schema.GrwModel()
  config.override(json.loads(overrides))
  return grw_model.GrwClassifier(
    config,
    num_classes,
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
  )


def trained(**overrides):
  """A trained model; not to be changed."""
  return _built(tiny.CLASSES, json.dumps(overrides))


def for_other_classes(model, **overrides):
  """The model of the same configuration for other classes, drawn anew."""
  config = schema.GrwModel()
  config.override(model.get_config()['model_config'])
  config.override(overrides)
  ours = _built(OTHER_CLASSES, json.dumps(config.as_dict()))
  tiny.move_weights(ours, seed=9)  # Also after another test.
  return ours


def write(layout, model, folder):
  """Writes a model as a Trainer, or as a SavedModel with its variables."""
  if layout == 'trainer':
    tf.train.Checkpoint(
      model=model, global_step=tf.Variable(3), **model.checkpoint_items
    ).save(str(folder / 'ckpt'))
    return str(folder)
  if layout == 'tarball':
    return tf.train.Checkpoint(model=model).save(str(folder / 'ckpt'))
  module = tf.Module()
  module.v = list(model.variables)
  tf.saved_model.save(module, str(folder))
  return str(folder)


def assert_taken_but_for_the_classifier(ours, theirs, before):
  classifier = [v for v in ours.variables if '/classifier/' in v.name]
  assert 0 < len(classifier) <= 2
  for mine, other, old in zip(
    ours.variables, theirs.variables, before, strict=True
  ):
    if '/classifier/' in mine.name:
      np.testing.assert_array_equal(mine, old, err_msg=mine.name)
    else:
      np.testing.assert_array_equal(mine, other, err_msg=mine.name)


@pytest.mark.parametrize('layout', ['trainer', 'tarball', 'saved_model'])
def test_all_but_the_last_layer_comes_from_every_layout(layout, tmp_path):
  theirs = trained()
  ours = for_other_classes(theirs)
  before = ours.get_weights()
  report = initialization.initialize(
    ours, write(layout, theirs, tmp_path), 'all_but_classifier', GATE
  )
  assert_taken_but_for_the_classifier(ours, theirs, before)
  assert isinstance(report, assign.Report)
  assert report.weights.kind == layout
  assert report.initial == (
    'grw_head/classifier/kernel:0',
    'grw_head/classifier/bias:0',
  )
  text = str(report)
  assert 'all_but_classifier' in text
  assert '2 left at their initial value' in text
  assert '2 in the file only' in text and 'grw_head/classifier/kernel' in text


@pytest.mark.parametrize(
  'overrides',
  [
    {'head': {'type': 'movinet'}, 'smoothing': {'placement': 'none'}},
    {'head': {'type': 'linear'}},
    {'head': {'type': 'linear'}, 'smoothing': {'placement': 'intermediate'}},
    {'head': {'causal': True}},
    {'backbone': MOBILENET},
    {'backbone': MOBILENET, 'head': {'type': 'linear'}},
  ],
  ids=str,
)
def test_all_but_the_last_layer_of_every_head(overrides, tmp_path):
  theirs = trained(**overrides)
  ours = for_other_classes(theirs)
  before = ours.get_weights()
  said = str(
    initialization.initialize(
      ours, write('trainer', theirs, tmp_path), 'all_but_classifier', GATE
    )
  )
  assert_taken_but_for_the_classifier(ours, theirs, before)
  assert '/classifier/' in said and '2' in said


def test_a_head_that_the_file_does_not_have_stays_initial(tmp_path):
  theirs = trained(head={'type': 'movinet'}, smoothing={'placement': 'none'})
  ours = for_other_classes(
    theirs, head={'type': 'temporal'}, smoothing={'placement': 'final'}
  )
  report = initialization.initialize(
    ours, write('trainer', theirs, tmp_path), 'all_but_classifier', GATE
  )
  assert isinstance(report, assign.Report)
  heads = {name for name in report.initial if name.startswith('grw_')}
  assert heads == set(report.initial)
  assert len(heads) == len(ours.variables) - len(ours.backbone.variables)
  for mine, other in zip(ours.backbone.variables, theirs.backbone.variables):
    np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
  'backbone', [{}, MOBILENET], ids=['movinet', 'mobilenet_v3']
)
@pytest.mark.parametrize(
  'head, expected',
  [
    ({'embedding_dim': 16}, 'embedding_dim to 32'),
    ({'num_layers': 1}, 'file only.*The heads differ.*task.model.head'),
    ({'num_heads': 2}, 'has shape.*The heads differ'),
  ],
)
def test_another_head_is_refused_in_a_line(backbone, head, expected, tmp_path):
  theirs = trained(
    **({'backbone': backbone} if backbone else {}), head={'embedding_dim': 32}
  )
  ours = for_other_classes(theirs, head=head)
  before = ours.get_weights()
  with pytest.raises(ValueError, match=expected) as error:
    initialization.initialize(
      ours, write('trainer', theirs, tmp_path), 'all_but_classifier', GATE
    )
  assert '\n' not in str(error.value) and str(tmp_path) in str(error.value)
  for mine, old in zip(ours.get_weights(), before):
    np.testing.assert_array_equal(mine, old)


def test_weights_of_images_give_the_backbone_alone(tmp_path, monkeypatch):
  theirs = trained()
  weights = source.read(write('trainer', theirs, tmp_path))
  monkeypatch.setattr(movinet_weights.FoundMovinet, 'of_images', True)
  ours = for_other_classes(theirs)
  report = assign.assign(ours, weights, 'all_but_classifier')
  assert report.modules == 'backbone'
