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

"""Claims about finding bad TFRecord files and records, on real files."""

from absl import logging
import numpy as np
import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import video_input

SIZE = 16


def encode(labels=(0,), frames=None):
  """A SequenceExample of JPEG frames."""
  example = tf.train.SequenceExample()
  example.context.feature['clip/label/index'].int64_list.value.extend(labels)
  jpeg = tf.io.encode_jpeg(np.zeros((SIZE, SIZE, 3), np.uint8)).numpy()
  images = example.feature_lists.feature_list['image/encoded']
  for frame in [jpeg] * 4 if frames is None else frames:
    images.feature.add().bytes_list.value.append(frame or jpeg)
  return example.SerializeToString()


def write(path, records):
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in records:
      writer.write(record)
  return str(path)


def config(path, **overrides):
  values = dict(
    input_path=str(path),
    feature_shape=(2, SIZE, SIZE, 3),
    num_classes=3,
    min_image_size=SIZE,
    global_batch_size=2,
    is_training=True,
  )
  return schema.DataConfig(**{**values, **overrides})


def find(params):
  return record_check.find_bad_record(
    record_check.list_files(params), video_input.record_parser(params), params
  )


def test_records_know_their_file_and_number(tmp_path):
  paths = [
    write(tmp_path / name, [encode()] * count)
    for name, count in (('a[1]', 2), ('b ü', 1))
  ]
  records = list(record_check.read_records(paths).as_numpy_iterator())
  assert [(r['file'].decode(), r['record']) for r in records] == [
    (paths[0], 0),
    (paths[0], 1),
    (paths[1], 0),
  ]
  assert all(r['serialized'] == encode() for r in records)


def test_an_empty_record_is_a_record(tmp_path):
  path = write(tmp_path / 'a', [encode(), b'', encode()])
  assert len(list(record_check.read_records(path))) == 3


@pytest.mark.parametrize(
  'make, fault',
  [
    (lambda path: path.write_bytes(b''), r'is empty \(0 bytes\)'),
    (lambda path: path.mkdir(), 'is a folder'),
    (lambda path: None, 'does not exist'),
  ],
)
def test_file_without_records_is_named_or_left_out(tmp_path, make, fault):
  good = write(tmp_path / 'good', [encode()])
  bad = tmp_path / 'bad'
  make(bad)
  paths = f'{good},{bad}'
  with pytest.raises(record_check.InputDataError, match=fault) as caught:
    record_check.list_files(config(paths))
  assert f'1 of 2 input files hold no records: "{bad}"' in str(caught.value)
  skipping = config(paths, on_bad_record='skip')
  assert record_check.list_files(skipping) == [good]


@pytest.mark.parametrize('policy', record_check.POLICIES)
def test_only_empty_files_is_an_error(tmp_path, policy):
  for name in 'abcdefgh':
    (tmp_path / name).write_bytes(b'')
  with pytest.raises(
    record_check.InputDataError, match='8 of 8 input files.*and 3 more'
  ):
    video_input.build_video_dataset(
      config(tmp_path / '?', on_bad_record=policy)
    )


def test_empty_shards_do_not_hang_training(tmp_path):
  write(tmp_path / 'a', [encode()] * 2)
  for name in 'bcd':
    (tmp_path / name).write_bytes(b'')
  params = config(tmp_path / '?', on_bad_record='skip')
  assert len(list(video_input.build_video_dataset(params).take(4))) == 4


def test_pattern_without_files_is_an_error(tmp_path):
  with pytest.raises(
    record_check.InputDataError, match='does not match any files.*pattern'
  ):
    record_check.list_files(config(tmp_path / 'x*'))


@pytest.mark.parametrize('policy', record_check.POLICIES)
def test_files_that_hold_no_record_are_an_error(tmp_path, policy):
  # GZIP wraps nothing in twenty bytes.
  options = tf.io.TFRecordOptions(compression_type='GZIP')
  tf.io.TFRecordWriter(str(tmp_path / 'a'), options).close()
  params = config(tmp_path / 'a', compressed_input=True, on_bad_record=policy)
  with pytest.raises(record_check.InputDataError, match='hold no records'):
    video_input.build_video_dataset(params)


