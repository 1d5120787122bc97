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

"""ViT experiments are what their files say, and wrong values are refused."""

import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
from official.vision.modeling.backbones import vit_specs
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import families
from official_ext.grw.backbones.vit_frames import config as vit_config

CONFIGS = pathlib.Path(__file__).parents[3] / 'configs'
FIELD = 'task.model.backbone.vit_frames.'
FILES = sorted(path.stem for path in CONFIGS.glob('vit_frames_*.yaml'))


def experiment(file=None, **overrides):
  config = exp_factory.get_exp_config('vit_frames_grw_kinetics600')
  if file:
    config = hyperparams.override_params_dict(
      config, str(CONFIGS / f'{file}.yaml'), is_strict=True
    )
  for field, value in overrides.items():
    for part in reversed(field.split('.')):
      value = {part: value}
    config.override(value)
  return config


def test_there_is_a_file_for_each_image_checkpoint_of_a_common_size():
  assert FILES == [
    'vit_frames_b16_grw_k600',
    'vit_frames_s16_grw_k600',
    'vit_frames_ti16_grw_k600',
    'vit_frames_ti16_k600',
  ]


@pytest.mark.parametrize('file', [None, *FILES])
def test_files_are_the_experiment_with_another_variant_or_without_grw(file):
  config = experiment(file)
  config.validate()
  task = config.task
  backbone = task.model.backbone.get()
  assert backbone.variant == (file.split('_')[2] if file else 'ti16')
  assert (backbone.image_size, backbone.pooler) == (224, 'token')
  smoothed = 'grw' in (file or 'grw')
  smoothing = task.model.smoothing
  assert smoothing.placement == ('final' if smoothed else 'none')
  assert task.model.head.type == ('temporal' if smoothed else 'linear')
  assert (smoothing.window, smoothing.alpha, smoothing.weight) == (5, 0.5, 0.1)
  for data in (task.train_data, task.validation_data):
    assert tuple(data.feature_shape) == (50, 224, 224, 3)
    assert (data.min_image_size, data.num_classes) == (256, 600)
  assert task.init_checkpoint_modules == 'backbone'


def test_variants_are_the_model_gardens():
  for name, spec in vit_specs.VIT_SPECS.items():
    numbers = vit_config.ViTFrames(
      variant=name.removeprefix('vit-'), image_size=7 * spec['patch_size']
    ).resolved()
    for field in ('patch_size', 'hidden_size'):
      assert getattr(numbers, field) == spec[field]
    for field, value in spec['transformer'].items():
      assert getattr(numbers, field) == value


@pytest.mark.parametrize(
  'overrides, message',
  [
    ({FIELD + 'variant': 'b64'}, "variant='b64': expected one of .*'s16'"),
    ({FIELD + 'pooler': 'none'}, "pooler='none': expected one of .*'gap'"),
    (
      {FIELD + 'image_size': 230},
      'image_size=230: .*multiple of patch_size=16',
    ),
    ({FIELD + 'image_size': 0}, 'image_size=0: .*multiple of patch_size=16'),
    ({FIELD + 'num_heads': 5}, 'hidden_size=192: .*multiple of num_heads=5'),
    ({FIELD + 'num_layers': -1}, 'num_layers=-1: expected above 0, or 0 for'),
    (
      {FIELD + 'image_size': 384},
      r'train_data.feature_shape=.*frames of 384 x 384.*image_size=384',
    ),
    (
      {'task.validation_data.feature_shape': [50, 224, 192, 3]},
      r'validation_data.feature_shape=.* 192, .*frames of 224 x 224',
    ),
    (
      {
        'task.model.smoothing.placement': 'intermediate',
        'task.model.smoothing.endpoint': 'block13',
      },
      "smoothing.endpoint='block13': expected one of .*'block12', 'head'",
    ),
    (
      {'task.model.head.num_heads': 5},
      'head.num_heads=5: expected a divisor of the embeddings of 192',
    ),
  ],
)
def test_wrong_values_are_refused_by_name(overrides, message):
  with pytest.raises(ValueError, match=message) as error:
    experiment(**overrides).validate()
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'overrides',
  [
    {
      'task.model.smoothing.placement': 'intermediate',
      'task.model.smoothing.endpoint': 'block6',
    },
    {'task.model.head.num_heads': 5, 'task.model.head.embedding_dim': 100},
    {'task.model.head.num_heads': 5, 'task.model.head.type': 'linear'},
  ],
)
def test_what_fits_is_taken(overrides):
  experiment(**overrides).validate()


def test_a_stream_is_the_same_backbone():
  config = experiment().task.model.backbone
  stream = families.with_states(config)
  assert stream.vit_frames.use_external_states
  assert not config.vit_frames.use_external_states
  stream.vit_frames.use_external_states = False
  assert stream.as_dict() == config.as_dict()
