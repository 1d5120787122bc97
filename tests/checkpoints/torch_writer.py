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

"""Writes files as torch.save does, of dicts that hold numpy arrays."""

from collections.abc import Iterator
import contextlib
import io
import pickle
import sys
import types
from typing import Any
import zipfile

import numpy as np

PARAMS = 'grw_smoothing_models.model.attention', 'TransformerParams'
BACKBONE = 'grw_smoothing_models.backbones.movinets', 'MovinetBackbone'
CONFIG = 'yacs.config', 'CfgNode'
_STORAGES = {'f4': 'FloatStorage', 'i8': 'LongStorage'}


@contextlib.contextmanager
def _modules(classes: dict[tuple[str, str], Any]) -> Iterator[None]:
  """Modules under the names that a pickle is to refer to, for a while."""
  names = {
    '.'.join(parts[:end])  # With the packages around them.
    for parts in (module.split('.') for module, _ in classes)
    for end in range(1, len(parts) + 1)
  }
  before = {name: sys.modules[name] for name in names if name in sys.modules}
  for name in names:
    sys.modules[name] = types.ModuleType(name)
  for (module, name), value in classes.items():
    setattr(sys.modules[module], name, value)
  try:
    yield
  finally:
    for name in names:
      del sys.modules[name]
    sys.modules.update(before)


def _named(module: str, name: str, base: type = object) -> type:
  return type(name, (base,), {'__module__': module, '__qualname__': name})


def save(path, content: dict[str, Any], root: str = 'archive'):
  """Writes `content`, which may hold BACKBONE and records of the others."""

  def rebuild(*args):
    del args  # Only named by the pickle.

  rebuild.__module__, rebuild.__qualname__ = (
    'torch._utils',
    ('_rebuild_tensor_v2'),
  )
  classes: dict[tuple[str, str], Any] = {
    ('torch._utils', '_rebuild_tensor_v2'): rebuild,
    PARAMS: _named(*PARAMS),
    BACKBONE: _named(*BACKBONE),
    CONFIG: _named(*CONFIG, base=dict),
  }
  for name in _STORAGES.values():
    classes['torch', name] = _named('torch', name)
  storages: list[np.ndarray] = []

  class Storage:
    """What a tensor's pickle refers to by a persistent id."""

    def __init__(self, array):
      self.array = array

  class Pickler(pickle.Pickler):
    """Arrays as tensors, their storages by id."""

    def persistent_id(self, obj):
      if not isinstance(obj, Storage):
        return None
      storages.append(obj.array)
      kind = classes['torch', _STORAGES[obj.array.dtype.str[1:]]]
      return ('storage', kind, str(len(storages) - 1), 'cpu', obj.array.size)

    def reducer_override(self, obj):
      if not isinstance(obj, np.ndarray):
        return NotImplemented
      obj = np.array(obj, order='C')
      strides = tuple(step // obj.itemsize for step in obj.strides)
      return rebuild, (Storage(obj), 0, obj.shape, strides, False, {})

  with _modules(classes):

    def resolve(value):
      if isinstance(value, dict):
        return {key: resolve(item) for key, item in value.items()}
      if isinstance(value, Record):
        made = classes[value.name]()
        made.__dict__.update(value.attributes)
        if value.items:
          made.update(resolve(value.items))
        return made
      if isinstance(value, tuple) and value == BACKBONE:
        return classes[BACKBONE]
      return value

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(resolve(content))
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
    archive.writestr(f'{root}/data.pkl', buffer.getvalue())
    archive.writestr(f'{root}/byteorder', 'little')
    for key, array in enumerate(storages):
      archive.writestr(f'{root}/data/{key}', np.ascontiguousarray(array).data)


class Record:
  """An object of a class that only the pickle knows, a dict if with items."""

  def __init__(
    self, name: tuple[str, str], items: dict | None = None, **attributes
  ):
    self.name = name
    self.items = items
    self.attributes = attributes


def config(**items: Any) -> Record:
  """What FocalNets keep beside their weights, with the attributes it has."""
  return Record(
    CONFIG,
    items,
    __immutable__=True,
    __deprecated_keys__=set(),
    __renamed_keys__={},
    __new_allowed__=False,
  )


def save_grw(
  path,
  state: dict[str, np.ndarray],
  window: int,
  average: dict[str, np.ndarray] | None = None,
):
  """A checkpoint as the GRW authors write it."""
  width = state['ln.weight'].shape[0]
  save(
    path,
    {
      'model_state': state,
      'ema_weights': average
      and {
        'n_averaged': np.array(3),
        **{f'module.{name}': value for name, value in average.items()},
      },
      'num_samples': 1000,
      'transformer_params': Record(
        PARAMS,
        embed_dim=width,
        depth=2,
        num_heads=8,
        mlp_dim=4 * width,
        num_classes=state['attention.linear_head.bias'].shape[0],
      ),
      'backbone': BACKBONE,
      'T': window,
      'version': 10,
    },
  )
