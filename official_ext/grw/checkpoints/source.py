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

"""Recognizes what a path holds, and reads it into one form.

Sources, by the layouts in which weights were published:

1.  'tarball': a folder saved as Checkpoint(model=MovinetClassifier).
2.  'trainer': a checkpoint of a Model Garden Trainer, stock or ours, with or
    without an exponential moving average.
3.  'saved_model': Kaggle's and TF-Hub's SavedModels, or any other.
4.  'movinet_pytorch': a state dict of the PyTorch MoViNet port.
5.  'grw_pytorch': a checkpoint of the GRW authors.
6.  'videofocalnet_pytorch': one of the Video-FocalNet authors.
7.  'focalnet_pytorch': weights of a FocalNet for images, with which a
    Video-FocalNet begins.
8.  'posmlp_video_pytorch': a checkpoint of the PosMLP-Video authors.
9.  'tflite': a TFLite file of a streaming MoViNet, published or ours.
"""

from collections.abc import Mapping
import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf

from official_ext.grw.checkpoints import architecture
from official_ext.grw.checkpoints import graph_gates
from official_ext.grw.checkpoints import structure
from official_ext.grw.checkpoints import tf_reader
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.checkpoints import tflite_reader
from official_ext.grw.checkpoints import torch_names
from official_ext.grw.checkpoints import torch_reader
from official_ext.grw.configs import trained_params

DESCRIPTIONS = {
  'tarball': "a model's checkpoint, in the layout of the published tarballs",
  'trainer': "a Model Garden Trainer's checkpoint",
  'saved_model': 'a SavedModel (Kaggle, TF-Hub or other)',
  'movinet_pytorch': 'a state dict of the PyTorch MoViNet port',
  'grw_pytorch': "a GRW authors' PyTorch checkpoint",
  'videofocalnet_pytorch': "a Video-FocalNet authors' PyTorch checkpoint",
  'focalnet_pytorch': "a FocalNet authors' PyTorch checkpoint, for images",
  'posmlp_video_pytorch': "a PosMLP-Video authors' PyTorch checkpoint",
  'tflite': 'a TFLite file',
}
WEIGHTS = ('auto', 'model', 'ema')
# Where a torch file has its state dict, if it is not one itself.
_STATES = ('model_state', 'state_dict', 'model')
_EPSILON = 1e-3  # Of MoViNets' batch norms.
# What tools/export_tflite.py writes into a folder.
_EXPORTED = 'model.tflite'


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
  """Weights from anywhere, under structural names (see `structure`).

  Attributes:
    kind: a key of `DESCRIPTIONS`.
    path: the file or checkpoint that was read.
    values: structural names to arrays.
    architecture: what they are the weights of.
    weights: 'model' or 'ema', which of those in the file were read.
    has_average: whether the file holds an exponential moving average.
    window: T of the GRW loss, if the file says, or 0.
    gate: the gating activation of a MoViNet, where the source says it, or ''.
    gate_source: what says it.
    graph: what the graph of a TFLite file tells, or None.  The batch norms in
      it were folded: `folded_norms.restore` gives them statistics.
  """

  kind: str
  path: str
  values: Mapping[str, np.ndarray]
  architecture: architecture.Architecture
  weights: str = 'model'
  has_average: bool = False
  window: int = 0
  gate: str = ''
  gate_source: str = ''
  graph: tflite_graph.StreamingMovinet | None = None

  def __str__(self):
    averages = ''
    if self.has_average:
      averages = (
        ', its exponential moving average'
        if self.weights == 'ema'
        else ', its trained weights (not their moving average)'
      )
    return (
      f'{self.path}: {DESCRIPTIONS[self.kind]}{averages}: {self.architecture}'
    )


