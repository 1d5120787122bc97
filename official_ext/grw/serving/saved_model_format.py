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

"""SavedModels: whole clips of any length and size, or streams with states."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from official_ext.grw.serving import export_format

if TYPE_CHECKING:
  from official_ext.grw.serving import model_card


class SavedModelFormat(export_format.ExportFormat):
  """Folders for TensorFlow and TensorFlow Serving."""

  name = 'saved_model'
  summary = 'Writes a SavedModel.'
  help = r"""Writes a trained model as a SavedModel, of clips or streaming.

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
  default_kind = 'clip'

  def define_flags(self):
    from absl import flags  # pylint: disable=g-import-not-at-top

    flags.DEFINE_enum(
      'input_type',
      'float32',
      ['float32', 'uint8'],
      'float32 in [0, 1] at the size of the model, or uint8 of any size.',
    )

  def write(self, params, checkpoint, output_dir, *, kind, labels, **options):
    from official_ext.grw.serving import export  # pylint: disable=g-import-not-at-top

    return export.export_saved_model(
      params, checkpoint, output_dir, kind=kind, labels=labels, **options
    )

  def open(
    self, path: str, card: model_card.ModelCard, num_threads: int
  ) -> export_format.Runner:
    del num_threads  # TensorFlow's are those of the process.
    # TFLite files are run where there is no TensorFlow to import.
    from official_ext.grw.inference import clips  # pylint: disable=g-import-not-at-top
    from official_ext.grw.inference import saved_model_runner  # pylint: disable=g-import-not-at-top

    folder = os.path.dirname(path) if os.path.isfile(path) else path
    if card.kind == 'stream':
      return saved_model_runner.SavedModelStream(folder, card.size)
    return clips.Clips(
      saved_model_runner.SavedModelClip(folder, card.num_frames),
      card.num_frames,
    )
