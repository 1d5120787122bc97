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


"""Pictures of where the modulators of a Video-FocalNet are large on a clip."""

from collections.abc import Mapping, Sequence

from matplotlib import figure as matplotlib_figure
import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.videofocalnet import model as focalnet_model

_INCHES_PER_FRAME = 1.1

# [N, H, W] by 'space' and 'time'.
Magnitudes = Mapping[str, np.ndarray]


def block_names(backbone: focalnet_model.VideoFocalNet) -> list[str]:
  """The names of the blocks, from the first to the last."""
  return [
    layer.name
    for layer in backbone.layers
    if isinstance(layer, focalnet_model.Block)
  ]


def magnitudes(
  backbone: focalnet_model.VideoFocalNet,
  clip: np.ndarray,
  blocks: Sequence[str],
) -> dict[str, Magnitudes]:
  """How large the modulators of a clip are at each token.

  Args:
    backbone: the backbone.
    clip: [N, height, width, 3], in [0, 1].
    blocks: names of blocks.

  Returns:
    By block, the Euclidean norms over channels of the modulators of 'space' and
    'time', [N, H, W] each; without a temporal branch only those of 'space'.

  Raises:
    ValueError: there is no block of a name; names those that there are.
  """
  known = block_names(backbone)
  for name in blocks:
    if name not in known:
      raise ValueError(
        f'{name!r} is no block of the backbone: expected of {known[0]} to '
        f'{known[-1]}.'
      )
  inputs = tf_keras.Model(
    backbone.input, {name: backbone.get_layer(name).input for name in blocks}
  )(tf.convert_to_tensor(clip[np.newaxis], tf.float32))
  found: dict[str, Magnitudes] = {}
  for name in blocks:
    block = backbone.get_layer(name)
    _, spatial, temporal = block.modulation.modulators(
      block.norm1(inputs[name])
    )
    found[name] = {
      kind: np.linalg.norm(modulator[0], axis=-1)
      for kind, modulator in (('space', spatial), ('time', temporal))
      if modulator is not None
    }
  return found


def draw(
  clip: np.ndarray, found: Mapping[str, Magnitudes]
) -> matplotlib_figure.Figure:
  """Draws the frames of a clip above the magnitudes of its modulators.

  Each row of magnitudes has one scale for all frames, which its title says:
  dark where they are least, bright where they are largest.

  Args:
    clip: [N, height, width, 3], in [0, 1].
    found: what `magnitudes` returned: N maps to a row, or N / 2 of tubelets of
      two frames.
  """
  rows = [
    (f'{name}, {kind} ({maps.shape[1]} x {maps.shape[2]})', maps)
    for name, kinds in found.items()
    for kind, maps in kinds.items()
  ]
  columns = len(rows[0][1])
  sheet = matplotlib_figure.Figure(
    (columns * _INCHES_PER_FRAME, (len(rows) + 1) * 1.2 * _INCHES_PER_FRAME),
    layout='constrained',
  )
  # A figure a row, whose title may be wider than its first picture.
  parts = sheet.subfigures(len(rows) + 1, 1, squeeze=False).flat

  def axes_of(part, title):
    part.suptitle(title, x=0.01, ha='left', size=8)
    axes = part.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
      axis.axis('off')
    return axes

  images = clip[:: len(clip) // columns]
  for axis, image in zip(axes_of(parts[0], 'frames'), images):
    axis.imshow(np.clip(image, 0, 1))
  for part, (title, maps) in zip(parts[1:], rows):
    least, most = maps.min(), maps.max()
    line = axes_of(part, f'{title}: {least:.2g} to {most:.2g}')
    for axis, values in zip(line, maps):
      axis.imshow(values, cmap='viridis', vmin=least, vmax=most)
  return sheet
