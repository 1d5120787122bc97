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

"""A family, a head, a layout and a format from outside do all that ours do.

They are written here as CONTRIBUTING.md says, and registered with one line
each.
"""

import dataclasses
import pathlib

from absl import flags
import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones import families
from official_ext.grw.backbones import family
from official_ext.grw.backbones import weights
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import names
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints.layouts import layout
from official_ext.grw.commands import main
from official_ext.grw.configs import fields
from official_ext.grw.configs import preflight
from official_ext.grw.configs import schema
from official_ext.grw.heads import head as head_lib
from official_ext.grw.heads import head_types
from official_ext.grw.inference import clips
from official_ext.grw.inference import exported
from official_ext.grw.modeling import ensemble
from official_ext.grw.serving import export
from official_ext.grw.serving import export_format
from official_ext.grw.serving import export_formats
from official_ext.grw.serving import saved_model
from tests import tiny

CHANNELS = 4
STATE = 'state_mean_color'


class MeanColorBackbone(tf_keras.Model):
  """The mean color of each frame, and how it differs from the one before."""

  def __init__(self, channels: int, with_states: bool, shape):
    image = tf_keras.Input(shape=shape[1:], name='image')
    inputs = {'image': image}
    color = tf.reduce_mean(image, axis=[2, 3], keepdims=True)
    if with_states:
      inputs[STATE] = tf_keras.Input(shape=(1, 1, 1, 3), name=STATE)
    before = inputs.get(STATE, tf.zeros_like(color[:, :1]))
    change = color - tf.concat([before, color[:, :-1]], axis=1)
    endpoints = {
      'colors': tf_keras.layers.Dense(channels, name='mean_color/dense')(
        tf.concat([color, change], axis=-1)
      )
    }
    super().__init__(
      inputs=inputs,
      outputs=(endpoints, {STATE: color[:, -1:]}) if with_states else endpoints,
    )

  def initial_state_specs(self, input_shape):
    return {
      STATE: tf_keras.layers.InputSpec(
        shape=(input_shape[0], 1, 1, 1, 3), dtype='float32'
      )
    }

  def init_states(self, input_shape):
    return {STATE: tf.zeros([input_shape[0], 1, 1, 1, 3])}


@dataclasses.dataclass
class MeanColor(hyperparams.Config):
  """Attributes: channels: of the features; with_states: of a stream."""

  channels: int = 8
  with_states: bool = False


@dataclasses.dataclass(frozen=True)
class FoundMeanColor(weights.Found):
  channels: int

  def __str__(self):
    return f'mean colors in {self.channels} channels'


class MeanColorWeights(weights.Weights):
  names = names.Names('mean_color/')
  title = 'mean colors'
  marks = 'mean_color/dense kernel'

  def identify(self, shapes):
    kernel = shapes.get('mean_color/dense/kernel')
    return FoundMeanColor('', kernel[-1]) if kernel else None

  def check(self, theirs, ours, held):
    if theirs.channels != ours.channels:
      raise ValueError(f'{held}: set channels to {theirs.channels}.')


class MeanColorFamily(family.Family):
  name = 'mean_color'
  title = 'mean colors'
  config_class = MeanColor
  weights = MeanColorWeights()

  def build(
    self,
    input_specs,
    backbone_config,
    norm_activation_config,
    l2_regularizer=None,
  ):
    config = backbone_config.get()
    return MeanColorBackbone(
      config.channels, config.with_states, input_specs.shape
    )

  def validate(self, model):
    channels = model.backbone.get().channels
    fields.require(
      channels >= 1,
      'task.model.backbone.mean_color.channels',
      channels,
      'at least 1',
    )

  def check_clip(self, config, shape, field):
    fields.require(
      shape[0] is None or shape[0] >= 2, field, tuple(shape), '2 frames or more'
    )

  def with_states(self, config):
    return config.replace(with_states=True)

  def model_config(self, found):
    return schema.GrwModel(
      backbone=backbone_config.Backbone3D(
        type='mean_color', mean_color=MeanColor(channels=found.channels)
      )
    )

  def clip(self, config):
    return {'feature_shape': [tiny.FRAMES, tiny.SIZE, tiny.SIZE, 3]}

  def experiment(self, smoothed, num_classes):
    return 'movinet_grw_airplanes'


