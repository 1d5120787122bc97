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

r"""Streams GRW models and stock MoViNet side by side in LiteRT.

  python3 tools/benchmarks/streaming.py
  python3 tools/benchmarks/streaming.py \
    --experiment=movinet_grw_kinetics600 \
    --config_file=configs/movinet_a2_stream_grw_k600.yaml

Converts the stock MoViNet of the experiment's backbone, and its GRW model with
bidirectional and with causal head, in this run, and feeds them frame by frame
in turns, by two clients: one copies states, by the signature runner of LiteRT's
Interpreter, and one swaps their buffers, by its CompiledModel, as
`TfliteStream` does.  Milliseconds are of a frame, averaged over a stream of N
frames (a head that runs at each T-th frame has its share), medians over
streams; ratios are to stock by the same client on one thread, and `swapped /
copied` is of the two clients on one file.  Memory is the peak of a process
above what its imports take, with states copied.

Then float32 and 8 bits are compared along rendered videos; for real ones see
`stream_answers.py`.  With --checkpoint they have its weights, otherwise random
ones.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import flags
from ai_edge_litert import interpreter as litert
import numpy as np
from official.common import flags as tfm_flags
from official.core import train_utils
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
from official.vision.modeling import factory_3d
import tensorflow as tf
import tf_keras
import tqdm

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import airplanes
from official_ext.grw.inference import swapped_states
from official_ext.grw.inference import tflite_stream
from official_ext.grw.reports import benchmark
from official_ext.grw.serving import export
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'Weights of the experiment; random ones without.'
)
_BESIDE = flags.DEFINE_multi_string(
  'beside',
  [],
  'TFLite streams to time in the same run: of other weights, or of an earlier '
  'version of this project.  `encode` is timed of a file that has it.',
)
_REPEATS = flags.DEFINE_integer(
  'repeats', 9, 'Timed streams of each.', lower_bound=1
)
_AGREEMENT_FRAMES = flags.DEFINE_integer(
  'agreement_frames', 600, 'Frames of each video to compare on.', lower_bound=6
)
_MEMORY_FRAMES = flags.DEFINE_integer(
  'memory_frames', 10_000, 'Frames to watch memory over.', lower_bound=1000
)

# Those of which the encoder alone is timed.
_ENCODED = ('float32', *tflite.IN_8_BITS)
# Two of each of the three classes.
_AGREEMENT_VIDEOS = 6
BIDIRECTIONAL = 'GRW, head'
CAUSAL = 'GRW, causal head each frame'

# Alone in its process: imports LiteRT and NumPy, and prints MiB at its peak
# above them, and how much frames 1,000 to the last added.
_MEMORY = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def mib(key):
  with open('/proc/self/status') as file:
    return next(int(line.split()[1]) for line in file
                if line.startswith(key)) / 1024

before = mib('VmRSS')
interpreter = Interpreter(sys.argv[1], num_threads=1)
keys = list(interpreter.get_signature_list())
runner = interpreter.get_signature_runner(keys[-1])
states = {name: np.zeros(detail['shape'], detail['dtype'])
          for name, detail in runner.get_input_details().items()}
image = states.pop('image')
for number in range(int(sys.argv[2])):
  outputs = runner(image=image, **states)
  states = {name: outputs[name] for name in states}
  if number == 999:
    early = mib('VmRSS')
print(mib('VmHWM') - before, mib('VmRSS') - early)
"""


@dataclasses.dataclass
class Candidate:
  """A TFLite file to time."""

  name: str
  path: str
  signature: str = 'serving_default'

  def swapped(self, video: np.ndarray, num_threads: int):
    """A function that feeds the video from its start and copies no states."""
    stream = swapped_states.SwappedStates(
      self.path,
      self.signature,
      num_threads,
    )

    def run():
      stream.reset()
      for image in video:
        stream.step(image)

    return run

  def copied(self, video: np.ndarray, num_threads: int):
    """A function that feeds the video from its start and copies states."""
    # Kept by the closure: the runner does not keep it alive.
    interpreter = litert.Interpreter(self.path, num_threads=num_threads)
    runner = interpreter.get_signature_runner(self.signature)
    zeros = {
      name: np.zeros(detail['shape'], detail['dtype'])
      for name, detail in runner.get_input_details().items()
      if name != 'image'
    }

    def run():
      states = zeros
      for image in video:
        outputs = runner(image=image, **states)
        states = {name: outputs[name] for name in zeros}
      return interpreter

    return run


