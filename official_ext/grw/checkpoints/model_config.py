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

"""The configuration that rebuilds the model of published weights."""

from collections.abc import Mapping
from typing import Any

from official_ext.grw.checkpoints import source
from official_ext.grw.configs import grw as grw_cfg
from official_ext.grw.configs import trained_params

# Frames, frames a second, crop and size before the crop that a model was
# published with (arXiv 2103.11511, Table 1; arXiv 2511.20928, Section 4).  T0,
# and the size of A4 and A5, are as the Model Garden's configs have them.
_CLIPS = {
    'a0': (50, 5, 172, 200), 'a1': (50, 5, 172, 200), 'a2': (50, 5, 224, 256),
    'a3': (120, 12, 256, 300), 'a4': (80, 8, 290, 320),
    'a5': (120, 12, 320, 368), 't0': (25, 2.5, 160, 176),
}
# What of a backbone's config decides what its weights compute.
_BACKBONE_FIELDS = (
    'model_id', 'causal', 'use_positional_encoding', 'conv_type', 'se_type',
    'activation', 'gating_activation', 'average_pooling_type')


def model_config(weights: source.PublishedWeights,
                 gating_activation: str = '') -> grw_cfg.GrwModel:
  """The config of the model whose weights these are.

  A stock classifier becomes a model without smoothing and with the stock head,
  which computes the same.  Activations, which weights do not tell, are those of
  the published models, or of the `params.yaml` that a Trainer left beside its
  checkpoint.

  Args:
    weights: see `source.read`.
    gating_activation: in place of the one found; 'hard_sigmoid' for streaming
      weights trained with tf-models-official 2.8 or later.

  Raises:
    ValueError: the backbone's model id is not registered.
  """
  found = weights.architecture
  if not found.model_id:
    raise ValueError(
        f'{weights.path} holds a MoViNet whose widths are those of no model id '
        'in movinet.BLOCK_SPECS: register its specification first.')
  model = grw_cfg.GrwModel(
      backbone=grw_cfg.movinet_backbone(found.model_id, found.stream))
  backbone = model.backbone.movinet
  backbone.use_positional_encoding = found.positional_encoding
  backbone.conv_type = '2plus1d' if found.factorised else '3d'
  if found.head == 'temporal':
    model.head.override({
        'type': 'temporal', 'embedding_dim': found.embedding_dim,
        'num_layers': found.num_layers, 'num_heads': found.num_heads,
        'mlp_ratio': found.mlp_ratio})
  else:
    model.smoothing.placement = 'none'
    model.head.type = 'movinet'
  if weights.window:
    model.smoothing.window = weights.window
  if weights.kind == 'trainer':
    _override_from_trainer(model, weights.path)
  if gating_activation:
    backbone.gating_activation = gating_activation
  return model


def _override_from_trainer(model: grw_cfg.GrwModel, prefix: str):
  """Takes what weights do not tell from a Trainer's `params.yaml`."""
  trained = trained_params.read(prefix).get('task', {}).get('model', {})
  backbone = trained.get('backbone', {}).get('movinet', {})
  model.backbone.movinet.override({
      name: backbone[name] for name in ('causal', 'se_type', 'activation',
                                        'gating_activation')
      if name in backbone})
  # Only ours say these; the stock head's activation is the model's.
  for part in ('smoothing', 'head'):
    if part in trained:
      getattr(model, part).override(trained[part])
  if 'head' not in trained and 'activation' in trained:
    model.head.movinet_activation = trained['activation']


def experiment_overrides(model: grw_cfg.GrwModel, num_classes: int,
                         checkpoint: str,
                         modules: str) -> Mapping[str, Any]:
  """What a `--config_file` must say for an experiment to rebuild the model.

  Args:
    model: see `model_config`.
    num_classes: of the data.
    checkpoint: to start from.
    modules: 'backbone' or 'all'.
  """
  backbone = model.backbone.movinet.as_dict()
  def data() -> dict[str, Any]:  # Anew, for a YAML without references.
    found: dict[str, Any] = {'num_classes': num_classes}
    if model.backbone.movinet.model_id in _CLIPS:
      frames, rate, crop, side = _CLIPS[model.backbone.movinet.model_id]
      found.update(feature_shape=[frames, crop, crop, 3],
                   frames_per_second=rate, min_image_size=side)
    return found

  return {'task': {
      'init_checkpoint': checkpoint,
      'init_checkpoint_modules': modules,
      'model': {
          'backbone': {
              'type': 'movinet',
              'movinet': {name: backbone[name] for name in _BACKBONE_FIELDS}},
          'smoothing': model.smoothing.as_dict(),
          'head': model.head.as_dict()},
      'train_data': data(),
      'validation_data': data()}}
