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

"""What a client has to know of an exported model, as JSON beside it."""

from collections.abc import Sequence
import dataclasses
import json
import os
from typing import Any, TYPE_CHECKING

from official_ext.grw.configs import label_groups
from official_ext.grw.datasets import labels

if TYPE_CHECKING:
  from official.core import config_definitions as cfg

  from official_ext.grw.configs import schema

CARD_FILE = 'model_card.json'
LABELS_FILE = 'labels.txt'


@dataclasses.dataclass
class ModelCard:
  """A description of an exported model.

  Attributes:
    name: the name of the experiment's model, for people.
    kind: 'stream', frame by frame with states, or 'clip'.
    format: 'saved_model' or 'tflite'.
    quantization: 'float32', 'float16', 'dense_int8' or 'dynamic_int8'.
    frames_per_second: the rate at which to feed frames; null if the experiment
      does not say, or has none by its `sampling`.
    num_frames: N, the frames that logits are of.
    classify_every: frames between two runs of the head; 1 for every frame.
    input: 'shape' [batch, frames, height, width, 3] with null for what is
      free, 'dtype', 'range' of values, 'channels'.
    resize: how a whole video frame becomes the input: 'mode' and 'size' of the
      bilinear resize, 'antialias' whether it averages over more pixels where
      it makes frames smaller, and 'crop' [height, width] of the center.
    states: {name: {'shape', 'dtype'}}, all zero at the start.
    num_classes: width of the logits.
    labels: file of class names, a line each.
    files: {file: bytes} of the model.
    checkpoint: the weights it was made from, as they were named.
    config: the model's configuration, that builds it anew.
    multi_label: whether a video may have several labels: then the probability
      of each is the sigmoid of its logit; otherwise they are a softmax.
    label_groups: {name: [first, stop]} where a video has one label of each of
      some groups of classes, which are ranges of the logits: then probabilities
      are a softmax in each; empty otherwise.
    tensors: the 'inputs' and 'outputs' of a TFLite file for clients that have
      no signatures, see `tensor_table.read`; empty otherwise.
    sampling: how to take `num_frames` frames out of a video: 'dense', one after
      the other, or 'segments', the middle ones of as many equal segments.
  """

  name: str
  kind: str
  format: str
  quantization: str
  frames_per_second: float | None
  num_frames: int
  classify_every: int
  input: dict[str, Any]
  resize: dict[str, Any]
  states: dict[str, Any]
  num_classes: int
  labels: str
  files: dict[str, int]
  checkpoint: str
  config: dict[str, Any]
  sampling: str = 'dense'
  multi_label: bool = False
  label_groups: dict[str, list[int]] = dataclasses.field(default_factory=dict)
  tensors: dict[str, list[dict[str, Any]]] = dataclasses.field(
    default_factory=dict
  )

  @property
  def size(self) -> tuple[int, int]:
    """Height and width of the frames that the model takes."""
    return self.resize['crop'][0], self.resize['crop'][1]


def _name(classifier: 'schema.GrwModel') -> str:
  backbone = classifier.backbone.get()
  return '_'.join(
    [
      classifier.backbone.type,
      str(getattr(backbone, 'model_id', getattr(backbone, 'variant', ''))),
      'stream' if getattr(backbone, 'causal', False) else 'base',
      classifier.head.type,
    ]
  )


def describe(
  params: 'cfg.ExperimentConfig', checkpoint: str, **fields: Any
) -> ModelCard:
  """The card of a model of an experiment.

  Args:
    params: the experiment.
    checkpoint: the weights, as the user named them.
    **fields: those of `ModelCard` that the experiment does not tell.
  """
  # Whoever reads cards has no TensorFlow to import.
  from official_ext.grw.configs import ensemble  # pylint: disable=g-import-not-at-top

  model, data = params.task.model, params.task.validation_data
  return ModelCard(
    name=' + '.join(map(_name, ensemble.classifiers(model))),
    frames_per_second=data.frames_per_second,
    sampling=data.sampling,
    multi_label=data.is_multilabel,
    label_groups={
      group.name: [group.start, group.stop]
      for group in label_groups.read(data.label_groups, data.num_classes)
    },
    num_frames=data.feature_shape[0],
    resize={
      'mode': data.resize,
      'size': data.min_image_size,
      'antialias': data.antialias,
      'crop': list(data.feature_shape[1:3]),
    },
    num_classes=data.num_classes,
    labels=LABELS_FILE,
    checkpoint=checkpoint,
    config=model.as_dict(),
    **fields,
  )


def write(card: ModelCard, label_texts: Sequence[str], folder: str):
  """Writes card and labels into a folder."""
  with open(os.path.join(folder, LABELS_FILE), 'w', encoding='utf-8') as file:
    file.writelines(f'{text}\n' for text in label_texts)
  with open(os.path.join(folder, CARD_FILE), 'w', encoding='utf-8') as file:
    json.dump(dataclasses.asdict(card), file, indent=1)
    file.write('\n')


def read(folder: str) -> tuple[ModelCard, list[str]]:
  """The card and the class names of an exported model.

  Raises:
    ValueError: the card is missing or not one, or labels and classes differ.
  """
  path = os.path.join(folder, CARD_FILE)
  try:
    with open(path, encoding='utf-8') as file:
      card = ModelCard(**json.load(file))
  except (OSError, TypeError, json.JSONDecodeError) as error:
    params = os.path.join(folder, 'params.yaml')
    if isinstance(error, OSError) and os.path.exists(params):
      raise ValueError(
        f'{folder} is the folder of a training: export what it trained with '
        f'`grw export tflite --config_file={params} --checkpoint={folder} '
        '--output_dir=FOLDER --experiment=...`, and give that folder.'
      ) from error
    raise ValueError(
      f'{path} is no model card ({error}): expected the folder that '
      '`grw export` wrote.'
    ) from error
  return card, labels.read(os.path.join(folder, card.labels), card.num_classes)
