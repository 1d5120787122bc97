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
"""Trains a MoViNet on airplanes without and with GRW, and shows both.

  grw demo --output_dir=demo_output

Interrupted, the same command continues.
"""

import sys

from absl import flags
from absl import logging


def define_flags():
  flags.DEFINE_string(
    'output_dir', 'demo_output', 'The folder of everything written.'
  )
  flags.DEFINE_integer(
    'train_clips', 4000, 'The number of clips to train on.', lower_bound=3
  )
  flags.DEFINE_integer(
    'validation_clips', 300, 'The number of held-out clips.', lower_bound=3
  )
  flags.DEFINE_integer(
    'epochs', 3, 'Passes over the training clips.', lower_bound=1
  )
  flags.DEFINE_float('weight', 0.1, 'λ of the run with GRW.', lower_bound=0)
  flags.DEFINE_integer(
    'seed', 0, 'The seed of the weights and of the data order.', lower_bound=0
  )


def main(_):
  from official_ext.grw.reports import demo

  logging.set_verbosity(logging.ERROR)  # Leave the screen to the progress.
  values = flags.FLAGS
  setting = demo.Setting(
    train_clips=values.train_clips,
    validation_clips=values.validation_clips,
    epochs=values.epochs,
    weight=values.weight,
    seed=values.seed,
  )
  try:
    outcomes = demo.compare(setting, values.output_dir)
  except demo.DemoError as error:
    sys.exit(f'demo: {error}')
  except KeyboardInterrupt:
    sys.exit('\ndemo: interrupted; the same command continues.')
  print('\n' + demo.table(outcomes))
  print(f'\nPicture: {values.output_dir}/embeddings.png')
  print(f'TensorBoard: tensorboard --logdir {values.output_dir}')
