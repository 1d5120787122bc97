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

"""Spliced clips keep their class, and their cuts are where they are said."""

import json
import pathlib

from absl import flags
from absl.testing import flagsaver
import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import dataset_info
from official_ext.grw.datasets import feature_names
from official_ext.grw.reports import sweep
from tests import tiny
from tools.benchmarks import cuts

LABELS = [0, 1, 0, 1, 1]


@pytest.fixture(name='records', scope='module')
def records_fixture(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  tiny.write_records(folder / 'train.tfrecord', LABELS)
  (folder / 'labels.txt').write_text('still\nright\n')
  info = {
    'num_classes': 2,
    'labels': 'labels.txt',
    'frames_per_second': 5.0,
    'splits': {'train': {'num_examples': 5, 'files': 'train.tfrecord'}},
  }
  (folder / 'dataset.json').write_text(json.dumps(info))
  return folder


def test_a_clip_goes_on_with_another_of_its_class(records, tmp_path, capsys):
  flags.FLAGS.mark_as_parsed()
  with flagsaver.flagsaver(
    dataset_info=str(records / 'dataset.json'), output_dir=str(tmp_path)
  ):
    cuts.main(None)
  table = capsys.readouterr().out
  assert 'of 5 splices found' in table
  assert 'of 20 other pairs taken for cuts' in table
  found = dataset_info.read(str(tmp_path / 'dataset.json'))
  assert found.splits['train'].num_examples == len(LABELS)
  before = cuts.read_clips(str(records / 'train.tfrecord'))
  after = cuts.read_clips(found.splits['train'].files)
  for (images, label), (spliced, same) in zip(before, after):
    assert same == label and len(spliced) == len(images)
    own = sum(one == other for one, other in zip(images, spliced))
    assert cuts.LEAST_FRAMES <= own <= len(images) - cuts.LEAST_FRAMES
    assert spliced[:own] == images[:own]
    assert any(
      spliced[own:] == others[own:]
      for others, of_class in before
      if of_class == label
    )


def test_a_clip_of_labeled_frames_goes_on_with_another_class(
  records, tmp_path, capsys
):
  flags.FLAGS.mark_as_parsed()
  with flagsaver.flagsaver(
    dataset_info=str(records / 'dataset.json'),
    output_dir=str(tmp_path),
    other_classes=True,
  ):
    cuts.main(None)
  assert 'of 5 splices found' in capsys.readouterr().out
  before = cuts.read_clips(str(records / 'train.tfrecord'))
  class_of = {image: label for images, label in before for image in images}
  for serialized in tf.data.TFRecordDataset(str(tmp_path / 'train.tfrecord')):
    example = tf.train.SequenceExample.FromString(serialized.numpy())
    feature = example.context.feature[feature_names.FRAME_LABELS_KEY]
    images = example.feature_lists.feature_list['image/encoded'].feature
    assert list(feature.int64_list.value) == [
      class_of[image.bytes_list.value[0]] for image in images
    ]
    assert len(set(feature.int64_list.value)) == 2


def test_scores_are_of_the_frames_that_a_stride_leaves():
  dark = tf.io.encode_jpeg(np.zeros([16, 16, 3], np.uint8)).numpy()
  light = tf.io.encode_jpeg(np.full([16, 16, 3], 255, np.uint8)).numpy()
  scores = cuts.scores_of([dark] * 3 + [light] * 3, stride=2, phase=1)
  np.testing.assert_allclose(scores, [85.0, 0.0], atol=0.5)


def test_the_sweep_of_windows_can_be_run():
  folder = pathlib.Path(__file__).parents[3] / 'configs' / 'sweeps'
  definition = sweep.read_definition(folder / 'windows.yaml')
  experiment = exp_factory.get_exp_config('movinet_grw_airplanes')
  runs = sweep.plan(definition, experiment, seeds=[0])
  smoothing = {
    run.row: run.config['task']['model']['smoothing'] for run in runs
  }
  assert smoothing['grw']['cuts'] is smoothing['grw']['window_range'] is None
  assert smoothing['adaptive']['window_range'] == [3, 8]
  assert smoothing['cuts=12']['cuts'] == 12.0
  assert len({str(fields) for fields in smoothing.values()}) == len(runs) == 7
