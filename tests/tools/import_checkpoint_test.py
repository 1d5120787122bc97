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

"""The import tool on sources of all kinds, and fine-tuning from them."""

import logging
import os
import pathlib
import pickle
import re
import subprocess
import sys
import time
import zipfile

import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
import pytest
import tensorflow as tf
import yaml

from official_ext.grw.checkpoints import source
from official_ext.grw.datasets import airplanes
from official_ext.grw.files import screen
from official_ext.grw.serving import import_checkpoint
from official_ext.grw.training import launch
from tests import tiny  # Registers the block specification.
from tests.checkpoints import families_test
from tests.checkpoints import torch_names_test
from tests.checkpoints import torch_writer

ROOT = pathlib.Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'import_checkpoint.py'
CLASSES = 600
# Weights that were drawn at random do not tell it.
GATE = 'grw>hard_sigmoid'


def run_tool(*flags: str) -> subprocess.CompletedProcess:
  return subprocess.run(
    tiny.program('tools/import_checkpoint.py', *flags),
    capture_output=True,
    text=True,
  )


def peak_memory_gib(pid: int) -> float:
  """Peak resident memory of a running process so far; 0 as it ends."""
  try:
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
  except OSError:
    return 0.0
  peak = re.search(r'VmHWM:\s+(\d+) kB', status)
  return int(peak[1]) / 2**20 if peak else 0.0


def test_an_a2_sized_file_in_less_than_2_gib(tmp_path):
  """The published a2s_grw.pt has both the model and its average."""
  state = torch_names_test.drawn(torch_names_test.grw_names('a2', True))
  torch_writer.save_grw(tmp_path / 'a2s_grw.pt', state, 5, state)
  with open(tmp_path / 'out', 'w+') as out:
    process = subprocess.Popen(
      [
        sys.executable,
        str(TOOL),
        f'--source={tmp_path}/a2s_grw.pt',
        f'--output_dir={tmp_path}/a2',
      ],
      stdout=out,
    )
    # Not the peak that wait4 tells, which begins with that of this process.
    peak = 0.0
    while process.poll() is None:
      peak = max(peak, peak_memory_gib(process.pid))
      time.sleep(0.05)
    out.seek(0)
    text = out.read()
  assert process.returncode == 0
  print(f'{peak:.2f} GiB')
  assert 0.1 < peak < 2
  for part in (
    "GRW authors' PyTorch checkpoint",
    'MoViNet-A2-Stream',
    'conv_type:   2plus1d',
    'hard_swish',
    'grw>hard_sigmoid',
    '600 classes',
    'none left at their initial value',
  ):
    assert part in text
  assert source.read(f'{tmp_path}/a2').architecture.backbone.model_id == 'a2'


def stock_tiny() -> movinet_model.MovinetClassifier:
  """The stock tiny streaming classifier for 600 classes, drawn at random."""
  model = movinet_model.MovinetClassifier(
    movinet.Movinet(
      model_id='tiny',
      causal=True,
      conv_type='3d_2plus1d',
      se_type='2plus3d',
      activation='hard_swish',
      gating_activation='grw>hard_sigmoid',
    ),
    num_classes=CLASSES,
  )
  rng = np.random.default_rng(0)
  for variable in model.variables:
    low = 0.5 if 'variance' in variable.name else -0.3
    variable.assign(rng.uniform(low, 1.0, variable.shape))
  return model


def write_source(kind: str, model, folder: str):
  if kind == 'tarball':
    tf.train.Checkpoint(model=model).save(f'{folder}/ckpt')
  elif kind == 'trainer':
    tf.train.Checkpoint(
      model=model,
      global_step=tf.Variable(7, dtype=tf.int64),
      optimizer=tf.train.Checkpoint(),
      **model.checkpoint_items,
    ).save(f'{folder}/ckpt')
  else:
    module = tf.Module()
    module.v = [
      tf.Variable(v.numpy(), name=v.name[:-2].replace('block0_layer0', 'b0/l0'))
      for v in model.variables
    ]
    tf.saved_model.save(module, folder)


@pytest.fixture(scope='module')
def published():
  return stock_tiny()


@pytest.fixture(scope='module')
def airplane_data(tmp_path_factory):
  folder = str(tmp_path_factory.mktemp('airplanes'))
  return folder, airplanes.prepare(
    folder, airplanes.AirplanesConfig(num_train_clips=6, num_validation_clips=3)
  )


