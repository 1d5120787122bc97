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

"""The configuration of a head, whichever kind it is."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from official.modeling import hyperparams

from official_ext.grw.heads import head_types

_Classes = Mapping[str, type[hyperparams.Config]]


@dataclasses.dataclass
class Head(hyperparams.Config):
  """What turns frame embeddings into logits.

  Kinds of heads with a `config_class` have a field of their own beside these.

  Attributes:
    type: 'temporal', the published GRW head: a small transformer over frames;
      'movinet', the stock classifier head on the mean over frames; or 'linear',
      a dense layer on that mean, as most other video models have.
    embedding_dim: D, the width of the embeddings; 0 takes the backbone's.
    num_layers: transformer blocks.
    num_heads: attention heads; must divide D.
    mlp_ratio: width of a block's MLP as a multiple of D.
    causal: a frame attends only to those before it, and the class is read
      from the mean of the frames so far.
    per_frame: whether each frame has logits of its own, read from its own
      token, and is trained on its own label, which records have in
      `frame_label_field_key` of the data.  The head is 'temporal' and causal.
    stochastic_depth_drop_rate: chance to skip a residual branch of a clip.
    movinet_activation: activation inside the 'movinet' head.
  """

  type: str = 'temporal'
  embedding_dim: int = 0
  num_layers: int = 2
  num_heads: int = 8
  mlp_ratio: int = 4
  causal: bool = False
  per_frame: bool = False
  stochastic_depth_drop_rate: float = 0.0
  movinet_activation: str = 'swish'

  @classmethod
  def registered_fields(cls) -> _Classes:
    """The classes of the fields of kinds of heads, by name."""
    return {
      kind.name: kind.config_class
      for kind in head_types.registered()
      if kind.config_class is not None
    }

  @classmethod
  def type_choices(cls) -> list[str]:
    """What `type` may be."""
    return [kind.name for kind in head_types.registered()]

  def __post_init__(self, default_params: Any, restrictions: Any):  # type: ignore[override]
    super().__post_init__(None, restrictions)
    for name, config_class in self.registered_fields().items():
      setattr(self, name, config_class())
    if default_params:
      self.override(default_params, is_strict=False)
