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

r"""Measures the recipe of `movinet_grw_own_data` on small sets, over seeds.

  python3 tools/benchmarks/own_data.py --output_dir=/tmp/recipe

Trains on each set with the recipe and with the settings that were the default
before it, and prints top-1 on clips that neither training nor the choice of a
checkpoint has seen.  'shapes' and 'airplanes' are rendered, of 32 x 32, and
learned from scratch: random bright polygons on dark grounds, 24 clips of each
of four motions, and 300 clips of three turns.  'videos' are real, with weights:

  python3 tools/benchmarks/own_data.py --output_dir=/tmp/recipe --set=videos \
    --videos=DIR --groups=DIR/videos.txt --weights=CHECKPOINT \
    --override='task: {model: {backbone: {movinet: {gating_activation: X}}}}'

Of five folds with sources of their own each `--fold` is measured, and the one
after it validates; top-1 is of the clips of all of them.

Interrupted, the same command goes on.  A second one of the same --output_dir,
at the same time, shares the work: each takes the next training that nobody has.
TensorFlow gets `--cores` of them.  The table is of what has been measured.
"""

from collections.abc import Iterable, Iterator
import contextlib
import fcntl
import itertools
import json
import logging
import pathlib
import sys
import time
from typing import Any

from absl import app
from absl import flags
from absl import logging as absl_logging
import cv2
import numpy as np
from official.core import config_definitions as cfg
from official.core import exp_factory
import tensorflow as tf
import tf_keras
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import video_conversion
from official_ext.grw.datasets import video_folds
from official_ext.grw.datasets import video_records
from official_ext.grw.datasets import video_sources
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark
from official_ext.grw.training import launch

SIZE = 32
RATE = 5
MEASURED = 'measured.json'
MOTIONS = ('across', 'around', 'grows', 'spins')
_SHAPE_FRAMES = 10
_JPEG_QUALITY = 95
_FOLDS = 5
_VIDEO_SIDE = 200
_BEFORE_SIZE = 172, 172

# What every own dataset was trained with, whatever it was; but with as many
# frames as the clips have, where it had 50.
BEFORE = {
  'task': {
    'model': {
      'dropout_rate': 0.0,
      'norm_activation': {'norm_momentum': 0.99},
      'head': {'embedding_dim': 480},
    },
    'train_data': {
      'temporal_stride': 1,
      'global_batch_size': 8,
      'augment': False,
    },
    'validation_data': {'temporal_stride': 1},
  },
  'trainer': {
    'train_epochs': 10,
    'early_stopping_patience': 0,
    'best_checkpoint_export_subdir': '',
    'optimizer_config': {
      'ema': None,
      'optimizer': {'two_rate_adamw': {'backbone_lr_scale': 0.1}},
      'learning_rate': {'cosine': {'initial_learning_rate': 1e-3}},
    },
  },
}

_SETS = ('shapes', 'airplanes', 'videos')
_ROWS = ('before', 'recipe')
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder of everything written.', required=True
)
_CHOSEN_SETS = flags.DEFINE_multi_enum(
  'set', ['shapes', 'airplanes'], _SETS, 'Sets to train on.'
)
_CHOSEN_ROWS = flags.DEFINE_multi_enum(
  'row', _ROWS, _ROWS, 'Settings to train with.'
)
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Trainings of each.', lower_bound=1)
_CORES = flags.DEFINE_integer(
  'cores', 1, 'The cores of this process.', lower_bound=1
)
_OVERRIDE = flags.DEFINE_string(
  'override', '{}', 'YAML of fields of both settings.'
)
_VIDEOS = flags.DEFINE_string(
  'videos', None, "Folder of <class>/<video>, of 'videos'."
)
_GROUPS = flags.DEFINE_string(
  'groups', None, 'What `grw convert --groups` takes.'
)
_CHOSEN_FOLDS = flags.DEFINE_multi_integer(
  'fold',
  [0],
  "A fold of 'videos' that is measured; may be given several times.",
  lower_bound=0,
  upper_bound=_FOLDS - 1,
)
_WEIGHTS = flags.DEFINE_string(
  'weights', None, "Initial weights of trainings on 'videos'."
)


