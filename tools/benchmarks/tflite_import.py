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

"""Time and memory of reading a TFLite stream, and of importing it whole.

  python3 tools/benchmarks/tflite_import.py

The Model Garden's own code and converter write a stream of drawn weights, in
float32 and in 8 bits, as the published files are.  Each is then read, and
imported with the statistics of rendered clips, by a process of its own.
"""

from concurrent import futures
import multiprocessing
import pathlib
import sys
import tempfile
import time

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.reports import benchmark

SECONDS, MEMORY_MIB = 30.0, 1536.0
_MODEL_ID = flags.DEFINE_enum(
  'model_id', 'a2', [f'a{n}' for n in range(6)], 'Which MoViNet-Stream.'
)
_SIZE = flags.DEFINE_integer('size', 224, 'Height and width of its frames.')
_NUM_CLASSES = 600


def write(model_id: str, size: int, folder: str) -> list[str]:
  """Writes a stock stream in both quantizations; returns their paths."""
  from official.projects.movinet.modeling import movinet
  from official.projects.movinet.modeling import movinet_model
  import tensorflow as tf
  import tf_keras

  spec = tf_keras.layers.InputSpec(shape=[1, 1, size, size, 3])
  backbone = movinet.Movinet(
    model_id=model_id,
    causal=True,
    conv_type='2plus1d',
    se_type='2plus3d',
    input_specs=spec,
    activation='hard_swish',
    gating_activation='hard_sigmoid',
    use_sync_bn=False,
    use_external_states=True,
    use_positional_encoding=model_id not in ('a0', 'a1'),
  )
  model = movinet_model.MovinetClassifier(
    backbone,
    num_classes=_NUM_CLASSES,
    output_states=True,
    input_specs={'image': spec},
  )
  shapes = model.initial_state_specs([1, 1, size, size, 3])
  specs = {
    name: tf.TensorSpec(state.shape, state.dtype, name)
    for name, state in shapes.items()
  }
  specs['image'] = tf.TensorSpec(spec.shape, tf.float32, 'image')

  @tf.function(input_signature=[specs], autograph=False)
  def call(inputs):
    logits, states = model(inputs)
    return {**states, 'logits': logits}

  saved = str(pathlib.Path(folder, 'saved_model'))
  tf.saved_model.save(model, saved, {'serving_default': call})
  paths = []
  for name in ('float32', 'dynamic_int8'):
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if name == 'dynamic_int8':
      converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path = pathlib.Path(folder, f'{name}.tflite')
    path.write_bytes(converter.convert())
    paths.append(str(path))
  return paths


def measure(action: str, path: str, folder: str) -> dict[str, float]:
  """Seconds of reading or importing a file, and the process's peak in MiB."""
  from official_ext.grw.checkpoints import source
  from official_ext.grw.serving import import_checkpoint

  start = time.perf_counter()
  if action == 'read':
    source.read(path)
  else:
    import_checkpoint.import_checkpoint(path, folder)
  return {
    'seconds': time.perf_counter() - start,
    'memory_mib': benchmark.peak_memory_mib(),
  }


def _in_a_process(function, *arguments):
  # A peak cannot be taken back.
  with futures.ProcessPoolExecutor(
    1, multiprocessing.get_context('spawn')
  ) as pool:
    return pool.submit(function, *arguments).result()


def main(_):
  print(benchmark.machine())
  beyond = []
  with tempfile.TemporaryDirectory() as folder:
    for path in _in_a_process(write, _MODEL_ID.value, _SIZE.value, folder):
      name = pathlib.Path(path).stem
      size = pathlib.Path(path).stat().st_size / 1e6
      for action in ('read', 'import'):
        found = _in_a_process(measure, action, path, f'{folder}/{name}')
        print(
          f'{_MODEL_ID.value} {name}, {size:.1f} MB, {action}: '
          f'{found["seconds"]:.1f} s, peak memory '
          f'{found["memory_mib"]:.0f} MiB',
          flush=True,
        )
        if action == 'read' and (
          found['seconds'] > SECONDS or found['memory_mib'] > MEMORY_MIB
        ):
          beyond.append(f'{name}: {found}')
  if beyond:
    raise SystemExit(
      f'More than {SECONDS:.0f} s or {MEMORY_MIB:.0f} MiB: ' + '; '.join(beyond)
    )


if __name__ == '__main__':
  benchmark.run(main)
