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

"""Times the backbones of other families beside MoViNet-A2's.

  python3 tools/benchmarks/families.py

Of each file in --configs, at the size it asks for and by the experiment that it
names: inference of one clip, and the task's own train step, in turns.  A train
step counts as three times the multiply-adds of inference: two more go to
gradients, of the features and of the weights.
"""

import pathlib
import sys

from absl import flags
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones import frozen_weights
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_table
from official_ext.grw.reports import multiply_adds
from official_ext.grw.reports import train_step

_FOLDER = pathlib.Path(__file__).absolute().parents[2] / 'configs'
_CONFIGS = flags.DEFINE_list(
  'configs',
  [
    'movinet_a2_stream_grw_k400',
    'videofocalnet_t_k400',
    'posmlp_video_s16_k400',
  ],
  'Files in configs/.',
)
_REPEATS = flags.DEFINE_integer(
  'repeats', 10, 'Timed runs of each.', lower_bound=1
)
_BATCH = flags.DEFINE_integer(
  'batch', 1, 'Clips in a training step.', lower_bound=1
)


def steps(name: str):
  """Inference, a train step, their multiply-adds, and what they see."""
  params = model_table.read_config(_FOLDER / f'{name}.yaml').params
  params.task.seed = 0
  shape = tuple(params.task.train_data.feature_shape)
  model, clips, train = train_step.build(params, _BATCH.value)

  def classify(image):
    return model({'image': image}, training=False)

  with frozen_weights.frozen_weights():  # As in an exported model.
    inference = tf.function(classify).get_concrete_function(
      tf.TensorSpec([1, *shape], tf.float32)
    )

  products = multiply_adds.products(
    classify, tf.TensorSpec([1, *shape], tf.float32)
  )
  return (
    lambda: inference(clips[:1]).numpy(),
    train,
    multiply_adds.total(products),
    shape,
  )


def main(_):
  print(
    f'{benchmark.machine()}; TensorFlow {tf.__version__}; '
    f'tf_keras {tf_keras.__version__}; train steps of {_BATCH.value}'
  )
  found = [steps(name) for name in _CONFIGS.value]
  inferences = benchmark.medians([each[0] for each in found], _REPEATS.value)
  trains = benchmark.medians([each[1] for each in found], _REPEATS.value)
  rows = [
    [
      name,
      f'{shape[0]} x {shape[1]}²',
      f'{count / 1e9:.1f} G',
      f'{1e3 * inference:.0f}',
      f'{count / inference / 1e9:.1f}',
      f'{1e3 * train:.0f}',
      f'{3 * _BATCH.value * count / train / 1e9:.1f}',
    ]
    for name, (_, _, count, shape), inference, train in zip(
      _CONFIGS.value, found, inferences, trains
    )
  ]
  print(
    benchmark.markdown_table(
      ['', 'clip', 'multiply-adds', 'clip, ms', 'G/s', 'train step, ms', 'G/s'],
      rows,
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
