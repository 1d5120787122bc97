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

"""Slips are told in one line before TensorFlow is imported.

All of them are made in one process (`slips`).
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import slips

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = '--experiment=movinet_grw_own_data'
INFO = 'task.dataset_info=FOLDER/records/dataset.json'
CHECKPOINT = '--model_dir=FOLDER/trained'

# Flags, beside an experiment, a mode and a folder, and what is to be said.
SLIPS = [
  (
    ['--experiment=movinet_grw_owndata'],
    'expected one of .*movinet_grw_airplanes, .*the nearest is '
    "'movinet_grw_own_data'",
  ),
  (['--mode=continuous_train_and_eval'], 'expected one of train, eval, '),
  (['--model_dir=FOLDER/some.yaml'], 'some.yaml: this is a file'),
  # Overrides that cannot be read.
  (
    ['--params_override=task.train_data.input_path=a-*,b-*'],
    r"'b-\*' is not field=value.*task.train_data.input_path='a-\*,b-\*'",
  ),
  (
    ['--params_override=trainer.train_epochs:2'],
    'Did you mean trainer.train_epochs=2',
  ),
  (['--params_override={"task": '], 'neither field=value.*nor YAML'),
  (['--params_override=a=[1,2'], 'is not closed'),
  (
    ['--config_file=FOLDER/no.yaml'],
    'FOLDER/no.yaml: no such file, and no published',
  ),
  (['--config_file=FOLDER/list.yaml'], 'list.yaml holds a list: expected nest'),
  (['--config_file=FOLDER/bad.yaml'], 'bad.yaml is not YAML'),
  (['--config_file=FOLDER/bytes.yaml'], 'bytes.yaml: this is no text file'),
  (
    ['--config_file=FOLDER/some.yaml'],
    r'some.yaml: trainer.train_step: there is no such field. Did you mean '
    r'trainer.train_steps\?',
  ),
  # Fields and types.
  (
    ['--params_override=task.train_data.batch_size=4'],
    'Did you mean task.train_data.global_batch_size',
  ),
  (
    ['--params_override=task.model.smoothing.windw=5'],
    r'smoothing.windw: there is no such field. Did you mean task.model.'
    r'smoothing.window\?',
  ),
  (
    ['--params_override=train_epochs=5'],
    'train_epochs: there is no such field. Did you mean trainer.train_epochs',
  ),
  (
    ['--params_override=trainer.train_epochs=ten'],
    "trainer.train_epochs='ten': expected an integer",
  ),
  (
    ['--params_override=trainer.train_epochs=1.0'],
    'train_epochs=1.0: expected an integer; write 1',
  ),
  (
    ['--params_override=trainer.optimizer_config.learning_rate=0.001'],
    'learning_rate=0.001: expected fields of it',
  ),
  (
    [
      '--params_override='
      'trainer.optimizer_config.learning_rate.cosine.alpha=low'
    ],
    "alpha='low': expected a number",
  ),
  (
    ['--params_override=trainer.optimizer_config.optimizer.type=adamm'],
    "type='adamm': expected one of .*'sgd'.*the nearest is 'adam",
  ),
  (
    ['--params_override=task.train_data.augment=maybe'],
    "augment='maybe': expected true or false",
  ),
  (
    ['--params_override=task.train_data.feature_shape=[6,16,16]'],
    r'feature_shape=\[6, 16, 16\]: expected 4 integers, \[frames, height, wid',
  ),
  (
    ['--params_override=task.train_data.feature_shape=(6,16,16,3)'],
    'expected 4 integers.*square brackets',
  ),
  (
    ['--params_override=task.train_data.feature_shape=[6,16,0,3]'],
    'at least 1, .frames, height, width, channels',
  ),
  (
    ['--params_override=task.model.head.type=temporl'],
    "expected one of 'temporal', .*the nearest is 'temporal'",
  ),
  (
    ['--params_override=task.model.smoothing.window=2'],
    'window=2: expected at least 3',
  ),
  # Devices.
  (
    ['--params_override=runtime.mixed_precision_dtype=mixed_float16'],
    "expected one of 'float32', 'float16', 'bfloat16'.*nearest is 'float16'",
  ),
  (
    ['--params_override=runtime.distribution_strategy=foo'],
    "strategy='foo': expected one of 'mirrored'",
  ),
  (
    ['--params_override=runtime.distribution_strategy=off'],
    'strategy=False: .*quote it',
  ),
  (
    ['--params_override=runtime.distribution_strategy=tpu'],
    'runtime.tpu=None: expected the name or address of a TPU',
  ),
  (['--params_override=runtime.num_gpus=-2'], 'num_gpus=-2: expected a number'),
  (
    [
      '--params_override='
      'runtime.num_gpus=2,runtime.distribution_strategy=one_device'
    ],
    "num_gpus=2: expected 1 at most, .*'one_device'",
  ),
  # Metrics and labels.
  (
    [
      '--params_override=trainer.best_checkpoint_export_subdir=best,'
      'trainer.best_checkpoint_eval_metric=top1_accuracy'
    ],
    "eval_metric='top1_accuracy': expected one of validation_loss, accuracy, "
    ".*the nearest is 'top_1_accuracy'",
  ),
  (
    [
      '--params_override=trainer.best_checkpoint_eval_metric=accuracy,'
      "trainer.best_checkpoint_export_subdir=''"
    ],
    "export_subdir='': expected the name of a folder",
  ),
  (
    ['--params_override=trainer.best_checkpoint_metric_comp=high'],
    "'higher' or 'lower'",
  ),
  (
    ['--params_override=trainer.best_checkpoint_standard_errors=-1'],
    'standard_errors=-1.*: expected a number of standard errors, or 0',
  ),
  (
    ['--params_override=task.losses.one_hot=false'],
    'task.train_data.one_hot=True: expected False, as task.losses.one_hot',
  ),
  (
    ['--params_override=task.train_data.one_hot=false'],
    'task.train_data.one_hot=False: expected True, as task.losses.one_hot',
  ),
  (
    [
      '--params_override=task.losses.one_hot=false,task.losses.label_smoothing='
      '0.3,task.train_data.one_hot=false,task.validation_data.one_hot=false'
    ],
    'label_smoothing=0.3: expected 0, because labels',
  ),
  (
    ['--params_override=task.class_weights=even'],
    "class_weights='even': expected a list of numbers or one of 'balanced'",
  ),
  (
    ['--params_override=task.class_weights=balanced'],
    "class_weights='balanced': expected a list of .* does not count the clips",
  ),
  (
    ['--params_override=task.class_weights=[1,2]'],
    r'class_weights=\[1, 2\]: expected .* for each of the 3 classes',
  ),
  # Files.
  (
    ['--params_override=task.init_checkpoint=FOLDER/weights'],
    'task.init_checkpoint=.*weights.: there is no such file or folder',
  ),
  (
    ['--params_override=task.init_checkpoint=FOLDER/videos'],
    'task.init_checkpoint=.*videos.: this folder is empty',
  ),
  (
    ['--params_override=task.init_checkpoint=FOLDER/some.yaml'],
    'some.yaml.: this is a text file; expected weights',
  ),
  (
    ['--params_override=task.dataset_info='],
    "^error: task.dataset_info='': expected the dataset.json that `grw convert",
  ),
  (
    ['--params_override=task.train_data.global_batch_size=13'],
    'batch_size=13: expected at most the 12 clips of the training data',
  ),
  (['--batch=13'], 'batch_size=13: expected at most the 12 clips'),
  (
    ['--params_override=task.init_checkpoint=kaggle:google/movinet'],
    "task.init_checkpoint='kaggle:google/movinet': expected kaggle:owner/model/"
    'framework/variation, with /version if',
  ),
  (
    ['--params_override=task.train_data.input_path=FOLDER/none-*'],
    'task.train_data.input_path=.*none-.*: no file matches',
  ),
  (
    ['--params_override=task.labels=FOLDER/none.txt'],
    'task.labels=.*none.txt.: there is no such file',
  ),
  (
    ['--params_override=task.dataset_info=FOLDER/none.json'],
    'none.json. is not a file',
  ),
  (
    ['--params_override=task.train_data.split=trian'],
    "split='trian'.*has the splits",
  ),
  (
    ['--experiment=movinet_grw_kinetics600'],
    "task.train_data.input_path='': expected the pattern of TFRecord files",
  ),
  (['--mode=eval'], 'There is no checkpoint in FOLDER/new to evaluate'),
  # Continuing.
  (
    [CHECKPOINT, '--params_override=task.model.head.num_layers=1'],
    'num_layers=1: expected 2, with which the checkpoints in FOLDER/trained',
  ),
  (
    [
      CHECKPOINT,
      '--mode=eval',
      '--params_override=task.model.head.causal=true',
    ],
    'causal=True: expected False, with which the checkpoints',
  ),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('slips')
  records = folder / 'records'
  records.mkdir()
  for split in ('train', 'validation'):
    (records / f'{split}-0.tfrecord').touch()
  (records / 'labels.txt').write_text('a\nb\nc\n')
  (records / 'dataset.json').write_text(
    json.dumps(
      {
        'num_classes': 3,
        'labels': 'labels.txt',
        'frames_per_second': 5,
        'splits': {
          split: {'num_examples': 12, 'files': f'{split}-*'}
          for split in ('train', 'validation')
        },
      }
    )
  )
  (folder / 'some.yaml').write_text('trainer: {train_step: 2}')
  (folder / 'list.yaml').write_text('[1, 2]')
  (folder / 'bad.yaml').write_text('a: [')
  (folder / 'bytes.yaml').write_bytes(b'\xff\xfe\x00')
  (folder / 'videos').mkdir()
  (folder / 'trained').mkdir()
  (folder / 'trained' / 'ckpt-3.index').touch()
  (folder / 'trained' / 'params.yaml').write_text(
    'task: {model: {head: {causal: false, num_layers: 2}}}'
  )
  return folder


@pytest.fixture(scope='module')
def answers(folder):
  def flags(slip):
    given = dict(
      experiment=OWN, mode='--mode=train', model_dir='--model_dir=FOLDER/new'
    )
    overrides = [INFO]
    more = []
    for flag in slip:
      name, _, value = flag[2:].partition('=')
      if name in given:
        given[name] = flag
        overrides = overrides if name != 'experiment' else []
      elif name == 'params_override' and re.match(r'[\w.]+=', value):
        overrides.append(value)
      elif name == 'params_override':
        overrides = [value]
      else:
        more.append(flag)
    wanted = [*given.values(), *more]
    if overrides:
      wanted.append(f'--params_override={",".join(overrides)}')
    return [flag.replace('FOLDER', str(folder)) for flag in wanted]

  return slips.said('train', [flags(slip) for slip, _ in SLIPS])


@pytest.mark.parametrize(
  'number, expected',
  [(number, expected) for number, (_, expected) in enumerate(SLIPS)],
  ids=[' '.join(slip)[:60] for slip, _ in SLIPS],
)
def test_a_slip_is_told_in_a_line_without_tensorflow(
  number, expected, answers, folder
):
  said = answers[number].replace(str(folder), 'FOLDER')
  [line] = said.strip().splitlines()
  assert line.startswith('error: ') and 'is_strict' not in line
  assert re.search(expected, line), line


EXPORT = ['export', 'tflite', OWN, f'--params_override={INFO}']
TRAINED = '--checkpoint=FOLDER/trained'
NEW = '--output_dir=FOLDER/new'
VIDEOS = ['train', '--data=FOLDER/videos', '--model_dir=FOLDER/own']

# Whole commands, and what is to be said.
COMMANDS = [
  (
    [*EXPORT, NEW, '--checkpoint=FOLDER/ckpt-7'],
    "--checkpoint='FOLDER/ckpt-7': there is no such file or folder, and no "
    'FOLDER/ckpt-7.index of a checkpoint',
  ),
  (
    [*EXPORT, NEW, '--checkpoint=kaggle:google/movinet'],
    "--checkpoint='kaggle:google/movinet': expected kaggle:owner/model/",
  ),
  (
    [*EXPORT, TRAINED, '--output_dir=FOLDER/records'],
    '--output_dir=FOLDER/records exists: remove it',
  ),
  (
    [*EXPORT, TRAINED, NEW, '--labels=FOLDER/none.txt'],
    "--labels='FOLDER/none.txt': there is no such file",
  ),
  (
    [*EXPORT, TRAINED, NEW, '--config_file=FOLDER/some.yaml'],
    'trainer.train_step: there is no such field. Did you mean trainer.train_st',
  ),
  (
    [*EXPORT, TRAINED, NEW, '--experiment=movinet_grw_owndata'],
    "the nearest is 'movinet_grw_own_data'",
  ),
  (
    [*EXPORT[:3], TRAINED, NEW, f'{EXPORT[3]},task.model.head.num_layers=1'],
    'num_layers=1: expected 2, with which the checkpoints in FOLDER/trained',
  ),
  (
    ['train', '--data=FOLDER/none', '--model_dir=FOLDER/own'],
    '--data=FOLDER/none: expected a folder of videos',
  ),
  (
    [*VIDEOS, '--weights=FOLDER/ckpt-7'],
    "--weights='FOLDER/ckpt-7': there is no such file or folder",
  ),
  (
    [*VIDEOS, '--weights=kaggle:google/movinet/a0-stream'],
    "--weights='kaggle:google/movinet/a0-stream': expected kaggle:owner/model/",
  ),
  (
    [*VIDEOS, '--weights=kaggle:google/movinet/tensorFlow2/a0-strem/1'],
    "--weights='kaggle:google/movinet/tensorFlow2/a0-strem/1' was not downl",
  ),
  (
    [*VIDEOS, '--params_override=trainer.train_epoch=3'],
    r'Did you mean trainer.train_epochs\?',
  ),
]

RUN_COMMANDS = """
import json, sys, io, contextlib
sys.path.insert(0, sys.argv[1])
from official_ext.grw.commands import main
said = []
for arguments in json.load(sys.stdin):
  with contextlib.redirect_stderr(io.StringIO()) as stderr:
    try:
      main.main(arguments)
    except SystemExit as stop:
      assert stop.code
      code = '' if stop.code == 1 else stop.code
  said.append(stderr.getvalue() + code)
