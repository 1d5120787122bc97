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
) -> bool:
  """Whether each state of a signature can change places with what follows it.

  Not where one tensor has two names, of which a CompiledModel fills one, nor
  in files of integers, where what is written may have another scale.

  Args:
    inputs: details of the inputs by name, as a signature runner of LiteRT's
      Interpreter has them: `image` and the states.
    outputs: those of the outputs: the states, and what is no state.
  """
  states = set(inputs) - {'image'}
  if not states <= set(outputs):
    return False
  details = [*inputs.values(), *outputs.values()]
  return (
    len({detail['index'] for detail in details}) == len(details)
    and all(-1 not in detail['shape_signature'] for detail in details)
    and all(detail['dtype'] in (np.float32, np.int32) for detail in details)
    and inputs['image']['dtype'] == np.float32
    and all(
      np.array_equal(inputs[name]['shape'], outputs[name]['shape'])
      and inputs[name]['dtype'] == outputs[name]['dtype']
      for name in states
    )
    and all(
      detail['dtype'] == np.float32
      for name, detail in outputs.items()
      if name not in states
    )
  )


class SwappedStates:
  """A signature that `can_swap`, fed frame by frame."""

  def __init__(
    self,
    path: str,
    key: str = '',
    num_threads: int = 1,
  ):
    """Opens a file.

    Args:
      path: the path of a file that LiteRT's Interpreter could open.
      key: the key of the signature; '' for the only one.
      num_threads: the threads to compute with.

    Raises:
      RuntimeError: the file cannot be run.
    """
    model = compiled_models.open_model(path, num_threads)
    if not key:
      (key,) = model.get_signature_list()
    self._model, self._key = model, key
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
    self._results = {
      name: tuple(detail['shape'])
      for name, detail in outputs.items()
      if name not in self._zeros
    }
    self.reset()

  def reset(self):
    """Begins another video."""
    for name, zeros in self._zeros.items():
      self._read[name].write(zeros)

  def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
    """Takes the next frame.

    Args:
      image: an array of the shape of the input, float32.

    Returns:
      The outputs that are no states, float32, by name.
    """
    self._read['image'].write(image)
    self._model.run_by_name(self._key, self._read, self._written)
    for name in self._zeros:
      self._read[name], self._written[name] = (
        self._written[name],
        self._read[name],
      )
    return {
      name: self._written[name]
      .read(int(np.prod(shape)), np.float32)
      .reshape(shape)
      for name, shape in self._results.items()
    }
