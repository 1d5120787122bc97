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

"""The conversion tool as it is run: flags, errors, interruptions."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests import video_files

ROOT = pathlib.Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'videos_to_tfrecords.py'
MANY = 40


@pytest.fixture(scope='module')
def many(tmp_path_factory):
  """A folder of enough videos to be interrupted."""
  folder = tmp_path_factory.mktemp('many')
  for label, frames in (('a', 50), ('b', 49)):
    video = video_files.write_video(folder / 'x.mp4', frames, size=(320, 240))
    (folder / 'videos' / 'train' / label).mkdir(parents=True)
    for i in range(MANY // 2):
      os.link(video, folder / 'videos' / 'train' / label / f'{i}.mp4')
    os.remove(video)
  return folder / 'videos'


def start(videos, output, *flags):
  # In a session of its own, as Ctrl-C reaches the workers too; elsewhere, to
  # show that nothing need be installed.  A shell in the background lets what it
  # starts ignore Ctrl-C.
  return subprocess.Popen(
    [
      sys.executable,
      str(TOOL),
      f'--input_dir={videos}',
      f'--output_dir={output}',
      '--fps=25',
      '--short_side=240',
      '--num_shards=20',
      *flags,
    ],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
    cwd=videos.parent,
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
  )


def run(videos, output, *flags):
  process = start(videos, output, *flags)
  shown, errors = process.communicate(timeout=120)
  return process.returncode, shown, errors


def contents(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def wait_for(condition):
  end = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.02)


@pytest.fixture(scope='module')
def reference(many):
  code, shown, errors = run(
    many, many.parent / 'reference', '--direct_num_workers=1'
  )
  assert code == 0, errors
  assert f'{MANY} train clips of 2 classes, 0 bad' in shown
  return contents(many.parent / 'reference')


def workers(pid: int) -> list[int]:
  """Process ids of the workers that a process started by way of a shell."""
  parents = {}
  for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
      fields = path.read_text().rsplit(')', 1)[1].split()
    except OSError:
      continue
    parents[int(path.parent.name)] = int(fields[1])
  return [
    child for child, parent in parents.items() if parents.get(parent) == pid
  ]


@pytest.mark.parametrize('interruption', ['kill', 'ctrl-c', 'worker killed'])
def test_what_was_interrupted_is_finished_by_the_same_command(
  many, reference, tmp_path, interruption
):
  output = tmp_path / 'records'
  process = start(many, output, '--direct_num_workers=2')
  wait_for(lambda: len(list(output.glob('reports/train-*.json'))) >= 1)
  if interruption == 'kill':
    os.killpg(process.pid, signal.SIGKILL)
  elif interruption == 'ctrl-c':
    os.killpg(process.pid, signal.SIGINT)
  else:
    os.kill(workers(process.pid)[0], signal.SIGKILL)
  _, errors = process.communicate(timeout=60)
  assert process.returncode
  if interruption == 'ctrl-c':
    assert 'error: interrupted; run the same command again' in errors
  elif interruption == 'worker killed':
    assert 'error: a worker process was killed' in errors
  assert not (output / 'dataset.json').exists()

  # Workers end when they notice that they are alone, maybe with their work.
  time.sleep(1)
  finished = {
    path.name.removesuffix('.json')
    for path in output.glob('reports/train-*.json')
  }
  assert 1 <= len(finished) <= 20
  assert interruption != 'kill' or len(finished) < 20
  times = {name: (output / name).stat().st_mtime_ns for name in finished}
  code, _, errors = run(many, output, '--direct_num_workers=1')
  assert code == 0, errors
  assert contents(output) == reference
  assert {name: (output / name).stat().st_mtime_ns for name in times} == times


def test_kinetics_csv_and_all_cores(tmp_path):
  clips = tmp_path / 'clips'
  clips.mkdir()
  rows = ['label,youtube_id,time_start,time_end,split']
  for i, split in enumerate(('train', 'train', 'validate', 'validate')):
    label = ('"air, drums"', 'jogging')[i % 2]
    rows.append(f'{label},-x{i},{i},{i + 10},{split}')
    video_files.write_video(clips / f'-x{i}_{i:06d}_{i + 10:06d}.mp4', 5 + i)
  (tmp_path / 'all.csv').write_text('\n'.join(rows))
  process = subprocess.run(
    [
      sys.executable,
      str(TOOL),
      f'--csv={tmp_path / "all.csv"}',
      f'--input_dir={clips}',
      f'--output_dir={tmp_path / "records"}',
    ],
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  assert '2 train, 2 validation clips of 2 classes, 0 bad' in process.stdout
  assert 'shortest 1 frames (0.2 s), median 2 frames' in process.stdout
  assert 'does not fill a window of 5 frames' in process.stdout
  # Progress and nothing else.
  lines = process.stderr.splitlines()
  assert all(' of 4 clips, 0 bad in this run, ' in line for line in lines)
  assert lines[-1].startswith('4 of 4 clips')


def test_errors_are_one_line(many, tmp_path):
  for flags, message in (
    (('--fsp=5',), '--fsp is a flag neither of this tool'),
    (('--csv=none.csv',), 'cannot read none.csv'),
    (('--clips_per_shard=3',), 'clips_per_shard or num_shards, not both'),
    (('--fold=1',), 'give --folds, how many, and --fold, which'),
    (('--folds=5', '--fold=5'), '--fold=5: expected 0 to 4'),
  ):
    code, _, errors = run(many, tmp_path / 'records', *flags)
    assert code == 1
    (line,) = errors.splitlines()
    assert line.startswith('error: ') and message in line
  assert not (tmp_path / 'records').exists()
