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

"""Reads the operator graphs of a TFLite file, with its weights as floats.

Only the schema of the file is needed, no interpreter.
"""

import collections
from collections.abc import Sequence
import dataclasses
import struct
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_IDENTIFIER = b'TFL3'


def _names(enum: type) -> dict[int, str]:
  return {
    value: name for name, value in vars(enum).items() if isinstance(value, int)
  }


_OPERATORS = _names(schema.BuiltinOperator)
_TYPES = _names(schema.TensorType)
ACTIVATIONS = _names(schema.ActivationFunctionType)
# Types of constants that are read.
_DTYPES = {
  'FLOAT32': np.float32,
  'FLOAT16': np.float16,
  'INT8': np.int8,
  'UINT8': np.uint8,
  'INT16': np.int16,
  'INT32': np.int32,
  'INT64': np.int64,
  'BOOL': np.bool_,
}

# What reading a flatbuffer that is not whole ends in.
_BROKEN = (
  struct.error,
  AttributeError,
  IndexError,
  KeyError,
  MemoryError,
  OverflowError,
  TypeError,
)


@dataclasses.dataclass(eq=False)
class Tensor:
  """A tensor of a graph.

  Attributes:
    name: as the converter called it.
    shape: -1 stands for a size that is not fixed.
    type: such as 'FLOAT32' or 'INT8'.
    value: the numbers of a constant, dequantized; None for others.
    stored: what a constant that was dequantized was stored as.
  """

  name: str
  shape: tuple[int, ...]
  type: str
  value: np.ndarray | None = None
  stored: str = ''

  def __str__(self):
    return f'{self.name!r} {list(self.shape)}'


@dataclasses.dataclass(eq=False)
class Operator:
  """An operator of a graph.

  Attributes:
    name: such as 'CONV_2D'.
    inputs: None for one that is left out.
    outputs: tensors.
    options: the schema's options, or None.
  """

  name: str
  inputs: list[Tensor | None]
  outputs: list[Tensor]
  options: Any

  @property
  def activation(self) -> str:
    """The activation that is part of the operator, such as 'RELU6'."""
    number = getattr(self.options, 'fusedActivationFunction', 0)
    return ACTIVATIONS.get(number, str(number))


@dataclasses.dataclass(eq=False)
class Graph:
  """Operators in an order in which they can run."""

  inputs: list[Tensor]
  outputs: list[Tensor]
  operators: list[Operator]


def is_tflite(path: str) -> bool:
  """Whether a file says that it is of TFLite."""
  with open(path, 'rb') as file:
    return file.read(8)[4:] == _IDENTIFIER


def read(path: str) -> list[Graph]:
  """The graphs of a file that signatures run, or all if it has none.

  Branches of conditions stand in the graph that runs them, where one of the
  two does no more than to pass on its inputs.

  Raises:
    ValueError: the file is damaged, or of a kind that is not read.
  """
  with open(path, 'rb') as file:
    content = file.read()
  try:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
  except (*_BROKEN, ValueError) as error:  # ValueError: of NumPy.
    raise _damaged(path, error) from error
  try:
    return _graphs(model, path)
  except _BROKEN as error:
    raise _damaged(path, error) from error


def _damaged(path: str, what: Exception | str) -> ValueError:
  if isinstance(what, Exception):
    what = f'{type(what).__name__}: {" ".join(str(what).split())}'
  return ValueError(
    f'{path} is damaged: it begins as a TFLite file and cannot be read as one '
    f'({what}). Expected the whole file: get it again.'
  )


def _graphs(model: schema.ModelT, path: str) -> list[Graph]:
  if not model.subgraphs:
    raise _damaged(path, 'it holds no graph')
  subgraphs = [_graph(model, part, path) for part in model.subgraphs]
  for graph in subgraphs:
    _inline_conditions(graph, subgraphs)
  used = {signature.subgraphIndex for signature in model.signatureDefs or []}
  # Of a file without signatures the first graph is what runs.
  return [subgraphs[index] for index in sorted(used or {0})]


