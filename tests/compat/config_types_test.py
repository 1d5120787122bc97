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

"""What is remembered of the types of fields is what is written of them."""

import typing

from official.core import exp_factory
from official.modeling import hyperparams

from official_ext.grw import registry_imports  # noqa: F401  # Remembers.
from official_ext.grw.configs import schema


def test_each_class_has_its_own_fields_and_those_of_its_parents():
  own = set(hyperparams.Config.__annotations__)
  for config in (schema.Smoothing, schema.DataConfig, schema.GrwTask):
    written = typing.get_type_hints(config)
    assert own < set(written)
    want = {name: kind for name, kind in written.items() if name not in own}
    assert config._get_annotations() == want


def test_annotations_are_read_once_for_each_class(monkeypatch):
  exp_factory.get_exp_config('movinet_grw_kinetics600')
  monkeypatch.setattr(typing, 'get_type_hints', None)
  params = exp_factory.get_exp_config('movinet_grw_kinetics600')
  assert isinstance(params.task.model.smoothing, schema.Smoothing)
