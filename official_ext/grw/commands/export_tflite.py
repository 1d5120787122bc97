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
r"""Writes a trained model as a TFLite file.

  grw export tflite \
    --experiment=movinet_grw_kinetics600 \
    --config_file=/tmp/a0s_grw/config.yaml \
    --checkpoint=/tmp/a0s_grw --output_dir=/tmp/a0s_grw_tflite

The folder holds model.tflite, labels.txt and model_card.json.  The file has one
signature, from `image` [1, 1, height, width, 3] float32 in [0, 1] and states,
zero at the start, to `logits` and the states: it streams frame by frame.  With
--kind=clip, for backbones that see frames to come too, it takes the frames of a
clip at once, [1, N, height, width, 3], and there are no states.  What was
written is run against the model, and the largest difference printed; of
dynamic_int8 also how many answers are the same along rendered videos.
"""

import os
import sys

from absl import flags

from official_ext.grw.commands import experiment_flags
from official_ext.grw.files import screen


def define_flags():
  flags.DEFINE_string(
    'checkpoint', None, 'Whatever task.init_checkpoint takes.'
  )
  flags.DEFINE_string('output_dir', None, 'The folder to make.')
  flags.DEFINE_enum(
    'kind',
    'stream',
    ['clip', 'stream'],
    'Frame by frame with states, or clips of N frames at once.',
  )
  flags.DEFINE_string(
    'quantization',
    'float32',
    'float32; float16, half the size; or dynamic_int8, a quarter of the size.',
  )
  flags.DEFINE_integer(
    'classify_every',
    None,
    'Run the head at each k-th frame and repeat its logits between; by default '
    'the window of the loss, or 1 for a head that costs little.',
    lower_bound=1,
  )
  flags.DEFINE_bool(
    'split_head',
    False,
    'Also write model_split.tflite, with signatures encode and classify.',
  )
  flags.DEFINE_string(
    'labels', None, 'Class names, one a line; by default task.labels.'
  )
  experiment_flags.define()
  flags.mark_flags_as_required(['experiment', 'checkpoint', 'output_dir'])


@screen.only_what_matters()
def main(_):
  # Else TensorFlow imports Keras 3 too, which nothing here uses.
  os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
  values = flags.FLAGS
  try:
    params = experiment_flags.parse()

    from official_ext.grw.serving import export

    written = export.export_tflite(
      params,
      values.checkpoint,
      values.output_dir,
      values.quantization,
      values.classify_every,
      values.split_head,
      values.labels,
      values.kind,
    )
  except (ValueError, KeyError, OSError) as error:
    sys.exit(f'error: {error}')
  print(
    f'written: {values.output_dir}; largest difference to the model '
    f'{written.difference:.1e} of the largest logit'
  )
  if written.agreement:
    print(f'against float32, {written.agreement}')
