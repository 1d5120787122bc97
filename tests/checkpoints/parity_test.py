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

"""Imported GRW checkpoints answer as the published PyTorch models do.

`*_golden.npz` holds what those computed, in float32, with the weights of
`state_dict_recipe.py`.  MoViNet-A0-Stream goes all the way: a .pt file, the
import tool, its config.yaml, the task; MoViNet-A3-Base only as far as the
model, since it takes long to build.
"""

import pathlib

import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import source
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from official_ext.grw.serving import import_checkpoint
from official_ext.grw.serving import saved_model
from tests.checkpoints import torch_writer
from tests.testdata.parity import state_dict_recipe

PARITY = pathlib.Path(__file__).parents[1] / 'testdata' / 'parity'
TOLERANCE = 1e-5


def write_checkpoint(name: str, path):
  """A GRW checkpoint `<name>_grw.pt` with the recipe's weights."""
  golden = np.load(PARITY / f'{name}_golden.npz')
  torch_writer.save_grw(
    path,
    state_dict_recipe.state_dict(PARITY / f'{name}_names.json'),
    int(golden['window']),
  )


def answers(model: tf_keras.Model, name: str):
  """(embeddings, logits, GRW loss without λ) for the golden video."""
  golden = np.load(PARITY / f'{name}_golden.npz')
  video = state_dict_recipe.video(
    int(golden['num_frames']), int(golden['image_size'])
  )
  both = tf_keras.Model(
    model.input, (model.get_layer('grw_embedding').output, model.output)
  )

  embeddings, logits = both({'image': tf.constant(video)}, training=False)
  return embeddings, logits, model.smoothing.terms.smoothing_loss


def assert_golden(model, name):
  golden = np.load(PARITY / f'{name}_golden.npz')
  found = dict(zip(('embeddings', 'logits', 'grw_loss'), answers(model, name)))
  for key, value in found.items():
    error = np.max(np.abs(value - golden[key])) / np.max(np.abs(golden[key]))
    print(f'{name} {key}: {error:.1e} relative')
    assert error < TOLERANCE, key


def test_a3_base_is_the_published_model(tmp_path):
  write_checkpoint('a3b', tmp_path / 'a3b_grw.pt')
  weights = source.read(str(tmp_path / 'a3b_grw.pt'))
  config = model_config.model_config(weights)
  assert (config.smoothing.window, config.backbone.movinet.conv_type) == (
    6,
    '3d',
  )
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]), config, 600
  )
  report = assign.assign(model, weights, 'all')
  assert len(report.matched) == len(model.variables)
  assert not report.initial and not report.unused
  assert_golden(model, 'a3b')


@pytest.fixture(scope='module')
def imported_a0(tmp_path_factory):
  """The folder that the tool made of a0s_grw.pt, and its report."""
  folder = tmp_path_factory.mktemp('a0s')
  write_checkpoint('a0s', folder / 'a0s_grw.pt')
  report = import_checkpoint.import_checkpoint(
    str(folder / 'a0s_grw.pt'), str(folder / 'imported')
  )
  return folder / 'imported', report


def a0_experiment(folder):
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  hyperparams.override_params_dict(
    params, str(folder / 'config.yaml'), is_strict=True
  )
  for data in (params.task.train_data, params.task.validation_data):
    data.feature_shape = (20, *data.feature_shape[1:])  # As the golden video.
  params.validate()
  return params


def test_a0_stream_is_the_published_model(imported_a0):
  folder, report = imported_a0
  assert not report.initial and not report.unused
  task = task_factory.get_task(a0_experiment(folder).task)
  model = task.build_model()
  task.initialize(model)
  assert len(model.variables) == len(report.matched)
  assert_golden(model, 'a0s')


def test_the_newer_hard_sigmoid_computes_something_else(imported_a0):
  folder, _ = imported_a0
  weights = source.read(str(folder))
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    model_config.model_config(weights, 'hard_sigmoid'),
    600,
  )
  assign.assign(model, weights, 'all')
  golden = np.load(PARITY / 'a0s_golden.npz')
  for found, key in zip(answers(model, 'a0s'), ('embeddings', 'logits')):
    error = np.linalg.norm(found - golden[key]) / np.linalg.norm(golden[key])
    print(f'hard_sigmoid of today, {key}: {error:.2%} off')
    assert 0.005 < error < 0.02


def test_imported_evaluated_and_exported_it_answers_the_same(
  imported_a0, tmp_path
):
  folder, _ = imported_a0
  params = a0_experiment(folder)
  golden = np.load(PARITY / 'a0s_golden.npz')
  video = tf.constant(
    state_dict_recipe.video(
      int(golden['num_frames']), int(golden['image_size'])
    )
  )

  task = task_factory.get_task(params.task)
  model = saved_model.build_trained_model(params, str(folder))
  metrics = task.build_metrics(training=False)
  labels = tf.one_hot(np.argmax(golden['logits'], axis=-1), 600)
  task.validation_step(({'image': video}, labels), model, metrics)
  measures = {metric.name: float(metric.result()) for metric in metrics}
  assert measures['top_1_accuracy'] == 1.0
  assert measures['order_loss'] + 0.5 * measures['speed_loss'] == (
    pytest.approx(float(golden['grw_loss']), rel=TOLERANCE)
  )

  path = tmp_path / 'exported'
  saved_model.export_clip_model(
    model,
    str(path),
    params.task.validation_data,
    tf.image.convert_image_dtype(video, tf.uint8).numpy(),
  )
  loaded = tf.saved_model.load(str(path))
  scale = np.abs(golden['logits']).max()
  for logits in (
    loaded.signatures['serving_default'](image=video)['logits'],
    loaded({'image': video}),
  ):
    np.testing.assert_allclose(logits, golden['logits'], atol=TOLERANCE * scale)

  stream = streaming.StreamingClassifier(model, video.shape[1])
  states = stream.init_states(video.shape)
  step = tf.function(stream)
  for number in range(video.shape[1]):
    logits, states = step({**states, 'image': video[:, number : number + 1]})
  np.testing.assert_allclose(logits, golden['logits'], atol=TOLERANCE * scale)


def test_the_output_folder_is_whole_and_says_how_to_go_on(imported_a0):
  folder, _ = imported_a0
  assert {path.name for path in folder.iterdir()} == {
    'checkpoint',
    'ckpt-1.index',
    'ckpt-1.data-00000-of-00001',
    'config.yaml',
  }
  assert list(folder.parent.glob('*.unfinished*')) == []
  text = (folder / 'config.yaml').read_text()
  for part in (
    'MoViNet-A0-Stream',
    'grw>hard_sigmoid',
    'hard_swish',
    '--experiment=movinet_grw_kinetics600',
    "GRW authors'",
  ):
    assert part in text
  head = source.read(str(folder)).architecture.head
  assert head and head.name == 'temporal'
