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

"""Tables what fields of a configuration do to what its model costs.

  python3 tools/benchmarks/field_costs.py --config=posmlp_video_s16_k400 \
    --change=task.model.backbone.posmlp_video.block=joint

Parameters, and multiply-adds of one clip, of the config in its first row and of
each --change of it in a row of its own.  Models are built and traced, not run:
the numbers are the same on every machine.
"""

import pathlib
import sys

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_cost
from official_ext.grw.reports import model_table

_FOLDER = pathlib.Path(__file__).absolute().parents[2] / 'configs'
_CONFIG = flags.DEFINE_string(
  'config', 'posmlp_video_s16_k400', 'A file in configs/.'
)
_CHANGES = flags.DEFINE_multi_string(
  'change', [], 'field=value,… on top of it; once for each row.'
)


def row(change: str) -> list[str]:
  """What changed, parameters in millions and multiply-adds in billions.

  Raises:
    ValueError: a field or a value that is not to be had.
  """
  params = model_table.read_changed(
    _FOLDER / f'{_CONFIG.value}.yaml', change, '--change'
  )
  counts = model_cost.count(model_cost.build(params), params)
  said = ', '.join(part.split('.')[-1] for part in change.split(',task.'))
  return [
    f'`{said}`' if change else '',
    f'{counts.parameters / 1e6:.2f}',
    f'{counts.clip / 1e9:.2f}',
  ]


def main(_):
  print(
    benchmark.markdown_table(
      [_CONFIG.value, 'parameters, M', 'multiply-adds, G'],
      [row(change) for change in ['', *_CHANGES.value]],
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
