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

"""The configuration of a backbone, whichever family it is of."""

from collections.abc import Mapping
from typing import Any

from official.modeling import hyperparams
from official.projects.movinet.configs import movinet

from official_ext.grw.backbones import families


class Backbone3D(movinet.Backbone3D):
  """One of the Model Garden's video backbones or of the registered families.

  It has the Model Garden's fields, and for each family with a `config_class` a
  field that bears its name.
  """

  @classmethod
  def registered_fields(cls) -> Mapping[str, type[hyperparams.Config]]:
    """The classes of the fields of families, by name."""
    return {
      family.name: family.config_class
      for family in families.registered()
      if family.config_class is not None
    }

  def __init__(
    self,
    default_params: Mapping[str, Any] | None = None,
    restrictions: list[str] | None = None,
    **configs: Any,
  ):
    """Sets the fields.

    Args:
      default_params: overrides, as of every configuration.
      restrictions: as of every configuration.
      **configs: `type`, and configurations by the names of their families.
    """
    own = {
      name: configs.pop(name, None) or config_class()
      for name, config_class in self.registered_fields().items()
    }
    super().__init__(restrictions=restrictions, **configs)
    for name, config in own.items():
      setattr(self, name, config)
    if default_params:
      self.override(default_params, is_strict=False)
