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

"""Exported models of all kinds, fed one video frame after the other."""

import collections
from collections.abc import Callable, Iterable
import os
from typing import Protocol

import numpy as np

from official_ext.grw.datasets import labels as label_files
from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import frame_preparation
from official_ext.grw.inference import prediction
from official_ext.grw.inference import published_card
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import model_card


class Runner(Protocol):
  """What answers prepared frames, one after the other."""

  def reset(self) -> None:
    """Begins another video."""

  def step(self, image: np.ndarray) -> np.ndarray | None:
    """Takes a frame; returns logits [classes], if there are any yet."""


class Clips:
  """A clip model that answers each N frames, of the last N."""

  def __init__(
    self, classify: Callable[[np.ndarray], np.ndarray], num_frames: int
  ):
    self._classify = classify
    self._num_frames = num_frames
    self.reset()

  def reset(self):
    self._frames: collections.deque[np.ndarray] = collections.deque(
      maxlen=self._num_frames
    )
    self._unanswered = 0

  def step(self, image: np.ndarray) -> np.ndarray | None:
    if self._frames and image.shape != self._frames[0].shape:
      raise ValueError(
        f'A frame has shape {image.shape} after frames of shape '
        f'{self._frames[0].shape}: a clip has frames of one size.'
      )
    self._frames.append(image)
    self._unanswered += 1
    return self.finish() if self._unanswered == self._num_frames else None

  def finish(self) -> np.ndarray | None:
    if not self._unanswered:
      return None
    self._unanswered = 0
    return self._classify(np.stack(self._frames))


class ExportedModel:
  """A model as a client sees it: frames of any size in, answers out.

  Made by `open_model`.

  Attributes:
    card: the model's description.
    labels: names of the classes.
    assumed: a line that says what of the card is assumed, or ''.
  """

  def __init__(
    self,
    card: model_card.ModelCard,
    labels: list[str],
    preparation: frame_preparation.Preparation,
    runner: Runner,
    assumed: str = '',
  ):
    self.card = card
    self.labels = labels
    self.assumed = assumed
    self._preparation = preparation
    self._runner = runner

  def frame_rate(
    self, given: float | None = None, option: str = 'frames_per_second'
  ) -> float:
    """Frames a second to feed: the given number, or what the card says.

    Args:
      given: takes precedence; None leaves it to the card.
      option: what an error calls `given`.

    Raises:
      ValueError: neither says.
    """
    rate = given or self.card.frames_per_second
    if rate is None:
      raise ValueError(
        f'The card of {self.card.name} does not say frames_per_second: give '
        f'{option}, the rate of the clips that the model was trained with'
        + (
          "; its sampling is 'segments': "
          f"{self.card.num_frames} divided by the video's seconds."
          if self.card.sampling == 'segments'
          else '.'
        )
      )
    return rate

  def predict(
    self,
    video: str | os.PathLike[str] | Iterable[np.ndarray],
    frames_per_second: float | None = None,
  ) -> list[tuple[str, float]]:
    """What the model says of a whole video.

    Args:
      video: a file; or frames [height, width, 3] uint8 RGB, at the rate that
        the model wants.
      frames_per_second: at which to take frames of a file; by default the rate
        that the card says.

    Returns:
      Labels and their probabilities after the last frame, the most probable
      first.

    Raises:
      ValueError: the video cannot be read to its end or has no frames, or a
        frame has another shape or type.
    """
    if isinstance(video, (str, os.PathLike)):
      frames = video_decoding.read_frames(
        os.fspath(video), self.frame_rate(frames_per_second)
      )
    else:
      frames = (
        video_decoding.TimedFrame(float(number), image)
        for number, image in enumerate(video)
      )
    probabilities = prediction.predict(self, frames).probabilities
    return [
      (self.labels[number], float(probabilities[number]))
      for number in prediction.top_classes(probabilities, len(self.labels))
    ]

  def prepared(self, frame: np.ndarray) -> np.ndarray:
    """What the model is fed of a frame.

    A model of uint8 input resizes, crops and scales by itself and gets the
    frame as it is; for others this is done here, as in evaluation.

    Args:
      frame: [height, width, 3] uint8 RGB.

    Raises:
      ValueError: the frame has another shape or type.
    """
    if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
      raise ValueError(
        f'A frame is {frame.dtype} of shape {frame.shape}: '
        'expected uint8 [height, width, 3].'
      )
    if self.card.input['dtype'] == 'uint8':
      return frame
    return self._preparation(frame)

  def reset(self):
    """Begins another video."""
    self._runner.reset()

  def step(self, frame: np.ndarray) -> np.ndarray | None:
    """Takes the next frame.

    Args:
      frame: [height, width, 3] uint8 RGB, of any size.

    Returns:
      Logits [classes] float32.  Of a streaming model those after this frame
      (between two runs of its head, the last run's); of a clip model, those of
      the last N frames at each N-th frame and otherwise None.

    Raises:
      ValueError: the frame has another shape or type, or the logits are not of
        as many classes as the card says.
    """
    return self._checked(self._runner.step(self.prepared(frame)))

  def finish(self) -> np.ndarray | None:
    """Ends a video.

    Returns:
      Of a clip model, logits [classes] of the last N frames, or of as many as
      there are, unless the last frame was answered for; otherwise None.
    """
    if isinstance(self._runner, Clips):
      return self._checked(self._runner.finish())
    return None

  def probabilities(self, logits: np.ndarray) -> np.ndarray:
    """What logits mean, as the card says.

    Args:
      logits: [classes].

    Returns:
      [classes].  Where a video may have several labels, the probability of each
      by itself; otherwise they sum to 1.
    """
    if self.card.multi_label:
      # Without an overflow of exp.
      return 0.5 * (1 + np.tanh(0.5 * logits))
    powers = np.exp(logits - np.max(logits))
    return powers / np.sum(powers)

  def _checked(self, logits: np.ndarray | None) -> np.ndarray | None:
    if logits is not None and logits.shape != (self.card.num_classes,):
      raise ValueError(
        f'The model gives logits of shape {logits.shape}, and its card says '
        f'num_classes={self.card.num_classes}: export it again.'
      )
    return logits


