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

"""Runs an exported model alone in its process, and says what that took.

  python3 inference_process.py clip SAVED_MODEL REPEATS
  python3 inference_process.py stream TFLITE_FILE REPEATS FRAMES

prints JSON: `milliseconds`, the median of a clip or, over streams, of a frame,
on one thread; and `mebibytes`, the peak of the process above what its imports
take.  By itself, as memory of other work would count.  After a minute it times
no more; of what takes longer than that, the first run is the one timed.
"""

import json
import statistics
import sys
import time

import numpy as np

_ENOUGH_SECONDS = 60.0


def _mebibytes(key: str) -> float:
  with open('/proc/self/status') as file:
    return (
      next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024
    )


def _clip(path: str):
  """A function that classifies a clip."""
  # Slow to import, and no part of what a stream takes.
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)

  def load():
    model = tf.saved_model.load(path)
    classify = model.signatures['serving_default']
    (spec,) = classify.structured_input_signature[1].values()
    image = tf.constant(np.random.default_rng(0).random(spec.shape, np.float32))

    def run():
      for output in classify(image=image).values():
        output.numpy()
      return model

    return run

  return load


def _stream(path: str, num_frames: int):
  """A function that takes a video frame by frame."""
  from ai_edge_litert import interpreter as litert

  def load():
    interpreter = litert.Interpreter(path, num_threads=1)
    runner = interpreter.get_signature_runner()
    zeros = {
      name: np.zeros(detail['shape'], detail['dtype'])
      for name, detail in runner.get_input_details().items()
    }
    image = np.random.default_rng(0).random(
      zeros.pop('image').shape, np.float32
    )

    def run():
      states = zeros
      for _ in range(num_frames):
        outputs = runner(image=image, **states)
        states = {name: outputs[name] for name in zeros}
      return interpreter

    return run

  return load


def _seconds(run) -> float:
  start = time.perf_counter()
  run()
  return time.perf_counter() - start


def main(kind: str, path: str, repeats: str, frames: str = '1'):
  """Prints the median time of a frame and the peak memory, as JSON.

  Args:
    kind: 'clip' for a SavedModel, 'stream' for a TFLite file.
    path: the SavedModel or the file.
    repeats: the number of runs, as text.
    frames: the number of frames in a run, as text.
  """
  load = _clip(path) if kind == 'clip' else _stream(path, int(frames))
  before = _mebibytes('VmRSS')
  run = load()
  first = _seconds(run)  # What only a first run does is little of a long one.
  seconds: list[float] = []
  while len(seconds) < int(repeats) and first + sum(seconds) < _ENOUGH_SECONDS:
    seconds.append(_seconds(run))
  seconds = seconds or [first]
  print(
    json.dumps(
      {
        'milliseconds': 1e3 * statistics.median(seconds) / int(frames),
        'mebibytes': _mebibytes('VmHWM') - before,
      }
    )
  )


if __name__ == '__main__':
  main(*sys.argv[1:])
