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

"""Claims about several replicas, several workers and a tf.data service."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACEMENTS = ('final', 'intermediate')
STEPS = (*PLACEMENTS, 'subclips')


@pytest.fixture(scope='module')
def replicas(tmp_path_factory):
  """One step under one replica, and under two with half of the batch each."""
  folder = tmp_path_factory.mktemp('replicas')
  results = []
  for count in (1, 2):
    run = subprocess.run(
      tiny.program(
        'tests/replicas.py', str(count), str(folder / f'{count}.npz')
      ),
      capture_output=True,
      text=True,
      check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    results.append(np.load(folder / f'{count}.npz'))
  return results


@pytest.mark.parametrize('step', STEPS)
def test_two_replicas_have_the_loss_of_one(replicas, step):
  one, two = replicas
  assert one[f'{step}/loss'] == pytest.approx(two[f'{step}/loss'], rel=1e-5)


@pytest.mark.parametrize('step', STEPS)
def test_two_replicas_have_the_gradients_of_one(replicas, step):
  one, two = replicas
  names = [name for name in one.files if name.startswith(f'{step}/change')]
  # Both skip projections and residual branches take part.
  for part in ('skip_project', 'se_expand', 'grw_embedding', 'moving_mean'):
    assert any(
      part in name and np.abs(one[name]).max() > 1e-5 for name in names
    ), part
  if step == 'subclips':
    # Batch norm of one replica is the fused one, which divides by its own
    # count less one.
    names = [name for name in names if 'moving_variance' not in name]
  for name in names:
    np.testing.assert_allclose(
      # The sums over replicas are taken in another order.
      two[name],
      one[name],
      rtol=1e-4,
      atol=8e-6,
      err_msg=name,
    )


def test_synchronized_batch_norm_is_refused_in_the_loop_over_subclips(replicas):
  one, two = replicas
  assert 'subclips/refused' not in one.files
  assert 'use_sync_bn=True: expected False' in str(two['subclips/refused'])


@pytest.mark.parametrize('placement', PLACEMENTS)
def test_logged_terms_are_the_mean_over_replicas(replicas, placement):
  one, two = replicas
  first, second = one[f'{placement}/halves']
  assert abs(first - second) > 0.1, 'the halves must differ to tell'
  assert two[f'{placement}/metric/order_loss'] == pytest.approx(
    (first + second) / 2, rel=1e-5
  )
  for name in one.files:
    if name.startswith(f'{placement}/metric/'):
      assert two[name] == pytest.approx(one[name], rel=1e-5), name


def test_a_replica_without_clips_changes_no_measure(replicas):
  one, two = replicas
  names = [name for name in one.files if name.startswith('last_batch/')]
  assert 'last_batch/order_loss' in names
  for name in names:
    assert two[name] == pytest.approx(one[name], rel=1e-5), name


def test_every_clip_is_predicted_once_and_in_its_place(replicas):
  one, two = replicas
  assert one['predictions/labels'].tolist() == [0, 1, 2, 0, 1]
  assert len(np.unique(one['predictions/probabilities'][:, 0])) == 5
  names = [name for name in one.files if name.startswith('predictions/')]
  assert {'predictions/classes', 'predictions/sources'} <= set(names)
  for name in names:
    if name == 'predictions/probabilities':
      np.testing.assert_allclose(two[name], one[name], rtol=1e-4)
    else:
      assert two[name].tolist() == one[name].tolist(), name


def start(arguments, log, environment):
  with open(log, 'a', encoding='utf-8') as file:
    return subprocess.Popen(
      arguments,
      stdout=file,
      stderr=subprocess.STDOUT,
      env={**os.environ, **environment},
    )


def free_ports(count):
  """Ports that were free a moment ago."""
  servers = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
  ports = [server.getsockname()[1] for server in servers]
  for server in servers:
    server.close()
  return ports


@pytest.fixture(scope='module')
def workers(tmp_path_factory):
  """Two workers that were killed once they had saved, and started again."""
  folder = tmp_path_factory.mktemp('workers')
  config = tiny.write_yaml(
    folder / 'config.yaml',
    tiny.merged(
      tiny.overrides(
        tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0, 1, 2]),
        tiny.write_records(folder / 'validation.tfrecord', [0, 1, 2, 0]),
      ),
      {'runtime': {'distribution_strategy': 'multi_worker_mirrored'}},
    ),
  )

  def start_both(attempt):
    hosts = [f'127.0.0.1:{port}' for port in free_ports(2)]
    (folder / 'tmp').mkdir(exist_ok=True)
    return [
      start(
        tiny.command(config, folder / 'model'),
        folder / f'{attempt}{index}.log',
        {
          'TMPDIR': str(folder / 'tmp'),
          'TF_CONFIG': json.dumps(
            {
              'cluster': {'worker': hosts},
              'task': {'type': 'worker', 'index': index},
            }
          ),
        },
      )
      for index in range(2)
    ]

  first = start_both('first')
  deadline = time.time() + 300
  while not (folder / 'model' / 'checkpoint').exists():
    assert time.time() < deadline
    for process in first:
      assert process.poll() is None, (folder / 'first0.log').read_text()[-3000:]
    time.sleep(0.05)
  for process in first:
    process.send_signal(signal.SIGKILL)
  for process in first:
    process.wait()
  saved = [path.name for path in (folder / 'model').glob('ckpt-*.index')]
  assert saved == ['ckpt-2.index'], 'they were not killed in the middle'
  for path in (folder / 'tmp').glob('*'):  # What kill -9 leaves behind.
    path.rename(folder / path.name)
  for path in (folder / 'model').glob('train*.log'):
    path.rename(folder / path.name)

  second = start_both('second')
  for process in second:
    assert process.wait(300) == 0, (folder / 'second0.log').read_text()[-3000:]
  return folder, [
    (folder / 'model' / name).read_text()
    for name in ('train.log', 'train_worker1.log')
  ]


def test_every_worker_resumes_from_the_chiefs_checkpoint(workers):
  folder, logs = workers
  for log in logs:
    assert f'restored model from {folder}/model/ckpt-2' in log
    assert 'train | step:      2 | training until step 4' in log
    assert 'training until step 2' not in log
  assert (folder / 'model' / 'ckpt-4.index').exists()


def test_workers_report_the_same_losses(workers):
  _, logs = workers
  losses = [
    re.findall(r"'(?:training|validation)_loss': (.*)}", log) for log in logs
  ]
  assert len(losses[0]) >= 2 and losses[0] == losses[1]


def test_workers_leave_no_temporary_checkpoints(workers):
  folder, _ = workers
  assert not list((folder / 'tmp').glob('grw_worker_*'))
  assert list(folder.glob('grw_worker_*')), 'the killed worker had none'


def test_the_data_service_keeps_training_and_validation_data_apart(tmp_path):
  service = tf.data.experimental.service
  dispatcher = service.DispatchServer(service.DispatcherConfig(port=0))
  worker = service.WorkerServer(
    service.WorkerConfig(
      dispatcher_address=dispatcher.target.partition('://')[2]
    )
  )
  # All training clips are of class 0, all validation clips of class 1.
  overrides = tiny.overrides(
    tiny.write_records(tmp_path / 'train.tfrecord', [0] * 8),
    tiny.write_records(tmp_path / 'validation.tfrecord', [1] * 8),
    train_steps=30,
    steps_per_loop=30,
    summary_interval=30,
    checkpoint_interval=30,
    validation_interval=30,
  )
  run = subprocess.run(
    tiny.command(
      tiny.write_yaml(tmp_path / 'config.yaml', overrides),
      tmp_path / 'model',
      'train_and_eval',
      f'--tf_data_service={dispatcher.target}',
    ),
    capture_output=True,
    text=True,
    check=False,
    timeout=400,
  )
  del worker
  assert run.returncode == 0, run.stderr[-3000:]
  [(_, accuracy)] = tiny.scalars(tmp_path / 'model' / 'train')['accuracy']
  assert accuracy > 0.8
  [(_, accuracy)] = tiny.scalars(tmp_path / 'model' / 'validation')['accuracy']
  assert accuracy == 0.0, 'validation read training clips'
