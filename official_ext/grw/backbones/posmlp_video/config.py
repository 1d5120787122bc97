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

"""Configuration of PosMLP-Video backbones."""

from collections.abc import Sequence
import dataclasses
import math

from official.modeling import hyperparams

from official_ext.grw.configs import fields

FIELD = 'task.model.backbone.posmlp_video'

# How the spatial (PoSGU), temporal (PoTGU) and spatio-temporal (PoSTGU) gating
# units make a block, and r_e: to how many times the channels it widens them
# for its units, so that what they mix last has as many channels as the block.
BLOCKS = {
  'parallel': 2,
  'joint': 2,
  'temporal_spatial': 4,
  'spatial_temporal': 4,
  'parallel_split': 4,
  'parallel_concat': 2,
  'parallel_sum': 2,
}
# Steps from the input to a stage's features, in height and in width.
_STRIDES = (4, 8, 16, 32)
_S = {
  'depths': (3, 4, 9, 3),
  'channels': (72, 144, 288, 576),
  'groups': (8, 16, 32, 64),
  'windows': (14, 14, 14, 7),
  'num_frames': 16,
}
VARIANTS = {
  's16': _S,
  # The published channels, 112, 224, 392, 784, cannot be split into the
  # published groups: the last two are the nearest multiples.
  'b16': {**_S, 'depths': (4, 6, 15, 4), 'channels': (112, 224, 384, 768)},
  # The published 32-frame networks have no positional gating: this is S for
  # 32 frames, with no published weights.
  's32': {**_S, 'num_frames': 32},
}


@dataclasses.dataclass
class PosMlpVideo(hyperparams.Config):
  """PosMLP-Video (arXiv 2407.02934).

  Attributes:
    variant: 's16', 's32' or 'b16': depth and width, and the frames of a clip.
    depths: blocks in each of the four stages; () takes the variant's, as with
      the fields that follow.
    channels: width of each stage.
    groups: in each stage, the groups of channels that share position weights;
      they must divide the channels.
    windows: in each stage, height and width of the windows in which tokens mix;
      they must divide the stage's height and width.
    num_frames: the frames of every clip, since weights belong to frames; 0
      takes the variant's.
    block: how spatial and temporal gating units make a block.  'parallel', the
      published one, adds an MLP with a spatial unit and one with a temporal
      (PoTGU+PoSGU, "V1").  Others are one MLP: 'joint' has one unit over all
      tokens of a window in all frames (PoSTGU); 'temporal_spatial' and
      'spatial_temporal' one unit after the other (PoTGU→PoSGU, PoSGU→PoTGU);
      'parallel_split' gives each unit half of the channels and concatenates
      what they give ("V2"), 'parallel_concat' gives all to both ("V3"), and
      'parallel_sum' adds them ("V4").  Only 'parallel' has published weights.
    stochastic_depth_drop_rate: the rate of the last block; it rises from 0 at
      the first.
    mean: taken off the channels of the input, which are in [0, 1]; () nothing.
      The published weights were trained with a mean of 0.45 and a standard
      deviation of 0.225 in all three.
    stddev: that the channels are then divided by.
  """

  variant: str = 's16'
  depths: tuple[int, ...] = ()
  channels: tuple[int, ...] = ()
  groups: tuple[int, ...] = ()
  windows: tuple[int, ...] = ()
  num_frames: int = 0
  block: str = 'parallel'
  stochastic_depth_drop_rate: float = 0.1
  mean: tuple[float, ...] = ()
  stddev: tuple[float, ...] = ()

  def resolved(self) -> 'PosMlpVideo':
    """The same with nothing left to the variant.

    Raises:
      ValueError: a value that no model can have; names the field.
    """
    _require(
      self, 'variant', self.variant in VARIANTS, f'one of {sorted(VARIANTS)}'
    )
    _require(self, 'block', self.block in BLOCKS, f'one of {sorted(BLOCKS)}')
    values = {
      name: getattr(self, name) or value
      for name, value in VARIANTS[self.variant].items()
    }
    config = self.replace(
      **{
        name: tuple(value) if isinstance(value, Sequence) else value
        for name, value in values.items()
      }
    )
    for name in ('depths', 'channels', 'groups', 'windows'):
      value = getattr(config, name)
      _require(
        config,
        name,
        len(value) == len(_STRIDES) and min(value) >= 1,
        f'{len(_STRIDES)} numbers above 0, one a stage',
      )
    _require(
      config,
      'channels',
      all(c % g == 0 for c, g in zip(config.channels, config.groups)),
      f'multiples of groups={config.groups}',
    )
    _require(
      config,
      'channels',
      config.channels[0] % 2 == 0,
      'an even first width, which the stem halves',
    )
    _require(
      config,
      'num_frames',
      config.num_frames >= 1,
      "above 0, or 0 for the variant's",
    )
    _require(
      config,
      'stochastic_depth_drop_rate',
      0 <= config.stochastic_depth_drop_rate < 1,
      'a rate in [0, 1)',
    )
    for name in ('mean', 'stddev'):
      _require(
        config,
        name,
        len(getattr(config, name)) in (0, 3),
        'three numbers, for R, G and B, or ()',
      )
    _require(
      config,
      'stddev',
      all(value > 0 for value in config.stddev),
      'numbers above 0',
    )
    return config

  def check_clip(self, shape: Sequence[int | None], field: str):
    """Checks that the backbone can take clips of a shape.

    Args:
      shape: frames, height, width and channels; what may be any is None.
      field: where the shape was set, for the message.

    Raises:
      ValueError: the frames are not those of the weights, or a window does not
        divide the features of its stage.
    """
    config = self.resolved()
    frames, height, width = shape[:3]
    if frames not in (None, config.num_frames):
      raise ValueError(
        f'{field}={tuple(shape)}: expected clips of {config.num_frames} '
        f'frames, to which the weights of posmlp_video belong (variant '
        f'{config.variant!r}, num_frames={config.num_frames}).'
      )
    for size in (height, width):
      if size is None:
        continue
      for stage, (stride, window) in enumerate(
        zip(_STRIDES, config.windows), 1
      ):
        features = -(-size // stride)
        if features % window:
          multiple = math.lcm(
            *(s * w for s, w in zip(_STRIDES, config.windows))
          )
          raise ValueError(
            f'{field}={tuple(shape)}: of {size} pixels stage {stage} of '
            f'posmlp_video has {features}, which windows={config.windows} do '
            f'not divide; expected height and width that are multiples of '
            f'{multiple}, or other windows.'
          )


def _require(config: PosMlpVideo, name: str, condition: bool, expected: str):
  fields.require(condition, f'{FIELD}.{name}', getattr(config, name), expected)
