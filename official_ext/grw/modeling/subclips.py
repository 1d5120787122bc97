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

"""Training with the stream buffer: memory of a subclip, gradients of the clip.

Kondratyuk et al., arXiv 2103.11511, Section 3.2.2: a clip is split into n
subclips of equal length, and each starts from the states in which the one
before left the backbone.  Those are constants to the gradient, so that
activations of one subclip at a time need to be kept.

Because everything after the backbone sees all frames at once, its gradient
with respect to the frames of a subclip is known only when all subclips have
been through.  So the backbone runs twice: first without keeping activations,
then, once that gradient is there, again for one subclip after the other.

The loss is one of two.  Let z_1 … z_N be the vectors of the frames, g the head,
y the label, CE the classification loss and m = N / n.

*   L = CE(g(z_1, …, z_N), y): one prediction, of the whole clip.  The gradient
    of g reaches all frames.
*   With `task.subclip_predictions`, as the paper has it, each subclip ends with
    a prediction of its own, from all frames so far:

        L = 1/n Σ_i CE(g(z̄_1, …, z̄_{(i−1)m}, z_{(i−1)m+1}, …, z_{im}), y),

    where z̄ is z without gradient: what the head keeps of earlier subclips, be
    it their mean or their vectors, is a buffer as the backbone's states are.
    The paper accumulates the gradients of the n losses and does not say whether
    it divides by n; here it is a mean, so that L does not grow with n.

λ · L_smooth is the same in both, as no window spans two subclips.
"""

from collections.abc import Mapping, Sequence
import contextlib
import threading
from typing import Any

from official.vision.modeling.layers import nn_layers
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import same_structure
from official_ext.grw.compat import batch_norm
from official_ext.grw.compat import nested_layers
from official_ext.grw.compat import stochastic_depth

States = dict[str, tf.Tensor]


