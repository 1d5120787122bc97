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

"""Weights in every TensorFlow layout reach our backbone bit for bit.

The sources are written by the Model Garden itself: its classifier, its
Trainer with its moving average, and tf.saved_model.save.
"""

import dataclasses
import functools
import os
import re

import numpy as np
from official.core import base_trainer
from official.core import config_definitions as cfg
from official.modeling import optimization
from official.projects.movinet.configs import movinet as movinet_cfg
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
from official.vision.tasks import video_classification
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import source
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from tests import kaggle_server

CLASSES = 7
CONV_TYPES = ('2plus1d', '3d_2plus1d', '3d')


@pytest.fixture(scope='module', autouse=True)
def layouts_spec():
  """Registers a MoViNet with each kind of block, under a model id of its own.

  Two stages: a skip projection with and one without stride, kernels 1x5x5,
  3x3x3 and 5x3x3, a block with the identity as its skip.
  """
  movinet.BLOCK_SPECS['layouts'] = (
    movinet.StemSpec(filters=8, kernel_size=movinet.K13, strides=movinet.S12),
    movinet.MovinetBlockSpec(
      base_filters=8,
      expand_filters=(16, 24),
      kernel_sizes=(movinet.K15, movinet.K33),
      strides=(movinet.S12, movinet.S11),
    ),
    movinet.MovinetBlockSpec(
      base_filters=16,
      expand_filters=(32,),
      kernel_sizes=(movinet.K53,),
      strides=(movinet.S11,),
    ),
    movinet.HeadSpec(project_filters=24, head_filters=32),
  )
  yield
  del movinet.BLOCK_SPECS['layouts']


def backbone_config(conv_type: str, **kwargs) -> movinet_cfg.Movinet:
  config = movinet_config.published('layouts', stream=conv_type != '3d').movinet
  return dataclasses.replace(config, conv_type=conv_type, **kwargs)


def stock_classifier(
  conv_type: str, seed: int = 0, **kwargs
) -> movinet_model.MovinetClassifier:
  """A stock classifier, each of whose variables has been drawn at random."""
  config = backbone_config(conv_type, **kwargs)
  backbone = movinet.Movinet(
    model_id=config.model_id,
    causal=config.causal,
    use_positional_encoding=config.use_positional_encoding,
    conv_type=config.conv_type,
    se_type=config.se_type,
    activation=config.activation,
    gating_activation=config.gating_activation,
    use_sync_bn=False,
  )  # Its batch norms round otherwise than the rest.
  model = movinet_model.MovinetClassifier(backbone, num_classes=CLASSES)
  randomize(model, seed)
  return model


def randomize(model, seed=0):
  rng = np.random.default_rng(seed)
  for variable in model.variables:
    low = 0.5 if 'variance' in variable.name else -0.5
    variable.assign(rng.uniform(low, 1.0, variable.shape))


def our_classifier(
  conv_type: str, num_classes: int = CLASSES, head: str = 'movinet', **kwargs
) -> grw_model.GrwClassifier:
  config = schema.GrwModel()
  config.backbone.movinet = backbone_config(conv_type, **kwargs)
  config.head.override({'type': head})
  if head == 'movinet':
    config.smoothing.placement = 'none'
  config.dropout_rate = 0.0
  config.norm_activation.use_sync_bn = False
  return grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config,
    num_classes,
  )


@pytest.fixture(scope='module')
def stock(layouts_spec):
  del layouts_spec
  return {conv_type: stock_classifier(conv_type) for conv_type in CONV_TYPES}


@pytest.fixture(scope='module')
def ours(layouts_spec):
  del layouts_spec
  return {conv_type: our_classifier(conv_type) for conv_type in CONV_TYPES}


@pytest.fixture
def fresh(ours):
  """Ours, with variables that are not what is about to be loaded."""
  for model in ours.values():
    randomize(model, seed=99)
  return ours


