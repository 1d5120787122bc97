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

"""The fields of every experiment, known without TensorFlow.

`fields.json` beside this module holds names, types and defaults of the fields
of all experiments.  The dataclasses cannot be imported without TensorFlow,
which takes half a minute; what is wrong with an override is to be said before.
`tools/maintenance/describe_configs.py` writes the file, and a test compares it.
"""

from collections.abc import Iterable, Mapping, Sequence
import copy
import dataclasses
import difflib
import functools
import json
import pathlib
import types
import typing
from typing import Any

PATH = pathlib.Path(__file__).with_name('fields.json')

_BASIC: dict[type, tuple[str, str]] = {
  bool: ('bool', 'true or false'),
  int: ('int', 'an integer'),
  float: ('float', 'a number'),
  str: ('str', 'a text'),
}
_WORDS = dict(_BASIC.values())
# By the class of a configuration.
_PLURALS = {'int': 'integers', 'float': 'numbers', 'str': 'texts'}


@dataclasses.dataclass(frozen=True)
class Description:
  """Experiments and the classes of their configuration.

  A type is 'int', 'float', 'bool', 'str', 'any' or null; or one of {'any_of':
  types}, {'one_of': values}, {'list': type}, {'tuple': types, 'meaning': text}
  and {'class': name}.

  Attributes:
    classes: by name, the [type, default] of each field; a field of a class has
      no default but those of the class.
    experiments: by name, `class` and `values`: what differs from the defaults,
      nested.
  """

  classes: dict[str, dict[str, list[Any]]]
  experiments: dict[str, dict[str, Any]]

  def values(self, experiment: str) -> dict[str, Any]:
    """Everything that an experiment is configured with, nested."""
    described = self.experiments[experiment]
    values = self.defaults(described['class'])
    merge(values, described['values'])
    return values

  def defaults(self, class_name: str) -> dict[str, Any]:
    """The values of a class as it is made, nested."""
    return {
      name: self.defaults(kind['class'])
      if _is_class(kind) and not default
      else copy.deepcopy(default[0])
      for name, (kind, *default) in self.classes[class_name].items()
    }

  def require_fields(self, class_name: str, values: Any, prefix: str = ''):
    """Raises ValueError for a field that is not there or of another type.

    Args:
      class_name: whose fields they are to be.
      values: by field, nested; not all of them.
      prefix: the prefix of the names of fields, for messages.
    """
    fields = self.classes[class_name]
    if not isinstance(values, Mapping):
      raise ValueError(
        f'{prefix}={values!r}: expected fields of it, such as '
        f'{prefix}.{next(iter(fields))}.'
      )
    for name, value in values.items():
      path = f'{prefix}.{name}' if prefix else str(name)
      if name not in fields:
        raise ValueError(self._unknown(str(name), path, class_name))
      kind, *default = fields[name]
      if default and _same(value, default[0]):
        continue
      self._require_type(kind, value, path)

  def _require_type(self, kind: Any, value: Any, path: str):
    options = kind['any_of'] if _is(kind, 'any_of') else [kind]
    for option in options:
      if _is_class(option) and (isinstance(value, Mapping)):
        self.require_fields(option['class'], value, path)
        return
      if _fits(option, value):
        return
    if len(options) == 1 and _is_class(kind):
      self.require_fields(kind['class'], value, path)
    expected = ' or '.join(_expected(option) for option in options)
    hint = ''
    for option in options:
      if _is(option, 'one_of') and isinstance(value, str):
        hint = did_you_mean(value, option['one_of'])
      if _is(option, 'tuple') or _is(option, 'list'):
        hint = _brackets(value)
      if option == 'int' and isinstance(value, float) and value.is_integer():
        hint = f'; write {int(value)}'
      if _is(option, 'one_of') and value is False and 'off' in option['one_of']:
        hint = """; quote it, as YAML takes off for false"""
    raise ValueError(f'{path}={_shown(value)}: expected {expected}{hint}.')

  def _unknown(self, name: str, path: str, class_name: str) -> str:
    message = f'{path}: there is no such field'
    parent = path.rpartition('.')[0]
    elsewhere = [
      place
      for place in self._places()
      if place.rpartition('.')[2] == name or place.endswith(f'.{path}')
    ]
    near = nearest(name, self.classes[class_name], 0.7 if elsewhere else 0.6)
    if near:
      return f'{message}. Did you mean {f"{parent}." * bool(parent)}{near}?'
    if elsewhere:
      return f'{message}. Did you mean {" or ".join(elsewhere[:3])}?'
    return f'{message}: expected one of {sorted(self.classes[class_name])}.'

  def _places(self) -> list[str]:
    """All fields of any experiment, those with the shortest paths first."""
    found: dict[str, None] = {}

    def walk(class_name, prefix):
      for name, (kind, *_) in self.classes[class_name].items():
        path = f'{prefix}.{name}' if prefix else name
        found.setdefault(path)
        if _is_class(kind):
          walk(kind['class'], path)

    for class_name in dict.fromkeys(
      described['class'] for described in self.experiments.values()
    ):
      walk(class_name, '')
    return sorted(found, key=lambda path: path.count('.'))


