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

"""Costs of the published models, and of what is made of them."""

from official.core import exp_factory
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.reports import model_cost
from tests import tiny


def counts(params):
  return model_cost.count(model_cost.build(params), params)


def test_published_gflops_of_a0_base_are_multiply_adds():
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  params.task.model.backbone = movinet_config.published('a0', stream=False)
  found = counts(params)
  # arXiv 2103.11511 has 2.71; norms and activations, not counted, are 3 %.
  assert found.clip_backbone / 1e9 == pytest.approx(2.71, rel=0.035)
  assert found.frame is None and found.stream(50, 1) is None


def test_a0_stream_is_published_with_its_head():
  found = counts(exp_factory.get_exp_config('movinet_grw_kinetics600'))
  assert found.clip / 1e9 == pytest.approx(2.7, abs=0.05)
  assert found.frame / 1e6 == pytest.approx(48.7, abs=0.05)
  assert found.head / 1e6 == pytest.approx(281.6, abs=0.05)
  # 50 frames one by one are the clip, if the head runs once.
  assert found.stream(50, None) == found.clip
  assert found.stream(50, 1) == 50 * (found.frame + found.head)
  # At frame 1, 5, 10, ..., 50.
  assert found.classify_every == 5
  assert found.stream(50, 5) == 50 * found.frame + 11 * found.head


def test_a_causal_head_takes_each_frame():
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  layers, width = 3, 64
  params.override(
    {
      'task': {
        **tiny.overrides('', '')['task'],
        'model': {
          'backbone': {'movinet': {'model_id': 'tiny'}},
          'smoothing': {'window': 3},
          'head': {
            'causal': True,
            'num_layers': layers,
            'embedding_dim': width,
          },
        },
      }
    }
  )
  found = counts(params)
  # Attention's four and the MLP's eight squares; keys and values of all frames.
  assert found.head == (
    layers * (12 * width**2 + 2 * tiny.FRAMES * width) + width * tiny.CLASSES
  )
  assert found.classify_every == 1


def test_a_process_that_fails_says_why(tmp_path):
  with pytest.raises(ValueError, match='stream could not be run.*nothing'):
    model_cost.run_alone('stream', tmp_path / 'nothing.tflite', 1, 6)
