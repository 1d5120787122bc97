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

"""Claims about records and shards, read back with TensorFlow."""

from typing import Any

import pytest
import tensorflow as tf

from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from official_ext.grw.files import whole_file
from tests import video_files

SETTINGS = video_records.EncodingSettings(25.0, 32, 95)


def make_clip(path, label='a', **kwargs):
  video_files.write_video(path, **kwargs)
  return video_sources.Clip(
    'train', label, f'{label}/{path.name}', str(path), path.stat().st_size
  )


def test_sequence_examples_are_tensorflows_to_the_byte():
  context: dict[str, Any] = {
    'b': 300,
    'a': b'\xff' * 200,
    'c': 2.5,
    'd': 0,
    'e': [7, 300, 0],
    'f': [],
  }
  lists: dict[str, Any] = {'y': [b'', b'x'], 'x': [2**40, 1], 'empty': []}
  expected = tf.train.SequenceExample()
  expected.context.feature['a'].bytes_list.value.append(context['a'])
  expected.context.feature['b'].int64_list.value.append(300)
  expected.context.feature['c'].float_list.value.append(2.5)
  expected.context.feature['d'].int64_list.value.append(0)
  expected.context.feature['e'].int64_list.value.extend([7, 300, 0])
  expected.context.feature['f'].int64_list.SetInParent()
  for value in lists['x']:
    expected.feature_lists.feature_list[
      'x'
    ].feature.add().int64_list.value.append(value)
  for value in lists['y']:
    expected.feature_lists.feature_list[
      'y'
    ].feature.add().bytes_list.value.append(value)
  expected.feature_lists.feature_list['empty'].SetInParent()
  assert video_records.sequence_example(context, lists) == (
    expected.SerializeToString(deterministic=True)
  )


def test_a_file_of_records_is_tensorflows_to_the_byte(tmp_path):
  records = [b'', b'x' * 1000, bytes(range(256))]
  with open(tmp_path / 'ours', 'wb') as f:
    for record in records:
      video_records.write_record(f, record)
  with tf.io.TFRecordWriter(str(tmp_path / 'theirs')) as writer:
    for record in records:
      writer.write(record)
  assert (tmp_path / 'ours').read_bytes() == (tmp_path / 'theirs').read_bytes()


def test_a_record_holds_frames_times_label_and_source(tmp_path):
  clip = make_clip(tmp_path / 'ü.mp4', 'b ü', num_frames=5, size=(96, 64))
  count, record = video_records.encode_clip(clip, 7, SETTINGS)
  assert count == 5
  example = tf.train.SequenceExample.FromString(record)
  context = example.context.feature
  assert context['clip/label/index'].int64_list.value == [7]
  assert context['clip/label/text'].bytes_list.value == ['b ü'.encode()]
  assert context['clip/media_id'].bytes_list.value == ['b ü/ü.mp4'.encode()]
  assert context['image/height'].int64_list.value == [32]
  assert context['image/width'].int64_list.value == [48]
  assert context['image/frame_rate'].float_list.value == [25.0]
  lists = example.feature_lists.feature_list
  assert [f.int64_list.value[0] for f in lists['image/timestamp'].feature] == [
    0,
    40000,
    80000,
    120000,
    160000,
  ]
  images = [
    tf.io.decode_jpeg(f.bytes_list.value[0]).numpy()
    for f in lists['image/encoded'].feature
  ]
  assert [image.shape for image in images] == [(32, 48, 3)] * 5
  assert [video_files.shown_number(image) for image in images] == list(range(5))


def test_frames_that_no_jpeg_holds_are_a_bad_video(tmp_path):
  clip = make_clip(
    tmp_path / 'a.avi', num_frames=1, size=(1024, 2), codec='ffv1'
  )
  settings = SETTINGS._replace(short_side=256)
  with pytest.raises(video_decoding.VideoError, match='no JPEG holds'):
    video_records.encode_clip(clip, 0, settings)


def test_shards_are_of_equal_size_and_mix_the_classes():
  clips = [
    video_sources.Clip('train', f'{i // 100}', f'{i // 100}/{i}', '', 0)
    for i in range(300)
  ]
  shards = video_records.make_shards('train', clips, 7)
  assert [shard.name for shard in shards][::6] == [
    'train-00000-of-00007.tfrecord',
    'train-00006-of-00007.tfrecord',
  ]
  assert {len(shard.clips) for shard in shards} == {42, 43}
  assert sorted(c for shard in shards for c in shard.clips) == sorted(clips)
  for shard in shards:
    labels = [clip.label for clip in shard.clips]
    assert all(7 <= labels.count(label) <= 21 for label in '012')
    assert labels != sorted(labels)
  assert video_records.make_shards('train', clips[::-1], 7) == shards


def write(folder, clips):
  (folder / 'reports').mkdir(exist_ok=True)
  shard = video_records.Shard('train-00000-of-00001.tfrecord', clips)
  seen: list[bool] = []
  video_records.write_shard(
    str(folder), shard, ['a', 'b'], SETTINGS, seen.append
  )
  return seen, video_records.read_report(str(folder), shard.name)


def test_bad_videos_are_skipped_and_reported(tmp_path):
  clips = [
    make_clip(tmp_path / f'{i}.mp4', 'ab'[i % 2], num_frames=3)
    for i in range(4)
  ]
  video_files.truncate(clips[1].path, 0.5)
  seen, report = write(tmp_path, clips)
  assert seen == [True, False, True, True]
  assert report['classes'] == {'a': 2, 'b': 1}
  ((label, source, reason),) = report['failures']
  assert (label, source) == ('b', 'b/1.mp4')
  assert 'not a video, or truncated' in reason
  records = tf.data.TFRecordDataset(
    str(tmp_path / 'train-00000-of-00001.tfrecord')
  )
  assert len(list(records)) == 3


def test_a_shard_of_bad_videos_alone_is_no_file(tmp_path):
  clip = make_clip(tmp_path / '0.mp4')
  video_files.truncate(clip.path, 0.5)
  _, report = write(tmp_path, [clip])
  assert not report['classes'] and len(report['failures']) == 1
  assert not list(tmp_path.glob('*.tfrecord*'))


def test_a_shard_that_was_changed_is_not_finished(tmp_path):
  _, report = write(tmp_path, [make_clip(tmp_path / '0.mp4')])
  path = tmp_path / 'train-00000-of-00001.tfrecord'
  assert report is not None
  path.write_bytes(path.read_bytes()[:-1])
  assert video_records.read_report(str(tmp_path), path.name) is None
  path.unlink()
  assert video_records.read_report(str(tmp_path), path.name) is None


def test_a_file_is_whole_or_not_there(tmp_path):
  with pytest.raises(KeyError):
    with whole_file.opened(str(tmp_path / 'a')) as f:
      f.write(b'x')
      raise KeyError
  assert not list(tmp_path.iterdir())
