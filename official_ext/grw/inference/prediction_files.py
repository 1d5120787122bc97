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

"""A prediction drawn and written: a chart, an annotated video and a table."""

from collections.abc import Iterator
import contextlib
import csv
import fractions
import itertools
import os
import tempfile

import av
import cv2
from matplotlib.backends import backend_agg
import matplotlib.colors
import matplotlib.figure
import matplotlib.image
import matplotlib.ticker
import numpy as np

from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import overlay
from official_ext.grw.inference import prediction
from official_ext.grw.serving import export_folder

# The probabilities over time of the classes with the highest peaks.
CHART_FILE = 'probabilities.png'
# The frames with the model's last answer.
VIDEO_FILE = 'annotated.mp4'
# The answers.
TABLE_FILE = 'predictions.csv'

# Curves with fewer points show them.
_MARKED_POINTS = 40
_LEGEND_LINE = 30  # Pixels.


class _AnnotatedVideo:
  """An H.264 file of frames with panels, of the first frame's size."""

  def __init__(self, path: str, frames_per_second: float):
    self._container = av.open('file:' + path, 'w')
    self._rate = fractions.Fraction(frames_per_second).limit_denominator(1001)
    self._stream: av.VideoStream | None = None
    self._shape: tuple[int, ...] = ()

  def add(
    self,
    frame: video_decoding.TimedFrame,
    heading: str,
    rows: list[tuple[str, float]],
  ):
    """Draws a frame and writes it; its time is rounded to the frame rate."""
    if self._stream is None:
      self._shape = frame.image.shape
      self._stream = self._container.add_stream(
        'libx264', rate=self._rate, options={'crf': '20'}
      )
      # Players want colors for each 2 x 2 pixels.
      self._stream.height = self._shape[0] + self._shape[0] % 2
      self._stream.width = self._shape[1] + self._shape[1] % 2
      self._stream.pix_fmt = 'yuv420p'
    if frame.image.shape != self._shape:
      raise ValueError(
        f'The frame at {frame.seconds:.2f} s has shape {frame.image.shape}, '
        f'after frames of shape {self._shape}: {VIDEO_FILE} has frames of '
        'one size; predict without --output_dir.'
      )
    image = np.pad(
      frame.image,
      [(0, size % 2) for size in self._shape[:2]] + [(0, 0)],
      mode='edge',
    )
    overlay.draw_panel(image, heading, rows)
    picture = av.VideoFrame.from_ndarray(image, 'rgb24')
    picture.pts = round(frame.seconds * self._rate)
    picture.time_base = 1 / self._rate
    self._container.mux(self._stream.encode(picture))

  def finish(self):
    """Writes what the encoder still holds."""
    if self._stream is not None:
      self._container.mux(self._stream.encode())

  def close(self):
    self._container.close()


class PredictionFiles:
  """The files about a video, written as it goes; memory does not grow."""

  def __init__(
    self,
    folder: str,
    labels: list[str],
    top: int,
    frames_per_second: float,
    closing: contextlib.ExitStack,
    threshold: float | None = None,
  ):
    self._folder = folder
    self._threshold = threshold
    self._labels = labels
    self._top = min(top, len(labels))
    self._video = _AnnotatedVideo(
      os.path.join(folder, VIDEO_FILE), frames_per_second
    )
    closing.callback(self._video.close)
    file = closing.enter_context(
      open(os.path.join(folder, TABLE_FILE), 'w', encoding='utf-8', newline='')
    )
    self._table = csv.writer(file)
    self._num_answers = 0
    # Which classes the chart shows is known only at the end.
    self._history = closing.enter_context(tempfile.TemporaryFile(dir=folder))
    self._peaks = np.zeros(len(labels), np.float32)
    self._last: list[tuple[str, float]] = []
    self._status = ': no answer yet'

  def add_frame(self, frame: video_decoding.TimedFrame):
    """Writes a frame with the last answer."""
    self._video.add(frame, f'{frame.seconds:.1f} s{self._status}', self._last)

  def _write_header(self, has_smoothness: bool):
    self._table.writerow(
      [
        'seconds',
        *([] if self._threshold is None else ['labels']),
        *itertools.chain.from_iterable(
          (f'label_{place}', f'probability_{place}')
          for place in range(1, self._top + 1)
        ),
        *(['order_likelihood', 'acceleration'] if has_smoothness else []),
      ]
    )

  def add_answer(
    self,
    seconds: float,
    probabilities: np.ndarray,
    smoothness: np.ndarray | None = None,
  ):
    """Writes an answer of the model.

    Args:
      seconds: the time of the frame.
      probabilities: [classes].
      smoothness: [2], see `signals.SignallingStream`; of all answers or none.
    """
    if not self._num_answers:
      self._write_header(smoothness is not None)
    self._num_answers += 1
    likeliest = [
      (self._labels[number], float(probabilities[number]))
      for number in prediction.top_classes(probabilities, self._top)
    ]
    self._last, self._status = likeliest, ''
    named = []
    if self._threshold is not None:
      found = prediction.present(probabilities, self._threshold)
      named = ['; '.join(self._labels[number] for number in found)]
      self._last = likeliest[: len(found)]
      self._status = '' if found else ': no label'
    self._table.writerow(
      [
        f'{seconds:.3f}',
        *named,
        *itertools.chain.from_iterable(
          (label, f'{probability:.6f}') for label, probability in likeliest
        ),
        *(
          [] if smoothness is None else [f'{value:.6g}' for value in smoothness]
        ),
      ]
    )
    self._peaks = np.maximum(self._peaks, probabilities)
    self._history.write(np.float64(seconds).tobytes())
    acceleration = np.nan if smoothness is None else smoothness[1]
    self._history.write(np.float32(acceleration).tobytes())
    self._history.write(probabilities.astype(np.float32).tobytes())

  def finish(self):
    """Ends the video and draws the chart."""
    self._video.finish()
    self._history.flush()
    history = np.memmap(
      self._history,
      mode='r',
      dtype=[
        ('seconds', np.float64),
        ('acceleration', np.float32),
        ('probabilities', np.float32, len(self._labels)),
      ],
    )
    classes = prediction.top_classes(self._peaks, self._top)
    draw_chart(
      os.path.join(self._folder, CHART_FILE),
      history['seconds'],
      history['probabilities'][:, classes],
      [self._labels[number] for number in classes],
      self._threshold,
      history['acceleration'],
    )


