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

"""Repeats the demo over seeds and prints mean ± standard deviation.

  python3 tools/demo_seeds.py --output_dir=demo_output --seeds=0,1,2

Each seed is one comparison in a folder of its own, seed 0 in the demo's; what
is done already is not done again.
"""

import dataclasses
import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw import demo  # noqa: E402

_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir', 'demo_output', 'Folder of everything written.')
_SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Seeds, three or more.')


def main(_):
  logging.set_verbosity(logging.ERROR)  # Leave the screen to the progress.
  if len(set(_SEEDS.value)) < 3 or not all(
      seed.isdigit() for seed in _SEEDS.value):
    sys.exit('demo_seeds: --seeds takes three different whole numbers or more, '
             f'not {",".join(_SEEDS.value)!r}.')
  runs = []
  for seed in map(int, _SEEDS.value):
    folder = pathlib.Path(_OUTPUT_DIR.value)
    if seed != demo.Setting.seed:
      folder = folder / f'seed{seed}'
    print(f'Seed {seed}, in {folder}', file=sys.stderr)
    try:
      runs.append(demo.compare(
          dataclasses.replace(demo.Setting(), seed=seed), str(folder)))
    except demo.DemoError as error:
      sys.exit(f'demo_seeds: {error}')
    except KeyboardInterrupt:
      sys.exit('\ndemo_seeds: interrupted; the same command continues.')
    print(f'Seed {seed}\n{demo.table(runs[-1])}\n')
  print(f'Over {len(runs)} seeds\n{demo.summary(runs)}')


if __name__ == '__main__':
  app.run(main)
