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

"""Weights of Video-FocalNets and PosMLP-Video, in the published layouts.

The names are the published ones (tests/testdata/parity); most tests make the
models small: one block a stage, of few channels.
"""

import argparse
import functools
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.posmlp_video import config as posmlp_config
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import published as published_lib
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import torch_names
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from tests import undrawn
from tests.backbones.videofocalnet import model_test as videofocalnet_test
from tests.checkpoints import torch_names_test
from tests.checkpoints import torch_writer
from tests.testdata.parity import state_dict_recipe

PARITY = pathlib.Path(__file__).parents[1] / 'testdata' / 'parity'
CLASSES = 400
CHANNELS = (8, 16, 32, 64)
SMALL = {'depths': (1, 1, 1, 1), 'channels': CHANNELS}
TABLE = 'gate_unit/pos/window_relative_position_bias_table:0'


def published(file: str) -> dict[str, tuple[int, ...]]:
  """{name: shape} of a published state dict."""
  return {
    name: tuple(shape)
    for name, shape in json.loads((PARITY / file).read_text()).items()
  }


def focalnet_names(depths=(2, 2, 6, 2)) -> dict[str, tuple[int, ...]]:
  """Of a Video-FocalNet of the widths of T, stages of these depths."""
  names = {}
  for name, shape in published('videofocalnet_t_names.json').items():
    if match := re.fullmatch(r'layers\.(\d)\.blocks\.(\d+)\.(.*)', name):
      if match[2] == '0':
        for block in range(depths[int(match[1])]):
          names[f'layers.{match[1]}.blocks.{block}.{match[3]}'] = shape
    else:
      names[name] = shape
  return names


def small_focalnet() -> dict[str, tuple[int, ...]]:
  def narrow(size):  # Beside channels: three gates, and sides of kernels.
    return (
      (size - 3) // 12 + 3
      if size > 3 and (size - 3) % 96 == 0
      else (size // 12 if size % 96 == 0 else size)
    )

  return {
    name: tuple(map(narrow, shape))
    for name, shape in focalnet_names((1, 1, 1, 1)).items()
  }


def small_posmlp() -> dict[str, tuple[int, ...]]:
  return {
    name: shape
    if '.pos.' in name
    else tuple(size // 9 if size % 9 == 0 else size for size in shape)
    for name, shape in published('posmlp_video_s_names.json').items()
    if re.match(r'blocks\d\.[1-9]', name) is None
  }


def of_images(names: dict) -> dict:
  """The names of a FocalNet: a Video-FocalNet's without temporal branch."""
  return {
    name: shape for name, shape in names.items() if '_temporal' not in name
  }


def write_focalnet(path, state):
  """As the authors of FocalNets do, with what training needs."""
  torch_writer.save(
    path,
    {
      'model': state,
      'epoch': 119,
      'max_accuracy': 78.9,
      'optimizer': {
        'state': {0: {'momentum_buffer': np.zeros(3, np.float32)}},
        'param_groups': [{'lr': 0.1, 'params': [0]}],
      },
      'config': torch_writer.config(
        MODEL=torch_writer.config(NAME='tiny', LABELS=(1, 2)),
        DATA=argparse.Namespace(frames=8),
      ),
    },
  )


def write_posmlp(path, state):
  """As SlowFast does, with the indices of the position tables."""
  indices = {
    name.replace('bias_table', 'index'): np.zeros((4, 4), np.int64)
    for name in state
    if name.endswith('relative_position_bias_table')
  }
  torch_writer.save(
    path,
    {
      'epoch': 50,
      'model_state': {**state, **indices},
      'optimizer_state': {},
      'cfg': 'TRAIN: {ENABLE: true}',
    },
  )


FAMILIES = {
  'videofocalnet': (small_focalnet, write_focalnet),
  'posmlp_video': (small_posmlp, write_posmlp),
}


@pytest.fixture(scope='module', params=list(FAMILIES))
def small(request, tmp_path_factory):
  """(family, state dict, its file) of a small model."""
  names, write = FAMILIES[request.param]
  state = torch_names_test.drawn(names())
  path = tmp_path_factory.mktemp(request.param) / 'checkpoint.pyth'
  write(path, state)
  return request.param, state, str(path)


@functools.cache
def built(
  family: str, head: str, placement: str, **backbone
) -> grw_model.GrwClassifier:
  config = schema.GrwModel()
  config.override(
    {
      'backbone': {'type': family, family: {**SMALL, **backbone}},
      'smoothing': {'placement': placement, 'window': 3},
      'head': {'type': head, 'num_layers': 1},
    }
  )
  return grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]), config, CLASSES
  )


