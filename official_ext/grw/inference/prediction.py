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

"""What an exported model says of a video.

Only what predicting takes is imported here, so that it runs on small machines;
`prediction_files` draws and writes.
"""

from collections.abc import Callable, Iterable, Mapping
import contextlib
from typing import NamedTuple, Protocol

import numpy as np

from official_ext.grw.datasets import video_decoding
from official_ext.grw.serving import model_card

# From this probability on, one of several labels is said to be there.
THRESHOLD = 0.5


class Model(Protocol):
  """What answers frames: an `ExportedModel`."""

  card: model_card.ModelCard
  labels: list[str]

  @property
  def signals(self) -> Mapping[str, np.ndarray]:
    """What a stream says of the last frame beside logits, by name."""

  def reset(self) -> None:
    """Begins another video."""

  def step(self, frame: np.ndarray) -> np.ndarray | None:
    """Takes the next frame; returns logits [classes] or None."""

  def finish(self) -> np.ndarray | None:
    """Ends a video; returns logits [classes] or None."""

  def probabilities(self, logits: np.ndarray) -> np.ndarray:
    """What logits [classes] mean."""


class Prediction(NamedTuple):
  """What a model says after the last frame of a video.

  Attributes:
    seconds: the time of the last frame since the first.
    num_frames: that the model was fed.
    probabilities: [classes] float32.
  """

  seconds: float
  num_frames: int
  probabilities: np.ndarray


def top_classes(values: np.ndarray, count: int) -> list[int]:
  """Numbers of the classes with the largest values, largest first."""
  return np.argsort(-values, kind='stable')[:count].tolist()


def present(probabilities: np.ndarray, threshold: float) -> list[int]:
  """Numbers of the classes that reach a threshold, most probable first."""
  return [
    number
    for number in top_classes(probabilities, len(probabilities))
    if probabilities[number] >= threshold
  ]


def table(
  prediction: Prediction,
  labels: list[str],
  top: int,
  threshold: float | None = None,
) -> str:
  """The most probable classes, a line each.

  Args:
    prediction: the prediction of the video.
    labels: the names of the classes.
    top: how many classes.
    threshold: where a video may have several labels, the probability from which
      on they are named in the first line; None where it has one.
  """
  title = f'After {prediction.num_frames} frames, at {prediction.seconds:.2f} s'
  if threshold is not None:
    found = present(prediction.probabilities, threshold)
    named = ', '.join(labels[number] for number in found) or 'no label'
    title += f', {named} ({threshold:.0%} or more)'
  lines = [f'{title}:']
  lines += [
    f'{place:3} {prediction.probabilities[number]:7.1%}  {labels[number]}'
    for place, number in enumerate(
      top_classes(prediction.probabilities, top), 1
    )
  ]
  return '\n'.join(lines)


def predict(
  model: Model,
  frames: Iterable[video_decoding.TimedFrame],
  frames_per_second: float = 0.0,
  top: int = 5,
  output_dir: str | None = None,
  seconds: float | None = None,
  stopped: Callable[[], bool] = lambda: False,
  show_progress: bool = False,
  threshold: float = THRESHOLD,
) -> Prediction:
  """Feeds a video to a model, frame by frame, in memory that does not grow.

  Args:
    model: is reset before.
    frames: the frames of the video, or of a camera without end.
    frames_per_second: the rate of `frames`; read only with `output_dir`.
    top: how many classes are written.
    output_dir: folder to make for what `prediction_files` writes; None writes
      nothing.
    seconds: where to stop; None is at the end.
    stopped: asked before each frame; true ends the video there.
    show_progress: on terminals, until the end or an error.
    threshold: the probability from which on a label is said to be there, where
      a video may have several; otherwise without effect.

  Returns:
    What the model says after the last frame.

  Raises:
    ValueError: the video is of no frames or cannot be read to its end, a frame
      cannot be used, or `output_dir` exists; nothing is written then.
  """
  probabilities: np.ndarray | None = None
  end, count = 0.0, 0
  model.reset()
  with contextlib.ExitStack() as closing:
    files = bar = None
    # pylint: disable=g-import-not-at-top
    if output_dir is not None:
      from official_ext.grw.inference import prediction_files

      files = closing.enter_context(
        prediction_files.writing(
          output_dir,
          model.labels,
          top,
          frames_per_second,
          threshold if model.card.multi_label else None,
        )
      )
    if show_progress:
      import tqdm

      bar = closing.enter_context(
        tqdm.tqdm(frames, unit=' frames', leave=False, disable=None)
      )
    # pylint: enable=g-import-not-at-top

    def answer(logits: np.ndarray | None):
      nonlocal probabilities
      if logits is None:
        return
      probabilities = model.probabilities(logits)
      if files is not None:
        files.add_answer(end, probabilities, model.signals.get('smoothness'))
      if bar is not None:
        best = int(np.argmax(probabilities))
        bar.set_postfix_str(
          f'{probabilities[best]:.0%} {model.labels[best]}', refresh=False
        )

    for frame in frames if bar is None else bar:
      if stopped() or (seconds is not None and frame.seconds >= seconds):
        break
      end, count = frame.seconds, count + 1
      answer(model.step(frame.image))
      if files is not None:
        files.add_frame(frame)
    answer(model.finish())
    if probabilities is None:
      raise ValueError('No frame before the end: there is nothing to predict.')
    if files is not None:
      files.finish()
  return Prediction(end, count, probabilities)
