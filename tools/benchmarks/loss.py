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

"""Times the GRW loss against the form that gathers permuted embeddings.

  python3 tools/benchmarks/loss.py

Prints, for each size, median milliseconds forward and backward of both forms
and their ratio; the same of overlapping windows against fixed ones; then the
peak memory of both forms at T = 7, each in a process of its own.  Needs about
20 GB of memory for the other form; `--phases` leaves it out.  `--adaptive`
times windows that adapt and windows that stop at cuts instead.
"""

from collections.abc import Callable, Sequence
import itertools
import pathlib
import subprocess
import sys
from typing import Any

from absl import flags
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.losses import grw_smoothing
from official_ext.grw.reports import benchmark

# T, windows, D, orderings of the gathered form (0: all), least ratio.
SIZES = (
  (5, 320, 480, 0, 30),
  (6, 640, 744, 0, 150),
  (7, 320, 480, 0, 500),
  (10, 160, 480, 1000, 100),
)
# T, clips, N, D, greatest ratio of overlapping to fixed windows; none where
# the orderings of the windows, which share nothing, cost more than all else.
PHASE_SIZES = (
  (5, 32, 50, 480, 2),
  (6, 32, 120, 744, 2),
  (7, 32, 70, 480, 2),
  (10, 16, 100, 480, None),
)
# T, clips, N, D, ranges of windows that adapt.
ADAPTIVE_SIZES = (
  (5, 32, 10, 480, ([3, 6], [3, 8], [3, 10])),
  (5, 32, 50, 480, ([3, 6], [3, 8])),
)
MEMORY_SIZE = SIZES[2]
MEMORY_RATIO = 50

_REPEATS = flags.DEFINE_integer(
  'repeats', 5, 'Timed calls of each form.', lower_bound=1
)
_PHASES = flags.DEFINE_bool(
  'phases', False, 'Only time overlapping windows against fixed ones.'
)
_ADAPTIVE = flags.DEFINE_bool(
  'adaptive',
  False,
  'Only time windows that adapt, and windows that stop at cuts, against fixed '
  'ones.',
)
_PEAK = flags.DEFINE_enum(
  'peak',
  None,
  ['ours', 'gathered', 'neither'],
  'Only print the peak memory, in MiB, of one form at T = 7.',
)


def gathered_loss(
  windows: tf.Tensor, orders: np.ndarray, alpha: float = 0.5
) -> tf.Tensor:
  """The loss on permuted copies [windows, P, T, D] of the embeddings."""
  permuted = tf.gather(windows, tf.constant(orders), axis=1)
  velocity = permuted[:, :, 1:] - permuted[:, :, :-1]
  acceleration = velocity[:, :, 1:] - velocity[:, :, :-1]
  energy = 0.5 * tf.reduce_sum(acceleration**2, axis=[2, 3])
  order = energy[:, 0] + tf.reduce_logsumexp(-energy, axis=1)
  speed = 0.5 * tf.reduce_sum(velocity[:, 0] ** 2, axis=[1, 2])
  return tf.reduce_mean(order + alpha * speed)


def our_loss(windows: tf.Tensor) -> tf.Tensor:
  return grw_smoothing.smoothing_terms(windows).smoothing_loss


def orders_of(window: int, count: int) -> np.ndarray:
  """All orderings that keep frame 0, or `count` of them."""
  if not count:
    return np.array(
      [(0,) + rest for rest in itertools.permutations(range(1, window))]
    )
  rng = np.random.default_rng(0)
  drawn = [np.arange(window)]
  drawn += [
    np.append(0, 1 + rng.permutation(window - 1)) for _ in range(count - 1)
  ]
  return np.array(drawn)


def forward_and_backward(loss, windows: tf.Tensor):
  """A function that computes loss and gradient, and waits for them."""

  @tf.function(autograph=False)
  def step(windows):
    with tf.GradientTape() as tape:
      tape.watch(windows)
      value = loss(windows)
    return value, tape.gradient(value, windows)

  return lambda: step(windows)[1][0, 0, 0].numpy()


def forms(window, count, dim, orderings):
  """Both forms, ready to time, on the same random windows."""
  windows = tf.constant(
    0.1 * np.random.default_rng(0).standard_normal([count, window, dim]),
    tf.float32,
  )
  orders = orders_of(window, orderings)
  return (
    forward_and_backward(our_loss, windows),
    forward_and_backward(lambda x: gathered_loss(x, orders), windows),
  )


def phases(window, count, frames, dim):
  """The loss of fixed and of overlapping windows of the same random clips."""
  clips = tf.constant(
    0.1 * np.random.default_rng(0).standard_normal([count, frames, dim]),
    tf.float32,
  )

  def fixed(clips):
    return our_loss(grw_smoothing.cut_windows(clips, window))

  def overlapping(clips):
    grams = grw_smoothing.overlapping_grams(clips, window)
    return grw_smoothing.gram_terms(grams, window).smoothing_loss

  return [forward_and_backward(loss, clips) for loss in (fixed, overlapping)]


