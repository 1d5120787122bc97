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

"""Reads the variables of TensorFlow checkpoints and SavedModels by name.

A checkpoint holds a graph of objects; each variable in it has a key, which
follows the attributes of the Python objects that saved it, and the name that
the variable had.  Names are what the published layouts share.
"""

import collections
from collections.abc import Iterator
import dataclasses
import os

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from official_ext.grw.checkpoints import structural_names

_GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH'
# Slots in which the Model Garden's ExponentialMovingAverage keeps averages.
_AVERAGE_SLOT = 'average'
# A Trainer writes these after it has swapped the averages into the model, so
# that the slots hold what was trained.
_SWAPPED = ('best_ckpt', 'average_weights')
# Children that hold variables of training, not of the model.
_NOT_MODEL = frozenset(('optimizer', 'keras_api'))


@dataclasses.dataclass(frozen=True)
class TfVariables:
  """The variables of a checkpoint.

  Attributes:
    values: by name; what bears a name without a place, as MoViNet's 'scale', is
      under its structural name.
    roots: what was saved: the names of the root's children.
    weights: 'ema' or 'model', of those in the file the ones that were read.
    has_average: whether the file holds an exponential moving average.
  """

  values: dict[str, np.ndarray]
  roots: tuple[str, ...]
  weights: str
  has_average: bool


def read(prefix: str, weights: str = 'auto') -> TfVariables:
  """Reads a checkpoint.

  Args:
    prefix: path of the checkpoint without '.index'.
    weights: 'ema' for a Trainer's exponential moving average, which it
      evaluates with; 'model' for what it trains; 'auto' for the average if
      there is one.

  Raises:
    ValueError: two variables of one name, or no average where one is asked for.
  """
  try:
    return _read(prefix, weights)
  except (tf.errors.OpError, IndexError) as error:
    raise ValueError(
      f'{prefix} cannot be read as a TensorFlow checkpoint ({error}). Both '
      "its '.index' and its '.data-00000-of-00001' file are needed, whole."
    ) from error


def _read(prefix: str, weights: str) -> TfVariables:
  reader = tf.train.load_checkpoint(prefix)
  shapes = reader.get_variable_to_shape_map()
  if _GRAPH_KEY not in shapes:  # Written by TensorFlow 1: keys are names.
    if weights == 'ema':
      raise _no_average(prefix)
    return TfVariables(
      {key: reader.get_tensor(key) for key in shapes}, (), 'model', False
    )

  graph = read_graph(reader)
  names = _variable_names(graph)
  averages = _averages(graph)
  has_average = bool(averages)
  if weights == 'ema' and not has_average:
    raise _no_average(prefix)
  swapped = _is_swapped(prefix)
  wanted = 'ema' if has_average and weights != 'model' else 'model'
  from_slots = has_average and (wanted == 'ema') != swapped

  def value(node_id):
    return _attribute(graph.nodes[node_id], reader)

  if (
    from_slots
    and wanted == 'ema'
    and not any(np.any(value(slot)) for slot in averages.values())
  ):
    from_slots, wanted = False, 'model'  # Saved before the first step.

  values: dict[str, np.ndarray] = {}
  for node_id, name in names.items():
    source = averages.get(node_id, node_id) if from_slots else node_id
    array = value(source)
    if name in values and not np.array_equal(values[name], array):
      # Of parts outside of the model, such as metrics, names may repeat.
      if structural_names.structural_name(name, array.shape) is not None:
        raise ValueError(
          f'{prefix} holds two different variables called {name!r}, of '
          f'shapes {values[name].shape} and {array.shape}: more than one '
          'model was saved together.'
        )
    values[name] = array
  roots = tuple(child.local_name for child in graph.nodes[0].children)
  return TfVariables(values, roots, wanted, has_average)


def read_graph(reader):
  """The TrackableObjectGraph of what a TensorFlow 2 checkpoint was saved of."""
  return trackable_object_graph_pb2.TrackableObjectGraph.FromString(
    reader.get_tensor(_GRAPH_KEY)
  )


