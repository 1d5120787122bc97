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
"""Settings that every test runs under.

They are environment variables so that the commands a test starts inherit them,
and so that TensorFlow is imported only by the tests that use it.
"""

import gc
import os

import hypothesis
import pytest

from official_ext.grw.compat import cpu_settings
from tests import lean
from tests import program_server

os.environ.setdefault('MPLBACKEND', 'Agg')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
# As `grw` sets it: TensorFlow imports Keras 3 for those alone who use it.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
cpu_settings.use()

# pytest-xdist runs several processes; each takes its share of the cores, since
# TensorFlow would otherwise start one thread per core in each of them.
_workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
if _workers > 1:
  _threads = str(max(1, (os.cpu_count() or 1) // _workers))
  os.environ.setdefault('OMP_NUM_THREADS', _threads)
  os.environ.setdefault('TF_NUM_INTRAOP_THREADS', _threads)

# The same examples in each run, and no time limit on one of them: the first
# call of a TensorFlow function traces it.
hypothesis.settings.register_profile(
  'repeatable', deadline=None, derandomize=True, database=None
)
hypothesis.settings.load_profile('repeatable')

# Files that take longest, longest first: begun last, one would keep a
# process busy while the other has nothing left.
_LONG = (
  'distribution_test.py',
  'parity_test.py',
  'tflite_test.py',
  'train_test.py',
  'sweep_test.py',
  'ensemble_export_test.py',
  'own_data_test.py',
  'wheel_test.py',
  'demo_test.py',
)


def pytest_collection_modifyitems(items):
  items.sort(
    key=lambda item: (
      _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG)
    )
  )


def pytest_configure(config):
  """Starts one server of programs for all processes of pytest-xdist."""
  if getattr(config.option, 'numprocesses', 0):
    program_server.start()


def pytest_collection_finish():
  lean.leave_out_stacks()
  lean.leave_imports_alone()


@pytest.fixture(scope='module', autouse=True)
def _models_of_a_file_end_with_it(request):
  yield
  # pytest keeps the module, and with it what its functions have cached.
  for value in vars(request.module).values():
    if getattr(value, '__module__', '') == request.module.__name__:
      getattr(value, 'cache_clear', lambda: None)()
  lean.forget_gradients()
  gc.collect()
