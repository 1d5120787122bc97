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

r"""Compares exported streams along real videos.

  python3 tools/benchmarks/stream_answers.py \
    --models=/tmp/float32,/tmp/dense_int8,/tmp/dynamic_int8 --videos=videos/test

Each model is a folder of an export of the same weights, the first of them the
reference.  Clips are joined to streams of --frames frames, one of every class
in turn, so that what is shown changes all along.  Differences are of logits,
relative to the largest of the reference.
"""

from collections.abc import Iterator
import os
import pathlib
import sys

from absl import app
from absl import flags
import numpy as np
import tqdm

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import exported
from official_ext.grw.reports import benchmark
from official_ext.grw.serving import agreement

_MODELS = flags.DEFINE_list('models', None, 'Folders.', required=True)
_VIDEOS = flags.DEFINE_string(
  'videos',
  None,
  'A folder with a folder of videos for each class.',
  required=True,
)
_FRAMES = flags.DEFINE_integer(
  'frames', 600, 'Frames of a stream.', lower_bound=6
)
_STREAMS = flags.DEFINE_integer('streams', 6, 'Streams at most.', lower_bound=1)


def frames_of_videos(folder: str, rate: float) -> Iterator[np.ndarray]:
  """Frames [height, width, 3] uint8 of a video of each class in turn."""
  classes = [
    sorted(path for path in inner.iterdir() if path.is_file())
    for inner in sorted(pathlib.Path(folder).iterdir())
    if inner.is_dir()
  ]
  for turn in zip(*classes):
    for path in turn:
      for frame in video_decoding.read_frames(str(path), rate):
        yield frame.image


def streams(rate: float) -> list[list[np.ndarray]]:
  """Frames of each stream, taken at a rate."""
  found: list[list[np.ndarray]] = []
  stream: list[np.ndarray] = []
  for frame in frames_of_videos(_VIDEOS.value, rate):
    stream.append(frame)
    if len(stream) == _FRAMES.value:
      found.append(stream)
      stream = []
    if len(found) == _STREAMS.value:
      break
  if not found:
    raise app.UsageError(
      f'--videos={_VIDEOS.value}: expected a folder for each class, and '
      f'{_FRAMES.value} frames in all, found {len(stream)}; ask for fewer by '
      '--frames.'
    )
  return found


def main(_):
  models = [exported.open_model(path) for path in _MODELS.value]
  videos = streams(models[0].frame_rate())
  logits = []
  for model in tqdm.tqdm(models, 'models'):
    of_model = []
    for video in videos:
      model.reset()
      of_model.append([model.step(frame) for frame in video])
    logits.append(np.array(of_model))
  expected = logits[0]
  sixths = np.array_split(np.arange(_FRAMES.value), 6)
  rows = []
  for path, found in zip(_MODELS.value[1:], logits[1:]):
    difference = np.abs(found - expected) / np.abs(expected).max()
    same = found.argmax(-1) == expected.argmax(-1)
    flat = (-1, expected.shape[-1])
    answers = agreement.measure(found.reshape(flat), expected.reshape(flat))
    rows.append(
      [
        os.path.basename(os.path.normpath(path)),
        f'{same.mean():.1%}',
        f'{same[:, sixths[0]].mean():.1%}',
        f'{same[:, sixths[-1]].mean():.1%}',
        f'{difference.mean():.1e}',
        f'{difference[:, sixths[0]].max():.1e}',
        f'{difference[:, sixths[-1]].max():.1e}',
        f'{difference.max():.1e}',
        f'{answers.difference:.1%}',
      ]
    )
  print(
    f'{len(videos)} streams of {_FRAMES.value} frames, against '
    f'{os.path.basename(os.path.normpath(_MODELS.value[0]))}:\n'
    + benchmark.markdown_table(
      [
        '',
        'same top-1',
        'first sixth',
        'last sixth',
        'mean difference',
        'largest, first sixth',
        'largest, last sixth',
        'largest',
        'probability that moved',
      ],
      rows,
    )
  )


if __name__ == '__main__':
  app.run(main)