def clip() -> np.ndarray:
  return (
    np.random.default_rng(5).uniform(size=(1, 4, 16, 16, 3)).astype(np.float32)
  )


# No test leaves a stock model with other weights than it began with.
@functools.cache
def stock_endpoints(stock_model) -> dict[str, np.ndarray]:
  endpoints, _ = stock_model.backbone({'image': clip()}, training=False)
  return {name: value.numpy() for name, value in endpoints.items()}


def assert_same_backbone(stock_model, model):
  """Variables bit-equal (by name) and every endpoint equal on a clip."""
  theirs = {v.name: v.numpy() for v in stock_model.backbone.variables}
  ours = {v.name: v.numpy() for v in model.backbone.variables}

  def unnumbered(values):
    return {
      re.sub(r'_\d+/', '/', name): value for name, value in values.items()
    }

  theirs, ours = unnumbered(theirs), unnumbered(ours)
  assert theirs.keys() == ours.keys()
  for name, value in theirs.items():
    np.testing.assert_array_equal(ours[name], value, err_msg=name)
  expected = stock_endpoints(stock_model)
  found, _ = model.backbone({'image': clip()}, training=False)
  for name, value in expected.items():
    if name != 'head':  # Ours does not average over frames.
      # Its 3D layers are computed by other operations.
      np.testing.assert_allclose(
        found[name],
        value,
        rtol=0,
        atol=2e-6 * np.abs(value).max(),
        err_msg=name,
      )


def hub_name(name: str) -> str:
  """How TF-Hub's SavedModels spell a variable of Keras's name."""
  name = re.sub(r'^block(\d+)_layer(\d+)/', r'b\1/l\2/', name)
  name = name.replace('/conv2d_temporal/bn_temporal', '/conv2d/bn_temporal')
  return re.sub(
    r'/(expansion|feature|projection|skip_project|project|stem)/conv2d/bn/',
    r'/\1/bn/',
    name,
  )


def write_hub_saved_model(model, folder: str, seed: int = 3):
  """A SavedModel of bare variables, shuffled and numbered otherwise."""
  variables = [
    tf.Variable(
      v.numpy(),
      name=re.sub(
        r'(conv2d|conv3d)_(\d+)/',
        lambda m: f'{m[1]}_{int(m[2]) + 17}/',
        hub_name(v.name.removesuffix(':0')),
      ),
    )
    for v in model.variables
  ]
  np.random.default_rng(seed).shuffle(variables)
  module = tf.Module()
  module.v = variables
  tf.saved_model.save(module, folder)


@pytest.mark.parametrize('conv_type', CONV_TYPES)
def test_published_tarball_is_bit_equal(conv_type, stock, fresh, tmp_path):
  tf.train.Checkpoint(model=stock[conv_type]).save(str(tmp_path / 'ckpt'))
  weights = source.read(str(tmp_path))
  report = assign.assign(fresh[conv_type], weights)
  assert weights.kind == 'tarball'
  assert weights.architecture.backbone.model_id == 'layouts'
  assert weights.architecture.backbone.stream == (conv_type != '3d')
  assert weights.architecture.num_classes == CLASSES
  assert len(report.matched) == len(fresh[conv_type].backbone.variables)
  assert_same_backbone(stock[conv_type], fresh[conv_type])


@pytest.mark.parametrize('conv_type', CONV_TYPES)
def test_hub_saved_model_is_bit_equal(conv_type, stock, fresh, tmp_path):
  write_hub_saved_model(stock[conv_type], str(tmp_path / '1'))
  weights = source.read(str(tmp_path))  # Above the version, as Kaggle has it.
  assign.assign(fresh[conv_type], weights)
  assert weights.kind == 'saved_model'
  assert_same_backbone(stock[conv_type], fresh[conv_type])


