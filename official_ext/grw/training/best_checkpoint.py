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

Few validation clips choose badly: of 60, an accuracy of 70 % has a standard
error of 6 %, so that the best of ten validations is mostly the luckiest.  What
no more than so many standard errors are between, they cannot tell apart; of
those the latest can be kept, as the learning rate has fallen since.
"""

from collections.abc import Mapping
import math
from typing import Any

from absl import logging
from official.core import train_utils
import tensorflow as tf

from official_ext.grw.checkpoints import best as best_checkpoints


class BestCheckpointExporter(train_utils.BestCheckpointExporter):
  """Keeps the checkpoint of the best validation, without the optimizer.

  A Trainer calls it while the moving averages, if there are any, are in the
  model: what is saved is what was evaluated.

  Attributes:
    step: that is kept; None if it is of another process.
    best_step: where the validation was the best, in all processes; 0 if there
      has been none.
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
    standard_errors: float = 0.0,
    clips: int = 0,
  ):
    """Goes on from what the folder says is the best so far.

    Args:
      folder: where it is kept.
      metric: the name of the metric that is compared.
      comparison: 'higher' or 'lower', which is better.
      worker_folder: where a worker saves that is not the chief: all have to
        take part in saving, and decide alike.
      standard_errors: how many may be between the best accuracy and a later one
        that takes its place.
      clips: in the validation data; 0 if nobody knows, or `standard_errors` is.
    """
    super().__init__(folder, metric, comparison)
    self._metric = metric
    self._standard_errors, self._clips = standard_errors, clips
    self._best_value = 0.0
    kept = self.best_ckpt_logs
    # Of another metric, or of a process that was killed before it saved.
    if kept is not None and (metric not in kept or self.best_ckpt_path is None):
      self._best_ckpt_logs = kept = None
    if kept is not None:
      self._best_value, self.best_step = best_checkpoints.best_so_far(
        kept, metric
      )
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
    """Saves the weights if they are to be kept; returns whether it did."""
    value = float(eval_logs[self._metric])
    is_better = not self.best_step or self._new_metric_is_better(
      {self._metric: self._best_value}, eval_logs
    )
    if not is_better and not self._is_as_good(value):
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
    self.step = int(global_step)
    if is_better:
      self._best_value, self.best_step = value, self.step
    self._best_ckpt_logs = {
      **eval_logs,
      best_checkpoints.BEST_VALUE: self._best_value,
      best_checkpoints.BEST_STEP: self.best_step,
    }
    if write_logs:
      self.export_best_eval_metric(self._best_ckpt_logs, global_step)
    logging.info('The best checkpoint so far is of step %d.', self.step)
    return True

  def _is_as_good(self, value: float) -> bool:
    """Whether the clips cannot tell an accuracy from a higher one."""
    if not self._standard_errors or not self._clips:
      return False
    error = math.sqrt(self._best_value * (1 - self._best_value) / self._clips)
    return value >= self._best_value - self._standard_errors * error