@dataclasses.dataclass
class ScaledHead(hyperparams.Config):
  """Attributes: scale: of the logits."""

  scale: float = 1.0


class ScaledLayer(tf_keras.layers.Layer):
  def __init__(self, num_classes, scale, name):
    super().__init__(name=name)
    self.scale = scale
    self.classifier = tf_keras.layers.Dense(num_classes, name='classifier')

  def call(self, inputs):
    return self.scale * self.classifier(inputs[:, 0, 0, 0])


class ScaledHeadType(head_lib.HeadType):
  name = 'scaled'
  title = 'scaled head'
  layer_name = 'grw_scaled_head'
  config_class = ScaledHead

  def validate(self, head):
    fields.require(
      head.scaled.scale > 0,
      'task.model.head.scaled.scale',
      head.scaled.scale,
      'more than 0',
    )

  def build(self, model, num_classes, backbone, regularizer):
    return ScaledLayer(num_classes, model.head.scaled.scale, self.layer_name)

  def identify(self, shapes):
    kernel = shapes.get(f'{self.layer_name}/classifier/kernel')
    if not kernel:
      return None
    return head_lib.FoundHead(self.name, self.title, kernel[-1])


class NumpyFormat(export_format.ExportFormat):
  """The weights, in the layout below, and the model that the card describes."""

  name = 'numpy'
  summary = 'Writes NumPy arrays.'
  help = 'Writes a trained model as NumPy arrays.'
  default_kind = 'clip'

  def define_flags(self):
    flags.DEFINE_string('file', 'weights.npz', 'The name of the file.')

  def write(self, params, checkpoint, output_dir, *, kind, labels, **options):
    def save(model, folder):
      np.savez(
        pathlib.Path(folder) / options['file'],
        **{
          variable.name.removesuffix(':0').replace('/', '.'): variable.numpy()
          for variable in model.variables
        },
      )
      return saved_model.Written(0.0, {})

    data = params.task.validation_data
    return export.write_folder(
      params,
      checkpoint,
      output_dir,
      labels,
      save,
      kind=kind,
      format=self.name,
      quantization='float32',
      classify_every=1,
      input=export.card_input(data, [1, *data.feature_shape], 'float32'),
    )

  def open(self, path, card, num_threads):
    params = exp_factory.get_exp_config('movinet_grw_airplanes')
    params.override({'task': {'model': card.config}})
    for data in (params.task.train_data, params.task.validation_data):
      data.override(DATA)
    [file] = pathlib.Path(path).glob('*.npz')
    model = saved_model.build_trained_model(params, str(file))
    return clips.Clips(
      lambda clip: model({'image': clip[np.newaxis]})[0].numpy(),
      card.num_frames,
    )


class NumpyArchive(layout.Layout):
  kinds = {'numpy': 'a NumPy archive'}
  expected = 'a .npz file'

  def find(self, path):
    return path if path.endswith('.npz') else None

  def read(self, place, weights):
    with np.load(place) as arrays:
      values = {key.replace('.', '/'): arrays[key] for key in arrays}
    return published.PublishedWeights(
      'numpy', self.kinds['numpy'], place, values
    )


@pytest.fixture(scope='module', autouse=True)
def registered():
  """All four, in this module alone: other tests have only the package's."""
  families.register(MeanColorFamily())
  head_types.register(ScaledHeadType())
  source.register(NumpyArchive())
  export_formats.register(NumpyFormat())
  yield
  del export_formats._registered[NumpyFormat.name]
  del families._registered[MeanColorFamily.name]
  del head_types._registered[ScaledHeadType.name]
  del source._layouts[0]


