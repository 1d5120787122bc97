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

"""Members of an ensemble go together and with its data, or are refused."""

import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw.backbones import families
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
SHAPE = (25, 172, 172, 3)


def experiment(*files, **model):
  config = exp_factory.get_exp_config('movinet_grw_ensemble_kinetics600')
  for file in files:
    config = hyperparams.override_params_dict(
      config, str(CONFIGS / (file + '.yaml')), is_strict=True
    )
  config.override({'task': {'model': model}})
  return config


def test_members_are_for_half_of_the_frames():
  config = experiment()
  config.validate()
  for member in config.task.model.members:
    assert tuple(member.feature_shape) == SHAPE
    assert member.frames_per_second == 2.5
    assert member.num_classes == 600
  before = config.as_dict()
  config.lock()
  config.validate()
  assert config.as_dict() == before


def test_a6_is_a4_and_a5_whose_members_train_as_ordinary_models():
  config = experiment('ensemble_a6_stream_grw_k600')
  config.validate()
  for member, model_id in zip(config.task.model.members, ('a4', 'a5')):
    single = exp_factory.get_exp_config('movinet_grw_kinetics600')
    for file in (
      f'movinet_{model_id}_stream_grw_k600',
      'ensemble_a6_member_k600',
    ):
      single = hyperparams.override_params_dict(
        single, str(CONFIGS / (file + '.yaml')), is_strict=True
      )
    single.validate()
    assert single.task.model == member.model
    data = single.task.train_data
    assert tuple(data.feature_shape) == tuple(member.feature_shape)
    assert data.frames_per_second == member.frames_per_second


def trained(folder, **data):
  """The folder of a member's run, of which only the parameters are read."""
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  assert isinstance(config, schema.GrwExperimentConfig)
  half = {'feature_shape': SHAPE, 'frames_per_second': 2.5, **data}
  config.override({'task': {'train_data': half}})
  folder.mkdir()
  hyperparams.save_params_dict_to_yaml(config, str(folder / 'params.yaml'))
  return str(folder)


@pytest.mark.parametrize(
  'field, value, shown',
  [
    ('num_classes', 400, '400: expected 600'),
    ('feature_shape', (25, 224, 224, 3), r'\(25, 224, 224, 3\): expected \(25'),
    ('frames_per_second', 5.0, '5.0: expected 2.5'),
  ],
)
def test_members_that_were_trained_on_other_clips_are_refused(
  tmp_path, field, value, shown
):
  first = trained(tmp_path / 'first')
  second = trained(tmp_path / 'second', **{field: value})
  experiment(
    first={'checkpoint': first}, second={'checkpoint': f'{first}/ckpt-1'}
  ).validate()
  with pytest.raises(ValueError, match=f'second.{field}={shown}.*classes, and'):
    experiment(
      first={'checkpoint': first}, second={'checkpoint': second}
    ).validate()
  with pytest.raises(ValueError, match=f'first.{field}={shown}.*second frame'):
    experiment(
      first={'checkpoint': second}, second={'checkpoint': second}
    ).validate()


@pytest.mark.parametrize(
  'model, message',
  [
    ({'head': {'num_heads': 4}}, 'first.model.head.num_heads=4: expected 8'),
    (
      {'backbone': {'movinet': {'gating_activation': 'sigmoid'}}},
      "movinet.gating_activation='sigmoid': expected 'grw>hard_sigmoid'",
    ),
  ],
)
def test_members_with_other_settings_than_trained_are_refused(
  tmp_path, model, message
):
  first = trained(tmp_path / 'first')
  with pytest.raises(ValueError, match=message):
    experiment(first={'checkpoint': first, 'model': model}).validate()


def test_odd_numbers_of_frames_are_refused():
  config = experiment()
  config.override(
    {'task': {'validation_data': {'feature_shape': [51, 172, 172, 3]}}}
  )
  with pytest.raises(ValueError, match='51, .*an even number of frames'):
    config.validate()


