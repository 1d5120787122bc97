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

"""Measures the recipe of `movinet_grw_own_data` on small sets, over seeds.

  python3 tools/benchmarks/own_data.py --output_dir=/tmp/recipe

Renders two sets, trains on each with the recipe and with the settings that were
the default before it, from scratch, and prints top-1 on clips that neither
training nor the choice of a checkpoint has seen.  'shapes': random bright
polygons on dark grounds, 24 clips of each of four motions; 'airplanes': 300
clips of three turns.  Frames are 32 x 32, so that a run is minutes on one core.
Interrupted, the same command goes on.
"""

from collections.abc import Iterator
import json
import pathlib
import sys
import time

from absl import app
from absl import flags
import cv2
import numpy as np
from official.core import config_definitions as cfg
from official.core import exp_factory
import tf_keras
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import video_records
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark
from official_ext.grw.training import launch

SIZE = 32
RATE = 5
MOTIONS = ('across', 'around', 'grows', 'spins')
_SHAPE_FRAMES = 10
_JPEG_QUALITY = 95

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
    'best_checkpoint_export_subdir': '',
    'optimizer_config': {
      'optimizer': {'two_rate_adamw': {'backbone_lr_scale': 0.1}},
      'learning_rate': {'cosine': {'initial_learning_rate': 1e-3}},
    },
  },
}

_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder of everything written.', required=True
)
_SETS = flags.DEFINE_multi_enum(
  'set', ['shapes', 'airplanes'], ['shapes', 'airplanes'], 'Sets to train on.'
)
_ROWS = flags.DEFINE_multi_enum(
  'row', ['before', 'recipe'], ['before', 'recipe'], 'Settings to train with.'
)
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Trainings of each.', lower_bound=1)
_OVERRIDE = flags.DEFINE_string(
  'override', '', 'YAML of fields that differ from the recipe.'
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


def make_records(name: str, folder: pathlib.Path) -> pathlib.Path:
  """Renders a set unless it is there; returns its dataset.json."""
  clips, labels = {
    'shapes': (_shapes, MOTIONS),
    'airplanes': (_airplanes, airplanes.LABELS),
  }[name]
  path = folder / 'dataset.json'
  if path.exists():
    return path
  folder.mkdir(parents=True, exist_ok=True)
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
  dataset: pathlib.Path, row: str, seed: int, split: str
) -> cfg.ExperimentConfig:
  """The experiment of a row, which validates on a split."""
  params = exp_factory.get_exp_config('movinet_grw_own_data')
  frames = json.loads(dataset.read_text())['clip_frames']['median']
  shape = [frames if row == 'before' else -1, SIZE, SIZE, 3]
  data = {'min_image_size': SIZE, 'feature_shape': shape}
  changes = [
    {
      'task': {
        'dataset_info': str(dataset),
        'seed': seed,
        'train_data': {**data, 'seed': seed},
        'validation_data': {**data, 'split': split},
      },
    }
  ]
  if row == 'before':
    changes.append(BEFORE)
  elif _OVERRIDE.value:
    changes.append(yaml.safe_load(_OVERRIDE.value))
  for change in changes:
    params.override(change)
  params.validate()
  return params


def measure(
  folder: pathlib.Path, dataset: pathlib.Path, row: str, seed: int
) -> dict[str, float]:
  """Trains into a folder, and measures on the split 'test'."""
  path = folder / 'measured.json'
  if not path.exists():
    begun = time.monotonic()
    for mode, split in (
      ('train' if row == 'before' else 'train_and_eval', 'validation'),
      ('eval', 'test'),
    ):
      params = _experiment(dataset, row, seed, split)
      launch.build_runner(params, mode, str(folder)).run()
      tf_keras.backend.clear_session()
    measures = json.loads((folder / 'evaluation/measures.json').read_text())
    measures['seconds'] = time.monotonic() - begun
    whole_file.write(path, json.dumps(measures))
  return json.loads(path.read_text())


def main(_):
  output = pathlib.Path(_OUTPUT_DIR.value).absolute()
  rows = []
  for name in _SETS.value:
    dataset = make_records(name, output / name / 'records')
    for row in _ROWS.value:
      values = []
      for seed in range(_SEEDS.value):
        folder = output / name / row / f'seed{seed}'
        measures = measure(folder, dataset, row, seed)
        values.append(measures['top_1_accuracy'])
        print(
          f'{name} {row} seed {seed}: {values[-1]:.1%} at step '
          f'{measures["step"]:.0f}, {measures["seconds"]:.0f} s',
          flush=True,
        )
      spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
      rows.append(
        (name, row, f'{np.mean(values):.1%} ± {spread:.1%}', str(len(values)))
      )
  print(benchmark.markdown_table(['set', 'settings', 'top-1', 'seeds'], rows))


if __name__ == '__main__':
  app.run(main)
