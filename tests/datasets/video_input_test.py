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

"""Claims about reading labeled video, on real TFRecords and a real service."""

import gc
import os

import numpy as np
from official.core import input_reader
from official.vision.configs import common
from official.vision.dataloaders import video_input as stock
from official.vision.ops import augment as augment_ops
import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import video_decoders
from official_ext.grw.datasets import video_input
from official_ext.grw.datasets import video_parser

FRAMES, SIZE = 4, 16
CLASSES = 3
STOCK_FRAMES, WIDE = 9, 24


def clip(shade, frames=STOCK_FRAMES, size=(SIZE, WIDE)):
  """A video whose left half is dark and whose frames get brighter."""
  left = np.zeros(size + (3,), np.uint8)
  left[:, size[1] // 2 :] = 120
  return [left + np.uint8(8 * shade + 10 * index) for index in range(frames)]


def encode(frames, labels=(0,)):
  """A SequenceExample as the Model Garden reads it."""
  example = tf.train.SequenceExample()
  if labels is not None:
    example.context.feature['clip/label/index'].int64_list.value.extend(labels)
  images = example.feature_lists.feature_list['image/encoded']
  for frame in frames:
    data = (
      frame
      if isinstance(frame, bytes)
      else tf.io.encode_jpeg(frame, quality=100).numpy()
    )
    images.feature.add().bytes_list.value.append(data)
  return example.SerializeToString()


def write(path, records):
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in records:
      writer.write(record)
  return str(path)


def good_records(count, first=0):
  return [
    encode(clip(first + index), [(first + index) % CLASSES])
    for index in range(count)
  ]


def config(path, **overrides):
  values = dict(
    input_path=str(path),
    feature_shape=(FRAMES, SIZE, SIZE, 3),
    num_classes=CLASSES,
    min_image_size=SIZE,
    global_batch_size=2,
    is_training=False,
    drop_remainder=False,
    cycle_length=2,
  )
  return schema.DataConfig(**{**values, **overrides})


def read(params, context=None):
  """All images, labels and the count of bad records of a finite dataset."""
  images, labels, bad = [], [], 0
  dataset = video_input.build_video_dataset(params, context)
  for features, label in dataset:
    images.extend(features['image'].numpy())
    labels.extend(label.numpy())
    if feature_names.BAD_RECORDS in features:
      bad += int(tf.reduce_sum(features[feature_names.BAD_RECORDS]))
  return np.array(images), np.array(labels), bad


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Two files of three good records each."""
  path = tmp_path_factory.mktemp('good')
  write(path / 'a.tfrecord', good_records(3))
  write(path / 'b.tfrecord', good_records(3, first=3))
  return path


@pytest.fixture(scope='module')
def three_clips(folder):
  """All frames of the three records of the first file."""
  params = config(
    folder / 'a.tfrecord', feature_shape=(STOCK_FRAMES, SIZE, SIZE, 3)
  )
  return read(params)[0]


@pytest.fixture(scope='module')
def evaluated(folder):
  """The clips in which the three records of the first file are evaluated."""
  return read(config(folder / 'a.tfrecord'))[0]


def stock_dataset(params):
  """What the Model Garden itself builds from a config."""
  return input_reader.InputReader(
    params,
    dataset_fn=tf.data.TFRecordDataset,
    decoder_fn=stock.Decoder().decode,
    parser_fn=stock.Parser(params).parse_fn(params.is_training),
    postprocess_fn=stock.PostBatchProcessor(params),
  ).read()


@pytest.mark.parametrize('one_hot', [True, False])
def test_evaluation_is_the_stock_pipeline(folder, one_hot):
  params = config(folder / '*.tfrecord', one_hot=one_hot)
  images, labels, _ = read(params)
  expected = list(stock_dataset(params))
  np.testing.assert_array_equal(
    images, np.concatenate([features['image'] for features, _ in expected])
  )
  np.testing.assert_array_equal(
    labels, np.concatenate([label for _, label in expected])
  )


def test_shapes_are_static(folder):
  dataset = video_input.build_video_dataset(
    config(
      folder / '*.tfrecord',
      is_training=True,
      augment=False,
      drop_remainder=True,
      on_bad_record='skip',
    )
  )
  features, labels = dataset.element_spec
  assert features['image'].shape == (2, FRAMES, SIZE, SIZE, 3)
  assert features[feature_names.BAD_RECORDS].shape == (2,)
  assert labels.shape == (2, CLASSES)


def test_short_clip_wraps_as_stock(tmp_path, three_clips):
  write(tmp_path / 'a', [encode(clip(0, frames=7))])
  params = config(
    tmp_path / 'a', feature_shape=(10, SIZE, SIZE, 3), temporal_stride=2
  )
  image = read(params)[0][0]
  # A shorter video has the first frames of a longer one.
  whole = three_clips[0][:7]
  np.testing.assert_array_equal(image, whole[[0, 2, 4, 6, 1, 3, 5, 0, 2, 4]])


@pytest.mark.parametrize(
  'stride, videos',
  [(1, [(9, 2, 4), (1, 0, 1)]), (3, [(9, 0, 3)]), (2, [(7, 0, 4)])],
)
def test_clips_say_how_many_of_their_frames_are_not_repeated(
  tmp_path, three_clips, stride, videos
):
  """Videos are so many frames, the first of the clip, and how many are seen."""
  write(tmp_path / 'a', [encode(clip(0, frames)) for frames, *_ in videos])
  whole = three_clips[0]  # Of which each has the first frames.
  for training in (False, True):
    params = config(
      tmp_path / 'a',
      temporal_stride=stride,
      augment=False,
      is_training=training,
      random_offset=False,
      global_batch_size=len(videos),
      shuffle_buffer_size=1,
    )
    features, _ = next(iter(video_input.build_video_dataset(params)))
    assert features[feature_names.NUM_FRAMES].numpy().tolist() == [
      unique for *_, unique in videos
    ]
    for image, (frames, start, unique) in zip(
      features['image'], videos, strict=True
    ):
      np.testing.assert_array_equal(
        image[:unique], whole[start + stride * np.arange(unique)]
      )
      # What follows begins again.
      if unique < FRAMES:
        np.testing.assert_array_equal(
          image[unique], whole[(start + stride * unique) % frames]
        )


def test_training_clips_of_short_videos_lose_no_frame(tmp_path):
  write(tmp_path / 'a', [encode(clip(0, 3))])
  for augment in (False, True):
    params = config(tmp_path / 'a', is_training=True, augment=augment)
    for features, _ in video_input.build_video_dataset(params).take(10):
      assert features[feature_names.NUM_FRAMES].numpy().tolist() == [3, 3]


def test_one_clip_is_taken_where_the_config_says(folder, three_clips):
  for clip_start, first in (('middle', 2), ('start', 0)):
    params = config(folder / 'a.tfrecord', clip_start=clip_start)
    np.testing.assert_array_equal(
      read(params)[0], three_clips[:, first : first + FRAMES]
    )


@pytest.mark.parametrize('stride', [1, 2])
def test_several_views_are_those_of_stock(folder, stride):
  params = config(
    folder / '*.tfrecord',
    num_test_clips=3,
    num_test_crops=3,
    temporal_stride=stride,
  )
  ours = list(video_input.build_video_dataset(params))
  for (features, _), (expected, _) in zip(ours, stock_dataset(params)):
    np.testing.assert_array_equal(features['image'], expected['image'])
    assert features['image'].shape[0] == 18
    assert features[feature_names.NUM_FRAMES].numpy().tolist() == [FRAMES] * 18


@pytest.mark.parametrize('side', [SIZE, 20])
def test_square_frames_are_the_whole_frame_and_not_its_middle(tmp_path, side):
  ramp = np.tile(
    np.arange(WIDE, dtype=np.uint8)[None, :, None] * 10, (SIZE, 1, 3)
  )
  write(tmp_path / 'a', [encode([ramp] * FRAMES)])

  def only(**overrides):
    return read(config(tmp_path / 'a', **overrides))[0][0]

  square = only(resize='square', min_image_size=side)
  whole = only(feature_shape=(FRAMES, SIZE, WIDE, 3))
  margin = (side - SIZE) // 2
  resized = tf.image.resize(255 * whole, [side, side])[
    :, margin : side - margin, margin : side - margin
  ]
  # Pixels are whole numbers, rounded down.
  np.testing.assert_allclose(255 * square, resized, atol=1.01)

  def span(image):
    return image[..., -1, :].mean() - image[..., 0, :].mean()

  # Of a frame half as wide again as high, stock keeps the middle.
  assert span(square) > 1.3 * span(only(min_image_size=side))


def test_square_frames_are_trained_on_too_unless_augmented(folder):
  def first(**overrides):
    params = config(folder / 'a.tfrecord', resize='square', **overrides)
    return next(iter(video_input.build_video_dataset(params)))[0]['image']

  evaluated = read(config(folder / 'a.tfrecord', resize='square'))[0]
  for image in first(
    is_training=True, augment=False, random_offset=False, global_batch_size=3
  ).numpy():
    assert min(np.abs(image - other).max() for other in evaluated) == 0
  assert first(is_training=True, augment=True).shape[1:] == (
    FRAMES,
    SIZE,
    SIZE,
    3,
  )


def test_records_name_their_source(tmp_path):
  name = 'train/Kätzchen/größe.mp4'
  example = tf.train.SequenceExample.FromString(encode(clip(0)))
  example.context.feature['clip/media_id'].bytes_list.value.append(
    name.encode()
  )
  write(tmp_path / 'a', [example.SerializeToString(), encode(clip(1))])
  ((features, _),) = video_input.build_video_dataset(config(tmp_path / 'a'))
  sources = [
    bytes(row).rstrip(b'\0').decode()
    for row in features[feature_names.SOURCE_ID].numpy()
  ]
  assert sources == [name, '']


def test_training_without_augmentation_is_the_evaluation_clip(
  folder, evaluated
):
  training = config(
    folder / 'a.tfrecord',
    is_training=True,
    augment=False,
    random_offset=False,
    global_batch_size=12,
  )
  images = next(iter(video_input.build_video_dataset(training)))[0]['image']
  for image in images.numpy():
    assert min(np.abs(image - other).max() for other in evaluated) == 0


def parse_training(record, draws=40, **overrides):
  """Parses one record many times, as training does."""
  params = config('unused', is_training=True, **overrides)
  decode = video_decoders.RecordDecoder(params).decode
  parse = video_parser.VideoParser(params).parse_fn(True)
  raw = {'file': 'f', 'record': tf.constant(0, tf.int64), 'serialized': record}
  dataset = tf.data.Dataset.from_tensors(raw).repeat(draws)
  return np.array(
    [
      features['image']
      for features, _ in dataset.map(lambda raw: parse(decode(raw)))
    ]
  )


def is_mirrored(images):
  """The left half is dark unless mirrored."""
  return images[:, 0, :, :4].mean((1, 2, 3)) > images[:, 0, :, -4:].mean(
    (1, 2, 3)
  )


def test_random_offset_moves_the_clip_and_nothing_else():
  images = parse_training(encode(clip(0)), augment=False)
  starts = np.unique(images[:, 0, 0, -1, 0].round(2))
  assert len(starts) == STOCK_FRAMES - FRAMES + 1
  assert not is_mirrored(images).any()


def frame_numbers(images):
  """Which frames of clip(0) these are: each is 10 brighter than the last."""
  return np.rint(images[..., 0, 0, 0] * 25.5).astype(int)


def test_evaluation_takes_the_middle_of_each_segment(tmp_path):
  videos = [
    (9, [1, 3, 5, 7], 4),  # Segments of 2, 2, 2 and 3.
    (20, [2, 7, 12, 17], 4),
    (4, [0, 1, 2, 3], 4),
    (3, [0, 1, 2, 0], 3),
  ]
  write(tmp_path / 'a', [encode(clip(0, frames)) for frames, *_ in videos])
  for training in (False, True):
    params = config(
      tmp_path / 'a',
      sampling='segments',
      augment=False,
      is_training=training,
      random_offset=False,
      global_batch_size=len(videos),
      shuffle_buffer_size=1,
    )
    features, _ = next(iter(video_input.build_video_dataset(params)))
    found = frame_numbers(features['image'].numpy()).tolist()
    assert found == [expected for _, expected, _ in videos]
    assert features[feature_names.NUM_FRAMES].numpy().tolist() == [
      unique for *_, unique in videos
    ]


def test_training_takes_any_frame_of_each_segment():
  def draw(frames=18, draws=120, **overrides):
    return frame_numbers(
      parse_training(
        encode(clip(0, frames)),
        draws,
        sampling='segments',
        random_flip=False,
        **{'augment': False, **overrides},
      )
    )

  numbers = draw()
  segments = [range(0, 4), range(4, 9), range(9, 13), range(13, 18)]
  for column, segment in enumerate(segments):
    assert set(numbers[:, column]) == set(segment)
  # Each by its own draw.
  places = numbers - [segment[0] for segment in segments]
  assert len({tuple(row) for row in places}) > 60
  # A seed repeats them; short videos lose no frame.
  np.testing.assert_array_equal(draw(seed=3), draw(seed=3))
  assert np.any(draw(seed=3) != draw(seed=4))
  assert np.all(draw(frames=3, draws=5) == [0, 1, 2, 0])


FULL_FRAME = dict(
  aug_min_aspect_ratio=1.5,
  aug_max_aspect_ratio=1.5,
  aug_min_area_ratio=1.0,
  aug_max_area_ratio=1.0,
)


def test_frames_of_segments_are_augmented_as_others():
  images = parse_training(encode(clip(0)), sampling='segments', **FULL_FRAME)
  assert images.shape[1:] == (FRAMES, SIZE, SIZE, 3)
  assert 0 < is_mirrored(images).mean() < 1


@pytest.mark.parametrize('seed', [None, 7])
def test_flips_can_be_switched_off(seed):
  record = encode(clip(0))
  both = is_mirrored(parse_training(record, seed=seed, **FULL_FRAME))
  assert 0 < both.mean() < 1
  none = parse_training(record, seed=seed, random_flip=False, **FULL_FRAME)
  assert not is_mirrored(none).any()


def test_seed_makes_augmentation_repeatable_and_its_draws_independent():
  record = encode(clip(0))
  first = parse_training(record, seed=3)
  np.testing.assert_array_equal(first, parse_training(record, seed=3))
  assert np.abs(first - parse_training(record, seed=4)).max() > 0
  # The flip says nothing of the offset.
  wide = parse_training(record, draws=200, seed=3, **FULL_FRAME)
  mirrored, bright = is_mirrored(wide), wide[:, 0].max((1, 2, 3)).round(2)
  for flipped in (True, False):
    assert len(np.unique(bright[mirrored == flipped])) == (
      STOCK_FRAMES - FRAMES + 1
    )


def test_seeded_crop_has_the_stock_distribution():
  ramp = np.tile(np.arange(128, dtype=np.uint8)[None, :, None], (64, 1, 3))
  record = encode([ramp] * FRAMES)
  extents = []
  for seed in (None, 5):
    images = parse_training(record, draws=300, seed=seed, random_flip=False)
    edge = images[:, 0, SIZE // 2, -1, 0] - images[:, 0, SIZE // 2, 0, 0]
    extents.append((edge.mean(), edge.std()))
  np.testing.assert_allclose(extents[0], extents[1], rtol=0.15)


def test_number_of_classes_is_required():
  with pytest.raises(ValueError, match='num_classes=-1'):
    video_parser.VideoParser(config('unused', num_classes=-1))


def test_unknown_policy_is_refused(folder):
  with pytest.raises(ValueError, match="on_bad_record='ignore'"):
    video_input.build_video_dataset(
      config(folder / 'a.tfrecord', on_bad_record='ignore')
    )


# Each bad record, and what the explanation must say of it.
GARBAGE = b'not a picture'
BAD_RECORDS = {
  'label_outside': (encode(clip(0), [CLASSES]), r'label \[?3\]?.*\[0, 3\)'),
  'label_negative': (encode(clip(0), [-1]), r'label \[?-1\]?.*\[0, 3\)'),
  'label_missing': (encode(clip(0), None), r'label'),
  'two_labels': (encode(clip(0), [0, 1]), r'0, 1.*expected one'),
  'no_frames': (encode([]), r'zero frames'),
  'not_an_example': (b'\xff\xff garbage', 'not a tf.train.SequenceExample'),
  'undecodable': (encode(clip(0)[:4] + [GARBAGE] * 5), 'frame 4 of 9'),
  'sizes': (
    encode(clip(0)[:4] + clip(0, 5, (8, 8))),
    'differing size: frame 0 is 16x24, frame 4 is 8x8',
  ),
}


@pytest.fixture(scope='module')
def rewritten(tmp_path_factory):
  """A file, its config, and a dataset that trains on what is in it by then."""
  path = tmp_path_factory.mktemp('rewritten') / 'a'
  write(path, good_records(2))
  params = config(path, is_training=True, feature_shape=(8, SIZE, SIZE, 3))
  return path, params, video_input.build_video_dataset(params)


@pytest.mark.parametrize(
  'name, training',
  [(name, True) for name in BAD_RECORDS] + [('label_outside', False)],
)
def test_bad_record_is_named(rewritten, name, training):
  path, params, dataset = rewritten
  bad, reason = BAD_RECORDS[name]
  write(path, good_records(2) + [bad] + good_records(2))
  if not training:
    params = params.replace(is_training=False)
    dataset = video_input.build_video_dataset(params)
  with pytest.raises(record_check.InputDataError, match=reason) as caught:
    with video_input.explained_errors(params):
      for _ in dataset.take(40):
        pass
  assert f'record 2 (from 0) of file "{path}"' in str(caught.value)
  assert 'on_bad_record: skip' in str(caught.value)


def test_bad_records_are_skipped_and_counted(tmp_path):
  """None is taken for a good one, and none is lost: each would be counted."""
  bad = [record for record, _ in BAD_RECORDS.values()]
  write(tmp_path / 'a', bad + good_records(3) + bad + bad)
  write(tmp_path / 'b', good_records(2) + bad)
  params = config(
    tmp_path / '?', on_bad_record='skip', feature_shape=(8, SIZE, SIZE, 3)
  )
  images, labels, count = read(params)
  assert len(images) == 5
  assert labels.sum(0).tolist() == [2, 2, 1]
  assert count == 4 * len(bad)


def truncated(path, records):
  """Writes records and cuts the last in two."""
  write(path, records)
  data = path.read_bytes()
  path.write_bytes(data[: -len(records[-1]) // 2])
  return path


def corrupted(path, records, index):
  """Writes records and flips a byte within one."""
  write(path, records)
  data = bytearray(path.read_bytes())
  data[sum(len(record) + 16 for record in records[:index]) + 40] ^= 0xFF
  path.write_bytes(data)
  return path


@pytest.mark.parametrize('kind', ['truncated', 'corrupted'])
def test_damaged_file_is_named(tmp_path, kind):
  write(tmp_path / 'a', good_records(3))
  if kind == 'truncated':
    truncated(tmp_path / 'b', good_records(3))
  else:
    corrupted(tmp_path / 'b', good_records(3), 2)
  params = config(tmp_path / '?')
  with pytest.raises(record_check.InputDataError, match=kind) as caught:
    with video_input.explained_errors(params):
      read(params)
  assert f'record 2 (from 0) of file "{tmp_path}/b"' in str(caught.value)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('names', ['b', '?'])
def test_damaged_file_is_skipped_and_counted(tmp_path, training, names):
  # One file is read in another way than several.
  write(tmp_path / 'a', good_records(3))
  truncated(tmp_path / 'b', good_records(3))
  params = config(tmp_path / names, on_bad_record='skip', is_training=training)
  if not training:
    images, _, count = read(params)
    assert (len(images), count) == (5 if names == '?' else 2, 1)
    return
  counts = [
    features[feature_names.BAD_RECORDS].numpy().sum()
    for features, _ in video_input.build_video_dataset(params).take(60)
  ]
  # Of 3 (or 6) records in each round one is bad: 120 good ones bring with them
  # 60 (or 24), but for those around the shuffle buffer.
  expected = 24 if names == '?' else 60
  assert abs(sum(counts) - expected) <= 16


def test_file_gone_during_training_does_not_hang(tmp_path):
  path = tmp_path / 'gone'
  write(path, good_records(1))
  dataset = record_check.read_records([str(path)])
  path.unlink()
  (record,) = dataset.as_numpy_iterator()
  assert record['serialized'] == record_check.UNREADABLE


def test_only_bad_records_fail_instead_of_spinning(tmp_path):
  write(tmp_path / 'a', [BAD_RECORDS['not_an_example'][0]] * 3)
  params = config(tmp_path / 'a', on_bad_record='skip', is_training=True)
  with pytest.raises(record_check.InputDataError, match='None of the records'):
    video_input.build_video_dataset(params)


def test_records_are_shared_among_pipelines(folder, tmp_path):
  def order(images):
    return sorted(images.mean((1, 2, 3, 4)))

  whole = order(read(config(folder / '*.tfrecord'))[0])
  one_file = write(tmp_path / 'one', good_records(6))
  for path, policy in ((folder / '*.tfrecord', 'error'), (one_file, 'skip')):
    params = config(path, on_bad_record=policy)
    seen = [
      read(params, tf.distribute.InputContext(2, index, 2))[0]
      for index in range(2)
    ]
    assert len(seen[0]) == len(seen[1]) == 3
    np.testing.assert_allclose(order(np.concatenate(seen)), whole)


def test_bad_tail_is_counted_by_one_pipeline_only(tmp_path):
  truncated(tmp_path / 'a', good_records(4))
  params = config(tmp_path / 'a', on_bad_record='skip')
  results = [
    read(params, tf.distribute.InputContext(2, index, 2)) for index in range(2)
  ]
  assert sum(len(images) for images, _, _ in results) == 3
  assert sum(count for _, _, count in results) == 1


def test_cached_training_counts_once(tmp_path):
  write(tmp_path / 'a', good_records(3) + [BAD_RECORDS['no_frames'][0]])
  params = config(
    tmp_path / 'a',
    on_bad_record='skip',
    is_training=True,
    cache=True,
    global_batch_size=3,
    shuffle_buffer_size=1,
  )
  for features, _ in video_input.build_video_dataset(params).take(2):
    assert features[feature_names.BAD_RECORDS].numpy().sum() == 1


def test_mixup_mixes_and_keeps_the_count(folder):
  params = config(
    folder / '*.tfrecord',
    on_bad_record='skip',
    is_training=True,
    one_hot=False,
    global_batch_size=4,
    mixup_and_cutmix=common.MixupAndCutmix(),
  )
  features, labels = next(iter(video_input.build_video_dataset(params)))
  assert features[feature_names.BAD_RECORDS].shape == (4,)
  np.testing.assert_allclose(tf.reduce_sum(labels, -1), 1, rtol=1e-5)


@pytest.fixture(scope='module')
def servers():
  """A tf.data service on loopback."""
  dispatcher = tf.data.experimental.service.DispatchServer()
  worker = tf.data.experimental.service.WorkerServer(
    tf.data.experimental.service.WorkerConfig(
      dispatcher_address=dispatcher.target.split('://')[1],
      heartbeat_interval_ms=100,
    )
  )
  yield dispatcher.target, worker


@pytest.fixture
def service(servers):
  yield servers
  # Iterators that are left, and found elsewhere, wait for it up to a minute.
  gc.collect()


def service_config(path, service, job, **overrides):
  return config(
    path,
    enable_tf_data_service=True,
    tf_data_service_address=service[0],
    tf_data_service_job_name=job,
    **overrides,
  )


ONE_PIPELINE = tf.distribute.InputContext(1, 0, 1)


def test_service_reads_every_record(folder, service):
  images, *_ = read(
    service_config(folder / '*.tfrecord', service, 'all'), ONE_PIPELINE
  )
  assert len(images) == 6


def test_service_names_and_counts_bad_records(tmp_path, service):
  bad, reason = BAD_RECORDS['label_outside']
  write(tmp_path / 'a', good_records(2) + [bad])
  truncated(tmp_path / 'b', good_records(3))
  pattern = tmp_path / '?'
  skip = service_config(pattern, service, 'skip', on_bad_record='skip')
  images, _, count = read(skip, ONE_PIPELINE)
  assert (len(images), count) == (4, 2)
  error = service_config(tmp_path / 'a', service, 'error')
  with pytest.raises(record_check.InputDataError, match=reason) as caught:
    with video_input.explained_errors(error):
      read(error, ONE_PIPELINE)
  assert f'record 2 (from 0) of file "{tmp_path}/a"' in str(caught.value)


def test_gzip_files_are_read(evaluated, tmp_path):
  options = tf.io.TFRecordOptions(compression_type='GZIP')
  with tf.io.TFRecordWriter(str(tmp_path / 'a'), options) as writer:
    for record in good_records(3):
      writer.write(record)
  images, *_ = read(config(tmp_path / 'a', compressed_input=True))
  np.testing.assert_array_equal(images, evaluated)


@pytest.fixture(scope='module')
def planes(tmp_path_factory):
  """A config of a small TFDS dataset with labels 0, 1 and 2."""
  data_dir = tmp_path_factory.mktemp('tfds')
  name = airplanes.prepare(
    data_dir,
    airplanes.AirplanesConfig(
      num_train_clips=6,
      num_validation_clips=3,
      num_frames=FRAMES,
      image_size=SIZE,
    ),
  )
  return config(
    '', tfds_name=name, tfds_data_dir=str(data_dir), tfds_split='train'
  )


def test_tfds_is_read_as_stock(planes):
  images, labels, _ = read(planes)
  expected = list(
    input_reader.InputReader(
      planes,
      decoder_fn=stock.VideoTfdsDecoder().decode,
      parser_fn=stock.Parser(planes).parse_fn(False),
    ).read()
  )
  np.testing.assert_array_equal(
    images, np.concatenate([features['image'] for features, _ in expected])
  )
  np.testing.assert_array_equal(
    labels, np.concatenate([label for _, label in expected])
  )


def test_tfds_training_data_are_not_kept_in_memory(tmp_path):
  # Stock keeps every clip it reads, as TFDS caches a dataset of one small file
  # and the repetition is inside that cache.
  name = airplanes.prepare(
    tmp_path,
    airplanes.AirplanesConfig(num_train_clips=6, num_validation_clips=3),
  )
  params = config(
    '',
    tfds_name=name,
    tfds_data_dir=str(tmp_path),
    tfds_split='train',
    is_training=True,
    augment=False,
    shuffle_buffer_size=2,
    feature_shape=(10, 64, 64, 3),
    min_image_size=64,
  )
  batches = iter(video_input.build_video_dataset(params))

  def read(clips):
    for _ in range(clips // params.global_batch_size):
      next(batches)
    with open('/proc/self/statm') as f:
      return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

  before = read(400)
  clips = 1600
  bytes_read = clips * 10 * 64 * 64 * 3
  assert read(clips) - before < 0.5 * bytes_read


def test_tfds_bad_label_names_dataset_and_split(planes):
  params = planes.replace(num_classes=2)
  with pytest.raises(record_check.InputDataError, match='label .2.') as caught:
    with video_input.explained_errors(params):
      read(params)
  source = f'TFDS dataset "{planes.tfds_name}", split "train"'
  assert source in str(caught.value)


def test_tfds_bad_label_is_counted(planes):
  kept = read(planes)[1].argmax(-1) < 2
  images, _, bad = read(planes.replace(num_classes=2, on_bad_record='skip'))
  assert (len(images), bad) == (kept.sum(), (~kept).sum())


def test_other_errors_pass_unchanged(folder):
  error = tf.errors.InvalidArgumentError(None, None, 'of the model')
  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    with video_input.explained_errors(config(folder / '*.tfrecord')):
      raise error
  assert caught.value is error


def test_the_magnitude_of_randaugment_differs_between_clips(tmp_path):
  """The deviation of the config reaches the pixels.

  Brightness at magnitude m multiplies them by 0.1 + 0.18 m.
  """
  gray = [np.full((SIZE, SIZE, 3), 100, np.uint8)] * FRAMES
  path = write(tmp_path / 'gray.tfrecord', [encode(gray)])
  stock_ops = augment_ops.RandAugment().available_ops
  randaug = common.RandAugment(
    num_layers=1,
    magnitude=7,
    magnitude_std=0.5,
    exclude_ops=[name for name in stock_ops if name != 'Brightness'],
  )
  params = config(
    path,
    is_training=True,
    global_batch_size=200,
    aug_type=common.Augmentation(type='randaug', randaug=randaug),
  )
  tf.random.set_seed(1)
  dataset = video_input.build_video_dataset(params)
  pixels = 255 * next(iter(dataset))[0]['image'].numpy()
  shades = pixels[:, 0, 0, 0, 0]
  # All pixels and frames of a clip are distorted alike.
  np.testing.assert_allclose(
    pixels, np.broadcast_to(shades[:, None, None, None, None], pixels.shape)
  )
  magnitudes = (shades / 100 - 0.1) / 0.18
  unchanged = np.isclose(shades, 100)
  assert 0.35 < unchanged.mean() < 0.65
  np.testing.assert_allclose(magnitudes[~unchanged].mean(), 7, atol=0.2)
  np.testing.assert_allclose(magnitudes[~unchanged].std(), 0.5, rtol=0.25)


def test_autoaugment_is_written_into_the_graph(tmp_path):
  """Its policies decide by what they draw (compat/autograph.py)."""
  halves = np.full((SIZE, SIZE, 3), 100, np.uint8)
  halves[: SIZE // 2] = 150
  params = config(
    write(tmp_path / 'halves.tfrecord', [encode([halves] * FRAMES)]),
    is_training=True,
    global_batch_size=4,
    aug_type=common.Augmentation(
      type='autoaug',
      autoaug=common.AutoAugment(augmentation_name='test'),
    ),
  )
  dataset = video_input.build_video_dataset(params)
  pixels = 255 * next(iter(dataset))[0]['image'].numpy()
  # Its equalization spreads the two shades over all that there are.
  assert pixels.min() < 20 and pixels.max() > 235
