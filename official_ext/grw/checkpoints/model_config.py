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
import json
import os
from typing import Any

from official.core import exp_factory

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.checkpoints import architecture
from official_ext.grw.checkpoints import families
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.configs import families as family_experiments  # pylint: disable=unused-import  # Registers. # noqa: F401
from official_ext.grw.configs import schema
from official_ext.grw.configs import trained_params

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
_CROP = 224  # Of the published PosMLP-Video.
_CARD_FILE = 'model_card.json'  # Of our exports.
# What of a MoViNet's config decides what its weights compute.
_BACKBONE_FIELDS = (
  'model_id',
  'causal',
  'use_positional_encoding',
  'conv_type',
  'se_type',
  'activation',
  'gating_activation',
  'average_pooling_type',
)


def model_config(
  weights: source.PublishedWeights, gating_activation: str = ''
) -> schema.GrwModel:
  """The config of the model whose weights these are.

  A stock classifier becomes a model without smoothing and with the stock head,
  which computes the same.  Activations, which weights do not tell, are those of
  the published models, or of the `params.yaml` that a Trainer left beside its
  checkpoint.

  Args:
    weights: see `source.read`.
    gating_activation: the gate of a MoViNet in place of the one found;
      'hard_sigmoid' for streaming weights trained with tf-models-official 2.8
      or later.

  Raises:
    ValueError: the MoViNet's model id is not registered, or the backbone has no
      gates.
  """
  found = weights.architecture
  if found.family == 'movinet':
    model = _movinet(weights)
  else:
    model = _of_family(found)
  if found.head == 'temporal':
    model.head.override(
      {
        'type': 'temporal',
        'embedding_dim': found.embedding_dim,
        'num_layers': found.num_layers,
        'num_heads': found.num_heads,
        'mlp_ratio': found.mlp_ratio,
      }
    )
    model.smoothing.placement = 'final'
  else:
    model.smoothing.placement = (
      'final' if 'grw_embedding/kernel' in weights.values else 'none'
    )
    if found.head:
      model.head.override({'type': found.head})
  if weights.window:
    model.smoothing.window = weights.window
  if weights.kind == 'trainer':
    _override_from_trainer(model, weights.path)
  if weights.graph is not None:
    _override_from_graph(model, weights)
  if weights.gate:
    model.backbone.movinet.gating_activation = weights.gate
  if gating_activation:
    if found.family != 'movinet':
      raise ValueError(
        f'{weights.path} holds {found}, which has no gates: leave out the '
        f'gating activation, {gating_activation!r}.'
      )
    if weights.graph is not None and gating_activation != weights.gate:
      raise ValueError(
        f'{weights.path} computes with the gate {weights.gate!r}, as its graph '
        f'shows: leave out the gating activation, {gating_activation!r}.'
      )
    model.backbone.movinet.gating_activation = gating_activation
  return model


def _movinet(weights: source.PublishedWeights) -> schema.GrwModel:
  found = weights.architecture
  if not found.model_id:
    raise ValueError(
      f'{weights.path} holds a MoViNet whose widths are those of no model id '
      'in movinet.BLOCK_SPECS: register its specification first.'
    )
  model = schema.GrwModel(
    backbone=movinet_config.published(found.model_id, found.stream)
  )
  model.backbone.movinet.use_positional_encoding = found.positional_encoding
  model.backbone.movinet.conv_type = '2plus1d' if found.factorized else '3d'
  model.head.type = 'movinet'
  return model


def _of_family(found: architecture.Architecture) -> schema.GrwModel:
  """As the family's own experiment, with the published input and head."""
  model = exp_factory.get_exp_config(f'{found.family}_kinetics400').task.model
  implied = families.FAMILIES[found.family].variants.get(found.model_id, {})
  settings = {
    name: value for name, value in found.settings.items() if name not in implied
  }
  if found.model_id:
    settings['variant'] = found.model_id
  model.backbone.get().override(settings)
  return model


