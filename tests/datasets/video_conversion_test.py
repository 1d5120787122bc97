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

"""Claims about whole conversions, in this process."""

import csv
import json
import os
import pathlib
import resource

import cv2
import numpy as np
from official.vision.dataloaders import video_input as stock_input
import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_folds
from official_ext.grw.datasets import video_input
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from tests import video_files

SETTINGS = video_records.EncodingSettings(5.0, 48, 95)
ONE_WORKER = ('--direct_num_workers=1',)
CLASSES = ('b ü', 'a')


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
  """Six videos of two classes to train with, two to validate with."""
  folder = tmp_path_factory.mktemp('videos')
  for split, count in (('train', 3), ('val', 1)):
    for label in CLASSES:
      (folder / split / label).mkdir(parents=True)
      for i in range(count):
        suffix = ('mp4', 'avi', 'webm')[i]
        video_files.write_video(
          folder / split / label / f'{i} ü.{suffix}', 30 + 5 * i, 25, (96, 72)
        )
  return folder


def convert(videos, output, settings=SETTINGS, **kwargs):
  sources = video_sources.folder_sources(str(videos))
  return video_conversion.convert(
    sources, str(output), settings, **{'beam_arguments': ONE_WORKER, **kwargs}
  )


@pytest.fixture(scope='module')
def converted(videos, tmp_path_factory):
  output = tmp_path_factory.mktemp('converted') / 'records'
  convert(videos, output, shards_per_split=2)
  return output


def contents(folder: pathlib.Path) -> dict[str, bytes]:
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def examples(folder, split='train'):
  for record in tf.data.TFRecordDataset(
    sorted(map(str, folder.glob(f'{split}-*.tfrecord')))
  ):
    yield record.numpy()


def source_path(videos, record, split='train'):
  context = tf.train.SequenceExample.FromString(record).context.feature
  return str(
    videos / split / context['clip/media_id'].bytes_list.value[0].decode()
  )


def test_dataset_json_says_what_a_config_needs(converted):
  dataset = json.loads((converted / 'dataset.json').read_text())
  assert dataset.pop('settings')['num_shards'] == {'train': 2, 'validation': 2}
  assert dataset == {
    'num_classes': 2,
    'labels': 'labels.txt',
    'frames_per_second': 5.0,
    'short_side': 48,
    'multi_label': False,
    'clip_frames': {'shortest': 6, 'median': 6, 'longest': 8},
    'splits': {
      'train': {
        'num_examples': 6,
        'files': 'train-*.tfrecord',
        'classes': {'a': 3, 'b ü': 3},
        'clip_frames': {'shortest': 6, 'median': 7, 'longest': 8},
      },
      'validation': {
        'num_examples': 2,
        'files': 'validation-*.tfrecord',
        'classes': {'a': 1, 'b ü': 1},
        'clip_frames': {'shortest': 6, 'median': 6, 'longest': 6},
      },
    },
    'failures': {'count': 0, 'file': 'failures.csv'},
  }
  labels = (converted / 'labels.txt').read_text(encoding='utf-8')
  assert labels == 'a\nb ü\n'
  assert (converted / 'failures.csv').read_text() == (
    'split,label,source,reason\n'
  )
  assert len(list(converted.glob('train-0000[01]-of-00002.tfrecord'))) == 2


def test_dataset_json_says_how_folds_were_made(videos, tmp_path):
  sources = video_sources.folder_sources(str(videos))

  def convert_fold(fold):
    return video_conversion.convert(
      video_folds.split(sources, 3, fold),
      str(tmp_path / 'records'),
      SETTINGS,
      beam_arguments=ONE_WORKER,
    )

  dataset = convert_fold(1)
  assert dataset['folds'] == {
    'folds': 3,
    'fold': 1,
    'seed': 0,
    # The first of each class is in both splits under one name.
    'groups': 6,
    'groups_file': None,
  }
  numbers = {
    name: split['num_examples'] for name, split in dataset['splits'].items()
  }
  assert sum(numbers.values()) == 8 and 2 <= numbers['validation'] <= 4
  with pytest.raises(
    video_conversion.ConversionError, match='other videos or classes'
  ):
    convert_fold(0)


