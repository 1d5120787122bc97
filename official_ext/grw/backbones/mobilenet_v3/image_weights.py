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

"""MobileNetV3 weights of image classifiers, for the frames of videos.

They are those that the Model Garden's image classification saves, or those of
our own video models.  Only the kernel of the first convolution may differ in
shape: with a base frame it sees 6 channels where an image has 3.
"""

import numpy as np
import tensorflow as tf

from official_ext.grw.backbones import same_structure
from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_model
from official_ext.grw.checkpoints import tf_reader

_LAYER = 'layer_with_weights-'
# A Trainer saves the first beside the model; a model alone has the second.
_BACKBONES = (('backbone',), ('model', '_backbone'))

_Shapes = list[list[tuple[int, ...]]]


def initialize(backbone: mobilenet_model.MobileNetV3, prefix: str) -> str:
  """Loads the weights of an image classifier, or of a video model of ours.

  A stem that sees frame and base frame takes half of an image's kernel for
  each, so that of a video that stands still the features are the image's.

  Args:
    backbone: whose variables are assigned, all or none.
    prefix: the prefix of a checkpoint of a MobileNetV3 of this size and width.

  Returns:
    What was loaded, to be logged.

  Raises:
    ValueError: the checkpoint is of another model; says how it differs.
  """
  place, found = _saved_backbone(prefix)
  config = backbone.get_config()
  channels = _stem_channels(found)
  network = backbone.image_network(channels)
  layers = [layer for layer in network.layers if layer.weights]
  expected = [
    sorted(tuple(variable.shape) for variable in layer.weights)
    for layer in layers
  ]
  if found != expected:
    raise ValueError(
      f'{prefix} holds no {config["model_id"]} of width_multiplier='
      f'{config["width_multiplier"]:g}: {_difference(found, expected)}. Set '
      'size and width_multiplier of task.model.backbone.mobilenet_v3 to the '
      "checkpoint's, or task.init_checkpoint to one of this network."
    )
  needed = 6 if config['temporal'] == 'base_frame' else 3
  if channels > needed:
    raise ValueError(
      f"{prefix} was trained with temporal='base_frame' and its stem sees "
      f'{channels} channels: task.model.backbone.mobilenet_v3.temporal='
      f'{config["temporal"]!r} takes weights of 3.'
    )

  # Not the network itself, whose layers without weights are counted too and
  # are others in a video model.
  saved = tf.train.Checkpoint(
    **{f'{_LAYER}{number}': layer for number, layer in enumerate(layers)}
  )
  for name in reversed(place):
    saved = tf.train.Checkpoint(**{name: saved})
  saved.read(prefix).expect_partial().assert_existing_objects_matched()
  averages = tf_reader.assign_averages(saved, prefix)
  copies = needed // channels
  for value, variable in same_structure.paired_variables(
    network, backbone, same_shapes=False
  ):
    variable.assign(
      value
      if value.shape == variable.shape  # All but the stem's kernel.
      else np.concatenate([value.numpy() / copies] * copies, axis=2)
    )
  spread = ', its stem spread over 6 channels' if copies > 1 else ''
  of = 'the moving averages of ' if averages else ''
  return f'Loaded {of}the backbone from {prefix}{spread}.'


def _saved_backbone(prefix: str) -> tuple[tuple[str, ...], _Shapes]:
  """Where in a checkpoint the backbone is, and what it consists of.

  Returns:
    Names of the objects from the root to the backbone, and of each layer with
    weights the sorted shapes; empty if there is none.
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

  def shapes_below(node: int) -> list[tuple[int, ...]]:
    below, queue = {node}, [node]
    while queue:
      new = set(children[queue.pop()].values()) - below
      below |= new
      queue.extend(new)
    return sorted(
      tuple(shapes[attribute.checkpoint_key])
      for number in below
      for attribute in graph.nodes[number].attributes
      if attribute.name == 'VARIABLE_VALUE'
    )

  for place in _BACKBONES:
    node: int | None = 0
    for name in place:
      node = children[node].get(name) if node is not None else None
    layers: _Shapes = []
    while (
      node is not None
      and (layer := children[node].get(f'{_LAYER}{len(layers)}')) is not None
    ):
      layers.append(shapes_below(layer))
    if layers:
      return place, layers
  return (), []


def _stem_channels(layers: _Shapes) -> int:
  """How many channels the first layer sees: 6, or else 3."""
  return 6 if layers and (3, 3, 6) in [shape[:3] for shape in layers[0]] else 3


def _difference(found: _Shapes, expected: _Shapes) -> str:
  """Where they differ first."""
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