def fresh(
  family: str, head: str = 'linear', placement: str = 'none', **backbone
) -> grw_model.GrwClassifier:
  """A small model, the same each time, with weights that are no file's."""
  model = built(family, head, placement, **backbone)
  for number, variable in enumerate(model.variables):
    variable.assign(tf.fill(variable.shape, float(1 + number)))
  return model


def weights_of(
  names: dict, path: str = 'file.pth'
) -> published_lib.PublishedWeights:
  """Of published names, as read; all zeros, which take no memory."""
  values = torch_names.translate(
    {
      name: np.broadcast_to(np.float32(0), shape)
      for name, shape in names.items()
    }
  )
  return published_lib.PublishedWeights('any', 'any file', path, values)


def expected_value(variable, state: dict) -> np.ndarray:
  """What torch calls a variable, in the layout that Keras multiplies by."""
  *module, leaf = variable.name.removesuffix(':0').split('/')
  leaf = {
    'kernel': 'weight',
    'depthwise_kernel': 'weight',
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_variance': 'running_var',
  }.get(leaf, leaf)
  name = '.'.join([*module, leaf]).replace('grw_linear_head.classifier', 'head')
  value = state[name]
  if 'kernel' not in variable.name:
    return value
  if value.ndim == 2:
    return value.T
  if 'depthwise_kernel' in variable.name:
    return np.transpose(value, (2, 3, 0, 1))
  value = np.moveaxis(value, (1, 0), (-2, -1))
  return (
    value[0]
    if value.shape[0] == 1 and value.ndim > len(variable.shape)
    else value
  )


def test_every_variable_is_the_published_one(small):
  family, state, path = small
  weights = source.read(path)
  assert weights.kind == f'{family}_pytorch'
  model = fresh(family)
  report = assign.assign(model, weights, 'all')
  assert not report.initial and not report.unused
  assert len(report.matched) == len(model.variables)
  counters = sum(name.endswith('num_batches_tracked') for name in state)
  assert len(report.matched) == len(state) - counters
  for variable in model.variables:
    np.testing.assert_array_equal(
      variable, expected_value(variable, state), err_msg=variable.name
    )


@pytest.mark.parametrize(
  'names,said',
  [
    (focalnet_names(), 'Video-FocalNet-T (tubelet_size 1), linear head, 400'),
    (focalnet_names((2, 2, 18, 2)), 'Video-FocalNet-S (tubelet_size 1)'),
    (
      {**focalnet_names(), 'patch_embed.proj.weight': (96, 3, 2, 4, 4)},
      'Video-FocalNet-T (tubelet_size 2)',
    ),
    (of_images(focalnet_names()), 'FocalNet-T for images (tubelet_size 1)'),
    (
      published('posmlp_video_s_names.json'),
      'PosMLP-Video-S16, linear head, 400 classes',
    ),
    (
      {
        name: (63, *shape[1:]) if shape and shape[0] == 31 else shape
        for name, shape in published('posmlp_video_s_names.json').items()
      },
      'PosMLP-Video-S32',
    ),
    (
      small_posmlp(),
      'PosMLP-Video of no variant (depths (1, 1, 1, 1), '
      'channels (8, 16, 32, 64), groups (8, 16, 32, 64), '
      'windows (14, 14, 14, 7), num_frames 16)',
    ),
  ],
)
def test_the_variant_is_read_from_shapes(names, said):
  assert str(weights_of(names).architecture).startswith(said)


def test_the_derived_names_are_the_published_ones():
  assert focalnet_names() == published('videofocalnet_t_names.json')


