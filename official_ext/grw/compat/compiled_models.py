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

"""LiteRT's CompiledModel, without what it writes on the screen.

Patches: ai_edge_litert 2.3 writes thirty lines about GPUs and plug-ins to the
standard error when an environment or a model is made, and when the first buffer
is written to, for which it makes an environment of its own.  What it writes as
that one ends, with the process, still appears.

Unnecessary once a level of logs can be set in Python.
"""

from collections.abc import Iterator
import contextlib
import ctypes
import functools
import os

from ai_edge_litert import compiled_model
from ai_edge_litert import environment
from ai_edge_litert import tensor_buffer
import numpy as np


@contextlib.contextmanager
def _silence() -> Iterator[None]:
  """Nothing appears on the standard error of the process."""
  try:
    kept = os.dup(2)
  except OSError:  # It is closed.
    yield
    return
  try:
    with open(os.devnull, 'wb') as nowhere:
      os.dup2(nowhere.fileno(), 2)
    yield
  finally:
    os.dup2(kept, 2)
    os.close(kept)


@functools.cache
def _environment() -> environment.Environment:
  """The one of this process."""
  found = environment.Environment.create(
    options=environment.EnvironmentOptions()
  )
  # Kept when Python ends, where it could not be silenced.
  ctypes.pythonapi.Py_IncRef(ctypes.py_object(found))
  return found


@functools.cache
def _write_once():
  """Has the environment of buffers made."""
  buffer = tensor_buffer.TensorBuffer.create_from_host_memory(
    np.zeros(16, np.float32)
  )
  buffer.write(np.zeros(16, np.float32))


def open_model(path: str, num_threads: int) -> compiled_model.CompiledModel:
  """Opens a TFLite file for the CPU.

  Args:
    path: the path of a file that an Interpreter could open: of a damaged one
      the process dies here.
    num_threads: to compute with.

  Raises:
    RuntimeError: the file cannot be run.
  """
  with _silence():
    model = compiled_model.CompiledModel.from_file(
      path,
      environment=_environment(),
      options=compiled_model.Options(
        cpu_options=compiled_model.CpuOptions(num_threads=num_threads)
      ),
    )
    _write_once()
    return model
