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

from collections.abc import Iterable
import os

import numpy as np

from official_ext.grw.datasets import labels as label_files
from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import clips
from official_ext.grw.inference import frame_preparation
from official_ext.grw.inference import prediction
from official_ext.grw.inference import published_card
from official_ext.grw.serving import export_format
from official_ext.grw.serving import export_formats
from official_ext.grw.serving import model_card


class ExportedModel:
  """A model as a client sees it: frames of any size in, answers out.

  Made by `open_model`.

  Attributes:
    card: the model's description.
    labels: names of the classes.
    assumed: a line that says what of the card is assumed, or ''.
    signals: what a file that was exported with --signals says of the last frame
      beside logits, [D] 'embedding' and [2] 'smoothness'; others say nothing.
  """

  def __init__(
    self,
    card: model_card.ModelCard,
    labels: list[str],
    preparation: frame_preparation.Preparation,
    runner: export_format.Runner,
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

  @property
  def signals(self) -> dict[str, np.ndarray]:
    """See the class; by name, as `signals.SignallingStream` has them."""
    return getattr(self._runner, 'signals', {})

  def finish(self) -> np.ndarray | None:
    """Ends a video.

    Returns:
      Of a clip model, logits [classes] of the last N frames, or of as many as
      there are, unless the last frame was answered for; otherwise None.
    """
    if isinstance(self._runner, clips.Clips):
      return self._checked(self._runner.finish())
    return None

  def probabilities(self, logits: np.ndarray) -> np.ndarray:
    """What logits mean, as the card says.

    Args:
      logits: [classes].

    Returns:
      [classes].  Where a video may have several labels, the probability of each
      by itself; where it has one of each of some groups, they sum to 1 in each
      group; otherwise they sum to 1.
    """
    if self.card.multi_label:
      # Without an overflow of exp.
      return 0.5 * (1 + np.tanh(0.5 * logits))
    parts = self.card.label_groups.values() or [[0, len(logits)]]
    probabilities = np.empty_like(logits)
    for start, stop in parts:
      powers = np.exp(logits[start:stop] - np.max(logits[start:stop]))
      probabilities[start:stop] = powers / np.sum(powers)
    return probabilities

  def _checked(self, logits: np.ndarray | None) -> np.ndarray | None:
    if logits is not None and logits.shape != (self.card.num_classes,):
      raise ValueError(
        f'The model gives logits of shape {logits.shape}, and its card says '
        f'num_classes={self.card.num_classes}: export it again.'
      )
    return logits


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
  if card.kind not in export_format.KINDS:
    raise ValueError(
      f'{card_file} has kind {card.kind!r}: expected '
      f'{" or ".join(export_format.KINDS)}.'
    )
  try:
    format_of_card = export_formats.named(card.format)
  except ValueError as error:
    raise ValueError(f'{card_file}: {error}') from error
  runner = format_of_card.open(path, card, num_threads)
  return ExportedModel(card, labels, preparation, runner, assumed)
