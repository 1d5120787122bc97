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
"""Settings under which TensorFlow trains faster on a CPU.

TensorFlow takes oneDNN's kernels by itself only on processors with VNNI
instructions; on others they are faster than Eigen's too.  And glibc gives the
memory of each large tensor back to the system when it is freed, so that the
next step asks for every page of it anew.

Patches: the default of `TF_ENABLE_ONEDNN_OPTS`, and `mallopt` of glibc.
Unnecessary where TensorFlow takes oneDNN on every x86 processor, and where its
allocator for CPUs keeps memory, as that for GPUs does.
"""

import ctypes
import os

# Who sets one of these has decided on memory already.
MEMORY_VARIABLES = (
  'GLIBC_TUNABLES',
  'MALLOC_MMAP_MAX_',
  'MALLOC_MMAP_THRESHOLD_',
  'MALLOC_TOP_PAD_',
  'MALLOC_TRIM_THRESHOLD_',
)

# Of malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def _keep_freed_memory():
  """Has malloc reuse memory of any size, where malloc is glibc's."""
  try:
    library = ctypes.CDLL(None)
    # Others have functions of this name that do something else, or nothing.
    if not hasattr(library, 'gnu_get_libc_version'):
      return
    library.mallopt(_M_MMAP_MAX, 0)
    library.mallopt(_M_TRIM_THRESHOLD, -1)
  except (OSError, AttributeError, TypeError):
    return  # Not Linux, or another C library.


def use():
  """Sets them for this process; before TensorFlow is imported.

  What the environment sets already is left as it is.  The process keeps what
  memory it had at its peak until it ends.
  """
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
  if not any(variable in os.environ for variable in MEMORY_VARIABLES):
    _keep_freed_memory()
