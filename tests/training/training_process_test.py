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

"""Trainings in processes of their own: one a folder, and none left behind."""

import json
import multiprocessing
import os
import sys
import threading
import time

import pytest

from official_ext.grw.training import progress
from official_ext.grw.training import training_process

# Takes the place of train.py, whose 20 s of start-up tell nothing here: makes
# steps until told not to, and prints whether it was alone.
PROGRAM = (
  sys.executable,
  '-c',
  """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[-1].removeprefix('--model_dir='))
other = folder / 'pid'
print('alone' if not other.exists() else 'together')
other.write_text(str(os.getpid()))
for step in range(1, 600):
  print('still here')
  with open(folder / 'progress.jsonl', 'a') as file:
    print('{"split": "train", "step": %d}' % step, file=file)
  if (folder / 'end').exists():
    break
  time.sleep(0.1)
other.unlink()
sys.exit(3 if step == 599 else 0)
""",
)


def training(folder, **kwargs):
  return training_process.TrainingProcess(
    folder,
    'none',
    'train',
    {'trainer': {'train_steps': 600}},
    'label',
    program=PROGRAM,
    **kwargs,
  )


def wait_for(condition):
  end = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < end, 'waited in vain'
    time.sleep(0.05)


def has_steps(process):
  return progress.last_step(process.folder) > 0


def is_running(pid):
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  return True


def test_the_second_of_two_trainings_into_a_folder_waits(tmp_path):
  first, second = training(tmp_path), training(tmp_path)
  came_to_end = {}
  threads = []
  for process in (first, second):
    threads.append(
      threading.Thread(
        target=lambda p=process: came_to_end.update({p: p.run()})
      )
    )
    threads[-1].start()
    wait_for(lambda: has_steps(first))
  time.sleep(1.5)
  assert first.log.read_text().count('alone') == 1
  (tmp_path / 'end').touch()
  for thread in threads:
    thread.join(60)
  assert came_to_end == {first: True, second: True}
  log = first.log.read_text()
  assert log.count('alone') == 2 and 'together' not in log
  assert first.seconds > 0


def test_the_process_ends_at_its_next_step_if_its_parent_is_killed(tmp_path):
  process = training(tmp_path)
  parent = multiprocessing.get_context('fork').Process(target=process.run)
  parent.start()
  wait_for(lambda: has_steps(process))
  pid = int((tmp_path / 'pid').read_text())
  parent.kill()
  parent.join()
  wait_for(lambda: not is_running(pid))


def test_what_is_done_is_not_run_again(tmp_path):
  done = training(tmp_path, is_done=lambda: True)
  assert done.run()
  assert not done.log.exists()
  assert json.loads((tmp_path / 'overrides.yaml').read_text()) == {
    'trainer': {'train_steps': 600}
  }


def test_all_processes_end_with_the_caller(tmp_path):
  folders = [tmp_path / name for name in 'abc']
  (tmp_path / 'a').mkdir()
  (tmp_path / 'a' / 'end').touch()
  trainings = [training(folder) for folder in folders]
  running = training_process.run_all(trainings, at_once=2)
  first, succeeded = next(running)
  assert first is trainings[0] and succeeded
  wait_for(lambda: has_steps(trainings[1]))
  pid = int((folders[1] / 'pid').read_text())
  running.close()
  assert not is_running(pid)
  # The third may have started in place of the first; nothing starts any more.
  assert not trainings[2].run()


@pytest.mark.parametrize('at_once, expected', [(1, False), (2, True)])
def test_as_many_run_at_once_as_asked(tmp_path, at_once, expected):
  trainings = [training(tmp_path / name) for name in 'ab']
  running = training_process.run_all(trainings, at_once)

  def end():
    wait_for(lambda: has_steps(trainings[0]))
    time.sleep(1.5)
    both = has_steps(trainings[1])
    for name in 'ab':
      (tmp_path / name / 'end').touch()
    return both

  found = []
  thread = threading.Thread(target=lambda: found.append(end()))
  thread.start()
  assert all(succeeded for _, succeeded in running)
  thread.join()
  assert found == [expected]
