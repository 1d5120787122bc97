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

from official_ext.grw.backbones import families
from official_ext.grw.backbones import family as family_lib
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.configs import schema

_CARD_FILE = 'model_card.json'  # Of our exports.


def model_config(
  weights: published.PublishedWeights, gating_activation: str = ''
) -> schema.GrwModel:
  """The config of the model whose weights these are.

  A stock classifier becomes a model without smoothing and with the stock head,
  which computes the same.  Activations, which weights do not tell, are those of
  the published models, or of the `params.yaml` that a Trainer left beside its
  checkpoint.

  Args:
    weights: see `source.read`.
    gating_activation: the activation of the gates in place of the one found;
      'hard_sigmoid' for streaming weights trained with tf-models-official 2.8
      or later.

  Raises:
    ValueError: the family knows no configuration of the backbone, or the
      backbone has no gates.
  """
  found = weights.architecture
  family = families.named(found.family)
  try:
    model = family.model_config(found.backbone)
  except ValueError as error:
    raise ValueError(f'{weights.path} {error}') from error
  if found.head:
    model.head.override({'type': found.head.name, **found.head.settings})
  model.smoothing.placement = (
    'final' if 'grw_embedding/kernel' in weights.values else 'none'
  )
  if weights.window:
    model.smoothing.window = weights.window
  if weights.trained:
    _override_from_training(model, family, weights.trained)
  if weights.graph is not None:
    _override_from_graph(model, weights)
    if gating_activation not in ('', weights.gate):
      raise ValueError(
        f'{weights.path} computes with the gate {weights.gate!r}, as its graph '
        f'shows: leave out the gating activation, {gating_activation!r}.'
      )
  if weights.gate:
    family.set_gating_activation(model.backbone.get(), weights.gate)
  if gating_activation:
    try:
      family.set_gating_activation(model.backbone.get(), gating_activation)
    except ValueError as error:
      raise ValueError(f'{weights.path} holds {found}, {error}') from error
  return model


def _override_from_training(
  model: schema.GrwModel, family: family_lib.Family, params: Mapping[str, Any]
):
  """Takes what weights do not tell from the configuration of a training."""
  trained = params.get('task', {}).get('model', {})
  backbone = trained.get('backbone', {}).get(family.name, {})
  model.backbone.get().override(family.trained_fields(backbone))
  # Only ours say these; the stock head's activation is the model's.
  for part in ('smoothing', 'head'):
    if part in trained:
      getattr(model, part).override(trained[part])
  if 'head' not in trained and 'activation' in trained:
    model.head.movinet_activation = trained['activation']


def _override_from_graph(
  model: schema.GrwModel, weights: published.PublishedWeights
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
  model.backbone.get().override(dict(weights.graph.backbone))
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
  family, backbone = families.of(model.backbone), model.backbone.get()

  def data() -> dict[str, Any]:  # Anew, for a YAML without references.
    found = {'num_classes': num_classes, **family.clip(backbone)}
    if graph is not None and 'feature_shape' in found:
      frames, *size, channels = found['feature_shape']
      if all(graph.image_size):
        found['min_image_size'] = round(
          found['min_image_size'] * max(graph.image_size) / max(size)
        )
        size = list(graph.image_size)
      found['feature_shape'] = [graph.num_frames or frames, *size, channels]
    return found

  return {
    'task': {
      'init_checkpoint': checkpoint,
      'init_checkpoint_modules': modules,
      'model': {
        'backbone': {
          'type': family.name,
          family.name: family.overrides(backbone),
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
  return families.of(model.backbone).experiment(
    model.smoothing.placement != 'none', num_classes
  )
