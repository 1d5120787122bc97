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

r"""How smooth the runs of a sweep are at the seams of windows, and elsewhere.

  python3 tools/benchmarks/seams.py --sweep=/tmp/windows \
    --experiment=movinet_grw_airplanes

Of each row of a sweep, over its finished runs, acceleration over speed of the
embeddings of validation clips: where two windows that begin at frames 0, T, 2T,
… meet, within them, and the former over the latter.
"""

import pathlib
import sys

from absl import app
from absl import flags
import numpy as np
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import demo

_SWEEP = flags.DEFINE_string(
  'sweep', None, 'The --output_dir of a sweep.', required=True
)
_EXPERIMENT = flags.DEFINE_string(
  'experiment', 'movinet_grw_airplanes', 'The --experiment of the sweep.'
)


def _mean(values: np.ndarray) -> str:
  deviation = f' ± {values.std(ddof=1):.2f}' if len(values) > 1 else ''
  return f'{values.mean():.2f}{deviation}'


def table(sweep: pathlib.Path, experiment: str) -> str:
  """Measures each run that has a checkpoint.

  Args:
    sweep: the folder of a sweep.
    experiment: the experiment of its runs.

  Returns:
    A Markdown table with a line for each row.

  Raises:
    UsageError: there is no run.
  """
  rows = []
  for row in sorted(path for path in sweep.glob('runs/*') if path.is_dir()):
    found = []
    for params in sorted(row.rglob('params.yaml')):
      if (params.parent / 'checkpoint').exists():
        measures, *_ = demo.measure(params.parent, experiment)
        found.append((measures['at_seams'], measures['away_from_seams']))
        print(params.parent, *found[-1], file=sys.stderr, flush=True)
        tf_keras.backend.clear_session()
    if found:
      at_seams, elsewhere = np.transpose(found)
      rows.append(
        (
          row.name,
          str(len(found)),
          *map(_mean, (at_seams, elsewhere, at_seams / elsewhere)),
        )
      )
  if not rows:
    raise app.UsageError(
      f'--sweep={sweep}: expected the --output_dir of a sweep, with a '
      'checkpoint in runs/<row>/…/'
    )
  return benchmark.markdown_table(
    ['', 'runs', 'at seams', 'elsewhere', 'ratio'], rows
  )


def main(_):
  print(table(pathlib.Path(_SWEEP.value), _EXPERIMENT.value))


if __name__ == '__main__':
  benchmark.run(main)
