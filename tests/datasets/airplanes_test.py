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

import os
import re
import subprocess
import sys

import hypothesis
from hypothesis import strategies as st
import numpy as np
from official.core import input_reader
from official.vision.configs import video_classification
from official.vision.dataloaders import video_input
import pytest
import tensorflow_datasets as tfds

from official_ext.grw.datasets import airplanes

SMALL = airplanes.AirplanesConfig(
  num_train_clips=9,
  num_validation_clips=6,
  num_frames=4,
  image_size=32,
  degrees_per_frame=(7.5, 20),
  seed=11,
)


@pytest.fixture(name='data_dir', scope='module')
def data_dir_fixture(tmp_path_factory):
  data_dir = tmp_path_factory.mktemp('tfds')
  airplanes.prepare(data_dir, SMALL)
  return str(data_dir)


def _examples(name, data_dir, split):
  return list(tfds.as_numpy(tfds.load(name, split=split, data_dir=data_dir)))


def _stock_batches(name, data_dir, split, **overrides):
  """Batches as the Model Garden's own video input reads them."""
  params = video_classification.DataConfig(
    tfds_name=name,
    tfds_data_dir=data_dir,
    tfds_split=split,
    num_classes=3,
    is_training=False,
    drop_remainder=False,
    global_batch_size=3,
    feature_shape=(4, 32, 32, 3),
    temporal_stride=1,
    min_image_size=32,
    **overrides,
  )
  reader = input_reader.InputReader(
    params,
    decoder_fn=video_input.VideoTfdsDecoder().decode,
    parser_fn=video_input.Parser(params).parse_fn(params.is_training),
    postprocess_fn=video_input.PostBatchProcessor(params),
  )
  return list(reader.read().as_numpy_iterator())


def test_a_clip_depends_on_seed_split_and_index_only():
  first = [airplanes.render_example(SMALL, 'train', i) for i in range(4)]
  again = [airplanes.render_example(SMALL, 'train', i) for i in (3, 2, 1, 0)]
  for a, b in zip(first, again[::-1], strict=True):
    np.testing.assert_array_equal(a['video'], b['video'])
    assert a['label'] == b['label']
  more = airplanes.AirplanesConfig(
    num_train_clips=900,
    num_frames=4,
    image_size=32,
    degrees_per_frame=(7.5, 20),
    seed=11,
  )
  np.testing.assert_array_equal(
    airplanes.render_example(more, 'train', 2)['video'], first[2]['video']
  )

  other_seed = airplanes.AirplanesConfig(
    num_frames=4, image_size=32, degrees_per_frame=(7.5, 20), seed=12
  )
  videos = [e['video'].tobytes() for e in first] + [
    airplanes.render_example(SMALL, 'validation', 0)['video'].tobytes(),
    airplanes.render_example(other_seed, 'train', 0)['video'].tobytes(),
  ]
  assert len(set(videos)) == len(videos)


def test_consecutive_frames_differ():
  for index in range(6):
    video = airplanes.render_example(SMALL, 'train', index)['video'].astype(int)
    assert (abs(np.diff(video, axis=0)).max(axis=(1, 2, 3)) > 30).all()


def test_a_single_frame_does_not_tell_the_class_but_motion_does():
  config = airplanes.AirplanesConfig(num_frames=2, image_size=16)

  def clips(split, count):
    videos = np.stack(
      [
        airplanes.render_example(config, split, i)['video']
        for i in range(count)
      ]
    )
    return videos.reshape(count, 2, -1) / 255.0

  train, held_out = clips('train', 1500), clips('validation', 600)

  def accuracy(see):
    """Of kernel ridge regression on what `see` shows of a clip."""
    x, x_new = see(train), see(held_out)

    def squared_distance(a, b):
      return (a**2).sum(1)[:, np.newaxis] + (b**2).sum(1) - 2 * a @ b.T

    width = np.median(squared_distance(x, x))
    targets = np.eye(3)[np.arange(len(x)) % 3] - 1 / 3
    weights = np.linalg.solve(
      np.exp(-squared_distance(x, x) / width) + 0.1 * np.eye(len(x)), targets
    )
    scores = np.exp(-squared_distance(x_new, x) / width) @ weights
    return (scores.argmax(1) == np.arange(len(x_new)) % 3).mean()

  assert 0.26 < accuracy(lambda clip: clip[:, 0]) < 0.42
  assert 0.26 < accuracy(lambda clip: clip[:, 1]) < 0.42
  assert accuracy(lambda clip: clip[:, 1] - clip[:, 0]) > 0.48


def test_what_is_read_is_what_was_rendered(data_dir):
  name = f'airplanes/{SMALL.name}'
  for split, count in (('train', 9), ('validation', 6)):
    examples = _examples(name, data_dir, split)
    assert len(examples) == count
    by_video = {e['video'].tobytes(): e['label'] for e in examples}
    for index in range(count):
      rendered = airplanes.render_example(SMALL, split, index)
      assert rendered['video'].shape == (4, 32, 32, 3)
      label = by_video[rendered['video'].tobytes()]
      assert airplanes.LABELS[label] == rendered['label']


def test_classes_are_balanced_and_mixed(data_dir):
  labels = [
    e['label'] for e in _examples(f'airplanes/{SMALL.name}', data_dir, 'train')
  ]
  np.testing.assert_array_equal(np.bincount(labels), [3, 3, 3])
  assert labels != sorted(labels)
  assert labels != [0, 1, 2] * 3