def test_the_stock_decoder_reads_the_frames_of_the_videos(videos, converted):
  decoder = stock_input.Decoder()
  records = list(examples(converted))
  assert len(records) == 6
  for record in records:
    decoded = decoder.decode(tf.constant(record))
    path = source_path(videos, record)
    frames = list(video_decoding.read_frames(path, 5.0, 48))
    label = sorted(CLASSES)[decoded['clip/label/index'].numpy().item()]
    assert pathlib.Path(path).parent.name == label
    encoded = decoded['image/encoded']
    assert len(encoded) == len(frames)
    for jpeg, frame in zip(encoded, frames):
      image = tf.io.decode_jpeg(jpeg).numpy()
      assert image.shape == frame.image.shape
      assert np.abs(image.astype(int) - frame.image).mean() < 4


def test_our_reader_reads_the_frames_of_the_videos(videos, converted):
  params = schema.DataConfig(
    input_path=str(converted / 'train-*.tfrecord'),
    num_classes=2,
    feature_shape=(6, 48, 48, 3),
    temporal_stride=1,
    min_image_size=48,
    global_batch_size=6,
    is_training=False,
  )
  ((batch, labels),) = video_input.build_video_dataset(params)
  assert batch['image'].shape == (6, 6, 48, 48, 3)
  expected = []
  for record in examples(converted):
    path = pathlib.Path(source_path(videos, record))
    frames = np.stack(
      [
        frame.image[:, 8:56]
        for frame in video_decoding.read_frames(str(path), 5.0, 48)
      ]
    )
    for start in range(len(frames) - 5):
      expected.append(
        (sorted(CLASSES).index(path.parent.name), frames[start : start + 6])
      )
  assert labels.numpy().sum(0).tolist() == [3, 3]
  for clip, one_hot in zip(batch['image'].numpy(), labels.numpy()):
    assert (
      min(
        np.abs(255 * clip - frames).mean()
        for label, frames in expected
        if label == one_hot.argmax()
      )
      < 4
    )


def test_the_same_videos_give_the_same_bytes(videos, converted, tmp_path):
  convert(videos, tmp_path / 'again', shards_per_split=2)
  assert contents(tmp_path / 'again') == contents(converted)


def test_two_processes_give_the_same_bytes(videos, converted, tmp_path, capfd):
  convert(
    videos,
    tmp_path / 'again',
    shards_per_split=2,
    beam_arguments=['--direct_num_workers=2'],
  )
  assert contents(tmp_path / 'again') == contents(converted)
  shown = capfd.readouterr().err
  assert '8 of 8 clips, 0 bad in this run' in shown
  assert 'clips/s' in shown


def test_a_second_run_does_only_what_is_missing(
  videos, converted, tmp_path, capfd
):
  output = tmp_path / 'records'
  convert(videos, output, shards_per_split=2)
  before = {path.name: path.stat().st_mtime_ns for path in output.glob('*-of*')}
  capfd.readouterr()
  convert(videos, output, shards_per_split=2)
  # Nothing was missing, so that no pipeline ran.
  assert not capfd.readouterr().err

  # As left by a run that was killed.
  missing = 'train-00001-of-00002.tfrecord'
  (output / missing).unlink()
  (output / f'{missing}.unfinished-1').write_bytes(b'half')
  (output / 'reports' / f'{missing}.json.progress').write_bytes(b'.')
  (output / 'dataset.json').unlink()
  convert(videos, output, shards_per_split=2)
  assert '8 of 8 clips' in capfd.readouterr().err
  assert contents(output) == contents(converted)
  after = {path.name: path.stat().st_mtime_ns for path in output.glob('*-of*')}
  assert {name for name in after if after[name] != before[name]} == {missing}


@pytest.mark.parametrize(
  'change, message',
  [
    (
      {'settings': SETTINGS._replace(frames_per_second=10.0)},
      r'another dataset \(frames_per_second 5.0 there, 10.0 asked for\)',
    ),
    ({'settings': SETTINGS._replace(jpeg_quality=50)}, 'jpeg_quality 95 there'),
    ({'shards_per_split': 1}, 'num_shards'),
  ],
)
def test_other_settings_are_refused(videos, converted, change, message):
  before = contents(converted)
  with pytest.raises(video_conversion.ConversionError, match=message):
    convert(videos, converted, **{'shards_per_split': 2, **change})
  assert contents(converted) == before


