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

"""Experiments and YAML files of the families are the papers', with one head."""

import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
from official.modeling import optimization
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import families

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
FAMILIES = ('videofocalnet', 'posmlp_video')
FILES = sorted(
  path.stem for family in FAMILIES for path in CONFIGS.glob(family + '_*.yaml')
)

CLASSES = {'k400': 400, 'ssv1': 174, 'ssv2': 174, 'diving48': 48, 'anet': 200}


def experiment(name, file=None, **overrides):
  params = exp_factory.get_exp_config(name)
  if file:
    params = hyperparams.override_params_dict(
      params, str(CONFIGS / (file + '.yaml')), is_strict=True
    )
  for field, value in overrides.items():
    for part in reversed(field.split('.')):
      value = {part: value}
    params.override(value)
  return params


@pytest.mark.parametrize('family', FAMILIES)
def test_with_and_without_grw_differ_by_it_and_its_head_alone(family):
  smoothed = experiment(family + '_grw_kinetics400')
  published = experiment(family + '_kinetics400')
  for params in (smoothed, published):
    params.validate()
  model = smoothed.task.model
  assert (model.smoothing.placement, model.head.type) == ('final', 'temporal')
  assert (
    model.smoothing.window,
    model.smoothing.alpha,
    model.smoothing.weight,
  ) == (4 if family == 'videofocalnet' else 5, 0.5, 0.1)
  model.smoothing.placement, model.head.type = 'none', 'linear'
  assert smoothed.as_dict() == published.as_dict()


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize('grw', ['', '_grw'])
def test_every_file_is_a_published_recipe(file, grw):
  family = next(name for name in FAMILIES if file.startswith(name))
  variant, dataset = file.removeprefix(family + '_').split('_')
  params = experiment(f'{family}{grw}_kinetics400', file)
  params.validate()
  task, trainer = params.task, params.trainer
  backbone = task.model.backbone.get()
  assert backbone.variant == variant
  frames = 8 if family == 'videofocalnet' else int(variant[1:])
  for data in (task.train_data, task.validation_data):
    assert tuple(data.feature_shape) == (frames, 224, 224, 3)
    assert data.num_classes == CLASSES[dataset]
    assert data.sampling == (
      'dense' if file.startswith('posmlp') and dataset == 'k400' else 'segments'
    )
  # Classes of Something-Something tell left from right.
  assert task.train_data.random_flip == (not dataset.startswith('ssv'))
  epoch = task.train_data.num_examples // 64
  focal = family == 'videofocalnet'
  warmup_epochs = 20 if focal else 10 if dataset == 'k400' else 5
  assert trainer.train_steps == (120 if focal else 60) * epoch
  assert trainer.optimizer_config.warmup.linear.warmup_steps == (
    warmup_epochs * epoch
  )
  assert trainer.optimizer_config.optimizer.type == (
    'sgd' if focal else 'two_rate_adamw'
  )
  assert f'configs/{file}.yaml' in (CONFIGS / (file + '.yaml')).read_text()


@pytest.mark.parametrize(
  'name, peak, lowest',
  [
    ('videofocalnet_grw_kinetics400', 0.01 / 8, 1e-4 / 8),
    ('posmlp_video_grw_kinetics400', 2e-4, 1e-6),
  ],
)
def test_the_learning_rate_rises_and_falls(name, peak, lowest):
  params = experiment(name)
  params.validate()
  config = params.trainer.optimizer_config
  rate = optimization.OptimizerFactory(config).build_learning_rate()
  warmup, last = config.warmup.linear.warmup_steps, params.trainer.train_steps
  assert float(rate(0)) == pytest.approx(lowest)
  assert float(rate(warmup // 2)) == pytest.approx(
    (lowest + float(rate(warmup))) / 2, rel=1e-3
  )
  assert 0.9 * peak < float(rate(warmup)) < peak
  assert float(rate(last)) == pytest.approx(lowest, rel=1e-3)


FOCAL = 'task.model.backbone.videofocalnet.'


@pytest.mark.parametrize(
  'fields, message',
  [
    ({FOCAL + 'variant': 'm'}, "variant='m': expected one of .*'t', 's', 'b'"),
    ({FOCAL + 'depths': [2, 2, 6]}, r'depths=\(2, 2, 6\).*four stages'),
    ({FOCAL + 'channels': [8, 8, 8, 0]}, 'channels=.*1 or more'),
    ({FOCAL + 'stochastic_depth_drop_rate': 1.0}, r'rate in \[0, 1\)'),
    ({FOCAL + 'tubelet_size': 4}, r'tubelet_size=4: expected one of \(1, 2\)'),
    ({FOCAL + 'focal_levels': [2, 2, 2]}, r'levels=\(2, 2, 2\).*four stages'),
    ({FOCAL + 'focal_levels': [2, 2, 2, 0]}, 'focal_levels=.*1 or more'),
    ({FOCAL + 'fusion': 'sum'}, "fusion='sum': expected one of .*'average'"),
    (
      {FOCAL + 'fusion': 'average', FOCAL + 'temporal_branch': False},
      "fusion='average': expected 'multiplication' where temporal_branch=False",
    ),
    (
      {FOCAL + 'use_external_states': True},
      'use_external_states=True: expected False, but for temporal_branch=False',
    ),
    ({FOCAL + 'mean': [0.5]}, r'mean=\(0.5,\).*three channels'),
    ({FOCAL + 'stddev': [0.5, 0.5, 0.0]}, 'stddev=.*above 0'),
    (
      {'task.train_data.feature_shape': [8, 31, 224, 3]},
      r'train_data.feature_shape=\(8, 31, 224, 3\).*at least 32 x 32',
    ),
    (
      {
        FOCAL + 'tubelet_size': 2,
        'task.validation_data.feature_shape': [11, 224, 224, 3],
        'task.train_data.feature_shape': [10, 224, 224, 3],
      },
      'validation_data.*divisible by .*tubelet_size=2',
    ),
    # Four vectors for eight frames.
    (
      {FOCAL + 'tubelet_size': 2, 'task.model.smoothing.window': 5},
      'one GRW window: 10 frames',
    ),
    ({'task.train_data.one_hot': True}, 'one_hot=True: expected False'),
    ({'trainer.warmup_epochs': 0}, 'warmup_epochs=0: expected at least 1'),
  ],
)
def test_wrong_values_are_refused_by_name(fields, message):
  with pytest.raises(ValueError, match=message):
    experiment('videofocalnet_grw_kinetics400', **fields).validate()


def test_a_warm_up_of_given_steps_stays():
  params = experiment(
    'videofocalnet_kinetics400',
    **{'trainer.optimizer_config.warmup.linear.warmup_steps': 7},
  )
  params.validate()
  assert params.trainer.optimizer_config.warmup.linear.warmup_steps == 7


@pytest.mark.parametrize('family', FAMILIES)
def test_they_cannot_stream(family):
  params = experiment(family + '_grw_kinetics400')
  with pytest.raises(ValueError, match=f'is {family}, which is not causal'):
    families.with_states(params.task.model.backbone)


@pytest.mark.parametrize(
  'name',
  [
    'videofocalnet_grw_kinetics400',
    'posmlp_video_kinetics400',
    'mobilenet_v3_grw_kinetics600',
    'vit_frames_grw_kinetics600',
  ],
)
def test_frames_are_not_normalized_twice(name):
  params = experiment(name)
  params.task.validation_data.zero_centering_image = True
  with pytest.raises(
    ValueError,
    match='validation_data.zero_centering_image=True: expected False',
  ):
    params.validate()
