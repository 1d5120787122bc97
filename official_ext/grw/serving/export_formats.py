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

"""The export formats, one line each.

A format from outside the package is registered by `register` too, before the
command line is read.
"""

from collections.abc import Sequence

from official_ext.grw.serving import export_format
from official_ext.grw.serving import saved_model_format
from official_ext.grw.serving import tflite_format
from official_ext.grw.serving import web_format

_registered: dict[str, export_format.ExportFormat] = {}


def register(kind: export_format.ExportFormat):
  """Makes a format known.

  Raises:
    ValueError: there is a format of this name.
  """
  if kind.name in _registered:
    raise ValueError(f'There is an export format {kind.name!r} already.')
  _registered[kind.name] = kind


register(tflite_format.TfliteFormat())
register(saved_model_format.SavedModelFormat())
register(web_format.WebFormat())


def registered() -> Sequence[export_format.ExportFormat]:
  """All formats, in the order in which they were registered."""
  return tuple(_registered.values())


def named(name: str) -> export_format.ExportFormat:
  """The format of a name.

  Raises:
    ValueError: there is none.
  """
  if name not in _registered:
    raise ValueError(
      f'There is no export format {name!r}: expected one of '
      f'{", ".join(_registered)}.'
    )
  return _registered[name]