def nearest(name: str, known: Iterable[Any], cutoff: float = 0.6) -> str:
  """The known name that is most like another one; '' if none is."""
  known = [str(other) for other in known]
  return next(iter(difflib.get_close_matches(name, known, 1, cutoff)), '')


def did_you_mean(name: str, known: Iterable[Any]) -> str:
  """Ends a message with the nearest name, if one is near."""
  near = nearest(name, known)
  return f'; the nearest is {near!r}' if near else ''


def merge(values: dict[str, Any], changes: Mapping[str, Any]):
  """Sets nested values, in place."""
  for name, value in changes.items():
    if isinstance(value, Mapping) and isinstance(values.get(name), dict):
      merge(values[name], value)
    else:
      values[name] = copy.deepcopy(value)


def _is(kind: Any, key: str) -> bool:
  return isinstance(kind, dict) and key in kind


def _is_class(kind: Any) -> bool:
  return _is(kind, 'class')


def _same(value: Any, other: Any) -> bool:
  if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
    return list(value) == list(other)
  return type(value) is type(other) and value == other


def _shown(value: Any) -> str:
  return repr(list(value) if isinstance(value, tuple) else value)


def _fits(kind: Any, value: Any) -> bool:
  if kind == 'any':
    return True
  if kind is None:
    return value is None
  if kind == 'bool':
    return isinstance(value, bool)
  if kind == 'int':
    return isinstance(value, int) and not isinstance(value, bool)
  if kind == 'float':
    return isinstance(value, (int, float)) and not isinstance(value, bool)
  if kind == 'str':
    return isinstance(value, str)
  if 'one_of' in kind:
    return value in kind['one_of'] and not isinstance(value, bool)
  if 'list' in kind:
    return isinstance(value, (list, tuple)) and all(
      _is_class(kind['list']) or _fits(kind['list'], item) for item in value
    )
  if 'tuple' in kind:
    return (
      isinstance(value, (list, tuple))
      and len(value) == len(kind['tuple'])
      and all(_fits(part, item) for part, item in zip(kind['tuple'], value))
    )
  return False


def _brackets(value: Any) -> str:
  return '; write it in square brackets' if isinstance(value, str) else ''


def _expected(kind: Any) -> str:
  if kind is None:
    return 'null'
  if isinstance(kind, str):
    return _WORDS.get(kind, kind)
  if 'one_of' in kind:
    return f'one of {", ".join(map(repr, kind["one_of"]))}'
  if 'list' in kind:
    item = kind['list']
    plural = _PLURALS.get(item) if isinstance(item, str) else None
    return f'a list of {plural or "values"}'
  if 'tuple' in kind:
    parts = kind['tuple']
    plural = _PLURALS[parts[0]]
    meaning = kind.get('meaning', '')
    return f'{len(parts)} {plural}' + f', [{meaning}]' * bool(meaning)
  return 'fields of it'


def describe(configs: Mapping[str, Any]) -> Description:
  """Describes experiments by their configuration.

  Args:
    configs: by the experiment's name.
  """
  classes: dict[str, dict[str, list[Any]]] = {}
  for config in configs.values():
    _describe_class(type(config), classes)
  plain = Description(classes, {})
  experiments = {}
  for name, config in sorted(configs.items()):
    class_name = _class_name(type(config))
    experiments[name] = {
      'class': class_name,
      'values': _changes(plain.defaults(class_name), dump(config)),
    }
  return Description(
    {name: classes[name] for name in sorted(classes)}, experiments
  )


def describe_class(config_class: type) -> Description:
  """Describes the class of a configuration alone, without experiments."""
  classes: dict[str, dict[str, list[Any]]] = {}
  _describe_class(config_class, classes)
  return Description(classes, {})


def require_types(config: object):
  """Raises ValueError for a field of a configuration of another type."""
  describe_class(type(config)).require_fields(
    _class_name(type(config)), dump(config)
  )


