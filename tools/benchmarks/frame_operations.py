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

"""Times base MoViNets as computed on CPUs here against the stock operations.

  python3 tools/benchmarks/frame_operations.py

MoViNet-A0-Base with GRW on 50 frames of 172 x 172: inference and the task's own
train step, of one clip, with 3D layers computed frame by frame
(`compat/frame_operations.py`) and as the Model Garden has them, in turns.
"""

import pathlib
import sys

from absl import flags
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_table
from official_ext.grw.reports import train_step

_CONFIG = flags.DEFINE_string(
  'config',
  str(
    pathlib.Path(__file__).absolute().parents[2]
    / 'configs'
    / 'movinet_a0_base_grw_k600.yaml'
  ),
  'YAML of the model.',
)
_REPEATS = flags.DEFINE_integer(
  'repeats', 3, 'Timed runs of each.', lower_bound=1
)


def steps(path: str, video_operations: str):
  """Inference and train step of a model, as functions that wait."""
  params = model_table.read_config(path).params
  params.task.seed = 0
  params.task.model.video_operations = video_operations
  model, clips, train = train_step.build(params, 1)
  infer = tf.function(lambda: model({'image': clips}, training=False))
  return lambda: infer().numpy(), train


def main(_):
  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; '
    f'tf_keras {tf_keras.__version__}'
  )
  ours = steps(_CONFIG.value, 'frames')
  stock = steps(_CONFIG.value, 'volumes')
  rows = []
  for name, functions in zip(('inference', 'train step'), zip(ours, stock)):
    by_frames, in_3d = benchmark.medians(functions, _REPEATS.value, warm_up=1)
    rows.append(
      [
        name,
        f'{1e3 * by_frames:.0f}',
        f'{1e3 * in_3d:.0f}',
        f'{in_3d / by_frames:.1f}',
      ]
    )
  print(
    benchmark.markdown_table(
      ['one clip', 'by frames, ms', '3D layers, ms', 'ratio'], rows
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
