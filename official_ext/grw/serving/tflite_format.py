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

"""TFLite files: one signature, frame by frame with states, or clips."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from official_ext.grw.serving import export_format

if TYPE_CHECKING:
  from official_ext.grw.serving import model_card


def define_stream_flags():
  """Defines the flags, absl's, of all that streams from a TFLite file."""
  from absl import flags  # pylint: disable=g-import-not-at-top

  flags.DEFINE_string(
    'quantization',
    'float32',
    'float32; float16, half the size; dense_int8, dense layers in 8 bits, a '
    'third of the size; or dynamic_int8, convolutions too, a quarter.',
  )
  flags.DEFINE_integer(
    'classify_every',
    None,
    'Run the head at each k-th frame and repeat its logits between; by '
    'default the divisor of N next to the window of the loss, or 1 for a '
    'head that costs little.',
    lower_bound=1,
  )


class TfliteFormat(export_format.ExportFormat):
  """Files for LiteRT, on phones and small computers."""

  name = 'tflite'
  summary = 'Writes a TFLite file.'
  help = r"""Writes a trained model as a TFLite file.

  grw export tflite \
    --experiment=movinet_grw_kinetics600 \
    --config_file=/tmp/a0s_grw/config.yaml \
    --checkpoint=/tmp/a0s_grw --output_dir=/tmp/a0s_grw_tflite

The folder holds model.tflite, labels.txt and model_card.json.  The file has one
signature, from `image` [1, 1, height, width, 3] float32 in [0, 1] and states,
zero at the start, to `logits` and the states: it streams frame by frame.  With
--kind=clip, for backbones that see frames to come too, it takes the frames of a
clip at once, [1, N, height, width, 3], and how many of them count, and there
are no states.  What was written is run against the model, and the largest
difference printed; of weights in 8 bits also how many answers are the same
along rendered videos.
"""
  default_kind = 'stream'

  def define_flags(self):
    from absl import flags  # pylint: disable=g-import-not-at-top

    define_stream_flags()
    flags.DEFINE_bool(
      'split_head',
      False,
      'Also write model_split.tflite, with signatures encode and classify.',
    )
    flags.DEFINE_bool(
      'signals',
      False,
      'Also give, at each frame, the outputs embedding and smoothness: how '
      'likely the order of the last frames is, and the last acceleration.',
    )

  def write(self, params, checkpoint, output_dir, *, kind, labels, **options):
    from official_ext.grw.serving import export  # pylint: disable=g-import-not-at-top

    return export.export_tflite(
      params, checkpoint, output_dir, kind=kind, labels=labels, **options
    )

  def open(
    self, path: str, card: model_card.ModelCard, num_threads: int
  ) -> export_format.Runner:
    from official_ext.grw.inference import clips  # pylint: disable=g-import-not-at-top
    from official_ext.grw.inference import tflite_stream  # pylint: disable=g-import-not-at-top

    file = path
    if not os.path.isfile(path):
      file = os.path.join(path, tflite_stream.MODEL_FILE)
    model = (
      tflite_stream.TfliteStream(file, num_threads)
      if card.kind == 'stream'
      else tflite_stream.TfliteClip(file, num_threads)
    )
    shape = model.image_shape
    if shape[2:4] != card.size:
      raise ValueError(
        f'{file} takes frames of {shape[2:4]}, and its card says {card.size}: '
        'export it again.'
      )
    if isinstance(model, tflite_stream.TfliteClip):
      return clips.Clips(model, shape[1])
    return model
