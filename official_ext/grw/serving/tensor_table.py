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
"""The inputs and outputs of a TFLite file, for clients without signatures.

Interpreters in C, C++, Java and Python know them by numbers: the index of a
tensor, or its position among the inputs or outputs.  Names, which signatures
have, are what a client has to go by.
"""

from collections.abc import Iterator
from typing import Any

from ai_edge_litert import schema_py_generated as schema
import numpy as np

_TYPES = {
  number: name.lower()
  for name, number in vars(schema.TensorType).items()
  if isinstance(number, int)
}


def read(path: str) -> dict[str, list[dict[str, Any]]]:
  """Lists the inputs and outputs of a file of one signature.

  Args:
    path: the path of the file.

  Returns:
    'inputs' and 'outputs', by position: the 'name' in the signature, the
    'position' among the inputs or the outputs, the 'index' of the tensor, its
    'shape' and 'dtype'.

  Raises:
    ValueError: the file has not one signature.
  """
  with open(path, 'rb') as file:
    model = schema.Model.GetRootAs(file.read(), 0)
  if model.SignatureDefsLength() != 1:
    raise ValueError(
      f'{path} has {model.SignatureDefsLength()} signatures: expected one, '
      'whose names are those of all inputs and outputs.'
    )
  signature = model.SignatureDefs(0)
  graph = model.Subgraphs(signature.SubgraphIndex())
  return {
    'inputs': list(
      _rows(
        graph,
        graph.InputsAsNumpy(),
        map(signature.Inputs, range(signature.InputsLength())),
      )
    ),
    'outputs': list(
      _rows(
        graph,
        graph.OutputsAsNumpy(),
        map(signature.Outputs, range(signature.OutputsLength())),
      )
    ),
  }


def _rows(
  graph: Any, indices: np.ndarray, entries: Iterator[Any]
) -> Iterator[dict[str, Any]]:
  names = {entry.TensorIndex(): entry.Name().decode() for entry in entries}
  for position, index in enumerate(indices.tolist()):
    tensor = graph.Tensors(index)
    yield {
      'name': names[index],
      'position': position,
      'index': index,
      'shape': tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else [],
      'dtype': _TYPES[tensor.Type()],
    }