def draw_chart(
  path: str,
  seconds: np.ndarray,
  probabilities: np.ndarray,
  labels: list[str],
  threshold: float | None = None,
  acceleration: np.ndarray | None = None,
):
  """Draws class probabilities over time as a PNG file.

  Args:
    path: the path of the file.
    seconds: [T], when the probabilities are of.
    probabilities: [T, K].
    labels: the names of the K classes.
    threshold: the threshold of several labels, drawn as a dashed line.
    acceleration: [T], how much the embeddings leave their path, drawn below
      where it is a number anywhere.
  """
  has_acceleration = acceleration is not None and np.any(
    np.isfinite(acceleration)
  )
  figure = matplotlib.figure.Figure(
    figsize=(10, 6 if has_acceleration else 4.5),
    dpi=130,
    layout='constrained',
  )
  canvas = backend_agg.FigureCanvasAgg(figure)
  grid = figure.subplots(
    2 if has_acceleration else 1,
    squeeze=False,
    sharex=True,
    height_ratios=[3, 1] if has_acceleration else None,
  )
  axes, last = grid[0, 0], grid[-1, 0]
  if has_acceleration:
    last.plot(seconds, acceleration, color='dimgray', linewidth=1.2)
    last.set_ylabel('acceleration')
    last.set_ylim(bottom=0)
    last.grid(alpha=0.3)
    last.spines[['top', 'right']].set_visible(False)
  marker = 'o' if len(seconds) < _MARKED_POINTS else None
  # An answer holds until the next.
  lines = [
    axes.step(seconds, values, where='post', marker=marker, markersize=4)[0]
    for values in probabilities.T
  ]
  if threshold is not None:
    axes.axhline(threshold, color='black', linestyle='--', linewidth=1)
  last.set_xlabel('seconds')
  axes.set_ylabel('probability')
  axes.set_ylim(0, 1.02)
  axes.margins(x=0.01)
  axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
  canvas.draw()
  chart = np.asarray(canvas.buffer_rgba())[..., :3]

  # Matplotlib's legend lacks the letters of many languages, and reads dollars
  # as formulas.
  legend = np.full(
    (_LEGEND_LINE * (len(labels) + 1), chart.shape[1], 3), 255, np.uint8
  )
  for number, (line, label) in enumerate(zip(lines, labels)):
    y = _LEGEND_LINE // 2 + number * _LEGEND_LINE
    color = [
      round(255 * part) for part in matplotlib.colors.to_rgb(line.get_color())
    ]
    middle = y + _LEGEND_LINE // 2
    cv2.line(legend, (100, middle), (140, middle), color, 5, cv2.LINE_AA)
    overlay.draw_text(
      legend,
      label,
      (156, y),
      round(0.65 * _LEGEND_LINE),
      chart.shape[1] - 200,
      (30, 30, 30),
    )
  matplotlib.image.imsave(path, np.concatenate([chart, legend]), format='png')


@contextlib.contextmanager
def writing(
  output_dir: str,
  labels: list[str],
  top: int,
  frames_per_second: float,
  threshold: float | None = None,
) -> Iterator[PredictionFiles]:
  """Makes a folder of files that appears when the `with` block succeeds.

  Args:
    output_dir: the folder to make.
    labels: the names of all classes.
    top: how many classes are drawn and written.
    frames_per_second: the rate of the video.
    threshold: where a video may have several labels, the probability from which
      on they are drawn and named; None where it has one.

  Raises:
    export_folder.ExportError: `output_dir` is there already.
  """
  with contextlib.ExitStack() as closing:
    folder = closing.enter_context(export_folder.whole_folder(output_dir))
    yield PredictionFiles(
      folder, labels, top, frames_per_second, closing, threshold
    )