def compare_phases() -> bool:
  """Prints a table of `PHASE_SIZES`; returns whether a ratio is too great."""
  failed, rows = False, []
  for window, count, frames, dim, greatest in PHASE_SIZES:
    fixed, overlapping = benchmark.medians(
      phases(window, count, frames, dim), _REPEATS.value
    )
    failed |= greatest is not None and overlapping / fixed > greatest
    rows.append(
      (
        f'T = {window}, {count} clips, N = {frames}, D = {dim}',
        f'{1e3 * fixed:.2f}',
        f'{1e3 * overlapping:.2f}',
        f'{overlapping / fixed:.2f}×',
        f'{greatest}×' if greatest else '',
      )
    )
  print(
    benchmark.markdown_table(
      ('', 'fixed, ms', 'overlapping, ms', 'ratio', 'expected below'), rows
    )
  )
  return failed


def adaptive(
  window: int, count: int, frames: int, dim: int, ranges: Sequence[list[int]]
) -> list[tuple[str, Callable[[], Any]]]:
  """Names, and losses of the layer on the same random walks of embeddings."""
  rng = np.random.default_rng(0)
  steps = rng.standard_normal([count, frames, dim])
  clips = tf.constant(0.05 * np.cumsum(steps, axis=1), tf.float32)
  # A cut in the middle of each clip.
  cuts = tf.repeat(tf.range(frames)[tf.newaxis] == frames // 2, count, axis=0)

  def loss_of(cuts=None, **settings):
    layer = grw_smoothing.GrwSmoothing(window=window, weight=1.0, **settings)

    def loss(clips):
      layer(clips, training=True, cuts=cuts)
      return layer.terms.smoothing_loss

    return forward_and_backward(loss, clips)

  return [
    ('fixed', loss_of()),
    ('fixed, one cut', loss_of(cuts=cuts)),
    *(
      (f'{span[0]} to {span[1]}', loss_of(window_range=span)) for span in ranges
    ),
  ]


def compare_adaptive():
  """Prints a table of `ADAPTIVE_SIZES`."""
  rows = []
  for window, count, frames, dim, ranges in ADAPTIVE_SIZES:
    losses = adaptive(window, count, frames, dim, ranges)
    times = benchmark.medians([loss for _, loss in losses], _REPEATS.value)
    for (name, _), time in zip(losses, times):
      rows.append(
        (
          f'T = {window}, {count} clips, N = {frames}, D = {dim}',
          name,
          f'{1e3 * time:.2f}',
          f'{time / times[0]:.2f}×',
        )
      )
  print(benchmark.markdown_table(('', 'windows', 'ms', 'ratio'), rows))


def peak_memory(form: str) -> float:
  """Peak MiB of a process that runs one form once."""
  output = subprocess.run(
    [sys.executable, __file__, f'--peak={form}'],
    check=True,
    capture_output=True,
    text=True,
  ).stdout
  return float(output.splitlines()[-1])


def main(_):
  if _PEAK.value:
    ours, gathered = forms(*MEMORY_SIZE[:4])
    {'ours': ours, 'gathered': gathered, 'neither': lambda: None}[_PEAK.value]()
    print(benchmark.peak_memory_mib())
    return

  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; medians of '
    f'{_REPEATS.value}, forward and backward\n'
  )
  if _PHASES.value:
    if compare_phases():
      sys.exit('A ratio is above what is expected.')
    return
  if _ADAPTIVE.value:
    compare_adaptive()
    return
  # First, while this process holds nothing.
  baseline = peak_memory('neither')
  ours, gathered = (
    peak_memory(form) - baseline for form in ('ours', 'gathered')
  )
  failed = gathered < MEMORY_RATIO * ours
  memory = (
    f'\nPeak memory at T = 7 above a process that runs neither: ours '
    f'{ours:.0f} MiB, gathered {gathered:.0f} MiB, ratio '
    f'{gathered / ours:.0f}× (expected: at least {MEMORY_RATIO}×)'
  )
  rows = []
  for window, count, dim, orderings, least in SIZES:
    ours, gathered = benchmark.medians(
      forms(window, count, dim, orderings), _REPEATS.value, warm_up=1
    )
    failed |= gathered / ours < least
    rows.append(
      (
        f'T = {window}, {count} windows, D = {dim}',
        f'{1e3 * ours:.2f}',
        f'{1e3 * gathered:.0f}' + (' (1,000 sampled)' if orderings else ''),
        f'{gathered / ours:.0f}×',
        f'{least}×',
      )
    )
    print(rows[-1], file=sys.stderr)
  print(
    benchmark.markdown_table(
      ('', 'ours (exact), ms', 'gathered, ms', 'ratio', 'expected'), rows
    )
  )

  print()
  failed |= compare_phases()
  print(memory)
  if failed:
    sys.exit('A ratio is not what is expected.')


if __name__ == '__main__':
  benchmark.run(main)
