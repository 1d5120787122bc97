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

"""AdamW with two learning rates: one for the backbone, one after it.

The paper fine-tunes a pretrained backbone at a tenth of the learning rate of
what follows it (Goldman et al., arXiv 2511.20928): cosine 1e-4 to 1e-6 for the
backbone, 1e-3 to 1e-5 for everything after.
"""

from collections.abc import Iterable, Sequence
import json
import re
from typing import Any

from absl import logging
from official.modeling.optimization import optimizer_factory
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import scaled_adamw


def _plain_name(variable: tf.Variable) -> str:
  """Returns the variable's name without its output number (`:0`)."""
  return variable.name.split(':')[0]


def _names(variables: Sequence[tf.Variable]) -> str:
  """Returns the first and the last names, on one line."""
  names = [_plain_name(v) for v in variables]
  if len(names) > 4:
    names = names[:2] + ['...'] + names[-2:]
  return ', '.join(names)


def _found(
  exclusions: Iterable[str], variables: Sequence[tf.Variable]
) -> list[tf.Variable]:
  """Returns the variables in whose names an exclusion is found."""
  found = []
  for pattern in exclusions:
    matches = [v for v in variables if re.search(pattern, _plain_name(v))]
    if not matches:
      raise ValueError(
        f'two_rate_adamw.exclude_from_weight_decay {pattern!r} is found in '
        f'none of the trained variables ({_names(variables)}).'
      )
    found.extend(matches)
  return found


def validate_groups(
  backbone_lr_scale: float,
  head_pattern: str,
  exclude_from_weight_decay: Iterable[str] | None = None,
) -> None:
  """Raises ValueError for a scale or a pattern that cannot be used.

  Args:
    backbone_lr_scale: see `TwoRateAdamW`.
    head_pattern: see `TwoRateAdamW`.
    exclude_from_weight_decay: see `TwoRateAdamW`.

  Raises:
    ValueError: if the scale is not a finite number >= 0, a pattern is empty or
      not a regular expression, or the exclusions are not a list.
  """
  if (
    isinstance(backbone_lr_scale, bool)
    or not isinstance(backbone_lr_scale, (int, float))
    or not 0.0 <= backbone_lr_scale < float('inf')
  ):
    raise ValueError(
      'two_rate_adamw.backbone_lr_scale must be a finite number >= 0 (0.1 '
      'trains the backbone at a tenth of the learning rate), not '
      f'{backbone_lr_scale!r}.'
    )
  exclusions = exclude_from_weight_decay or ()
  if not isinstance(exclusions, Iterable) or isinstance(exclusions, str):
    raise ValueError(
      'two_rate_adamw.exclude_from_weight_decay must be a list of regular '
      f'expressions, not {exclusions!r}: write [{exclusions!r}].'
    )
  patterns = [('head_pattern', head_pattern)]
  for pattern in exclusions:
    patterns.append(('exclude_from_weight_decay', pattern))
  for field, pattern in patterns:
    if not isinstance(pattern, str) or not pattern:
      raise ValueError(
        f'two_rate_adamw.{field} must be a regular expression that variable '
        f'names are searched for, not {pattern!r}.'
      )
    try:
      re.compile(pattern)
    except re.error as e:
      raise ValueError(
        f'two_rate_adamw.{field} is not a regular expression: {pattern!r} '
        f'({e}).'
      ) from e


class _SlotOrder(scaled_adamw.CheckpointedNames):
  """The trained variables, in the order in which their slots are stored.

  Keras stores an optimizer's slots by position. Were a checkpoint restored
  with other variables trained (part of the model frozen, say), moments would
  silently go to the wrong variables wherever shapes happen to agree. This
  saves the names with the slots and refuses such a checkpoint.
  """

  def __init__(self) -> None:
    self._trained: list[str] | None = None
    self._restored: list[str] | None = None

  def set_trained(self, variables: Sequence[tf.Variable]) -> None:
    """Records the trained variables and compares them with a restored order."""
    # Layers that Keras names itself are numbered by how many the process has
    # made ('conv2d_7'), which a second process need not repeat.
    self._trained = [
      re.sub(r'_\d+(?=/|$)', '', _plain_name(v)) + str(list(v.shape))
      for v in variables
    ]
    self._compare()

  def serialize(self) -> str:
    return json.dumps(self._trained or [])

  def deserialize(self, string_value: bytes) -> None:
    # Empty when the checkpoint was saved before the first step: no slots.
    self._restored = json.loads(string_value) or None
    self._compare()

  def _compare(self) -> None:
    if self._trained is None or self._restored is None:
      return
    if self._trained == self._restored:
      return
    added = [n for n in self._trained if n not in self._restored]
    missing = [n for n in self._restored if n not in self._trained]
    raise ValueError(
      'The optimizer of the restored checkpoint was trained on other '
      f'variables: {len(self._restored)} there, {len(self._trained)} here; '
      f'only in the checkpoint: {missing[:3]}; only here: {added[:3]}. Its '
      'moments are stored by position and would go to the wrong variables. '
      'Resume with the same model and the same frozen part, or start in a '
      'new model_dir with task.init_checkpoint set to this checkpoint.'
    )


