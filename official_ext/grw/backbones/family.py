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

"""What the rest of the package has to know of a family of backbones.

A family is a folder beside this module and a line in `families`.  Nothing else
asks which family a backbone is of: it asks the family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TYPE_CHECKING

from official.modeling import hyperparams
import tf_keras

from official_ext.grw.backbones import weights as weights_lib

if TYPE_CHECKING:
  from official_ext.grw.configs import schema


class Family:
  """Backbones of one kind.

  This class itself serves the Model Garden's own 3D backbones, of which nothing
  more is known than that they can be built: they take clips of any shape in
  [0, 1], see frames to come, and are read from checkpoints of the same model.

  Attributes:
    name: what `task.model.backbone.type` calls the family; also the field of
      its configuration beside it.
    title: as in its paper.
    config_class: the class of the field's value; None where that of the Model
      Garden's `Backbone3D` will do.
    weights: how its published weights are recognized and named; None where
      weights are read object by object, from checkpoints of the same model.
  """

  name: str
  title: str
  config_class: type[hyperparams.Config] | None = None
  weights: weights_lib.Weights | None = None

  def __init__(self, name: str = '', title: str = ''):
    """Names a family; those in folders of their own have names already."""
    self.name = name or self.name
    self.title = title or getattr(self, 'title', self.name)

  # Building.

  def build(
    self,
    input_specs: tf_keras.layers.InputSpec,
    backbone_config: hyperparams.OneOfConfig,
    norm_activation_config: hyperparams.Config,
    l2_regularizer: tf_keras.regularizers.Regularizer | None = None,
  ) -> tf_keras.Model:
    """Builds a backbone as the Model Garden's factory asks for it.

    Families that do not override it are built by the Model Garden.

    Args:
      input_specs: [batch, frames, height, width, 3].
      backbone_config: the configuration with the `type`.
      norm_activation_config: `task.model.norm_activation`.
      l2_regularizer: for the kernels.

    Returns:
      A model from clips to endpoints [batch, frames, height, width, channels]
      by name.  In their order the last, or 'head', is what heads read.
    """
    raise NotImplementedError(f'{self.name} has no builder.')

  def finish(self, backbone: tf_keras.Model, config: Any):
    """Changes a backbone that was built, where the Model Garden built it.

    Args:
      backbone: the model that is changed.
      config: the configuration of the backbone.
    """

  def label(self, config: Any) -> str:
    """What a message calls the backbone of a configuration."""
    del config
    return self.name

  # The rules for configurations and clips.

  def validate(self, model: schema.GrwModel):
    """Raises ValueError for a backbone that cannot be built or does not fit.

    Args:
      model: the whole model; its backbone is of this family.
    """

  def check_clip(self, config: Any, shape: Sequence[int | None], field: str):
    """Raises ValueError, naming `field`, for clips it cannot take.

    Args:
      config: the backbone.
      shape: frames, height, width and channels; what may be any is None.
      field: where the shape was set.
    """

  def normalizes(self, config: Any) -> bool:
    """Whether the backbone itself normalizes the channels of its input."""
    del config
    return False

  def frames_per_vector(self, config: Any) -> int:
    """How many frames of a clip share a feature vector."""
    del config
    return 1

  def with_states(self, config: Any) -> Any:
    """The same backbone that takes states and returns them too.

    Built, it has MoViNet's interface: `initial_state_specs(input_shape)`,
    `init_states(input_shape)` and, called on {'image': frames, **states},
    (endpoints, states).  Its variables have the names they have without states.

    Raises:
      ValueError: the backbone cannot take its video frame by frame.
    """
    raise ValueError(
      f'task.model.backbone is {self.label(config)}, which is not causal and '
      'sees frames to come: it cannot stream. Export its clip model, or train '
      'a stream backbone (task.model.backbone.movinet.causal=true).'
    )

  # Weights from elsewhere, and the experiments that go on with them.

  def initialize(self, backbone: tf_keras.Model, prefix: str) -> str | None:
    """Loads a TensorFlow checkpoint that only this family can use.

    Args:
      backbone: any; its variables are assigned, all or none.
      prefix: path of the checkpoint without '.index'.

    Returns:
      What was loaded, to be logged; None for backbones of other families and
      where there is nothing special to load.

    Raises:
      ValueError: the checkpoint does not fit; says why.
    """
    del backbone, prefix
    return None

  def describe(self, backbone: tf_keras.Model) -> dict[str, str]:
    """What a report on loaded weights says of the model, by heading."""
    del backbone
    return {}

  def model_config(self, found: Any) -> schema.GrwModel:
    """The model that weights are of, with its published input and head.

    Args:
      found: by `weights.identify`.

    Raises:
      ValueError: there is no configuration of such a backbone.
    """
    raise ValueError(
      f'holds {found}, which no configuration is known to build.'
    )

  def set_gating_activation(self, config: Any, activation: str):
    """Sets the activation of the gates.

    Raises:
      ValueError: the backbone has no gates.
    """
    del config
    raise ValueError(
      f'which has no gates: leave out the gating activation, {activation!r}.'
    )

  def trained_fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a Trainer's configuration that its weights do not tell."""
    return fields

  def overrides(self, config: Any) -> dict[str, Any]:
    """The fields of a configuration that a YAML file must say."""
    return config.as_dict()

  def clip(self, config: Any) -> dict[str, Any]:
    """Fields of the data that belong to the published weights."""
    del config
    return {}

  def experiment(self, smoothed: bool, num_classes: int) -> str:
    """The name of the experiment in which to go on with weights.

    Args:
      smoothed: whether the model has GRW-smoothing.
      num_classes: the classes of the data.
    """
    raise ValueError(f'{self.name} has no experiment.')

  def register_experiments(self):
    """Makes the experiments of the family known to the Model Garden.

    Imports them at last: their schema has a field for every family.
    """
