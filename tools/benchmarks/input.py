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

"""Times the input pipeline against the training it feeds.

  python3 tools/benchmarks/input.py

Writes TFRecords of synthetic videos as the published configs want them (JPEG
frames of 5 a second, shorter side 200), reads them as `movinet_grw_kinetics600`
trains on them, and prints: frames a second of the pipeline alone and of a
training step of MoViNet-A0-Stream alone, the share of a step that waits for its
input when one feeds the other, and resident memory after 200 and 2,000 clips.
"""

from collections.abc import Iterator
import itertools
import pathlib
import statistics
import sys
import tempfile
import time

from absl import flags
import numpy as np
from official.core import exp_factory
from official.core import task_factory
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark

RATIO_LIMIT = 3.0
# In batches: tf.data tunes how many it reads ahead.  A leak would keep all.
GROWTH_LIMIT = 8
_BATCH = flags.DEFINE_integer('batch', 2, 'Clips in a step.', lower_bound=1)
_STEPS = flags.DEFINE_integer(
  'steps', 12, 'Timed training steps of each kind.', lower_bound=3
)
_VIDEOS = flags.DEFINE_integer(
  'videos', 40, 'Different videos, read over and over.', lower_bound=1
)
_CLIPS = flags.DEFINE_multi_integer(
  'clips',
  [200, 2000],
  'After how many clips to look at the memory; the '
  'pipeline is timed between the first and the last.',
)
_HEIGHT, _WIDTH = 200, 356  # 16 : 9


def video(frames: int, seed: int) -> np.ndarray:
  """A pan over a still with the spectrum of natural images.

  Args:
    frames: N.
    seed: the seed of the picture.

  Returns:
    [N, 200, 356, 3] uint8.
  """
  rng = np.random.default_rng(seed)
  height, width = _HEIGHT, _WIDTH + 2 * frames
  frequency = np.hypot(
    np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)
  )
  frequency[0, 0] = np.inf  # No mean.
  # Amplitude falls as one over the frequency.
  spectrum = np.fft.fft2(rng.standard_normal([3, height, width])) / frequency
  still = np.fft.ifft2(spectrum).real.transpose(1, 2, 0)
  still = np.clip(128 + 50 * still / still.std(), 0, 255).astype(np.uint8)
  return np.stack([still[:, 2 * n : 2 * n + _WIDTH] for n in range(frames)])


def write_records(path: str, videos: int, frames: int) -> float:
  """Writes labeled videos as the Model Garden reads them.

  Args:
    path: the path of the TFRecord file.
    videos: how many.
    frames: in each.

  Returns:
    Mean bytes of an encoded frame.
  """
  sizes = []
  with tf.io.TFRecordWriter(path) as writer:
    for number in range(videos):
      example = tf.train.SequenceExample()
      example.context.feature['clip/label/index'].int64_list.value.append(
        number
      )
      images = example.feature_lists.feature_list['image/encoded']
      for image in video(frames, number):
        encoded = tf.io.encode_jpeg(image, quality=95).numpy()
        images.feature.add().bytes_list.value.append(encoded)
        sizes.append(len(encoded))
      writer.write(example.SerializeToString())
  return statistics.mean(sizes)


def seconds_of(step, batches: Iterator, count: int) -> float:
  """Median seconds of a step that takes the next batch, three warm-ups off."""
  seconds = []
  for batch in itertools.islice(batches, count + 3):
    start = time.perf_counter()
    step(*batch).numpy()
    seconds.append(time.perf_counter() - start)
  return statistics.median(seconds[3:])


def seconds_between(step, batches: Iterator, count: int) -> float:
  """As `seconds_of`, from step to step: with the wait for the batch."""
  moments = []
  for batch in itertools.islice(batches, count + 3):
    step(*batch).numpy()
    moments.append(time.perf_counter())
  return statistics.median(np.diff(moments[2:]))


def main(_):
  config = exp_factory.get_exp_config('movinet_grw_kinetics600')
  data = config.task.train_data
  data.global_batch_size = _BATCH.value
  config.task.seed = 0
  with tempfile.TemporaryDirectory() as folder:
    data.input_path = f'{folder}/train.tfrecord'
    frames = data.feature_shape[0]
    size = write_records(data.input_path, _VIDEOS.value, frames)
    config.validate()
    task = task_factory.get_task(config.task)
    print(
      f'{benchmark.machine()}; TensorFlow {tf.__version__}; '
      f'tf_keras {tf_keras.__version__}'
    )
    print(
      f'{_VIDEOS.value} videos of {frames} frames, {_WIDTH} x {_HEIGHT}, '
      f'{size / 1024:.0f} KiB a frame; batches of {_BATCH.value}',
      flush=True,
    )

    batches = iter(task.build_inputs(data))
    memory, done = [], 0
    start = time.perf_counter()
    for number, clips in enumerate(sorted(_CLIPS.value)):
      while done < clips:
        batch = next(batches)
        done += _BATCH.value
      memory.append(benchmark.resident_memory_mib())
      if not number:
        first, start = done, time.perf_counter()
    # With one number alone, from the very start.
    timed = done - first or done
    delivered = frames * timed / (time.perf_counter() - start)

    model = task.build_model()
    optimizer = task.create_optimizer(config.trainer.optimizer_config)
    metrics = task.build_metrics()

    @tf.function
    def step(features, labels):
      return task.train_step((features, labels), model, optimizer, metrics)[
        'loss'
      ]

    alone = seconds_of(step, itertools.repeat(batch), _STEPS.value)
    fed = seconds_between(step, batches, _STEPS.value)

  trained = frames * _BATCH.value / alone
  ratio = delivered / trained
  batch_mib = _BATCH.value * 4 * np.prod(data.feature_shape) / 2**20
  growth = (memory[-1] - memory[0]) / batch_mib
  print(
    benchmark.markdown_table(
      ['', 'frames a second', 'ms a step'],
      [
        (
          'input pipeline alone',
          f'{delivered:,.0f}',
          f'{1e3 * frames * _BATCH.value / delivered:,.0f}',
        ),
        ('training step alone', f'{trained:,.0f}', f'{1e3 * alone:,.0f}'),
        (
          'training step fed by it',
          f'{frames * _BATCH.value / fed:,.0f}',
          f'{1e3 * fed:,.0f}',
        ),
      ],
    )
  )
  print(
    f'The pipeline is {ratio:.1f} times as fast as training '
    f'(expected: at least {RATIO_LIMIT:g}); of a step it takes '
    f'{max(0.0, 1 - alone / fed):.1%}.'
  )
  print(
    'Resident memory after '
    + ', '.join(
      f'{clips:,} clips {mib:,.0f} MiB'
      for clips, mib in zip(sorted(_CLIPS.value), memory)
    )
    + f': {growth:+.1f} batches of {batch_mib:.0f} MiB (expected: '
    f'at most {GROWTH_LIMIT})'
  )
  if ratio < RATIO_LIMIT or growth > GROWTH_LIMIT:
    sys.exit('The pipeline is slower, or its memory grows more, than expected.')


if __name__ == '__main__':
  benchmark.run(main)
