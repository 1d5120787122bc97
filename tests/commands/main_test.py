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
"""Claims about `grw`: what it answers at once, and its twins in tools/."""

import json
import pathlib
import subprocess
import sys

from absl import flags
import pytest

from official_ext.grw.checkpoints import published
from official_ext.grw.commands import from_videos
from official_ext.grw.commands import main
from official_ext.grw.commands import run
from official_ext.grw.configs import overrides
from official_ext.grw.reports import demo
from official_ext.grw.serving import export_format
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite

TOOLS = pathlib.Path(__file__).parents[2] / 'tools'
TWINS = {
  'demo': 'demo',
  'export_saved_model': 'export saved_model',
  'export_tflite': 'export tflite',
  'export_web': 'export web',
  'import_checkpoint': 'import',
  'inspect_tfrecords': 'inspect',
  'model_table': 'table',
  'predict_video': 'predict',
  'smoothing_scale': 'smoothing_scale',
  'sweep': 'sweep',
  'videos_to_tfrecords': 'convert',
}
# Answers in one process, and says which of the slow libraries were imported.
ANSWER_ALL = """
import json, sys
from official_ext.grw.commands import from_videos
from official_ext.grw.commands import main
answers = {}
for arguments in json.load(sys.stdin):
  try:
    main.main(arguments)
  except SystemExit as end:
    answers[' '.join(arguments)] = end.code
slow = {'tensorflow', 'tf_keras', 'apache_beam', 'matplotlib', 'cv2', 'av'}
print('\\n' + json.dumps([answers, sorted(slow & set(sys.modules))]))
"""


def grw(*arguments, capsys):
  """What `grw` prints, its errors, and how it ends."""
  with pytest.raises(SystemExit) as end:
    main.main(list(arguments))
  return *capsys.readouterr(), end.value.code


def test_help_and_wrong_flags_are_answered_without_tensorflow():
  asked = [['--help'], ['export', '--help'], ['trian'], ['--version']]
  asked += [[*name.split(), '--help'] for name in main.commands()]
  asked += [[*name.split(), '--seed=x'] for name in main.commands()]
  process = subprocess.run(
    [sys.executable, '-c', ANSWER_ALL],
    input=json.dumps(asked),
    capture_output=True,
    text=True,
    check=True,
  )
  answers, slow = json.loads(process.stdout.splitlines()[-1])
  assert slow == []
  assert len(answers) == len(asked)
  for arguments, code in answers.items():
    assert code is None if '--help' in arguments else code or '--v' in arguments


def test_help_shows_every_flag_that_a_command_defines(capsys):
  shown, _, code = grw('export', 'tflite', '--help', capsys=capsys)
  assert code is None
  assert run.load('export tflite').__doc__ in shown
  lines = shown.splitlines()
  own = [line for line in lines if line.startswith('  --')]
  # Those of the command before those that every experiment has.
  assert own[:2] == ['  --checkpoint', '  --output_dir']
  assert {'  --[no]split_head', '  --experiment', '  --params_override'} <= set(
    own
  )
  assert '(default: float32)' in ' '.join(shown.split()).replace("'", '')


@pytest.mark.parametrize(
  'arguments, message',
  [
    (['trian'], "'trian'; did you mean grw train?"),
    (['exprt', 'tflite'], "'exprt'; did you mean grw export?"),
    (['export', 'tflit'], "'export tflit'; did you mean grw export tflite?"),
    (['zzz'], "no command 'zzz'. The commands are train, "),
    (['export'], 'grw export: expected one of\n  grw export tflite'),
    (['export', '--kind=clip'], 'grw export: expected one of'),
    (['--mode=train'], '--mode=train: expected a command before the flags'),
  ],
)
def test_a_wrong_command_is_one_error_with_the_nearest(
  arguments, message, capsys
):
  *_, code = grw(*arguments, capsys=capsys)
  assert code.startswith('error: ') and message in code


