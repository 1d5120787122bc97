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
r"""Says what TFRecords of clips hold, checks them all, and draws some clips.

  grw inspect --input=records --contact_sheet=sheet.png

`input` is a folder that `grw convert` wrote, or a pattern of files (then with
--num_classes).  Every frame of every record is decoded; the first bad record of
each file is named, and the exit code is then 1.
"""

from __future__ import annotations

import pathlib
import statistics
import sys
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
  from official_ext.grw.datasets import record_inspection


def define_flags():
  flags.DEFINE_string(
    'input', None, 'The folder of a dataset, or a pattern of TFRecord files.'
  )
  flags.DEFINE_integer(
    'num_classes', None, 'The number of classes, for a pattern.', lower_bound=1
  )
  flags.DEFINE_string(
    'contact_sheet',
    None,
    'PNG file to draw random clips in; with several splits, one each, named '
    '<file>_<split>.png.',
  )
  flags.DEFINE_integer(
    'num_clips', 8, 'The number of clips of a split to draw.', lower_bound=1
  )
  flags.DEFINE_integer('seed', 0, 'The seed of the choice of clips.')
  flags.mark_flags_as_required(['input'])


def _show(
  split: record_inspection.Records, contents: record_inspection.Contents
):
  """Prints what was found."""
  from official_ext.grw.reports import benchmark

  frames = contents.num_frames or [0]
  print(
    f'{split.name}: {contents.num_clips} clips in {len(split.files)} '
    f'files; {min(frames)} to {max(frames)} frames, median '
    f'{statistics.median(frames):g}'
  )
  found = contents.clips_of_label
  names = dict(enumerate(split.labels))
  print(
    benchmark.markdown_table(
      ('label', 'index', 'clips'),
      [
        (names.get(index, '(no name)'), str(index), str(found.get(index, 0)))
        for index in sorted(names.keys() | found.keys())
      ],
    )
  )
  for bad in contents.bad:
    print(f'bad: {bad}')


def main(_):
  from official_ext.grw.datasets import record_inspection

  values = flags.FLAGS
  problems = []
  try:
    splits = record_inspection.find_splits(values.input, values.num_classes)
    for split in splits:
      contents = record_inspection.inspect(
        split, values.num_clips if values.contact_sheet else 0, values.seed
      )
      _show(split, contents)
      if contents.bad:
        problems.append(
          f'{len(contents.bad)} of {len(split.files)} files of '
          f'{split.name} have a bad record'
        )
      elif split.num_examples not in (None, contents.num_clips):
        problems.append(
          f'{split.name} holds {contents.num_clips} clips, '
          f'{split.num_examples} in dataset.json'
        )
      if values.contact_sheet:
        sheet = pathlib.Path(values.contact_sheet)
        if len(splits) > 1:
          sheet = sheet.with_name(f'{sheet.stem}_{split.name}.png')
        record_inspection.contact_sheet(
          contents.samples, split.labels, str(sheet)
        )
        print(f'drawn: {sheet}')
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  if problems:
    sys.exit(f'error: {"; ".join(problems)}.')
