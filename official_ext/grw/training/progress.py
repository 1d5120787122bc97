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

"""What a training shows while it runs, and the file that says the same.

`progress.jsonl` has a JSON object a line: one for each loop of training, one
for each validation, with the split, the step, the epoch and every measure.
"""

import collections
from collections.abc import Callable, Mapping
import dataclasses
import json
import math
import os
import sys
import time
from typing import Any

import tqdm

from official_ext.grw.files import screen
from official_ext.grw.files import whole_file

FILE = 'progress.jsonl'
TRAIN, VALIDATION = 'train', 'validation'
# Between two lines on a terminal, and in a file or a pipe.
_TERMINAL_SECONDS, _PLAIN_SECONDS = 2.0, 30.0
# Steps and seconds past the first step, which is traced, from which on the time
# that is left can be said.
_MEASURED_STEPS, _MEASURED_SECONDS = 10, 5.0
# The latest parts of loops, of which the speed is the mean.
_PARTS = 10
# A clip that is validated costs so much of one that is trained on, until it has
# been measured: no gradient is computed.
_VALIDATED_CLIP = 1 / 3


@dataclasses.dataclass(frozen=True)
class Plan:
  """What is known of a training before it starts.

  Attributes:
    steps: at which it ends.
    batch: clips in a step.
    clips: in the training data; −1 if unknown.
    measure: the name of the measure that is shown.
    heading: what it is called on the screen.
    validation_interval: steps from one validation to the next; 0 for none.
    validation_clips: that a validation sees; −1 if unknown.
  """

  steps: int
  batch: int
  clips: int = -1
  measure: str = 'top_1_accuracy'
  heading: str = 'top-1'
  validation_interval: int = 0
  validation_clips: int = -1

  def epoch(self, step: int) -> float | None:
    """Passes over the training data after a step; None if unknown."""
    return step * self.batch / self.clips if self.clips > 0 else None


def read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
  """Reads a progress.jsonl; what is not there, or half a line, is left out."""
  try:
    with open(path, encoding='utf-8') as file:
      lines = file.readlines()
  except FileNotFoundError:
    return []
  records = []
  for line in lines:
    try:
      records.append(json.loads(line))
    except ValueError:  # It is being written.
      continue
  return records


def last_step(folder: str | os.PathLike[str]) -> int:
  """The last step that the file in a folder has; 0 if there is none."""
  found = read(os.path.join(folder, FILE))
  return found[-1]['step'] if found else 0


class ProgressFile:
  """Appends to progress.jsonl.

  What the file says of steps after the one that a run begins at is taken out:
  they were not saved, and are made again.
  """

  def __init__(self, folder: str, plan: Plan):
    """Opens nothing yet.

    Args:
      folder: the model directory; on remote file systems nothing is written.
      plan: says what an epoch is.
    """
    self._path = None if '://' in folder else os.path.join(folder, FILE)
    self._plan = plan
    self._last = 0

  def begin(self, step: int):
    """Takes out what the file says of later steps than one."""
    self._last = step
    if self._path is None or not os.path.exists(self._path):
      return
    found = read(self._path)
    kept = [record for record in found if record['step'] <= step]
    if len(kept) < len(found):
      lines = [json.dumps(record) + '\n' for record in kept]
      whole_file.write(self._path, ''.join(lines))

  def append(self, split: str, step: int, measures: Mapping[str, float]):
    """Adds a line.

    Args:
      split: `TRAIN` or `VALIDATION`.
      step: after which it was measured.
      measures: by name.
    """
    if self._path is None:
      return
    if split == TRAIN and step <= self._last:  # It has gone back.
      self.begin(step - 1)
    record: dict[str, Any] = {'split': split, 'step': step}
    epoch = self._plan.epoch(step)
    if epoch is not None:
      record['epoch'] = round(epoch, 3)
    for name, value in measures.items():
      record[name] = value if math.isfinite(value) else None
    self._last = step
    os.makedirs(os.path.dirname(self._path), exist_ok=True)
    with open(self._path, 'a', encoding='utf-8') as file:
      file.write(json.dumps(record) + '\n')


def duration(seconds: float) -> str:
  """Seconds as '2:05' or '1:02:05'."""
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return (
    f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'
  )