YAML = f"""
task:
  model:
    backbone: {{type: mean_color, mean_color: {{channels: {CHANNELS}}}}}
    head: {{type: scaled, embedding_dim: 0, scaled: {{scale: 2.0}}}}
    smoothing: {{placement: final, endpoint: '', window: 3}}
"""
# Of the embedding and the head, as many as the channels.
SHAPES = {
  'mean_color.dense.kernel': (6, CHANNELS),
  'mean_color.dense.bias': (CHANNELS,),
  'grw_embedding.kernel': (CHANNELS, CHANNELS),
  'grw_embedding.bias': (CHANNELS,),
  'grw_scaled_head.classifier.kernel': (CHANNELS, tiny.CLASSES),
  'grw_scaled_head.classifier.bias': (tiny.CLASSES,),
}


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
  """(path, arrays) of weights in the layout."""
  rng = np.random.default_rng(0)
  arrays = {
    name: rng.normal(size=shape).astype(np.float32)
    for name, shape in SHAPES.items()
  }
  path = str(tmp_path_factory.mktemp('archive') / 'weights.npz')
  np.savez(path, allow_pickle=False, **arrays)
  return path, arrays


def experiment(folder, **model):
  """The airplanes experiment with the YAML above; model fields on top."""
  path = folder / 'config.yaml'
  path.write_text(YAML)
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    {'task': {part: DATA for part in ('train_data', 'validation_data')}}
  )
  params = hyperparams.override_params_dict(params, str(path), is_strict=True)
  params.override({'task': {'model': model}})
  params.validate()
  return params


DATA = {
  'feature_shape': [tiny.FRAMES, tiny.SIZE, tiny.SIZE, 3],
  'min_image_size': tiny.SIZE,
  'num_classes': tiny.CLASSES,
}


def some_clips(count=2):
  return np.stack(
    [tiny.clip(label, label) for label in range(count)]
  ) / np.float32(255)


def test_it_trains_by_its_yaml_from_its_layout(tmp_path, archive):
  path, arrays = archive
  params = experiment(tmp_path)
  params.task.init_checkpoint = path
  params.task.init_checkpoint_modules = 'all'
  task = task_factory.get_task(params.task)
  model = task.build_model()
  task.initialize(model)
  found = {variable.name: variable.numpy() for variable in model.variables}
  assert {name.replace('.', '/') + ':0' for name in arrays} == set(found)
  for name, value in arrays.items():
    np.testing.assert_array_equal(found[name.replace('.', '/') + ':0'], value)
  optimizer = task.create_optimizer(params.trainer.optimizer_config)
  labels = tf.one_hot([0, 1], tiny.CLASSES)
  logs = task.train_step(
    ({'image': tf.constant(some_clips())}, labels),
    model,
    optimizer,
    task.build_metrics(),
  )
  assert np.isfinite(logs['loss'])
  for variable in model.trainable_variables:
    assert not np.array_equal(variable, found[variable.name]), variable.name


def test_its_weights_tell_the_configuration(archive):
  found = source.read(archive[0])
  assert (
    str(found.architecture)
    == f'mean colors in 4 channels, scaled head, {tiny.CLASSES} classes'
  )
  model = model_config.model_config(found)
  assert model.backbone.mean_color.channels == CHANNELS
  assert (model.head.type, model.smoothing.placement) == ('scaled', 'final')
  written = model_config.experiment_overrides(model, 3, archive[0], 'all')
  assert written['task']['model']['backbone'] == {
    'type': 'mean_color',
    'mean_color': {'channels': CHANNELS, 'with_states': False},
  }
  assert written['task']['train_data']['feature_shape'][0] == tiny.FRAMES


