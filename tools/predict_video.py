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

r"""Says what an exported model sees in a video file or a camera.

  python3 tools/predict_video.py --model=/tmp/a0s_grw_tflite \
    --video=ride.mp4 --output_dir=/tmp/ride

Prints the most probable classes after the last frame.  With --output_dir also
writes `probabilities.png`, `annotated.mp4` and `predictions.csv`.  A camera is
watched until --seconds have passed or Ctrl-C is pressed.
"""

import os
import signal
import sys
import threading

if __name__ == '__main__':
  # The repository's root, so that nothing need be installed.
  sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# ruff: noqa: E402
# pylint: disable=g-import-not-at-top
from absl import app
from absl import flags

from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import camera
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction

# pylint: enable=g-import-not-at-top

_MODEL = flags.DEFINE_string(
  'model',
  None,
  'Folder that tools/export_tflite.py or tools/export_saved_model.py wrote, '
  'or the TFLite file in it.',
)
_VIDEO = flags.DEFINE_string('video', None, 'File to read.')
_CAMERA = flags.DEFINE_integer(
  'camera',
  None,
  'Number of the camera to watch, the first being 0.',
  lower_bound=0,
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to make for picture, video and table.'
)
_FPS = flags.DEFINE_float(
  'fps',
  None,
  'Frames a second to feed; by default what the model card says.',
  lower_bound=1e-3,
)
_SECONDS = flags.DEFINE_float(
  'seconds', None, 'Where to stop; by default at the end.', lower_bound=1e-3
)
_TOP = flags.DEFINE_integer(
  'top', 5, 'Classes to print, draw and write.', lower_bound=1
)
_NUM_THREADS = flags.DEFINE_integer(
  'num_threads', 2, 'Of TFLite; SavedModels take all cores.', lower_bound=1
)


def _stop_at_interrupt() -> threading.Event:
  """An event that Ctrl-C sets; a second Ctrl-C kills as usual."""
  stopped = threading.Event()

  def stop(*_):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopped.set()

  signal.signal(signal.SIGINT, stop)
  return stopped


def main(_):
  try:
    model = exported.open_model(_MODEL.value, _NUM_THREADS.value)
    fps = model.frame_rate(_FPS.value, '--fps')
    frames = (
      camera.read_frames(_CAMERA.value, fps)
      if _VIDEO.value is None
      else video_decoding.read_frames(_VIDEO.value, fps)
    )
    last = prediction.predict(
      model,
      frames,
      fps,
      _TOP.value,
      _OUTPUT_DIR.value,
      _SECONDS.value,
      _stop_at_interrupt().is_set,
      show_progress=True,
    )
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(prediction.table(last, model.labels, _TOP.value))
  if _OUTPUT_DIR.value is not None:
    print(f'written: {_OUTPUT_DIR.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['model'])
  flags.mark_flags_as_mutual_exclusive(['video', 'camera'], required=True)
  app.run(main)
