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

from official_ext.grw.backbones import image_checkpoints
from official_ext.grw.backbones import same_structure
from official_ext.grw.backbones.mobilenet_v3 import model as mobilenet_model


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
  saved = image_checkpoints.read(prefix)
  found = saved.shapes
  config = backbone.get_config()
  channels = _stem_channels(found)
  network = backbone.image_network(channels)
  layers = [layer for layer in network.layers if layer.weights]
  difference = saved.difference(layers)
  if difference:
    raise ValueError(
      f'{prefix} holds no {config["model_id"]} of width_multiplier='
      f'{config["width_multiplier"]:g}: {difference}. Set '
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

  averages = saved.assign(layers)
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


def _stem_channels(layers: image_checkpoints.Shapes) -> int:
  """How many channels the first layer sees: 6, or else 3."""
  return 6 if layers and (3, 3, 6) in [shape[:3] for shape in layers[0]] else 3
