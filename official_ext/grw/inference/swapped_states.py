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

"""Streams whose states stay where they are, from frame to frame.

LiteRT's interpreter copies every state in and out, for each frame.  Its
CompiledModel reads and writes buffers that a client keeps: each state has two,
one to read and one to write, and after a frame they change places.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from official_ext.grw.compat import compiled_models


def can_swap(
  inputs: Mapping[str, Mapping[str, Any]],
  outputs: Mapping[str, Mapping[str, Any]],
  result: str = 'logits',
) -> bool:
  """Whether each state of a signature can change places with what follows it.

  Not where one tensor has two names, of which a CompiledModel fills one, nor
  in files of integers, where what is written may have another scale.

  Args:
    inputs: details of the inputs by name, as a signature runner of LiteRT's
      Interpreter has them: `image` and the states.
    outputs: those of the outputs: the result and the states.
    result: the name of the output that is no state.
  """
  if set(inputs) - {'image'} != set(outputs) - {result}:
    return False
  details = [*inputs.values(), *outputs.values()]
  return (
    len({detail['index'] for detail in details}) == len(details)
    and all(-1 not in detail['shape_signature'] for detail in details)
    and all(detail['dtype'] in (np.float32, np.int32) for detail in details)
    and inputs['image']['dtype'] == outputs[result]['dtype'] == np.float32
    and all(
      np.array_equal(detail['shape'], outputs[name]['shape'])
      and detail['dtype'] == outputs[name]['dtype']
      for name, detail in inputs.items()
      if name != 'image'
    )
  )


class SwappedStates:
  """A signature that `can_swap`, fed frame by frame."""

  def __init__(
    self,
    path: str,
    key: str = '',
    result: str = 'logits',
    num_threads: int = 1,
  ):
    """Opens a file.

    Args:
      path: the path of a file that LiteRT's Interpreter could open.
      key: the key of the signature; '' for the only one.
      result: the name of the output that is no state.
      num_threads: the threads to compute with.

    Raises:
      RuntimeError: the file cannot be run.
    """
    model = compiled_models.open_model(path, num_threads)
    if not key:
      (key,) = model.get_signature_list()
    self._model, self._key, self._result = model, key, result
    inputs = model.get_input_tensor_details(key)
    outputs = model.get_output_tensor_details(key)
    self._read = {
      name: model.create_input_buffer_by_name(key, name) for name in inputs
    }
    self._written = {
      name: model.create_output_buffer_by_name(key, name) for name in outputs
    }
    self._zeros = {
      name: np.zeros(detail['shape'], detail['dtype'])
      for name, detail in inputs.items()
      if name != 'image'
    }
    self._shape = tuple(outputs[result]['shape'])
    self.reset()

  def reset(self):
    """Begins another video."""
    for name, zeros in self._zeros.items():
      self._read[name].write(zeros)

  def step(self, image: np.ndarray) -> np.ndarray:
    """The result for the next frame, float32.

    Args:
      image: an array of the shape of the input, float32.
    """
    self._read['image'].write(image)
    self._model.run_by_name(self._key, self._read, self._written)
    for name in self._zeros:
      self._read[name], self._written[name] = (
        self._written[name],
        self._read[name],
      )
    result = self._written[self._result].read(
      int(np.prod(self._shape)), np.float32
    )
    return result.reshape(self._shape)
