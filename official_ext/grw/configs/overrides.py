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

"""Overrides of an experiment, from YAML files and the command line.

As the Model Garden reads them, with messages that say what to write instead,
and without TensorFlow.
"""

from collections.abc import Iterator, Sequence
import os
import re
from typing import Any

import yaml

from official_ext.grw.files import paths

_ASSIGNMENT = re.compile(r'\s*([A-Za-z_][\w.]*)\s*=(.*)', re.DOTALL)
_OPENING, _CLOSING = '([{', ')]}'


class _Loader(yaml.SafeLoader):
  """YAML to which 1e-3 is a number, as it is to the Model Garden."""


_Loader.add_implicit_resolver(
  'tag:yaml.org,2002:float',
  re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'),
  list('-+.0123456789'),
)


def _sequence(loader: yaml.SafeLoader, node: yaml.Node) -> list[Any]:
  """A tuple of params.yaml, as the Model Garden writes it."""
  assert isinstance(node, yaml.SequenceNode)
  return loader.construct_sequence(node)


_Loader.add_constructor('tag:yaml.org,2002:python/tuple', _sequence)


def load_yaml(text: str) -> Any:
  """Reads YAML or JSON; raises yaml.YAMLError."""
  return yaml.load(text, Loader=_Loader)


def read(
  config_files: Sequence[str] | None, params_override: str | None
) -> list[tuple[str, dict[str, Any]]]:
  """Reads all overrides, in the order in which they apply.

  Args:
    config_files: paths of YAML or JSON files.
    params_override: 'field=value,…', YAML or JSON, or the path of such a file.

  Returns:
    Where each comes from, and nested values.

  Raises:
    ValueError: a file is missing or not of nested fields, or the text is not.
  """
  found = [
    (f'--config_file={path}', _read_file('config_file', path))
    for path in config_files or []
  ]
  if params_override:
    found.append(('--params_override', parse(params_override)))
  return found


def _read_file(flag: str, path: str) -> dict[str, Any]:
  try:
    text = paths.read_text(path)
  except UnicodeDecodeError as error:
    raise ValueError(f'{flag}={path}: this is no text file.') from error
  except OSError as error:
    near = os.path.dirname(path) or '.'
    raise ValueError(
      f'{flag}={path}: {error.strerror or error}; expected a YAML file'
      + (
        ''
        if paths.is_remote(path) or os.path.isdir(near)
        else f', and there is no folder {near}'
      )
      + '.'
    ) from error
  try:
    values = load_yaml(text)
  except yaml.YAMLError as error:
    raise ValueError(f'{flag}={path} is not YAML: {error}') from error
  if values is None:
    return {}
  if not isinstance(values, dict):
    raise ValueError(
      f'{flag}={path} holds a {type(values).__name__}: expected nested '
      'fields, such as "trainer: {train_steps: 10}".'
    )
  return values


def parse(text: str) -> dict[str, Any]:
  """Reads `--params_override`; see `read`."""
  if _ASSIGNMENT.match(text):
    return _parse_assignments(text)
  try:
    values = load_yaml(text)
  except yaml.YAMLError as error:
    raise ValueError(
      f'--params_override is neither field=value,field=value nor YAML: {error}'
    ) from error
  if isinstance(values, dict):
    return values
  if paths.exists(text) and not paths.is_folder(text):
    return _read_file('params_override', text)
  mended = re.sub(r'^([A-Za-z_][\w.]*)\s*:\s*', r'\1=', text)
  hint = f'. Did you mean {mended}?' if mended != text else ''
  raise ValueError(
    f'--params_override={text}: expected field=value,field=value or YAML, or '
    f'the path of a YAML file{hint}'
  )


def _pieces(text: str) -> Iterator[str]:
  """Splits at commas outside of brackets and quotes."""
  depth, quote, start = 0, '', 0
  for index, letter in enumerate(text):
    if quote:
      quote = '' if letter == quote else quote
    elif letter in '\'"' and text[:index].rstrip()[-1:] in '=,([{:':
      quote = letter
    elif letter in _OPENING:
      depth += 1
    elif letter in _CLOSING:
      depth -= 1
    elif letter == ',' and depth == 0:
      yield text[start:index]
      start = index + 1
  if quote or depth:
    raise ValueError(
      f'--params_override={text}: a quote or bracket is not closed.'
    )
  yield text[start:]


def _parse_assignments(text: str) -> dict[str, Any]:
  values: dict[str, Any] = {}
  field, value = '', ''
  for piece in _pieces(text):
    if not piece.strip():
      continue
    match = _ASSIGNMENT.match(piece)
    if not match:
      raise ValueError(
        f'--params_override: {piece.strip()!r} is not field=value. A value '
        f"with commas goes into quotes: {field}='{value},{piece.strip()}'"
      )
    field, value = match[1], match[2].strip()
    *parents, name = field.split('.')
    place = values
    for parent in parents:
      place = place.setdefault(parent, {})
      if not isinstance(place, dict):
        raise ValueError(
          f'--params_override: {field} is set, and {parent} as a whole before.'
        )
    place[name] = _value(value)
  return values


def _value(text: str) -> Any:
  """A value as YAML reads it; what YAML cannot, such as '*.txt', is text."""
  if not text:
    return ''
  try:
    value = load_yaml(text)
  except yaml.YAMLError:
    return text
  simple = (str, int, float, bool, list, dict, type(None))
  return value if isinstance(value, simple) else text