def _open_tflite(
  path: str, card: model_card.ModelCard, num_threads: int
) -> Runner:
  file = path
  if not os.path.isfile(path):
    file = os.path.join(path, tflite_stream.MODEL_FILE)
  if card.kind == 'stream':
    stream = tflite_stream.TfliteStream(file, num_threads)
    shape = stream.image_shape
  else:
    clip = tflite_stream.TfliteClip(file, num_threads)
    shape = clip.image_shape
  if shape[2:4] != card.size:
    raise ValueError(
      f'{file} takes frames of {shape[2:4]}, and its card says {card.size}: '
      'export it again.'
    )
  return stream if card.kind == 'stream' else Clips(clip, shape[1])


def _open_saved_model(
  path: str, card: model_card.ModelCard, num_threads: int
) -> Runner:
  del num_threads  # TensorFlow's are those of the process.
  folder = os.path.dirname(path) if os.path.isfile(path) else path
  # TFLite files are run where there is no TensorFlow to import.
  from official_ext.grw.inference import saved_model_runner  # pylint: disable=g-import-not-at-top

  if card.kind == 'stream':
    return saved_model_runner.SavedModelStream(folder, card.size)
  return Clips(saved_model_runner.SavedModelClip(folder), card.num_frames)


# What opens a path by the card beside it, with so many threads: a line for each
# format that `serving` writes.
FORMATS: dict[str, Callable[[str, model_card.ModelCard, int], Runner]] = {
  'tflite': _open_tflite,
  'saved_model': _open_saved_model,
}


def open_model(
  path: str | os.PathLike[str],
  num_threads: int = 1,
  labels_file: str | None = None,
) -> ExportedModel:
  """Opens an exported model of any format and kind.

  TensorFlow is imported only for SavedModels.

  Args:
    path: the folder that an export tool wrote, or a TFLite file in it; or a
      streaming MoViNet's TFLite file that others wrote, without a card beside
      it: see `published_card`.
    num_threads: the threads of TFLite; SavedModels take what TensorFlow is
      configured to.
    labels_file: names of the classes, one a line, in place of those that the
      card names.

  Raises:
    ValueError: there is no model, or it is not as its card says.
  """
  path = os.fspath(path)
  folder = os.path.dirname(path) if os.path.isfile(path) else path
  card_file = os.path.join(folder, model_card.CARD_FILE)
  assumed = ''
  if os.path.isfile(path) and not os.path.exists(card_file):
    card, labels, assumed = published_card.assumed(path, labels_file)
  else:
    card, labels = model_card.read(folder)
    if labels_file is not None:
      labels = label_files.read(labels_file, card.num_classes, '--labels')
  preparation = frame_preparation.Preparation.of_card(card, card_file)
  if card.kind not in ('stream', 'clip') or card.format not in FORMATS:
    raise ValueError(
      f'{card_file} has format {card.format!r} and kind {card.kind!r}: '
      f'expected {" or ".join(FORMATS)}, and stream or clip.'
    )
  runner = FORMATS[card.format](path, card, num_threads)
  return ExportedModel(card, labels, preparation, runner, assumed)