def read(path: str, weights: str = 'auto') -> PublishedWeights:
  """Reads weights from any of the sources above.

  Args:
    path: a checkpoint (its prefix, its '.index' file or its folder), the folder
      of a SavedModel or the one above its version, a torch file, or a TFLite
      file or the folder of an exported one.
    weights: which weights to take of a file that also holds an exponential
      moving average: 'ema', 'model', or 'auto' for what its own code loads by
      default, which is the average for a Trainer's checkpoints and the model
      for GRW's PyTorch ones.

  Raises:
    ValueError: nothing there, or nothing that is read by name.
    UnsafeCheckpointError: a torch file that is refused.
  """
  if weights not in WEIGHTS:
    raise ValueError(f'weights={weights!r}: expected one of {WEIGHTS}.')
  location = path.rstrip('/')
  saved_model = _find_saved_model(location)
  if saved_model:
    return _from_tensorflow(
      os.path.join(saved_model, 'variables', 'variables'),
      'saved_model',
      weights,
      saved_model,
    )
  exported = os.path.join(location, _EXPORTED)
  if os.path.isfile(exported):
    location = exported
  if os.path.isfile(location) and tflite_reader.is_tflite(location):
    return _from_tflite(location)
  prefix = _find_checkpoint(location)
  if prefix:
    return _from_tensorflow(prefix, None, weights, prefix)
  if os.path.isfile(location) and torch_reader.is_torch_file(location):
    return _from_torch(location, weights)
  raise ValueError(_unrecognized(location))


def _unrecognized(path: str) -> str:
  expected = (
    "expected a checkpoint (a prefix such as 'ckpt-1', its '.index' file or "
    "the folder with a 'checkpoint' file), a SavedModel's folder, a file "
    'that torch.save wrote, or a TFLite file'
  )
  if not tf.io.gfile.exists(path):
    return f'{path} does not exist; {expected}.'
  if path.endswith(('.tar.gz', '.tgz', '.tar', '.zip')):
    return f'{path} is an archive: unpack it and give the folder.'
  return f'{path} is not recognized; {expected}.'


def _children(folder: str) -> list[str]:
  """Folders directly inside `folder`."""
  return [
    os.path.join(folder, name.rstrip('/'))
    for name in sorted(tf.io.gfile.listdir(folder))
    if tf.io.gfile.isdir(os.path.join(folder, name))
  ]


def _find_saved_model(path: str) -> str | None:
  """The SavedModel at `path` or in its latest version folder."""
  if os.path.basename(path) == 'saved_model.pb':
    path = os.path.dirname(path)
  if not tf.io.gfile.isdir(path):
    return None
  if tf.io.gfile.exists(os.path.join(path, 'saved_model.pb')):
    return path
  versions = [
    child
    for child in _children(path)
    if os.path.basename(child).isdigit()
    and tf.io.gfile.exists(os.path.join(child, 'saved_model.pb'))
  ]
  return max(
    versions, key=lambda child: int(os.path.basename(child)), default=None
  )


def _find_checkpoint(path: str) -> str | None:
  """The prefix of the checkpoint at `path`, or in it, or in its one folder."""
  prefix = path.removesuffix('.index')
  if tf.io.gfile.exists(prefix + '.index'):
    return prefix
  if not tf.io.gfile.isdir(path):
    return None
  latest = tf.train.latest_checkpoint(path)
  if latest:
    return latest
  # No 'checkpoint' file, or one that names files elsewhere.
  indices = tf.io.gfile.glob(os.path.join(path, '*.index'))
  if len(indices) == 1:
    return indices[0].removesuffix('.index')
  if len(indices) > 1:
    raise ValueError(
      f"{path} has {len(indices)} checkpoints and no 'checkpoint' file that "
      f'says which is the latest; give one, for example '
      f'{max(indices).removesuffix(".index")}.'
    )
  inner = _children(path)
  # As tarballs unpack: one folder inside the folder one made for them.
  return _find_checkpoint(inner[0]) if len(inner) == 1 else None


def _from_tensorflow(
  prefix: str, kind: str | None, weights: str, path: str
) -> PublishedWeights:
  read_variables = tf_reader.read(prefix, weights)
  if kind is None:
    training = {'optimizer', 'global_step'} & set(read_variables.roots)
    kind = 'trainer' if training else 'tarball'
  values = structural_values(read_variables, path)
  found = _identify(values, path)
  gate, gate_source = '', ''
  if found.family == 'movinet':
    gate, gate_source = _stated_gate(kind, path)
  return PublishedWeights(
    kind=kind,
    path=path,
    values=values,
    architecture=found,
    gate=gate,
    gate_source=gate_source,
    weights=read_variables.weights,
    has_average=read_variables.has_average,
  )