def test_a_model_on_kaggle_is_read_as_its_folder(
  stock, fresh, tmp_path, monkeypatch
):
  model = stock['2plus1d']
  write_hub_saved_model(model, str(tmp_path / 'model'))
  expected = source.read(str(tmp_path / 'model'))
  with kaggle_server.serving(
    tmp_path / 'model', tmp_path / 'cache', monkeypatch
  ) as server:
    weights = source.read(kaggle_server.HANDLE)
    assert weights.kind == 'saved_model'
    assert weights.values.keys() == expected.values.keys()
    for name, value in weights.values.items():
      np.testing.assert_array_equal(value, expected.values[name])
    count = server.downloads
    initialization.initialize(
      fresh['2plus1d'],
      kaggle_server.HANDLE,
      gating_activation='grw>hard_sigmoid',
    )
  assert server.downloads == count == len(server.names())
  assert_same_backbone(model, fresh['2plus1d'])


def test_hub_names_of_the_fixture_are_those_of_the_hub(stock):
  names = {hub_name(v.name) for v in stock['2plus1d'].variables}
  assert {
    'stem/stem/bn/gamma:0',
    'b0/l0/bneck/expansion/bn/moving_mean:0',
    'b0/l1/bneck/feature/conv2d/bn_temporal/beta:0',
    'b0/l0/bneck/skip/skip_project/bn/beta:0',
    'head/project/bn/gamma:0',
    'b0/l0/scale:0',
  } <= names


@pytest.mark.parametrize(
  'written,read', [('2plus1d', '3d_2plus1d'), ('3d_2plus1d', '2plus1d')]
)
def test_factorized_layouts_convert_into_each_other(
  written, read, stock, fresh, tmp_path
):
  tf.train.Checkpoint(model=stock[written]).save(str(tmp_path / 'ckpt'))
  assign.assign(fresh[read], source.read(str(tmp_path)), 'all')
  # The other stock classifier, given the same weights by way of ours.
  x = clip()
  expected = stock[written]({'image': x}, training=False)
  found = fresh[read]({'image': x}, training=False)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_whole_3d_kernels_do_not_become_factorized(stock, fresh, tmp_path):
  tf.train.Checkpoint(model=stock['3d']).save(str(tmp_path / 'ckpt'))
  before = fresh['2plus1d'].get_weights()
  with pytest.raises(ValueError, match="conv_type to '3d'"):
    assign.assign(fresh['2plus1d'], source.read(str(tmp_path)))
  for was, now in zip(before, fresh['2plus1d'].get_weights()):
    np.testing.assert_array_equal(was, now)


@pytest.fixture(scope='module')
def positional(layouts_spec):
  """A stock streaming model with positions, and ours."""
  del layouts_spec
  return (
    stock_classifier('2plus1d', use_positional_encoding=True),
    our_classifier('2plus1d', use_positional_encoding=True),
  )


# 'keras' also stands for SavedModels that keep the objects of the model.
@pytest.mark.parametrize('layout', ['tarball', 'hub', 'keras'])
def test_positional_scales_find_their_blocks(layout, positional, tmp_path):
  stock_model, model = positional
  randomize(model, seed=99)
  if layout == 'tarball':
    tf.train.Checkpoint(model=stock_model).save(str(tmp_path / 'ckpt'))
  elif layout == 'keras':
    tf.saved_model.save(stock_model, str(tmp_path))
  else:  # In a list, what a bare 'scale' is of shows in its neighbors.
    module = tf.Module()
    module.v = [
      tf.Variable(v.numpy(), name=hub_name(v.name[:-2]))
      for v in stock_model.variables
    ]
    tf.saved_model.save(module, str(tmp_path))
  assign.assign(model, source.read(str(tmp_path)))
  scales = [v.numpy() for v in model.backbone.variables if v.name == 'scale:0']
  expected = [
    v.numpy() for v in stock_model.backbone.variables if v.name == 'scale:0'
  ]
  assert len(set(expected)) == 3
  np.testing.assert_array_equal(scales, expected)
  assert_same_backbone(stock_model, model)


