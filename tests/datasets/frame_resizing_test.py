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

"""Claims about how frames are resized, and what becomes of short videos."""

import cv2
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import frame_resizing
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import video_input
from tests import tiny

FRAMES = tiny.FRAMES


def photo(height, width, seed=0):
  """Edges, fine texture and noise, as in a photograph."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width]
  image = 128 + 60 * np.sin(0.002 * (x**2 + y**2))
  image[(x - 90) ** 2 + (y - 70) ** 2 < 1600] = 230
  image[:, x[0] % 37 < 2] = 15
  shades = image[..., np.newaxis] * [1.0, 0.8, 0.6]
  return np.clip(shades + rng.normal(0, 8, shades.shape), 0, 255).astype(
    np.uint8
  )


def data(**values):
  return schema.DataConfig(
    **{'resize': 'square', 'min_image_size': 200, 'antialias': True, **values}
  )


def resized(image, **values):
  return frame_resizing.resize(image[np.newaxis], data(**values))[0].numpy()


@pytest.mark.parametrize(
  'height, width, values, size',
  [
    (256, 300, {}, (200, 200)),
    (480, 854, {}, (200, 200)),
    (150, 120, {}, (200, 200)),
    (360, 640, {'resize': 'keep_aspect'}, (200, 355)),
    (640, 360, {'resize': 'keep_aspect'}, (355, 200)),
  ],
)
def test_antialiased_frames_are_those_of_pillow(height, width, values, size):
  image = photo(height, width)
  ours = resized(image, **values)
  theirs = np.asarray(
    Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
  ).astype(np.float32)
  assert ours.shape == (*size, 3) and ours.dtype == np.float32
  # Pillow rounds to whole numbers, after each of the two directions.
  assert np.abs(ours - theirs).max() <= 1.01
  assert abs((ours - theirs).mean()) < 0.1
  if height > size[0]:
    plain = resized(image, antialias=False, **values).astype(np.float32)
    assert plain.dtype == np.float32
    assert np.abs(plain - theirs).max() > 10


def test_without_antialiasing_pixels_are_whole_numbers_as_in_stock():
  image = photo(256, 300)
  ours = resized(image, antialias=False)
  assert ours.dtype == np.uint8
  np.testing.assert_array_equal(
    ours, tf.cast(tf.image.resize(image, [200, 200]), tf.uint8)
  )


def test_areas_are_no_substitute_for_antialiasing():
  """What a client with OpenCV alone is off by, in 255ths."""
  image = photo(256, 300)
  ours = resized(image)
  area = cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA)
  difference = np.abs(ours - area)
  print(
    f'mean {difference.mean():.2f}, 99th percentile '
    f'{np.percentile(difference, 99):.1f}, largest {difference.max():.1f}'
  )
  assert difference.mean() > 0.5 and difference.max() > 5


LENGTHS = (4, 9, 6, 2, 7, 5)
LABELS = (0, 1, 2, 0, 0, 1)


def write(path, lengths=LENGTHS, damaged=()):
  """Videos of these lengths; those at `damaged` have a label outside."""
  with tf.io.TFRecordWriter(str(path)) as writer:
    for number, (frames, label) in enumerate(zip(lengths, LABELS)):
      writer.write(
        tiny.record(
          tiny.clip(label, number, frames), 7 if number in damaged else label
        )
      )
  return str(path)


def config(path, **values):
  return schema.DataConfig(
    **{
      'input_path': path,
      'feature_shape': (FRAMES, tiny.SIZE, tiny.SIZE, 3),
      'min_image_size': tiny.SIZE,
      'num_classes': tiny.CLASSES,
      'global_batch_size': 2,
      'is_training': False,
      'drop_remainder': False,
      'short_clips': 'drop',
      **values,
    }
  )


def read(params, batches=None):
  """The labels of the clips, and how many records were dropped and why."""
  labels, counts = [], {'short_clips': 0, 'bad_records': 0}
  dataset = video_input.build_video_dataset(params)
  for features, label in dataset if batches is None else dataset.take(batches):
    labels += label.numpy().argmax(-1).tolist()
    unique = features[feature_names.NUM_FRAMES].numpy()
    assert (unique == params.feature_shape[0]).all()
    for name in counts:
      if name in features:
        counts[name] += int(tf.reduce_sum(features[name]))
  return labels, counts


def test_videos_shorter_than_a_clip_are_left_out_and_counted(tmp_path):
  path = write(tmp_path / 'a')
  assert read(config(path)) == ([1, 2, 0], {'short_clips': 3, 'bad_records': 0})
  # At every second frame of the video.
  assert read(config(path, temporal_stride=2, feature_shape=(4, 16, 16, 3)))[
    0
  ] == [1, 0]


def test_short_and_bad_records_are_told_apart(tmp_path):
  path = write(tmp_path / 'a', damaged=(0, 2, 5))
  assert read(config(path, on_bad_record='skip')) == (
    [1, 0],
    {'short_clips': 1, 'bad_records': 3},
  )
  with pytest.raises(record_check.InputDataError, match=r'label \[?7\]?'):
    params = config(path)
    with video_input.explained_errors(params):
      read(params)


def test_segments_of_a_short_video_are_left_out_too(tmp_path):
  params = config(write(tmp_path / 'a'), sampling='segments')
  assert read(params)[0] == [1, 2, 0]


def test_training_leaves_short_videos_out(tmp_path):
  params = config(
    write(tmp_path / 'a'),
    is_training=True,
    drop_remainder=True,
    augment=False,
    shuffle_buffer_size=1,
  )
  labels, counts = read(params, batches=6)
  assert sorted(set(labels)) == [0, 1, 2] and len(labels) == 12
  assert counts['short_clips'] >= 9


@pytest.mark.parametrize('training', [False, True])
def test_where_all_videos_are_short_nothing_starts(tmp_path, training):
  path = write(tmp_path / 'a', lengths=(4, 5, 2))
  with pytest.raises(
    record_check.InputDataError,
    match="short_clips='drop' leaves none.*longest has 5 frames.*a clip 6",
  ):
    video_input.build_video_dataset(config(path, is_training=training))
