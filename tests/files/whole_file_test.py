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

"""Files are replaced whole."""

import pytest

from official_ext.grw.files import whole_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
  path = tmp_path / 'a.txt'
  whole_file.write(path, 'a longer text')
  whole_file.write(path, 'größe')
  assert path.read_bytes() == 'größe'.encode()
  whole_file.write(path, b'\xff')
  assert path.read_bytes() == b'\xff'
  assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
  path = tmp_path / 'a.txt'
  path.write_text('before')
  with pytest.raises(TypeError):
    whole_file.write(path, 1)  # type: ignore[arg-type]
  assert path.read_text() == 'before'