def _graph(model: schema.ModelT, part: schema.SubGraphT, path: str) -> Graph:
  def text(name: Any) -> str:
    return name.decode(errors='replace') if isinstance(name, bytes) else ''

  tensors = []
  for stored in part.tensors:
    shape = tuple(
      int(size)
      for size in (
        stored.shape if stored.shapeSignature is None else stored.shapeSignature
      )
      if stored.shape is not None
    )
    tensor = Tensor(text(stored.name), shape, _TYPES[stored.type])
    _give_value(tensor, stored, model.buffers[stored.buffer], path)
    tensors.append(tensor)

  def at(indices: np.ndarray | None) -> list[Tensor | None]:
    numbers = [] if indices is None else [int(index) for index in indices]
    return [tensors[index] if index >= 0 else None for index in numbers]

  def given(indices: np.ndarray | None) -> list[Tensor]:
    return [tensor for tensor in at(indices) if tensor is not None]

  operators = []
  for stored in part.operators:
    code = model.operatorCodes[stored.opcodeIndex]
    # Files of before 2020 have only the deprecated field.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OPERATORS[number]
    if name == 'CUSTOM':
      name = text(code.customCode)
    operators.append(
      Operator(
        name,
        at(stored.inputs),
        given(stored.outputs),
        stored.builtinOptions,
      )
    )
  return Graph(given(part.inputs), given(part.outputs), operators)


def _give_value(
  tensor: Tensor, stored: schema.TensorT, buffer: schema.BufferT, path: str
):
  """Gives a constant its value."""
  if buffer.data is None or not len(buffer.data):
    if buffer.offset > 1:
      raise ValueError(
        f'{path} keeps its weights outside of the flatbuffer, as files above '
        '2 GB do, which is not read.'
      )
    return
  if stored.sparsity is not None or tensor.type not in _DTYPES:
    kind = 'sparse' if stored.sparsity is not None else tensor.type
    raise ValueError(
      f'{path}: the constant {tensor} is {kind}: expected dense constants of '
      f'the types {", ".join(_DTYPES)}.'
    )
  dtype = np.dtype(_DTYPES[tensor.type])
  count = int(np.prod(tensor.shape))
  if len(buffer.data) != count * dtype.itemsize:
    raise _damaged(path, f'{tensor} has {len(buffer.data)} bytes')
  raw: np.ndarray = np.asarray(buffer.data, np.uint8).view(dtype)
  value = raw.reshape(tensor.shape)
  quantization = stored.quantization
  if (
    quantization is not None
    and quantization.scale is not None
    and len(quantization.scale)
  ):
    scale = np.asarray(quantization.scale, np.float32)
    zero = np.zeros(1, np.float32)
    if quantization.zeroPoint is not None:
      zero = np.asarray(quantization.zeroPoint, np.float32)
    if scale.size > 1:
      along = [1] * value.ndim
      along[quantization.quantizedDimension] = scale.size
      scale = scale.reshape(along)
      zero = zero.reshape(along) if zero.size > 1 else zero
    value = (value.astype(np.float32) - zero) * scale
    tensor.stored = tensor.type.lower()
  elif tensor.type == 'FLOAT16':
    value = value.astype(np.float32)
    tensor.stored = 'float16'
  if value.dtype == np.float32 and not np.all(np.isfinite(value)):
    raise _damaged(path, f'{tensor} has numbers that are not finite')
  tensor.value = value


def _inline_conditions(graph: Graph, subgraphs: Sequence[Graph]):
  """Puts the branch that computes in the place of each condition."""
  operators = []
  for operator in graph.operators:
    if operator.name != 'IF':
      operators.append(operator)
      continue
    branch = max(
      (
        subgraphs[operator.options.thenSubgraphIndex],
        subgraphs[operator.options.elseSubgraphIndex],
      ),
      key=lambda part: len(part.operators),
    )
    given = dict(zip(branch.inputs, operator.inputs[1:]))
    result = dict(zip(branch.outputs, operator.outputs))
    for inner in branch.operators:
      operators.append(
        dataclasses.replace(
          inner,
          inputs=[given.get(tensor, tensor) for tensor in inner.inputs],
          outputs=[result.get(tensor, tensor) for tensor in inner.outputs],
        )
      )
  graph.operators = operators


def stored_as(graph: Graph) -> dict[str, int]:
  """How many constants of weights were stored in which reduced type."""
  counts: collections.Counter[str] = collections.Counter()
  seen = set()
  for operator in graph.operators:
    for tensor in operator.inputs:
      if tensor is not None and tensor.stored and id(tensor) not in seen:
        seen.add(id(tensor))
        counts[tensor.stored] += 1
  return dict(counts)