def test_other_videos_are_refused(videos, converted, tmp_path):
  other = tmp_path / 'videos' / 'train'
  for label in CLASSES:
    (other / label).mkdir(parents=True)
    video_files.write_video(other / label / 'other.mp4', 5)
  with pytest.raises(
    video_conversion.ConversionError,
    match='another dataset .*other videos or classes',
  ):
    convert(other.parent, converted)


def test_a_folder_of_other_files_is_refused(videos, tmp_path):
  (tmp_path / 'letter.txt').write_text('dear')
  with pytest.raises(
    video_conversion.ConversionError,
    match='holds other files, such as letter.txt',
  ):
    convert(videos, tmp_path)
  assert os.listdir(tmp_path) == ['letter.txt']


@pytest.fixture(scope='module')
def part_bad(tmp_path_factory):
  """Eight good videos and five that are bad in different ways."""
  folder = tmp_path_factory.mktemp('part_bad')
  label = folder / 'train' / 'a'
  label.mkdir(parents=True)
  for i in range(8):
    video_files.write_video(label / f'{i}.mp4', 10)
  video_files.truncate(
    video_files.write_video(label / 'truncated.webm', 50), 0.5
  )
  (label / 'empty.mp4').write_bytes(b'')
  (label / 'Thumbs.db').write_bytes(bytes(range(256)) * 20)
  (label / 'dangling.mp4').symlink_to('nowhere')
  (label / 'picture.mp4').write_bytes(
    cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
  )
  return folder


def test_bad_videos_are_listed_with_their_reasons(part_bad, tmp_path):
  dataset = convert(part_bad, tmp_path / 'x', max_failure_rate=0.4)
  assert dataset['splits']['train']['num_examples'] == 8
  assert dataset['failures']['count'] == 4
  with open(tmp_path / 'x' / 'failures.csv', encoding='utf-8') as f:
    rows = {row['source']: row for row in csv.DictReader(f)}
  assert all(
    (row['split'], row['label']) == ('train', 'a') for row in rows.values()
  )
  for name, reason in (
    ('truncated.webm', 'truncated'),
    ('empty.mp4', 'not a video'),
    ('dangling.mp4', 'No such file'),
    ('picture.mp4', 'not a video'),
  ):
    assert reason in rows[f'a/{name}']['reason']
  assert len(list(examples(tmp_path / 'x'))) == 8


def test_more_bad_videos_than_allowed_are_an_error_after_all_is_written(
  part_bad, tmp_path
):
  with pytest.raises(
    video_conversion.ConversionError,
    match=r'4 of 12 clips \(33.3 %\) are bad, see .*.csv; at most 1 may be',
  ):
    convert(part_bad, tmp_path / 'x')
  # Nothing is converted again to allow for more.
  before = contents(tmp_path / 'x')
  convert(part_bad, tmp_path / 'x', max_failure_rate=0.4)
  assert contents(tmp_path / 'x') == before


def csv_sources(tmp_path, num_absent):
  clips = tmp_path / 'clips'
  clips.mkdir()
  rows = ['label,youtube_id,time_start,time_end,split']
  for i in range(4):
    rows.append(f'a,x{i},{i},{i + 10},train')
    if i >= num_absent:
      video_files.write_video(clips / f'x{i}_{i:06d}_{i + 10:06d}.mp4', 5)
  (tmp_path / 'a.csv').write_text('\n'.join(rows))
  return video_sources.csv_sources([str(tmp_path / 'a.csv')], str(clips))


def test_absent_clips_are_an_error_before_anything_is_written(tmp_path):
  with pytest.raises(
    video_conversion.ConversionError,
    match=r'2 of 4 clips \(50.0 %\) are absent, such as x0_0_10, x1_1_11',
  ):
    video_conversion.convert(
      csv_sources(tmp_path, 2),
      str(tmp_path / 'x'),
      SETTINGS,
      beam_arguments=ONE_WORKER,
    )
  assert not (tmp_path / 'x').exists()


