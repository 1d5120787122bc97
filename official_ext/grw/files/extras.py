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
"""Says which extra of the package holds a library that is not installed."""

from collections.abc import Iterator
import contextlib

# The extra of pyproject.toml to install, by the module that is missing.
EXTRAS = {
  'ai_edge_litert': 'predict',
  'ai_edge_quantizer': 'export',
  'apache_beam': 'convert',
  'av': 'predict',
  'google_crc32c': 'convert',
  'kagglehub': 'kaggle',
}


class MissingExtraError(ImportError):
  """A library is not installed; the message is the command that installs it."""


@contextlib.contextmanager
def named_if_missing() -> Iterator[None]:
  """Names the extra where an import inside finds no library of one.

  Raises:
    MissingExtraError: in place of the ModuleNotFoundError of such a library.
  """
  try:
    yield
  except ModuleNotFoundError as error:
    module = (error.name or '').split('.')[0]
    if module not in EXTRAS:
      raise
    raise MissingExtraError(
      f'{module} is not installed: '
      f"pip install 'grw-smoothing[{EXTRAS[module]}]'"
    ) from error
