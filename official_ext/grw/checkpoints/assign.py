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

"""Gives a model the weights that a file holds, and says what was given."""

import collections
from collections.abc import Mapping
import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import architecture
from official_ext.grw.checkpoints import families
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import structure

MODULES = ('backbone', 'all_but_classifier', 'all')

_HEADS_DIFFER = (
  'The heads differ: set task.init_checkpoint_modules to '
  "'backbone', or task.model.head to what the file holds."
)


@dataclasses.dataclass(frozen=True)
class Report:
  """What was loaded.

  Attributes:
    weights: where from.
    modules: those of `MODULES` that were read.
    model: what the model is.
    matched: names of the model's variables that were assigned.
    initial: names of the model's variables that kept their initial value.
    unused: structural names of the file that the model has no place for.
    conv_type: the kind of convolutions of a MoViNet.
    activation: the activation of a MoViNet.
    gating_activation: the gate of a MoViNet.
    notes: lines that are printed as they are.
  """

  weights: source.PublishedWeights
  modules: str
  model: architecture.Architecture
  matched: tuple[str, ...]
  initial: tuple[str, ...]
  unused: tuple[str, ...]
  conv_type: str = ''
  activation: str = ''
  gating_activation: str = ''
  notes: tuple[str, ...] = ()

  def __str__(self):
    branch = [
      name for name in self.initial if structure.in_temporal_branch(name)
    ]
    movinet = (
      [
        f'conv_type:   {self.conv_type}',
        f'activations: {self.activation}, gates {self.gating_activation}',
      ]
      if self.model.family == 'movinet'
      else []
    )
    lines = [
      f'source:      {source.DESCRIPTIONS[self.weights.kind]}, '
      f'{self.weights.path}',
      f'weights:     {_weights(self.weights)}',
      f'holds:       {self.weights.architecture}',
      f'model:       {self.model}',
      *movinet,
      f'modules:     {self.modules}',
      f'matched:     {len(self.matched)} variables',
      *[
        f'initial:     {len(branch)} left at their initial value in the '
        'temporal branch'
      ]
      * bool(branch),
      _listed(
        'initial:     ',
        'left at their initial value',
        tuple(name for name in self.initial if name not in branch),
      ),
      f"unused:      {len(self.unused)} of the file's head"
      if self.modules == 'backbone'
      else _listed('unused:      ', 'in the file only', self.unused),
      *self.notes,
    ]
    return '\n'.join(lines)


def _weights(weights: source.PublishedWeights) -> str:
  if weights.weights == 'ema':
    return 'exponential moving average'
  return 'as trained' + (
    ' (the file also holds their moving average)' if weights.has_average else ''
  )


def _listed(title: str, what: str, names: tuple[str, ...]) -> str:
  return f'{title}{len(names) or "none"} {what}' + ''.join(
    f'\n               {name}' for name in names
  )


def named_variables(model: tf_keras.Model) -> list[tuple[str, tf.Variable]]:
  """(structural name, variable) for each variable of `model`.

  The name is '' for variables of neither a backbone that is read by name nor
  one of our heads.
  """
  backbone = getattr(model, 'backbone', model)
  # The scale of a position is called 'scale' and no more.
  blocks = {
    id(variable): layer.name
    for layer in backbone.layers
    for variable in layer.variables
    if variable.name == f'{structure.BARE_SCALE}:0'
  }
  return [
    (
      structure.positional_scale(blocks[id(variable)])
      if id(variable) in blocks
      else structure.structural_name(variable.name, variable.shape) or '',
      variable,
    )
    for variable in model.variables
  ]


def match_head(
  model: tf_keras.Model, values: Mapping[str, np.ndarray], path: str
) -> dict[str, tuple[tf.Variable, np.ndarray]]:
  """Finds the values of all after the backbone but the last dense layer.

  A part of the model, such as the embedding or the temporal head, is taken
  whole or, where the file has no such part, not at all.

  Args:
    model: see `assign`; nothing is assigned.
    values: those of the file, by structural name.
    path: the file, for messages.

  Returns:
    By structural name, the variable and its value in the variable's layout.

  Raises:
    ValueError: a part of the model is in the file with other variables or
      shapes; says which field of the config to set.
  """

  def is_body(name):
    return name.startswith(
      ('grw_', 'classifier_head/')
    ) and not structure.in_classifier(name)

  found = {}
  ours = {
    name: variable for name, variable in named_variables(model) if is_body(name)
  }
  theirs = {name for name in values if is_body(name)}
  shared = {_part(name) for name in ours} & {_part(name) for name in theirs}
  for name in sorted(theirs ^ ours.keys()):
    if _part(name) in shared:
      where = 'the file' if name in theirs else 'the model'
      raise ValueError(
        f'{path}: the variable {name!r} is in {where} only. {_HEADS_DIFFER}'
      )
  for name, variable in ours.items():
    if name not in values:
      continue
    value = structure.from_structural(
      name, variable.name, variable.shape, values[name]
    )
    if value.shape != tuple(variable.shape):
      width = (
        f'Embeddings are {value.shape[-1]} wide there: set task.model.head.'
        f'embedding_dim to {value.shape[-1]}, or task.init_checkpoint_modules '
        "to 'backbone' to train another head."
      )
      raise ValueError(
        f'{path}: the variable {name!r} has shape {value.shape}, and '
        f'{tuple(variable.shape)} in the model. '
        + (width if name.startswith('grw_embedding/') else _HEADS_DIFFER)
      )
    found[name] = (variable, value)
  return found