def test_the_model_garden_reads_it(data_dir):
  batches = _stock_batches(f'airplanes/{SMALL.name}', data_dir, 'validation')
  images = np.concatenate([image['image'] for image, _ in batches])
  labels = np.concatenate([label for _, label in batches])
  assert images.shape == (6, 4, 32, 32, 3)
  expected = [
    airplanes.render_example(SMALL, 'validation', i) for i in range(6)
  ]
  for image, label in zip(images, labels, strict=True):
    errors = [abs(image - e['video'] / 255.0).max() for e in expected]
    nearest = int(np.argmin(errors))
    assert errors[nearest] < 1e-6
    np.testing.assert_array_equal(
      label, np.eye(3)[airplanes.LABELS.index(expected[nearest]['label'])]
    )


def test_preparing_again_changes_nothing(data_dir):
  def files():
    return {
      os.path.join(folder, name): os.stat(
        os.path.join(folder, name)
      ).st_mtime_ns
      for folder, _, names in os.walk(data_dir)
      for name in names
    }

  before = files()
  assert airplanes.prepare(data_dir, SMALL) == f'airplanes/{SMALL.name}'
  assert files() == before


def test_a_run_cut_short_leaves_nothing_that_is_read(tmp_path, monkeypatch):
  config = airplanes.AirplanesConfig(
    num_train_clips=3, num_validation_clips=3, num_frames=2, image_size=16
  )
  render = airplanes.render_example

  def interrupt(config, split, index):
    if split == 'validation':
      raise KeyboardInterrupt
    return render(config, split, index)

  with monkeypatch.context() as patch:
    patch.setattr(airplanes, 'render_example', interrupt)
    with pytest.raises(KeyboardInterrupt):
      airplanes.prepare(tmp_path, config)
  # A kill leaves what Python could not clean away.
  (tmp_path / 'airplanes' / config.name / 'incomplete.ABCDEF_1.0.0').mkdir(
    parents=True
  )
  name = f'airplanes/{config.name}'
  assert not tfds.builder(name, data_dir=tmp_path).is_prepared()
  assert airplanes.prepare(tmp_path, config) == name
  assert len(_examples(name, str(tmp_path), 'validation')) == 3


def test_a_name_alone_makes_the_data_in_another_process(tmp_path):
  config = airplanes.AirplanesConfig(
    num_train_clips=6, num_validation_clips=3, num_frames=2, image_size=16
  )
  name = f'airplanes/{config.name}'
  subprocess.run(
    [
      sys.executable,
      '-c',
      'import sys, tensorflow_datasets as tfds\n'
      'from official_ext.grw.datasets import airplanes\n'
      'tfds.load(sys.argv[1], data_dir=sys.argv[2])\n',
      name,
      str(tmp_path),
    ],
    check=True,
    capture_output=True,
  )
  videos = {
    e['video'].tobytes() for e in _examples(name, str(tmp_path), 'train')
  }
  assert videos == {
    airplanes.render_example(config, 'train', i)['video'].tobytes()
    for i in range(6)
  }


def test_the_plain_name_is_the_default_config(tmp_path):
  builder = tfds.builder('airplanes', data_dir=tmp_path)
  assert isinstance(builder, airplanes.Airplanes)
  default = airplanes.AirplanesConfig()
  assert builder.builder_config_name == default.name
  assert builder.info.features['video'].shape == (10, 64, 64, 3)
  assert builder.info.features['label'].names == ['yaw', 'pitch', 'roll']
  again = airplanes.Airplanes(config=default, data_dir=tmp_path)
  assert again.data_dir == builder.data_dir


@hypothesis.settings(deadline=None)
@hypothesis.given(
  num_train_clips=st.integers(3, 10**6),
  num_validation_clips=st.integers(3, 10**6),
  num_frames=st.integers(2, 500),
  image_size=st.integers(16, 1024),
  degrees_per_frame=st.tuples(st.floats(1e-3, 179), st.floats(1e-3, 179)).map(
    lambda rates: tuple(sorted(rates))
  ),
  seed=st.integers(0, 2**64),
)
def test_a_name_tells_the_whole_config(**fields):
  config = airplanes.AirplanesConfig(**fields)
  read = airplanes.AirplanesConfig.from_name(config.name)
  assert {field: getattr(read, field) for field in fields} == fields
  # TFDS splits names at '/' and ':'.
  assert re.fullmatch(r'[\w\-\.]+', config.name)


@pytest.mark.parametrize(
  'field, value',
  [
    ('num_train_clips', 2),
    ('num_train_clips', 300.0),
    ('num_validation_clips', 0),
    ('num_frames', 1),
    ('num_frames', True),
    ('image_size', 15),
    ('image_size', '64'),
    ('seed', -1),
    ('seed', None),
    ('degrees_per_frame', (0, 10)),
    ('degrees_per_frame', (16, 10)),
    ('degrees_per_frame', (10, 180)),
    ('degrees_per_frame', 12),
    ('degrees_per_frame', (1, 2, 3)),
    ('degrees_per_frame', ('a', 'b')),
    ('degrees_per_frame', (float('nan'), 16)),
  ],
)
def test_a_wrong_config_names_its_field(field, value):
  with pytest.raises(ValueError, match=f'AirplanesConfig: {field} must be'):
    airplanes.AirplanesConfig(**{field: value})


@pytest.mark.parametrize(
  'name',
  [
    'train30',
    SMALL.name + '0x',
    SMALL.name.replace('seed11', 'seed011'),
    SMALL.name.replace('20', '20.0'),
  ],
)
def test_an_unknown_name_is_told_the_form_of_names(tmp_path, name):
  with pytest.raises(ValueError, match='A name has the form train<clips>'):
    tfds.builder(f'airplanes/{name}', data_dir=tmp_path)


def test_a_name_with_a_wrong_value_says_which(tmp_path):
  name = SMALL.name.replace('frames4', 'frames1')
  with pytest.raises(ValueError, match='num_frames must be'):
    tfds.builder(f'airplanes/{name}', data_dir=tmp_path)
