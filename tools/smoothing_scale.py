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

"""Finds how large GRW-smoothing alone makes windows of 3 to 12 frames.

  python3 tools/smoothing_scale.py --output_dir=/tmp/smoothing_scale

Minimises L_smooth over free points and compares their radius with T √ln T, as
official_ext/grw/reports/smoothing_scale.py explains.  Prints the table; writes
it, as CSV too, and a picture.  The same each time; less than a minute.
"""

import pathlib
import sys

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw.reports import smoothing_scale  # noqa: E402

_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder of everything written.', required=True
)
_ALPHA = flags.DEFINE_float('alpha', 0.5, 'α of the loss.')
_WINDOWS = flags.DEFINE_list(
  'windows',
  [str(window) for window in range(3, 13)],
  'T, two or more of 3 to 12.',
)


def main(_):
  try:
    if (
      not all(window.isdecimal() for window in _WINDOWS.value)
      or len(set(_WINDOWS.value)) < 2
    ):
      raise ValueError(
        f'--windows={",".join(_WINDOWS.value)}: expected two '
        'whole numbers or more, as in --windows=3,4,5.'
      )
    minima = [
      smoothing_scale.minimise(window, _ALPHA.value)
      for window in sorted(set(map(int, _WINDOWS.value)))
    ]
    smoothing_scale.write_report(minima, _OUTPUT_DIR.value)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(smoothing_scale.markdown(minima))
  ratio, exponent = smoothing_scale.fit(minima)
  print(
    f'\nLeast squares: radius = {ratio:.3f} · T √ln T; '
    f'radius ∝ (T √ln T)^{exponent:.2f}'
  )
  print(f'Picture: {_OUTPUT_DIR.value}/smoothing_scale.png')


if __name__ == '__main__':
  app.run(main)
