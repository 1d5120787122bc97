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
  """A SavedModel that takes a clip of any length at once."""

  def __init__(self, folder: str):
    self._loaded = load(folder)

  def __call__(self, clip: np.ndarray) -> np.ndarray:
    """Logits [classes] float32 of a clip [frames, height, width, 3]."""
    outputs = self._loaded.signatures['serving_default'](
      image=tf.constant(clip[np.newaxis])
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