def assign_averages(root: tf.train.Checkpoint, prefix: str) -> bool:
  """Gives variables their moving averages, with which a Trainer evaluates.

  Args:
    root: the root of the objects that have been read from the checkpoint.
    prefix: path of the checkpoint without '.index'.

  Returns:
    Whether it holds averages, and they are now in the variables.
  """
  reader = tf.train.load_checkpoint(prefix)
  graph = read_graph(reader)
  slots = _averages(graph)
  if not slots or _is_swapped(prefix):
    return bool(slots)  # In the variables already.
  averages = {
    node: _attribute(graph.nodes[slot], reader) for node, slot in slots.items()
  }
  if not any(np.any(value) for value in averages.values()):
    return False  # Saved before the first step.
  children_of = tf.train.TrackableView(root).children
  queue, seen = collections.deque([(0, root)]), {0}
  while queue:
    node_id, trackable = queue.popleft()
    if node_id in averages:
      trackable.assign(averages[node_id])
    children = children_of(trackable)
    for child in graph.nodes[node_id].children:
      if child.local_name in children and child.node_id not in seen:
        seen.add(child.node_id)
        queue.append((child.node_id, children[child.local_name]))
  return True


def _averages(graph) -> dict[int, int]:
  """{node of a variable: node of its moving average}."""
  return {
    slot.original_variable_node_id: slot.slot_variable_node_id
    for node in graph.nodes
    for slot in node.slot_variables
    if slot.slot_name == _AVERAGE_SLOT
  }


def _is_swapped(prefix: str) -> bool:
  """Whether the averages were in the model when it was saved."""
  return os.path.basename(prefix).startswith(_SWAPPED)


def _no_average(prefix: str) -> ValueError:
  return ValueError(
    f"{prefix} holds no exponential moving average; ask for 'model' weights."
  )


def _attribute(node, reader) -> np.ndarray:
  return np.asarray(reader.get_tensor(node.attributes[0].checkpoint_key))


def _walk(graph) -> Iterator[tuple[int, list[int]]]:
  """(node, its ancestors) for each object of the model, breadth first."""
  queue: collections.deque[tuple[int, list[int]]] = collections.deque([(0, [])])
  seen = {0}
  while queue:
    node_id, ancestors = queue.popleft()
    yield node_id, ancestors
    for child in graph.nodes[node_id].children:
      if child.local_name not in _NOT_MODEL and child.node_id not in seen:
        seen.add(child.node_id)
        queue.append((child.node_id, [*ancestors, node_id]))


def _variable_names(graph) -> dict[int, str]:
  """{node: name} of each variable of the model."""
  names, ancestors = {}, {}
  for node_id, path in _walk(graph):
    for attribute in graph.nodes[node_id].attributes:
      if attribute.name == 'VARIABLE_VALUE':
        names[node_id] = attribute.full_name or attribute.checkpoint_key
        ancestors[node_id] = path
  bare = {
    node: suffix
    for node, name in names.items()
    if (suffix := structural_names.bare_suffix(name))
  }
  if bare:
    blocks = _blocks_below(names, ancestors)
    for node, suffix in bare.items():
      block = _holder(ancestors[node], blocks) or _neighbor(node, names)
      if block:
        names[node] = f'{block}/{suffix}'
  return names


def _blocks_below(names, ancestors) -> dict[int, set[str]]:
  """{object: the blocks of which it holds variables}."""
  blocks = collections.defaultdict(set)
  for node, name in names.items():
    if block := structural_names.block_of(name):
      for holder in ancestors[node]:
        blocks[holder].add(block)
  return blocks


def _holder(path: list[int], blocks: dict[int, set[str]]) -> str:
  """The block of the innermost object on `path` that holds some block."""
  for holder in reversed(path):
    if blocks.get(holder):
      return next(iter(blocks[holder])) if len(blocks[holder]) == 1 else ''
  return ''


def _neighbor(node: int, names: dict[int, str]) -> str:
  """The block of the variables saved before and after `node`, if it is one.

  In a flat list of variables, those of a block stand together.
  """
  order = sorted(names)
  position = order.index(node)
  before = next(
    (
      block
      for other in reversed(order[:position])
      if (block := structural_names.block_of(names[other]))
    ),
    '',
  )
  after = next(
    (
      block
      for other in order[position + 1 :]
      if (block := structural_names.block_of(names[other]))
    ),
    '',
  )
  return before if before == after else ''