def _class_name(config_class: type) -> str:
  return f'{config_class.__module__}.{config_class.__qualname__}'


def _is_config(kind: Any) -> bool:
  return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _is_choice(config_class: type) -> bool:
  """Whether `type` names the field that counts; the class needs TensorFlow."""
  return 'OneOfConfig' in [base.__name__ for base in config_class.__mro__]


def _registered(config_class: type) -> Mapping[str, type]:
  """The classes of fields that are no dataclass's, by name; they may grow."""
  if not hasattr(config_class, 'registered_fields'):
    return {}
  return config_class.registered_fields()


def _describe_class(config_class: type, classes: dict[str, Any]):
  name = _class_name(config_class)
  if name in classes:
    return
  fields = classes[name] = {}
  registered = _registered(config_class)
  hints = typing.get_type_hints(config_class, include_extras=True)
  for field in dataclasses.fields(config_class):
    kind = _kind(hints[field.name], classes)
    if field.name == 'type' and _is_choice(config_class):
      others = [other.name for other in dataclasses.fields(config_class)]
      others.remove('type')
      names = list(dict.fromkeys([*others, *registered]))
      kind = {'any_of': [{'one_of': names}, None]}
    elif field.name == 'type' and hasattr(config_class, 'type_choices'):
      kind = {'one_of': config_class.type_choices()}
    fields[field.name] = [kind]
    if not _is_class(kind):
      fields[field.name].append(
        _plain(field.default_factory())
        if field.default_factory is not dataclasses.MISSING
        else _plain(field.default)
      )
    elif field.default is None:
      fields[field.name].append(None)
  for field_name, field_class in registered.items():
    fields[field_name] = [_kind(field_class, classes)]


def _kind(hint: Any, classes: dict[str, Any]) -> Any:
  """The type of a field, as `Description` writes it."""
  if hint in _BASIC:
    return _BASIC[hint][0]
  if hint is type(None):
    return None
  origin, arguments = typing.get_origin(hint), typing.get_args(hint)
  if origin is typing.Annotated:
    inner = _kind(arguments[0], classes)
    return {**inner, 'meaning': arguments[1]}
  if origin in (typing.Union, types.UnionType):
    return {'any_of': [_kind(argument, classes) for argument in arguments]}
  if origin is typing.Literal:
    return {'one_of': list(arguments)}
  if origin is tuple and arguments[-1] is not Ellipsis:
    return {'tuple': [_kind(argument, classes) for argument in arguments]}
  if isinstance(origin, type) and issubclass(origin, Sequence):
    return {'list': _kind(arguments[0], classes)}
  # The base class has no fields of its own: any will do.
  if _is_config(hint) and dataclasses.fields(hint):
    _describe_class(hint, classes)
    return {'class': _class_name(hint)}
  return 'any'


def dump(config: Any) -> dict[str, Any]:
  """All fields of a configuration; `as_dict` leaves out what is not chosen."""
  names = [field.name for field in dataclasses.fields(config)]
  return {
    name: _plain(getattr(config, name))
    for name in [*names, *_registered(type(config))]
  }


def _plain(value: Any) -> Any:
  if _is_config(type(value)):
    return dump(value)
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  return value


def _changes(
  defaults: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
  changed = {}
  for name, value in values.items():
    default = defaults[name]
    if isinstance(value, dict) and isinstance(default, dict):
      if inner := _changes(default, value):
        changed[name] = inner
    elif not _same(value, default):
      changed[name] = value
  return changed


def write(description: Description, path: pathlib.Path = PATH):
  """Writes a description, a field or an experiment a line."""
  path.write_text(dumps(description), encoding='utf-8')


def dumps(description: Description) -> str:
  """The text of `fields.json`."""
  classes = ',\n'.join(
    f'    {json.dumps(name)}: {{\n'
    + ',\n'.join(
      f'      {json.dumps(field)}: {json.dumps(kind)}'
      for field, kind in fields.items()
    )
    + '\n    }'
    for name, fields in description.classes.items()
  )
  experiments = ',\n'.join(
    f'    {json.dumps(name)}: {json.dumps(value)}'
    for name, value in description.experiments.items()
  )
  return (
    f'{{\n  "classes": {{\n{classes}\n  }},\n'
    f'  "experiments": {{\n{experiments}\n  }}\n}}\n'
  )


@functools.cache
def read(path: pathlib.Path = PATH) -> Description:
  """Reads the packaged description."""
  return Description(**json.loads(path.read_text(encoding='utf-8')))
