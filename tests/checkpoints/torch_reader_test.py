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

"""Torch files are read as torch reads them, and hostile ones run nothing."""

import argparse
import builtins
import collections
import functools
import io
import operator
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
from typing import Any
import zipfile

import numpy as np
import pytest

from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import torch_reader
from tests.checkpoints import torch_writer

DATA = pathlib.Path(__file__).parents[1] / 'testdata' / 'torch'


def archive(
  path,
  pickled: bytes,
  storages=(),
  root='archive',
  compression=zipfile.ZIP_STORED,
):
  """A file in torch's format with this pickle."""
  with zipfile.ZipFile(path, 'w', compression) as f:
    f.writestr(f'{root}/data.pkl', pickled)
    for key, data in enumerate(storages):
      f.writestr(f'{root}/data/{key}', data)
  return str(path)


def test_torchs_own_file_is_read_bit_for_bit():
  loaded = torch_reader.load(str(DATA / 'objects.pt'))
  with np.load(DATA / 'objects.npz') as expected:
    assert set(expected) == set(loaded['tensors'])
    for name in expected:
      found = loaded['tensors'][name]
      assert found.dtype == expected[name].dtype, name
      assert found.shape == expected[name].shape, name
      np.testing.assert_array_equal(found, expected[name], err_msg=name)
  assert loaded['size'] == (1, 2)


def test_objects_and_classes_become_inert_records():
  loaded = torch_reader.load(str(DATA / 'objects.pt'))
  params = loaded['transformer_params']
  assert isinstance(params, torch_reader.InertObject)
  assert vars(params) == {
    'args': (),
    'embed_dim': 16,
    'depth': 1,
    'num_heads': 2,
    'mlp_dim': 64,
    'num_classes': 5,
  }
  assert loaded['split'].args == ('test',)
  assert isinstance(loaded['backbone'], torch_reader.InertClass)
  assert loaded['backbone'].__name__ == 'MovinetBackbone'
  assert not any(
    name.startswith(('grw_smoothing_models', 'video_retrieval'))
    for name in sys.modules
  )


