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

"""Claims about predicting on whole videos, with a model of known answers."""

import copy
import csv
import itertools
import tracemalloc

import av
import matplotlib.image
import numpy as np
import pytest
from scipy import special

from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import exported
from official_ext.grw.inference import prediction
from official_ext.grw.inference import prediction_files
from tests import video_files
from tests.serving import color_model

RED, GREEN, BLUE = color_model.RED, color_model.GREEN, color_model.BLUE
SIZE = (97, 64)  # Of frames; the width is odd.
FPS = 5


@pytest.fixture(name='model', scope='module')
def model_fixture(tmp_path_factory):
  return exported.open_model(
    color_model.export(tmp_path_factory.mktemp('model') / 'colors')
  )


def frames(*colors, width=SIZE[0], height=SIZE[1]):
  """One frame of each color, at FPS."""
  for number, color in enumerate(colors):
    yield video_decoding.TimedFrame(
      number / FPS, color_model.frame(color, width, height)
    )


COLORS = [RED] * 4 + [BLUE] * 8


@pytest.fixture(name='written', scope='module')
def written_fixture(model, tmp_path_factory):
  folder = tmp_path_factory.mktemp('written') / 'a'
  last = prediction.predict(
    model, frames(*COLORS), FPS, top=2, output_dir=str(folder)
  )
  assert sorted(path.name for path in folder.iterdir()) == [
    prediction_files.VIDEO_FILE,
    prediction_files.TABLE_FILE,
    prediction_files.CHART_FILE,
  ]
  return folder, last


def expected_probabilities():
  """Of every frame, from the definition of the model."""
  means = np.cumsum(COLORS, axis=0) / np.arange(1, len(COLORS) + 1)[:, None]
  return special.softmax(color_model.SHARPNESS * means / 255, axis=-1)


def test_the_prediction_is_the_answer_after_the_last_frame(model, written):
  _, last = written
  assert (last.num_frames, last.seconds) == (12, pytest.approx(11 / FPS))
  np.testing.assert_allclose(
    last.probabilities, expected_probabilities()[-1], rtol=1e-4
  )
  text = prediction.table(last, model.labels, 2).splitlines()
  assert text[0] == 'After 12 frames, at 2.20 s:'
  assert [line.split()[0::2] for line in text[1:]] == [
    ['1', '蓝'],
    ['2', 'red'],
  ]


def test_the_table_has_the_answer_after_each_frame(written):
  with open(written[0] / prediction_files.TABLE_FILE, encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  expected = expected_probabilities()
  assert len(rows) == len(COLORS)
  for number, (row, probabilities) in enumerate(zip(rows, expected)):
    assert float(row['seconds']) == pytest.approx(number / FPS)
    order = np.argsort(-probabilities, kind='stable')
    assert row['label_1'] == color_model.LABELS[order[0]]
    assert float(row['probability_2']) == pytest.approx(
      probabilities[order[1]], abs=1e-5
    )
  assert 'label_3' not in rows[0]


def test_the_video_has_all_frames_and_a_panel(written):
  with av.open(str(written[0] / prediction_files.VIDEO_FILE)) as container:
    stream = container.streams.video[0]
    images = [
      (frame.time, frame.to_ndarray(format='rgb24'))
      for frame in container.decode(stream)
    ]
  assert [time for time, _ in images] == pytest.approx(
    np.arange(len(COLORS)) / FPS
  )
  for (_, image), color in zip(images, COLORS):
    # H.264 has an even number of columns.
    assert image.shape == (SIZE[1], SIZE[0] + 1, 3)
    assert np.abs(image[:10].mean((0, 1)) - color).max() < 12
    assert np.abs(image[-20:].mean((0, 1)) - color).max() > 30


def test_the_chart_has_the_curves_of_the_highest_peaks(written):
  chart = (
    255
    * matplotlib.image.imread(written[0] / prediction_files.CHART_FILE)[..., :3]
  )
  assert chart.shape[0] > 500 and chart.shape[1] > 1000

  def pixels(color):
    return np.sum(np.abs(chart - color).max(-1) < 3)

  # Matplotlib's first three colors; green never peaks.
  assert pixels((31, 119, 180)) > 500
  assert pixels((255, 127, 14)) > 500
  assert pixels((44, 160, 44)) == 0


def test_labels_may_hold_anything(model, tmp_path):
  other = copy.copy(model)
  other.labels = ['$x_{', '_b\\, "c', '滑雪 🙂' * 40]
  last = prediction.predict(
    other, frames(RED, BLUE), FPS, output_dir=str(tmp_path / 'a')
  )
  with open(
    tmp_path / 'a' / prediction_files.TABLE_FILE, encoding='utf-8'
  ) as file:
    row = next(csv.DictReader(file))
  assert {row[f'label_{place}'] for place in (1, 2, 3)} == set(other.labels)
  assert all(
    label in prediction.table(last, other.labels, 3) for label in other.labels
  )
  assert (tmp_path / 'a' / prediction_files.CHART_FILE).exists()


def test_each_video_starts_anew(model):
  first, second = (
    prediction.predict(model, frames(RED), FPS).probabilities for _ in range(2)
  )
  np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
  'arguments, num_frames',
  [
    ({'seconds': 0.5}, 3),
    ({'seconds': 99.0}, 12),
    ({'stopped': itertools.chain([False] * 4, [True]).__next__}, 4),
  ],
)
def test_stopped_early_everything_is_written(
  model, tmp_path, arguments, num_frames
):
  last = prediction.predict(
    model, frames(*COLORS), FPS, output_dir=str(tmp_path / 'a'), **arguments
  )
  assert last.num_frames == num_frames
  with av.open(str(tmp_path / 'a' / prediction_files.VIDEO_FILE)) as container:
    assert len(list(container.decode(video=0))) == num_frames
  table = (tmp_path / 'a' / prediction_files.TABLE_FILE).read_text('utf-8')
  assert len(table.splitlines()) == 1 + num_frames


