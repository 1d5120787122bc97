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

"""The packaged description is that of the experiments."""

import dataclasses
from typing import Annotated, Literal

from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import checks
from official_ext.grw.configs import description
from official_ext.grw.evaluation import multi_label
from tools.maintenance import describe_configs

EXPERIMENTS = sorted(description.read().experiments)


def test_the_packaged_description_is_that_of_the_experiments():
  assert description.PATH.read_text() == description.dumps(
    describe_configs.described()
  ), 'run: python3 tools/maintenance/describe_configs.py'


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_an_experiment_is_described_as_it_is(name):
  config = exp_factory.get_exp_config(name)
  assert description.read().values(name) == description.dump(config)
  description.require_types(config)


@dataclasses.dataclass
class Inner(hyperparams.Config):
  count: int = 1
  rate: float | None = None


@dataclasses.dataclass
class Outer(hyperparams.Config):
  inner: Inner = dataclasses.field(default_factory=Inner)
  maybe: Inner | None = None
  shape: Annotated[tuple[int, int], 'height, width'] = (2, 3)
  names: list[str] | None = None
  kind: Literal['one', 'other'] = 'one'
  flag: bool = False


@pytest.mark.parametrize(
  'values, expected',
  [
    ({'inner': {'count': 2, 'rate': 1}, 'names': ['a']}, None),
    ({'maybe': {'count': 2}, 'shape': (4, 5)}, None),
    ({'maybe': None, 'names': []}, None),
    ({'inner': {'count': True}}, 'inner.count=True: expected an integer'),
    ({'inner': {'count': 'a'}}, "inner.count='a': expected an integer"),
    ({'inner': {'count': None}}, 'inner.count=None: expected an integer'),
    ({'inner': {'rate': 'x'}}, "inner.rate='x': expected a number or null"),
    ({'maybe': {'cont': 2}}, 'maybe.cont.*Did you mean maybe.count'),
    ({'inner': 3}, 'inner=3: expected fields of it'),
    ({'shape': [1]}, r'shape=\[1\]: expected 2 integers, \[height, width\]'),
    ({'shape': '1,2'}, 'square brackets'),
    ({'names': [1]}, 'names=.*expected a list of texts or null'),
    (
      {'kind': 'othr'},
      "expected one of 'one', 'other'; the nearest is 'other'",
    ),
    ({'flag': 1}, 'flag=1: expected true or false'),
  ],
)
def test_every_kind_of_type_is_checked(values, expected):
  config = Outer()
  if expected is None:
    config.override(values)
    description.require_types(config)
    return
  described = description.describe_class(Outer)
  [name] = [name for name in described.classes if name.endswith('.Outer')]
  with pytest.raises(ValueError, match=expected):
    described.require_fields(name, values)


def test_a_type_that_is_set_in_code_is_checked_too():
  config = exp_factory.get_exp_config('movinet_grw_airplanes')
  config.trainer.train_epochs = 'ten'
  with pytest.raises(ValueError, match="trainer.train_epochs='ten': expected"):
    config.validate()


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {
      'model': {'smoothing': {'placement': 'none'}, 'head': {'type': 'movinet'}}
    },
    {'validation_data': {'on_bad_record': 'skip', 'short_clips': 'drop'}},
    {
      'train_data': {'is_multilabel': True},
      'validation_data': {'is_multilabel': True},
      'metrics': {'use_per_class_recall': True},
    },
    {
      'losses': {'one_hot': False},
      'train_data': {'one_hot': False},
      'validation_data': {'one_hot': False},
    },
  ],
  ids=str,
)
def test_the_metrics_are_those_of_the_task(changes):
  task = exp_factory.get_exp_config('movinet_grw_airplanes').task
  task.override(changes)
  metrics = task_factory.get_task(task).build_metrics(training=False)
  names = ['validation_loss', *(metric.name for metric in metrics)]
  if task.train_data.is_multilabel:  # Of all predictions at once.
    names += multi_label.MEASURES
  assert sorted(checks.metric_names(task)) == sorted(names)