class SubclipBackbone:
  """A backbone in training, one subclip of its clips after the other.

  Its vectors and batch statistics are those of running the backbone on
  subclips of a stream, and the gradients of its weights are those of that with
  no gradient through states.  Batch norm normalizes every subclip by its own
  statistics, and moving statistics are updated once a subclip.  Stochastic
  depth drops a branch for whole clips.

  Not a layer, so that what uses it has the same checkpoints as without.
  """

  def __init__(
    self,
    backbone: tf_keras.Model,
    with_states: tf_keras.Model,
    endpoints: Sequence[Any],
    num_subclips: int,
  ):
    """Makes the streaming form of a backbone out of its own layers.

    Args:
      backbone: the one to train; takes clips.  If there is one replica, its
        batch norms no longer ask others for their statistics.
      with_states: another of the same configuration, with MoViNet's streaming
        interface.  Only its structure is used.
      endpoints: names of those to return.
      num_subclips: n, at least 2.

    Raises:
      ValueError: the layers of the two differ, or some cannot be run twice
        alike or in a loop.
    """
    try:
      pairs = same_structure.paired_layers(backbone, with_states)
    except ValueError as error:
      raise ValueError(
        f'Backbone {backbone.name} has other layers with states than without '
        f'and cannot be trained in subclips: set task.num_subclips=1. {error}'
      ) from error
    shared = {theirs.name: layer for layer, theirs in pairs}
    # Its layers on a second graph of calls: weights, batch norm and whether
    # they are frozen stay in one place.
    self._stream = tf_keras.models.clone_model(
      with_states, clone_function=lambda layer: shared.get(layer.name, layer)
    )
    self._backbone = backbone
    self._state_interface = with_states
    self._endpoints = tuple(endpoints)
    self._num_subclips = num_subclips
    self._seeds = threading.local()
    self._prepare_layers()

  def _prepare_layers(self):
    """Makes every layer do in the second run what it did in the first."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    depths = 0
    for layer in nested_layers.within(self._backbone):
      if isinstance(layer, nn_layers.StochasticDepth):
        stochastic_depth.make_repeatable(layer, self._seeds, depths)
        depths += 1
      elif isinstance(layer, tf_keras.layers.Dropout) and layer.rate:
        raise ValueError(
          f'Layer {layer.name} of the backbone drops features at random, '
          'which cannot be repeated: set its rate to 0 or '
          'task.num_subclips=1.'
        )
      elif isinstance(layer, tf_keras.layers.BatchNormalization):
        if layer.synchronized and replicas > 1:
          raise ValueError(
            'task.model.norm_activation.use_sync_bn=True: expected False '
            f'where task.num_subclips={self._num_subclips} and there are '
            f'{replicas} replicas, which cannot meet inside the loop over '
            'subclips.'
          )
        # Not even one replica can ask others inside a loop.
        batch_norm.use_own_statistics(layer)

  def __call__(self, image: tf.Tensor) -> dict[Any, tf.Tensor]:
    """The endpoints of clips, each averaged over height and width.

    No gradient reaches the clips.

    Args:
      image: [batch, N, height, width, 3]; n divides N.

    Returns:
      [batch, N, 1, 1, C] by endpoint.

    Raises:
      ValueError: N is known and not a multiple of n.
    """
    frames = image.shape[1]
    if frames is not None and frames % self._num_subclips:
      raise ValueError(
        f'Clips of {frames} frames cannot be split into '
        f'task.num_subclips={self._num_subclips} equal subclips.'
      )
    seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)

    @tf.custom_gradient
    def run(image):
      vectors, starts = self._forward(image, seed)

      def gradients(*upstream, variables=()):
        return None, self._backward(image, seed, starts, upstream, variables)

      return vectors, gradients

    return dict(zip(self._endpoints, run(image)))

  def _forward(self, image, seed):
    """Vectors of the clips, and each state at the start of every subclip."""
    shapes = self._state_shapes(image)
    states = _with_shapes(
      self._state_interface.init_states(tf.shape(image)), shapes
    )

    def arrays(tensors):
      return tf.nest.map_structure(
        lambda tensor: tf.TensorArray(
          tensor.dtype, self._num_subclips, clear_after_read=False
        ),
        tensors,
      )

    def run(index, states, starts, vectors):
      starts = {
        name: starts[name].write(index, states[name]) for name in states
      }
      of_subclip, after = self._run(image, index, states)
      vectors = [
        array.write(index, vector) for array, vector in zip(vectors, of_subclip)
      ]
      states = _with_shapes({**states, **after}, shapes)
      return index + 1, states, starts, vectors

    outputs = [self._stream.output[0][name] for name in self._endpoints]
    with self._seeded(seed):
      _, _, starts, vectors = self._for_each_subclip(
        run, (states, arrays(states), arrays(outputs))
      )

    def whole(array, channels):  # [n, batch, N / n, 1, 1, C] to clips.
      frames = image.shape[1] or tf.shape(image)[1]
      return tf.reshape(
        tf.transpose(array.stack(), [1, 0, 2, 3, 4, 5]),
        [tf.shape(image)[0], frames, 1, 1, channels],
      )

    return [
      whole(array, output.shape[-1]) for array, output in zip(vectors, outputs)
    ], starts

  def _backward(self, image, seed, starts, upstream, variables):
    """Gradients of variables, given those of the vectors that were returned."""
    shapes = self._state_shapes(image)
    moving = self._backbone.non_trainable_variables
    before = [tf.identity(variable) for variable in moving]

    def run(index, sums):
      states = _with_shapes(
        {name: array.read(index) for name, array in starts.items()}, shapes
      )
      with tf.GradientTape() as tape:
        vectors, _ = self._run(image, index, states)
      gradients = tape.gradient(
        vectors,
        variables,
        [self._subclip(gradient, index) for gradient in upstream],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
      )
      return index + 1, [
        total + gradient for total, gradient in zip(sums, gradients)
      ]

    with self._seeded(seed):
      _, sums = self._for_each_subclip(
        run, ([tf.zeros_like(variable) for variable in variables],)
      )
    # The first run has seen these clips already.
    for variable, value in zip(moving, before):
      variable.assign(value)
    return sums

  def _run(self, image, index, states):
    endpoints, states = self._stream(
      {**states, 'image': self._subclip(image, index)}, training=True
    )
    return [
      tf.reduce_mean(endpoints[name], axis=[2, 3], keepdims=True)
      for name in self._endpoints
    ], states

  def _subclip(self, frames, index):
    length = tf.shape(frames)[1] // self._num_subclips
    return frames[:, index * length : (index + 1) * length]

  def _for_each_subclip(self, run, loop_variables):
    # One body whatever n is, and never two subclips at once.
    return tf.while_loop(
      lambda index, *_: index < self._num_subclips,
      run,
      (tf.constant(0), *loop_variables),
      parallel_iterations=1,
    )

  def _state_shapes(self, image):
    specs = self._state_interface.initial_state_specs(image.shape)
    return {name: spec.shape for name, spec in specs.items()}

  @contextlib.contextmanager
  def _seeded(self, seed):
    self._seeds.seed = seed
    try:
      yield
    finally:
      self._seeds.seed = None


def _with_shapes(
  states: Mapping[str, tf.Tensor], shapes: Mapping[str, Any]
) -> States:
  """The states with what is known of their shapes, which loops may lose."""
  return {
    name: tf.ensure_shape(states[name], shape) for name, shape in shapes.items()
  }
