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

"""Every override that a page names is one that its experiment takes.

Without TensorFlow: against the packaged description of all experiments.
"""

import pathlib
import re

import pytest

from official_ext.grw.configs import description
from official_ext.grw.configs import overrides
from official_ext.grw.configs import preflight

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
_OVERRIDE = re.compile(
  r'\b((?:task|trainer|runtime)\.[a-z_0-9.]+=(?:\[[^\]]*\]|[^\s`,\]]+))'
)
_TABLE = re.compile(r'^\| `([^`]+=[^`]+)` \| ', re.MULTILINE)
ENSEMBLE = 'movinet_grw_ensemble_kinetics600'


def named(page: pathlib.Path) -> list[str]:
  return sorted(set(_OVERRIDE.findall(page.read_text('utf-8'))))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_the_overrides_of_a_page_are_fields_of_their_types(page):
  known = description.read()
  for text in named(page):
    experiment = (
      ENSEMBLE
      if re.match(r'task\.model\.(first|second)\.', text)
      else 'movinet_grw_own_data'
    )
    known.require_fields(
      known.experiments[experiment]['class'], overrides.parse(text)
    )


def table() -> list[str]:
  """What docs/training.md says can be set."""
  page = (ROOT / 'docs' / 'training.md').read_text('utf-8')
  return _TABLE.findall(page.split('## What else can be set')[1])


def test_the_table_of_what_can_be_set_is_found():
  assert len(table()) >= 7
  assert any(len(named(page)) > 5 for page in PAGES)


@pytest.mark.parametrize('text', table())
def test_what_can_be_set_can_be_trained_with(text, tmp_path):
  changes = [('', overrides.parse(text))]
  if 'balanced' in text:
    changes += [('', {'task': {'dataset_info': dataset(tmp_path)}})]
  preflight.check(
    'movinet_grw_airplanes', 'train_and_eval', str(tmp_path / 'new'), changes
  )


def dataset(folder: pathlib.Path) -> str:
  """The path of a dataset.json that counts the clips of three classes."""
  (folder / 'labels.txt').write_text('a\nb\nc\n')
  path = folder / 'dataset.json'
  path.write_text(
    '{"splits": {"train": {"num_examples": 7, "files": "train-*", "classes": '
    '{"a": 4, "b": 1, "c": 2}}}, "num_classes": 3, "labels": "labels.txt", '
    '"frames_per_second": 5}'
  )
  return str(path)
