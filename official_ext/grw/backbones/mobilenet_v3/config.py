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

"""Configuration of MobileNetV3 on the frames of a video."""

import dataclasses

from official.modeling import hyperparams
from official.vision.modeling.backbones import mobilenet

from official_ext.grw.configs import fields

FIELD = 'task.model.backbone.mobilenet_v3'

TEMPORALS = ('base_frame', 'shift', 'none')


@dataclasses.dataclass
class MobileNetV3(hyperparams.Config):
  """MobileNetV3 (Howard et al., arXiv 1905.02244), a frame at a time.

  Attributes:
    size: 'small' or 'large', or another of which the Model Garden's MobileNet
      has a specification.
    width_multiplier: scales the channels of all layers but, below 1, the last.
    temporal: what a frame knows of others. 'base_frame', as in Goldman et al.,
      arXiv 2511.20928, Section 4: it is stacked with the first frame of its
      window, so that the network has 6 input channels.  'shift', as in TSM's
      online model (Lin et al., arXiv 1811.08383): inside residual blocks an
      eighth of its channels is the previous frame's.  'none': nothing.
    window: the window of 'base_frame', in frames; that of the smoothing, if
      there is one.
    use_external_states: take the states of a stream and return them.
  """

  size: str = 'small'
  width_multiplier: float = 1.0
  temporal: str = 'base_frame'
  window: int = 5
  use_external_states: bool = False

  @property
  def model_id(self) -> str:
    """The Model Garden's name of the network."""
    return 'MobileNetV3' + self.size.capitalize()

  def validate(self):
    """Raises ValueError for values that no network can be built of."""
    for name, condition, expected in (
      (
        'size',
        self.model_id in mobilenet.SUPPORTED_SPECS_MAP,
        "'small' or 'large'",
      ),
      ('temporal', self.temporal in TEMPORALS, f'one of {TEMPORALS}'),
      ('width_multiplier', self.width_multiplier > 0, 'a number above 0'),
      ('window', self.window >= 1, 'at least 1 frame'),
    ):
      fields.require(
        condition, f'{FIELD}.{name}', getattr(self, name), expected
      )
