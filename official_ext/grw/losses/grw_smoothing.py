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

"""GRW-smoothing: the loss that makes frame embeddings a smooth random walk.

Goldman, Giryes, Satyanarayanan, "Smooth Regularization for Efficient Video
Recognition", NeurIPS 2025, arXiv 2511.20928, Section 3.  For the embeddings
z_0 … z_{T−1} of one window of consecutive frames, with v_t = z_{t+1} − z_t
and a_t = v_{t+1} − v_t,

    order = −log [ exp(−½ Σ‖a_t‖²) / Σ_π exp(−½ Σ‖a_t^π‖²) ]
    speed = ½ Σ‖v_t‖²
    L_smooth = mean over windows of (order + α · speed)

where π runs over the orderings of the window's frames that keep the first.
Everything is computed in float32.

A clip of N embeddings has N−T+1 windows w_0 … w_{N−T}, w_s of the frames from
s on.  In training, the phase says which of them the mean is over:

    fixed        w_0, w_T, w_2T, …: the paper's
    random       w_o, w_{o+T}, w_{o+2T}, … with o = s mod T and s uniform over
                 0 … N−T, so that o is in 0 … min(T−1, N−T)
    overlapping  all of them

With the fixed phase nothing smooths the steps and bends between two windows.
The others have no such seams.  The offset o comes up in proportion to how many
windows it has, so each window of a clip is as likely to take part as any other
and the mean over draws of the random loss is the overlapping loss.  Where clips
of a batch are of unlike lengths, because of repeated frames or of cuts, that is
so up to how the number of windows varies with o.

Cuts part a clip into shots, whose frames are no random walk together.  Windows
begin anew with each shot, as if it were a clip of its own, and none spans two:
L_smooth is the mean over the windows of all shots (`window_places`).

Windows may also be of several lengths, chosen by how the embeddings move
(`adaptive_windows`).
"""

from collections.abc import Mapping, Sequence
import functools
import threading
from typing import Any, NamedTuple

from absl import logging
import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import keras3
from official_ext.grw.losses import adaptive_windows
from official_ext.grw.losses import orderings
from official_ext.grw.losses import window_places
from official_ext.grw.losses import window_sizes


class SmoothingTerms(NamedTuple):
  """The terms of one batch of windows; every field is a float32 scalar.

  Attributes:
    smoothing_loss: L_smooth = order_loss + α · speed_loss.
    order_loss: mean over windows of −log p(true order), in nats.
    speed_loss: mean over windows of ½ Σ‖v_t‖².
    order_accuracy: share of windows whose true order is likelier than every
      other ordering considered.
    mean_acceleration: mean of ‖a_t‖ over windows and frames.
    mean_speed: mean of ‖v_t‖ over windows and frames.
    num_windows: windows that the means are over; 0 makes them 0.
  """

  smoothing_loss: tf.Tensor
  order_loss: tf.Tensor
  speed_loss: tf.Tensor
  order_accuracy: tf.Tensor
  mean_acceleration: tf.Tensor
  mean_speed: tf.Tensor
  num_windows: tf.Tensor


def cut_windows(embeddings: tf.Tensor, window: int) -> tf.Tensor:
  """Cuts clips into windows that do not overlap.

  Args:
    embeddings: [batch, N, D]; N may be unknown until run time.
    window: T, frames in a window.

  Returns:
    [batch · ⌊N/T⌋, T, D]; the last N mod T frames take no part.

  Raises:
    ValueError: N is known and smaller than T.
  """
  num_frames = _clip_length(embeddings, window)
  used = num_frames // window * window
  return tf.reshape(embeddings[:, :used], [-1, window, embeddings.shape[-1]])


def _clip_length(embeddings: tf.Tensor, window: int) -> int | tf.Tensor:
  """N of [batch, N, D]; raises ValueError if it is known to be below T."""
  num_frames = embeddings.shape[1]
  if num_frames is None:
    return tf.shape(embeddings)[1]
  if num_frames < window:
    raise ValueError(
      f'A GRW window of {window} frames does not fit into clips that have '
      f'{num_frames} embeddings: use a smaller window, longer clips, or a '
      "backbone that keeps one a frame (for MoViNet average_pooling_type='2d', "
      'for ResNet-3D temporal strides of 1).'
    )
  return num_frames


