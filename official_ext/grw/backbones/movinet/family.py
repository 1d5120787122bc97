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

"""MoViNet as a family of backbones: the Model Garden's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TYPE_CHECKING

from official.projects.movinet.modeling import movinet
import tf_keras

from official_ext.grw.backbones import activations  # pylint: disable=unused-import  # Named in configurations. # noqa: F401
from official_ext.grw.backbones import family
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.backbones.movinet import weights as movinet_weights
from official_ext.grw.compat import nested_layers
from official_ext.grw.compat import squeeze_excitation
from official_ext.grw.configs import fields

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

# Frames, frames a second, crop and size before the crop that a model was
# published with (arXiv 2103.11511, Table 1; arXiv 2511.20928, Section 4).  T0,
# and the size of A4 and A5, are as the Model Garden's configs have them.
_CLIPS = {
  'a0': (50, 5, 172, 200),
  'a1': (50, 5, 172, 200),
  'a2': (50, 5, 224, 256),
  'a3': (120, 12, 256, 300),
  'a4': (80, 8, 290, 320),
  'a5': (120, 12, 320, 368),
  't0': (25, 2.5, 160, 176),
}
# The fields that decide what weights compute.
_FIELDS = (
  'model_id',
  'causal',
  'use_positional_encoding',
  'conv_type',
  'se_type',
  'activation',
  'gating_activation',
  'average_pooling_type',
)
# Those of them that the weights do not tell.
_TRAINED_FIELDS = (
  'causal',
  'se_type',
  'activation',
  'gating_activation',
  'global_squeeze_excitation',
)


class MovinetFamily(family.Family):
  """Kondratyuk et al., arXiv 2103.11511."""

  name = 'movinet'
  title = 'MoViNet'
  config_class = movinet_config.Movinet
  weights = movinet_weights.MovinetWeights()

  def finish(self, backbone: tf_keras.Model, config: movinet_config.Movinet):
    if config.global_squeeze_excitation:
      squeeze_excitation.pool_whole_clips(backbone)

  def label(self, config: movinet_config.Movinet) -> str:
    kind = 'Stream' if config.causal else 'Base'
    if config.global_squeeze_excitation:
      kind = 'with global_squeeze_excitation=True'
    return f'MoViNet-{config.model_id.upper()} {kind}'

  def validate(self, model: schema.GrwModel):
    model_ids = sorted(movinet.BLOCK_SPECS)
    model_id = model.backbone.get().model_id
    fields.require(
      model_id in model_ids,
      'task.model.backbone.movinet.model_id',
      model_id,
      f'one of {model_ids}',
    )
    self._validate_squeeze_excitation(model.backbone.get())
    pooling = model.backbone.get().average_pooling_type
    fields.require(
      model.smoothing.placement != 'final' or pooling == '2d',
      'task.model.backbone.movinet.average_pooling_type',
      pooling,
      "'2d', one feature vector a frame, because "
      "task.model.smoothing.placement is 'final'",
    )

  def _validate_squeeze_excitation(self, config: movinet_config.Movinet):
    """Raises ValueError for a global one that would change nothing."""
    if not config.global_squeeze_excitation:
      return
    field = 'task.model.backbone.movinet'
    fields.require(
      config.causal,
      f'{field}.global_squeeze_excitation',
      True,
      'False, because causal=False: all sees whole clips',
    )
    fields.require(
      config.se_type in ('3d', '2plus3d'),
      f'{field}.se_type',
      config.se_type,
      "'3d' or '2plus3d', which pool over time, because "
      'global_squeeze_excitation=True',
    )
    fields.require(
      not config.use_positional_encoding,
      f'{field}.use_positional_encoding',
      True,
      'False, because global_squeeze_excitation=True: a mean over all frames '
      'has no place among them',
    )

  def with_states(
    self, config: movinet_config.Movinet
  ) -> movinet_config.Movinet:
    if not config.causal or config.global_squeeze_excitation:
      return super().with_states(config)
    fields.require(
      config.average_pooling_type == '2d',
      'task.model.backbone.movinet.average_pooling_type',
      config.average_pooling_type,
      "'2d', one feature vector a frame",
    )
    return config.replace(use_external_states=True, output_states=True)

  def describe(self, backbone: tf_keras.Model) -> dict[str, str]:
    activation = str(backbone.get_config().get('activation', ''))
    return {
      'conv_type': backbone.conv_type,
      'activations': f'{activation}, gates {gating_activation(backbone)}',
    }

  def model_config(
    self, found: movinet_weights.FoundMovinet
  ) -> schema.GrwModel:
    from official_ext.grw.configs import schema  # pylint: disable=g-import-not-at-top

    if not found.model_id:
      raise ValueError(
        'holds a MoViNet whose widths are those of no model id in '
        'movinet.BLOCK_SPECS: register its specification first.'
      )
    model = schema.GrwModel(
      backbone=movinet_config.published(found.model_id, found.stream)
    )
    config = model.backbone.get()
    config.use_positional_encoding = found.positional_encoding
    config.conv_type = '2plus1d' if found.factorized else '3d'
    model.head.type = 'movinet'
    return model

  def set_gating_activation(
    self, config: movinet_config.Movinet, activation: str
  ):
    config.gating_activation = activation

  def trained_fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: fields[name] for name in _TRAINED_FIELDS if name in fields}

  def overrides(self, config: movinet_config.Movinet) -> dict[str, Any]:
    values = config.as_dict()
    return {name: values[name] for name in _FIELDS}

  def clip(self, config: movinet_config.Movinet) -> dict[str, Any]:
    if config.model_id not in _CLIPS:
      return {}
    frames, rate, crop, side = _CLIPS[config.model_id]
    return {
      'feature_shape': [frames, crop, crop, 3],
      'frames_per_second': rate,
      'min_image_size': side,
    }

  def experiment(self, smoothed: bool, num_classes: int) -> str:
    return (
      'movinet_grw_kinetics400'
      if num_classes == 400
      else 'movinet_grw_kinetics600'
    )

  def register_experiments(self):
    from official_ext.grw.backbones.movinet import experiments  # pylint: disable=g-import-not-at-top,unused-import  # noqa: F401


def gating_activation(backbone: tf_keras.Model) -> str:
  """The activation of the gates of a built MoViNet; 'none' without gates."""
  for layer in nested_layers.within(backbone):
    if layer.name.split('/')[-1] == 'se_expand':
      return str(layer.get_config()['activation'])
  return 'none'
