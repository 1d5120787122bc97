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

"""Batch norms that were folded into convolutions, taken apart again.

A file for inference holds of a convolution and its batch norm only what both
compute together.  Any mean and variance give the same inference, if scale and
offset are set to match; but training normalizes by the statistics of its
batch, and computes the same only if mean and variance are those of the data.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
import contextlib

import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.checkpoints import assign
from official_ext.grw.compat import nested_layers

# Mean and variance, each [channels], by the norm's structural name.
Moments = dict[str, tuple[np.ndarray, np.ndarray]]


def layers(
  model: tf_keras.Model,
) -> dict[str, tf_keras.layers.BatchNormalization]:
  """The batch norms of the backbone, by structural name."""
  names = {
    id(variable): name.removesuffix('/gamma')
    for name, variable in assign.named_variables(model)
    if name.endswith('/gamma')
  }
  return {
    names[id(layer.gamma)]: layer
    for layer in nested_layers.within(model)
    if isinstance(layer, tf_keras.layers.BatchNormalization)
    and id(layer.gamma) in names
  }


@contextlib.contextmanager
def _calls_replaced(
  norms: Mapping[str, tf_keras.layers.BatchNormalization],
  replacement: Callable[
    [str, tf_keras.layers.BatchNormalization], Callable[..., tf.Tensor]
  ],
) -> Iterator[None]:
  for name, layer in norms.items():
    layer.call = replacement(name, layer)
  try:
    yield
  finally:
    for layer in norms.values():
      del layer.call  # That of the class is seen again.


@contextlib.contextmanager
def _of_any_size(model: tf_keras.Model) -> Iterator[None]:
  """Lets models of fixed sizes take others, as convolutions do.

  A model that is to be trained is built for the clips of its dataset.
  """
  fixed = {
    part: part.input_spec
    for part in nested_layers.within(model)
    if isinstance(part, tf_keras.Model)
  }
  fixed[model] = model.input_spec
  for part in fixed:
    part.input_spec = None
  try:
    yield
  finally:
    for part, spec in fixed.items():
      part.input_spec = spec


def measure(
  model: tf_keras.Model,
  clips: Iterable[np.ndarray],
  norms: Mapping[str, tf_keras.layers.BatchNormalization],
  as_in_training: bool = False,
) -> Moments:
  """Mean and variance of what goes into batch norms.

  Args:
    model: a backbone or a model that holds one; takes {'image': clip}, of any
      size, whatever it was built for.
    clips: [batch, frames, height, width, 3] in [0, 1].
    norms: see `layers`.
    as_in_training: whether they normalize by the statistics of each clip, as
      in training, instead of by what they hold.  Nothing else is as in
      training, and nothing is changed.
  """
  found: dict[str, list[np.ndarray]] = {name: [] for name in norms}

  def watched(name: str, layer: tf_keras.layers.BatchNormalization):
    stored = layer.call

    def call(inputs, training=None, mask=None):
      del training, mask
      axes = list(range(inputs.shape.rank - 1))
      exact = tf.cast(inputs, tf.float32)
      mean, variance = tf.nn.moments(exact, axes)
      found[name].append(
        np.stack([mean.numpy(), variance.numpy()]).astype(np.float64)
      )
      if not as_in_training:
        return stored(inputs, training=False)
      outputs = tf.nn.batch_normalization(
        exact, mean, variance, layer.beta, layer.gamma, layer.epsilon
      )
      return tf.cast(outputs, inputs.dtype)

    return call

  with _calls_replaced(norms, watched), _of_any_size(model):
    for clip in clips:
      model({'image': tf.constant(clip)}, training=False)
  moments: Moments = {}
  for name, of_clips in found.items():
    means, variances = np.stack(of_clips, axis=1)
    mean = means.mean(axis=0)
    variance = variances.mean(axis=0)
    if not as_in_training:  # Between clips too.
      variance = variance + means.var(axis=0)
    moments[name] = mean, variance
  return moments


def restore(
  model: tf_keras.Model, folded: Collection[str], clips: Iterable[np.ndarray]
):
  """Gives folded norms the statistics of clips; inference stays as it is.

  Args:
    model: whose folded norms are the identity but for scale and offset.
    folded: their structural names.
    clips: see `measure`.
  """
  norms = {
    name: layer for name, layer in layers(model).items() if name in folded
  }
  for layer in norms.values():
    layer.moving_mean.assign(tf.zeros_like(layer.moving_mean))
    layer.moving_variance.assign(
      tf.ones_like(layer.moving_variance) - layer.epsilon
    )
  for name, (mean, variance) in measure(model, clips, norms).items():
    layer = norms[name]
    gamma = layer.gamma.numpy().astype(np.float64)
    layer.beta.assign(layer.beta.numpy() + gamma * mean)
    layer.gamma.assign(gamma * np.sqrt(variance + layer.epsilon))
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
