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

r"""Tables what each configured model costs, beside what papers say.

  python3 tools/model_table.py --output_dir=/tmp/models

writes `model_table.md`, `model_table.csv` and `accuracy_against_flops.png`:
parameters, multiply-adds and FLOPs of a video, at once and frame by frame, with
and without the head; and, unless --measure=false, milliseconds and peak memory
on this machine.  Rows are kept in `rows.json` there: interrupted, the same
command continues, and only what has changed is made anew.
"""

import os
import pathlib
import sys

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw import registry_imports  # noqa: E402,F401
from official_ext.grw.reports import model_table  # noqa: E402

_CONFIGS = flags.DEFINE_string(
  'configs',
  'configs/*.yaml',
  'YAML files, each with the command that trains it in its heading.',
)
_OUTPUT_DIR = flags.DEFINE_string('output_dir', None, 'Folder to write to.')
_MEASURE = flags.DEFINE_bool(
  'measure', True, 'Time clips and streams, and measure their memory.'
)
_REPEATS = flags.DEFINE_integer(
  'repeats',
  5,
  'Timed clips and streams of each, for up to a minute.',
  lower_bound=1,
)


def main(_):
  try:
    configs = model_table.read_configs(_CONFIGS.value)
    os.makedirs(_OUTPUT_DIR.value, exist_ok=True)
    rows, failures = model_table.make_rows(
      configs, _OUTPUT_DIR.value, _MEASURE.value, _REPEATS.value
    )
    model_table.write(rows, failures, _OUTPUT_DIR.value)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(f'written: {_OUTPUT_DIR.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['output_dir'])
  app.run(main)
