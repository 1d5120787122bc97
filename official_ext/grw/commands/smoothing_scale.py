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

  grw smoothing_scale --output_dir=/tmp/smoothing_scale

Minimizes L_smooth over free points and compares their radius with T √ln T, as
the module official_ext.grw.reports.smoothing_scale explains.  Prints the table;
writes it, as CSV too, and a picture.  The same each time; less than a minute.
"""

import sys

from absl import flags


def define_flags():
  flags.DEFINE_string('output_dir', None, 'The folder of everything written.')
  flags.DEFINE_float('alpha', 0.5, 'α of the loss.')
  flags.DEFINE_list(
    'windows',
    [str(window) for window in range(3, 13)],
    'T, two or more of 3 to 12.',
  )
  flags.mark_flags_as_required(['output_dir'])


def main(_):
  from official_ext.grw.reports import smoothing_scale

  values = flags.FLAGS
  try:
    if (
      not all(window.isdecimal() for window in values.windows)
      or len(set(values.windows)) < 2
    ):
      raise ValueError(
        f'--windows={",".join(values.windows)}: expected two '
        'whole numbers or more, as in --windows=3,4,5.'
      )
    minima = [
      smoothing_scale.minimize(window, values.alpha)
      for window in sorted(set(map(int, values.windows)))
    ]
    smoothing_scale.write_report(minima, values.output_dir)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(smoothing_scale.markdown(minima))
  ratio, exponent = smoothing_scale.fit(minima)
  print(
    f'\nLeast squares: radius = {ratio:.3f} · T √ln T; '
    f'radius ∝ (T √ln T)^{exponent:.2f}'
  )
  print(f'Picture: {values.output_dir}/smoothing_scale.png')
