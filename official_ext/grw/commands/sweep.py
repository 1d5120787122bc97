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

  grw sweep --definition=sweeps/table4 \
    --experiment=movinet_grw_airplanes --output_dir=/tmp/table4

Any experiment will do, with --config_file and --params_override as `grw train`
takes them.  The module official_ext.grw.reports.sweep says what a definition
is.  Writes table.md, table.csv, runs.csv, top_1.png and curves.png after every
run.
Interrupted or killed, the same command continues; rows, seeds and folds can be
added.  A cross-validation, whose folds `grw convert --folds` made:

  grw sweep --definition=sweeps/fine_tuning --experiment=movinet_grw_own_data \
    --folds=0,1,2,3,4 --output_dir=/tmp/fine_tuning \
    --params_override='task.dataset_info=records/fold{fold}/dataset.json'
"""

import pathlib
import sys

from absl import flags
from absl import logging

from official_ext.grw.commands import experiment_flags
from official_ext.grw.configs import published


def define_flags():
  flags.DEFINE_string(
    'definition', None, 'The YAML file of the rows; published ones by name.'
  )
  flags.DEFINE_string('output_dir', None, 'The folder of everything written.')
  flags.DEFINE_list(
    'seeds', ['0', '1', '2'], 'The seeds of the weights and of the data order.'
  )
  flags.DEFINE_list(
    'folds',
    [],
    'The folds of each row and seed, put where task.dataset_info has {fold}.',
  )
  flags.DEFINE_integer(
    'at_once',
    1,
    'The number of trainings side by side, which share the cores.',
    lower_bound=1,
  )
  experiment_flags.define()
  flags.mark_flags_as_required(['experiment', 'definition', 'output_dir'])


def main(_):
  import tensorflow as tf

  from official_ext.grw.reports import sweep

  values = flags.FLAGS
  logging.set_verbosity(logging.ERROR)  # Leave the screen to the progress.
  try:
    for flag in ('seeds', 'folds'):
      numbers = getattr(values, flag)
      if not all(number.isdecimal() for number in numbers):
        raise ValueError(
          f'--{flag}={",".join(numbers)}: expected whole '
          f'numbers, as in --{flag}=0,1,2.'
        )
    definition = sweep.read_definition(published.find(values.definition))
    runs = sweep.plan(
      definition,
      experiment_flags.parse(validate=False),
      [int(seed) for seed in values.seeds],
      [int(fold) for fold in values.folds],
    )
    failed = sweep.train(
      runs,
      values.experiment,
      definition.headings,
      values.output_dir,
      values.at_once,
      baseline=definition.baseline,
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
  print((pathlib.Path(values.output_dir) / 'table.md').read_text('utf-8'))
  print(f'Pictures: {values.output_dir}/top_1.png and curves.png')
  if failed:
    sys.exit(
      f'error: {len(failed)} of {len(runs)} runs failed: '
      f'{", ".join(run.label for run in failed)}; the same command '
      'tries them again.'
    )
