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
"""The Model Garden's flags of an experiment, as several commands take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags
from official.common import flags as tfm_flags

from official_ext.grw.configs import published

if TYPE_CHECKING:
  from official.core import config_definitions as cfg


def define():
  """Defines --experiment, --config_file, --params_override and the rest."""
  tfm_flags.define_flags()


def find_config_files():
  """Lets --config_file name the published files.

  Raises:
    ValueError: there is no such file.
  """
  flags.FLAGS.config_file = [
    published.find(path) for path in flags.FLAGS.config_file or []
  ]


def parse(validate: bool = True) -> cfg.ExperimentConfig:
  """The experiment that the flags describe.

  Args:
    validate: whether to raise what `ExperimentConfig.validate` does.

  Raises:
    Exception: any kind; the flags or the files they name are wrong.
  """
  find_config_files()
  # TensorFlow, which takes its time.
  from official.core import train_utils

  from official_ext.grw import registry_imports  # noqa: F401

  if not validate:
    return train_utils.ExperimentParser(flags.FLAGS).parse()
  return train_utils.parse_configuration(
    flags.FLAGS, lock_return=False, print_return=False
  )