class Display:
  """One screen: a line that moves, and a row of a table for each validation.

  On a terminal the line is redrawn in its place; elsewhere it is printed now
  and then.

  Attributes:
    plan: what is known of the training.
  """

  def __init__(
    self,
    plan: Plan,
    is_terminal: bool | None = None,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Shows nothing yet.

    Args:
      plan: what is known of the training.
      is_terminal: whether lines can be redrawn; by default, whether the
        standard error is a terminal.
      clock: seconds.
    """
    self.plan = plan
    self._terminal = sys.stderr.isatty() if is_terminal is None else is_terminal
    self._clock = clock
    self._interval = _TERMINAL_SECONDS if self._terminal else _PLAIN_SECONDS
    self._bar: tqdm.tqdm | None = None
    self._begun = self._shown = clock()
    self._has_traced = False
    self._parts: collections.deque[tuple[int, float]] = collections.deque(
      maxlen=_PARTS
    )
    self._measured_steps, self._measured_seconds = 0, 0.0
    self._validation_begun = 0.0
    self._validation_seconds: float | None = None
    self._has_header = False
    self._trained: Mapping[str, float] = {}

  @property
  def seconds_per_step(self) -> float | None:
    """Of the latest steps; None until one has been measured."""
    steps = sum(count for count, _ in self._parts)
    return sum(seconds for _, seconds in self._parts) / steps if steps else None

  def steps_until_shown(self) -> int:
    """How many steps to run before the line is next due, at least 1."""
    seconds = self.seconds_per_step
    if not seconds:
      return 1
    return max(1, round(self._interval / seconds))

  def begin(self, step: int):
    """Says that a training begins or goes on at a step."""
    self._begun = self._clock()
    self._show(
      step, 'the first step is built and traced, which can take minutes'
    )

  def ran(self, steps: int, seconds: float) -> bool:
    """Takes note of steps that were made; returns whether the line is due."""
    if not self._has_traced:
      self._has_traced = True
      return True
    self._parts.append((steps, seconds))
    self._measured_steps += steps
    self._measured_seconds += seconds
    return self._clock() - self._shown >= 0.9 * self._interval

  def show(self, step: int, loss: float, measure: float | None):
    """Shows the line.

    Args:
      step: the last that was made.
      loss: mean over the loop so far.
      measure: likewise; None if there is none.
    """
    parts = [f'loss {loss:.4g}']
    if measure is not None:
      parts.append(f'{self.plan.heading} {measure:.1%}')
    seconds = self.seconds_per_step
    if seconds:
      parts.append(f'{self.plan.batch / seconds:.3g} clips/s')
    left = self.seconds_left(step)
    if left is not None:
      parts.append(f'{duration(left)} left')
    self._show(step, '  '.join(parts))

  def seconds_left(self, step: int) -> float | None:
    """An estimate; None before there is something to base it on."""
    seconds = self.seconds_per_step
    if (
      not seconds
      or self._measured_steps < _MEASURED_STEPS
      or self._measured_seconds < _MEASURED_SECONDS
    ):
      return None
    plan = self.plan
    left = (plan.steps - step) * seconds
    if plan.validation_interval:
      validations = (
        -(-plan.steps // plan.validation_interval)
        - step // plan.validation_interval
      )
      each = self._validation_seconds
      if each is None:
        each = (
          max(plan.validation_clips, 0)
          * _VALIDATED_CLIP
          * (seconds / plan.batch)
        )
      left += validations * each
    return left

  def trained(self, measures: Mapping[str, float]):
    """Takes note of the measures of a loop, for the next row."""
    self._trained = measures

  def validating(self, step: int):
    """Says that a validation begins."""
    self._validation_begun = self._clock()
    self._show(step, 'validating')

  def validated(self, step: int, measures: Mapping[str, float], mark: str = ''):
    """Adds a row to the table.

    Args:
      step: that the weights are of.
      measures: what was measured, by name.
      mark: what is said of the checkpoint of this step, in a word.
    """
    self._validation_seconds = self._clock() - self._validation_begun
    heading = self.plan.heading
    columns: list[tuple[str, str]] = []
    epoch = self.plan.epoch(step)
    if epoch is not None:
      columns.append(('epoch', f'{epoch:.3g}'))
    columns.append(('step', str(step)))
    for title, name, found in (
      ('loss', 'training_loss', self._trained),
      (heading, self.plan.measure, self._trained),
      ('val loss', 'validation_loss', measures),
      (f'val {heading}', self.plan.measure, measures),
    ):
      value = found.get(name)
      text = ''
      if value is not None:
        text = f'{value:.4f}' if 'loss' in title else f'{value:.1%}'
      columns.append((title, text))
    seconds = self.seconds_per_step
    speed = f'{self.plan.batch / seconds:.3g}' if seconds else ''
    columns.append(('clips/s', speed))
    columns.append(('time', duration(self._clock() - self._begun)))

    def row(texts):
      return '  '.join(f'{text:>9}' for text in texts)

    if not self._has_header:
      screen.write(row(title for title, _ in columns))
      self._has_header = True
    screen.write(
      row(text for _, text in columns) + (f'  {mark}' if mark else '')
    )

  def close(self):
    """Takes the line away."""
    if self._bar is not None:
      self._bar.close()
      self._bar = None

  def _show(self, step: int, text: str):
    self._shown = self._clock()
    plan = self.plan
    parts = [f'step {step:,}/{plan.steps:,}']
    epoch, epochs = plan.epoch(step), plan.epoch(plan.steps)
    if epoch is not None and epochs is not None:
      # The first pass is epoch 1.
      number = min(math.floor(epoch) + 1, max(1, round(epochs)))
      parts.insert(0, f'epoch {number}/{max(1, round(epochs))}')
    line = '  '.join([*parts, text])
    if not self._terminal:
      print(line, file=sys.stderr, flush=True)
      return
    if self._bar is None:
      self._bar = tqdm.tqdm(
        total=plan.steps, bar_format='{desc}  {bar}', leave=False
      )
    self._bar.n = step
    self._bar.set_description_str(line)
