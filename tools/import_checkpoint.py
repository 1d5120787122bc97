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

  python3 tools/import_checkpoint.py \
    --source=a0s_grw.pt --output_dir=/tmp/a0s_grw

Reads the Model Garden's tarballs (unpacked) and Trainer checkpoints, the
SavedModels on Kaggle, state dicts of the PyTorch MoViNet port and the PyTorch
checkpoints of the authors of GRW, Video-FocalNets, FocalNets (for images) and
PosMLP-Video; which one it is shows in the file.  Prints what was found and
matched, and writes a checkpoint and `config.yaml`, with which train.py
rebuilds, evaluates and fine-tunes the model.
"""

import os
import shutil
import sys

if __name__ == '__main__':
  # The repository's root, so that nothing need be installed.
  sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# ruff: noqa: E402
# pylint: disable=g-import-not-at-top
from absl import app
from absl import flags
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw import registry_imports  # pylint: disable=unused-import  # noqa: F401
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import model_config
from official_ext.grw.checkpoints import source
from official_ext.grw.modeling import grw_model

# pylint: enable=g-import-not-at-top

_SOURCE = flags.DEFINE_string(
  'source',
  None,
  'A checkpoint (prefix, .index file or folder), the folder of a SavedModel, '
  'or a file that torch.save wrote (.pt, .pth, .pyth).',
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder to make for the checkpoint and config.yaml.'
)
_WEIGHTS = flags.DEFINE_enum(
  'weights',
  'auto',
  source.WEIGHTS,
  'Of a file with an exponential moving average: the average (ema) or what '
  'was trained (model). auto: what its own code loads by default, which is '
  "the average for a Trainer's checkpoints, the model for .pt files.",
)
_NUM_CLASSES = flags.DEFINE_integer(
  'num_classes',
  None,
  'Classes of a new head, in place of the one in the file, which is then not '
  'read.',
  lower_bound=2,
)
_GATING_ACTIVATION = flags.DEFINE_string(
  'gating_activation',
  '',
  "Of the squeeze-excitations, in place of the published one; 'hard_sigmoid' "
  'for streaming weights trained with tf-models-official 2.8 or later.',
)

_CHECKPOINT = 'ckpt-1'


def import_checkpoint(
  path: str,
  output_dir: str,
  weights: str = 'auto',
  num_classes: int | None = None,
  gating_activation: str = '',
) -> assign.Report:
  """Reads weights, rebuilds their model and writes it in our layout.

  Args:
    path: see `source.read`.
    output_dir: a folder that is not there yet, or is empty.
    weights: see `source.read`.
    num_classes: of a new head; None keeps the head of the file.
    gating_activation: see `model_config.model_config`.

  Returns:
    What was recognised and matched.

  Raises:
    ValueError: the source cannot be used, or `output_dir` is in use.
  """
  output_dir = os.path.abspath(output_dir)
  if os.path.exists(output_dir) and (
    not os.path.isdir(output_dir) or os.listdir(output_dir)
  ):
    raise ValueError(
      f'{output_dir} exists and is not an empty folder; give '
      'another --output_dir or remove it.'
    )
  published = source.read(path, weights)
  config = model_config.model_config(published, gating_activation)
  classes = num_classes or published.architecture.num_classes
  if not classes:
    raise ValueError(
      f'{published.path} holds no classifier: give --num_classes.'
    )
  modules = 'all' if num_classes is None else 'backbone'
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None, None, None, None, 3]),
    config,
    classes,
  )
  report = assign.assign(model, published, modules)

  # Made beside its place and renamed, so that it is whole or not there.
  unfinished = f'{output_dir}.unfinished-{os.getpid()}'
  os.makedirs(unfinished)
  try:
    tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
      os.path.join(unfinished, _CHECKPOINT.split('-')[0])
    )
    overrides = model_config.experiment_overrides(
      config, classes, os.path.join(output_dir, _CHECKPOINT), modules
    )
    with open(os.path.join(unfinished, 'config.yaml'), 'w') as f:
      f.write(
        _heading(report, output_dir, model_config.experiment(config, classes))
      )
      yaml.safe_dump(overrides, f, sort_keys=False, default_flow_style=None)
    if os.path.isdir(output_dir):
      os.rmdir(output_dir)
    os.rename(unfinished, output_dir)
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)
  return report


def _heading(report: assign.Report, output_dir: str, experiment: str) -> str:
  usage = [
    '',
    'Evaluates (with --mode=train_and_eval: fine-tunes):',
    'python3 official_ext/grw/train.py \\',
    f'  --experiment={experiment} --mode=eval \\',
    f'  --config_file={os.path.join(output_dir, "config.yaml")} \\',
    '  --model_dir=DIR --params_override='
    'task.train_data.input_path=TRAIN,task.validation_data.input_path=VALID',
    'For other classes also set task.init_checkpoint_modules=backbone.',
  ]
  return ''.join(
    f'# {line}'.rstrip() + '\n' for line in str(report).split('\n') + usage
  )


def main(_):
  try:
    report = import_checkpoint(
      _SOURCE.value,
      _OUTPUT_DIR.value,
      _WEIGHTS.value,
      _NUM_CLASSES.value,
      _GATING_ACTIVATION.value,
    )
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')
  print(report)
  print(
    f'written:     {os.path.join(_OUTPUT_DIR.value, _CHECKPOINT)}, '
    f'{os.path.join(_OUTPUT_DIR.value, "config.yaml")}'
  )


if __name__ == '__main__':
  flags.mark_flags_as_required(['source', 'output_dir'])
  app.run(main)