def structural_values(
  read_variables: tf_reader.TfVariables, path: str
) -> dict[str, np.ndarray]:
  """The variables of a checkpoint that have a structural name, under it.

  Args:
    read_variables: the variables of the checkpoint.
    path: the checkpoint, for messages.

  Raises:
    ValueError: two different variables would have the same name.
  """
  values: dict[str, np.ndarray] = {}
  names: dict[str, str] = {}
  for name, value in read_variables.values.items():
    structural = structure.structural_name(name, value.shape)
    if structural is None:
      continue
    value = structure.to_structural(structural, name, value)
    if structural in values and not np.array_equal(value, values[structural]):
      raise ValueError(
        f'{path} holds {names[structural]!r} {values[structural].shape} and '
        f'{name!r} {value.shape}, which both would be {structural!r}: more '
        'than one model was saved together.'
      )
    values[structural], names[structural] = value, name
  return values


def _stated_gate(kind: str, path: str) -> tuple[str, str]:
  """The gating activation that stands in or beside a source, and where."""
  if kind == 'saved_model':
    gate = graph_gates.read(os.path.join(path, 'saved_model.pb'))
    return gate, 'the graph of the SavedModel'
  file, params = trained_params.find(path)
  backbone = params.get('task', {}).get('model', {}).get('backbone', {})
  movinet = backbone.get('movinet', {}) if isinstance(backbone, dict) else {}
  return movinet.get('gating_activation', ''), file


def _from_tflite(path: str) -> PublishedWeights:
  found = tflite_graph.read(path)
  values = dict(found.values)
  for name in found.norms:
    values[f'{name}/moving_mean'] = np.zeros_like(values[f'{name}/beta'])
    # With the epsilon of the published models, a division by one.
    values[f'{name}/moving_variance'] = np.full_like(
      values[f'{name}/beta'], 1 - _EPSILON
    )
  return PublishedWeights(
    kind='tflite',
    path=path,
    values=values,
    architecture=_identify(values, path),
    gate=found.backbone.get('gating_activation', ''),
    gate_source='the graph of the file',
    graph=found,
  )


def _from_torch(path: str, weights: str) -> PublishedWeights:
  loaded = torch_reader.load(path)
  if not isinstance(loaded, dict):
    raise ValueError(
      f'{path} holds a {type(loaded).__name__}, not a state dict.'
    )
  average = loaded.get('ema_weights')
  if weights == 'ema' and not average:
    raise ValueError(
      f'{path} holds no moving average; ask for the model weights.'
    )
  if weights == 'ema':
    state = {
      key: value
      for key, value in _tensors(average, path).items()
      if key != 'n_averaged'
    }
  else:
    key = next((key for key in _STATES if key in loaded), None)
    state = _tensors(loaded[key] if key else loaded, path)
  # Where it was trained in parallel.
  state = {key.removeprefix('module.'): value for key, value in state.items()}
  params = loaded.get('transformer_params')
  num_heads = getattr(params, 'num_heads', 8)
  window = loaded.get('T', 0)
  for field, value in (('T', window), ('num_heads', num_heads)):
    if type(value) is not int or value < 0:
      raise ValueError(
        f'{path}: {field} is of the type {type(value).__name__}, expected a '
        'whole number.'
      )
  values = torch_names.translate(state, num_heads)
  found = _identify(values, path)
  # The only form that the code of these files has.
  original = found.family == 'movinet' and found.stream
  return PublishedWeights(
    kind=f'{torch_names.kind(state)}_pytorch',
    path=path,
    values=values,
    architecture=found,
    gate='grw>hard_sigmoid' if original else '',
    gate_source='what the PyTorch code of such files computes',
    weights='ema' if weights == 'ema' else 'model',
    has_average=bool(average),
    window=window,
  )


def _tensors(state: Any, path: str) -> dict[str, np.ndarray]:
  if (
    not isinstance(state, dict)
    or not state
    or not all(
      isinstance(key, str) and isinstance(value, np.ndarray)
      for key, value in state.items()
    )
  ):
    raise ValueError(
      f'{path} holds no state dict, that is no dict of names to tensors.'
    )
  return dict(state)


def _identify(
  values: Mapping[str, np.ndarray], path: str
) -> architecture.Architecture:
  found = architecture.identify(
    {name: value.shape for name, value in values.items()}
  )
  if found is None:
    raise ValueError(
      f'{path} can be read, but holds no MoViNet: among its variables is no '
      'stem/stem kernel and no block*_layer*/bneck/expansion kernel. It '
      'holds no Video-FocalNet and no PosMLP-Video either.'
    )
  return found
