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

  grw export saved_model \
    --experiment=movinet_grw_kinetics600 \
    --config_file=/tmp/a0s_grw/config.yaml \
    --checkpoint=/tmp/a0s_grw --output_dir=/tmp/a0s_grw_saved_model

The input is `image`, [batch, frames, height, width, 3] of any batch, length and
size: float32 in [0, 1], or with --input_type=uint8 whole video frames, which
are resized, cropped and scaled inside.  With --kind=stream there are states
besides, zero at the start, and a signature `init_states`.  What was written is
run against the model, and the largest difference printed.
"""

import sys

from absl import flags

from official_ext.grw.commands import experiment_flags
from official_ext.grw.files import screen


def define_flags():
  flags.DEFINE_string(
    'checkpoint', None, 'Whatever task.init_checkpoint takes.'
  )
  flags.DEFINE_string(
    'output_dir', None, 'The folder to make for the SavedModel.'
  )
  flags.DEFINE_enum(
    'kind',
    'clip',
    ['clip', 'stream'],
    'Whole clips at once, or frames as they come, with states.',
  )
  flags.DEFINE_enum(
    'input_type',
    'float32',
    ['float32', 'uint8'],
    'float32 in [0, 1] at the size of the model, or uint8 of any size.',
  )
  flags.DEFINE_string(
    'labels', None, 'Class names, one a line; by default task.labels.'
  )
  experiment_flags.define()
  flags.mark_flags_as_required(['experiment', 'checkpoint', 'output_dir'])


@screen.only_what_matters()
def main(_):
  values = flags.FLAGS
  try:
    params = experiment_flags.parse()

    from official_ext.grw.serving import export

    written = export.export_saved_model(
      params,
      values.checkpoint,
      values.output_dir,
      values.kind,
      values.input_type,
      values.labels,
    )
  except (ValueError, KeyError, OSError) as error:
    sys.exit(f'error: {error}')
  print(
    f'written: {values.output_dir}; largest difference to the model '
    f'{written.difference:.1e} of the largest logit'
  )