@tf_keras.utils.register_keras_serializable(package='grw')
class TwoRateAdamW(scaled_adamw.ScaledAdamW):
  """AdamW whose backbone variables take a fraction of the learning rate.

  The learning rate, number or schedule, is that of every variable whose name
  `head_pattern` is found in (the head: everything after the backbone). Every
  other variable is of the backbone, and its learning rate is
  `backbone_lr_scale` times it, in the update and in the decoupled weight decay
  alike. The result is that of two AdamW, one per group, except that gradients
  are clipped by the norm over both groups where `global_clipnorm` is set.

  `learning_rate`, read from outside (the trainer logs it), is the head's.

  Example:
  ```python
  optimizer = TwoRateAdamW(
      learning_rate=tf_keras.optimizers.schedules.CosineDecay(
          1e-3, decay_steps=10_000, alpha=0.01),
      weight_decay=0.01)
  model.compile(optimizer, loss=...)
  ```
  """

  def __init__(
    self,
    learning_rate: Any = 1e-3,
    weight_decay: float = 0.004,
    backbone_lr_scale: float = 0.1,
    head_pattern: str = '^grw_',
    exclude_from_weight_decay: Sequence[str] | None = None,
    name: str = 'TwoRateAdamW',
    **kwargs: Any,
  ):
    """Initializes the optimizer.

    Args:
      learning_rate: the rate of the head; a number, schedule or callable.
      weight_decay: per step, each variable shrinks by this times its own
        learning rate, as in `AdamW`.
      backbone_lr_scale: the backbone's learning rate as a fraction of the
        head's; 0 leaves the backbone as it is.
      head_pattern: regular expression searched for in variable names; what it
        is found in belongs to the head.
      exclude_from_weight_decay: regular expressions; variables in whose names
        one is found do not decay. None decays all.
      name: the name of the optimizer.
      **kwargs: `beta_1`, `beta_2`, `epsilon`, `amsgrad`, `global_clipnorm` and
        the other arguments of `AdamW`.

    Raises:
      ValueError: if the scale or a pattern cannot be used.
    """
    validate_groups(backbone_lr_scale, head_pattern, exclude_from_weight_decay)
    super().__init__(
      learning_rate=learning_rate,
      weight_decay=weight_decay,
      name=name,
      **kwargs,
    )
    self._backbone_lr_scale = backbone_lr_scale
    self._head_pattern = head_pattern
    self._weight_decay_exclusions = exclude_from_weight_decay
    self._head_keys: frozenset[str] = frozenset()
    self._slot_order = _SlotOrder()

  def build(self, var_list: Sequence[tf.Variable]) -> None:
    """Sorts the variables into the two groups and creates the slots.

    Args:
      var_list: all trained variables.

    Raises:
      ValueError: if no variable belongs to the head, an exclusion from weight
        decay matches nothing, or a checkpoint of other variables was restored.
    """
    if not self.is_built:
      self._build_groups(var_list)
    super().build(var_list)

  def _build_groups(self, var_list: Sequence[tf.Variable]) -> None:
    """Decides, and prints, what each group holds."""
    head: list[tf.Variable] = []
    backbone: list[tf.Variable] = []
    for variable in var_list:
      found = re.search(self._head_pattern, _plain_name(variable))
      (head if found else backbone).append(variable)
    if not head:
      raise ValueError(
        f'two_rate_adamw.head_pattern {self._head_pattern!r} is found in '
        f'none of the {len(backbone)} trained variables '
        f'({_names(backbone)}): all would take the learning rate of the '
        'backbone. Set the pattern to the names of the layers after it.'
      )
    exclusions = self._weight_decay_exclusions
    if exclusions is not None:
      self.exclude_from_weight_decay(var_list=_found(exclusions, var_list))
    self._slot_order.set_trained(var_list)
    # Keys, and not names, because the copies of a variable on other replicas
    # have other names.
    self._head_keys = frozenset(self.key_of(v) for v in head)

    lines = [f'{self.name}: {len(var_list)} trained variables in two groups']
    for group, scale, variables in (
      ('backbone', self._backbone_lr_scale, backbone),
      ('head', 1.0, head),
    ):
      size = sum(v.shape.num_elements() for v in variables)
      lines.append(
        f'  {group:8s} learning rate x {scale:<6g} {len(variables):4d} '
        f'variables, {size:,} parameters: {_names(variables) or "(none)"}'
      )
      for variable in variables:
        logging.vlog(1, '%s: %s %s', group, variable.name, variable.shape)
    if not backbone:
      lines.append('  The backbone is frozen: only the head trains.')
    logging.info('%s', '\n'.join(lines))

  def scale_of(self, variable: tf.Variable) -> float:
    """The factor of the learning rate of a variable's group."""
    is_head = self.key_of(variable) in self._head_keys
    return 1.0 if is_head else self._backbone_lr_scale

  def get_config(self) -> dict[str, Any]:
    config = super().get_config()
    exclusions = self._weight_decay_exclusions
    config.update(
      {
        'backbone_lr_scale': self._backbone_lr_scale,
        'head_pattern': self._head_pattern,
        'exclude_from_weight_decay': (
          None if exclusions is None else list(exclusions)
        ),
      }
    )
    return config


optimizer_factory.register_optimizer_cls('two_rate_adamw', TwoRateAdamW)
