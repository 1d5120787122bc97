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
r"""Turns published weights into a checkpoint of this project.

  grw import --source=a0s_grw.pt --output_dir=/tmp/a0s_grw

Reads the Model Garden's tarballs (unpacked) and Trainer checkpoints, the
SavedModels on Kaggle, state dicts of the PyTorch MoViNet port and the PyTorch
checkpoints of the authors of GRW and of the other families of backbones, and
TFLite files of streaming MoViNets; which one it is shows in the file.  Prints
what was found and matched, and writes a checkpoint and `config.yaml`, with
which `grw train` rebuilds, evaluates and fine-tunes the model.

The gate of a streaming MoViNet is read where it stands, or found by the fit of
batch statistics; where these do not tell, --gating_activation is required.
"""

import os
import sys

from absl import flags

from official_ext.grw.files import kaggle_models


def define_flags():
  flags.DEFINE_string(
    'source',
    None,
    'A checkpoint (prefix, .index file or folder), the folder of a SavedModel, '
    'a file that torch.save wrote (.pt, .pth, .pyth), or a TFLite file; or a '
    'model on Kaggle, kaggle:owner/model/framework/variation.',
  )
  flags.DEFINE_string(
    'output_dir',
    None,
    'The folder to make for the checkpoint and config.yaml.',
  )
  flags.DEFINE_enum(
    'weights',
    'auto',
    ['auto', 'model', 'ema'],
    'Which weights of a file with an exponential moving average: the average '
    '(ema) or what was trained (model). auto: what its own code loads by '
    "default, which is the average for a Trainer's checkpoints, the model for "
    '.pt files.',
  )
  flags.DEFINE_integer(
    'num_classes',
    None,
    'The number of classes of a new head, in place of the one in the file, '
    'which is then not read.',
    lower_bound=2,
  )
  flags.DEFINE_string(
    'gating_activation',
    '',
    'The gate of the squeeze-excitations, in place of the one that is found; '
    "'grw>hard_sigmoid' for streaming weights trained with tf-models-official "
    "up to 2.7, 'hard_sigmoid' for later ones.",
  )
  flags.DEFINE_string(
    'calibration_videos',
    '',
    'A folder of videos, for a TFLite file: on them the statistics of batch '
    'norms are measured that inference has no need of and training has. '
    'Rendered clips by default.',
  )
  flags.mark_flags_as_required(['source', 'output_dir'])


def main(_):
  values = flags.FLAGS
  try:
    kaggle_models.local(values.source)  # Before TensorFlow is imported.
  except ValueError as error:
    sys.exit(f'error: --source={error}')

  from official_ext.grw import registry_imports  # noqa: F401
  from official_ext.grw.serving import import_checkpoint

  try:
    report = import_checkpoint.import_checkpoint(
      values.source,
      values.output_dir,
      values.weights,
      values.num_classes,
      values.gating_activation,
      values.calibration_videos,
    )
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(report)
  print(
    f'written:     {os.path.join(values.output_dir, import_checkpoint.NAME)}, '
    f'{os.path.join(values.output_dir, "config.yaml")}'
  )
