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
"""Claims about what a training shows, and about the file that says the same."""

import json

import pytest

from official_ext.grw.training import progress

PLAN = progress.Plan(
  steps=100, batch=4, clips=80, validation_interval=20, validation_clips=24
)


class Clock:
  """Seconds that pass when told to."""

  def __init__(self):
    self.now = 1000.0

  def __call__(self):
    return self.now


@pytest.fixture(name='clock')
def clock_fixture():
  return Clock()


@pytest.fixture(name='display')
def display_fixture(clock):
  display = progress.Display(PLAN, is_terminal=False, clock=clock)
  display.begin(0)
  return display


def run(display, clock, first, last, seconds=1.0):
  """Steps, one a second; the line is shown whenever it is due."""
  for step in range(first, last + 1):
    clock.now += seconds
    if display.ran(1, seconds):
      display.show(step, 1.25, 0.5)


def lines(capsys):
  return capsys.readouterr().err.splitlines()


def test_the_first_step_is_announced_and_shown_at_once(display, clock, capsys):
  display.begin(0)
  run(display, clock, 1, 1, seconds=40)
  first, second = lines(capsys)
  assert first.startswith('epoch 1/5  step 0/100  the first step is')
  assert second == 'epoch 1/5  step 1/100  loss 1.25  top-1 50.0%'


def test_the_line_is_printed_now_and_then(display, clock, capsys):
  run(display, clock, 1, 1)
  lines(capsys)
  run(display, clock, 2, 70)
  shown = lines(capsys)
  assert [line.split('  ')[1] for line in shown] == [
    'step 28/100',
    'step 55/100',
  ]
  assert 'loss 1.25  top-1 50.0%  4 clips/s' in shown[0]


def test_the_time_that_is_left_counts_neither_tracing_nor_a_guess(
  display, clock
):
  run(display, clock, 1, 1, seconds=600)
  assert display.seconds_left(1) is None
  run(display, clock, 2, 10)
  assert display.seconds_left(10) is None, 'after nine steps'
  run(display, clock, 11, 11)
  # 89 steps, and five validations of 24 clips at a third of a step's cost.
  assert display.seconds_left(11) == pytest.approx(89 + 5 * 24 / 4 / 3)


def test_the_time_that_is_left_has_validations_as_long_as_the_last(
  display, clock
):
  run(display, clock, 1, 20)
  display.validating(20)
  clock.now += 7
  display.validated(20, {'validation_loss': 1.0})
  assert display.seconds_left(20) == pytest.approx(80 + 4 * 7)


def test_quick_steps_are_grouped_so_that_nothing_waits_for_the_screen(
  display, clock
):
  assert display.steps_until_shown() == 1
  run(display, clock, 1, 2, seconds=0.01)
  assert display.steps_until_shown() == 3000


def test_a_row_a_validation_and_one_header(display, clock, capsys):
  run(display, clock, 1, 20)
  display.trained({'training_loss': 1.2345678, 'top_1_accuracy': 0.5})
  display.validating(20)
  clock.now += 5
  measures = {'validation_loss': 2.0, 'top_1_accuracy': 0.25}
  display.validated(20, measures, 'best')
  display.validated(40, measures)
  header, first, second = capsys.readouterr().out.splitlines()
  assert header.split() == (
    'epoch step loss top-1 val loss val top-1 clips/s time'.split()
  )
  assert first.split() == ('1 20 1.2346 50.0% 2.0000 25.0% 4 0:25 best'.split())
  assert second.split()[:2] == ['2', '40'] and 'best' not in second


def test_a_terminal_has_one_line_that_is_taken_away(clock, capsys):
  display = progress.Display(PLAN, is_terminal=True, clock=clock)
  display.begin(0)
  run(display, clock, 1, 5)
  display.close()
  shown = capsys.readouterr().err
  assert '\n' not in shown and 'step 5/100' in shown
  assert shown.rstrip(' ').endswith('\r')


@pytest.mark.parametrize(
  'seconds, text', [(0.4, '0:00'), (65, '1:05'), (3723, '1:02:03')]
)
def test_durations_are_easy_to_read(seconds, text):
  assert progress.duration(seconds) == text


def written(folder):
  return [
    (record['split'], record['step'])
    for record in progress.read(folder / progress.FILE)
  ]


def test_the_file_has_a_line_for_each_loop_and_validation(tmp_path):
  file = progress.ProgressFile(str(tmp_path), PLAN)
  file.begin(0)
  file.append(progress.TRAIN, 20, {'training_loss': 1.5})
  file.append(progress.VALIDATION, 20, {'validation_loss': float('nan')})
  [first, second] = (tmp_path / progress.FILE).read_text().splitlines()
  assert json.loads(first) == {
    'split': 'train',
    'step': 20,
    'epoch': 1.0,
    'training_loss': 1.5,
  }
  assert json.loads(second)['validation_loss'] is None
  assert progress.last_step(tmp_path) == 20


def test_steps_that_were_not_saved_are_taken_out(tmp_path):
  file = progress.ProgressFile(str(tmp_path), PLAN)
  for step in (20, 40, 60):
    file.append(progress.TRAIN, step, {})
    file.append(progress.VALIDATION, step, {})
  with open(tmp_path / progress.FILE, 'a') as half:
    half.write('{"split": "tra')
  again = progress.ProgressFile(str(tmp_path), PLAN)
  again.begin(40)
  assert written(tmp_path) == [
    (split, step) for step in (20, 40) for split in ('train', 'validation')
  ]
  # A loop that is made again after recovery.
  again.append(progress.TRAIN, 60, {})
  again.append(progress.TRAIN, 60, {})
  assert written(tmp_path)[4:] == [('train', 60)]


def test_a_folder_without_the_file_is_at_step_zero(tmp_path):
  assert progress.last_step(tmp_path) == 0
  progress.ProgressFile(str(tmp_path / 'new'), PLAN).begin(0)
  assert not (tmp_path / 'new').exists()
