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

"""The families of backbones, one line each.

A family from outside the package is registered by `register` too, before
configurations that name it are made.
"""

from collections.abc import Sequence

from official.modeling import hyperparams
from official.vision.modeling.backbones import factory

from official_ext.grw.backbones import family as family_lib
from official_ext.grw.backbones.mobilenet_v3 import family as mobilenet_v3
from official_ext.grw.backbones.movinet import family as movinet
from official_ext.grw.backbones.posmlp_video import family as posmlp_video
from official_ext.grw.backbones.videofocalnet import family as videofocalnet
from official_ext.grw.backbones.vit_frames import family as vit_frames

_registered: dict[str, family_lib.Family] = {}


def register(family: family_lib.Family):
  """Makes a family known, with its configuration and its builder.

  Raises:
    ValueError: there is a family of this name.
  """
  if family.name in _registered:
    raise ValueError(f'There is a family of backbones {family.name!r} already.')
  # Else the Model Garden builds it.
  if type(family).build is not family_lib.Family.build:
    factory.register_backbone_builder(family.name)(family.build)
  _registered[family.name] = family


register(movinet.MovinetFamily())
register(mobilenet_v3.MobileNetV3Family())
register(videofocalnet.VideoFocalNetFamily())
register(posmlp_video.PosMlpVideoFamily())
register(vit_frames.ViTFramesFamily())


def registered() -> Sequence[family_lib.Family]:
  """All families, in the order in which they were registered."""
  return tuple(_registered.values())


def named(name: str) -> family_lib.Family:
  """The family of a name; for one of the Model Garden's own, a general one."""
  return _registered.get(name) or family_lib.Family(name)


def of(backbone: hyperparams.OneOfConfig) -> family_lib.Family:
  """The family that a `task.model.backbone` is of."""
  return named(backbone.type)


def with_states(backbone: hyperparams.OneOfConfig) -> hyperparams.OneOfConfig:
  """The backbone that takes states and returns them; see `Family.with_states`.

  Raises:
    ValueError: the backbone cannot take its video frame by frame.
  """
  config = of(backbone).with_states(backbone.get())
  return backbone.replace(**{backbone.type: config})


def register_experiments():
  """Makes the experiments of all families known to the Model Garden."""
  for family in registered():
    family.register_experiments()