def window_weights(
  num_frames: tf.Tensor, num_embeddings: int | tf.Tensor, window: int
) -> tf.Tensor:
  """1 for windows within the first frames of their clips, 0 for others.

  Args:
    num_frames: [batch] int, how many embeddings of each clip take part.
    num_embeddings: N, a scalar.
    window: T, frames in a window.

  Returns:
    [batch · ⌊N/T⌋] float32, clip by clip, as `cut_windows` has them.
  """
  ends = window * tf.range(1, num_embeddings // window + 1)
  inside = ends <= tf.cast(num_frames, ends.dtype)[:, tf.newaxis]
  return tf.cast(tf.reshape(inside, [-1]), tf.float32)


def velocities(windows: tf.Tensor) -> tf.Tensor:
  """v_t = z_{t+1} − z_t in float32: [windows, T, D] → [windows, T−1, D]."""
  windows = tf.cast(windows, tf.float32)
  return windows[:, 1:] - windows[:, :-1]


def velocity_gram(velocity: tf.Tensor) -> tf.Tensor:
  """Inner products of velocities: [windows, T−1, D] → [windows, (T−1)²]."""
  gram = tf.matmul(velocity, velocity, transpose_b=True)
  return tf.reshape(gram, [-1, velocity.shape[1] ** 2])


def overlapping_grams(embeddings: tf.Tensor, window: int) -> tf.Tensor:
  """What `velocity_gram` has of all windows of consecutive frames.

  The windows of a clip share the inner products of its velocities.  One matrix
  product a clip has them all; those of T−1 neighbors are a band about its
  diagonal, out of which each window's are taken.  [windows, T, D] is never
  made.

  Args:
    embeddings: [batch, N, D]; N may be unknown until run time.
    window: T, frames in a window.

  Returns:
    [batch · (N−T+1), (T−1)²] float32, clip by clip.

  Raises:
    ValueError: N is known and smaller than T.
  """
  count = _clip_length(embeddings, window) - window + 1
  velocity = velocities(embeddings)
  steps = velocity.shape[1] or tf.shape(velocity)[1]
  gram = tf.matmul(velocity, velocity, transpose_b=True)
  # To bring the diagonal and T−2 others on either side into columns, rows get
  # T−2 zeros before them, and are read anew with one entry more in each: row i
  # then begins with ⟨v_i, v_{i−T+2}⟩.
  reach = window - 2
  width = steps + reach
  rows = tf.pad(gram, [[0, 0], [0, 0], [reach, 0]])
  rows = tf.reshape(rows, [-1, steps * width])
  rows = tf.pad(rows, [[0, 0], [0, steps]])
  band = tf.reshape(rows, [-1, steps, width + 1])
  grams = [
    band[:, i : i + count, reach - i : 2 * reach - i + 1]
    for i in range(window - 1)
  ]  # Row i of each window's, [batch, windows, T−1].
  return tf.reshape(tf.stack(grams, axis=2), [-1, (window - 1) ** 2])


def order_energies(
  gram: tf.Tensor,
  window: int,
  sampled: bool = False,
  num_orderings: int = 1000,
  seed: int = 0,
) -> orderings.OrderEnergies:
  """Energies of the true order, of all orderings, and of the best wrong one.

  Args:
    gram: [windows, (T−1)²] from `velocity_gram`.
    window: T ≥ 3.
    sampled: sum over a sample of orderings although all could be had.  Always
      so for T > 12.
    num_orderings: how many to sample, the true one among them.
    seed: the seed of the sample.
  """
  if sampled or window > window_sizes.MAX_EXACT_WINDOW:
    return orderings.listed_energies(
      gram, orderings.sample_orderings(window, num_orderings, seed)
    )
  if window <= orderings.MAX_ENUMERATED_WINDOW:
    return orderings.listed_energies(
      gram, orderings.enumerate_orderings(window)
    )
  return orderings.exact_energies(gram, window)


def smoothing_terms(
  windows: tf.Tensor,
  alpha: float = 0.5,
  sampled: bool = False,
  num_orderings: int = 1000,
  seed: int = 0,
  weights: tf.Tensor | None = None,
) -> SmoothingTerms:
  """The GRW-smoothing loss of a batch of windows, and what it consists of.

  A window whose frames all coincide costs log (T−1)! and is at a saddle, not
  a minimum: the order term pushes its frames apart, the speed term holds them
  together.

  Args:
    windows: [windows, T, D] embeddings of consecutive frames, any float type.
    alpha: α, the weight of the speed term.
    sampled, num_orderings, seed: see `order_energies`.
    weights: [windows] float32, 1 for windows that take part and 0 for others,
      for example from `window_weights`; None lets all take part.
  """
  return gram_terms(
    velocity_gram(velocities(windows)),
    windows.shape[1],
    alpha,
    sampled,
    num_orderings,
    seed,
    weights,
  )


def gram_terms(
  gram: tf.Tensor,
  window: int,
  alpha: float = 0.5,
  sampled: bool = False,
  num_orderings: int = 1000,
  seed: int = 0,
  weights: tf.Tensor | None = None,
) -> SmoothingTerms:
  """`smoothing_terms` of windows of which only the inner products are known.

  Args:
    gram: [windows, (T−1)²] from `velocity_gram` or `overlapping_grams`.
    window: T, frames in a window.
    alpha, sampled, num_orderings, seed, weights: see `smoothing_terms`.
  """

  def mean(values):  # Of [windows] or [windows, frames].
    if weights is None:
      count = tf.cast(tf.size(values), tf.float32)
      return tf.math.divide_no_nan(tf.reduce_sum(values), count)
    if values.shape.rank == 2:
      values = tf.reduce_mean(values, axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), num_windows)

  num_windows = (
    tf.cast(tf.shape(gram)[0], tf.float32)
    if weights is None
    else tf.reduce_sum(weights)
  )
  energies = order_energies(gram, window, sampled, num_orderings, seed)

  order_loss = mean(energies.true - energies.free)
  squared_speed = gram[:, ::window]  # The diagonal of the Gram matrix.
  speed_loss = mean(0.5 * tf.reduce_sum(squared_speed, axis=1))

  # Measures only: no gradient, so the square root at zero does no harm.
  squared_speed = tf.stop_gradient(squared_speed)
  neighbors = tf.stop_gradient(gram[:, 1::window])  # ⟨v_t, v_{t+1}⟩
  squared_acceleration = (
    squared_speed[:, 1:] + squared_speed[:, :-1] - 2.0 * neighbors
  )
  return SmoothingTerms(
    smoothing_loss=order_loss + alpha * speed_loss,
    order_loss=order_loss,
    speed_loss=speed_loss,
    order_accuracy=mean(
      tf.cast(energies.true < energies.best_wrong, tf.float32)
    ),
    mean_acceleration=mean(tf.sqrt(tf.maximum(squared_acceleration, 0.0))),
    mean_speed=mean(tf.sqrt(squared_speed)),
    num_windows=num_windows,
  )


