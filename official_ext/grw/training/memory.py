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
"""The memory of this machine, and what of it this process takes."""

import resource
import sys

import psutil

# Where Linux says what a container may take and takes; of version 1, then 2.
_LIMITS = (
  (
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes',
  ),
  ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current'),
)


def peak_bytes() -> float:
  """The most that this process had resident so far."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak if sys.platform == 'darwin' else 1024 * peak


def resident_bytes() -> float:
  """What this process has resident."""
  return psutil.Process().memory_info().rss


def available_bytes() -> float:
  """What this process can still take, of the machine or of its container."""
  found = [float(psutil.virtual_memory().available)]
  for limit, usage in _LIMITS:
    try:
      with open(limit) as file, open(usage) as other:
        found.append(float(file.read()) - float(other.read()))
    except (OSError, ValueError):  # Not there, or 'max'.
      continue
  return max(0.0, min(found))