def moving_shape(motion: str, seed: int) -> np.ndarray:
  """A bright polygon that moves over a dark ground.

  Corners, colors, place, speed and phase are random and tell nothing of the
  class; mirrored, a clip is of the same class.

  Args:
    motion: one of `MOTIONS`.
    seed: the seed of the clip.

  Returns:
    [frames, height, width, 3] uint8.
  """
  rng = np.random.default_rng(seed)
  corners = int(rng.integers(3, 7))
  angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
  angles = (
    np.linspace(0, 2 * np.pi, corners, endpoint=False)
    + 0.3 * (angles - angles.mean()) / corners
  )
  radii = rng.uniform(0.6, 1.0, corners)
  # Long, so that it is seen to spin.
  polygon = np.stack(
    [radii * np.cos(angles), 0.45 * radii * np.sin(angles)], axis=-1
  )
  color = rng.uniform(140, 255, 3)
  ground = np.full([SIZE, SIZE, 3], rng.uniform(10, 70, 3), np.float32)
  size = rng.uniform(0.2, 0.28) * SIZE
  center = rng.uniform(0.35, 0.65, 2) * SIZE
  phase = rng.uniform(0, 2 * np.pi)
  speed = rng.uniform(0.8, 1.4) * rng.choice([-1, 1])
  frames = []
  for frame in range(_SHAPE_FRAMES):
    turn = phase + speed * frame * 2 * np.pi / _SHAPE_FRAMES
    place, scale, angle = center, 1.0, phase
    if motion == 'across':
      place = center + 0.25 * SIZE * np.array([np.sin(turn), 0])
    elif motion == 'around':
      place = center + 0.25 * SIZE * np.array([np.cos(turn), np.sin(turn)])
    elif motion == 'grows':
      scale = 1.0 + 0.5 * np.sin(turn)
    else:
      angle = turn
    rotation = np.array(
      [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    points = place + scale * size * polygon @ rotation.T
    image = ground.copy()
    cv2.fillPoly(
      image,
      [np.round(points * 16).astype(np.int32)],
      color.tolist(),
      cv2.LINE_AA,
      4,
    )
    image += rng.normal(0, 4, image.shape)
    frames.append(image.clip(0, 255).astype(np.uint8))
  return np.stack(frames)


def _shapes(split: str) -> Iterator[tuple[np.ndarray, int]]:
  """Clips and labels."""
  clips = {'train': 24, 'validation': 12, 'test': 50}[split]
  first = {'train': 0, 'validation': 10_000, 'test': 20_000}[split]
  for number in range(clips * len(MOTIONS)):
    label = number % len(MOTIONS)
    yield moving_shape(MOTIONS[label], first + number), label


def _airplanes(split: str) -> Iterator[tuple[np.ndarray, int]]:
  """Clips and labels."""
  clips = {'train': 300, 'validation': 60, 'test': 300}[split]
  seed = {'train': 0, 'validation': 0, 'test': 1}[split]
  config = airplanes.AirplanesConfig(image_size=SIZE, seed=seed)
  source = 'train' if split == 'train' else 'validation'
  for number in range(clips):
    example = airplanes.render_example(config, source, number)
    yield example['video'], airplanes.LABELS.index(example['label'])


def _convert_videos(folder: pathlib.Path, fold: int):
  """Converts videos: of five folds one is 'test', and one 'validation'."""
  if not _VIDEOS.value:
    raise app.UsageError('--set=videos needs --videos, and --weights')
  found = video_sources.folder_sources(_VIDEOS.value, True)
  splits = {}
  of_splits = {'test': fold, 'validation': (fold + 1) % _FOLDS}
  for split, number in of_splits.items():
    held_out = video_folds.split(found, _FOLDS, number, _GROUPS.value)
    for clip in held_out.clips:
      if clip.split == 'validation':
        splits[clip.path] = split
  clips = [
    clip._replace(split=splits.get(clip.path, 'train')) for clip in found.clips
  ]
  video_conversion.convert(
    found._replace(clips=clips),
    str(folder),
    video_records.EncodingSettings(RATE, _VIDEO_SIDE, _JPEG_QUALITY),
  )


def make_records(
  name: str, folder: pathlib.Path, fold: int = 0
) -> pathlib.Path:
  """Renders or converts a set unless it is there; returns its dataset.json."""
  path = folder / 'dataset.json'
  if path.exists():
    return path
  folder.mkdir(parents=True, exist_ok=True)
  if name == 'videos':
    _convert_videos(folder, fold)
    return path
  clips, labels = {
    'shapes': (_shapes, MOTIONS),
    'airplanes': (_airplanes, airplanes.LABELS),
  }[name]
  splits = {}
  lengths: list[int] = []
  for split in ('train', 'validation', 'test'):
    count = 0
    with whole_file.opened(folder / f'{split}.tfrecord') as file:
      for frames, label in clips(split):
        images = [
          cv2.imencode(
            '.jpg', frame[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
          )[1].tobytes()
          for frame in frames
        ]
        video_records.write_record(
          file,
          video_records.sequence_example(
            {
              'clip/label/index': label,
              'clip/media_id': f'{split}/{count}'.encode(),
            },
            {'image/encoded': images},
          ),
        )
        lengths.append(len(images))
        count += 1
    splits[split] = {'num_examples': count, 'files': f'{split}.tfrecord'}
  whole_file.write(folder / 'labels.txt', '\n'.join(labels) + '\n')
  whole_file.write(
    path,
    video_records.json_bytes(
      {
        'num_classes': len(labels),
        'labels': 'labels.txt',
        'frames_per_second': RATE,
        'short_side': SIZE,
        'clip_frames': {
          'shortest': min(lengths),
          'median': int(np.median(lengths)),
          'longest': max(lengths),
        },
        'splits': splits,
      }
    ),
  )
  return path


def _experiment(
  name: str, dataset: pathlib.Path, row: str, seed: int, split: str
) -> cfg.ExperimentConfig:
  """The experiment of a row on a set, which validates on a split."""
  params = exp_factory.get_exp_config('movinet_grw_own_data')
  data: dict[str, Any] = {}
  if name != 'videos':
    data = {'min_image_size': SIZE, 'feature_shape': [-1, SIZE, SIZE, 3]}
  if row == 'before':
    frames = json.loads(dataset.read_text())['clip_frames']['median']
    size = data.get('feature_shape', [-1, *_BEFORE_SIZE, 3])
    data['feature_shape'] = [frames, *size[1:]]
  changes = [
    {
      'task': {
        'dataset_info': str(dataset),
        'init_checkpoint': (_WEIGHTS.value or '') if name == 'videos' else '',
        'seed': seed,
        'train_data': {**data, 'seed': seed},
        'validation_data': {**data, 'split': split},
      },
      # The fused batch norm of one replica is faster.
      'runtime': {'distribution_strategy': 'one_device'},
    },
    BEFORE if row == 'before' else {},
    yaml.safe_load(_OVERRIDE.value),
  ]
  for change in changes:
    params.override(change)
  params.validate()
  return params


def measure(
  name: str, folder: pathlib.Path, dataset: pathlib.Path, row: str, seed: int
):
  """Trains into a folder, and measures on the split 'test'."""
  begun = time.process_time()
  for mode, split in (
    ('train' if row == 'before' else 'train_and_eval', 'validation'),
    ('eval', 'test'),
  ):
    params = _experiment(name, dataset, row, seed, split)
    if not launch.nothing_left(params, mode, str(folder)):
      launch.build_runner(params, mode, str(folder)).run()
    tf_keras.backend.clear_session()
  measures = json.loads((folder / 'evaluation/measures.json').read_text())
  measures['cpu_seconds'] = time.process_time() - begun
  whole_file.write(folder / MEASURED, json.dumps(measures))


@contextlib.contextmanager
def _alone(path: pathlib.Path, waits: bool = False) -> Iterator[bool]:
  """Whether no other process is in the same context, which this one then is."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with open(path, 'w') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
      yield False
    else:
      yield True


def _parts(output: pathlib.Path, name: str) -> dict[pathlib.Path, int]:
  """Folders of a set, one a fold where it has folds, and their folds."""
  if name != 'videos':
    return {output / name: 0}
  return {output / name / f'fold{fold}': fold for fold in _CHOSEN_FOLDS.value}


def _measured(
  parts: Iterable[pathlib.Path], row: str
) -> list[dict[str, float]]:
  """Top-1 and processor time of each seed that all parts have, over them.

  Top-1 is of the test clips of all parts together.
  """
  seeds = []
  for seed in range(_SEEDS.value):
    clips, named, seconds = 0, 0.0, 0.0
    for part in parts:
      path = part / row / f'seed{seed}' / MEASURED
      if not path.exists():
        break
      measures = json.loads(path.read_text())
      info = json.loads((part / 'records/dataset.json').read_text())
      tested = info['splits']['test']['num_examples']
      clips += tested
      named += tested * measures['top_1_accuracy']
      seconds += measures['cpu_seconds']
    else:
      seeds.append({'top_1': named / clips, 'cpu_minutes': seconds / 60})
  return seeds


def _table(output: pathlib.Path) -> str:
  """Top-1 of what has been measured, and what the recipe is better by."""
  rows = []
  for name in _SETS:
    parts = _parts(output, name)
    for row in _ROWS:
      measured = _measured(parts, row)
      if not measured:
        continue
      values = [measures['top_1'] for measures in measured]
      minutes = np.mean([measures['cpu_minutes'] for measures in measured])
      rows.append(
        (
          f'{name}, {row}',
          f'{np.mean(values):.1%}',
          f'{min(values):.1%} to {max(values):.1%}',
          f'{np.ptp(values):.1%}',
          str(len(values)),
          f'{minutes / len(parts):.1f}',
        )
      )
  return benchmark.markdown_table(
    ['set, settings', 'top-1', 'of seeds', 'spread', 'seeds', 'CPU min each'],
    rows,
  )


def main(_):
  absl_logging.set_verbosity(absl_logging.ERROR)
  logging.disable(logging.WARNING)
  tf.config.threading.set_intra_op_parallelism_threads(_CORES.value)
  tf.config.threading.set_inter_op_parallelism_threads(_CORES.value)
  output = pathlib.Path(_OUTPUT_DIR.value).absolute()
  for name in _CHOSEN_SETS.value:
    parts = {}
    for part, fold in _parts(output, name).items():
      with _alone(part / 'lock', waits=True):
        parts[part] = make_records(name, part / 'records', fold)
    for seed, row, part in itertools.product(
      range(_SEEDS.value), _CHOSEN_ROWS.value, parts
    ):
      folder = part / row / f'seed{seed}'
      with _alone(folder / 'lock') as is_free:
        if is_free and not (folder / MEASURED).exists():
          measure(name, folder, parts[part], row, seed)
          print(f'{folder.relative_to(output)}:', file=sys.stderr)
          print((folder / MEASURED).read_text(), file=sys.stderr, flush=True)
  print(benchmark.machine())
  print(_table(output))


if __name__ == '__main__':
  benchmark.run(main)
