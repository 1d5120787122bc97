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

r"""Writes a trained model as a SavedModel, of clips or streaming.

  python3 tools/export_saved_model.py \
    --experiment=movinet_grw_kinetics600 \
    --config_file=/tmp/a0s_grw/config.yaml \
    --checkpoint=/tmp/a0s_grw --output_dir=/tmp/a0s_grw_saved_model

The input is `image`, [batch, frames, height, width, 3] of any batch, length and
size: float32 in [0, 1], or with --input_type=uint8 whole video frames, which
are resized, cropped and scaled inside.  With --kind=stream there are states
besides, zero at the start, and a signature `init_states`.  What was written is
run against the model, and the largest difference printed.
"""

import pathlib
import sys

from absl import app
from absl import flags
from official.common import flags as tfm_flags
from official.core import train_utils

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[1]))

from official_ext.grw import registry_imports  # noqa: E402,F401
from official_ext.grw.serving import export  # noqa: E402
from official_ext.grw.serving import saved_model  # noqa: E402

_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', None, 'Whatever task.init_checkpoint takes.'
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to make for the SavedModel.'
)
_KIND = flags.DEFINE_enum(
  'kind',
  'clip',
  saved_model.KINDS,
  'Whole clips at once, or frames as they come, with states.',
)
_INPUT_TYPE = flags.DEFINE_enum(
  'input_type',
  'float32',
  saved_model.INPUT_TYPES,
  'float32 in [0, 1] at the size of the model, or uint8 of any size.',
)
_LABELS = flags.DEFINE_string(
  'labels', None, 'Class names, one a line; by default task.labels.'
)


def main(_):
  try:
    params = train_utils.parse_configuration(
      flags.FLAGS, lock_return=False, print_return=False
    )
    difference = export.export_saved_model(
      params,
      _CHECKPOINT.value,
      _OUTPUT_DIR.value,
      _KIND.value,
      _INPUT_TYPE.value,
      _LABELS.value,
    )
  except (ValueError, KeyError, OSError) as error:
    sys.exit(f'error: {error}')
  print(
    f'written: {_OUTPUT_DIR.value}; largest difference to the model '
    f'{difference:.1e} of the largest logit'
  )


if __name__ == '__main__':
  tfm_flags.define_flags()
  flags.mark_flags_as_required(['experiment', 'checkpoint', 'output_dir'])
  app.run(main)
