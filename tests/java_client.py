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

"""What clients in Java and Kotlin get of a TFLite file.

LiteRT's Interpreter.runSignature looks up each output by name as a position in
the subgraph's list of outputs, the first that is the same tensor, and copies
one tensor a position.  Of two names of one tensor, only the buffer of the name
that comes last is filled, in the order of a HashMap; the other stays all zero.
"""

from collections.abc import Iterable

from ai_edge_litert import interpreter as litert
import numpy as np


def _hash_code(text: str) -> int:
  """String.hashCode, spread as HashMap does."""
  value = 0
  for letter in text:
    value = (31 * value + ord(letter)) & 0xFFFFFFFF
  return value ^ (value >> 16)


def hash_map_order(names: Iterable[str]) -> list[str]:
  """The order in which a HashMap into which sorted names were put has them."""
  names = sorted(names)
  capacity = 16
  while len(names) > 0.75 * capacity:
    capacity *= 2
  return sorted(names, key=lambda name: _hash_code(name) & (capacity - 1))


def run_signature(runner, inputs: dict) -> dict[str, np.ndarray]:
  """The outputs of a signature, where Java finds them."""
  values = runner(**inputs)
  tensors = {
    name: detail['index']
    for name, detail in runner.get_output_details().items()
  }
  filled = {tensors[name]: name for name in hash_map_order(values)}
  return {
    name: value if filled[tensors[name]] == name else np.zeros_like(value)
    for name, value in values.items()
  }


def assert_loses_nothing(path: str, num_frames: int = 4):
  """Runs all signatures of a file along frames, as Python and as Java do."""
  interpreter = litert.Interpreter(path)
  rng = np.random.default_rng(0)
  for key in interpreter.get_signature_list():
    runner = interpreter.get_signature_runner(key)
    details = runner.get_input_details()
    python = {
      name: np.zeros(detail['shape'], detail['dtype'])
      for name, detail in details.items()
    }
    java = dict(python)
    for number in range(num_frames):
      for name, detail in details.items():
        if not name.startswith('state_'):
          java[name] = python[name] = (
            rng.random(detail['shape'], np.float32)
            if detail['dtype'] == np.float32
            else np.full(detail['shape'], number + 1, detail['dtype'])
          )
      want, got = runner(**python), run_signature(runner, java)
      for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, f'{key}, {name}')
        if name in details:
          python[name], java[name] = value, got[name]