def test_weights_of_another_variant_name_both_and_the_remedy():
  model = fresh('videofocalnet')
  before = model.get_weights()
  with pytest.raises(ValueError) as error:
    assign.assign(model, weights_of(focalnet_names((2, 2, 18, 2))))
  for part in (
    'file.pth holds Video-FocalNet-S',
    'the model is Video-FocalNet of no variant (depths (1, 1, 1, 1)',
    'depths is (2, 2, 18, 2) there and (1, 1, 1, 1) here',
    "task.model.backbone.videofocalnet.variant to 's'",
  ):
    assert part in str(error.value)
  for was, now in zip(before, model.get_weights()):
    np.testing.assert_array_equal(was, now)


def test_weights_for_other_frames_name_both():
  with pytest.raises(ValueError) as error:
    assign.assign(
      fresh('posmlp_video', num_frames=8), weights_of(small_posmlp())
    )
  for part in (
    'num_frames is 16 there and 8 here',
    'task.model.backbone.posmlp_video.num_frames to 16.',
  ):
    assert part in str(error.value)


def test_weights_for_other_blocks_name_both():
  with pytest.raises(ValueError) as error:
    assign.assign(
      fresh('posmlp_video', block='parallel_sum'), weights_of(small_posmlp())
    )
  for part in (
    'num_frames 16, block parallel_sum)',
    'block is parallel there and parallel_sum here',
    'Set task.model.backbone.posmlp_video.block to parallel.',
  ):
    assert part in str(error.value)


@pytest.mark.parametrize(
  'block', [block for block in posmlp_config.BLOCKS if block != 'parallel']
)
def test_the_block_is_read_from_our_own_checkpoints(block, tmp_path):
  fields = {'block': block, 'num_frames': 4, 'windows': (2, 4, 2, 3)}
  model = fresh('posmlp_video', **fields)
  expected = model.get_weights()
  tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path / 'ckpt')
  )
  report = initialization.initialize(
    fresh('posmlp_video', **fields), str(tmp_path), 'all'
  )
  assert isinstance(report, assign.Report)
  found = report.weights.architecture.backbone.overrides()
  assert fields.items() <= found.items()
  for variable, value in zip(model.variables, expected):
    np.testing.assert_array_equal(variable, value, err_msg=variable.name)


def test_weights_of_another_family_name_both():
  with pytest.raises(
    ValueError,
    match='model is Video-FocalNet.* set '
    "task.model.backbone.type to 'posmlp_video'",
  ):
    assign.assign(fresh('videofocalnet'), weights_of(small_posmlp()))


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  """(state dict, file) of a small FocalNet for images of 400 classes."""
  state = torch_names_test.drawn(of_images(small_focalnet()))
  path = tmp_path_factory.mktemp('images') / 'focalnet_tiny_srf.pth'
  torch_writer.save(path, {'model': state})
  return state, str(path)


def test_weights_of_images_become_the_spatial_part(images):
  state, path = images
  model = fresh('videofocalnet')
  before = {variable.name: variable.numpy() for variable in model.variables}
  # 'all' has no effect: as many classes are not the same classes.
  report = initialization.initialize(model, path, 'all')
  assert isinstance(report, assign.Report)
  kept = [
    name for name in before if name.startswith('grw_') or '_temporal/' in name
  ]
  assert sorted(report.initial) == sorted(kept)
  for variable in model.variables:
    np.testing.assert_array_equal(
      variable,
      before[variable.name]
      if variable.name in kept
      else expected_value(variable, state),
      err_msg=variable.name,
    )
  for part in (
    'FocalNet authors',
    'for images',
    'modules:     backbone',
    '24 left at their initial value in the temporal branch',
    '2 left at their initial value\n',
    'grw_linear_head/classifier',
    "unused:      2 of the file's head",
  ):
    assert part in str(report)


