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

"""Runs exported SavedModels with TensorFlow."""

from typing import Any

import numpy as np
import tensorflow as tf

# The signature of clip models that also takes `num_frames`.
SHORT_CLIPS = 'short_clips'


def load(folder: str) -> Any:
  """Loads a SavedModel.

  Args:
    folder: that tools/export_saved_model.py wrote.

  Raises:
    ValueError: it is none.
  """
  try:
    return tf.saved_model.load(folder)
  except (OSError, ValueError, tf.errors.OpError) as error:
    reason = str(error).splitlines()[0]
    raise ValueError(
      f'{folder} is no SavedModel ({reason}): expected the folder that '
      'tools/export_saved_model.py wrote.'
    ) from error


class SavedModelClip:
  """A SavedModel that takes a clip of N frames at once."""

  def __init__(self, folder: str, num_frames: int):
    """Loads a model.

    Args:
      folder: the folder of the SavedModel.
      num_frames: N.

    Raises:
      ValueError: it is none, or takes no short clips.
    """
    self._loaded = load(folder)
    if SHORT_CLIPS not in self._loaded.signatures:
      raise ValueError(
        f'{folder} has signatures {sorted(self._loaded.signatures)}: expected '
        f'{SHORT_CLIPS} among them; export it again.'
      )
    self._classify = self._loaded.signatures[SHORT_CLIPS]
    self._num_frames = num_frames

  def __call__(self, clip: np.ndarray) -> np.ndarray:
    """Logits [classes] float32 of a clip [N or fewer, height, width, 3].

    Of fewer frames the clip is filled by beginning again, as in evaluation.
    """
    shape = (1, self._num_frames, *clip.shape[1:])
    outputs = self._classify(
      image=tf.constant(np.resize(clip, shape)),
      num_frames=tf.constant([len(clip)]),
    )
    return outputs['logits'][0].numpy()


class SavedModelStream:
  """A SavedModel that is fed frame by frame, as `TfliteStream` is."""

  def __init__(self, folder: str, size: tuple[int, int]):
    """Loads a model.

    Args:
      folder: the folder of the SavedModel.
      size: height and width of the frames that it takes.
    """
    self._loaded = load(folder)
    self._call = self._loaded.signatures['call']
    self._input_shape = tf.constant([1, 1, *size, 3])
    self.reset()

  def reset(self):
    """Begins another video."""
    self._states = self._loaded.signatures['init_states'](
      input_shape=self._input_shape
    )

  def step(self, image: np.ndarray) -> np.ndarray:
    """Takes the next frame [height, width, 3]; returns logits [classes]."""
    outputs = self._call(
      image=tf.constant(image[np.newaxis, np.newaxis]), **self._states
    )
    logits = outputs.pop('logits')
    self._states = outputs
    return logits[0].numpy()