def _part(name: str) -> str:
  return name.split('/')[0]


def is_recognized(model: tf_keras.Model) -> bool:
  """Whether the model, or its backbone, is one that is read by name."""
  return _architecture(model) is not None


def _architecture(model: tf_keras.Model) -> architecture.Architecture | None:
  return architecture.identify(
    {
      name: structure.structural_shape(name, variable.name, variable.shape)
      for name, variable in named_variables(model)
      if name
    }
  )


def assign(
  model: tf_keras.Model,
  weights: source.PublishedWeights,
  modules: str = 'backbone',
) -> Report:
  """Assigns variables by structural name, once all of them are known to fit.

  Args:
    model: a MoViNet, a Video-FocalNet or a PosMLP-Video, or a model with one
      as its `backbone`.
    weights: see `source.read`.  Those of a FocalNet for images become the
      spatial part of a Video-FocalNet.
    modules: 'backbone', 'all' for the head too, or 'all_but_classifier' for
      what of the head does not depend on the classes (see `match_head`); of a
      model of images, always 'backbone'.

  Returns:
    What was assigned, and what was not.

  Raises:
    ValueError: a variable of the backbone is not in the file, or the other way
      around, or shapes differ, or two variables have one name; names them and
      what is the likely cause.  Nothing has been assigned then.
  """
  if modules not in MODULES:
    raise ValueError(f'modules={modules!r}: expected one of {MODULES}.')
  ours = _architecture(model)
  if ours is None:
    raise ValueError(
      f'{weights.path} holds {weights.architecture}, and the backbone of '
      'the model is none that is read by name.'
    )
  _check_backbones(weights, ours)
  if weights.architecture.images:
    modules = 'backbone'
  backbone = getattr(model, 'backbone', model)
  named = named_variables(model)
  counts = collections.Counter(name for name, _ in named if name)
  repeated = [name for name, count in counts.items() if count > 1]
  if repeated:  # A name would not tell which value is whose.
    raise ValueError(
      f'The model has {counts[repeated[0]]} variables that are all '
      f'{repeated[0]!r}, and cannot be read by name.'
    )

  values: list[tuple[tf.Variable, np.ndarray]] = []
  matched: set[str] = set()
  initial: list[str] = []
  head = (
    match_head(model, weights.values, weights.path)
    if modules == 'all_but_classifier'
    else {}
  )
  for name, variable in named:
    in_backbone = structure.in_backbone(name)
    if name in head:
      values.append(head[name])
      matched.add(name)
      continue
    if name not in weights.values or (modules != 'all' and not in_backbone):
      if in_backbone and not (
        weights.architecture.images and structure.in_temporal_branch(name)
      ):
        raise _unfit(weights, ours, variable.name, tuple(variable.shape), None)
      initial.append(variable.name)
      continue
    value = weights.values[name]
    if (
      weights.architecture.images
      and name == 'patch_embed/proj/kernel'
      and (len(variable.shape) > value.ndim)
    ):
      # A tubelet of one image then gives what the image gives.
      frames = variable.shape[0]
      value = np.repeat(value[np.newaxis] / frames, frames, axis=0)
    value = structure.from_structural(
      name, variable.name, variable.shape, value
    )
    if tuple(value.shape) != tuple(variable.shape):
      raise _unfit(
        weights, ours, variable.name, tuple(variable.shape), tuple(value.shape)
      )
    values.append((variable, value))
    matched.add(name)

  unused = sorted(set(weights.values) - matched)
  homeless = [name for name in unused if structure.in_backbone(name)]
  if homeless:
    raise ValueError(
      f'{weights.path} holds {weights.architecture}; its backbone variable '
      f'{homeless[0]!r} {weights.values[homeless[0]].shape} and '
      f'{len(homeless) - 1} more have no place in the model, {ours}. '
      f'{_likely_cause(weights.architecture, ours, homeless[0])}'
    )

  for variable, value in values:
    variable.assign(value)
  movinet = (
    {}
    if ours.family != 'movinet'
    else {
      'conv_type': backbone.conv_type,
      'activation': str(backbone.get_config().get('activation', '')),
      'gating_activation': gating_activation(backbone),
    }
  )
  return Report(
    weights=weights,
    modules=modules,
    model=ours,
    matched=tuple(variable.name for variable, _ in values),
    initial=tuple(initial),
    unused=tuple(unused),
    **movinet,
  )