def stock_file(config, folder: str) -> str:
  """Stock MoViNet-Ai-Stream as a TFLite file of one signature."""
  backbone = config.task.model.backbone.movinet
  shape = (1, 1, *config.task.validation_data.feature_shape[1:])
  specs = tf_keras.layers.InputSpec(shape=shape)
  model = movinet_model.MovinetClassifier(
    movinet.Movinet(
      backbone.model_id,
      causal=True,
      use_external_states=True,
      use_positional_encoding=backbone.use_positional_encoding,
      conv_type='2plus1d',
      se_type='2plus3d',
      activation='hard_swish',
      gating_activation='hard_sigmoid',
      use_sync_bn=False,
      input_specs=specs,
    ),
    config.task.validation_data.num_classes,
    activation='hard_swish',
    output_states=True,
    input_specs={'image': specs},
  )

  inputs = {
    'image': tf.TensorSpec(shape, name='image'),
    **{
      name: tf.TensorSpec(spec.shape, spec.dtype, name)
      for name, spec in model.initial_state_specs(shape).items()
    },
  }

  @tf.function(input_signature=[inputs])
  def serve(inputs):
    logits, states = model(inputs)
    return {**states, 'logits': logits}

  path = os.path.join(folder, 'stock.tflite')
  tflite.convert({'serving_default': serve}, model.variables, path, 'float32')
  return path


def grw_files(
  config, folder: str, causal: bool, quantizations: list[str]
) -> dict[str, str]:
  """Folders of the GRW model, by quantization."""
  config = config.replace(task={'model': {'head': {'causal': causal}}})
  if _CHECKPOINT.value:
    model = saved_model.build_trained_model(config, _CHECKPOINT.value)
  else:
    tf_keras.utils.set_random_seed(0)
    model = factory_3d.build_model(
      config.task.model.model_type,
      tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
      config.task.model,
      config.task.validation_data.num_classes,
    )
    for variable in model.variables:
      # They start at zero, where blocks do nothing.
      if variable.name.endswith('scale:0') and not variable.shape.rank:
        variable.assign(0.5)
  paths = {}
  for quantization in quantizations:
    path = os.path.join(folder, f'causal_{causal}_{quantization}')
    os.makedirs(path)
    tflite.export_stream(
      model,
      path,
      config.task.validation_data,
      export.example_clips(config, quantization),
      quantization,
      tflite.default_classify_every(
        config.task.model, config.task.validation_data.feature_shape[0]
      ),
      split_head=not causal and quantization in _ENCODED,
    )
    paths[quantization] = path
  return paths


def candidates(config, folder: str) -> list[Candidate]:
  """Converts all that is compared; the first is the reference."""
  # Before minutes of converting, as they may not be there.
  beside = [
    Candidate(
      path, path, 'encode' if 'encode' in signatures else next(iter(signatures))
    )
    for path in _BESIDE.value
    for signatures in [litert.Interpreter(path).get_signature_list()]
  ]
  model_id = config.task.model.backbone.movinet.model_id.upper()
  window = config.task.model.smoothing.window
  found = [
    Candidate(
      f'stock MoViNet-{model_id}-Stream, float32', stock_file(config, folder)
    )
  ]
  # Weights are of one kind of head.
  heads = (
    [config.task.model.head.causal] if _CHECKPOINT.value else [False, True]
  )
  for causal in heads:
    paths = grw_files(
      config,
      folder,
      causal,
      ['float32', *([] if causal else ['float16']), *tflite.IN_8_BITS],
    )
    if not causal:
      found += [
        Candidate(
          f'GRW, encode alone, {quantization}',
          os.path.join(paths[quantization], tflite.SPLIT_FILE),
          'encode',
        )
        for quantization in _ENCODED
      ]
    name = CAUSAL if causal else f'{BIDIRECTIONAL} each {window}th frame'
    found += [
      Candidate(
        f'{name}, {quantization}', os.path.join(path, tflite_stream.MODEL_FILE)
      )
      for quantization, path in paths.items()
    ]
  return found + beside


def memory(path: str) -> tuple[float, float]:
  """MiB at the peak of streaming, and MiB added after 1,000 frames."""
  result = subprocess.run(
    [sys.executable, '-c', _MEMORY, path, str(_MEMORY_FRAMES.value)],
    check=True,
    capture_output=True,
    text=True,
  )
  peak, growth = map(float, result.stdout.split())
  return peak, growth


