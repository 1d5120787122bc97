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
from collections.abc import Callable
import os
from typing import Any

import numpy as np
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model


class _SavedModelStream:
  """A streaming SavedModel; the same interface as `TfliteStream`."""

  def __init__(self, loaded: Any, size: tuple[int, int]):
    self._loaded = loaded
    self._call = loaded.signatures['call']
    self._input_shape = tf.constant([1, 1, *size, 3])
    self.reset()

  def reset(self):
    self._states = self._loaded.signatures['init_states'](
      input_shape=self._input_shape
    )

  def step(self, image: np.ndarray) -> np.ndarray:
    outputs = self._call(
      image=tf.constant(image[np.newaxis, np.newaxis]), **self._states
    )
    logits = outputs.pop('logits')
    self._states = outputs
    return logits[0].numpy()


class _Clips:
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
  """A model as a client sees it: frames of any size in, logits out.

  Made by `open_model`.

  Attributes:
    card: the model's description.
    labels: names of the classes.
  """

  def __init__(
    self,
    card: model_card.ModelCard,
    labels: list[str],
    data: schema.DataConfig,
    runner: tflite_stream.TfliteStream | _SavedModelStream | _Clips,
  ):
    self.card = card
    self.labels = labels
    self._runner = runner

    # Any size, so that a video of another size is not another trace.
    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def prepare(frame):
      return saved_model.prepared(frame[tf.newaxis, tf.newaxis], data)[0, 0]

    self._prepare = prepare

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
    return self._prepare(frame).numpy()

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
    if isinstance(self._runner, _Clips):
      return self._checked(self._runner.finish())
    return None

  def _checked(self, logits: np.ndarray | None) -> np.ndarray | None:
    if logits is not None and logits.shape != (self.card.num_classes,):
      raise ValueError(
        f'The model gives logits of shape {logits.shape}, and its card says '
        f'num_classes={self.card.num_classes}: export it again.'
      )
    return logits


def _evaluation_data(
  card: model_card.ModelCard, folder: str
) -> schema.DataConfig:
  """How frames were prepared in evaluation."""
  try:
    return schema.DataConfig(
      resize=card.resize['mode'],
      min_image_size=card.resize['size'],
      feature_shape=(card.num_frames, *card.size, 3),
      zero_centering_image=min(card.input['range']) < 0,
    )
  except (IndexError, KeyError, TypeError) as error:
    raise ValueError(
      f'{os.path.join(folder, model_card.CARD_FILE)} has resize='
      f'{card.resize} and input={card.input}: expected mode, size and crop '
      '[height, width], and range [least, greatest].'
    ) from error


def open_model(path: str, num_threads: int = 1) -> ExportedModel:
  """Opens an exported model of any format and kind.

  Args:
    path: the folder that an export tool wrote, or a TFLite file in it.
    num_threads: of TFLite; SavedModels take what TensorFlow is configured to.

  Raises:
    ValueError: there is no model, or it is not as its card says.
  """
  folder = path
  file = os.path.join(path, tflite_stream.MODEL_FILE)
  if os.path.isfile(path):
    folder, file = os.path.dirname(path), path
  card, labels = model_card.read(folder)
  data = _evaluation_data(card, folder)
  if card.kind not in saved_model.KINDS or (
    card.format not in ('tflite', 'saved_model')
  ):
    raise ValueError(
      f'{os.path.join(folder, model_card.CARD_FILE)} has format '
      f'{card.format!r} and kind {card.kind!r}: expected tflite or '
      'saved_model, and stream or clip.'
    )
  runner: Any
  if card.format == 'tflite':
    runner = (
      tflite_stream.TfliteStream
      if card.kind == 'stream'
      else tflite_stream.TfliteClip
    )(file, num_threads)
    if runner.image_shape[2:4] != card.size:
      raise ValueError(
        f'{file} takes frames of {runner.image_shape[2:4]}, and its card '
        f'says {card.size}: export it again.'
      )
    if card.kind == 'clip':
      runner = _Clips(runner, runner.image_shape[1])
    return ExportedModel(card, labels, data, runner)
  try:
    loaded = tf.saved_model.load(folder)
  except (OSError, ValueError, tf.errors.OpError) as error:
    reason = str(error).splitlines()[0]
    raise ValueError(
      f'{folder} is no SavedModel ({reason}): expected the folder that '
      'tools/export_saved_model.py wrote.'
    ) from error
  if card.kind == 'stream':
    runner = _SavedModelStream(loaded, card.size)
  else:
    runner = _Clips(
      lambda clip: loaded.signatures['serving_default'](
        image=tf.constant(clip[np.newaxis])
      )['logits'][0].numpy(),
      card.num_frames,
    )
  return ExportedModel(card, labels, data, runner)
