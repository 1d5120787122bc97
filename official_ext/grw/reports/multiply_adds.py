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

"""Counts the multiply-adds of a model from its traced graph.

A multiply-add is a multiplication and the addition that follows it, in a
convolution or a matrix product: what papers on video recognition call a FLOP,
and half of what TensorFlow's profiler does, which besides sees nothing of
grouped 3D convolutions, as Keras compiles them into functions of their own.
Pooling, norms, activations and other element-wise operations are not counted,
as in the papers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import functools
import math
from typing import Any, NamedTuple

import tensorflow as tf

_BRANCHES = ('If', 'StatelessIf', 'Case', 'StatelessCase')
_LOOPS = ('While', 'StatelessWhile')

_Shape = Sequence[int]


class Product(NamedTuple):
  """A convolution or a matrix product of a graph.

  Attributes:
    name: the name of the operation, after the layers it is in, as
      'model/layer/Conv2D'.
    kind: the kind of the operation, as 'Conv2D'.
    multiply_adds: in one run of the graph.
  """

  name: str
  kind: str
  multiply_adds: int


def products(function: Callable[..., Any], *specs: Any) -> list[Product]:
  """The convolutions and matrix products that the value of a function takes.

  The function is traced and not run.  What its value does not depend on, such
  as the losses of layers, is not counted; of branches the costliest is.

  Args:
    function: a function of tensors, or of nests of them.
    *specs: tf.TensorSpecs for these, of static shapes.

  Raises:
    ValueError: an operation without a static shape, or in a loop, of which a
      graph does not say how often it runs.
  """
  # A function inside that was traced before for any shape would be called as it
  # is, without the sizes.  So run, it becomes part of this graph.
  eagerly = tf.config.functions_run_eagerly()
  tf.config.run_functions_eagerly(True)
  try:
    traced = tf.compat.v1.wrap_function(
      lambda *tensors: tf.nest.flatten(
        function(*tf.nest.pack_sequence_as(specs, tensors))
      ),
      tf.nest.flatten(specs),
    )
  finally:
    tf.config.run_functions_eagerly(eagerly)
  graph = traced.graph.as_graph_def(add_shapes=True)
  library = {item.signature.name: item for item in graph.library.function}
  return list(
    _products(
      graph.node, {}, [tensor.name for tensor in traced.outputs], library, ''
    )
  )


def total(counted: Iterable[Product]) -> int:
  """The multiply-adds of all."""
  return sum(product.multiply_adds for product in counted)


def _shapes(attributes: Mapping[str, Any]) -> list[list[int]]:
  return [
    [dimension.size for dimension in shape.dim]
    for shape in attributes['_output_shapes'].list.shape
  ]


def _products(
  nodes: Sequence[Any],
  shapes: dict[str, list[list[int]]],
  outputs: Iterable[str],
  library: Mapping[str, Any],
  scope: str,
) -> Iterator[Product]:
  """Products among the nodes of a graph or of a function.

  Args:
    nodes: tf.compat.v1.NodeDefs.
    shapes: the shapes of the function's arguments, by name.
    outputs: the outputs of the graph or function, as nodes name their inputs.
    library: functions by name.
    scope: put before all names.
  """
  by_name = {node.name: node for node in nodes}
  shapes = {**shapes, **{node.name: _shapes(node.attr) for node in nodes}}

  def shape(value: str) -> _Shape:
    # 'node', 'node:1', or in functions 'node:output:1'.  The index counts from
    # a node's first output: none feeds a product by an output of another name.
    name, *output = value.split(':')
    return shapes[name][int(output[-1]) if output else 0]

  for node in _needed(by_name, outputs):
    name = scope + node.name
    if node.op in _COUNTS:
      of_inputs = [shape(value) for value in node.input if value[0] != '^']
      of_output = shapes[node.name][0]
      if any(size < 0 for sizes in (*of_inputs, of_output) for size in sizes):
        raise ValueError(
          f'{name} ({node.op}) has inputs of shapes {of_inputs}, where -1 is '
          'not known: its multiply-adds cannot be counted. Give shapes '
          'without None.'
        )
      yield Product(
        name, node.op, _COUNTS[node.op](node.attr, of_inputs, of_output)
      )
      continue
    called = [
      list(_of_function(library[function], library, f'{name}/'))
      for function in _functions(node)
    ]
    if node.op in _LOOPS and any(called):
      raise ValueError(
        f'{name} repeats convolutions or matrix products, and the graph does '
        'not say how often: their multiply-adds cannot be counted.'
      )
    if node.op in _BRANCHES:
      called = [max(called, key=total)]
    for inside in called:
      yield from inside


def _of_function(
  function: Any, library: Mapping[str, Any], scope: str
) -> Iterator[Product]:
  arguments = {
    argument.name: _shapes(function.arg_attr[number].attr)
    for number, argument in enumerate(function.signature.input_arg)
    if '_output_shapes' in function.arg_attr[number].attr
  }
  return _products(
    function.node_def, arguments, function.ret.values(), library, scope
  )


def _needed(nodes: Mapping[str, Any], outputs: Iterable[str]) -> Iterator[Any]:
  """The nodes that outputs depend on, without those for side effects."""
  found = set()
  waiting = list(outputs)
  while waiting:
    name = waiting.pop().split(':')[0]
    if name in nodes and name not in found:
      found.add(name)
      yield nodes[name]
      waiting += [value for value in nodes[name].input if value[0] != '^']


def _functions(node: Any) -> list[str]:
  """Names of the functions that a node calls."""
  return [
    function.name
    for attribute in node.attr.values()
    for function in (attribute.func, *attribute.list.func)
    if function.name
  ]


def _convolution(
  attributes: Mapping[str, Any],
  inputs: Sequence[_Shape],
  output: _Shape,
  summed: int,
) -> int:
  """What the kernel sums, at each element of the output.

  Args:
    attributes: the attributes of the node; not read.
    inputs: shapes of the image and of the kernel, which ends in input channels
      of a group and output channels, or of a depthwise convolution in channels
      and outputs of each.
    output: shape.
    summed: dimensions of the kernel, from its first.
  """
  del attributes
  return math.prod(output) * math.prod(inputs[1][:summed])


def _matrix_product(
  attributes: Mapping[str, Any],
  inputs: Sequence[_Shape],
  output: _Shape,
  transposed: str,
) -> int:
  return math.prod(output) * inputs[0][-2 if attributes[transposed].b else -1]


def _einsum(
  attributes: Mapping[str, Any], inputs: Sequence[_Shape], output: _Shape
) -> int:
  """The sizes of all indices, each once."""
  del output
  if len(inputs) < 2:
    return 0  # A transposition or a sum.
  left = attributes['equation'].s.decode().split('->')[0]
  sizes: dict[Any, int] = {}
  for term, shape in zip(left.split(','), inputs):
    before, ellipsis, after = term.partition('...')
    indices: list[Any] = list(before)
    if ellipsis:  # Such dimensions are numbered from their last.
      indices += range(len(before) + len(after) - len(shape), 0)
    for index, size in zip([*indices, *after], shape):
      sizes[index] = max(sizes.get(index, 1), size)
  return math.prod(sizes.values())


_COUNTS: dict[
  str, Callable[[Mapping[str, Any], Sequence[_Shape], _Shape], int]
] = {
  'Conv2D': functools.partial(_convolution, summed=3),
  'Conv3D': functools.partial(_convolution, summed=4),
  'DepthwiseConv2dNative': functools.partial(_convolution, summed=2),
  'MatMul': functools.partial(_matrix_product, transposed='transpose_a'),
  'BatchMatMul': functools.partial(_matrix_product, transposed='adj_x'),
  'BatchMatMulV2': functools.partial(_matrix_product, transposed='adj_x'),
  'BatchMatMulV3': functools.partial(_matrix_product, transposed='adj_x'),
  'Einsum': _einsum,
}
