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

"""What the documents show runs as it stands there."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from official_ext.grw.inference import camera
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from tests import video_files
from tests.serving import color_model

PAGE = pathlib.Path(__file__).parents[1] / 'docs' / 'export.md'


def frame(middle, sides):
  """Wide: the middle is all that a center crop leaves, the sides are more."""
  image = color_model.frame(sides, width=96, height=32)
  image[:, 32:64] = middle
  return image


@pytest.mark.parametrize(
  'mode, antialias, several, most',
  [
    ('square', True, False, '蓝'),
    ('keep_aspect', False, False, 'red'),
    ('keep_aspect', True, True, "['red', 'grün', '蓝']"),
  ],
)
def test_the_camera_client_answers_as_the_prediction_tool(
  tmp_path, mode, antialias, several, most
):
  blocks = re.findall(
    r'^```python\n(.*?)^```',
    PAGE.read_text('utf-8'),
    re.DOTALL | re.MULTILINE,
  )
  (client,) = [
    block for block in blocks if block.startswith('# Streams a camera')
  ]
  script = tmp_path / 'stream.py'
  script.write_text(client, encoding='utf-8')
  # At this rate each frame of a file is due.
  model = color_model.export(
    tmp_path / 'model',
    frames_per_second=1e6,
    resize={
      'mode': mode,
      'size': color_model.SIZE + 4,
      'crop': [color_model.SIZE] * 2,
      'antialias': antialias,
    },
    multi_label=several,
  )
  # The size that is resized to is neither that of the frames nor of the crop.
  video = video_files.write_frames(
    tmp_path / 'a.mp4',
    [frame(color_model.GREEN, color_model.GREEN)] * 3
    + [frame(color_model.RED, color_model.BLUE)] * 17,
  )

  run = subprocess.run(
    [sys.executable, '-X', 'utf8', str(script), model, video],
    capture_output=True,
    text=True,
    encoding='utf-8',
  )
  assert run.returncode == 0, run.stderr
  opened = exported.open_model(model)
  expected = []
  for timed in camera.read_frames(video, 1e6):
    probabilities = opened.probabilities(np.array(opened.step(timed.image)))
    present = prediction.present(probabilities, 0.5)
    expected.append(
      str([opened.labels[number] for number in sorted(present)])
      if several
      else opened.labels[probabilities.argmax()]
    )
  assert run.stdout.splitlines() == expected
  assert expected[-1] == most and (several or expected[0] == 'grün')