def agreement(float32: str, int8: str, videos: list[np.ndarray]) -> str:
  """Agreement of two files along videos, by sixths of their length."""
  logits = []
  for path in (float32, int8):
    stream = tflite_stream.TfliteStream(path)
    of_videos = []
    for video in videos:
      stream.reset()
      of_videos.append([stream.step(frame) for frame in video])
    logits.append(np.array(of_videos))
  same = np.argmax(logits[0], -1) == np.argmax(logits[1], -1)
  difference = np.abs(logits[1] - logits[0]).max(-1) / np.abs(logits[0]).max()
  sixths = np.array_split(np.arange(same.shape[1]), 6)
  return benchmark.markdown_table(
    ['frames', *[f'{part[0] + 1} to {part[-1] + 1}' for part in sixths], 'all'],
    [
      [
        'same top-1',
        *[f'{same[:, part].mean():.1%}' for part in sixths],
        f'{same.mean():.1%}',
      ],
      [
        'largest difference',
        *[f'{difference[:, part].max():.1%}' for part in sixths],
        f'{difference.max():.1%}',
      ],
    ],
  )


def rendered_video(size: int, num_frames: int, number: int = 0) -> np.ndarray:
  """An airplane that keeps turning: [frames, S, S, 3] float32 in [0, 1]."""
  config = airplanes.AirplanesConfig(image_size=size, num_frames=num_frames)
  video = airplanes.render_example(config, 'validation', number)['video']
  return video.astype(np.float32) / 255


def main(_):
  config = train_utils.parse_configuration(
    flags.FLAGS, lock_return=False, print_return=False
  )
  num_frames, size, _, _ = config.task.validation_data.feature_shape
  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; frames of '
    f'{size} x {size}, streams of {num_frames}'
  )
  with tempfile.TemporaryDirectory() as folder:
    print('converting…', file=sys.stderr, flush=True)
    found = candidates(config, folder)
    print('timing…', file=sys.stderr, flush=True)
    video = rendered_video(size, num_frames)[:, np.newaxis, np.newaxis]
    (copied, swapped), two_threads = (
      1e3
      / num_frames
      * np.reshape(
        benchmark.medians(
          [
            client(candidate, video, threads)
            for client in (Candidate.copied, Candidate.swapped)
            for candidate in found
          ],
          _REPEATS.value,
        ),
        (2, len(found)),
      )
      for threads in (1, 2)
    )
    rows = []
    for number, candidate in enumerate(tqdm.tqdm(found, 'memory')):
      peak, growth = memory(candidate.path)
      rows.append(
        [
          candidate.name,
          f'{copied[number]:.2f}',
          f'{copied[number] / copied[0]:.2f}',
          f'{swapped[number]:.2f}',
          f'{swapped[number] / swapped[0]:.2f}',
          f'{swapped[number] / copied[number]:.2f}',
          *(f'{milliseconds[number]:.2f}' for milliseconds in two_threads),
          f'{os.path.getsize(candidate.path) / 1e6:.2f}',
          f'{peak:.0f}',
          f'{growth:+.2f}',
        ]
      )
    print(
      benchmark.markdown_table(
        [
          '',
          'ms, copied',
          'ratio',
          'ms, swapped',
          'ratio',
          'swapped / copied',
          'copied, 2 threads',
          'swapped, 2 threads',
          'file, MB',
          'memory, MiB',
          f'MiB from frame 1,000 to {_MEMORY_FRAMES.value:,}',
        ],
        rows,
      )
    )
    videos = [
      rendered_video(size, _AGREEMENT_FRAMES.value, number)
      for number in range(_AGREEMENT_VIDEOS)
    ]
    for head in (BIDIRECTIONAL, CAUSAL):
      paths = {
        candidate.name.rpartition(', ')[-1]: candidate.path
        for candidate in found
        if candidate.name.startswith(head)
      }
      weights = 'trained' if _CHECKPOINT.value else 'random'
      for quantization in tflite.IN_8_BITS if paths else ():
        print(
          f'\n{head}, {weights} weights, {quantization} against float32:\n'
          + agreement(paths['float32'], paths[quantization], videos)
        )


if __name__ == '__main__':
  tfm_flags.define_flags()
  flags.FLAGS.set_default('experiment', 'movinet_grw_kinetics600')
  benchmark.run(main)
