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

  grw table --output_dir=/tmp/models

writes `model_table.md`, `model_table.csv`, `accuracy_against_flops.png` and
`accuracy_against_memory.png`: parameters, multiply-adds and FLOPs of a video,
at once and frame by frame, with and without the head; and, unless
--measure=false, milliseconds and peak memory on this machine.  Rows are kept in
`rows.json` there: interrupted, the same command continues, and only what has
changed is made anew.

  grw table --output_dir=/tmp/frames --frames=8,16,32 \
    --configs='configs/movinet_a0_*_k600.yaml'

takes clips of 8, 16 and 32 frames, and draws `memory_against_frames.png` too.
"""

from collections.abc import Sequence
import os
import sys

from absl import flags

from official_ext.grw.configs import published


def define_flags():
  flags.DEFINE_string(
    'configs',
    str(published.folder() / '*.yaml'),
    'YAML files; the zoo.yaml of their folder says what each is.',
  )
  flags.DEFINE_string('output_dir', None, 'The folder to write to.')
  flags.DEFINE_bool(
    'measure', True, 'Time clips and streams, and measure their memory.'
  )
  flags.DEFINE_list(
    'frames',
    [],
    'Lengths of clips, for example 8,16,32, in place of those of the configs.',
  )
  flags.DEFINE_integer(
    'repeats',
    5,
    'Timed clips and streams of each, for up to a minute.',
    lower_bound=1,
  )
  flags.mark_flags_as_required(['output_dir'])


def _lengths(texts: Sequence[str]) -> list[int]:
  """Numbers of frames; raises ValueError for what is none."""
  if not all(text.isdecimal() and int(text) for text in texts):
    raise ValueError(
      f'--frames={",".join(texts)}: expected numbers of at least 1, as 8,16,32.'
    )
  return [int(text) for text in texts]


def main(_):
  from official_ext.grw import registry_imports  # noqa: F401
  from official_ext.grw.reports import model_table

  values = flags.FLAGS
  try:
    configs, found = model_table.read_configs(values.configs)
    if values.frames:
      configs = model_table.of_lengths(configs, _lengths(values.frames))
    os.makedirs(values.output_dir, exist_ok=True)
    rows, failures = model_table.make_rows(
      configs, values.output_dir, values.measure, values.repeats
    )
    model_table.write(rows, failures, found, values.output_dir)
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(f'written: {values.output_dir}')
