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

r"""Runs an ablation: rows of changes to an experiment, each over seeds.

  python3 tools/sweep.py --definition=configs/sweeps/table4.yaml \
    --experiment=movinet_grw_airplanes --output_dir=/tmp/table4

Any experiment will do, with --config_file and --params_override as train.py
takes them.  official_ext/grw/reports/sweep.py says what a definition is.
Writes table.md, table.csv and top_1.png after every run.  Interrupted or
killed, the same command continues; rows and seeds can be added.
"""

import pathlib
import sys

from absl import app
from absl import flags
from absl import logging
from official.common import flags as tfm_flags
from official.core import train_utils
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw import registry_imports  # noqa: E402,F401
from official_ext.grw.reports import sweep  # noqa: E402

_DEFINITION = flags.DEFINE_string('definition', None, 'YAML file of the rows.')
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder of everything written.'
)
_SEEDS = flags.DEFINE_list(
  'seeds', ['0', '1', '2'], 'Of weights and data order.'
)
_AT_ONCE = flags.DEFINE_integer(
  'at_once', 1, 'Trainings side by side, which share the cores.', lower_bound=1
)


def main(_):
  logging.set_verbosity(logging.ERROR)  # Leave the screen to the progress.
  try:
    if not all(seed.isdecimal() for seed in _SEEDS.value):
      raise ValueError(
        f'--seeds={",".join(_SEEDS.value)}: expected whole '
        'numbers, as in --seeds=0,1,2.'
      )
    definition = sweep.read_definition(_DEFINITION.value)
    runs = sweep.plan(
      definition,
      train_utils.ExperimentParser(flags.FLAGS).parse(),
      [int(seed) for seed in _SEEDS.value],
    )
    failed = sweep.train(
      runs,
      flags.FLAGS.experiment,
      list(definition.columns),
      _OUTPUT_DIR.value,
      _AT_ONCE.value,
    )
  except (
    ValueError,
    KeyError,
    AttributeError,
    OSError,
    tf.errors.OpError,
  ) as error:
    sys.exit(f'error: {error}')
  except KeyboardInterrupt:
    sys.exit('\nerror: interrupted; the same command continues.')
  print((pathlib.Path(_OUTPUT_DIR.value) / 'table.md').read_text('utf-8'))
  print(f'Picture: {_OUTPUT_DIR.value}/top_1.png')
  if failed:
    sys.exit(
      f'error: {len(failed)} of {len(runs)} runs failed: '
      f'{", ".join(run.label for run in failed)}; the same command '
      'tries them again.'
    )


if __name__ == '__main__':
  tfm_flags.define_flags()
  flags.mark_flags_as_required(['experiment', 'definition', 'output_dir'])
  app.run(main)