@pytest.fixture(scope='module')
def trainer(layouts_spec):
  """A stock Trainer with a moving average, after two steps."""
  del layouts_spec
  task_config = movinet_cfg.movinet_kinetics600().task
  task_config.model.backbone.movinet = backbone_config(
    '3d_2plus1d', average_pooling_type='3d'
  )
  task_config.model.norm_activation.use_sync_bn = False
  task_config.train_data.num_classes = CLASSES
  task_config.train_data.feature_shape = (4, 16, 16, 3)
  task_config.losses.one_hot = False
  task = video_classification.VideoClassificationTask(task_config)
  trainer_config = cfg.TrainerConfig(
    optimizer_config=optimization.OptimizationConfig(
      {
        'optimizer': {'type': 'sgd'},
        'learning_rate': {
          'type': 'constant',
          'constant': {'learning_rate': 0.1},
        },
        'ema': {'average_decay': 0.9, 'trainable_weights_only': False},
      }
    )
  )
  dataset = tf.data.Dataset.from_tensors(
    ({'image': np.repeat(clip(), 2, axis=0)}, np.array([1, 2]))
  ).repeat()
  strategy = tf.distribute.MirroredStrategy(['CPU:0'])
  with strategy.scope():
    model = task.build_model()
    randomize(model)
    runner = base_trainer.Trainer(
      cfg.ExperimentConfig(task=task_config, trainer=trainer_config),
      task,
      model,
      task.create_optimizer(trainer_config.optimizer_config),
      evaluate=False,
      train_dataset=strategy.experimental_distribute_dataset(dataset),
    )
    runner.train(tf.constant(2))
  return runner


def averages(runner) -> dict[str, np.ndarray]:
  return {
    v.name: runner.optimizer.get_slot(v, 'average').numpy()
    for v in runner.model.backbone.variables
  }


def test_trainer_checkpoint_gives_the_average_it_evaluates_with(
  trainer, fresh, tmp_path
):
  trainer.checkpoint.save(str(tmp_path / 'ckpt'))
  model = fresh['3d_2plus1d']
  weights = source.read(str(tmp_path))
  assign.assign(model, weights)
  assert (weights.kind, weights.weights) == ('trainer', 'ema')
  expected = averages(trainer)
  for variable in model.backbone.variables:
    np.testing.assert_array_equal(variable, expected[variable.name])
  assert any(
    not np.array_equal(variable, expected[variable.name])
    for variable in trainer.model.backbone.trainable_variables
  )


def test_trainer_checkpoint_gives_what_it_trains_when_asked(
  trainer, fresh, tmp_path
):
  trainer.checkpoint.save(str(tmp_path / 'ckpt'))
  assign.assign(fresh['3d_2plus1d'], source.read(str(tmp_path), 'model'))
  assert_same_backbone(trainer.model, fresh['3d_2plus1d'])


