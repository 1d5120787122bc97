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

"""From a folder of videos to a TFLite file that names them."""

import csv
import json
import re
import subprocess

from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
import pytest
import tensorflow as tf

from official_ext.grw.commands import from_videos
from tests import tiny
from tests import video_files

SIZE = 32
CLASSES = ('still', 'rechts – schnell', 'down')
CLIPS = {'train': 4, 'val': 2}


def run(program, *flags):
  result = subprocess.run(
    tiny.program(program, *flags), capture_output=True, text=True, check=False
  )
  assert result.returncode == 0, result.stderr[-3000:]
  return result.stdout + result.stderr


@pytest.fixture(name='folder', scope='module')
def folder_fixture(tmp_path_factory):
  """Videos in folders by class, and a published checkpoint, as downloaded."""
  folder = tmp_path_factory.mktemp('own')
  for split, count in CLIPS.items():
    for label, name in enumerate(CLASSES):
      place = folder / 'videos' / split / name
      place.mkdir(parents=True)
      for number in range(count):
        frames = tiny.clip(
          label,
          seed=100 * len(split) + 10 * label + number,
          frames=tiny.FRAMES,
          size=48,
        )
        video_files.write_frames(
          place / f'{split} {number}.mp4', frames, rate=5
        )
  published = movinet_model.MovinetClassifier(
    movinet.Movinet(
      'tiny',
      causal=True,
      conv_type='3d_2plus1d',
      se_type='2plus3d',
      activation='hard_swish',
      gating_activation='hard_sigmoid',
      use_sync_bn=False,
    ),
    num_classes=600,
  )
  tf.train.Checkpoint(model=published).save(str(folder / 'published' / 'ckpt'))
  # One line for each variable of the backbone.
  (folder / 'variables').write_text(
    ''.join(f'{variable.name}\n' for variable in published.backbone.variables)
  )
  tiny.write_yaml(
    folder / 'tiny.yaml',
    {
      'task': {
        # Weights that were drawn do not tell it.
        'init_checkpoint_gating_activation': 'hard_sigmoid',
        'model': {
          'backbone': {
            'movinet': {
              'model_id': 'tiny',
              'gating_activation': 'hard_sigmoid',
            }
          },
          'smoothing': {'window': 3},
          'head': {'num_layers': 1, 'num_heads': 2},
        },
        **{
          f'{split}_data': {
            'feature_shape': [tiny.FRAMES, SIZE, SIZE, 3],
            'min_image_size': SIZE,
            'global_batch_size': 4,
          }
          for split in ('train', 'validation')
        },
      },
      'trainer': {'train_epochs': 2},
    },
  )
  return folder


def test_one_command_and_what_follows(folder, capfd):
  grw = from_videos.commands(
    f'{folder}/videos',
    f'{folder}/published',
    f'{folder}/own',
    [f'--config_file={folder}/tiny.yaml'],
  )
  from_videos.run(grw, tiny.program('official_ext/grw/commands/main.py'))
  trained = ''.join(capfd.readouterr())
  for number, command in enumerate(('convert', 'train', 'export tflite'), 1):
    assert f'[{number}/3] grw {command} ' in trained
  info = json.loads((folder / 'own' / 'records' / 'dataset.json').read_text())
  assert info['splits']['train']['num_examples'] == 12, trained
  assert info['num_classes'] == 3
  matched = re.search(r'matched: +(\d+) variables', trained)
  assert matched, trained
  assert int(matched[1]) == (folder / 'variables').read_text().count('\n')

  # An export that is there stays.
  assert grw[:2] == from_videos.commands(
    f'{folder}/videos',
    f'{folder}/published',
    f'{folder}/own',
    [f'--config_file={folder}/tiny.yaml'],
  )

  experiment = '--experiment=movinet_grw_own_data'
  as_trained = f'--config_file={folder}/own/model/params.yaml'
  evaluated = run(
    'official_ext/grw/train.py',
    experiment,
    '--mode=eval',
    as_trained,
    f'--model_dir={folder}/own/model',
  )
  assert re.search(r'top-1 \d+\.\d % \(95 % interval', evaluated), evaluated
  # Of three classes the five likeliest are all there are.
  assert 'top-5' not in evaluated.split('top-1')[-1]
  with open(
    folder / 'own' / 'model' / 'evaluation' / 'predictions.csv',
    encoding='utf-8',
  ) as file:
    predictions = list(csv.DictReader(file))
  assert {row['clip'] for row in predictions} == {
    f'{name}/val {number}.mp4' for name in CLASSES for number in range(2)
  }
  assert all(row['clip'].startswith(row['label']) for row in predictions)

  assert (folder / 'own' / 'tflite' / 'labels.txt').read_text(
    encoding='utf-8'
  ).splitlines() == sorted(CLASSES)

  predicted = run(
    'tools/predict_video.py',
    f'--model={folder}/own/tflite',
    f'--video={folder}/videos/val/down/val 0.mp4',
    f'--output_dir={folder}/predicted',
  )
  assert any(name in predicted for name in CLASSES)
  assert (folder / 'predicted' / 'annotated.mp4').exists()
