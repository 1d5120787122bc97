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

"""How far a model's answers are from those of the TFLite file it is from."""

from collections.abc import Callable, Iterable
import dataclasses

import numpy as np

from official_ext.grw.inference import tflite_stream


@dataclasses.dataclass(frozen=True)
class Difference:
  """Of logits over the frames of clips.

  Attributes:
    largest: the largest difference relative to the largest logit of the file.
    agreement: the share of frames for which both name the same class.
    frames: how many were compared.
  """

  largest: float
  agreement: float
  frames: int

  def __str__(self):
    return (
      f'{self.largest:.1e} of the largest logit at most, the same class for '
      f'{self.agreement:.0%} of {self.frames} frames'
    )


def of_file(
  path: str,
  model: Callable[[np.ndarray], np.ndarray],
  clips: Iterable[np.ndarray],
  num_frames: int = 0,
) -> Difference:
  """Compares a streaming file with a model of clips.

  Only frames after which the file's logits change are compared: between them
  it may not have run its head.

  Args:
    path: the path of the file, which its interpreter runs.
    model: takes a clip [1, frames, height, width, 3] in [0, 1] to logits [1,
      classes].
    clips: such clips, of the size of the file's image.
    num_frames: N, after which the file's head no longer sees the first frame,
      or 0.

  Raises:
    ValueError: the file cannot be run as a stream; says why.
  """
  stream = tflite_stream.TfliteStream(path)
  theirs, ours = [], []
  for clip in clips:
    stream.reset()
    before = None
    for number, frame in enumerate(clip[0][: num_frames or None], start=1):
      logits = stream.step(frame)
      if before is None or not np.array_equal(logits, before):
        theirs.append(logits)
        ours.append(np.asarray(model(clip[:, :number]))[0])
      before = logits
  expected, found = np.stack(theirs), np.stack(ours)
  return Difference(
    largest=float(np.abs(found - expected).max() / np.abs(expected).max()),
    agreement=float(np.mean(found.argmax(-1) == expected.argmax(-1))),
    frames=len(expected),
  )
