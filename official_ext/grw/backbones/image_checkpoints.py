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

"""Reads the backbone of an image classifier, layer by layer.

The Model Garden's image classification saves a functional model, of which a
checkpoint numbers the layers that have variables.  A backbone for videos that
has the same layers, and others without variables between them, so finds each.
"""

import collections
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import tf_reader

_LAYER = 'layer_with_weights-'
# A Trainer saves the first beside the model; a model alone has the second.
_BACKBONES = (('backbone',), ('model', '_backbone'))

Shape = tuple[int, ...]
Shapes = list[list[Shape]]


class SavedBackbone(NamedTuple):
  """The backbone in a checkpoint.

  Attributes:
    prefix: path of the checkpoint without '.index'.
    place: names of the objects from the root to the backbone.
    layers: for each layer with variables the shapes of these, by their path in
      it, as 'conv/kernel'; none if the checkpoint has no backbone of layers.
  """

  prefix: str
  place: tuple[str, ...]
  layers: list[Mapping[str, Shape]]

  @property
  def shapes(self) -> Shapes:
    """Of each layer the sorted shapes."""
    return [sorted(layer.values()) for layer in self.layers]

  def difference(self, layers: Sequence[tf_keras.layers.Layer]) -> str:
    """Where the shapes first differ from those of layers; '' if nowhere.

    Args:
      layers: those with variables, in their order.
    """
    found = self.shapes
    expected = [
      sorted(tuple(variable.shape) for variable in layer.weights)
      for layer in layers
    ]
    if found == expected:
      return ''
    if not found:
      return (
        "it has no backbone of layers, as the Model Garden's image "
        'classification saves it'
      )
    if len(found) != len(expected):
      return (
        f'it has {len(found)} layers with weights, and {len(expected)} '
        'are expected'
      )
    for number, (theirs, ours) in enumerate(zip(found, expected)):
      for has, wants in zip(theirs, ours):
        if has != wants:
          return (
            f'its layer {number} has weights of shape {has}, and {wants} '
            'is expected'
          )
    return 'its layers have other numbers of weights'

  def assign(self, layers: Sequence[tf_keras.layers.Layer]) -> bool:
    """Loads layers between which there is no `difference`.

    Args:
      layers: those with variables, in their order.

    Returns:
      Whether the checkpoint holds moving averages, which then are loaded.
    """
    # Not a model, whose layers without weights are counted too and are others
    # in a video model.
    saved = tf.train.Checkpoint(
      **{f'{_LAYER}{number}': layer for number, layer in enumerate(layers)}
    )
    for name in reversed(self.place):
      saved = tf.train.Checkpoint(**{name: saved})
    saved.read(self.prefix).expect_partial().assert_existing_objects_matched()
    return tf_reader.assign_averages(saved, self.prefix)


def read(prefix: str) -> SavedBackbone:
  """Finds the backbone in a checkpoint.

  Args:
    prefix: path of the checkpoint without '.index'.

  Raises:
    ValueError: it cannot be read.
  """
  try:
    reader = tf.train.load_checkpoint(prefix)
    graph = tf_reader.read_graph(reader)
  except (tf.errors.OpError, ValueError, IndexError) as error:
    raise ValueError(
      f'{prefix} cannot be read as a TensorFlow 2 checkpoint ({error}).'
    ) from error
  children = [
    {child.local_name: child.node_id for child in node.children}
    for node in graph.nodes
  ]
  shapes = reader.get_variable_to_shape_map()

  def shapes_below(node: int) -> dict[str, Shape]:
    paths, queue = {node: ''}, collections.deque([node])
    while queue:
      parent = queue.popleft()
      for name, child in children[parent].items():
        if child not in paths:
          paths[child] = f'{paths[parent]}/{name}'.lstrip('/')
          queue.append(child)
    return {
      path: tuple(shapes[attribute.checkpoint_key])
      for number, path in paths.items()
      for attribute in graph.nodes[number].attributes
      if attribute.name == 'VARIABLE_VALUE'
    }

  for place in _BACKBONES:
    node: int | None = 0
    for name in place:
      node = children[node].get(name) if node is not None else None
    layers: list[Mapping[str, Shape]] = []
    while (
      node is not None
      and (layer := children[node].get(f'{_LAYER}{len(layers)}')) is not None
    ):
      layers.append(shapes_below(layer))
    if layers:
      return SavedBackbone(prefix, place, layers)
  return SavedBackbone(prefix, (), [])
