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

r"""Measures more of the runs of a sweep, once they are trained.

  python3 tools/benchmarks/sweep_runs.py --measure=seams --sweep=/tmp/windows \
    --experiment=movinet_grw_airplanes

Prints of each row, over its finished runs, one of

*   seams: acceleration over speed of the embeddings of validation clips, where
    two windows that begin at frames 0, T, 2T, … meet, within them, and the
    former over the latter;
*   early_decisions: of models that stream, top-1 after so many frames of each
    clip.  Where frames have labels, that of the last one is the right answer.
    Each run has its own curve, as a picture too, in its `evaluation` folder.
"""

from collections.abc import Callable
import csv
import pathlib
import sys

from absl import flags
import numpy as np
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import trained_params
from official_ext.grw.evaluation import early_decisions
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import demo
from official_ext.grw.reports import sweep
from official_ext.grw.training import launch
from official_ext.grw.training import runner

# Of a run and its experiment, values by what stands above them in the table.
Measure = Callable[[pathlib.Path, str], dict[str, float]]


def at_seams(run: pathlib.Path, experiment: str) -> dict[str, float]:
  """Acceleration over speed at seams, elsewhere, and the ratio of both."""
  measures, *_ = demo.measure(run, experiment)
  seams, elsewhere = measures['at_seams'], measures['away_from_seams']
  return {
    'at seams': seams,
    'elsewhere': elsewhere,
    'ratio': seams / elsewhere,
  }


def after_frames(run: pathlib.Path, experiment: str) -> dict[str, float]:
  """Top-1 by the number of frames seen.

  Raises:
    ValueError: the model does not stream.
  """
  written = run / runner.REPORT_FOLDER / early_decisions.CSV
  written.unlink(missing_ok=True)
  params = launch.parse_experiment(
    experiment, [(str(run), trained_params.read(str(run)))]
  )
  launch.build_runner(params, 'eval', str(run)).run()
  if not written.exists():
    raise ValueError(
      f'{run}: expected a model that streams, with one label and one view a '
      'clip, as others have no answer before a clip has ended.'
    )
  with written.open() as file:
    return {
      f'{line["frames"]} frames': float(line['top_1'])
      for line in csv.DictReader(file)
    }


# And how values are shown.
MEASURES: dict[str, tuple[Measure, str]] = {
  'seams': (at_seams, '.2f'),
  'early_decisions': (after_frames, '.1%'),
}

_MEASURE = flags.DEFINE_enum(
  'measure', 'seams', list(MEASURES), 'What of them.'
)
_SWEEP = flags.DEFINE_string(
  'sweep', None, 'The --output_dir of a sweep.', required=True
)
_EXPERIMENT = flags.DEFINE_string(
  'experiment', 'movinet_grw_airplanes', 'The --experiment of the sweep.'
)


def table(folder: str, experiment: str, measure: str) -> str:
  """Measures each run that has a checkpoint.

  Args:
    folder: that of a sweep.
    experiment: the experiment of its runs.
    measure: one of `MEASURES`.

  Returns:
    A Markdown table with a line for each row.

  Raises:
    SweepError: there is no run.
    ValueError: what is measured cannot be measured of these models.
  """
  of_run, unit = MEASURES[measure]
  rows, headings = [], []
  for row, runs in sweep.trained(folder).items():
    found = []
    for run in runs:
      found.append(of_run(run, experiment))
      print(run, *found[-1].values(), file=sys.stderr, flush=True)
      tf_keras.backend.clear_session()
    headings = list(found[0])
    cells = [
      benchmark.with_deviation(np.array([each[name] for each in found]), unit)
      for name in headings
    ]
    rows.append((row, str(len(found)), *cells))
  return benchmark.markdown_table(['', 'runs', *headings], rows)


def main(_):
  print(table(_SWEEP.value, _EXPERIMENT.value, _MEASURE.value))


if __name__ == '__main__':
  benchmark.run(main)