def test_best_checkpoints_hold_the_average_in_the_model(
  trainer, fresh, tmp_path
):
  expected = averages(trainer)
  with trainer.strategy.scope():
    trainer.optimizer.swap_weights()  # As evaluation does before it exports.
    path = trainer.checkpoint.write(str(tmp_path / 'best_ckpt-2'))
    trainer.optimizer.swap_weights()
  weights = source.read(path)
  assign.assign(fresh['3d_2plus1d'], weights)
  assert weights.weights == 'ema'
  for variable in fresh['3d_2plus1d'].backbone.variables:
    np.testing.assert_allclose(
      variable, expected[variable.name], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize('conv_type', CONV_TYPES)
def test_trainer_checkpoint_without_average(conv_type, stock, fresh, tmp_path):
  model = stock[conv_type]
  optimizer = tf_keras.optimizers.legacy.Adam()
  optimizer.apply_gradients(
    [(tf.zeros_like(v), v) for v in model.trainable_variables]
  )
  tf.train.Checkpoint(
    model=model,
    optimizer=optimizer,
    global_step=tf.Variable(3),
    **model.checkpoint_items,
  ).save(str(tmp_path / 'ckpt'))
  weights = source.read(str(tmp_path))
  assert (weights.kind, weights.has_average) == ('trainer', False)
  assign.assign(fresh[conv_type], weights)
  assert_same_backbone(model, fresh[conv_type])
  with pytest.raises(ValueError, match='no exponential moving average'):
    source.read(str(tmp_path), 'ema')


def test_all_modules_give_the_stock_logits(stock, fresh, tmp_path):
  tf.train.Checkpoint(model=stock['2plus1d']).save(str(tmp_path / 'ckpt'))
  report = assign.assign(fresh['2plus1d'], source.read(str(tmp_path)), 'all')
  assert not report.initial and not report.unused
  x = clip()
  np.testing.assert_allclose(
    fresh['2plus1d']({'image': x}, training=False),
    stock['2plus1d']({'image': x}, training=False),
    rtol=1e-5,
    atol=1e-5,
  )


def test_a_temporal_head_stays_initial_and_is_named(stock, tmp_path):
  tf.train.Checkpoint(model=stock['2plus1d']).save(str(tmp_path / 'ckpt'))
  model = our_classifier('2plus1d', head='temporal')
  report = assign.assign(model, source.read(str(tmp_path)), 'all')
  assert 'grw_head/classifier/kernel:0' in report.initial
  assert all(name.startswith('grw_') for name in report.initial)
  text = str(report)
  for part in (
    'published tarballs',
    'MoViNet-LAYOUTS-Stream',
    'hard_swish',
    'grw>hard_sigmoid',
    '2plus1d',
    # Of so many, how many each layer has.
    '\n               grw_embedding: 2\n',
    f'\n               grw_head: {len(report.initial) - 2}\n',
    f'{len(report.matched)} variables',
  ):
    assert part in text


def test_a_model_with_two_variables_of_one_name_is_not_read_by_name(
  stock, fresh, tmp_path
):
  """Keras numbers the second layer of a name; the file's has one value."""

  class Twice(tf_keras.Model):
    def __init__(self, backbone):
      super().__init__()
      self.backbone = backbone
      self.heads = [
        tf_keras.layers.Dense(2, name=f'grw_head{number}')
        for number in ('', '_1')
      ]
      for head in self.heads:
        head(tf.zeros([1, 4]))

  tf.train.Checkpoint(model=stock['2plus1d']).save(str(tmp_path / 'ckpt'))
  model = Twice(fresh['2plus1d'].backbone)
  before = [variable.numpy() for variable in model.variables]
  with pytest.raises(ValueError, match="2 variables.*'grw_head/kernel'"):
    assign.assign(model, source.read(str(tmp_path)))
  for variable, value in zip(model.variables, before):
    np.testing.assert_array_equal(variable, value)


def test_other_class_count_names_shapes_and_remedy(stock, tmp_path):
  tf.train.Checkpoint(model=stock['2plus1d']).save(str(tmp_path / 'ckpt'))
  model = our_classifier('2plus1d', num_classes=3)
  weights = source.read(str(tmp_path))
  with pytest.raises(ValueError) as error:
    assign.assign(model, weights, 'all')
  for part in (
    'grw_classifier_head/classifier',
    '(1, 1, 32, 3)',
    '(1, 1, 32, 7)',
    "init_checkpoint_modules to 'all_but_classifier'",
  ):
    assert part in str(error.value)
  report = assign.assign(model, weights, 'all_but_classifier')
  assert len(report.initial) == 2
  for name in report.initial:
    assert name.startswith('grw_classifier_head/classifier/')


def test_wrong_model_id_names_variable_shapes_and_id(stock, tmp_path):
  tf.train.Checkpoint(model=stock['2plus1d']).save(str(tmp_path / 'ckpt'))
  specs = list(movinet.BLOCK_SPECS['layouts'])
  specs[2] = dataclasses.replace(specs[2], expand_filters=(40,))
  movinet.BLOCK_SPECS['other'] = tuple(specs)
  try:
    model = our_classifier('2plus1d', model_id='other')
    with pytest.raises(ValueError) as error:
      assign.assign(model, source.read(str(tmp_path)))
  finally:
    del movinet.BLOCK_SPECS['other']
  for part in (
    'block1_layer0/bneck/expansion',
    '(40,)',
    '(32,)',
    "model_id to 'layouts'",
  ):
    assert part in str(error.value)


def test_base_weights_for_a_stream_model_name_the_cause(fresh, tmp_path):
  base = stock_classifier('2plus1d', causal=False, se_type='3d')
  tf.train.Checkpoint(model=base).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match='base model: set .*causal to false'):
    assign.assign(fresh['2plus1d'], source.read(str(tmp_path)))


