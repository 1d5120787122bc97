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

"""What the rest of the package has to know of a kind of head.

A kind of head is a file beside this module and a line in `head_types`.  Nothing
else asks which kind a head is: it asks the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from types import MappingProxyType
from typing import Any, TYPE_CHECKING, TypeAlias

from official.modeling import hyperparams
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import names as names_lib
from official_ext.grw.heads import frames

if TYPE_CHECKING:
  from official_ext.grw.configs import schema
  from official_ext.grw.heads import config

Shapes = Mapping[str, tuple[int, ...]]
Regularizer: TypeAlias = tf_keras.regularizers.Regularizer


@dataclasses.dataclass(frozen=True)
class FoundHead:
  """What names and shapes of variables tell of a head.

  Attributes:
    name: as in `task.model.head.type`.
    title: for people.
    num_classes: the width of its logits.
    settings: fields of `task.model.head` that the shapes tell.
  """

  name: str
  title: str
  num_classes: int
  settings: Mapping[str, Any] = dataclasses.field(
    default_factory=lambda: MappingProxyType({})
  )

  def __str__(self):
    return self.title


class HeadType:
  """Heads of one kind: from feature vectors of frames to logits.

  This class itself serves heads that see the mean vector of a clip: their layer
  takes [batch, 1, 1, 1, C], as the Model Garden's classifier head does.

  Attributes:
    name: what `task.model.head.type` calls the kind.
    title: for people.
    layer_name: the name of the layer in a classifier; begins with 'grw_', by
      which the optimizer tells heads from the backbone.  Its last dense layer
      is called 'classifier'.
    config_class: the class of a field of `task.model.head` that bears the name;
      None where the kind has no fields, or the old ones of `config.Head`.
    reads_embeddings: whether a dense layer stands between the backbone and the
      head, also where no smoothing asks for one.
    names: names and layouts of its variables in files, where they have several.
  """

  name: str
  title: str
  layer_name: str
  config_class: type[hyperparams.Config] | None = None
  reads_embeddings: bool = False
  names: names_lib.Names | None = None

  def validate(self, head: config.Head):
    """Raises ValueError, naming the field, for a head that cannot be built.

    The old fields of `config.Head` are checked in `configs.checks`, without
    TensorFlow.
    """

  def build(
    self,
    model: schema.GrwModel,
    num_classes: int,
    backbone: tf_keras.Model,
    regularizer: Regularizer | None,
  ) -> tf_keras.layers.Layer:
    """Makes the layer, under `layer_name`.

    Args:
      model: the configuration; its head is of this kind.
      num_classes: the width of the float32 logits.
      backbone: what the head stands on.
      regularizer: for the kernels.
    """
    raise NotImplementedError(f'{self.name} has no layer.')

  def classify(
    self,
    layer: tf_keras.layers.Layer,
    vectors: tf.Tensor,
    num_frames: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Logits [batch, classes], or of a head that has `per_frame` of each frame.

    Args:
      layer: made by `build`.
      vectors: [batch, N, C].
      num_frames: [batch] int, how many vectors of each clip take part, from the
        first; None takes all.
    """
    clip = frames.mean_of_frames(vectors, num_frames)
    return layer(clip[:, tf.newaxis, tf.newaxis, tf.newaxis, :])

  def in_steps(self, head: config.Head) -> bool:
    """Whether a stream goes on with states of the head's own.

    The layer then has `state_shapes` and `step`, as `TemporalHead`.  Otherwise
    a stream keeps the vectors of the last frames and calls `classify`.
    """
    del head
    return False

  def once_a_window(self, head: config.Head) -> bool:
    """Whether a stream runs the head at a frame of each window by default.

    For heads that cost much, beside the backbone.
    """
    del head
    return False

  def identify(self, shapes: Shapes) -> FoundHead | None:
    """The head that variables of these structural names and shapes are of."""
    raise NotImplementedError(f'{self.name} is not read by name.')