def test_its_rules_hold_in_the_configuration(tmp_path):
  with pytest.raises(ValueError, match='mean_color.channels=0: expected'):
    experiment(tmp_path, backbone={'mean_color': {'channels': 0}})
  with pytest.raises(ValueError, match='head.scaled.scale=-1.0: expected'):
    experiment(tmp_path, head={'scaled': {'scale': -1.0}})
  params = experiment(tmp_path)
  params.task.train_data.feature_shape = (1, tiny.SIZE, tiny.SIZE, 3)
  with pytest.raises(ValueError, match='train_data.feature_shape=.*2 frames'):
    params.validate()


def test_it_is_known_before_anything_is_built(tmp_path):
  """A program that registered it may then run what `train.py` runs."""

  def check(**backbone):
    changes = yaml.safe_load(YAML)
    changes['task'].update(
      dict.fromkeys(('train_data', 'validation_data'), DATA)
    )
    changes['task']['model']['backbone']['mean_color'].update(backbone)
    preflight.check(
      'movinet_grw_airplanes', 'train', str(tmp_path), [('', changes)]
    )

  check()
  with pytest.raises(ValueError, match='Did you mean .*mean_color.channels'):
    check(chanels=4)


def test_weights_of_others_are_refused_with_the_remedy(tmp_path, archive):
  params = experiment(tmp_path, backbone={'mean_color': {'channels': 8}})
  task = task_factory.get_task(params.task)
  params.task.init_checkpoint = archive[0]
  with pytest.raises(ValueError, match='set channels to 4'):
    task.initialize(task.build_model())


def test_it_is_exported_and_streams(tmp_path, archive):
  params = experiment(tmp_path)
  folder = str(tmp_path / 'exported')
  # Refuses a file that differs from the clip model.
  export.export_tflite(params, archive[0], folder, kind='stream')
  model = saved_model.build_trained_model(params, archive[0])
  clip = tiny.clip(1, 0)
  opened = exported.open_model(folder)
  for frame in clip:
    logits = opened.step(frame)
  expected = model({'image': clip[np.newaxis] / np.float32(255)})
  assert logits is not None
  np.testing.assert_allclose(logits, expected[0], rtol=1e-4, atol=1e-5)
  stream = ensemble.stream_of(model, tiny.FRAMES)
  states = stream.init_states([1, 1, tiny.SIZE, tiny.SIZE, 3])
  assert STATE in states


def test_it_is_exported_in_its_format(tmp_path, archive, capsys):
  params = experiment(tmp_path)
  config = tmp_path / 'whole.yaml'
  hyperparams.save_params_dict_to_yaml(params, str(config))
  folder = str(tmp_path / 'exported')
  with pytest.raises(SystemExit) as end:
    main.main(['export', 'nunpy'])
  assert 'did you mean grw export numpy?' in str(end.value)
  with pytest.raises(SystemExit) as end:
    main.main(
      [
        'export',
        'numpy',
        '--experiment=movinet_grw_airplanes',
        f'--config_file={config}',
        f'--checkpoint={archive[0]}',
        f'--output_dir={folder}',
        '--file=model.npz',
      ]
    )
  assert end.value.code is None
  assert f'written: {folder}' in capsys.readouterr().out
  clip = tiny.clip(1, 0)
  opened = exported.open_model(folder)
  answers = [opened.step(frame) for frame in clip]
  assert all(answer is None for answer in answers[:-1])
  model = saved_model.build_trained_model(params, archive[0])
  expected = model({'image': clip[np.newaxis] / np.float32(255)})
  assert answers[-1] is not None
  np.testing.assert_allclose(answers[-1], expected[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  'register,thing',
  [
    (export_formats.register, NumpyFormat()),
    (families.register, MeanColorFamily()),
    (head_types.register, ScaledHeadType()),
  ],
)
def test_a_name_is_given_once(register, thing):
  with pytest.raises(ValueError, match='already'):
    register(thing)
