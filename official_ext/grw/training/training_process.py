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

"""One training in a process of its own, which the same call continues."""

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent import futures
import fcntl
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading
import time
from typing import Any, IO

import tqdm

from official_ext.grw.files import whole_file
from official_ext.grw.training import checkpoints
from official_ext.grw.training import progress

TRAIN_PROGRAM = (sys.executable, '-m', 'official_ext.grw.train')
# Of a run's folder.
OVERRIDES = 'overrides.yaml'

# What the process prints; its logs are in train.log.
_OUTPUT = 'output.log'
_POLL_SECONDS = 0.5
_SHOWN_LINES = 20


class TrainingProcess:
  """A run of train.py into a folder, with a progress bar.

  A process of its own gives back all its memory, and what ends it ends nothing
  else.  Whoever is killed beside or above it: the same run again continues from
  its last checkpoint.  Two of them never train into one folder: the second
  waits until the first has ended.

  Attributes:
    folder: the model directory; `overrides.yaml` and `output.log` are in it.
    log: what the process printed, all attempts one after the other.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    experiment: str,
    mode: str,
    overrides: Mapping[str, Any],
    label: str,
    is_done: Callable[[], object] | None = None,
    cores: int = 1,
    program: Sequence[str] = TRAIN_PROGRAM,
  ):
    """Makes the folder; `run` starts the process.

    Args:
      folder: the model directory.
      experiment: registered name.
      mode: the mode of train.py.
      overrides: the overrides of the experiment, with `trainer.train_steps`.
      label: the label of the progress bar.
      is_done: asked when no other process has the folder; what is true leaves
        nothing to run.  By default: whether the last step has a checkpoint.
      cores: how many the process may use.
      program: command line of train.py without its flags; another program may
        register backbones and experiments before.
    """
    self.folder = folder
    self.log = folder / _OUTPUT
    self._steps = overrides['trainer']['train_steps']
    self._label = label
    self._is_done = is_done or (lambda: self.step >= self._steps)
    self._cores = cores
    self._command = [
      *program,
      f'--experiment={experiment}',
      f'--mode={mode}',
      f'--config_file={folder / OVERRIDES}',
      f'--model_dir={folder}',
    ]
    self._process: subprocess.Popen | None = None
    self._stopped = False
    folder.mkdir(parents=True, exist_ok=True)
    whole_file.write(folder / OVERRIDES, json.dumps(overrides, indent=2))

  @property
  def seconds(self) -> float:
    """Wall time so far, over all attempts."""
    path = self.folder / 'seconds.json'
    return json.loads(path.read_text()) if path.exists() else 0.0

  @property
  def step(self) -> int:
    """The step of the last checkpoint; 0 where there is none."""
    found = checkpoints.list_checkpoints(str(self.folder))
    return int(found[0].rsplit('-', 1)[1]) if found else 0

  def run(self, position: int = 0) -> bool:
    """Trains to the end.

    Args:
      position: line of the progress bar.

    Returns:
      Whether it came to the end; if not, `log` says why.
    """
    with open(self.folder / 'lock', 'w') as lock:
      if not self._acquire(lock):
        return False
      if self._is_done():
        return True
      with tqdm.tqdm(
        total=self._steps,
        initial=self.step,
        desc=self._label,
        unit='step',
        position=position,
        leave=False,
        mininterval=0.5 if sys.stderr.isatty() else 30,
      ) as bar:
        return self._train(lock, bar) == 0

  def stop(self):
    """Ends the process, or keeps it from starting; its checkpoints stay."""
    self._stopped = True
    if self._process and self._process.poll() is None:
      self._process.terminate()

  def log_tail(self) -> str:
    """The last lines that the process printed."""
    if not self.log.exists():
      return ''
    return ''.join(self.log.read_text('utf-8').splitlines(True)[-_SHOWN_LINES:])

  def _acquire(self, lock: IO[str]) -> bool:
    """Waits for the folder; returns False if stopped meanwhile."""
    waits = False
    while not self._stopped:
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
      except BlockingIOError:
        if not waits:
          tqdm.tqdm.write(
            f'Waiting for the process that still trains into {self.folder}.',
            file=sys.stderr,
          )
        waits = True
        time.sleep(1)
    return False

  def _train(self, lock: IO[str], bar: tqdm.tqdm) -> int:
    """Runs the process and follows it; returns its exit status."""
    before, start = self.seconds, time.monotonic()
    root = pathlib.Path(__file__).parents[3]
    environment = {
      **os.environ,
      'PYTHONPATH': os.pathsep.join(
        [str(root), *filter(None, [os.environ.get('PYTHONPATH')])]
      ),
      # With nobody left to read what it says, the process is to end at the
      # next line.
      'PYTHONUNBUFFERED': '1',
      'TF_CPP_MIN_LOG_LEVEL': '2',
      'TF_NUM_INTRAOP_THREADS': str(self._cores),
      'TF_NUM_INTEROP_THREADS': str(self._cores),
    }
    self._process = subprocess.Popen(
      self._command,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      bufsize=0,
      env=environment,
      # The lock is held as long as either of the two processes lives.
      pass_fds=[lock.fileno()],
    )
    if self._stopped:
      self._process.terminate()
    output = self._process.stdout
    assert output is not None
    with open(self.log, 'ab', buffering=0) as log:
      copier = threading.Thread(target=shutil.copyfileobj, args=(output, log))
      copier.start()
      status = None
      while status is None:
        try:
          status = self._process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
          pass
        step = progress.last_step(self.folder)
        if step > bar.n:
          bar.update(step - bar.n)
          whole_file.write(
            self.folder / 'seconds.json',
            json.dumps(before + time.monotonic() - start),
          )
      copier.join()
    return status


def run_all(
  trainings: Sequence[TrainingProcess],
  at_once: int,
) -> Generator[tuple[TrainingProcess, bool], None, None]:
  """Runs some at once; ends all of them if the caller does not go on.

  Args:
    trainings: to run, in this order.
    at_once: processes.

  Yields:
    Each training when it has ended, and whether it came to its end.
  """
  positions: queue.SimpleQueue[int] = queue.SimpleQueue()
  for position in range(at_once):
    positions.put(position)

  def run(training):
    position = positions.get()
    try:
      return training.run(position)
    finally:
      positions.put(position)

  with futures.ThreadPoolExecutor(at_once) as pool:
    try:
      jobs = {pool.submit(run, training): training for training in trainings}
      for job in futures.as_completed(jobs):
        yield jobs[job], job.result()
    finally:
      for training in trainings:
        training.stop()