@pytest.mark.parametrize('kind', ['tarball', 'trainer', 'saved_model'])
def test_fine_tuning_starts_from_the_source_as_it_is(
  kind, published, airplane_data, tmp_path, caplog
):
  """Two steps on airplanes, with the tool's own config and three classes."""
  published_folder = str(tmp_path / 'published')
  write_source(kind, published, published_folder)
  import_checkpoint.import_checkpoint(
    published_folder, str(tmp_path / 'imported'), gating_activation=GATE
  )

  data_dir, name = airplane_data
  data = {
    'num_classes': 3,
    'tfds_name': name,
    'tfds_data_dir': data_dir,
    'global_batch_size': 2,
    'shuffle_buffer_size': 1,
  }
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  hyperparams.override_params_dict(
    params, str(tmp_path / 'imported' / 'config.yaml'), is_strict=True
  )
  params.override(
    {
      'task': {
        'init_checkpoint': published_folder,
        'init_checkpoint_modules': 'backbone',
        'init_checkpoint_gating_activation': GATE,
        'train_data': data,
        'validation_data': data,
      },
      'trainer': {
        'train_steps': 2,
        'steps_per_loop': 2,
        'summary_interval': 2,
        'checkpoint_interval': 2,
        'validation_interval': 2,
        **tiny.EAGER,
      },
    }
  )
  params.validate()
  params.lock()
  with caplog.at_level(logging.INFO, logger=screen.TOLD):
    runner = launch.build_runner(params, 'train', str(tmp_path / 'run'))
  assert source.descriptions()[kind] in caplog.text
  theirs = {v.name: v.numpy() for v in published.backbone.variables}
  for name in ('block0_layer0/scale:0', 'stem/stem/bn/gamma:0'):
    ours = {
      v.name.replace('/conv2d/bn', '/bn'): v.numpy()
      for v in runner.trainer.model.backbone.variables
    }
    np.testing.assert_array_equal(ours[name], theirs[name])
  runner.run()
  assert (tmp_path / 'run' / 'ckpt-2.index').exists()


def test_the_yaml_rebuilds_the_stock_model(published, tmp_path):
  write_source('tarball', published, str(tmp_path / 'published'))
  report = import_checkpoint.import_checkpoint(
    str(tmp_path / 'published'),
    str(tmp_path / 'imported'),
    gating_activation=GATE,
  )
  config = yaml.safe_load((tmp_path / 'imported' / 'config.yaml').read_text())
  model = config['task']['model']
  assert model['backbone']['movinet'] == {
    'model_id': 'tiny',
    'causal': True,
    'use_positional_encoding': False,
    'conv_type': '2plus1d',
    'se_type': '2plus3d',
    'activation': 'hard_swish',
    'gating_activation': 'grw>hard_sigmoid',
    'average_pooling_type': '2d',
  }
  assert (model['smoothing']['placement'], model['head']['type']) == (
    'none',
    'movinet',
  )
  assert config['task']['train_data']['num_classes'] == CLASSES
  assert not report.initial


def test_another_class_count_makes_a_new_head(published, tmp_path):
  write_source('tarball', published, str(tmp_path / 'published'))
  report = import_checkpoint.import_checkpoint(
    str(tmp_path / 'published'),
    str(tmp_path / 'imported'),
    num_classes=4,
    gating_activation=GATE,
  )
  assert 'grw_classifier_head/classifier/conv2d' in ' '.join(report.initial)
  weights = source.read(str(tmp_path / 'imported'))
  assert weights.architecture.num_classes == 4


def test_a_trainers_own_activations_are_kept(published, tmp_path):
  folder = tmp_path / 'run'
  write_source('trainer', published, str(folder / 'best_ckpt'))
  (folder / 'params.yaml').write_text(
    yaml.safe_dump(
      {
        'task': {
          'model': {
            'activation': 'hard_swish',
            'backbone': {
              'type': 'movinet',
              'movinet': {
                'model_id': 'tiny',
                'gating_activation': 'hard_sigmoid',
              },
            },
          }
        }
      }
    )
  )
  report = import_checkpoint.import_checkpoint(
    str(folder / 'best_ckpt'), str(tmp_path / 'imported')
  )
  assert report.details['activations'].endswith('gates hard_sigmoid')
  config = yaml.safe_load((tmp_path / 'imported' / 'config.yaml').read_text())
  model = config['task']['model']
  assert model['backbone']['movinet']['gating_activation'] == 'hard_sigmoid'
  assert model['head']['movinet_activation'] == 'hard_swish'