def mixed_terms(
  terms_by_length: Mapping[int, SmoothingTerms], window: int, alpha: float
) -> SmoothingTerms:
  """The terms of windows of several lengths together.

  Every frame in a window counts the same: with the windows w, of T_w frames
  each, both parts of the loss are

      T · Σ_w part(w) / Σ_w T_w

  a mean over frames, times T, so that it is what it was where all windows have
  T frames.  Speeds and accelerations are means over all that there are, the
  order accuracy is a mean over windows.

  Args:
    terms_by_length: the terms of the windows of each length.
    window: T.
    alpha: α, the weight of the speed term.
  """
  lengths = np.array(list(terms_by_length), np.float32)
  counts = tf.stack([terms.num_windows for terms in terms_by_length.values()])

  def mean(name, weights, divisors):  # Over windows; weights by their length.
    values = [getattr(terms, name) for terms in terms_by_length.values()]
    return tf.math.divide_no_nan(
      tf.reduce_sum(counts * weights * tf.stack(values)),
      tf.reduce_sum(counts * divisors),
    )

  order_loss = mean('order_loss', window, lengths)
  speed_loss = mean('speed_loss', window, lengths)
  return SmoothingTerms(
    smoothing_loss=order_loss + alpha * speed_loss,
    order_loss=order_loss,
    speed_loss=speed_loss,
    order_accuracy=mean('order_accuracy', 1, 1),
    mean_acceleration=mean('mean_acceleration', lengths - 2, lengths - 2),
    mean_speed=mean('mean_speed', lengths - 1, lengths - 1),
    num_windows=tf.reduce_sum(counts),
  )


