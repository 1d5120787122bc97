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

"""Claims about the driver, as a command."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from absl import flags
import gin
import numpy as np
from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw.commands import run as commands
from official_ext.grw.commands import train
from official_ext.grw.training import launch
from official_ext.grw.training import progress
from tests import tiny

ROOT = pathlib.Path(__file__).resolve().parents[1]
STEPS = 6
MEASURES = {
  'accuracy',
  'cross_entropy',
  'order_loss',
  'speed_loss',
  'order_accuracy',
  'acceleration_over_speed',
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with data and a config: every training batch is the same four.

  The position in the data is not saved, and must not matter here.
  """
  folder = tmp_path_factory.mktemp('driver')
  overrides = tiny.overrides(
    tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0]),
    tiny.write_records(folder / 'validation.tfrecord', [0, 1, 2, 0, 1, 2], 1),
    train_steps=STEPS,
  )
  overrides['task']['seed'] = 1
  tiny.write_yaml(folder / 'config.yaml', overrides)
  return folder


def command(folder, model_dir, *extra):
  return tiny.command(
    folder / 'config.yaml',
    folder / model_dir,
    'train_and_eval',
    '--params_override={"task": {"model": {"smoothing": {"alpha": 0.25}}}}',
    *extra,
  )


@pytest.fixture(scope='module')
def interrupted(folder):
  """A run that was killed once it had saved, and run again."""
  process = subprocess.Popen(
    command(folder, 'interrupted'),
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  deadline = time.time() + 300
  # The file that names the checkpoint is written last.
  while not (folder / 'interrupted' / 'checkpoint').exists():
    assert process.poll() is None and time.time() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGKILL)
  assert process.wait() == -signal.SIGKILL
  saved = sorted(
    path.name for path in (folder / 'interrupted').glob('ckpt-*.index')
  )
  second = subprocess.run(
    command(folder, 'interrupted'), capture_output=True, text=True, check=False
  )
  assert second.returncode == 0, second.stderr[-3000:]
  return saved, second


@pytest.fixture(scope='module')
def uninterrupted(folder):
  run = subprocess.run(
    command(folder, 'uninterrupted'),
    capture_output=True,
    text=True,
    check=False,
  )
  assert run.returncode == 0, run.stderr[-3000:]
  return run


def test_the_config_file_and_the_override_are_written_down(
  folder, uninterrupted
):
  written = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_airplanes'),
    str(folder / 'uninterrupted' / 'params.yaml'),
    is_strict=True,
  )
  assert written.task.model.smoothing.alpha == 0.25
  assert written.task.model.backbone.movinet.model_id == 'tiny'
  assert written.trainer.train_steps == STEPS


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_every_measure_is_in_tensorboard(folder, uninterrupted, split):
  scalars = tiny.scalars(folder / 'uninterrupted' / split)
  loss = {'training_loss' if split == 'train' else 'validation_loss'}
  assert MEASURES | loss <= set(scalars)
  for name in MEASURES | loss:
    steps, values = zip(*scalars[name])
    assert steps == (2, 4, 6), name
    assert np.all(np.isfinite(values)), name
  # λ (order + α speed) + CE, logged apart, must make the loss.
  for step in range(3):
    value = {name: scalars[name][step][1] for name in MEASURES | loss}
    smoothing = value['order_loss'] + 0.25 * value['speed_loss']
    assert value[loss.copy().pop()] == pytest.approx(
      value['cross_entropy'] + 0.1 * smoothing, rel=1e-5
    )


def test_one_screen_says_all(uninterrupted):
  # Devices, what the weights are, the log, a header and a row a validation.
  lines = uninterrupted.stdout.splitlines()
  [header] = [line for line in lines if line.split()[:2] == ['epoch', 'step']]
  rows = lines[lines.index(header) + 1 :][:3]
  assert [row.split()[1] for row in rows] == ['2', '4', '6']
  assert rows[0].endswith('best')
  assert len(lines) < 30
  assert re.search(r'  step 1/6  loss [\d.]+  top-1', uninterrupted.stderr)
  # Nothing is left of what is not a line of progress or a warning.
  for line in uninterrupted.stderr.splitlines():
    assert line.startswith(('epoch ', 'warning: ')), line


def test_the_end_says_what_to_do_next(folder, uninterrupted):
  *_, evaluate, export, predict = uninterrupted.stdout.splitlines()
  place = folder / 'uninterrupted'
  assert f'--mode=eval --model_dir={place}' in evaluate
  assert f'--checkpoint={place} --output_dir={place}_tflite' in export
  assert f'--model={place}_tflite' in predict
  for command in (evaluate, export):
    assert '--experiment=movinet_grw_airplanes' in command
    assert f'--config_file={place}/params.yaml' in command
  for command in (evaluate, export, predict):
    assert (ROOT / command.split()[1]).exists(), command


def test_the_log_has_what_the_screen_has_not(folder, uninterrupted):
  log = (folder / 'uninterrupted' / 'train.log').read_text()
  assert 'Final experiment parameters' in log
  for step in (2, 4, 6):
    assert log.count(f'train | step: {step:6d} | steps/sec') == 1
    assert f' eval | step: {step:6d} | steps/sec' in log