def test_absent_clips_that_are_allowed_are_listed(tmp_path):
  dataset = video_conversion.convert(
    csv_sources(tmp_path, 1),
    str(tmp_path / 'x'),
    SETTINGS,
    max_failure_rate=0.25,
    beam_arguments=ONE_WORKER,
  )
  assert dataset['splits']['train']['num_examples'] == 3
  assert (tmp_path / 'x' / 'failures.csv').read_text().splitlines()[1:] == [
    'train,a,x0_0_10,absent'
  ]


def test_a_full_disk_is_one_error_and_leaves_nothing_half_written(
  videos, tmp_path
):
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
  try:
    with pytest.raises(
      video_conversion.ConversionError,
      match=r'cannot write .*train-0.*tfrecord: File too large; what is '
      'finished is kept',
    ) as error:
      convert(videos, tmp_path / 'x', shards_per_split=1)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert '\n' not in str(error.value)
  assert list(contents(tmp_path / 'x')) == ['reports/settings.json']
  convert(videos, tmp_path / 'x', shards_per_split=1)


def test_an_output_that_cannot_be_made_is_one_error(videos, tmp_path):
  (tmp_path / 'file').write_text('')
  for output in (tmp_path / 'file', tmp_path / 'file' / 'x'):
    with pytest.raises(video_conversion.ConversionError, match='cannot use'):
      convert(videos, output)


@pytest.mark.parametrize(
  'clips, rate, allowed',
  [
    (9, None, 0),
    (10, None, 1),
    (85, None, 3),
    (300, None, 3),
    (5000, None, 50),
    (85, 0.0, 0),
    (10, 0.25, 2),
  ],
)
def test_small_sets_are_judged_by_count(clips, rate, allowed):
  assert video_conversion.allowed_failures(clips, rate) == allowed


def test_a_class_of_which_nothing_is_left_is_an_error(tmp_path):
  for label, count in (('a', 19), ('b', 1)):
    (tmp_path / 'train' / label).mkdir(parents=True)
    for i in range(count):
      video = tmp_path / 'train' / label / f'{i}.mp4'
      video_files.write_video(video, 2, size=(16, 16))
  video_files.truncate(str(video), 0.3)
  with pytest.raises(
    video_conversion.ConversionError, match="no clip of class 'b' in train"
  ):
    convert(tmp_path, tmp_path / 'x')


def test_a_clip_may_have_several_labels_or_none(tmp_path):
  for i in range(3):
    video_files.write_video(tmp_path / f'{i}.mp4', 5)
  (tmp_path / 'a.csv').write_text(
    'video,label,split\n0.mp4,b;a,train\n1.mp4,a,train\n2.mp4,,train\n'
  )
  dataset = video_conversion.convert(
    video_sources.csv_sources([str(tmp_path / 'a.csv')], str(tmp_path), ';'),
    str(tmp_path / 'x'),
    SETTINGS,
    beam_arguments=ONE_WORKER,
  )
  assert dataset['multi_label'] is True
  assert dataset['splits']['train']['num_examples'] == 3
  assert dataset['splits']['train']['classes'] == {'a': 2, 'b': 1}
  labels = {}
  for record in examples(tmp_path / 'x'):
    context = tf.train.SequenceExample.FromString(record).context.feature
    labels[context['clip/media_id'].bytes_list.value[0].decode()] = list(
      context['clip/label/index'].int64_list.value
    )
  assert labels == {'0.mp4': [1, 0], '1.mp4': [0], '2.mp4': []}


@pytest.mark.parametrize(
  'clips, kwargs, expected',
  [
    (1, {}, 1),
    (10, {}, 10),
    (1000, {}, 16),
    (128 * 100 + 1, {}, 101),
    (1000, {'clips_per_shard': 300}, 4),
    (1000, {'shards': 7}, 7),
    (5, {'shards': 7}, 5),
  ],
)
def test_the_number_of_shards(clips, kwargs, expected):
  assert video_conversion.num_shards(clips, **kwargs) == expected


def test_unknown_flags_are_refused_without_a_runner_that_may_know_them(
  videos, tmp_path
):
  with pytest.raises(video_conversion.ConversionError, match='--fsp is a flag'):
    convert(videos, tmp_path / 'x', beam_arguments=['--fsp=5'])
  assert not (tmp_path / 'x').exists()