print(json.dumps([said, 'tensorflow' in sys.modules]))
"""


@pytest.fixture(scope='module')
def command_answers(folder):
  run = subprocess.run(
    [sys.executable, '-c', RUN_COMMANDS, str(ROOT)],
    input=json.dumps(
      [
        [flag.replace('FOLDER', str(folder)) for flag in command]
        for command, _ in COMMANDS
      ]
    ),
    # `kagglehub` then asks this machine, where nobody answers.
    env={**os.environ, 'KAGGLE_API_ENVIRONMENT': 'LOCALHOST'},
    capture_output=True,
    text=True,
    check=False,
  )
  assert run.returncode == 0, run.stderr[-2000:]
  said, has_tensorflow = json.loads(run.stdout)
  assert not has_tensorflow
  assert not (folder / 'own').exists() and not (folder / 'new').exists()
  return said


@pytest.mark.parametrize(
  'number, expected',
  [(number, expected) for number, (_, expected) in enumerate(COMMANDS)],
  ids=[' '.join(command)[-60:] for command, _ in COMMANDS],
)
def test_commands_tell_before_they_begin(
  number, expected, command_answers, folder
):
  said = command_answers[number].replace(str(folder), 'FOLDER')
  [line] = said.strip().splitlines()
  assert line.startswith('error: ')
  assert re.search(expected, line), line


def test_help_comes_without_tensorflow_and_shows_what_matters_first():
  run = subprocess.run(
    [
      sys.executable,
      '-X',
      'importtime',
      str(ROOT / 'official_ext' / 'grw' / 'train.py'),
      '--help',
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert not re.search(r'\| +tensorflow$', run.stderr, re.MULTILINE)
  shown = re.findall(r'^--(\w+)  ', run.stdout, re.MULTILINE)
  assert shown[:5] == [
    'experiment',
    'mode',
    'model_dir',
    'config_file',
    'params_override',
  ]
  assert 'movinet_grw_own_data' in run.stdout


@pytest.mark.parametrize(
  'text, expected',
  [
    ('a=1e-3,b.c=[1,2],b.d=true', {'a': 0.001, 'b': {'c': [1, 2], 'd': True}}),
    (
      'a=,b=null,c=gs://x/y-*,d=*.txt',
      {'a': '', 'b': None, 'c': 'gs://x/y-*', 'd': '*.txt'},
    ),
    ("a='x-*,y-*',b=it's", {'a': 'x-*,y-*', 'b': "it's"}),
    ('a = 1, b = 2', {'a': 1, 'b': 2}),
    ('a: !!python/tuple [1, 2]', {'a': [1, 2]}),
    ('{"a": {"b": 1}}', {'a': {'b': 1}}),
  ],
)
def test_overrides_are_read_as_written(text, expected):
  from official_ext.grw.configs import overrides

  assert overrides.parse(text) == expected