def test_a_tubelet_of_one_image_gives_the_stem_what_the_image_does(images):
  state, path = images
  model = fresh('videofocalnet', tubelet_size=2)
  assign.assign(model, source.read(path))
  kernel = next(
    variable
    for variable in model.variables
    if variable.name == 'patch_embed/proj/kernel:0'
  )
  assert kernel.shape == (2, 4, 4, 3, 8)
  np.testing.assert_allclose(
    tf.reduce_sum(kernel, 0),
    np.moveaxis(state['patch_embed.proj.weight'], (1, 0), (2, 3)),
    rtol=1e-6,
  )


def test_images_with_large_receptive_fields_need_as_many_levels():
  names = of_images(small_focalnet())
  for name, shape in list(names.items()):
    if '.modulation.f.' in name:
      names[name] = (shape[0] + 1, *shape[1:])
    if name.endswith('focal_layers.1.0.weight'):
      names[name.replace('layers.1.0', 'layers.2.0')] = (*shape[:2], 7, 7)
  with pytest.raises(ValueError) as error:
    assign.assign(fresh('videofocalnet'), weights_of(names))
  for part in (
    'focal_levels is (3, 3, 3, 3) there and (2, 2, 2, 2) here',
    'videofocalnet.focal_levels to (3, 3, 3, 3)',
  ):
    assert part in str(error.value)
  model = fresh('videofocalnet', focal_levels=(3, 3, 3, 3))
  report = assign.assign(model, weights_of(names))
  assert len(report.matched) == len(names) - 2  # Without its classes.
  config = model_config.model_config(weights_of(names)).backbone.videofocalnet
  assert config.focal_levels == (3, 3, 3, 3) and config.temporal_branch


def test_weights_of_images_are_whole_without_temporal_branch(images):
  state, path = images
  model = fresh('videofocalnet', temporal_branch=False)
  report = assign.assign(model, source.read(path))
  assert not [name for name in report.initial if not name.startswith('grw_')]
  for variable in model.backbone.variables:
    np.testing.assert_array_equal(variable, expected_value(variable, state))


@pytest.mark.parametrize(
  'field, found, theirs',
  [
    ('temporal_branch', False, True),
    ('fusion', 'projection', 'multiplication'),
  ],
)
def test_weights_of_other_modulators_name_both(field, found, theirs):
  with pytest.raises(ValueError) as error:
    assign.assign(
      fresh('videofocalnet', **{field: found}), weights_of(small_focalnet())
    )
  for part in (
    f'{field} is {theirs} there and {found} here',
    f'Set task.model.backbone.videofocalnet.{field} to {theirs}.',
  ):
    assert part in str(error.value)


def test_our_own_without_temporal_branch_are_read_with_their_head(tmp_path):
  def model_without():
    return fresh('videofocalnet', 'temporal', 'final', temporal_branch=False)

  model = model_without()
  expected = model.get_weights()
  tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path / 'ckpt')
  )
  report = initialization.initialize(model_without(), str(tmp_path), 'all')
  assert isinstance(report, assign.Report)
  assert not report.initial
  found = report.weights.architecture.backbone.overrides()
  assert found['temporal_branch'] is False
  for variable, value in zip(model.variables, expected):
    np.testing.assert_array_equal(variable, value, err_msg=variable.name)


@pytest.mark.parametrize(
  'head,placement', [('temporal', 'final'), ('linear', 'none')]
)
def test_our_own_checkpoints_are_read_by_name(head, placement, small, tmp_path):
  family, _, path = small
  model = fresh(family, head, placement)
  assign.assign(model, source.read(path))
  expected = model.get_weights()
  tf.train.Checkpoint(
    model=model, global_step=tf.Variable(3), **model.checkpoint_items
  ).save(str(tmp_path / 'ckpt'))
  report = initialization.initialize(
    fresh(family, head, placement), str(tmp_path), 'all'
  )
  assert isinstance(report, assign.Report)
  found = report.weights.architecture
  assert found.head
  assert (report.weights.kind, found.family, found.head.name) == (
    'trainer',
    family,
    head,
  )
  for variable, value in zip(model.variables, expected):
    np.testing.assert_array_equal(variable, value, err_msg=variable.name)


@pytest.mark.parametrize('entry', ['layers.0.gamma', 'cls_token'])
def test_entries_without_a_place_are_named(entry):
  names = {**small_focalnet(), entry: (8,)}
  with pytest.raises(ValueError, match=entry.replace('.', '[./]')):
    assign.assign(fresh('videofocalnet'), weights_of(names))


