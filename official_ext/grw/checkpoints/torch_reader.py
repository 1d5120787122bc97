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

"""Reads what torch.save wrote, without torch and without running anything.

A torch file is a zip archive: `<root>/data.pkl`, a pickle of the object with
its tensors' storages left out, and `<root>/data/<key>`, the storages as they
lie in memory.  A pickle is a program, so a file from elsewhere is read by an
unpickler that can build tensors, plain containers and inert records of the
file's own classes, and nothing else.
"""

import collections
from collections.abc import Callable
import math
import pickle
import re
from typing import Any
import zipfile

import numpy as np

# Where the classes are from that published checkpoints refer to: their authors'
# code, and the configurations kept beside the weights.
_INERT_MODULES = re.compile(
  r'(grw_smoothing_models|video_retrieval)\w*(\.\w+)*'
  r'|yacs\.config|fvcore\.common\.config|argparse'
)

# Torch's names of storages and of dtypes, and the bytes they stand for.
_STORAGES = {
  'DoubleStorage': 'f8',
  'FloatStorage': 'f4',
  'HalfStorage': 'f2',
  'BFloat16Storage': 'bfloat16',
  'LongStorage': 'i8',
  'IntStorage': 'i4',
  'ShortStorage': 'i2',
  'CharStorage': 'i1',
  'ByteStorage': 'u1',
  'BoolStorage': '?',
}
_DTYPES = frozenset(
  (
    'float64',
    'double',
    'float32',
    'float',
    'float16',
    'half',
    'bfloat16',
    'int64',
    'long',
    'int32',
    'int',
    'int16',
    'short',
    'int8',
    'uint8',
    'bool',
  )
)
_MAX_PICKLE_BYTES = 1 << 26  # The published ones have 0.1 MB.
_MAX_RANK = 8


class UnsafeCheckpointError(ValueError):
  """A file that is not just tensors, or that lies about their extents."""


class InertClass(type):
  """A class known by name only.  Calling it records the arguments."""

  def __setattr__(cls, name, value):
    raise UnsafeCheckpointError(f'tries to change the class {cls.__name__}')

  def __repr__(cls):
    return f'<inert {cls.__module__}.{cls.__qualname__}>'


class InertObject:
  """What is left of an object: its arguments, its attributes and its items."""

  def __new__(cls, *args):
    record = super().__new__(cls)
    record.__dict__['args'] = args
    return record

  def __init__(self, *args):
    del args  # Kept by __new__, which is all that pickles of objects call.

  def __setstate__(self, state):
    if not isinstance(state, dict) or not all(
      isinstance(name, str) for name in state
    ):
      raise UnsafeCheckpointError(
        f'sets a state that is no dict on a {type(self).__name__}'
      )
    self.__dict__.update(state)

  def __setitem__(self, key, value):
    self.__dict__.setdefault('items', {})[key] = value


class _Name:
  """A torch name that only serves as an argument, such as a dtype."""

  __slots__ = ('name',)
  name: str

  def __init__(self, name: str):
    object.__setattr__(self, 'name', name)

  def __setattr__(self, name, value):
    raise UnsafeCheckpointError(f'tries to change {self.name}')

  def __setstate__(self, state):
    raise UnsafeCheckpointError(f'tries to change {self.name}')

  def __repr__(self):
    return self.name


class _Builder(_Name):
  """A torch function that the unpickler may call: ours, under its name."""

  __slots__ = ('_build',)
  _build: Callable[..., Any]

  def __init__(self, name: str, build: Callable[..., Any]):
    super().__init__(name)
    object.__setattr__(self, '_build', build)

  def __call__(self, *args):
    return self._build(*args)


def _require_ints(values: Any) -> tuple[int, ...]:
  if (
    not isinstance(values, tuple)
    or len(values) > _MAX_RANK
    or any(type(value) is not int or value < 0 for value in values)
  ):
    raise UnsafeCheckpointError(
      'has a tensor whose extents are not a few whole numbers'
    )
  return values


def _rebuild_tensor(storage, offset, size, stride, *unused) -> np.ndarray:
  """A view of a storage.

  Args:
    storage: a one-dimensional array.
    offset: the place of the first element, in elements.
    size: extents.
    stride: in elements.
    *unused: whether it takes gradients, hooks, metadata.

  Raises:
    UnsafeCheckpointError: the tensor reaches beyond its storage.
  """
  del unused
  if not isinstance(storage, np.ndarray) or storage.ndim != 1:
    raise UnsafeCheckpointError(
      'builds a tensor on something else than a storage'
    )
  (offset,) = _require_ints((offset,))
  size, stride = _require_ints(size), _require_ints(stride)
  if len(size) != len(stride):
    raise UnsafeCheckpointError(
      f'has a tensor of {len(size)} extents and {len(stride)} strides'
    )
  if math.prod(size):
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    # Repeated elements (stride 0) could make a huge tensor of a small file.
    if last >= storage.size or math.prod(size) > storage.size:
      raise UnsafeCheckpointError(
        f'has a tensor of shape {size}, strides {stride} and offset {offset} '
        f'that does not fit its storage of {storage.size} elements'
      )
    return np.lib.stride_tricks.as_strided(
      storage[offset:],
      size,
      [step * storage.itemsize for step in stride],
      writeable=False,
    )
  return np.zeros(size, storage.dtype)


def _rebuild_parameter(data, *unused) -> np.ndarray:
  del unused
  if not isinstance(data, np.ndarray):
    raise UnsafeCheckpointError(
      'builds a parameter on something else than a tensor'
    )
  return data