def test_the_gate_can_be_set(published, tmp_path):
  write_source('tarball', published, str(tmp_path / 'published'))
  report = import_checkpoint.import_checkpoint(
    str(tmp_path / 'published'),
    str(tmp_path / 'imported'),
    gating_activation='hard_sigmoid',
  )
  assert report.details['activations'].endswith('gates hard_sigmoid')


@pytest.mark.parametrize('family', families_test.FAMILIES)
def test_another_family_is_rebuilt_by_its_experiment(family, tmp_path):
  names, write = families_test.FAMILIES[family]
  state = torch_names_test.drawn(names())
  write(tmp_path / 'published.pth', state)
  report = import_checkpoint.import_checkpoint(
    str(tmp_path / 'published.pth'), str(tmp_path / 'imported')
  )
  assert not report.initial and not report.unused
  path = tmp_path / 'imported' / 'config.yaml'
  assert f'--experiment={family}_kinetics400 ' in path.read_text()
  params = exp_factory.get_exp_config(f'{family}_kinetics400')
  hyperparams.override_params_dict(params, str(path), is_strict=True)
  params.validate()
  task = task_factory.get_task(params.task)
  model = task.build_model()
  task.initialize(model)
  assert len(model.variables) == len(report.matched)
  for variable in model.variables:
    np.testing.assert_array_equal(
      variable,
      families_test.expected_value(variable, state),
      err_msg=variable.name,
    )


def test_weights_of_images_need_a_class_count(tmp_path):
  state = torch_names_test.drawn(
    families_test.of_images(families_test.small_focalnet())
  )
  torch_writer.save(tmp_path / 'focalnet.pth', {'model': state})
  with pytest.raises(ValueError, match='give --num_classes'):
    import_checkpoint.import_checkpoint(
      str(tmp_path / 'focalnet.pth'), str(tmp_path / 'imported')
    )
  assert not (tmp_path / 'imported').exists()
  report = import_checkpoint.import_checkpoint(
    str(tmp_path / 'focalnet.pth'), str(tmp_path / 'imported'), num_classes=5
  )
  assert 'temporal branch' in str(report)
  found = source.read(str(tmp_path / 'imported')).architecture
  assert (found.family, found.num_classes, found.backbone.images) == (
    'videofocalnet',
    5,
    False,
  )


class Hostile:
  def __reduce__(self):
    return os.system, ('touch ran',)


def test_a_hostile_file_ends_in_one_line_and_no_output(tmp_path):
  with zipfile.ZipFile(tmp_path / 'a0s_grw.pt', 'w') as archive:
    archive.writestr('a0s_grw/data.pkl', pickle.dumps(Hostile(), 2))
  done = run_tool(
    f'--source={tmp_path}/a0s_grw.pt', f'--output_dir={tmp_path}/imported'
  )
  assert done.returncode == 1
  last = done.stderr.strip().split('\n')[-1]
  assert last.startswith(f'error: {tmp_path}/a0s_grw.pt is refused')
  assert 'Traceback' not in done.stderr
  assert [path.name for path in tmp_path.iterdir()] == ['a0s_grw.pt']
  assert not pathlib.Path('ran').exists()


def test_a_folder_in_use_is_not_touched(tmp_path):
  (tmp_path / 'notes').write_text('mine')
  with pytest.raises(ValueError, match='not an empty folder'):
    import_checkpoint.import_checkpoint('unread', str(tmp_path))
  assert (tmp_path / 'notes').read_text() == 'mine'


def test_a_backbone_alone_needs_a_class_count(published, tmp_path):
  tf.train.Checkpoint(model=published.backbone).save(
    str(tmp_path / 'published' / 'ckpt')
  )
  with pytest.raises(ValueError, match='give --num_classes'):
    import_checkpoint.import_checkpoint(
      str(tmp_path / 'published'), str(tmp_path / 'imported')
    )


def test_an_unregistered_model_id_is_an_error(published, tmp_path, monkeypatch):
  write_source('tarball', published, str(tmp_path / 'published'))
  monkeypatch.delitem(movinet.BLOCK_SPECS, 'tiny')
  with pytest.raises(ValueError, match='register its specification'):
    import_checkpoint.import_checkpoint(
      str(tmp_path / 'published'), str(tmp_path / 'imported')
    )
