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

"""What clients in C++ get of a TFLite file: tensors by their numbers.

A client asks the signature once which tensor has which name
(Interpreter::signature_inputs), copies into input tensors, invokes, and copies
states from output tensors to input tensors.
"""

from ai_edge_litert import interpreter as litert
import numpy as np


def stream(path: str, frames: np.ndarray) -> np.ndarray:
  """Logits [frames, classes] of the one signature of a file.

  Args:
    path: the path of the file.
    frames: [frames, height, width, 3] float32.
  """
  runner = litert.Interpreter(path).get_signature_runner()
  inputs = {n: d['index'] for n, d in runner.get_input_details().items()}
  outputs = {n: d['index'] for n, d in runner.get_output_details().items()}
  interpreter = litert.Interpreter(path)
  interpreter.allocate_tensors()
  assert sorted(inputs.values()) == sorted(
    detail['index'] for detail in interpreter.get_input_details()
  )
  for detail in interpreter.get_input_details():
    interpreter.set_tensor(
      detail['index'], np.zeros(detail['shape'], detail['dtype'])
    )
  logits = []
  for frame in frames:
    interpreter.set_tensor(inputs['image'], frame[np.newaxis, np.newaxis])
    interpreter.invoke()
    logits.append(interpreter.get_tensor(outputs['logits'])[0])
    states = {
      n: interpreter.get_tensor(outputs[n]) for n in inputs if n != 'image'
    }
    for name, state in states.items():
      interpreter.set_tensor(inputs[name], state)
  return np.stack(logits)
