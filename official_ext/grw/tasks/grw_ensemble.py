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

"""Evaluation of a temporal ensemble of classifiers trained before."""

from official.core import task_factory
import tf_keras

from official_ext.grw.checkpoints import initialization
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.files import screen
from official_ext.grw.tasks import grw_video_classification


@task_factory.register_task_cls(ensemble_cfg.GrwEnsembleTask)
class GrwEnsembleTask(grw_video_classification.GrwVideoClassificationTask):
  """The task of its members, without training."""

  @property
  def has_initial_weights(self) -> bool:
    """Whether both members have checkpoints."""
    return all(member.checkpoint for member in self.task_config.model.members)

  @property
  def streams(self) -> bool:
    """False: the members see different frames."""
    return False

  @property
  def measures_smoothing(self) -> bool:
    """False: each member has a smoothing loss of its own."""
    return False

  def initialize(self, model: tf_keras.Model):
    """Loads the members' checkpoints, and says what they were."""
    screen.tell(
      str(
        initialization.initialize_members(model.members, self.task_config.model)
      )
    )

  def check_training(self):
    """Raises ValueError, always."""
    frames = self.task_config.validation_data.feature_shape[0] // 2
    clips = (
      f'each on clips of {frames} frames at half the frame rate'
      if self.task_config.model.frames == 'alternate'
      else 'each at its own frame rate and size'
    )
    raise ValueError(
      f'An ensemble does not train: train its members apart, {clips}, and '
      'evaluate with --mode=eval.'
    )
