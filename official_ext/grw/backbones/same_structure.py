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

"""Pairs what two builds of one network have in common, by its structure.

Names of variables do not tell: all 33 positional scales of a MoViNet-A3 are
called 'scale:0', and Keras numbers layers without a name of their own by how
many a process has built before.  Nor does order, of which nothing says that it
is the same.  The graph of objects that checkpoints are restored by does.
"""

import re

import tensorflow as tf
import tf_keras

# All layers are counted under the first name and those with variables under
# the second as well; a network with states has more of the others.
_ANY_LAYER = re.compile(r'layer-\d+')
_LAYER_WITH_VARIABLES = re.compile(r'layer_with_weights-\d+')


def paired_variables(
  source: tf_keras.Model, target: tf_keras.Model, same_shapes: bool = True
) -> list[tuple[tf.Variable, tf.Variable]]:
  """Each variable of `source` with the one at its place in `target`.

  Args:
    source: a functional model.
    target: one of the same layers that have variables; other layers, such as
      inputs for states, may differ.
    same_shapes: whether variables of a place must have one shape.

  Raises:
    ValueError: a variable has no counterpart, or more than one, or its
      counterpart has another shape; says which.
  """
  places = _places(source, target)
  pairs, used = [], set()
  for variable in source.variables:
    other, path = places.get(id(variable), (None, 'no place'))
    if (
      other is None
      or id(other) in used
      or (same_shapes and other.shape != variable.shape)
    ):
      raise _differ(
        source,
        target,
        f'{variable.name!r} {variable.shape} is at {path} of the first and '
        + (
          'the second has none'
          if other is None
          else f'{other.name!r} {other.shape} of the second'
        ),
      )
    used.add(id(other))
    pairs.append((variable, other))
  left = [other for other in target.variables if id(other) not in used]
  if left:
    raise _differ(source, target, f'{left[0].name!r} is in the second alone')
  return pairs


def paired_layers(
  source: tf_keras.Model, target: tf_keras.Model
) -> list[tuple[tf_keras.layers.Layer, tf_keras.layers.Layer]]:
  """Each layer of `source` that has variables, with that of `target`.

  Args, Raises: as of `paired_variables`.
  """
  paired_variables(source, target)
  ours, theirs = map(_children, (source, target))
  return [
    (layer, theirs[name])
    for name, layer in ours.items()
    if _LAYER_WITH_VARIABLES.fullmatch(name)
  ]


def copy_weights(source: tf_keras.Model, target: tf_keras.Model):
  """Gives each variable of `target` the value of its place in `source`.

  Args, Raises: as of `paired_variables`; nothing has been assigned then.
  """
  for value, variable in paired_variables(source, target):
    variable.assign(value)


def _children(trackable) -> dict:
  children = tf.train.TrackableView(trackable).children(trackable)
  return {
    name: child
    for name, child in children.items()
    if not _ANY_LAYER.fullmatch(name)
  }


def _places(source, target) -> dict[int, tuple[tf.Variable, str]]:
  """By id of a variable below `source`, that of `target`, and where it is."""
  found: dict[int, tuple[tf.Variable, str]] = {}
  queue, seen = [(source, target, '')], {(id(source), id(target))}
  while queue:
    ours, theirs, path = queue.pop()
    if isinstance(ours, tf.Variable):
      other, before = found.setdefault(id(ours), (theirs, path))
      if other is not theirs:
        raise ValueError(
          f'{ours.name!r} is at {before} and at {path} of {source.name}, '
          f'where {target.name} has two variables.'
        )
      continue
    others = _children(theirs)
    for name, child in _children(ours).items():
      other = others.get(name)
      if type(other) is not type(child) or (id(child), id(other)) in seen:
        continue
      if (
        isinstance(child, tf_keras.layers.Layer)
        and isinstance(other, tf_keras.layers.Layer)
        and _unnumbered(child.name) != _unnumbered(other.name)
      ):
        raise _differ(
          source, target, f'{path}/{name} is {child.name} and {other.name}'
        )
      seen.add((id(child), id(other)))
      queue.append((child, other, f'{path}/{name}'))
  return found


def _unnumbered(name: str) -> str:
  """The name of a layer without the number that Keras may have added."""
  return re.sub(r'_\d+$', '', name)


def _differ(source, target, how: str) -> ValueError:
  return ValueError(
    f'{source.name} and {target.name} are not of the same layers: {how}.'
  )
