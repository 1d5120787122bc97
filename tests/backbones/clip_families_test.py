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
"""Video-FocalNet and PosMLP-Video do with GRW all that MoViNet does."""

import functools

from ai_edge_litert import interpreter as litert
import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import airplanes
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests.backbones.posmlp_video import model_test as posmlp_video_test
from tests.backbones.videofocalnet import model_test as videofocalnet_test

ANY = tf_keras.layers.InputSpec(shape=[None, None, None, None, 3])
FRAMES, SIZE, CLASSES = 6, 32, 3
# A tiny network, and the rate at which the warm-up begins: a few steps are all
# in it, and the published ones are too small to see.
FAMILIES: dict[str, tuple[dict, float]] = {
  'videofocalnet': (videofocalnet_test.TINY, 0.1),
  'posmlp_video': (posmlp_video_test.TINY, 1e-3),
}


def experiment(family, **smoothing):
  """The published recipe, on rendered airplanes and a tiny network."""
  tiny, rate = FAMILIES[family]
  params = exp_factory.get_exp_config(f'{family}_grw_kinetics400')
  data = {
    'num_classes': CLASSES,
    'feature_shape': (FRAMES, SIZE, SIZE, 3),
    'min_image_size': SIZE,
  }
  params.override(
    {
      'task': {
        'model': {
          'backbone': {family: tiny},
          'smoothing': {'window': 3, **smoothing},
          'head': {'num_layers': 1, 'num_heads': 2},
        },
        'train_data': data,
        # One view of each clip.
        'validation_data': {**data, 'num_test_clips': 1, 'num_test_crops': 1},
      },
      'trainer': {
        'optimizer_config': {
          'warmup': {'linear': {'warmup_learning_rate': rate}}
        }
      },
    }
  )
  params.validate()
  return params


def airplane_clips():
  """Four clips [4, N, S, S, 3] uint8 and their one-hot labels."""
  settings = airplanes.AirplanesConfig(num_frames=FRAMES, image_size=SIZE)
  examples = [airplanes.render_example(settings, 'train', i) for i in range(4)]
  return (
    np.stack([example['video'] for example in examples]),
    tf.one_hot(
      [airplanes.LABELS.index(example['label']) for example in examples],
      CLASSES,
    ),
  )


@functools.cache
def classifier(family):
  """One for clips of any size, whose position tables are not zero."""
  model = grw_model.build_grw_model(ANY, experiment(family).task.model, CLASSES)
  rng = np.random.default_rng(0)
  for variable in model.variables:
    if 'relative_position' in variable.name:
      variable.assign(rng.normal(size=variable.shape))
  return model


@pytest.fixture(name='exported', scope='module')
def exported_fixture(tmp_path_factory):
  """The folder of a family's SavedModel, which is written once."""

  @functools.cache
  def export(family):
    folder = str(tmp_path_factory.mktemp(family) / 'saved_model')
    # Refuses a difference.
    saved_model.export_clip_model(
      classifier(family),
      folder,
      experiment(family).task.validation_data,
      airplane_clips()[0][:1],
    )
    return folder

  return export


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize(
  'smoothing',
  [{'placement': 'final'}, {'placement': 'intermediate', 'endpoint': 'stage3'}],
)
def test_trains_saves_loads_and_evaluates(family, smoothing, tmp_path):
  params = experiment(family, **smoothing)
  task = task_factory.get_task(params.task)
  model = task.build_model()
  before = [variable.numpy() for variable in model.trainable_variables]
  optimizer = task.create_optimizer(params.trainer.optimizer_config)
  videos, labels = airplane_clips()
  images = {'image': tf.constant(videos / np.float32(255))}
  for _ in range(2):
    logs = task.train_step(
      (images, labels), model, optimizer, task.build_metrics()
    )
    assert np.isfinite(logs['loss'])
  assert not [
    variable.name
    for variable, value in zip(model.trainable_variables, before)
    if np.array_equal(variable, value)
  ]

  path = tf.train.Checkpoint(
    model=model, optimizer=optimizer, **model.checkpoint_items
  ).save(str(tmp_path / 'ckpt'))
  loaded = saved_model.build_trained_model(params, path)
  expected = model(images)
  np.testing.assert_allclose(loaded(images), expected, rtol=1e-5, atol=1e-6)

  metrics = task.build_metrics(training=False)
  task.validation_step((images, labels), loaded, metrics)
  measured = {metric.name: float(metric.result()) for metric in metrics}
  right = np.argmax(expected, -1) == np.argmax(labels, -1)
  assert measured['top_1_accuracy'] == right.mean()
  assert measured['order_loss'] > 0


@pytest.mark.parametrize('family', FAMILIES)
def test_is_exported_in_both_formats(family, exported, tmp_path):
  """Where a model is smoothed is of no account to its answers."""
  exported(family)
  # Refuses a difference, too.
  tflite.export_clip(
    classifier(family),
    str(tmp_path),
    experiment(family).task.validation_data,
    airplane_clips()[0][:1],
  )
  interpreter = litert.Interpreter(str(tmp_path / tflite_stream.MODEL_FILE))
  names = {op['op_name'] for op in interpreter._get_ops_details()}  # pylint: disable=protected-access
  assert 'GELU' in names
  assert not [name for name in names if 'Flex' in name or 'CUSTOM' in name]


def test_position_matrices_are_constants_of_an_exported_signature(exported):
  images = tf.constant(airplane_clips()[0] / np.float32(255))
  loaded = tf.saved_model.load(exported('posmlp_video'))
  serve = loaded.signatures['serving_default']
  tables = [
    variable
    for variable in loaded.variables
    if 'relative_position' in variable.name
  ]
  assert tables
  assert not [
    variable.name
    for variable in serve.variables
    if 'relative_position' in variable.name
  ]
  # Training on changes the function, and not the signature.
  before = loaded({'image': images}), serve(image=images)['logits']
  for table in tables:
    table.assign(10 * table)
  after = loaded({'image': images}), serve(image=images)['logits']
  assert np.abs(after[0] - before[0]).max() > 1e-3
  np.testing.assert_array_equal(after[1], before[1])


@pytest.mark.parametrize('family', FAMILIES)
def test_saves_as_keras_and_loads(family, tmp_path):
  model = classifier(family)
  model.save(str(tmp_path / 'model.keras'))
  loaded = tf_keras.models.load_model(str(tmp_path / 'model.keras'))
  images = {'image': airplane_clips()[0] / np.float32(255)}
  np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize('family', FAMILIES)
def test_an_endpoint_that_is_not_there_is_refused_with_those_that_are(family):
  model = experiment(
    family, placement='intermediate', endpoint='stage5'
  ).task.model
  with pytest.raises(
    ValueError, match="'stage5' is not an endpoint .*patch_embed.*'stage1'"
  ):
    grw_model.build_grw_model(ANY, model, CLASSES)
