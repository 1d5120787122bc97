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

"""The prediction tool as it is run."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from official_ext.grw.inference import prediction_files
from tests import video_files
from tests.serving import color_model

TOOL = pathlib.Path(__file__).parents[2] / 'tools' / 'predict_video.py'
FILES = [
  prediction_files.VIDEO_FILE,
  prediction_files.TABLE_FILE,
  prediction_files.CHART_FILE,
]


@pytest.fixture(name='model', scope='module')
def model_fixture(tmp_path_factory):
  return color_model.export(tmp_path_factory.mktemp('model') / 'colors')


@pytest.fixture(name='video', scope='module')
def video_fixture(tmp_path_factory):
  return video_files.write_frames(
    tmp_path_factory.mktemp('video') / 'a.mp4',
    [color_model.frame(color_model.RED)] * 100,
  )


def command(*flags):
  return [sys.executable, str(TOOL), *flags]


def run_tool(*flags):
  return subprocess.run(
    command(*flags),
    capture_output=True,
    text=True,
    encoding='utf-8',
    env={**os.environ, 'PYTHONIOENCODING': 'utf-8'},
  )


def assert_one_error(run, message):
  assert run.returncode == 1
  assert 'Traceback' not in run.stderr
  errors = [
    line for line in run.stderr.splitlines() if line.startswith('error: ')
  ]
  assert len(errors) == 1 and message in errors[0]


def test_a_video_at_the_rate_of_the_card(model, video, tmp_path):
  run = run_tool(
    f'--model={model}',
    f'--video={video}',
    f'--output_dir={tmp_path / "out"}',
    '--top=2',
  )
  assert run.returncode == 0, run.stderr
  lines = run.stdout.splitlines()
  assert lines[0] == 'After 20 frames, at 3.80 s:'  # 4 s at 5 a second.
  assert lines[1].split() == ['1', '100.0%', 'red']
  assert len(lines) == 4
  assert sorted(os.listdir(tmp_path / 'out')) == FILES
  # Nor has LiteRT the last word.
  assert 'accelerator' not in run.stderr.lower()


def test_a_video_that_is_missing_is_one_error(model, tmp_path):
  assert_one_error(
    run_tool(
      f'--model={model}',
      f'--video={tmp_path / "b.mp4"}',
      f'--output_dir={tmp_path / "out"}',
    ),
    'b.mp4: No such file or directory',
  )
  assert not os.listdir(tmp_path)


def test_a_camera_is_named_by_an_address_or_a_file(model, video):
  # Frames of a file come as fast as they are asked for.
  run = run_tool(f'--model={model}', f'--camera={video}', '--fps=1e6')
  assert run.returncode == 0, run.stderr
  assert run.stdout.splitlines()[0].startswith('After 100 frames')
  assert_one_error(
    run_tool('--model=none', '--camera=front'), '--camera=front: expected the'
  )


def test_a_card_without_a_rate_needs_one(tmp_path, video):
  model = color_model.export(
    tmp_path / 'model', frames_per_second=None, sampling='segments'
  )
  assert_one_error(
    run_tool(f'--model={model}', f'--video={video}'),
    "sampling is 'segments': 4 divided by the video's seconds",
  )


def test_interrupted_it_writes_what_there_is(model, video, tmp_path):
  out = tmp_path / 'out'
  # Each frame forty times, so that there is time.
  with subprocess.Popen(
    command(
      f'--model={model}',
      f'--video={video}',
      '--fps=4000',
      f'--output_dir={out}',
    ),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  ) as process:
    while process.poll() is None and not any(
      path.stat().st_size for path in tmp_path.glob('out*/*.csv')
    ):
      time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
  assert process.returncode == 0, errors
  num_frames = int(output.split()[1])
  assert 0 < num_frames < 16000
  assert sorted(os.listdir(out)) == FILES
