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

r"""Makes the tables of README.md and docs/ anew from configs/zoo.yaml.

  python3 tools/maintenance/zoo.py

prints the pages that changed.  With --table=NAME it prints that table instead.
"""

import pathlib
import sys

from absl import app
from absl import flags

ROOT = pathlib.Path(__file__).absolute().parents[2]
sys.path.insert(0, str(ROOT))

from official_ext.grw.configs import published  # noqa: E402
from official_ext.grw.reports import zoo_tables  # noqa: E402

_TABLE = flags.DEFINE_enum(
  'table', None, list(zoo_tables.TABLES), 'Table to print, changing nothing.'
)


def main(_):
  try:
    found = published.zoo()
    if _TABLE.value:
      print(zoo_tables.TABLES[_TABLE.value](found, 'README.md'))
      return
    for path in zoo_tables.rewrite(ROOT, found):
      print(f'written: {path.relative_to(ROOT)}')
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')


if __name__ == '__main__':
  app.run(main)
