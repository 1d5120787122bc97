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

  python3 tools/inspect_tfrecords.py --input=records --contact_sheet=sheet.png

`input` is a folder that tools/videos_to_tfrecords.py wrote, or a pattern of
files (then with --num_classes).  Every frame of every record is decoded; the
first bad record of each file is named, and the exit code is then 1.
"""

import pathlib
import statistics
import sys

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw.datasets import record_inspection  # noqa: E402
from official_ext.grw.reports import benchmark  # noqa: E402

_INPUT = flags.DEFINE_string(
  'input', None, 'Folder of a dataset, or pattern of TFRecord files.'
)
_NUM_CLASSES = flags.DEFINE_integer(
  'num_classes', None, 'Classes, for a pattern.', lower_bound=1
)
_CONTACT_SHEET = flags.DEFINE_string(
  'contact_sheet',
  None,
  'PNG file to draw random clips in; with several splits, one each, named '
  '<file>_<split>.png.',
)
_NUM_CLIPS = flags.DEFINE_integer(
  'num_clips', 8, 'Clips to draw of a split.', lower_bound=1
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the choice of clips.')


def show(split: record_inspection.Split, contents: record_inspection.Contents):
  """Prints what was found."""
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
  problems = []
  try:
    splits = record_inspection.find_splits(_INPUT.value, _NUM_CLASSES.value)
    for split in splits:
      contents = record_inspection.inspect(
        split, _NUM_CLIPS.value if _CONTACT_SHEET.value else 0, _SEED.value
      )
      show(split, contents)
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
      if _CONTACT_SHEET.value:
        sheet = pathlib.Path(_CONTACT_SHEET.value)
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


if __name__ == '__main__':
  flags.mark_flags_as_required(['input'])
  app.run(main)
