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

"""Writes what `train.py` knows of experiments before TensorFlow is imported.

  python3 tools/maintenance/describe_configs.py

Run it after a change of the fields or defaults of a configuration.
"""

import pathlib
import re
import sys

from absl import app

ROOT = pathlib.Path(__file__).absolute().parents[2]
PACKAGE = ROOT / 'official_ext' / 'grw'
sys.path.insert(0, str(ROOT))

from official.core import exp_factory  # noqa: E402

from official_ext.grw import registry_imports  # noqa: E402,F401
from official_ext.grw.configs import description  # noqa: E402


def described() -> description.Description:
  """Describes the experiments of this project."""
  names = {
    name
    for path in [
      *(PACKAGE / 'configs').glob('*.py'),
      *(PACKAGE / 'backbones').glob('*/experiments.py'),
    ]
    for name in re.findall(
      r"register_config_factory\(\s*'([^']+)'", path.read_text('utf-8')
    )
  }
  return description.describe(
    {name: exp_factory.get_exp_config(name) for name in names}
  )


def main(_):
  description.write(described())


if __name__ == '__main__':
  app.run(main)
