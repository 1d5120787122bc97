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

  grw predict --model=/tmp/a0s_grw_tflite \
    --video=ride.mp4 --output_dir=/tmp/ride

A TFLite file of a streaming MoViNet that others wrote will do too:

  grw predict --model=movinet.tflite --labels=label_map.txt --video=ride.mp4

What such a file does not say is then assumed as published, and said.

Prints the most probable classes after the last frame; of a model of several
labels a video, also those that reach --threshold.  With --output_dir also
writes `probabilities.png`, `annotated.mp4` and `predictions.csv`.  A camera is
watched until --seconds have passed or Ctrl-C is pressed.
"""

import signal
import sys
import threading

from absl import flags


def define_flags():
  flags.DEFINE_string(
    'model',
    None,
    'The folder that `grw export` wrote, or the TFLite file in it, or one that '
    'others wrote.',
  )
  flags.DEFINE_string(
    'labels',
    None,
    'A text file with the names of the classes, one a line; by default the one '
    'beside the model.',
  )
  flags.DEFINE_string('video', None, 'The file to read.')
  flags.DEFINE_string(
    'camera',
    None,
    'The camera to watch: the number of one of this machine, the first being '
    '0, or the address of one in the network, such as rtsp://host/path or '
    'http://host/path.',
  )
  flags.DEFINE_string(
    'output_dir', None, 'The folder to make for picture, video and table.'
  )
  flags.DEFINE_float(
    'fps',
    None,
    'Frames a second to feed; by default what the model card says.',
    lower_bound=1e-3,
  )
  flags.DEFINE_float(
    'seconds', None, 'Where to stop; by default at the end.', lower_bound=1e-3
  )
  flags.DEFINE_integer(
    'top', 5, 'The number of classes to print, draw and write.', lower_bound=1
  )
  flags.DEFINE_float(
    'threshold',
    0.5,
    'For a model of several labels a video: the probability from which on a '
    'label is said to be there.',
    lower_bound=0.0,
    upper_bound=1.0,
  )
  flags.DEFINE_integer(
    'num_threads',
    2,
    'The threads of TFLite; SavedModels take all cores.',
    lower_bound=1,
  )
  flags.mark_flags_as_required(['model'])
  flags.mark_flags_as_mutual_exclusive(['video', 'camera'], required=True)


def _stop_at_interrupt() -> threading.Event:
  """An event that Ctrl-C sets; a second Ctrl-C kills as usual."""
  stopped = threading.Event()

  def stop(*_):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopped.set()

  signal.signal(signal.SIGINT, stop)
  return stopped


def main(_):
  from official_ext.grw.datasets import video_decoding
  from official_ext.grw.inference import camera
  from official_ext.grw.inference import exported
  from official_ext.grw.inference import prediction

  values = flags.FLAGS
  try:
    watched = None if values.camera is None else camera.named(values.camera)
    model = exported.open_model(values.model, values.num_threads, values.labels)
    if model.assumed:
      print(model.assumed, file=sys.stderr)
    fps = model.frame_rate(values.fps, '--fps')
    frames = (
      video_decoding.read_frames(values.video, fps)
      if watched is None
      else camera.read_frames(watched, fps)
    )
    last = prediction.predict(
      model,
      frames,
      fps,
      values.top,
      values.output_dir,
      values.seconds,
      _stop_at_interrupt().is_set,
      show_progress=True,
      threshold=values.threshold,
    )
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  several = model.card.multi_label
  print(
    prediction.table(
      last, model.labels, values.top, values.threshold if several else None
    )
  )
  if values.output_dir is not None:
    print(f'written: {values.output_dir}')