def test_progress_is_a_file_to_read(folder, interrupted, uninterrupted):
  whole, resumed = (
    progress.read(folder / name / progress.FILE)
    for name in ('uninterrupted', 'interrupted')
  )
  assert [(found['split'], found['step']) for found in whole] == [
    (split, step) for step in (2, 4, 6) for split in ('train', 'validation')
  ]
  assert MEASURES | {'training_loss'} <= set(whole[0])
  # What the killed run made and had not saved is there once.
  for found, expected in zip(resumed[-4:], whole[-4:], strict=True):
    assert found['step'] == expected['step']
    assert found['cross_entropy'] == pytest.approx(expected['cross_entropy'])
  assert len(resumed) <= len(whole)


def test_a_killed_run_continues_from_its_last_checkpoint(folder, interrupted):
  saved, second = interrupted
  assert saved == ['ckpt-2.index'], 'it was not killed in the middle'
  log = (folder / 'interrupted' / 'train.log').read_text()
  log = log[log.rindex('restoring or initializing model') :]
  assert re.search('restored model from .*interrupted/ckpt-2', log)
  assert 'train | step:      2 | training until step 4' in log
  assert 'training until step 2' not in log
  assert 'step 2/6  the first step' in second.stderr


def test_a_killed_run_ends_as_if_it_had_not_been(
  folder, interrupted, uninterrupted
):
  ends = [
    tiny.read_checkpoint(folder / name / f'ckpt-{STEPS}')
    for name in ('uninterrupted', 'interrupted')
  ]
  assert set(ends[0]) == set(ends[1])
  for key, value in ends[0].items():
    if key != '_CHECKPOINTABLE_OBJECT_GRAPH':
      np.testing.assert_array_equal(value, ends[1][key], err_msg=key)
  kinds = '\n'.join(ends[0])
  for part in ('optimizer/_iterations', 'optimizer/_variables', 'global_step'):
    assert part in kinds, part


def run_driver(*arguments, cwd):
  """Runs the driver as it is, from a folder that knows nothing of it."""
  environment = {
    key: value for key, value in os.environ.items() if key != 'PYTHONPATH'
  }
  return subprocess.run(
    [sys.executable, *arguments],
    capture_output=True,
    text=True,
    cwd=cwd,
    env=environment,
    check=False,
  )


def error_lines(stderr):
  assert 'Traceback' not in stderr
  return [line for line in stderr.splitlines() if line.startswith('error: ')]


def test_the_script_works_from_a_checkout_and_rejects_a_bad_value(tmp_path):
  run = run_driver(
    str(ROOT / 'official_ext' / 'grw' / 'train.py'),
    '--experiment=movinet_grw_kinetics600',
    '--mode=train',
    f'--model_dir={tmp_path / "model"}',
    '--params_override={"task": {"model": {"smoothing": {"window": 2}}}}',
    cwd=tmp_path,
  )
  assert run.returncode == 1
  [line] = error_lines(run.stderr)
  assert 'task.model.smoothing.window=2' in line and 'at least 3' in line
  assert not (tmp_path / 'model').exists()


def test_the_module_works_and_rejects_an_unknown_field(tmp_path):
  run = run_driver(
    '-m',
    'official_ext.grw.train',
    '--experiment=movinet_grw_airplanes',
    '--mode=train',
    f'--model_dir={tmp_path / "model"}',
    '--params_override={"task": {"model": {"smoothing": {"windw": 5}}}}',
    cwd=ROOT,
  )
  assert run.returncode == 1
  [line] = error_lines(run.stderr)
  assert 'windw' in line


@pytest.fixture(scope='module')
def flags_of_training():
  with commands.flags_of(train):
    yield


def free_port():
  with socket.socket() as server:
    server.bind(('127.0.0.1', 0))
    return server.getsockname()[1]


@pytest.mark.parametrize(
  'arguments, expected',
  [
    (['--tf_data_service=grpc://localhost'], 'grpc://host:port'),
    (
      [f'--tf_data_service=grpc://127.0.0.1:{free_port()}'],
      'does not answer.*start the dispatcher',
    ),
    (
      [
        '--params_override={"task": {"train_data": '
        '{"enable_tf_data_service": true}}}'
      ],
      'tf_data_service_address',
    ),
  ],
)
def test_bad_flags_are_one_line_and_exit_1(
  flags_of_training, arguments, expected, capsys
):
  flags.FLAGS.unparse_flags()
  for name in ('config_file', 'params_override', 'tf_data_service'):
    flags.FLAGS[name].unparse()
  flags.FLAGS(
    [
      'train',
      '--experiment=movinet_grw_airplanes',
      '--mode=train',
      '--model_dir=/no/such/folder',
      *arguments,
    ]
  )
  with gin.unlock_config(), pytest.raises(SystemExit) as stop:
    train.main(['train'])
  assert stop.value.code == 1
  [line] = error_lines(capsys.readouterr().err)
  assert re.search(expected, line), line


def test_splits_never_share_a_job_of_the_data_service():
  with socket.create_server(('127.0.0.1', 0)) as server:
    address = f'grpc://127.0.0.1:{server.getsockname()[1]}'
    for name in (None, 'mine'):
      params = exp_factory.get_exp_config('movinet_grw_airplanes')
      for split in ('train_data', 'validation_data'):
        getattr(params.task, split).tf_data_service_job_name = name
      launch.configure_data_service(params, address)
      data = [params.task.train_data, params.task.validation_data]
      assert all(split.enable_tf_data_service for split in data)
      assert {split.tf_data_service_address for split in data} == {address}
      assert len({split.tf_data_service_job_name for split in data}) == 2
