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
"""Memory that is freed is used again, and what users set is left alone."""

import os
import subprocess
import sys

import pytest

from official_ext.grw.compat import cpu_settings

# Prints how often the system was asked for a page while 64 MiB were allocated
# and freed twenty times.
_PAGES = """
import os, resource, sys
import numpy as np
from official_ext.grw.compat import cpu_settings
if sys.argv[1] == 'use':
  cpu_settings.use()
assert 'tensorflow' not in sys.modules
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
  np.ones(2**23)
after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(after - before, os.environ.get('TF_ENABLE_ONEDNN_OPTS'))
"""


def _pages(argument: str, **environment) -> tuple[int, str]:
  inherited = {
    name: value
    for name, value in os.environ.items()
    if name not in (*cpu_settings.MEMORY_VARIABLES, 'TF_ENABLE_ONEDNN_OPTS')
  }
  pages, one_dnn = subprocess.run(
    [sys.executable, '-c', _PAGES, argument],
    # NumPy would ask for pages that are 512 times larger.
    env={**inherited, 'NUMPY_MADVISE_HUGEPAGE': '0', **environment},
    check=True,
    capture_output=True,
    text=True,
  ).stdout.split()
  return int(pages), one_dnn


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc is of Linux')
def test_memory_is_kept():
  anew, one_dnn = _pages('leave')
  assert one_dnn == 'None'
  kept, one_dnn = _pages('use')
  # Twenty times 64 MiB are 327,680 pages, or 640 where pages are of 2 MiB.
  assert kept < 100 < anew
  assert one_dnn == '1'


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc is of Linux')
def test_the_environment_has_the_last_word():
  pages, one_dnn = _pages(
    'use', MALLOC_MMAP_THRESHOLD_='1048576', TF_ENABLE_ONEDNN_OPTS='0'
  )
  assert pages > 100
  assert one_dnn == '0'
