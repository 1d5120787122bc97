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

"""Folders that appear whole or not at all."""

from collections.abc import Iterator
import contextlib
import os
import shutil


class ExportError(ValueError):
  """A model that cannot be exported; says why, and nothing is left behind."""


@contextlib.contextmanager
def whole_folder(output_dir: str) -> Iterator[str]:
  """Makes a folder that gets its name only when the `with` block succeeds.

  Args:
    output_dir: the folder to make.

  Yields:
    The folder to write to, beside `output_dir`.

  Raises:
    ExportError: `output_dir` is there already.
  """
  output_dir = os.path.abspath(output_dir)
  if os.path.exists(output_dir):
    raise ExportError(
      f'{output_dir} exists: remove it, or give another --output_dir.'
    )
  unfinished = f'{output_dir}.unfinished-{os.getpid()}'
  try:
    os.makedirs(unfinished)
    yield unfinished
    os.rename(unfinished, output_dir)
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)