def test_a_process_can_run_commands_that_share_a_flag(capsys):
  from tools.benchmarks import loss  # noqa: F401  # Defines flags too.

  assert '--repeats' in grw('table', '--help', capsys=capsys)[0]
  assert flags.FLAGS['repeats'].help == 'Timed calls of each form.'
  for name in ('demo', 'table', 'demo'):
    _, errors, code = grw(name, '--output_dri=x', capsys=capsys)
    assert code == 1 and 'output_dir' in errors  # The nearest flag.


@pytest.mark.parametrize(
  'flags_of_train, message',
  [
    (['--data=videos', '--mode=eval'], 'expected --mode, or --data without it'),
    (['--mode=train'], 'expected --experiment, or --data without it'),
    (
      ['--experiment=movinet_grw_own_data', '--mode=train', '--weights=a'],
      '--weights is for --data; otherwise set task.init_checkpoint',
    ),
    (['--data=no_videos'], 'no_videos'),
    (['--data=tests', '--batch=0'], 'expected a number of clips, or auto'),
    (['--data=tests', '--batch=all'], 'expected a number of clips, or auto'),
  ],
)
def test_one_command_from_videos_has_its_own_flags(
  flags_of_train, message, tmp_path, capfd
):
  with pytest.raises(SystemExit) as end:
    main.main(['train', f'--model_dir={tmp_path}/own', *flags_of_train])
  assert end.value.code == 1
  shown = ''.join(capfd.readouterr())
  assert message in shown and 'Traceback' not in shown
  assert not (tmp_path / 'own' / 'model').exists()


def test_one_command_from_videos_takes_what_a_training_takes(
  tmp_path, monkeypatch
):
  commands: list[list[str]] = []
  monkeypatch.setattr(from_videos, 'run', commands.extend)
  (tmp_path / 'videos').mkdir()
  (tmp_path / 'some.yaml').write_text('trainer: {train_epochs: 3}')
  with pytest.raises(SystemExit):
    main.main(
      [
        'train',
        f'--data={tmp_path}/videos',
        f'--model_dir={tmp_path}/own',
        f'--config_file={tmp_path}/some.yaml',
        '--params_override=trainer.max_to_keep=1,task.seed=7',
        '--batch=auto',
      ]
    )
  [train] = [command for command in commands if command[0] == 'train']
  assert f'--config_file={tmp_path}/some.yaml' in train
  assert '--batch=auto' in train
  [changes] = [flag for flag in train if flag.startswith('--params_override=')]
  assert overrides.parse(changes.partition('=')[2]) == {
    'trainer': {'max_to_keep': 1},
    'task': {'seed': 7, 'dataset_info': f'{tmp_path}/own/records/dataset.json'},
  }


def test_every_tool_is_the_twin_of_a_command(capsys):
  assert sorted(path.stem for path in TOOLS.glob('*.py')) == sorted(TWINS)
  for tool, name in TWINS.items():
    shown, *_ = grw(*name.split(), '--help', capsys=capsys)
    process = subprocess.run(
      [sys.executable, str(TOOLS / f'{tool}.py'), '--help'],
      capture_output=True,
      text=True,
      encoding='utf-8',
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == shown, tool


def flag_of(command, name):
  with run.flags_of(run.load(command)):
    return flags.FLAGS[name]


@pytest.mark.parametrize(
  'command, flag, values',
  [
    ('export saved_model', 'kind', export_format.KINDS),
    ('export saved_model', 'input_type', saved_model.INPUT_TYPES),
    ('export tflite', 'kind', export_format.KINDS),
    ('export web', 'kind', export_format.KINDS),
    ('import_checkpoint', 'weights', published.WEIGHTS),
  ],
)
def test_flags_offer_what_the_code_takes(command, flag, values):
  assert tuple(flag_of(command, flag).parser.enum_values) == tuple(values)


def test_help_names_the_file_of_the_split_head():
  assert tflite.SPLIT_FILE in flag_of('export tflite', 'split_head').help


@pytest.mark.parametrize(
  'field', ['train_clips', 'validation_clips', 'epochs', 'weight', 'seed']
)
def test_the_demo_has_the_defaults_of_its_setting(field):
  assert flag_of('demo', field).default == getattr(demo.Setting, field)
