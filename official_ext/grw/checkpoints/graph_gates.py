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

"""Reads the gate of a MoViNet from the graph of a SavedModel."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

_PASS = frozenset(('Identity', 'Reshape'))
_LIMITS = frozenset(('Minimum', 'Maximum', 'ClipByValue'))


def read(path: str) -> str:
  """The gating activation, or '' where the graph holds none or several.

  The newer form is relu6(x + 3) multiplied by a constant, and not by x as in a
  hard swish; the original is 0.2 x + 0.5, cut off.

  Args:
    path: the path of saved_model.pb.
  """
  model = saved_model_pb2.SavedModel()
  try:
    with tf.io.gfile.GFile(path, 'rb') as file:
      model.ParseFromString(file.read())
  except Exception as error:
    raise ValueError(
      f'{path} is damaged and cannot be read as the graph of a SavedModel '
      f'({error}).'
    ) from error
  found = set()
  for meta_graph in model.meta_graphs:
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(f.node_def for f in graph.library.function)):
      found |= _gates(nodes)
  return found.pop() if len(found) == 1 else ''


def _gates(nodes: Iterable[node_def_pb2.NodeDef]) -> set[str]:
  by_name = {node.name: node for node in nodes}

  def inputs(node):
    """The nodes a node reads, without those that pass on."""
    for name in node.input:
      given = by_name.get(name.lstrip('^').partition(':')[0])
      while given is not None and given.op in _PASS:
        given = by_name.get(given.input[0].lstrip('^').partition(':')[0])
      yield given

  def constant(node):
    if node is None or node.op != 'Const':
      return None
    value = tf.make_ndarray(node.attr['value'].tensor)
    return float(np.ravel(value)[0]) if value.size == 1 else None

  def adds(node, number):
    return (
      node is not None
      and node.op in ('Add', 'AddV2')
      and any(_near(constant(given), number) for given in inputs(node))
    )

  found = set()
  for node in by_name.values():
    given = list(inputs(node))
    if node.op == 'Mul' and any(_near(constant(i), 1 / 6) for i in given):
      for relu in given:
        if relu is not None and relu.op == 'Relu6':
          if any(adds(inner, 3) for inner in inputs(relu)):
            found.add('hard_sigmoid')
    if node.op in _LIMITS:
      for shifted in given:
        if adds(shifted, 0.5) and any(
          inner is not None
          and inner.op == 'Mul'
          and any(_near(constant(i), 0.2) for i in inputs(inner))
          for inner in inputs(shifted)
        ):
          found.add('grw>hard_sigmoid')
  return found


def _near(value: float | None, number: float) -> bool:
  return value is not None and abs(value - number) < 1e-3