def test_backbone_variables_of_the_file_must_all_be_used(
  positional, fresh, tmp_path
):
  tf.train.Checkpoint(model=positional[0]).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match='use_positional_encoding to true'):
    assign.assign(fresh['2plus1d'], source.read(str(tmp_path)))


def test_a_missing_variable_is_named(stock, fresh, tmp_path):
  module = tf.Module()
  module.v = [
    tf.Variable(v.numpy(), name=v.name[:-2])
    for v in stock['2plus1d'].variables
    if v.name != 'block0_layer1/bneck/expansion/conv2d/bn/beta:0'
  ]
  tf.saved_model.save(module, str(tmp_path))
  with pytest.raises(
    ValueError,
    match=r'block0_layer1/bneck/expansion/conv2d/bn/beta:0.*\(24,\).*'
    r'is not in the file',
  ):
    assign.assign(fresh['2plus1d'], source.read(str(tmp_path)))


@pytest.mark.parametrize(
  'make,message',
  [
    (lambda path: None, 'does not exist'),
    (lambda path: path.write_text('hello'), 'is not recognized'),
    (lambda path: path.mkdir(), 'is not recognized'),
  ],
  ids=['missing', 'text', 'empty folder'],
)
def test_what_is_no_checkpoint_is_named(make, message, tmp_path):
  path = tmp_path / 'weights'
  make(path)
  with pytest.raises(ValueError, match=message) as error:
    source.read(str(path))
  assert str(path) in str(error.value)


def test_an_archive_is_to_be_unpacked(tmp_path):
  path = tmp_path / 'movinet_a0_stream.tar.gz'
  path.write_bytes(b'\x1f\x8b')
  with pytest.raises(ValueError, match='unpack it'):
    source.read(str(path))


def test_a_truncated_checkpoint_is_named(stock, tmp_path):
  path = tf.train.Checkpoint(model=stock['2plus1d']).write(
    str(tmp_path / 'ckpt-1')
  )
  data = tmp_path / 'ckpt-1.data-00000-of-00001'
  data.write_bytes(data.read_bytes()[:1000])
  with pytest.raises(ValueError, match='ckpt-1'):
    source.read(path)


def test_no_movinet_in_the_checkpoint(tmp_path):
  tf.train.Checkpoint(v=tf.Variable(1.0, name='v')).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match='holds no MoViNet'):
    source.read(str(tmp_path))


def test_every_way_to_name_a_checkpoint(stock, tmp_path):
  folder = tmp_path / 'unpacked' / 'movinet'
  folder.mkdir(parents=True)
  path = tf.train.Checkpoint(model=stock['2plus1d']).save(str(folder / 'ckpt'))
  paths = [
    path,
    path + '.index',
    str(folder),
    str(folder.parent),
    str(folder) + '/',
  ]
  values = [source.read(p).values['stem/stem/kernel'] for p in paths]
  os.remove(folder / 'checkpoint')
  values.append(source.read(str(folder)).values['stem/stem/kernel'])
  for value in values[1:]:
    np.testing.assert_array_equal(value, values[0])
