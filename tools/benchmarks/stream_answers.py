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
relative to the largest of the reference.  Milliseconds are of a frame, by the
client that swaps states, medians over streams of 50 frames in turns.

With --calibration_videos the first model, of float32, is tried in two more
ways, which are not offered: with its convolutions in integers of fixed scales,
between float states, the depthwise ones too or not.  The scales are those of
the ranges along a stream of other videos.
"""

from collections.abc import Iterable, Iterator
import contextlib
import functools
import io
import itertools
import os
import pathlib
import sys
import tempfile

from absl import app
from absl import flags
from ai_edge_litert import interpreter as litert
from ai_edge_quantizer import qtyping
from ai_edge_quantizer import quantizer
import numpy as np
import tqdm

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_sources
from official_ext.grw.inference import exported
from official_ext.grw.inference import tflite_stream
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
_CALIBRATION_VIDEOS = flags.DEFINE_string(
  'calibration_videos', None, 'A folder like that of --videos.'
)
_REPEATS = flags.DEFINE_integer(
  'repeats', 9, 'Timed streams of each.', lower_bound=1
)

_TIMED_FRAMES = 50
_CALIBRATION_FRAMES = 200
_NAMES = qtyping.TFLOperationName
# What is tried, by what computes in integers.
_STATIC = {
  'static int8': (_NAMES.CONV_2D,),
  'static int8, depthwise too': (_NAMES.CONV_2D, _NAMES.DEPTHWISE_CONV_2D),
}


def frames_of_videos(
  folder: str, model: exported.ExportedModel
) -> Iterator[np.ndarray]:
  """Frames as the model takes them, of a video of each class in turn."""
  of_class: dict[str, list[str]] = {}
  for clip in video_sources.folder_sources(folder, True).clips:
    of_class.setdefault(clip.label, []).append(clip.path)
  for turn in zip(*(sorted(paths) for _, paths in sorted(of_class.items()))):
    for path in turn:
      for frame in video_decoding.read_frames(path, model.frame_rate()):
        yield model.prepared(frame.image)


def streams(model: exported.ExportedModel) -> np.ndarray:
  """Streams as the model takes them: [streams, frames, S, S, 3]."""
  frames = list(
    itertools.islice(
      frames_of_videos(_VIDEOS.value, model), _STREAMS.value * _FRAMES.value
    )
  )
  count = len(frames) // _FRAMES.value
  if not count:
    raise app.UsageError(
      f'--videos={_VIDEOS.value}: expected a folder for each class, and '
      f'{_FRAMES.value} frames in all, found {len(frames)}; ask for fewer by '
      '--frames.'
    )
  found = np.stack(frames[: count * _FRAMES.value])
  return found.reshape(count, _FRAMES.value, *found.shape[1:])


def inputs_along(path: str, frames: Iterable[np.ndarray]) -> list[dict]:
  """What the signature of a float32 file is given along a stream."""
  interpreter = litert.Interpreter(path)
  run = interpreter.get_signature_runner()
  states = {
    name: np.zeros(detail['shape'], detail['dtype'])
    for name, detail in run.get_input_details().items()
    if name != 'image'
  }
  given = []
  for frame in frames:
    given.append(
      {'image': np.asarray(frame, np.float32)[np.newaxis, np.newaxis], **states}
    )
    outputs = run(**given[-1])
    states = {name: outputs[name] for name in states}
  return given


def write_static(
  source: str, folder: str, model: exported.ExportedModel
) -> dict[str, str]:
  """Writes a float32 file with convolutions in integers; paths by name."""
  given = inputs_along(
    source,
    itertools.islice(
      frames_of_videos(_CALIBRATION_VIDEOS.value, model), _CALIBRATION_FRAMES
    ),
  )
  paths = {}
  for name, operations in _STATIC.items():
    recipe = quantizer.Quantizer(source)
    recipe.add_dynamic_config(
      regex='.*', operation_name=_NAMES.FULLY_CONNECTED, num_bits=8
    )
    for operation in operations:
      recipe.add_static_config(
        regex='.*',
        operation_name=operation,
        activation_num_bits=8,
        weight_num_bits=8,
      )
    paths[name] = os.path.join(folder, f'{name}.tflite')
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(io.StringIO()),
    ):  # Progress.
      ranges = recipe.calibrate({'serving_default': given}, num_threads=1)
      recipe.quantize(ranges).export_model(paths[name])
  return paths


def main(_):
  paths = {
    os.path.basename(os.path.normpath(path)): os.path.join(
      path, tflite_stream.MODEL_FILE
    )
    for path in _MODELS.value
  }
  first_model = exported.open_model(_MODELS.value[0])
  videos = streams(first_model)
  with tempfile.TemporaryDirectory() as folder:
    if _CALIBRATION_VIDEOS.value:
      source = next(iter(paths.values()))
      paths |= write_static(source, folder, first_model)
    compare(paths, videos)


def compare(paths: dict[str, str], videos: np.ndarray):
  """Prints the table of files, by name, against the first of them."""
  names = list(paths)
  models = [tflite_stream.TfliteStream(path) for path in paths.values()]

  def run(model, video):
    model.reset()
    return [model.step(frame) for frame in video]

  logits = [
    np.array([run(model, video) for video in videos])
    for model in tqdm.tqdm(models, 'models')
  ]
  timed = videos[0, :_TIMED_FRAMES]
  seconds = benchmark.medians(
    [functools.partial(run, model, timed) for model in models], _REPEATS.value
  )
  expected = logits[0]
  first, *_, last = np.array_split(np.arange(_FRAMES.value), 6)
  rows = []
  for name, found, duration in zip(names, logits, seconds):
    difference = np.abs(found - expected) / np.abs(expected).max()
    same = found.argmax(-1) == expected.argmax(-1)
    flat = (-1, expected.shape[-1])
    answers = agreement.measure(found.reshape(flat), expected.reshape(flat))
    rows.append(
      [
        name,
        f'{same.mean():.1%}',
        f'{same[:, first].mean():.1%}',
        f'{same[:, last].mean():.1%}',
        f'{answers.difference:.1%}',
        f'{difference.mean():.1e}',
        f'{difference[:, first].max():.1e}',
        f'{difference[:, last].max():.1e}',
        f'{difference.max():.1e}',
        f'{1e3 * duration / len(timed):.2f}',
        f'{duration / seconds[0]:.2f}',
      ]
    )
  print(
    f'{benchmark.machine()}; {len(videos)} streams of {_FRAMES.value} frames, '
    f'against {names[0]}:\n'
    + benchmark.markdown_table(
      [
        '',
        'same top-1',
        'first sixth',
        'last sixth',
        'probability that moved',
        'mean difference',
        'largest, first sixth',
        'largest, last sixth',
        'largest',
        'ms a frame',
        'ratio',
      ],
      rows,
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
