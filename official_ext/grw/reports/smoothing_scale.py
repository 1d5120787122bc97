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

"""How large does GRW-smoothing make a window that is free to be anything?

With no other loss, a window of T embeddings settles where L_smooth is least.
Its radius there, max_t ‖z_t − z_0‖, is O(T √ln T) (Goldman et al., NeurIPS
2025, arXiv 2511.20928, Appendix A, Theorem 1).  With the constant: a collapsed
window costs log (T−1)!, so the least is no more, and neither is its speed term;
by Cauchy and Schwarz,

    radius ≤ Σ‖v_t‖ ≤ √((T−1) · (2/α) · log (T−1)!) ≤ √(2/α) · T √ln T.
"""

from collections.abc import Sequence
import csv
import dataclasses
import io
import math
import os
import pathlib

import matplotlib.figure
import numpy as np
import scipy.optimize
import tensorflow as tf

from official_ext.grw.files import figures
from official_ext.grw.files import whole_file
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.losses import window_sizes
from official_ext.grw.reports import benchmark

# Standard deviations of the points at the starts of the descent.
_START_SCALES = (0.1, 0.3, 1.0, 3.0)


@dataclasses.dataclass(frozen=True)
class Minimum:
  """A window at the least L_smooth that was found.

  Attributes:
    points: [T, D], the first at the origin.
    alpha: α of the loss.
    loss: L_smooth, in nats.
  """

  points: np.ndarray
  alpha: float
  loss: float

  @property
  def window(self) -> int:
    """T, frames in the window."""
    return len(self.points)

  @property
  def radius(self) -> float:
    """max_t ‖z_t − z_0‖."""
    return float(np.linalg.norm(self.points, axis=1).max())

  @property
  def path_length(self) -> float:
    """Σ‖v_t‖."""
    return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

  @property
  def rate(self) -> float:
    """T √ln T."""
    return self.window * math.sqrt(math.log(self.window))

  @property
  def bound(self) -> float:
    """What the radius is at most, by the loss of a collapsed window."""
    collapsed = math.lgamma(self.window)  # log (T−1)!
    return math.sqrt((self.window - 1) * 2 / self.alpha * collapsed)


def minimize(window: int, alpha: float = 0.5, seed: int = 0) -> Minimum:
  """Finds the points of one window that make L_smooth least.

  By L-BFGS over T points in R^T, which is more than their differences can span,
  from several random starts.  All orderings are summed.

  Args:
    window: T, 3 to 12.
    alpha: α > 0; at 0 nothing holds the points together.
    seed: the seed of the starts.

  Raises:
    ValueError: T or α is out of its range.
  """
  least, most = window_sizes.MIN_WINDOW, window_sizes.MAX_EXACT_WINDOW
  if not least <= window <= most:
    raise ValueError(f'window={window}: expected {least} to {most} frames.')
  if alpha <= 0:
    raise ValueError(f'alpha={alpha:g}: expected more than 0.')

  @tf.function(input_signature=[tf.TensorSpec([window, window], tf.float32)])
  def loss_and_gradient(points):
    with tf.GradientTape() as tape:
      tape.watch(points)
      loss = grw_smoothing.smoothing_terms(
        points[tf.newaxis], alpha
      ).smoothing_loss
    return loss, tape.gradient(loss, points)

  def objective(flat):
    loss, gradient = loss_and_gradient(
      flat.reshape([window, window]).astype(np.float32)
    )
    return float(loss), gradient.numpy().astype(np.float64).ravel()

  rng = np.random.default_rng(seed)
  found = [
    scipy.optimize.minimize(
      objective,
      scale * rng.standard_normal(window * window),
      jac=True,
      method='L-BFGS-B',
      options={'maxiter': 2000},
    )
    for scale in _START_SCALES
  ]
  best = min(found, key=lambda result: result.fun)
  points = best.x.reshape([window, window])
  return Minimum(points - points[0], alpha, float(best.fun))


