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

"""Claims about what is found in TFRecords, good and bad."""

import json
import pathlib

import cv2
import numpy as np
import pytest

from official_ext.grw.configs import schema
from official_ext.grw.datasets import record_inspection
from official_ext.grw.datasets import video_records

LABELS = ['jogging', 'küssen $']


def record(label, frames=4, shade=0):
  image = np.full((24, 32, 3), shade, np.uint8)
  jpeg = cv2.imencode('.jpg', image)[1].tobytes()
  return video_records.sequence_example(
    {'clip/label/index': label}, {'image/encoded': [jpeg] * frames}
  )


def write(path, records):
  with open(path, 'wb') as f:
    for serialized in records:
      video_records.write_record(f, serialized)


@pytest.fixture
def dataset(tmp_path):
  """Two files of training clips, one of validation."""
  write(tmp_path / 'train-0.tfrecord', [record(0), record(1), record(1, 6)])
  write(tmp_path / 'train-1.tfrecord', [record(0, 2)])
  write(tmp_path / 'validation-0.tfrecord', [record(1)])
  (tmp_path / 'labels.txt').write_text('\n'.join(LABELS), encoding='utf-8')
  (tmp_path / 'dataset.json').write_text(
    json.dumps(
      {
        'num_classes': 2,
        'labels': 'labels.txt',
        'splits': {
          name: {'num_examples': count, 'files': f'{name}-*.tfrecord'}
          for name, count in (('train', 4), ('validation', 1))
        },
      }
    )
  )
  return tmp_path


def inspect(dataset, num_samples=0):
  split = record_inspection.find_splits(str(dataset))[0]
  return record_inspection.inspect(split, num_samples)


def test_clips_labels_and_frames_are_counted(dataset):
  contents = inspect(dataset)
  assert contents.num_clips == 4
  assert contents.clips_of_label == {0: 2, 1: 2}
  assert contents.num_frames == [4, 4, 6, 2]
  assert not contents.bad


def test_the_first_bad_record_of_each_file_is_named(dataset):
  write(
    dataset / 'train-0.tfrecord',
    [record(0), record(2), record(0, 0), record(1)],
  )
  path = dataset / 'train-1.tfrecord'
  path.write_bytes(path.read_bytes()[:-5])
  first, second = inspect(dataset).bad
  assert (pathlib.Path(first.file).name, first.record) == (
    'train-0.tfrecord',
    1,
  )
  assert 'has label 2 outside [0, 2)' in first.reason
  assert (pathlib.Path(second.file).name, second.record) == (
    'train-1.tfrecord',
    0,
  )
  assert 'truncated' in second.reason


def test_several_labels_are_right_where_the_dataset_says_so(dataset):
  write(dataset / 'train-0.tfrecord', [record([0, 1]), record([]), record([2])])
  assert 'has 2 labels [0, 1], expected one' in inspect(dataset).bad[0].reason
  path = dataset / 'dataset.json'
  path.write_text(
    json.dumps({**json.loads(path.read_text()), 'multi_label': True})
  )
  contents = inspect(dataset)
  (bad,) = contents.bad
  assert bad.record == 2 and 'has label 2 outside [0, 2)' in bad.reason
  assert contents.clips_of_label == {0: 2, 1: 1, 2: 1}


def test_records_are_expected_as_experiments_have_them():
  ours, theirs = record_inspection.Expected(2), schema.DataConfig()
  for name in ('image_field_key', 'label_field_key'):
    assert getattr(ours, name) == getattr(theirs, name)


def test_samples_are_random_and_repeatable(dataset):
  write(dataset / 'train-0.tfrecord', [record(0, 1, i) for i in range(40)])
  split = record_inspection.find_splits(str(dataset))[0]
  samples = [
    record_inspection.inspect(split, 5, seed).samples for seed in (0, 0, 1)
  ]
  assert len(set(samples[0])) == 5
  assert samples[0] == samples[1] != samples[2]


def test_a_contact_sheet_shows_frames_of_each_clip(tmp_path):
  path = tmp_path / 'sheet.png'
  samples = [record(1, 8, 90), record(0, 2, 200), b'no record', record(7, 0)]
  record_inspection.contact_sheet(samples, LABELS, str(path))
  picture = cv2.imread(str(path))
  assert picture is not None
  row_height = picture.shape[0] / len(samples)
  for shade, row in ((90, 0), (200, 1)):
    found = np.abs(picture.astype(int) - shade).max(-1) < 4
    inside = found[int(row * row_height) : int((row + 1) * row_height)]
    assert inside.sum() > 0.9 * found.sum() > 1000
  assert [path.name for path in tmp_path.iterdir()] == ['sheet.png']


@pytest.mark.parametrize(
  'spoil, message',
  [
    (lambda d: (d / 'dataset.json').unlink(), 'dataset.json: No such file'),
    (
      lambda d: (d / 'dataset.json').write_text('{'),
      'dataset.json: JSONDecode',
    ),
    (lambda d: (d / 'dataset.json').write_text('{}'), 'dataset.json: KeyError'),
    (lambda d: (d / 'labels.txt').write_text('a\n'), '1 labels, .* 2 classes'),
  ],
)
def test_what_is_no_dataset_is_one_error(dataset, spoil, message):
  spoil(dataset)
  with pytest.raises(ValueError, match=message):
    record_inspection.find_splits(str(dataset))


def test_a_pattern_needs_the_number_of_classes(dataset):
  pattern = str(dataset / 'train-*')
  with pytest.raises(ValueError, match='give --num_classes'):
    record_inspection.find_splits(pattern)
  with pytest.raises(ValueError, match='no such files'):
    record_inspection.find_splits(pattern + '.none', 2)
  (split,) = record_inspection.find_splits(pattern, 2)
  assert len(split.files) == 2
