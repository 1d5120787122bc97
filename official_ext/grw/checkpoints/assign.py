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
from collections.abc import Iterable, Mapping
import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.checkpoints import architecture
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import structural_names

MODULES = ('backbone', 'all_but_classifier', 'all')

_HEADS_DIFFER = (
  'The heads differ: set task.init_checkpoint_modules to '
  "'backbone', or task.model.head to what the file holds."
)

_MOST_LISTED = 8


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
    notes: lines that are printed as they are.
    details: what the family says of the model, by heading.
    initial_parts: parts that the file need not have, with the number of the
      initial variables in each.
  """

  weights: published.PublishedWeights
  modules: str
  model: architecture.Architecture
  matched: tuple[str, ...]
  initial: tuple[str, ...]
  unused: tuple[str, ...]
  notes: tuple[str, ...] = ()
  details: Mapping[str, str] = dataclasses.field(default_factory=dict)
  initial_parts: Mapping[str, int] = dataclasses.field(default_factory=dict)

  def __str__(self):
    lines = {
      'source': f'{self.weights.description}, {self.weights.path}',
      'weights': _weights(self.weights),
      'holds': self.weights.architecture,
      'model': self.model,
      **self.details,
      'modules': self.modules,
      'matched': f'{len(self.matched)} variables',
    }
    weights = families.named(self.model.family).weights
    listed = tuple(
      name
      for name in self.initial
      if not (self.initial_parts and weights and weights.optional_part(name))
    )
    return '\n'.join(
      [
        *(f'{heading + ":":<12} {line}' for heading, line in lines.items()),
        *(
          f'initial:     {count} left at their initial value in {part}'
          for part, count in self.initial_parts.items()
        ),
        _listed('initial:     ', 'left at their initial value', listed),
        f"unused:      {len(self.unused)} of the file's head"
        if self.modules == 'backbone'
        else _listed('unused:      ', 'in the file only', self.unused),
        *self.notes,
      ]
    )


def _weights(weights: published.PublishedWeights) -> str:
  if weights.weights == 'ema':
    return 'exponential moving average'
  return 'as trained' + (
    ' (the file also holds their moving average)' if weights.has_average else ''
  )


def _listed(title: str, what: str, names: tuple[str, ...]) -> str:
  """Names, each on a line; of many, how many each layer has."""
  shown: Iterable[str] = names
  if len(names) > _MOST_LISTED:
    layers = collections.Counter(name.split('/')[0] for name in names)
    shown = (f'{layer}: {count}' for layer, count in layers.items())
  return f'{title}{len(names) or "none"} {what}' + ''.join(
    f'\n               {line}' for line in shown
  )


def named_variables(model: tf_keras.Model) -> list[tuple[str, tf.Variable]]:
  """(structural name, variable) for each variable of `model`.

  The name is '' for variables of neither a backbone that is read by name nor
  one of our heads.
  """
  backbone = getattr(model, 'backbone', model)
  # Some names say nothing of the place, which is the layer that holds them.
  placed = {
    id(variable): f'{layer.name}/{suffix}'
    for layer in backbone.layers
    for variable in layer.variables
    if (suffix := structural_names.bare_suffix(variable.name))
  }
  return [
    (
      placed.get(id(variable))
      or structural_names.structural_name(variable.name, variable.shape)
      or '',
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
    ) and not structural_names.in_classifier(name)

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
    value = structural_names.from_structural(
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
      name: structural_names.structural_shape(
        name, variable.name, variable.shape
      )
      for name, variable in named_variables(model)
      if name
    }
  )


def assign(
  model: tf_keras.Model,
  weights: published.PublishedWeights,
  modules: str = 'backbone',
) -> Report:
  """Assigns variables by structural name, once all of them are known to fit.

  Args:
    model: a backbone of a family that is read by name, or a model with one as
      its `backbone`.
    weights: see `source.read`.  Those of images may have less than the model of
      videos, whose remaining variables keep their values.
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
  theirs, ours = weights.architecture, _architecture(model)
  if ours is None:
    raise ValueError(
      f'{weights.path} holds {theirs}, and the backbone of the model is none '
      'that is read by name.'
    )
  held = f'{weights.path} holds {theirs}, and the model is {ours}'
  if theirs.family != ours.family:
    raise ValueError(
      f'{held}: set task.model.backbone.type to {theirs.family!r}.'
    )
  family = families.named(ours.family)
  of_family = family.weights
  assert of_family is not None  # By which the model was identified.
  of_family.check(theirs.backbone, ours.backbone, held)
  if theirs.backbone.of_images:
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
  parts: collections.Counter[str] = collections.Counter()
  head = (
    match_head(model, weights.values, weights.path)
    if modules == 'all_but_classifier'
    else {}
  )
  for name, variable in named:
    in_backbone = structural_names.in_backbone(name)
    if name in head:
      values.append(head[name])
      matched.add(name)
      continue
    if name not in weights.values or (modules != 'all' and not in_backbone):
      if in_backbone:
        if not of_family.may_lack(theirs.backbone, name):
          raise _unfit(weights, ours, variable, None)
        parts[of_family.optional_part(name)] += 1
      initial.append(variable.name)
      continue
    value = weights.values[name]
    if in_backbone:
      value = of_family.fitted(
        theirs.backbone, name, tuple(variable.shape), value
      )
    value = structural_names.from_structural(
      name, variable.name, variable.shape, value
    )
    if tuple(value.shape) != tuple(variable.shape):
      raise _unfit(weights, ours, variable, tuple(value.shape))
    values.append((variable, value))
    matched.add(name)

  unused = sorted(set(weights.values) - matched)
  homeless = [name for name in unused if structural_names.in_backbone(name)]
  if homeless:
    raise ValueError(
      f'{weights.path} holds {theirs}; its backbone variable '
      f'{homeless[0]!r} {weights.values[homeless[0]].shape} and '
      f'{len(homeless) - 1} more have no place in the model, {ours}. '
      f'{_likely_cause(theirs, ours, homeless[0])}'
    )

  for variable, value in values:
    variable.assign(value)
  return Report(
    weights=weights,
    modules=modules,
    model=ours,
    matched=tuple(variable.name for variable, _ in values),
    initial=tuple(initial),
    unused=tuple(unused),
    details=family.describe(backbone),
    initial_parts=parts,
  )


def _unfit(
  weights: published.PublishedWeights,
  ours: architecture.Architecture,
  variable: tf.Variable,
  found: tuple[int, ...] | None,
) -> ValueError:
  what = (
    f'has shape {found} there' if found is not None else 'is not in the file'
  )
  return ValueError(
    f'{weights.path} holds {weights.architecture}, and the model is {ours}: '
    f'the variable {variable.name!r} of the model, of shape '
    f'{tuple(variable.shape)}, {what}. '
    f'{_likely_cause(weights.architecture, ours, variable.name)}'
  )


def _likely_cause(
  theirs: architecture.Architecture, ours: architecture.Architecture, name: str
) -> str:
  if name.startswith(('grw_', 'classifier_head')):
    if theirs.num_classes != ours.num_classes and 'classifier/' in name:
      return (
        f'The file is for {theirs.num_classes} classes and the model for '
        f'{ours.num_classes}: set task.init_checkpoint_modules to '
        "'all_but_classifier'."
      )
    return _HEADS_DIFFER
  weights = families.named(ours.family).weights
  assert weights is not None
  return weights.likely_cause(theirs.backbone, ours.backbone)