def test_names_of_parallel_training_are_read(tmp_path):
  torch_writer.save(
    tmp_path / 'x.pth',
    {
      'model': {
        f'module.{name}': value
        for name, value in torch_names_test.drawn(small_focalnet()).items()
      }
    },
  )
  assert source.read(str(tmp_path / 'x.pth')).kind == 'videofocalnet_pytorch'


def test_the_config_is_that_of_the_weights(small):
  family, _, path = small
  weights = source.read(path)
  config = model_config.model_config(weights)
  assert (
    config.backbone.type,
    config.head.type,
    config.smoothing.placement,
  ) == (family, 'linear', 'none')
  backbone = config.backbone.get()
  assert tuple(backbone.channels) == CHANNELS
  assert len(backbone.mean) == len(backbone.stddev) == 3  # As published.
  assert model_config.experiment(config, CLASSES) == f'{family}_kinetics400'
  with pytest.raises(ValueError, match='no gates'):
    model_config.model_config(weights, 'hard_sigmoid')


def test_a_variant_stands_for_its_numbers():
  config = model_config.model_config(weights_of(focalnet_names((2, 2, 18, 2))))
  backbone = config.backbone.videofocalnet
  assert (backbone.variant, backbone.depths, backbone.tubelet_size) == (
    's',
    (),
    1,
  )
  overrides = model_config.experiment_overrides(
    model_config.model_config(
      weights_of(published('posmlp_video_s_names.json'))
    ),
    400,
    '',
    'all',
  )
  assert overrides['task']['train_data']['feature_shape'] == [16, 224, 224, 3]


def test_a_trainers_own_settings_are_kept(tmp_path):
  model = fresh('videofocalnet', 'temporal', 'final')
  tf.train.Checkpoint(model=model, global_step=tf.Variable(3)).save(
    str(tmp_path / 'ckpt')
  )
  (tmp_path / 'params.yaml').write_text(
    json.dumps(
      {
        'task': {
          'model': {
            'backbone': {
              'type': 'videofocalnet',
              'videofocalnet': {
                'depths': [1, 1, 1, 1],
                'mean': [0.5, 0.5, 0.5],
              },
            },
            'smoothing': {'placement': 'intermediate', 'endpoint': 'stage3'},
          }
        }
      }
    )
  )
  config = model_config.model_config(source.read(str(tmp_path)))
  assert tuple(config.backbone.videofocalnet.mean) == (0.5, 0.5, 0.5)
  assert tuple(config.backbone.videofocalnet.channels) == CHANNELS
  assert config.smoothing.endpoint == 'stage3'
  assert (config.head.type, config.head.num_layers) == ('temporal', 1)
  assert model_config.experiment(config, 3) == 'videofocalnet_grw_kinetics400'


def test_a_published_checkpoint_answers_as_the_published_model(tmp_path):
  """Video-FocalNet-T from its file, on one clip of the golden video."""
  golden = np.load(PARITY / 'videofocalnet_t_golden.npz')
  state = videofocalnet_test.published_weights()
  write_focalnet(tmp_path / 'tiny.pth', state)

  weights = source.read(str(tmp_path / 'tiny.pth'))
  config = model_config.model_config(weights)
  # Of frames as they are, without the published normalization.
  config.backbone.videofocalnet.override({'mean': (), 'stddev': ()})
  with undrawn.variables():
    model = grw_model.build_grw_model(
      tf_keras.layers.InputSpec(shape=[1, 8, 224, 224, 3]), config, CLASSES
    )
  report = assign.assign(model, weights, 'all')
  assert len(report.matched) == len(state) == len(model.variables)
  clip = state_dict_recipe.video(8, 224)[:1]
  logits = model({'image': clip}, training=False)
  error = (
    np.abs(logits - golden['logits'][:1]).max() / np.abs(golden['logits']).max()
  )
  print(f'Video-FocalNet-T logits: {error:.1e} relative')
  assert error < 1e-5
