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
"""Published configurations are found by name."""

import os

import pytest

from official_ext.grw.configs import published


@pytest.mark.parametrize(
  'name',
  [
    'movinet_a0_stream_grw_k600',
    'movinet_a0_stream_grw_k600.yaml',
    'configs/movinet_a0_stream_grw_k600.yaml',
    'sweeps/table4',
    'configs/sweeps/table4.yaml',
  ],
)
def test_a_published_file_is_found_from_anywhere(name, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  found = published.find(name)
  assert os.path.isabs(found) and os.path.isfile(found)
  stem = name.rsplit('/', 1)[-1].removesuffix('.yaml')
  assert found == str(next(published.folder().rglob(f'{stem}.yaml')))


def test_a_file_that_is_there_comes_first(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs').mkdir()
  mine = 'configs/movinet_a0_stream_grw_k600.yaml'
  (tmp_path / mine).write_text('task: {}')
  assert published.find(mine) == mine


def test_a_remote_file_is_left_to_whoever_opens_it():
  assert published.find('gs://bucket/a.yaml') == 'gs://bucket/a.yaml'


def test_a_file_that_is_nowhere_is_an_error_with_the_nearest_names():
  with pytest.raises(ValueError) as error:
    published.find('movinet_a0_stream_gwr_k600.yaml')
  assert 'movinet_a0_stream_gwr_k600.yaml: no such file' in str(error.value)
  assert 'movinet_a0_stream_grw_k600' in str(error.value)