def test_a_video_is_read_at_the_rate_asked_for(model, tmp_path):
  path = video_files.write_frames(
    tmp_path / 'a.mp4',
    [frame.image for frame in frames(*[RED] * 25, *[BLUE] * 25, width=64)],
    25,
  )
  last = prediction.predict(model, video_decoding.read_frames(path, FPS), FPS)
  assert last.num_frames == 10
  np.testing.assert_allclose(last.probabilities[[0, 2]], 0.5, atol=0.05)


def test_a_file_that_changes_size_midway_keeps_its_first_size(model, tmp_path):
  path = video_files.write_frames(
    tmp_path / 'a.ts',
    [
      frame.image
      for frame in (
        *frames(*[RED] * 10, width=64),
        *frames(*[BLUE] * 10, width=128, height=96),
      )
    ],
  )
  sizes = {
    frame.image.shape for frame in video_decoding.read_frames(path, None)
  }
  assert sizes == {(SIZE[1], 64, 3)}
  last = prediction.predict(
    model,
    video_decoding.read_frames(path, 25),
    25,
    output_dir=str(tmp_path / 'out'),
  )
  assert last.num_frames == 20
  np.testing.assert_allclose(last.probabilities[[0, 2]], 0.5, atol=0.05)


def broken_videos(tmp_path):
  whole = video_files.write_video(tmp_path / 'whole.avi', 100)
  video_files.truncate(whole, 0.5)
  empty = video_files.write_headers(tmp_path / 'empty.avi')
  garbage = tmp_path / 'garbage.mp4'
  garbage.write_bytes(b'no video' * 1000)
  return {
    'missing.mp4': 'No such file',
    whole: 'truncated',
    empty: 'zero frames',
    str(garbage): 'not a video',
  }


def test_broken_videos_are_one_error_and_leave_nothing(model, tmp_path):
  for path, reason in broken_videos(tmp_path).items():
    before = set(tmp_path.iterdir())
    with pytest.raises(video_decoding.VideoError, match=reason) as raised:
      prediction.predict(
        model,
        video_decoding.read_frames(path, FPS),
        FPS,
        output_dir=str(tmp_path / 'out'),
      )
    assert str(raised.value).startswith(path)
    assert set(tmp_path.iterdir()) == before


def test_frames_that_change_size_make_no_video(model, tmp_path):
  changing = [*frames(RED, RED), *frames(RED, width=32)]
  with pytest.raises(ValueError, match=r'shape \(64, 32, 3\), after .* 97, 3'):
    prediction.predict(model, changing, FPS, output_dir=str(tmp_path / 'a'))
  assert not list(tmp_path.iterdir())
  # The model itself does not mind.
  assert prediction.predict(model, changing, FPS).num_frames == 3


def test_no_frames_are_an_error(model, tmp_path):
  with pytest.raises(ValueError, match='nothing to predict'):
    prediction.predict(model, [], FPS, output_dir=str(tmp_path / 'a'))
  assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone_before_any_frame_is_read(model, written):
  with pytest.raises(ValueError, match='exists'):
    prediction.predict(
      model, map(pytest.fail, ['read']), FPS, output_dir=str(written[0])
    )


def test_memory_does_not_grow_with_the_video(model, tmp_path):

  def peak(num_frames):
    stream = frames(*[RED] * num_frames)
    tracemalloc.start()
    prediction.predict(
      model, stream, FPS, output_dir=str(tmp_path / str(num_frames))
    )
    try:
      return tracemalloc.get_traced_memory()[1]
    finally:
      tracemalloc.stop()

  peak(2)
  # A frame has 18 kB.
  assert peak(800) - peak(100) < 700_000