def _override_from_trainer(model: schema.GrwModel, prefix: str):
  """Takes what weights do not tell from a Trainer's `params.yaml`."""
  trained = trained_params.read(prefix).get('task', {}).get('model', {})
  backbone = trained.get('backbone', {}).get(model.backbone.type, {})
  if model.backbone.type == 'movinet':
    backbone = {
      name: backbone[name]
      for name in ('causal', 'se_type', 'activation', 'gating_activation')
      if name in backbone
    }
  model.backbone.get().override(backbone)
  # Only ours say these; the stock head's activation is the model's.
  for part in ('smoothing', 'head'):
    if part in trained:
      getattr(model, part).override(trained[part])
  if 'head' not in trained and 'activation' in trained:
    model.head.movinet_activation = trained['activation']


def _override_from_graph(
  model: schema.GrwModel, weights: source.PublishedWeights
):
  """Takes what the graph of a file tells, and of ours the card beside it."""
  assert weights.graph is not None
  card = os.path.join(os.path.dirname(weights.path), _CARD_FILE)
  if os.path.exists(card):
    with open(card, encoding='utf-8') as file:
      described = json.load(file)
    if os.path.basename(weights.path) in described.get('files', {}):
      # What training has and inference has not; the graph has the last word.
      for part in ('smoothing', 'head'):
        getattr(model, part).override(described['config'].get(part, {}))
  model.backbone.movinet.override(dict(weights.graph.backbone))
  model.head.override(dict(weights.graph.head))


def experiment_overrides(
  model: schema.GrwModel,
  num_classes: int,
  checkpoint: str,
  modules: str,
  graph: tflite_graph.StreamingMovinet | None = None,
  labels: str = '',
) -> Mapping[str, Any]:
  """What a `--config_file` must say for an experiment to rebuild the model.

  Args:
    model: see `model_config`.
    num_classes: the number of classes of the data.
    checkpoint: the checkpoint to start from.
    modules: 'backbone' or 'all'.
    graph: the graph of a TFLite file, which fixes the size of frames.
    labels: the path of the label texts, or ''.
  """
  backbone = model.backbone.get().as_dict()
  if model.backbone.type == 'movinet':
    backbone = {name: backbone[name] for name in _BACKBONE_FIELDS}

  def data() -> dict[str, Any]:  # Anew, for a YAML without references.
    found: dict[str, Any] = {'num_classes': num_classes}
    if (
      model.backbone.type == 'movinet'
      and model.backbone.movinet.model_id in _CLIPS
    ):
      frames, rate, crop, side = _CLIPS[model.backbone.movinet.model_id]
      height, width = crop, crop
      if graph is not None and all(graph.image_size):
        height, width = graph.image_size
        side = round(side * max(height, width) / crop)
      if graph is not None and graph.num_frames:
        frames = graph.num_frames
      found.update(
        feature_shape=[frames, height, width, 3],
        frames_per_second=rate,
        min_image_size=side,
      )
    elif model.backbone.type == 'posmlp_video':  # Whose weights fix them.
      frames = model.backbone.posmlp_video.resolved().num_frames
      found.update(feature_shape=[frames, _CROP, _CROP, 3])
    return found

  return {
    'task': {
      'init_checkpoint': checkpoint,
      'init_checkpoint_modules': modules,
      'model': {
        'backbone': {
          'type': model.backbone.type,
          model.backbone.type: backbone,
        },
        'smoothing': model.smoothing.as_dict(),
        'head': model.head.as_dict(),
      },
      **({'labels': labels} if labels else {}),
      'train_data': data(),
      'validation_data': data(),
    }
  }


def experiment(model: schema.GrwModel, num_classes: int) -> str:
  """The experiment that `experiment_overrides` are for."""
  if model.backbone.type != 'movinet':
    return (
      f'{model.backbone.type}_kinetics400'
      if model.smoothing.placement == 'none'
      else f'{model.backbone.type}_grw_kinetics400'
    )
  return f'movinet_grw_kinetics{400 if num_classes == 400 else 600}'