def gating_activation(backbone: tf_keras.Model) -> str:
  """The activation of the first gate, by its name in the config, or 'none'."""
  for layer in backbone.submodules:
    if layer.name.split('/')[-1] == 'se_expand':
      return str(layer.get_config()['activation'])
  return 'none'


def _check_backbones(
  weights: source.PublishedWeights, ours: architecture.Architecture
):
  """Raises for backbones that cannot match, before variables are compared."""
  theirs = weights.architecture
  held = f'{weights.path} holds {theirs}, and the model is {ours}'
  if theirs.family != ours.family:
    raise ValueError(
      f'{held}: set task.model.backbone.type to {theirs.family!r}.'
    )
  differing = [
    name
    for name, value in theirs.settings.items()
    if ours.settings[name] != value
    and not (theirs.images and name == 'tubelet_size')
  ]
  if differing:
    raise ValueError(
      f'{held}: '
      + ', '.join(
        f'{name} is {theirs.settings[name]} there and '
        f'{ours.settings[name]} here'
        for name in differing
      )
      + f'. Set {_remedy(theirs, differing)}.'
    )
  if theirs.factorized != ours.factorized:
    have, want = (
      ('factorized', 'whole') if theirs.factorized else ('whole', 'factorized')
    )
    raise ValueError(
      f'{weights.path} holds {theirs}, whose 3D kernels are {have}; those of '
      f'the model are {want}, and neither can be made of the other. Set '
      'task.model.backbone.movinet.conv_type to '
      + ("'2plus1d' or '3d_2plus1d'." if theirs.factorized else "'3d'.")
    )


def _remedy(theirs: architecture.Architecture, differing: list[str]) -> str:
  """What of the config makes the `differing` settings those of the file."""
  setting = f'task.model.backbone.{theirs.family}'
  implied = families.FAMILIES[theirs.family].variants.get(theirs.model_id, {})
  of_variant = [name for name in differing if name in implied]
  parts = [
    f'{setting}.{name} to {theirs.settings[name]}'
    for name in differing
    if name not in of_variant
  ]
  if of_variant:
    parts.insert(
      0,
      f'{setting}.variant to {theirs.model_id!r}, which has '
      f'these {" and ".join(of_variant)}',
    )
  return ', '.join(parts)


def _unfit(
  weights: source.PublishedWeights,
  ours: architecture.Architecture,
  name: str,
  shape: tuple[int, ...],
  found: tuple[int, ...] | None,
) -> ValueError:
  what = (
    f'has shape {found} there' if found is not None else 'is not in the file'
  )
  return ValueError(
    f'{weights.path} holds {weights.architecture}, and the model is {ours}: '
    f'the variable {name!r} of the model, of shape {shape}, {what}. '
    f'{_likely_cause(weights.architecture, ours, name)}'
  )


def _likely_cause(
  theirs: architecture.Architecture, ours: architecture.Architecture, name: str
) -> str:
  setting = 'task.model.backbone.movinet'
  in_head = name.startswith(('grw_', 'classifier_head'))
  if in_head:
    if theirs.num_classes != ours.num_classes and 'classifier/' in name:
      return (
        f'The file is for {theirs.num_classes} classes and the model for '
        f'{ours.num_classes}: set task.init_checkpoint_modules to '
        "'all_but_classifier'."
      )
    return _HEADS_DIFFER
  if theirs.images:
    return (
      'Video-FocalNets have two focal levels: of the FocalNets for '
      'images take one with small receptive fields (SRF).'
    )
  if theirs.model_id != ours.model_id:
    return (
      f'The model id differs: set {setting}.model_id to {theirs.model_id!r}.'
      if theirs.model_id
      else 'The file is of a model id that is not registered in BLOCK_SPECS.'
    )
  if theirs.stream != ours.stream:
    wanted = 'streaming' if theirs.stream else 'base'
    causal, se_type = ('true', '2plus3d') if theirs.stream else ('false', '3d')
    return (
      f'The file is of a {wanted} model: set {setting}.causal to '
      f'{causal} and {setting}.se_type to {se_type}.'
    )
  if theirs.positional_encoding != ours.positional_encoding:
    return (
      f'Set {setting}.use_positional_encoding to '
      f'{str(theirs.positional_encoding).lower()}.'
    )
  return 'The file may be incomplete, or the model changed since it was saved.'
