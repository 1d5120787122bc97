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

"""PosMLP-Videos that cannot be are refused by name, before they are built."""

from official.core import exp_factory
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.posmlp_video import config as posmlp_video


@pytest.mark.parametrize('variant', posmlp_video.VARIANTS)
def test_variants_fit_together(variant):
  config = posmlp_video.PosMlpVideo(variant=variant).resolved()
  config.check_clip((int(variant[1:]), 224, 448, 3), 'shape')
  assert config.resolved() == config


def test_fields_win_over_the_variant():
  config = posmlp_video.PosMlpVideo(
    variant='b16', num_frames=8, windows=(7, 7, 7, 7)
  ).resolved()
  assert config.windows == (7, 7, 7, 7) and config.depths == (4, 6, 15, 4)
  config.check_clip((8, 224, 224, 3), 'shape')


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('variant', 's8', "expected one of .*'s16'"),
    (
      'channels',
      (112, 224, 392, 784),
      r'multiples of groups=\(8, 16, 32, 64\)',
    ),
    ('depths', (3, 4, 9), '4 numbers above 0'),
    ('windows', (14, 14, 14, 0), '4 numbers above 0'),
    ('num_frames', -1, 'expected above 0'),
    ('block', 'v2', "expected one of .*'joint', 'parallel'"),
    ('stochastic_depth_drop_rate', 1.0, r'rate in \[0, 1\)'),
    ('mean', (0.5,), 'expected three'),
    ('stddev', (1.0, 0.0, 1.0), 'numbers above 0'),
  ],
)
def test_wrong_values_are_refused_by_name(field, value, message):
  with pytest.raises(ValueError, match=f'posmlp_video.{field}=.*{message}'):
    posmlp_video.PosMlpVideo(**{field: value}).resolved()


@pytest.mark.parametrize(
  'shape, message',
  [
    ((32, 224, 224, 3), 'expected clips of 16 frames.*num_frames=16'),
    ((16, 224, 160, 3), 'of 160 pixels stage 1 .* multiples of 224'),
  ],
)
def test_an_experiment_says_which_of_its_clips_do_not_fit(shape, message):
  params = exp_factory.get_exp_config('posmlp_video_grw_kinetics400')
  params.override({'task': {'validation_data': {'feature_shape': shape}}})
  with pytest.raises(
    ValueError, match=rf'task.validation_data.feature_shape=\(.*{message}'
  ):
    params.validate()
