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
from official_ext.grw.analysis import model_cost


def params(model_id, stream, **head):
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  config.override({'task': {'model': {'head': head, 'backbone': {'movinet': {
      'model_id': model_id, **({} if stream else {
          'causal': False, 'conv_type': '3d', 'se_type': '3d',
          'activation': 'swish', 'gating_activation': 'sigmoid'})}}}}})
  config.task.model.norm_activation.use_sync_bn = False
  return config


def counts(*arguments, **head):
  config = params(*arguments, **head)
  return model_cost.count(model_cost.build(config), config)


@pytest.mark.parametrize('model_id, gflops', [('a0', 2.71), ('a1', 6.02)])
def test_published_gflops_of_base_models_are_multiply_adds(model_id, gflops):
  # arXiv 2103.11511.  Norms and activations, which are not counted, are 3 %.
  found = counts(model_id, False)
  assert found.clip_backbone / 1e9 == pytest.approx(gflops, rel=0.03)
  assert found.clip > found.clip_backbone
  assert found.frame is None and found.stream(50, 1) is None


def test_a0_stream_is_published_with_its_head():
  found = counts('a0', True)
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
  found = counts('a0', True, causal=True)
  assert found.head / 1e6 == pytest.approx(6.1, abs=0.05)
  assert found.classify_every == 1


def test_a_process_that_fails_says_why(tmp_path):
  with pytest.raises(ValueError, match='stream could not be run.*nothing'):
    model_cost.run_alone('stream', tmp_path / 'nothing.tflite', 1, 6)