class _RestrictedUnpickler(pickle.Unpickler):
  """Builds tensors, containers and inert records, and refuses the rest."""

  def __init__(self, file, archive: zipfile.ZipFile, root: str, order: str):
    super().__init__(file, encoding='utf-8')
    self._archive = archive
    self._root = root
    self._order = order
    self._globals: dict[tuple[str, str], Any] = {
      ('collections', 'OrderedDict'): collections.OrderedDict,
      # Protocol 2, which torch.save writes, knows sets by this name.
      ('__builtin__', 'set'): _Builder('set', frozenset),
      ('torch', 'Size'): _Builder('torch.Size', tuple),
      ('torch', 'device'): _Builder(
        'torch.device', lambda *args: _Name('torch.device')
      ),
      ('torch._utils', '_rebuild_tensor_v2'): _Builder(
        'torch._utils._rebuild_tensor_v2', _rebuild_tensor
      ),
      ('torch._utils', '_rebuild_parameter'): _Builder(
        'torch._utils._rebuild_parameter', _rebuild_parameter
      ),
    }
    for name in (*_STORAGES, *_DTYPES):
      self._globals['torch', name] = _Name(f'torch.{name}')
    self._storages: dict[str, np.ndarray] = {}

  def find_class(self, module, name):
    """Never imports: hands out what this unpickler made itself."""
    key = (str(module), str(name))
    if key not in self._globals:
      if not _INERT_MODULES.fullmatch(key[0]):
        raise UnsafeCheckpointError(
          f'refers to {key[0]}.{key[1]}, which is neither a tensor nor part '
          'of one'
        )
      # Made anew for each file, so that none can leave traces in another.
      self._globals[key] = InertClass(
        key[1], (InertObject,), {'__module__': key[0], '__qualname__': key[1]}
      )
    return self._globals[key]

  def persistent_load(self, pid):
    """The storage that ('storage', type, key, device, elements) stands for."""
    if not (
      isinstance(pid, tuple)
      and len(pid) == 5
      and pid[0] == 'storage'
      and isinstance(pid[1], _Name)
      and isinstance(pid[2], str)
    ):
      raise UnsafeCheckpointError(
        'refers to something outside of its pickle that is no storage'
      )
    _, kind, key, _, count = pid
    (count,) = _require_ints((count,))
    if key not in self._storages:
      self._storages[key] = self._read_storage(kind.name, key)
    storage = self._storages[key]
    if count > storage.size:
      raise UnsafeCheckpointError(
        f'has a storage {key} of {storage.size} elements, not {count}'
      )
    return storage[:count]

  def _read_storage(self, kind: str, key: str) -> np.ndarray:
    dtype = _STORAGES.get(kind.removeprefix('torch.'))
    if dtype is None:
      raise UnsafeCheckpointError(f'has a storage {key} of the type {kind}')
    try:
      data = self._archive.read(f'{self._root}/data/{key}')
    except KeyError as error:
      raise UnsafeCheckpointError(f'lacks the storage {key}') from error
    if dtype == 'bfloat16':  # The upper half of a float32.
      bits = _whole(data, f'{self._order}u2')
      return (bits.astype(np.uint32) << 16).view(np.float32)
    values = _whole(data, f'{self._order}{dtype}')
    return values.astype(values.dtype.newbyteorder('='), copy=False)


def _whole(data: bytes, dtype: str) -> np.ndarray:
  return np.frombuffer(data, dtype, count=len(data) // np.dtype(dtype).itemsize)


def is_torch_file(path: str) -> bool:
  """Whether `path` looks like a file that torch.save wrote, of any age."""
  with open(path, 'rb') as f:
    start = f.read(4)
  return start == b'PK\x03\x04' or start[:1] == b'\x80'


def load(path: str) -> Any:
  """What torch.save was given, with numpy arrays for tensors.

  bfloat16 becomes float32; arrays are read-only views of the file's storages.
  Objects and classes of the modules that published checkpoints name become
  `InertObject` and `InertClass`.

  Args:
    path: a file in the zip format, torch 1.6 (2020) or later.

  Raises:
    UnsafeCheckpointError: not such a file, or one that refers to anything but
      tensors; nothing of it has been run.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      return _load_archive(archive)
  except zipfile.BadZipFile as error:
    raise UnsafeCheckpointError(
      f'{path} is not a torch file in the zip format. If it was written '
      'before torch 1.6, load and save it again with a newer torch; if it '
      'is cut short, download it again.'
    ) from error
  except UnsafeCheckpointError as error:
    raise UnsafeCheckpointError(f'{path} is refused: it {error}.') from error
  except OSError:
    raise
  # A hostile or damaged pickle may raise anything while it is taken apart.
  except Exception as error:
    raise UnsafeCheckpointError(
      f'{path} is refused: its pickle is damaged or not of tensors '
      f'({type(error).__name__}: {error}).'
    ) from error


def _load_archive(archive: zipfile.ZipFile) -> Any:
  infos = {info.filename: info for info in archive.infolist()}
  pickles = [name for name in infos if re.fullmatch(r'[^/]+/data\.pkl', name)]
  if len(pickles) != 1:
    raise UnsafeCheckpointError(
      'has no data.pkl in its one folder, as torch.save would have written'
    )
  # torch.save does not compress; a compressed entry could be a bomb.
  for name, info in infos.items():
    if info.compress_type != zipfile.ZIP_STORED:
      raise UnsafeCheckpointError(f'has a compressed entry, {name}')
  if infos[pickles[0]].file_size > _MAX_PICKLE_BYTES:
    raise UnsafeCheckpointError(
      f'has a pickle of {infos[pickles[0]].file_size} bytes'
    )
  root = pickles[0].removesuffix('/data.pkl')
  order = '<'
  if f'{root}/byteorder' in infos:
    order = '>' if archive.read(f'{root}/byteorder') == b'big' else '<'
  with archive.open(pickles[0]) as f:
    return _RestrictedUnpickler(f, archive, root, order).load()