def fit(minima: Sequence[Minimum]) -> tuple[float, float]:
  """Fits the radius to T √ln T.

  Args:
    minima: the minima of several windows.

  Returns:
    The ratio c of the least squares c · T √ln T, and the exponent p of the
    least squares of log radius = p · log(T √ln T) + constant: 1 if the radius
    grows in proportion, less if it grows more slowly.
  """
  radii = np.array([minimum.radius for minimum in minima])
  rates = np.array([minimum.rate for minimum in minima])
  exponent, _ = np.polyfit(np.log(rates), np.log(radii), 1)
  return float(radii @ rates / (rates @ rates)), float(exponent)


_HEADER = (
  'T',
  'L_smooth',
  'collapsed',
  'radius',
  'T √ln T',
  'radius / (T √ln T)',
  'path length',
  'bound',
)


def _numbers(minimum: Minimum) -> list[float]:
  return [
    minimum.loss,
    math.lgamma(minimum.window),
    minimum.radius,
    minimum.rate,
    minimum.radius / minimum.rate,
    minimum.path_length,
    minimum.bound,
  ]


def markdown(minima: Sequence[Minimum]) -> str:
  """A table with a row for each window."""
  return benchmark.markdown_table(
    _HEADER,
    [
      [str(minimum.window), *(f'{value:.3f}' for value in _numbers(minimum))]
      for minimum in minima
    ],
  )


def table_csv(minima: Sequence[Minimum]) -> str:
  """The same as CSV."""
  text = io.StringIO(newline='')
  writer = csv.writer(text)
  writer.writerow(_HEADER)
  for minimum in minima:
    writer.writerow([minimum.window, *_numbers(minimum)])
  return text.getvalue()


def picture(minima: Sequence[Minimum]) -> bytes:
  """A PNG of the radius against T √ln T, and of the windows themselves.

  Each window is projected on its first two principal components.
  """
  ratio, exponent = fit(minima)
  rates = [minimum.rate for minimum in minima]
  figure = matplotlib.figure.Figure(figsize=(11, 6), layout='constrained')
  left, right = figure.subplots(1, 2, width_ratios=(4, 1))
  left.plot(
    rates,
    [minimum.radius for minimum in minima],
    'o',
    color='tab:blue',
    label='radius, max ‖z_t − z_0‖',
  )
  left.plot(
    rates,
    [minimum.path_length for minimum in minima],
    's',
    color='tab:orange',
    label='path length, Σ‖v_t‖',
  )
  left.plot(
    [0, max(rates)],
    [0, ratio * max(rates)],
    color='tab:blue',
    alpha=0.5,
    label=f'{ratio:.2f} · T √ln T, fitted to the radius',
  )
  for minimum in minima:
    left.annotate(
      str(minimum.window),
      (minimum.rate, minimum.radius),
      xytext=(0, -14),
      textcoords='offset points',
      ha='center',
      fontsize=8,
      color='tab:blue',
    )
  left.set_xlabel('T √ln T (numbers: T)')
  left.set_ylim(bottom=0)
  left.set_title(f'radius ∝ (T √ln T)^{exponent:.2f}')
  left.legend()
  for place, minimum in enumerate(minima):
    points = minimum.points
    centered = points - points.mean(axis=0)
    _, _, components = np.linalg.svd(centered, full_matrices=False)
    plane = points @ components[:2].T
    plane *= np.where(plane[-1] < 0, -1, 1)  # All in the same direction.
    right.plot(plane[:, 0], plane[:, 1] - 2.2 * place, '.-', markersize=7)
    right.annotate(
      f'T = {minimum.window}',
      (0, -2.2 * place),
      xytext=(-8, 0),
      textcoords='offset points',
      ha='right',
      va='center',
      fontsize=8,
    )
  right.set_aspect('equal')
  right.set_yticks([])
  right.set_title('two main components')
  for axes in (left, right):
    axes.spines[['top', 'right']].set_visible(False)
  return figures.png(figure)


def write_report(minima: Sequence[Minimum], output_dir: str | os.PathLike[str]):
  """Writes smoothing_scale.md, .csv and .png into a folder, which is made."""
  folder = pathlib.Path(output_dir)
  folder.mkdir(parents=True, exist_ok=True)
  whole_file.write(folder / 'smoothing_scale.md', markdown(minima) + '\n')
  whole_file.write(folder / 'smoothing_scale.csv', table_csv(minima))
  whole_file.write(folder / 'smoothing_scale.png', picture(minima))
