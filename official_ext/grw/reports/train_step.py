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

"""An experiment's own train step, for benchmarks."""

from collections.abc import Callable

import numpy as np
from official.core import config_definitions as cfg
from official.core import task_factory
from official.modeling.optimization import ema_optimizer
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import optimizer_slots
from official_ext.grw.datasets import feature_names


def build(
  params: cfg.ExperimentConfig,
  batch_size: int,
) -> tuple[tf_keras.Model, tf.Tensor, Callable[[], np.floating]]:
  """The train step of an experiment's own task, on one batch of noise.

  Args:
    params: validated; `task.train_data` gives the shape of a clip.
    batch_size: clips in a step.

  Returns:
    The model, the clips [batch_size, N, height, width, 3], and the step, which
    returns its loss when it is done.
  """
  data = params.task.train_data
  task = task_factory.get_task(params.task)
  model = task.build_model()
  optimizer = task.create_optimizer(params.trainer.optimizer_config)
  if isinstance(optimizer, ema_optimizer.ExponentialMovingAverage):
    optimizer.shadow_copy(model)  # As the Model Garden's trainer does.
  optimizer_slots.create(optimizer, model.trainable_variables)
  metrics = task.build_metrics()
  clips = tf.random.stateless_uniform([batch_size, *data.feature_shape], [0, 1])
  features = {
    'image': clips,
    feature_names.NUM_FRAMES: tf.fill([batch_size], data.feature_shape[0]),
  }
  labels = tf.one_hot(tf.range(batch_size) % data.num_classes, data.num_classes)

  @tf.function
  def step():
    return task.train_step((features, labels), model, optimizer, metrics)[
      'loss'
    ]

  return model, clips, lambda: step().numpy()
