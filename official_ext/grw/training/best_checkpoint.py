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
"""Keeps the best checkpoint: the weights that were evaluated, and their step.

The stock exporter saves all that training needs, with the weights and their
moving averages changed over, so that whoever restores it has to know that.
"""

from collections.abc import Mapping
from typing import Any

from absl import logging
from official.core import train_utils
import tensorflow as tf


class BestCheckpointExporter(train_utils.BestCheckpointExporter):
  """Keeps the checkpoint of the best validation, without the optimizer.

  A Trainer calls it while the moving averages, if there are any, are in the
  model: what is saved is what was evaluated.

  Attributes:
    step: where the validation was the best; None if none has been in this
      process.
    best_step: the same over all processes; 0 if there has been no validation.
  """

  step: int | None = None
  best_step: int = 0
  _best_ckpt_logs: dict[str, Any] | None

  def __init__(
    self,
    folder: str,
    metric: str,
    comparison: str,
    worker_folder: str | None = None,
  ):
    """Goes on from what the folder says is the best so far.

    Args:
      folder: where it is kept.
      metric: the name of the metric that is compared.
      comparison: 'higher' or 'lower', which is better.
      worker_folder: where a worker saves that is not the chief: all have to
        take part in saving, and decide alike.
    """
    super().__init__(folder, metric, comparison)
    best = self.best_ckpt_logs
    # Of another metric, or of a process that was killed before it saved.
    if best is not None and (metric not in best or self.best_ckpt_path is None):
      self._best_ckpt_logs = best = None
    if best is not None:
      self.best_step = int(best['best_ckpt_global_step'])
    if worker_folder:
      self._export_dir = worker_folder
    self._weights: tf.train.Checkpoint | None = None

  def maybe_export_checkpoint(
    self,
    checkpoint: tf.train.Checkpoint,
    eval_logs: Mapping[str, Any],
    global_step: int,
    write_logs: bool = True,
  ) -> bool:
    """Saves the weights if they are the best so far; returns whether it did."""
    best = self.best_ckpt_logs
    if best is not None and not self._new_metric_is_better(best, eval_logs):
      return False
    if self._weights is None:
      model = checkpoint.model
      items = getattr(model, 'checkpoint_items', {})
      self._weights = tf.train.Checkpoint(
        global_step=checkpoint.global_step, model=model, **items
      )
    # The logs last: what they say of a checkpoint has to be there.
    self._get_checkpoint_manager(self._weights).save(
      checkpoint_number=int(global_step)
    )
    self._best_ckpt_logs = dict(eval_logs)
    if write_logs:
      self.export_best_eval_metric(self._best_ckpt_logs, global_step)
    self.step = self.best_step = int(global_step)
    logging.info('The best checkpoint so far is of step %d.', self.step)
    return True
