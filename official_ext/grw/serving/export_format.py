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

"""What an export format is: how models are written, and run again."""

from __future__ import annotations

import abc
from typing import Any, Protocol, TYPE_CHECKING

if TYPE_CHECKING:
  import numpy as np
  from official.core import config_definitions as cfg

  from official_ext.grw.serving import model_card
  from official_ext.grw.serving import saved_model

KINDS = ('clip', 'stream')


class Runner(Protocol):
  """What answers prepared frames, one after the other."""

  def reset(self) -> None:
    """Begins another video."""

  def step(self, image: np.ndarray) -> np.ndarray | None:
    """Takes a frame; returns logits [classes], if there are any yet."""


class ExportFormat(abc.ABC):
  """A format that trained models are exported in.

  `grw export NAME` writes it, `grw predict` and `grw.load` run it.  Modules of
  formats import neither absl nor TensorFlow nor what imports them, except
  inside methods: the help of a command is answered at once, and files that can
  be run without TensorFlow are.

  Attributes:
    name: what the command line and the model card call it.
    summary: what its command does, in one line.
    help: what `grw export NAME --help` says first.
    default_kind: what is written, of `KINDS`, unless --kind says otherwise.
  """

  name: str
  summary: str
  help: str
  default_kind: str

  def define_flags(self) -> None:  # noqa: B027
    """Defines the flags, absl's, that only this format has; here none."""

  @abc.abstractmethod
  def write(
    self,
    params: cfg.ExperimentConfig,
    checkpoint: str,
    output_dir: str,
    *,
    kind: str,
    labels: str | None,
    **options: Any,
  ) -> saved_model.Written:
    """Writes a model, its card and its labels; see `export.write_folder`.

    Args:
      params: the experiment the weights were trained by.
      checkpoint: whatever `task.init_checkpoint` takes.
      output_dir: a folder that is not there yet; it appears complete or not at
        all.
      kind: one of `KINDS`.
      labels: a file of class names, a line each; by default those of the task.
      **options: the values of the flags of `define_flags`.

    Returns:
      What it came to: the largest difference to the model among it.

    Raises:
      ValueError: the checkpoint, the labels or the model do not fit.
    """

  @abc.abstractmethod
  def open(
    self, path: str, card: model_card.ModelCard, num_threads: int
  ) -> Runner:
    """Opens what was written.

    Args:
      path: the folder, or a file in it.
      card: its description.
      num_threads: how many threads run it, where the format can say.

    Raises:
      ValueError: the files are not as the card says.
    """
