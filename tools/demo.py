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

  python3 tools/demo.py --output_dir=demo_output

Interrupted, the same command continues.
"""

import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw.reports import demo  # noqa: E402

_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', 'demo_output', 'Folder of everything written.'
)
_TRAIN_CLIPS = flags.DEFINE_integer(
  'train_clips', demo.Setting.train_clips, 'Clips to train on.', lower_bound=3
)
_VALIDATION_CLIPS = flags.DEFINE_integer(
  'validation_clips',
  demo.Setting.validation_clips,
  'Held-out clips.',
  lower_bound=3,
)
_EPOCHS = flags.DEFINE_integer(
  'epochs',
  demo.Setting.epochs,
  'Passes over the training clips.',
  lower_bound=1,
)
_WEIGHT = flags.DEFINE_float(
  'weight', demo.Setting.weight, 'λ of the run with GRW.', lower_bound=0
)
_SEED = flags.DEFINE_integer(
  'seed', demo.Setting.seed, 'Of weights and data order.', lower_bound=0
)


def main(_):
  logging.set_verbosity(logging.ERROR)  # Leave the screen to the progress.
  setting = demo.Setting(
    train_clips=_TRAIN_CLIPS.value,
    validation_clips=_VALIDATION_CLIPS.value,
    epochs=_EPOCHS.value,
    weight=_WEIGHT.value,
    seed=_SEED.value,
  )
  try:
    outcomes = demo.compare(setting, _OUTPUT_DIR.value)
  except demo.DemoError as error:
    sys.exit(f'demo: {error}')
  except KeyboardInterrupt:
    sys.exit('\ndemo: interrupted; the same command continues.')
  print('\n' + demo.table(outcomes))
  print(f'\nPicture: {_OUTPUT_DIR.value}/embeddings.png')
  print(f'TensorBoard: tensorboard --logdir {_OUTPUT_DIR.value}')


if __name__ == '__main__':
  app.run(main)