def test_first_records_are_checked_before_training(tmp_path):
  write(tmp_path / 'a', [encode([0])])
  write(tmp_path / 'b', [encode([5]), encode([0])])
  with pytest.raises(record_check.InputDataError, match='label 5 outside'):
    video_input.build_video_dataset(config(tmp_path / '?'))


def test_image_classification_records_are_recognized(tmp_path):
  example = tf.train.Example()
  example.features.feature['image/encoded'].bytes_list.value.append(b'x')
  example.features.feature['image/class/label'].int64_list.value.append(1)
  write(tmp_path / 'a', [example.SerializeToString()])
  bad = find(config(tmp_path / 'a'))
  assert "lacks the frames 'image/encoded'" in bad.reason
  assert "'image/class/label', 'image/encoded'" in bad.reason


def test_wrong_label_key_lists_the_keys(tmp_path):
  write(tmp_path / 'a', [encode()])
  bad = find(config(tmp_path / 'a', label_field_key='label'))
  assert "lacks the label 'label'" in bad.reason
  assert 'clip/label/index' in bad.reason


def test_bad_frame_outside_the_clip_is_found(tmp_path):
  frames = [b'', b'', b'', b'', b'', b'broken']
  write(tmp_path / 'a', [encode()] * 3)
  write(tmp_path / 'b', [encode()] * 2 + [encode(frames=frames), encode()])
  bad = find(config(tmp_path / '?', is_training=False))
  assert (bad.file, bad.record) == (str(tmp_path / 'b'), 2)
  assert 'frame 5 of 6 (6 bytes' in bad.reason


def test_good_records_have_no_fault(tmp_path):
  write(tmp_path / 'a', [encode([2])] * 3)
  params = config(tmp_path / 'a')
  assert record_check.describe_record(encode([2]), params) is None
  assert find(params) is None


def test_labels_of_one_class_are_zero_and_one(tmp_path):
  params = config(tmp_path, num_classes=1)
  assert record_check.describe_record(encode([1]), params) is None
  reason = record_check.describe_record(encode([2]), params)
  assert reason is not None and 'outside [0, 2)' in reason


def test_multilabel_records_may_hold_any_number_of_labels(tmp_path):
  params = config(tmp_path, is_multilabel=True)
  for labels in ((), (0, 2)):
    assert record_check.describe_record(encode(labels), params) is None
  reason = record_check.describe_record(encode([0, 3]), params)
  assert reason is not None and 'label 0, 3 outside' in reason


def test_search_logs_its_progress(tmp_path, caplog, monkeypatch):
  monkeypatch.setattr(record_check, 'SECONDS_BETWEEN_LOGS', 0)
  write(tmp_path / 'a', [encode()] * 3)
  logging.set_verbosity(logging.INFO)
  with caplog.at_level('INFO', logger='absl'):
    find(config(tmp_path / 'a'))
  assert 'records checked, file 1 of 1' in caplog.text


def test_error_without_a_bad_record_is_not_explained(tmp_path, caplog):
  write(tmp_path / 'a', [encode()])
  params = config(tmp_path / 'a')
  error = tf.errors.DataLossError(None, None, 'truncated record at 3')
  with caplog.at_level('ERROR', logger='absl'):
    assert (
      record_check.explain_input_error(
        error, params, video_input.record_parser(params)
      )
      is None
    )
  assert 'No bad record in 1 files' in caplog.text


def test_error_of_the_model_starts_no_search(tmp_path):
  params = config(tmp_path / 'absent')
  error = tf.errors.InvalidArgumentError(None, None, 'Matrix size-incompatible')
  assert (
    record_check.explain_input_error(
      error, params, video_input.record_parser(params)
    )
    is None
  )


def test_read_failure_that_passed_is_said_to_have_passed(tmp_path):
  path = write(tmp_path / 'a', [encode()])
  params = config(path)
  place = (
    record_check.location({'file': path, 'record': tf.constant(0, tf.int64)})
    .numpy()
    .decode()
  )
  error = tf.errors.InvalidArgumentError(
    None, None, f'Invalid protocol message input, example id: {place}'
  )
  explanation = record_check.explain_input_error(
    error, params, video_input.record_parser(params)
  )
  assert f'record 0 (from 0) of file "{path}"' in str(explanation)
