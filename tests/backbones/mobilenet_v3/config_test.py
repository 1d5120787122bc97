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

"""MobileNetV3 experiments are the paper's, and wrong values are refused."""

import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import families

CONFIGS = pathlib.Path(__file__).parents[3] / 'configs'
FIELD = 'task.model.backbone.mobilenet_v3'


def experiment(file=None, **mobilenet_v3):
  config = exp_factory.get_exp_config('mobilenet_v3_grw_kinetics600')
  if file:
    config = hyperparams.override_params_dict(
      config, str(CONFIGS / f'{file}.yaml'), is_strict=True
    )
  config.task.model.backbone.mobilenet_v3.override(mobilenet_v3)
  return config


@pytest.mark.parametrize(
  'file, size, temporal, placement, head',
  [
    (None, 'small', 'base_frame', 'final', 'temporal'),
    ('mobilenet_v3_small_grw_k600', 'small', 'base_frame', 'final', 'temporal'),
    (
      'mobilenet_v3_small_narrow_grw_k600',
      'small',
      'base_frame',
      'final',
      'temporal',
    ),
    ('mobilenet_v3_large_grw_k600', 'large', 'base_frame', 'final', 'temporal'),
    ('mobilenet_v3_small_k600', 'small', 'none', 'none', 'linear'),
    ('mobilenet_v3_small_tsm_k600', 'small', 'shift', 'none', 'linear'),
  ],
)
def test_rows_have_the_papers_settings(file, size, temporal, placement, head):
  config = experiment(file)
  config.validate()
  task = config.task
  assert task.model.backbone.type == 'mobilenet_v3'
  backbone = task.model.backbone.mobilenet_v3
  assert (backbone.size, backbone.width_multiplier) == (size, 1.0)
  assert (backbone.temporal, backbone.window) == (temporal, 5)
  smoothing = task.model.smoothing
  assert (smoothing.placement, task.model.head.type) == (placement, head)
  assert (smoothing.window, smoothing.alpha, smoothing.weight) == (5, 0.5, 0.1)
  for data in (task.train_data, task.validation_data):
    assert tuple(data.feature_shape) == (50, 224, 224, 3)
    assert (data.frames_per_second, data.resize) == (5, 'square')
    assert (data.min_image_size, data.num_classes) == (256, 600)
  # 0 is the backbone's own width, which the paper keeps.
  assert task.model.head.embedding_dim == (480 if 'narrow' in str(file) else 0)
  assert config.trainer.train_steps == 14 * (366016 // 64)


def test_every_row_has_its_file_tested():
  assert len(list(CONFIGS.glob('mobilenet_v3_*.yaml'))) == 5


@pytest.mark.parametrize(
  'value, message',
  [
    ({'size': 'medium'}, "size='medium': expected 'small' or 'large'"),
    ({'temporal': 'conv'}, r"temporal='conv': expected one of .*'shift'"),
    ({'width_multiplier': 0.0}, 'width_multiplier=0.0: expected a number'),
    ({'window': 6}, r'window=6: expected task.model.smoothing.window=5'),
    ({'window': 0}, 'window=0: expected at least 1 frame'),
  ],
)
def test_wrong_values_are_refused_by_name(value, message):
  with pytest.raises(ValueError, match=f'{FIELD}.{message}'):
    experiment(**value).validate()


def test_without_smoothing_the_window_is_free():
  config = experiment(window=6)
  config.task.model.smoothing.placement = 'none'
  config.validate()


def test_a_stream_is_the_same_backbone_with_states():
  config = experiment('mobilenet_v3_small_tsm_k600').task.model.backbone
  stream = families.with_states(config)
  assert stream.mobilenet_v3.use_external_states
  assert not config.mobilenet_v3.use_external_states
  stream.mobilenet_v3.use_external_states = False
  assert stream.as_dict() == config.as_dict()