def _windows_by_clip(weights: tf.Tensor, clips: tf.Tensor) -> tf.Tensor:
  """[batch] float32: how many windows of each clip take part."""
  batch = tf.shape(clips)[0]
  each = tf.size(weights) // tf.maximum(batch, 1)
  return tf.reduce_sum(tf.reshape(weights, [batch, each]), axis=1)


# A `Layer` of either Keras, to type checkers.
_Layer: Any = object


class SmoothingLayer(_Layer):
  """What the smoothing layers of tf_keras and of Keras 3 do; a mixin.

  The other base is the `Layer` of either.
  """

  def __init__(
    self,
    window: int = 5,
    alpha: float = 0.5,
    weight: float = 0.1,
    sampled: bool = False,
    num_orderings: int = 1000,
    seed: int = 0,
    phase: str = 'fixed',
    window_range: Sequence[int] | None = None,
    **kwargs,
  ):
    """Initializes the layer.

    Args:
      window: T, frames in a window; at least 3.
      alpha: α ≥ 0, the weight of the speed term against the order term.
      weight: λ ≥ 0.  At 0 the terms are measured but not added.
      sampled: sum over sampled orderings although T ≤ 12 could be exact.
      num_orderings: orderings in the sample, the true one among them.
      seed: the seed of the sample, and of random offsets.
      phase: where the windows of training begin: 'fixed' at every T-th frame
        from the first on; 'random', the same from an offset on that is drawn
        for each step; 'overlapping', at every frame.  In inference they are
        fixed, so that measures can be compared.
      window_range: the least and the greatest number of frames of a window in
        training, of which each clip gets the windows that suit its motion
        (`adaptive_windows`); T is among them, sets the scale of the loss, and
        is what inference measures.  None: all windows have T frames.
      **kwargs: the arguments of the Keras layer.  The layer computes in float32
        whatever the global precision policy.

    Raises:
      ValueError: an argument is out of its range.
    """
    if window < window_sizes.MIN_WINDOW:
      raise ValueError(
        f'A GRW window needs at least {window_sizes.MIN_WINDOW} frames, '
        f'because an acceleration takes three; got window={window}.'
      )
    if alpha < 0 or weight < 0:
      raise ValueError(
        f'alpha and weight must not be negative; got {alpha} and {weight}.'
      )
    if num_orderings < 2:
      raise ValueError(
        'num_orderings must be at least 2, the true ordering and another; '
        f'got {num_orderings}.'
      )
    if phase not in window_sizes.PHASES:
      raise ValueError(
        f'phase must be one of {window_sizes.PHASES}; got {phase!r}.'
      )
    if window_range is not None:
      window_sizes.check_range(window_range, window, sampled, phase)
      window_range = tuple(window_range)
    # Keras casts inputs before `call`: float32 must be the layer's own type,
    # or a bfloat16 policy would round the embeddings first.
    kwargs.setdefault('dtype', 'float32')
    super().__init__(**kwargs)
    self.window = window
    self.alpha = alpha
    self.weight = weight
    self.sampled = sampled
    self.num_orderings = num_orderings
    self.seed = seed
    self.phase = phase
    self.window_range = window_range
    # MirroredStrategy traces each replica in a thread of its own and switches
    # between them inside the model; a plain attribute would mix them up.
    self._last_call = threading.local()
    if not sampled and window > window_sizes.MAX_EXACT_WINDOW:
      logging.info(
        'A window of %d frames has too many orderings to sum exactly: '
        'sampling %d.',
        window,
        num_orderings,
      )

  @property
  def terms(self) -> SmoothingTerms:
    """What the last call of this thread computed; read it in the same step."""
    return self._last_call.terms

  @property
  def clips_without_window(self) -> tf.Tensor:
    """Clips of the last call that no window fitted into, a float32 scalar."""
    return self._last_call.clips_without_window

  def call(
    self,
    inputs: tf.Tensor,
    num_frames: tf.Tensor | None = None,
    training: bool | None = None,
    cuts: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """[batch, N, D] embeddings in, the same embeddings out.

    Args:
      inputs: [batch, N, D].
      num_frames: [batch] int, how many embeddings of each clip, from the first,
        take part: a window that holds others costs nothing.  None takes all.
      training: whether windows are as `phase` and `window_range` say, and clips
        must be as long as one.  In inference shorter ones have no windows, and
        cost nothing.
      cuts: [batch, N] bool, true for the first embedding of a shot.  Windows
        begin anew there, and none spans two shots; a clip that has no shot as
        long as a window costs nothing.  None: a clip is one shot.

    Raises:
      ValueError: training with clips that are known to be shorter.
    """
    count = inputs.shape[1]
    # Where the length is known, `cut_windows` says it better.
    if training and count is None:
      fits = tf.debugging.assert_greater_equal(
        tf.shape(inputs)[1],
        self.window,
        f'A GRW window of {self.window} frames fits into no clip of the batch.',
      )
      # Before another operation finds fault with what such clips come to.
      with tf.control_dependencies([fits]):
        inputs = tf.identity(inputs)
    if not training and count is not None and count < self.window:
      terms = self._terms(tf.zeros([0, (self.window - 1) ** 2]), self.window)
      windows = tf.zeros([tf.shape(inputs)[0]])
    elif training and self.window_range is not None:
      terms, windows = self._adapted(
        inputs, num_frames, cuts, *self.window_range
      )
    else:
      phase = self.phase if training else 'fixed'
      grams, weights = self._windows(inputs, num_frames, cuts, phase)
      terms = self._terms(grams, self.window, weights)
      windows = (
        tf.ones([tf.shape(inputs)[0]])
        if weights is None
        else _windows_by_clip(weights, inputs)
      )
    self._last_call.terms = terms
    self._last_call.clips_without_window = tf.reduce_sum(
      tf.cast(windows == 0.0, tf.float32)
    )
    if self.weight:
      self.add_loss(self.weight * terms.smoothing_loss)
    return tf.identity(inputs)

  def _terms(
    self, grams: tf.Tensor, window: int, weights: tf.Tensor | None = None
  ) -> SmoothingTerms:
    return gram_terms(
      grams,
      window,
      self.alpha,
      self.sampled,
      self.num_orderings,
      self.seed,
      weights,
    )

  def _windows(
    self,
    inputs: tf.Tensor,
    num_frames: tf.Tensor | None,
    cuts: tf.Tensor | None,
    phase: str,
  ) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Gram matrices and weights of the windows of a phase, clip by clip."""
    window = self.window
    length = _clip_length(inputs, window)
    if phase == 'overlapping':
      grams = overlapping_grams(inputs, window)
      if num_frames is None and cuts is None:
        return grams, None
    elif phase == 'fixed' and cuts is None:
      grams = velocity_gram(velocities(cut_windows(inputs, window)))
      if num_frames is None:
        return grams, None
      return grams, window_weights(num_frames, length, window)
    shots = window_places.shots(inputs, num_frames, cuts)
    if phase == 'overlapping':
      fits = window_places.everywhere(shots, window)[:, : length - window + 1]
      return grams, tf.cast(tf.reshape(fits, [-1]), tf.float32)
    draw = tf.random.uniform([], seed=self.seed) if phase == 'random' else None
    return self._grams_at(
      inputs, window_places.side_by_side(shots, window, draw), window
    )

  def _grams_at(
    self, inputs: tf.Tensor, starts: tf.Tensor, window: int
  ) -> tuple[tf.Tensor, tf.Tensor]:
    windows, weights = window_places.take(inputs, starts, window)
    return velocity_gram(velocities(windows)), weights

  def _adapted(
    self,
    inputs: tf.Tensor,
    num_frames: tf.Tensor | None,
    cuts: tf.Tensor | None,
    shortest: int,
    longest: int,
  ) -> tuple[SmoothingTerms, tf.Tensor]:
    """Terms of the windows that suit each clip, and how many it has."""
    _clip_length(inputs, self.window)
    longest = min(longest, inputs.shape[1] or longest)
    shots = window_places.shots(inputs, num_frames, cuts)
    # The choice is no part of the gradient.
    padded = tf.pad(
      tf.stop_gradient(inputs), [[0, 0], [0, longest - shortest], [0, 0]]
    )
    costs = adaptive_windows.costs(
      overlapping_grams(padded, longest), longest, self.alpha
    )
    chosen = adaptive_windows.segmentation(costs, shots, shortest, longest)
    terms_by_length = {}
    windows = tf.zeros([tf.shape(inputs)[0]])
    for length in range(shortest, longest + 1):
      grams, weights = self._grams_at(inputs, chosen == length, length)
      terms_by_length[length] = self._terms(grams, length, weights)
      windows += _windows_by_clip(weights, inputs)
    return mixed_terms(terms_by_length, self.window, self.alpha), windows

  def get_config(self) -> dict[str, Any]:
    return {
      **super().get_config(),
      'window': self.window,
      'alpha': self.alpha,
      'weight': self.weight,
      'sampled': self.sampled,
      'num_orderings': self.num_orderings,
      'seed': self.seed,
      'phase': self.phase,
      'window_range': self.window_range,
    }


@tf_keras.utils.register_keras_serializable(package='grw')
class GrwSmoothing(SmoothingLayer, tf_keras.layers.Layer):
  """Adds λ · L_smooth of its input to the model's losses; identity otherwise.

  Put it where the embeddings of consecutive frames are, [batch, N, D]:

      embeddings = GrwSmoothing(window=5, alpha=0.5, weight=0.1)(embeddings)

  `model.losses` then holds λ · L_smooth (a float32 scalar, the mean over the
  replica's windows), which any Keras or Model Garden train step adds to its
  own loss.  In inference nothing depends on it, so exported graphs are free
  of it.  `terms` has what the last call computed.

  A layer of tf_keras, which the Model Garden's models are made of.  In a model
  of Keras 3, which `tf.keras` is by default, it does the same: a functional
  model gets a `GrwSmoothingKeras3` in its place, and the losses of any other
  get its loss.
  """

  def __call__(self, inputs: Any, *args, **kwargs) -> Any:
    if keras3.is_symbolic(inputs):
      return self._for_keras3(inputs, *args, **kwargs)
    if keras3.outermost_layer() is not None:
      keras3.require_tensorflow(type(self).__name__)
    return super().__call__(inputs, *args, **kwargs)

  def add_loss(self, losses: Any, **kwargs):
    model = keras3.outermost_layer()
    if model is None:
      super().add_loss(losses, **kwargs)
    else:
      model.add_loss(losses)

  @functools.cached_property
  def _for_keras3(self) -> Any:
    """The same layer of Keras 3, which shares `terms`."""
    from official_ext.grw.losses import keras3_smoothing  # pylint: disable=g-import-not-at-top

    # Keras wraps what from_config raises in text of its own.
    keras3.require_tensorflow(type(self).__name__)
    layer = keras3_smoothing.GrwSmoothingKeras3.from_config(self.get_config())
    layer._last_call = self._last_call
    return layer
