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

"""The package exports a small API, lazily, and predicts without TensorFlow."""

import inspect
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

from official_ext import grw
from tests import video_files
from tests.serving import color_model

ROOT = pathlib.Path(__file__).resolve().parents[1]

# What a small machine need not have.
HEAVY = (
  'absl',
  'keras',
  'matplotlib',
  'official',
  'scipy',
  'tensorflow',
  'tensorflow_datasets',
  'tf_keras',
  'tqdm',
)


def example() -> str:
  """The code of the package's docstring."""
  blocks = re.findall(r'(?:^    .*\n|^\n)+', inspect.getdoc(grw) or '', re.M)
  (code,) = [block for block in blocks if 'import' in block]
  return textwrap.dedent(code).strip()


def test_every_public_name_is_there():
  assert sorted(grw.__all__) == grw.__all__
  for name in grw.__all__:
    assert getattr(grw, name) is not None, name
    assert name in dir(grw)
  # Those that type checkers see.
  stubs = inspect.getsource(grw).partition('if TYPE_CHECKING:')[2]
  stubs = stubs.partition('\n\n')[0]
  assert {*re.findall(r'(\w+)$', stubs, re.M), '__version__'} == {*grw.__all__}


def test_another_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="grw' has no attribute 'GrwSmooth'"):
    grw.GrwSmooth  # noqa: B018


@pytest.fixture(name='place', scope='module')
def place_fixture(tmp_path_factory):
  """A folder with a model and a video, under the names of the example."""
  place = tmp_path_factory.mktemp('place')
  color_model.export(place / 'own_tflite')
  video_files.write_frames(
    place / 'ride.mp4', [color_model.frame(color_model.RED)] * 100
  )
  return place


def test_the_example_and_the_tool_run_without_tensorflow(place):
  assert len([line for line in example().splitlines() if line]) <= 5
  tool = ROOT / 'tools' / 'predict_video.py'
  script = f"""
import runpy
import sys
{example()}
print('example:', [name for name in {HEAVY} if name in sys.modules])
sys.argv = [
  {str(tool)!r}, '--model=own_tflite', '--video=ride.mp4', '--output_dir=out'
]
try:
  runpy.run_path({str(tool)!r}, run_name='__main__')
except SystemExit as exit:
  print('tool:', exit.code, 'tensorflow' in sys.modules)
"""
  run = subprocess.run(
    [sys.executable, '-X', 'utf8', '-c', script],
    cwd=place,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    encoding='utf-8',
  )
  assert run.returncode == 0, run.stderr
  lines = run.stdout.splitlines()
  assert lines[0].split() == ['100.0%', 'red']
  assert {line.split()[1] for line in lines[1:3]} == {'grün', '蓝'}
  assert lines[3] == 'example: []'
  assert lines[4] == 'After 20 frames, at 3.80 s:'
  assert lines[-1] == 'tool: None False'
  assert len(os.listdir(place / 'out')) == 3


def test_frames_in_memory_are_predicted_as_their_video(place):
  model = grw.load(place / 'own_tflite')
  answers = model.predict([color_model.frame(color_model.BLUE)] * 3)
  assert [label for label, _ in answers[:1]] == ['蓝']
  assert sum(probability for _, probability in answers) == pytest.approx(1)
  # A video starts anew.
  assert model.predict(str(place / 'ride.mp4'))[0][0] == 'red'


def test_a_video_of_no_known_rate_says_what_to_give(tmp_path, place):
  color_model.export(tmp_path / 'model', frames_per_second=None)
  model = grw.load(tmp_path / 'model')
  with pytest.raises(ValueError, match='colors .* give frames_per_second'):
    model.predict(place / 'ride.mp4')
  assert model.predict(place / 'ride.mp4', 5)[0][0] == 'red'
