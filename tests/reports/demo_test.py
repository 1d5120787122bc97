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

"""The demo trains both runs, measures them, draws them, and continues."""

import dataclasses
import json

import cv2
import matplotlib.colors
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.reports import demo
from tests import tiny

# One log and one checkpoint of two steps: the real thing, as short as it gets.
SETTING = demo.Setting(train_clips=33, validation_clips=12, epochs=1, seed=3)
MODEL = {
  'backbone': {'movinet': {'model_id': 'tiny'}},
  'head': {'num_layers': 1, 'embedding_dim': 8},
}


def compare(setting, folder):
  return demo.compare(
    setting, str(folder), MODEL, tiny.program('official_ext/grw/train.py')
  )


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  folder = tmp_path_factory.mktemp('demo')
  compare(SETTING, folder)
  return folder


@pytest.fixture(name='outcomes', scope='module')
def outcomes_fixture(folder):
  """What the same command says of a finished comparison."""
  return compare(SETTING, folder)


def test_both_runs_are_trained_to_the_end_from_the_same_weights(folder):
  runs = [folder / 'lambda=0', folder / 'lambda=0.1']
  for run in runs:
    latest = tf.train.latest_checkpoint(str(run))
    assert latest is not None and latest.endswith('-2')
  # λ is all that differs between what they were told.
  first, second = (
    json.loads((run / 'overrides.yaml').read_text()) for run in runs
  )
  assert first['task']['model'] != second['task']['model']
  second['task']['model'] = first['task']['model']
  assert first == second and first['task']['seed'] == 3


def test_measures_are_those_of_the_held_out_clips(folder, outcomes):
  assert [outcome.weight for outcome in outcomes] == [0.0, 0.1]
  measures, embeddings, labels = demo.measure(folder / 'lambda=0.1')
  assert embeddings.shape[:2] == (12, 10)
  assert np.bincount(labels).tolist() == [4, 4, 4]
  assert outcomes[1].top_1 == pytest.approx(measures['top_1_accuracy'])
  velocity = np.diff(embeddings.reshape([24, 5, -1]), axis=1)
  ratio = (
    np.linalg.norm(np.diff(velocity, axis=1), axis=-1).mean()
    / np.linalg.norm(velocity, axis=-1).mean()
  )
  assert outcomes[1].acceleration_over_speed == pytest.approx(ratio, rel=1e-3)
  assert outcomes[1].at_seams == measures['at_seams'] > 0
  assert outcomes[1].away_from_seams == measures['away_from_seams'] > 0
  assert all(outcome.seconds > 0 for outcome in outcomes)


def test_the_picture_is_written(folder):
  assert cv2.imread(str(folder / 'embeddings.png')) is not None


def test_the_picture_has_a_panel_a_run_and_a_color_a_class(tmp_path):
  rng = np.random.default_rng(0)
  embeddings = rng.normal(size=[6, 10, 8]).cumsum(axis=1)
  outcomes = [demo.Outcome(weight, 0.5, 0.1, 1.0, 9.0) for weight in (0.0, 0.1)]
  clouds = [
    (embeddings, np.array([0, 0, 1, 1, 2, 2])),
    (embeddings, np.array([0, 0, 0, 1, 1, 1])),
  ]
  demo.draw_embeddings(outcomes, clouds, tmp_path / 'a.png')
  picture = cv2.imread(str(tmp_path / 'a.png'))
  assert picture is not None
  height, width, _ = picture.shape
  assert width > 1.8 * height
  panels = np.array_split(picture.astype(float), 2, axis=1)

  def pixels(panel, color):  # Of lines, which are a tenth transparent.
    line = 0.9 * 255 * np.array(matplotlib.colors.to_rgb(color))[::-1] + 25.5
    return int((np.abs(panel - line).max(axis=-1) < 3).sum())

  first, second = (
    [pixels(panel, color) for color in demo.COLORS] for panel in panels
  )
  assert min(first) > 500 and min(second[:2]) > 500
  # The second run has no clip of the third class.
  assert second[2] < 10


def test_the_table_has_a_row_for_each_run(outcomes):
  rows = demo.table(outcomes).splitlines()
  assert len(rows) == 4
  assert f'| λ = 0.1 | {outcomes[1].top_1:.1%} |' in rows[3]
  assert f'| {outcomes[1].at_seams:.2f} |' in rows[3]


def test_a_folder_of_another_comparison_is_refused(folder):
  other = dataclasses.replace(SETTING, seed=4)
  with pytest.raises(demo.DemoError, match='other settings'):
    compare(other, folder)


def test_too_few_clips_are_refused(tmp_path):
  with pytest.raises(demo.DemoError, match='at least 16'):
    demo.compare(dataclasses.replace(SETTING, train_clips=9), str(tmp_path))


def test_two_runs_without_grw_are_no_comparison(tmp_path):
  with pytest.raises(demo.DemoError, match='more than 0'):
    demo.compare(dataclasses.replace(SETTING, weight=0.0), str(tmp_path))
