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
import runpy
import sys

import numpy as np
import pytest

from official_ext.grw.inference import camera
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from official_ext.grw.serving import model_card
from tests import video_files
from tests.serving import color_model

PAGE = pathlib.Path(__file__).parents[1] / 'docs' / 'export.md'


def frame(middle, sides):
  """Wide: the middle is all that a center crop leaves, the sides are more."""
  image = color_model.frame(sides, width=96, height=32)
  image[:, 32:64] = middle
  return image


@pytest.fixture(name='client', scope='module')
def client_fixture(tmp_path_factory):
  """The path of the client, as the page shows it."""
  blocks = re.findall(
    r'^```python\n(.*?)^```',
    PAGE.read_text('utf-8'),
    re.DOTALL | re.MULTILINE,
  )
  (text,) = [
    block for block in blocks if block.startswith('# Streams a camera')
  ]
  script = tmp_path_factory.mktemp('client') / 'stream.py'
  script.write_text(text, encoding='utf-8')
  return str(script)


@pytest.mark.parametrize(
  'mode, antialias, several, centered, most',
  [
    ('square', True, False, False, '蓝'),
    ('keep_aspect', False, False, True, 'red'),
    ('keep_aspect', True, True, False, "['red', 'grün', '蓝']"),
    ('keep_aspect', False, True, True, "['red']"),
  ],
)
def test_the_camera_client_answers_as_the_prediction_tool(
  tmp_path,
  client,
  monkeypatch,
  capsys,
  mode,
  antialias,
  several,
  centered,
  most,
):
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
    input={**color_model.card().input, 'range': [-int(centered), 1]},
  )
  # The size that is resized to is neither that of the frames nor of the crop.
  video = video_files.write_frames(
    tmp_path / 'a.mp4',
    [frame(color_model.GREEN, color_model.GREEN)] * 3
    + [frame(color_model.RED, color_model.BLUE)] * 17,
  )

  monkeypatch.setattr(sys, 'argv', [client, model, video])
  runpy.run_path(client)
  said = capsys.readouterr().out.splitlines()
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
  assert said == expected
  assert expected[-1] == most and (several or expected[0] == 'grün')


@pytest.mark.parametrize(
  'fields', [{'kind': 'clip'}, {'frames_per_second': None}]
)
def test_the_camera_client_refuses_what_it_cannot_feed(
  tmp_path, client, monkeypatch, fields
):
  model_card.write(
    color_model.card(**fields), color_model.LABELS, str(tmp_path)
  )
  monkeypatch.setattr(sys, 'argv', [client, str(tmp_path), '0'])
  with pytest.raises(SystemExit, match='expected a stream whose frames_per'):
    runpy.run_path(client)
