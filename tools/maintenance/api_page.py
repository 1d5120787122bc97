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
r"""Writes docs/api.md from the docstrings of the public names.

  python3 tools/maintenance/api_page.py

`tests/api_page_test.py` fails where the page is not what this writes.
"""

import inspect
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext import grw
from official_ext.grw.files import whole_file

PAGE = pathlib.Path(__file__).absolute().parents[2] / 'docs' / 'api.md'
_HEAD = """# Public names

What `from official_ext import grw` offers. Names are imported when they are
first used. `tools/maintenance/api_page.py` writes this page from the
docstrings.
"""


def _signature(value) -> str:
  # In Python 3.10 a layer's own is that of `__new__`, which takes anything.
  makes = inspect.isclass(value) and value.__init__ is not object.__init__
  try:
    signature = inspect.signature(value.__init__ if makes else value)
  except (TypeError, ValueError):
    return ''
  # Defaults and names; types stand in the text below.
  parameters = [
    parameter.replace(annotation=inspect.Parameter.empty)
    for parameter in [*signature.parameters.values()][makes:]
  ]
  return str(
    signature.replace(
      parameters=parameters, return_annotation=inspect.Signature.empty
    )
  )


def _methods(value) -> list[tuple[str, object]]:
  """The documented public methods that a class defines itself."""
  if not inspect.isclass(value):
    return []
  inherited = {'build', 'call', 'compute_output_shape', 'from_config'}
  return [
    (name, method)
    for name, method in vars(value).items()
    if inspect.isfunction(method)
    and not name.startswith('_')
    and name not in inherited | {'get_config'}
    and method.__doc__
  ]


def _entry(title: str, value, level: int) -> str:
  text = inspect.getdoc(value) or ''
  if inspect.isclass(value) and value.__init__.__doc__:
    made = inspect.getdoc(value.__init__) or ''
    if made not in text and '__init__' in vars(value):
      text = f'{text}\n\n{made}'
  block = f'```text\n{text}\n```'
  return f'{"#" * level} `{title}{_signature(value)}`\n\n{block}\n'


def page() -> str:
  """The whole page, Markdown."""
  parts = [_HEAD]
  for name in grw.__all__:
    if name.startswith('__'):
      continue
    value = getattr(grw, name)
    parts.append(_entry(name, value, 2))
    parts += [
      _entry(f'{name}.{method}', function, 3)
      for method, function in _methods(value)
    ]
  return '\n'.join(parts)


if __name__ == '__main__':
  whole_file.write(PAGE, page())
