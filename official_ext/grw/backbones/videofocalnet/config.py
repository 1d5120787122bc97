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

"""Configuration of Video-FocalNet backbones.

Wasim et al., ICCV 2023, arXiv 2307.06947, with the numbers of the published
Kinetics-400 models.
"""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple

from official.modeling import hyperparams

from official_ext.grw.configs import fields

FIELD = 'task.model.backbone.videofocalnet'

# Of a frame: less leaves nothing of the last stage, 1/32 of it.
MIN_SIZE = 32
TUBELET_SIZES = (1, 2)
FUSIONS = ('multiplication', 'average', 'projection', 'sequence')


class Architecture(NamedTuple):
  """What the variants differ in.

  Attributes:
    depths: blocks in each of the four stages.
    channels: C in each of the four stages.
    stochastic_depth_drop_rate: the rate of the last block.
  """

  depths: tuple[int, ...]
  channels: tuple[int, ...]
  stochastic_depth_drop_rate: float


VARIANTS = {
  't': Architecture((2, 2, 6, 2), (96, 192, 384, 768), 0.2),
  's': Architecture((2, 2, 18, 2), (96, 192, 384, 768), 0.3),
  'b': Architecture((2, 2, 18, 2), (128, 256, 512, 1024), 0.5),
}


@dataclasses.dataclass
class VideoFocalNet(hyperparams.Config):
  """A Video-FocalNet: one feature vector a frame, or a tubelet of two.

  Attributes:
    variant: 't', 's' or 'b'; what the next three do not set is the variant's.
    depths: blocks in each of the four stages; () is the variant's.
    channels: C in each of the four stages; () is the variant's.
    stochastic_depth_drop_rate: chance that a residual branch of the last block
      is dropped, frame by frame; it rises from 0 at the first.  Null is the
      variant's.
    tubelet_size: frames in a feature vector, 1 (all published models) or 2.
    focal_levels: L in each of the four stages: how many convolutions upon
      convolutions gather the context, of 3, 5, 7, ... tokens.  All published
      models have 2.
    temporal_branch: whether there is a temporal modulator.  Without it a
      feature vector knows of no other frame, as in a FocalNet for images.
    fusion: how the modulators of space and time meet the query q: q · m_s · m_t
      ('multiplication', all published models), q · (m_s + m_t) / 2 ('average'),
      q · (W [m_s, m_t] + b) ('projection'), or one after the other
      ('sequence'): q · m_s · m_t where m_t is gathered from q · m_s.
    use_external_states: be called as a stream is, which takes a backbone
      without temporal branch.
    mean: the mean of the input's channels, for images in [0, 1]; () is 0.
    stddev: the standard deviation of the input's channels; () is 1.
  """

  variant: str = 't'
  depths: tuple[int, ...] = ()
  channels: tuple[int, ...] = ()
  stochastic_depth_drop_rate: float | None = None
  tubelet_size: int = 1
  focal_levels: tuple[int, ...] = (2, 2, 2, 2)
  temporal_branch: bool = True
  fusion: str = FUSIONS[0]
  use_external_states: bool = False
  mean: tuple[float, ...] = ()
  stddev: tuple[float, ...] = ()

  @property
  def is_of_frames(self) -> bool:
    """Whether the features of a frame depend on no other."""
    return not self.temporal_branch and self.tubelet_size == 1

  def architecture(self) -> Architecture:
    """The variant's numbers, or those that are set.

    Raises:
      ValueError: a field that cannot be used, by name.
    """
    fields.require(
      self.variant in VARIANTS,
      f'{FIELD}.variant',
      self.variant,
      f'one of {tuple(VARIANTS)}',
    )
    variant = VARIANTS[self.variant]
    rate = self.stochastic_depth_drop_rate
    found = Architecture(
      tuple(self.depths) or variant.depths,
      tuple(self.channels) or variant.channels,
      variant.stochastic_depth_drop_rate if rate is None else rate,
    )
    for name in ('depths', 'channels'):
      value = getattr(found, name)
      fields.require(
        len(value) == 4 and min(value) >= 1,
        f'{FIELD}.{name}',
        value,
        'a number of 1 or more for each of the four stages',
      )
    fields.require(
      0 <= found.stochastic_depth_drop_rate < 1,
      f'{FIELD}.stochastic_depth_drop_rate',
      rate,
      'a rate in [0, 1)',
    )
    fields.require(
      self.tubelet_size in TUBELET_SIZES,
      f'{FIELD}.tubelet_size',
      self.tubelet_size,
      f'one of {TUBELET_SIZES}',
    )
    fields.require(
      len(self.focal_levels) == 4 and min(self.focal_levels) >= 1,
      f'{FIELD}.focal_levels',
      tuple(self.focal_levels),
      'a number of 1 or more for each of the four stages',
    )
    fields.require(
      self.fusion in FUSIONS,
      f'{FIELD}.fusion',
      self.fusion,
      f'one of {FUSIONS}',
    )
    fields.require(
      self.temporal_branch or self.fusion == FUSIONS[0],
      f'{FIELD}.fusion',
      self.fusion,
      f'{FUSIONS[0]!r} where temporal_branch=False leaves nothing to fuse',
    )
    fields.require(
      self.is_of_frames or not self.use_external_states,
      f'{FIELD}.use_external_states',
      self.use_external_states,
      'False, but for temporal_branch=False and tubelet_size=1',
    )
    for name in ('mean', 'stddev'):
      value = getattr(self, name)
      fields.require(
        len(value) in (0, 3),
        f'{FIELD}.{name}',
        tuple(value),
        'a number for each of the three channels, or ()',
      )
    fields.require(
      all(value > 0 for value in self.stddev),
      f'{FIELD}.stddev',
      tuple(self.stddev),
      'numbers above 0',
    )
    return found

  def check_clip(self, shape: Sequence[int | None], field: str):
    """Checks that the backbone can be built, and take clips of a shape.

    Args:
      shape: frames, height, width and channels; what may be any is None.
      field: where the shape was set, for the message.

    Raises:
      ValueError: frames that tubelets do not divide, or that are too small; or
        what `architecture` refuses.
    """
    self.architecture()
    frames, *size = shape[:3]
    if frames is not None and frames % self.tubelet_size:
      raise ValueError(
        f'{field}={tuple(shape)}: expected a number of frames divisible by '
        f'{FIELD}.tubelet_size={self.tubelet_size}.'
      )
    if any(side is not None and side < MIN_SIZE for side in size):
      raise ValueError(
        f'{field}={tuple(shape)}: expected frames of at least '
        f'{MIN_SIZE} x {MIN_SIZE}, because the last stage of a '
        f'videofocalnet has 1/{MIN_SIZE} of their height and width.'
      )
