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

"""Runs exported TFLite files as clients on devices do."""

from ai_edge_litert import interpreter as litert
import numpy as np

from official_ext.grw.datasets import feature_names
from official_ext.grw.inference import swapped_states

# In the folder that tools/export_tflite.py writes.
MODEL_FILE = 'model.tflite'


def _open(path: str, num_threads: int):
  """Returns an interpreter and its one signature, from `image` to `logits`.

  The interpreter has to be kept: the signature does not keep it alive.  Weights
  are prepared when it first runs.
  """
  try:
    interpreter = litert.Interpreter(path, num_threads=num_threads)
    # Others write signatures beside it, such as `init_states`.
    keys = [
      key
      for key, parts in interpreter.get_signature_list().items()
      if 'image' in parts['inputs'] and 'logits' in parts['outputs']
    ]
    run = interpreter.get_signature_runner(keys[0] if len(keys) == 1 else None)
  except (ValueError, RuntimeError) as error:
    raise ValueError(
      f'{path} cannot be run ({error}): expected a TFLite file of one '
      'signature, as tools/export_tflite.py writes it.'
    ) from error
  inputs = run.get_input_details()
  if 'image' not in inputs or 'logits' not in run.get_output_details():
    raise ValueError(
      f'{path} has inputs {sorted(inputs)}: expected image and states, and '
      'the output logits.'
    )
  return interpreter, run


def _shape(detail: dict) -> tuple[int, ...]:
  return tuple(int(size) for size in detail['shape'])


def _scale(detail: dict) -> tuple[float, int]:
  """Scale and zero point of a tensor; a scale of 0 for one of floats."""
  scale, zero_point = detail['quantization']
  return float(scale), int(zero_point)


def _stored(numbers: np.ndarray, detail: dict) -> np.ndarray:
  """Numbers as a tensor holds them."""
  scale, zero_point = _scale(detail)
  if not scale:
    return numbers.astype(detail['dtype'])
  limits = np.iinfo(detail['dtype'])
  rounded = np.rint(numbers / scale) + zero_point
  return np.clip(rounded, limits.min, limits.max).astype(detail['dtype'])


def _numbers(stored: np.ndarray, detail: dict) -> np.ndarray:
  """The numbers that a tensor holds."""
  scale, zero_point = _scale(detail)
  if not scale:
    return stored
  return ((stored.astype(np.float32) - zero_point) * scale).astype(np.float32)


class TfliteClip:
  """A TFLite file that takes a clip of N frames at once."""

  def __init__(self, path: str, num_threads: int = 1):
    """Opens a file.

    Args:
      path: the path of the TFLite file.
      num_threads: the threads of the interpreter.

    Raises:
      ValueError: the file is no TFLite file, or has not one signature from
        `image` and `num_frames` to `logits`.
    """
    self._interpreter, self._run = _open(path, num_threads)
    inputs = self._run.get_input_details()
    if set(inputs) != {'image', feature_names.NUM_FRAMES}:
      raise ValueError(
        f'{path} has inputs {sorted(inputs)}: expected image and '
        f'{feature_names.NUM_FRAMES}, as it is to take a clip at once; export '
        'it again.'
      )
    self.image_shape = _shape(inputs['image'])

  def __call__(self, clip: np.ndarray) -> np.ndarray:
    """Logits [classes] float32 of a clip [N, height, width, 3] in [0, 1].

    Of fewer frames than N the clip is filled by beginning again, and the model
    is told so, as in evaluation.

    Raises:
      ValueError: the frames have another shape than the model takes.
    """
    if clip.shape[1:] != self.image_shape[2:] or not (
      0 < len(clip) <= self.image_shape[1]
    ):
      raise ValueError(
        f'A clip has shape {clip.shape}, expected {self.image_shape[1:]} or '
        'fewer frames.'
      )
    outputs = self._run(
      image=np.resize(np.asarray(clip, np.float32), self.image_shape),
      num_frames=np.array([len(clip)], np.int32),
    )
    return outputs['logits'][0]


class _CopiedStates:
  """A signature whose states are arrays, copied in and out at each frame.

  In files of integers, which others write, zero is the zero point of the state,
  and states and logits have scales.
  """

  def __init__(self, interpreter: litert.Interpreter, run):
    self._interpreter = interpreter  # Kept: the signature does not.
    self._run = run
    self._inputs = run.get_input_details()
    self._outputs = run.get_output_details()
    self._image = self._inputs.pop('image')
    self.reset()

  def reset(self):
    self._states = {
      name: _stored(np.zeros(detail['shape'], np.float32), detail)
      for name, detail in self._inputs.items()
    }

  def step(self, image: np.ndarray) -> dict[str, np.ndarray]:
    outputs = self._run(image=_stored(image, self._image), **self._states)
    self._states = {
      name: state
      if _scale(detail) == _scale(self._outputs[name])
      else _stored(_numbers(state, self._outputs[name]), detail)
      for name, detail in self._inputs.items()
      for state in (outputs[name],)
    }
    return {
      name: _numbers(outputs[name], detail)
      for name, detail in self._outputs.items()
      if name not in self._inputs
    }


class TfliteStream:
  """A TFLite file of one signature, fed frame by frame.

  What it does is all that a client has to do: every input but `image` is a
  state, starts as zeros of its declared shape and type, and is the output of
  the same name afterwards.  Where the file allows it, states are not copied:
  the buffer that one was written to is the next frame's input.

  Attributes:
    image_shape: [1, 1, height, width, 3].
    num_classes: the width of the logits.
    inputs: names of the image and the states.
    swaps: whether the buffers of the states change places.
    signals: outputs of the last frame that are neither logits nor states; see
      `modeling.signals`.
  """

  def __init__(self, path: str, num_threads: int = 1):
    """Opens a file.

    Args:
      path: the path of the TFLite file.
      num_threads: the threads of the interpreter.

    Raises:
      ValueError: the file is no TFLite file, or has not one signature from
        `image` to `logits`.
    """
    interpreter, run = _open(path, num_threads)
    inputs, outputs = run.get_input_details(), run.get_output_details()
    self.inputs = ['image', *(name for name in inputs if name != 'image')]
    self.image_shape = _shape(inputs['image'])
    self.num_classes = _shape(outputs['logits'])[-1]
    self.swaps = len(
      interpreter.get_signature_list()
    ) == 1 and swapped_states.can_swap(inputs, outputs)
    self.signals: dict[str, np.ndarray] = {}
    self._client: swapped_states.SwappedStates | _CopiedStates = (
      swapped_states.SwappedStates(path, num_threads=num_threads)
      if self.swaps
      else _CopiedStates(interpreter, run)
    )

  def reset(self):
    """Begins another video."""
    self.signals = {}
    self._client.reset()

  def step(self, image: np.ndarray) -> np.ndarray:
    """Takes the next frame.

    Args:
      image: [height, width, 3] float32 in [0, 1].

    Returns:
      Logits, [classes] float32.

    Raises:
      ValueError: the frame has another shape than the model takes.
    """
    if image.shape != self.image_shape[2:]:
      raise ValueError(
        f'A frame has shape {image.shape}, expected {self.image_shape[2:]}.'
      )
    frame = np.asarray(image, np.float32).reshape(self.image_shape)
    outputs = {name: of[0] for name, of in self._client.step(frame).items()}
    logits = outputs.pop('logits')
    self.signals = outputs
    return logits
