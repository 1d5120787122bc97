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

"""The video backbones that take GRW-smoothing, by configuration."""

from collections.abc import Sequence
import dataclasses

from official.projects.movinet.configs import movinet

from official_ext.grw.backbones.mobilenet_v3 import (
  config as mobilenet_v3_config,
)
from official_ext.grw.backbones.posmlp_video import config as posmlp_video_cfg
from official_ext.grw.backbones.videofocalnet import config as videofocalnet_cfg


@dataclasses.dataclass
class Backbone3D(movinet.Backbone3D):
  """One of the registered video backbones; the Model Garden's own first."""

  mobilenet_v3: mobilenet_v3_config.MobileNetV3 = dataclasses.field(
    default_factory=mobilenet_v3_config.MobileNetV3
  )
  posmlp_video: posmlp_video_cfg.PosMlpVideo = dataclasses.field(
    default_factory=posmlp_video_cfg.PosMlpVideo
  )
  videofocalnet: videofocalnet_cfg.VideoFocalNet = dataclasses.field(
    default_factory=videofocalnet_cfg.VideoFocalNet
  )


def check_clip(backbone: Backbone3D, shape: Sequence[int | None], field: str):
  """Raises ValueError, naming `field`, for clips a backbone cannot take.

  Args:
    backbone: any.
    shape: frames, height, width and channels; what may be any is None.
    field: where the shape was set.
  """
  if backbone.type == 'posmlp_video':
    backbone.posmlp_video.check_clip(shape, field)
  elif backbone.type == 'videofocalnet':
    backbone.videofocalnet.check_clip(shape, field)


def normalizes(backbone: Backbone3D) -> bool:
  """Whether the backbone itself normalizes the channels of frames in [0, 1]."""
  if backbone.type == 'mobilenet_v3':
    return True
  if backbone.type in ('posmlp_video', 'videofocalnet'):
    config = backbone.get()
    return bool(config.mean or config.stddev)
  return False


def frames_per_vector(backbone: Backbone3D) -> int:
  """How many frames of a clip share a feature vector, where they may."""
  return (
    backbone.videofocalnet.tubelet_size
    if backbone.type == 'videofocalnet'
    else 1
  )


def with_states(backbone: Backbone3D) -> Backbone3D:
  """The backbone that takes states and returns them beside its endpoints.

  Built, it has MoViNet's interface: `initial_state_specs(input_shape)`,
  `init_states(input_shape)` and, called on {'image': frames, **states},
  (endpoints, states).  Its variables have the names they have without states.

  Raises:
    ValueError: the backbone cannot take its video frame by frame.
  """
  if backbone.type == 'mobilenet_v3':
    return backbone.replace(
      mobilenet_v3=backbone.mobilenet_v3.replace(use_external_states=True)
    )
  if backbone.type != 'movinet' or not backbone.movinet.causal:
    model = (
      f'MoViNet-{backbone.movinet.model_id.upper()} Base'
      if backbone.type == 'movinet'
      else backbone.type
    )
    raise ValueError(
      f'task.model.backbone is {model}, which is not causal and sees frames '
      'to come: it cannot stream. Export its clip model, or train a stream '
      'backbone (task.model.backbone.movinet.causal=true).'
    )
  if backbone.movinet.average_pooling_type != '2d':
    raise ValueError(
      'task.model.backbone.movinet.average_pooling_type='
      f"{backbone.movinet.average_pooling_type!r}: expected '2d', one "
      'feature vector a frame.'
    )
  return backbone.replace(
    movinet=backbone.movinet.replace(
      use_external_states=True, output_states=True
    )
  )
