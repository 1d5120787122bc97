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

"""Families that are a few numbers, and keep PyTorch's names of variables.

The variables bear everywhere the names of the published PyTorch modules, with
'/' for '.'.  Only their kernels differ: a dense layer may stand for a
convolution of extent 1, and one over time for one over time and space.  The
layout of structural names is [extents above 1, ..., in, out].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import re
from types import MappingProxyType
from typing import Any, TYPE_CHECKING

import numpy as np
from official.core import exp_factory

from official_ext.grw.backbones import family
from official_ext.grw.backbones import weights
from official_ext.grw.checkpoints import names

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

# Entries of state dicts that are no weights.
CONSTANTS = ('.num_batches_tracked', '.window_relative_position_index')


class TorchNames(names.Names):
  """Names of PyTorch modules, with kernels of any of Keras's layouts."""

  def structural(
    self, parts: Sequence[str], shape: Sequence[int]
  ) -> str | None:
    parts = [*parts[:-1], re.sub('^depthwise_', '', parts[-1])]
    return super().structural(parts, shape)

  def to_structural(
    self, structural: str, name: str, value: np.ndarray
  ) -> np.ndarray:
    if not structural.endswith('/kernel') or value.ndim < 2:
      return value
    if value.shape[-1] == 1:  # Depthwise, [.., channels, 1].
      value = np.swapaxes(value, -1, -2)
    extents = [n for n in value.shape[:-2] if n > 1]
    return value.reshape(*extents, *value.shape[-2:])

  def from_structural(
    self, structural: str, name: str, shape: Sequence[int], value: np.ndarray
  ) -> np.ndarray:
    shape = tuple(shape)
    empty = np.broadcast_to(np.float32(0), shape)
    if self.to_structural(structural, name, empty).shape != value.shape:
      return value
    if structural.endswith('/kernel') and shape[-1] == 1:
      value = np.swapaxes(value, -1, -2)
    return value.reshape(shape)


@dataclasses.dataclass(frozen=True)
class FoundVariant(weights.Found):
  """The numbers of a backbone.

  Attributes:
    title: the title of the family.
    settings: what shapes tell of its configuration, by field.
    implied: those of them for which the variant's name stands.
    usual: the fields of those that every variant has, and that are not said.
  """

  title: str
  settings: Mapping[str, Any]
  implied: Mapping[str, Any]
  usual: frozenset[str] = frozenset()

  def __str__(self):
    variant = f'-{self.model_id.upper()}' if self.model_id else ' of no variant'
    numbers = ', '.join(
      f'{field} {value}' for field, value in self._told().items()
    )
    return self._named(variant) + (f' ({numbers})' if numbers else '')

  def _named(self, variant: str) -> str:
    return self.title + variant

  def _told(self) -> dict[str, Any]:
    """The settings for which neither the variant nor its family stands."""
    return {
      name: value
      for name, value in self.settings.items()
      if name not in self.implied and name not in self.usual
    }

  def overrides(self) -> dict[str, Any]:
    """The fields of the configuration that make it this backbone."""
    fields = self._told()
    return {**fields, 'variant': self.model_id} if self.model_id else fields


def variant_of(
  settings: Mapping[str, Any], variants: Mapping[str, Mapping[str, Any]]
) -> tuple[str, Mapping[str, Any]]:
  """The name of the variant that has these settings, and what it implies."""
  for name, numbers in variants.items():
    if numbers.items() <= settings.items():
      return name, numbers
  return '', MappingProxyType({})


def by_stage(
  shapes: weights.Shapes, pattern: str
) -> list[list[tuple[int, ...]]]:
  """In each stage, which `pattern` captures, the shapes of one variable."""
  stages: dict[int, list[tuple[int, ...]]] = {}
  for name, shape in shapes.items():
    if match := re.fullmatch(pattern, name):
      stages.setdefault(int(match[1]), []).append(shape)
  return [stages[stage] for stage in sorted(stages)]


class VariantWeights(weights.Weights):
  """Weights whose shapes tell a few numbers.

  Attributes:
    field: the configuration, for messages.
  """

  field: str

  def translated(self, state: weights.State) -> dict[str, np.ndarray]:
    """A state dict under structural names; a linear head may be in it.

    Raises:
      ValueError: an entry that belongs to no such model.
    """
    return names.translated(
      (key, self._entry(key, value))
      for key, value in state.items()
      if not key.endswith(CONSTANTS)
    )

  def _entry(self, key: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    *module, leaf = key.split('.')
    if module == ['head']:
      module = ['grw_linear_head', 'classifier']
    norm = re.search(r'(^|\.)norm\d?\.\w+$', key)
    leaves = names.TORCH_NORM if norm else names.TORCH_DENSE
    name = '/'.join([*module, leaves.get(leaf, leaf)])
    if not (self.owns(name) or name.startswith('grw_linear_head/')):
      raise ValueError(
        f'The state dict has an entry {key!r} {tuple(value.shape)} that '
        f'belongs to no {self.title}.'
      )
    if value.ndim >= 2 and name.endswith('/kernel'):
      value = np.moveaxis(value, (0, 1), (-1, -2))  # From [out, in, ..].
    return name, self.names.to_structural(name, name, value)

  def may_differ(self, theirs: FoundVariant, field: str) -> bool:
    """Whether a field of the model need not be that of the file."""
    del theirs, field
    return False

  def check(self, theirs: FoundVariant, ours: FoundVariant, held: str):
    differing = [
      name
      for name, value in theirs.settings.items()
      if ours.settings[name] != value and not self.may_differ(theirs, name)
    ]
    if differing:
      raise ValueError(
        f'{held}: '
        + ', '.join(
          f'{name} is {theirs.settings[name]} there and '
          f'{ours.settings[name]} here'
          for name in differing
        )
        + f'. Set {self._remedy(theirs, differing)}.'
      )

  def _remedy(self, theirs: FoundVariant, differing: Sequence[str]) -> str:
    """What of the config makes the `differing` settings those of the file."""
    of_variant = [name for name in differing if name in theirs.implied]
    parts = [
      f'{self.field}.{name} to {theirs.settings[name]}'
      for name in differing
      if name not in of_variant
    ]
    if of_variant:
      parts.insert(
        0,
        f'{self.field}.variant to {theirs.model_id!r}, which has '
        f'these {" and ".join(of_variant)}',
      )
    return ', '.join(parts)


class VariantFamily(family.Family):
  """A family whose configurations are those of `FoundVariant`.

  They check clips, and have a mean and a deviation of the channels.

  Attributes:
    experiments: the names of the published one, without and with
      GRW-smoothing.
  """

  experiments: tuple[str, str]

  def check_clip(self, config: Any, shape: Sequence[int | None], field: str):
    config.check_clip(shape, field)

  def normalizes(self, config: Any) -> bool:
    return bool(config.mean or config.stddev)

  def model_config(self, found: FoundVariant) -> schema.GrwModel:
    self.register_experiments()
    model = exp_factory.get_exp_config(self.experiments[0]).task.model
    model.backbone.get().override(found.overrides())
    return model

  def experiment(self, smoothed: bool, num_classes: int) -> str:
    return self.experiments[smoothed]