def test_neither_torch_nor_tensorflow_is_imported():
  code = (
    'import sys; '
    'from official_ext.grw.checkpoints import torch_reader; '
    'torch_reader.load(sys.argv[1]); '
    'print("torch" in sys.modules, "tensorflow" in sys.modules)'
  )
  done = subprocess.run(
    [sys.executable, '-c', code, str(DATA / 'objects.pt')],
    cwd=DATA.parents[2],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.split() == ['False', 'False']


def test_the_archives_root_may_have_any_name(tmp_path):
  array = np.arange(6, dtype=np.float32).reshape(2, 3).T
  torch_writer.save(tmp_path / 'a.pt', {'x': array}, root='a0s_grw (1)')
  loaded = torch_reader.load(str(tmp_path / 'a.pt'))
  np.testing.assert_array_equal(loaded['x'], array)


class Call:
  """Pickles as a call."""

  def __init__(self, function, *args):
    self.call = function, args

  def __reduce__(self):
    return self.call


def hostile(marker: str):
  """{case: (pickle, part of the global it must be refused for)}."""
  script = f'open({marker!r}, "w")'
  shell = f'touch {marker}'
  calls: dict[str, tuple[Any, ...]] = {
    'os.system': (os.system, shell),
    'subprocess': (subprocess.check_call, ['touch', marker]),
    'eval': (builtins.eval, script),
    'exec': (builtins.exec, script),
    'open': (builtins.open, marker, 'w'),
    'getattr': (builtins.getattr, 'x', 'upper'),
    '__import__': (builtins.__import__, 'os'),
    'partial': (functools.partial, print),
    'attrgetter': (operator.attrgetter, 'system'),
    'bytearray': (builtins.bytearray, 3),
  }
  cases = {}
  for name, (function, *args) in calls.items():
    for protocol in (0, 2, 4):
      cases[f'{name} protocol {protocol}'] = (
        pickle.dumps(Call(function, *args), protocol),
        function.__name__,
      )
  nested = collections.OrderedDict(
    model_state={'a': [1, (2, {'b': Call(os.system, shell)})]}
  )
  cases['deep inside'] = pickle.dumps(nested, 2), 'system'
  # Opcodes that picklers no longer write.
  quoted = repr(shell).encode()
  cases['INST'] = b'(S' + quoted + b'\nios\nsystem\n.', 'os.system'
  cases['OBJ'] = b'(cos\nsystem\nS' + quoted + b'\no.', 'os.system'
  cases['NEWOBJ'] = (
    b'\x80\x02csubprocess\nPopen\n(S' + quoted + b'\nt\x81.',
    'subprocess.Popen',
  )
  cases['memoised name'] = (
    b'\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93\x8c'
    + bytes([len(shell)])
    + shell.encode()
    + b'\x85R.',
    'os.system',
  )
  cases['dotted name'] = (
    b'\x80\x04\x8c\x05torch\x8c\x10_utils.os.system\x93.',
    'os.system',
  )
  cases['torch.load'] = (
    b'\x80\x02ctorch\nload\nX\x01\x00\x00\x00x\x85R.',
    ('torch.load'),
  )
  cases['tensor type'] = (
    b'\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n.',
    'torch._tensor._rebuild_from_type_v2',
  )
  cases['numpy'] = (pickle.dumps(np.zeros(2), 2), '_reconstruct')
  cases['look-alike module'] = b'cgrw_smoothing\nloss\n.', 'grw_smoothing.loss'
  cases['module inside'] = (
    b'cos.grw_smoothing_models\nx\n.',
    ('os.grw_smoothing_models'),
  )
  return cases


NAMES = sorted(hostile('/m'))


@pytest.mark.parametrize('name', NAMES)
def test_a_hostile_pickle_is_refused_by_name_and_nothing_run(name, tmp_path):
  marker = tmp_path / 'ran'
  pickled, refused = hostile(str(marker))[name]
  path = archive(tmp_path / 'a0s_grw.pt', pickled)
  with pytest.raises(torch_reader.UnsafeCheckpointError) as error:
    source.read(path)
  assert 'a0s_grw.pt' in str(error.value)
  assert refused in str(error.value)
  assert not marker.exists()


def test_the_hostile_pickles_of_this_test_do_run_elsewhere(tmp_path):
  """So that the test above would notice."""
  marker = tmp_path / 'ran'
  pickle.loads(hostile(str(marker))['INST'][0])
  assert marker.exists()


TENSOR = 'ctorch._utils\n_rebuild_tensor_v2\n'
STORAGE = "(S'storage'\nctorch\nFloatStorage\nS'{key}'\nS'cpu'\nI{count}\ntQ"


def tensor_pickle(size, stride, offset=0, key='0', count=4) -> bytes:
  def whole_numbers(values):
    return '(' + ''.join(f'I{value}\n' for value in values) + 't'

  storage = STORAGE.format(key=key, count=count)
  return (
    f'{TENSOR}({storage}I{offset}\n{whole_numbers(size)}'
    f'{whole_numbers(stride)}I00\nNtR.'
  ).encode()


def test_the_tensor_pickles_of_this_test_are_right(tmp_path):
  path = archive(
    tmp_path / 'x.pt',
    tensor_pickle((2,), (2,), 1),
    [struct.pack('<4f', 1, 2, 3, 4)],
  )
  np.testing.assert_array_equal(torch_reader.load(path), [2, 4])


@pytest.mark.parametrize(
  'pickled,message',
  [
    (tensor_pickle((5,), (1,)), 'does not fit its storage of 4 elements'),
    (tensor_pickle((2,), (1,), offset=3), 'does not fit'),
    (tensor_pickle((2, 2), (4, 1)), 'does not fit'),
    (tensor_pickle((1000, 1000, 1000), (0, 0, 0)), 'does not fit'),
    (tensor_pickle((2,), (-1,), offset=3), 'not a few whole numbers'),
    (tensor_pickle((2,), (1,), offset=-1), 'not a few whole numbers'),
    (tensor_pickle((-1,), (1,)), 'not a few whole numbers'),
    (tensor_pickle((1,) * 9, (1,) * 9), 'not a few whole numbers'),
    (tensor_pickle((2,), (1, 1)), '1 extents and 2 strides'),
    (tensor_pickle((2,), (1,), count=5), 'storage 0 of 4 elements, not 5'),
    (tensor_pickle((2,), (1,), key='7'), 'lacks the storage 7'),
    (tensor_pickle((2,), (1,), key='../data.pkl'), 'lacks the storage'),
    (
      (TENSOR + "(S'x'\nI0\n(I1\nt(I1\ntI00\nNtR.").encode(),
      'something else than a storage',
    ),
    (
      b"ctorch._utils\n_rebuild_parameter\n(S'x'\nI00\nNtR.",
      'something else than a tensor',
    ),
    (b'ctorch\nFloatStorage\n(I4\ntR.', 'damaged or not of tensors'),
    (b"(S'module'\nS'x'\nS'y'\nS'z'\ntQ.", 'no storage'),
    (b'Pstorage\n.', 'no storage'),
    # Attributes of what the reader hands out cannot be set.
    (TENSOR.encode() + b"}S'__class__'\nI1\nsb.", 'tries to change'),
    (
      b"cgrw_smoothing_models\nA\n(N}S'__new__'\nI1\nstb.",
      'damaged or not of tensors',
    ),
    (b"ctorch\nfloat32\n(N}S'name'\nI1\nstb.", 'tries to change'),
    (b'\x80\x02.', 'damaged or not of tensors'),
    (b'', 'damaged or not of tensors'),
  ],
)
def test_tensors_beyond_their_storage_and_damage_are_refused(
  pickled, message, tmp_path
):
  path = archive(
    tmp_path / 'a0s_grw.pt', pickled, [struct.pack('<4f', 1, 2, 3, 4)]
  )
  with pytest.raises(torch_reader.UnsafeCheckpointError) as error:
    torch_reader.load(path)
  assert message in str(error.value)
  assert path in str(error.value)


def test_an_inert_class_runs_no_code_of_its_name(tmp_path):
  """Even where a module of this name could be imported."""
  marker = tmp_path / 'ran'
  (tmp_path / 'grw_smoothing_models.py').write_text(
    f'open({str(marker)!r}, "w")\ndef A(*args): open({str(marker)!r}, "w")'
  )
  path = archive(tmp_path / 'x.pt', b"cgrw_smoothing_models\nA\n(S'x'\ntR.")
  sys.path.insert(0, str(tmp_path))
  try:
    loaded = torch_reader.load(path)
  finally:
    sys.path.remove(str(tmp_path))
  assert loaded.args == ('x',)
  assert not marker.exists()


def test_a_configuration_becomes_an_inert_record(tmp_path):
  """With its entries, as FocalNets and SlowFast keep one beside weights."""
  torch_writer.save(
    tmp_path / 'x.pth',
    {
      'config': torch_writer.config(
        AUG=torch_writer.config(MIXUP=0.8), TAGS=('a',)
      ),
      'args': argparse.Namespace(lr=0.1),
    },
  )
  loaded = torch_reader.load(str(tmp_path / 'x.pth'))
  assert all(
    isinstance(value, torch_reader.InertObject) for value in loaded.values()
  )
  items = vars(loaded['config'])['items']
  assert items['TAGS'] == ('a',)
  assert vars(items['AUG'])['items'] == {'MIXUP': 0.8}
  assert vars(loaded['args'])['lr'] == 0.1


def test_one_file_leaves_nothing_to_the_next(tmp_path):
  pickled = b'cgrw_smoothing_models\nA\n.'
  path = archive(tmp_path / 'x.pt', pickled)
  assert torch_reader.load(path) is not torch_reader.load(path)


def not_an_archive_tar(path):
  with tarfile.open(path, 'w') as f:
    f.addfile(tarfile.TarInfo('pickle'), io.BytesIO(b''))


def two_pickles(path):
  with zipfile.ZipFile(path, 'w') as f:
    f.writestr('a/data.pkl', b'N.')
    f.writestr('b/data.pkl', b'N.')


@pytest.mark.parametrize(
  'write,message',
  [
    (
      lambda path: path.write_bytes(pickle.dumps(Call(os.system, 'true'), 2)),
      'zip format',
    ),
    (not_an_archive_tar, 'zip format'),
    (two_pickles, 'no data.pkl in its one folder'),
    (
      lambda path: archive(path, b'N.', compression=zipfile.ZIP_DEFLATED),
      'compressed entry',
    ),
    (
      lambda path: path.write_bytes((DATA / 'objects.pt').read_bytes()[:2000]),
      'cut short',
    ),
  ],
  ids=['old format', 'tar', 'two pickles', 'compressed', 'truncated'],
)
def test_files_that_torch_would_not_have_written_so(write, message, tmp_path):
  path = tmp_path / 'weights.pt'
  write(path)
  with pytest.raises(torch_reader.UnsafeCheckpointError, match=message) as e:
    torch_reader.load(str(path))
  assert str(path) in str(e.value)


@pytest.mark.parametrize(
  'content,message',
  [
    ({'model_state': {}}, 'no state dict'),
    ({'x': 3}, 'no state dict'),
    ({'x': np.zeros(3, np.float32)}, "entry 'x'"),
  ],
)
def test_torch_files_of_something_else_are_named(content, message, tmp_path):
  torch_writer.save(tmp_path / 'other.pt', content)
  with pytest.raises(ValueError, match=message):
    source.read(str(tmp_path / 'other.pt'))
