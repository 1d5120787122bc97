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

"""What published papers say of the models that can be built here.

Figures are as printed, and as far rounded.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

GRW = 'Goldman et al., arXiv 2511.20928, Table 1'
GRW_MEMORY = 'Goldman et al., arXiv 2511.20928, Table 2'
MOVINET = 'Kondratyuk et al., arXiv 2103.11511'
MOVINET_STREAM = 'Model Garden, official/projects/movinet/README.md'
VIDEO_FOCALNET = 'Wasim et al., arXiv 2307.06947; top-1 of its repository'
POSMLP_VIDEO = 'Hao et al., arXiv 2407.02934, released configuration'


class Published(NamedTuple):
  """A row of a paper.

  Attributes:
    name: the name of the model.
    num_classes: the number of classes of the Kinetics dataset it was evaluated
      on, 400 or 600.
    source: paper and table.
    top_1: per cent.
    gflops: what the paper calls so, of a video or, for Video-FocalNet and
      PosMLP-Video, of one of its views.
    parameters: millions.
    smoothed: whether it was trained with GRW-smoothing.
    backbone: fields of `task.model.backbone` that are this model's, `type`
      among them; None is not built here.
    clip: frames and size of the video that `gflops` are of; None if not built.
  """

  name: str
  num_classes: int
  source: str
  top_1: float | None = None
  gflops: float | None = None
  parameters: float | None = None
  smoothed: bool = False
  backbone: Mapping[str, Any] | None = None
  clip: tuple[int, int] | None = None


_MOVINET_CLIPS = {
  'a0': (50, 172),
  'a1': (50, 172),
  'a2': (50, 224),
  'a3': (120, 256),
  'a4': (80, 290),
  'a5': (120, 320),
}


def _movinet(
  model_id: str,
  source: str,
  top_1: float,
  gflops: float,
  causal: bool,
  smoothed: bool = False,
) -> Published:
  name = (
    f'MoViNet-{model_id.upper()}'
    + ('-Stream' if causal else '')
    + ('-GRW' if smoothed else '')
  )
  return Published(
    name,
    600,
    source,
    top_1,
    gflops,
    smoothed=smoothed,
    backbone={'type': 'movinet', 'model_id': model_id, 'causal': causal},
    clip=_MOVINET_CLIPS[model_id],
  )


def _mobilenet(
  size: str,
  temporal: str,
  suffix: str,
  source: str,
  top_1: float,
  gflops: float | None,
  smoothed: bool = False,
) -> Published:
  return Published(
    f'MobileNetV3-{size[0].upper()}{suffix}',
    600,
    source,
    top_1,
    gflops,
    smoothed=smoothed,
    backbone={'type': 'mobilenet_v3', 'size': size, 'temporal': temporal},
    clip=(50, 224),
  )


def _videofocalnet(
  variant: str, top_1: float, gflops: float, parameters: float
) -> Published:
  return Published(
    f'Video-FocalNet-{variant.upper()}',
    400,
    VIDEO_FOCALNET,
    top_1,
    gflops,
    parameters,
    backbone={'type': 'videofocalnet', 'variant': variant},
    clip=(8, 224),
  )


def _other(name: str, top_1: float, gflops: float) -> Published:
  return Published(name, 600, GRW, top_1, gflops)


ROWS = (
  _movinet('a0', GRW, 78.4, 2.7, causal=True, smoothed=True),
  _movinet('a1', GRW, 81.9, 6.0, causal=True, smoothed=True),
  _movinet('a2', GRW, 83.3, 11.3, causal=True, smoothed=True),
  _movinet('a3', GRW, 85.6, 56.4, causal=False, smoothed=True),
  _movinet('a0', MOVINET, 72.3, 2.71, causal=False),
  _movinet('a1', MOVINET, 76.7, 6.02, causal=False),
  _movinet('a2', MOVINET, 78.6, 10.3, causal=False),
  _movinet('a3', MOVINET, 81.8, 56.9, causal=False),
  _movinet('a4', MOVINET, 83.5, 105, causal=False),
  _movinet('a5', MOVINET, 84.3, 281, causal=False),
  Published('MoViNet-A6', 600, MOVINET, 84.8, 386),
  # The Model Garden gives its (2+1)D streams the GFLOPs of base models.
  _movinet('a0', MOVINET_STREAM, 72.05, 2.7, causal=True),
  _movinet('a1', MOVINET_STREAM, 76.45, 6.0, causal=True),
  _movinet('a2', MOVINET_STREAM, 78.40, 10, causal=True),
  _movinet('a3', MOVINET_STREAM, 80.09, 57, causal=True),
  _movinet('a4', MOVINET_STREAM, 81.49, 110, causal=True),
  _movinet('a5', MOVINET_STREAM, 82.37, 280, causal=True),
  _mobilenet(
    'small', 'base_frame', '-GRW', GRW_MEMORY, 67.3, None, smoothed=True
  ),
  _mobilenet('small', 'none', '', GRW, 61.3, 2.8),
  _mobilenet('small', 'shift', '-TSM', GRW, 65.5, 2.8),
  _mobilenet('large', 'none', '', GRW, 68.1, 11.0),
  _mobilenet('large', 'shift', '-TSM', GRW, 71.4, 11.0),
  _videofocalnet('t', 79.8, 63.0, 49.55),
  _videofocalnet('s', 81.4, 124.3, 88.7),
  _videofocalnet('b', 83.6, 220.7, 157.4),
  Published(
    'PosMLP-Video-S16',
    400,
    POSMLP_VIDEO,
    None,
    40.2,
    13.64,
    backbone={'type': 'posmlp_video', 'variant': 's16'},
    clip=(16, 224),
  ),
  _other('X3D-XS', 70.2, 3.9),
  _other('X3D-S', 73.4, 7.8),
  _other('X3D-M', 76.9, 19.4),
  _other('X3D-L', 79.1, 77.5),
  _other('UniFormer-S', 82.8, 167),
  _other('UniFormer-B', 84.0, 389),
  _other('MViTv2-B-32x3', 85.5, 1030),
)