@pytest.mark.parametrize(
  'model, message',
  [
    (
      {'second': {'model': {'smoothing': {'window': 26}}}},
      'In task.model.second.*at least one GRW window: 26',
    ),
    (
      {'first': {'model': {'head': {'type': 'lstm'}}}},
      "task.model.first.model.head.type='lstm': expected one of 'temporal'",
    ),
    (
      {'first': {'num_classes': 1}, 'second': {'num_classes': 1}},
      'first.num_classes=1: expected 600',
    ),
  ],
)
def test_wrong_values_are_refused_by_name(model, message):
  with pytest.raises(ValueError, match=message):
    experiment(**model).validate()


def test_an_ensemble_has_no_checkpoint_of_its_own():
  config = experiment()
  config.override({'task': {'init_checkpoint': '/tmp/run'}})
  with pytest.raises(ValueError, match='init_checkpoint.*first.checkpoint and'):
    config.validate()


def test_saved_parameters_are_the_experiment_again(tmp_path):
  path = str(tmp_path / 'params.yaml')
  config = experiment('ensemble_a6_stream_grw_k600')
  config.validate()
  hyperparams.save_params_dict_to_yaml(config, path)
  again = hyperparams.override_params_dict(experiment(), path, is_strict=True)
  assert again.as_dict() == config.as_dict()
  assert isinstance(again, ensemble_cfg.GrwEnsembleExperimentConfig)


def test_the_published_a6_is_a4_and_a5_each_on_clips_of_its_own():
  """Tables 2, 21 and 22 of arXiv 2103.11511."""
  config = experiment('ensemble_a6_base_k600')
  config.validate()
  data = config.task.validation_data
  for member, model_id, shape, rate in zip(
    config.task.model.members,
    ('a4', 'a5'),
    ((80, 290, 290, 3), (120, 320, 320, 3)),
    (8, 12),
  ):
    backbone = member.model.backbone.get()
    assert (backbone.model_id, backbone.causal) == (model_id, False)
    assert member.model.smoothing.placement == 'none'
    assert member.model.head.type == 'movinet'
    assert tuple(member.feature_shape) == shape
    assert member.frames_per_second == rate
    assert member.frame_step * rate == data.frames_per_second
    # It sees of a frame what it sees alone.
    single = families.of(member.model.backbone).clip(backbone)
    assert member.crop_size[0] / data.min_image_size == pytest.approx(
      single['feature_shape'][1] / single['min_image_size'], abs=2e-3
    )


OWN = {
  'frames': 'own',
  'first': {'feature_shape': (10, 86, 86, 3)},
  'second': {'feature_shape': (25, 172, 172, 3)},
}


def test_own_clips_are_of_all_of_the_frames_unless_set():
  config = experiment(**OWN)
  config.validate()
  first, second = config.task.model.members
  assert (first.frame_step, first.crop_size) == (5, (172, 172))
  assert (second.frame_step, second.frames_per_second) == (2, 2.5)
  before = config.as_dict()
  config.validate()
  assert config.as_dict() == before


@pytest.mark.parametrize(
  'member, message',
  [
    ({'feature_shape': ()}, r"feature_shape=\(\): expected .*frames is 'own'"),
    ({'feature_shape': (20, 86, 86, 3)}, 'frame_step=2: .*20.* times is 50'),
    ({'frame_step': 4}, 'frame_step=4: .*10, .* times is 50'),
    ({'crop_size': (173, 100)}, r'crop_size=\(173, 100\): .*\(172, 172\)'),
    ({'crop_size': (100,)}, r'crop_size=\(100,\): expected height and width'),
    ({'frames_per_second': 5.0}, r'5.0: expected 1.0.*one of 5 frames'),
    ({'num_classes': 4}, 'second.num_classes=600: expected 4'),
  ],
)
def test_own_clips_that_do_not_fit_are_refused(member, message):
  changed = experiment(**OWN)
  changed.override({'task': {'model': {'first': member}}})
  with pytest.raises(ValueError, match=message):
    changed.validate()


@pytest.mark.parametrize(
  'field, value', [('frame_step', 2), ('crop_size', (172, 172))]
)
def test_members_in_turns_have_no_clips_of_their_own(field, value):
  with pytest.raises(ValueError, match=f'first.{field}=.*alternate'):
    experiment(first={field: value}).validate()


def test_only_members_in_turns_stream():
  config = experiment(**OWN)
  ensemble_cfg.require_streams(experiment().task.model)
  with pytest.raises(ValueError, match="frames='own': expected 'alternate'"):
    ensemble_cfg.require_streams(config.task.model)
