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
"""The wheel does its work in an environment away from the checkout.

The environment has nothing of the project but the wheel.  Libraries are those
of the environment that the test runs in, found by their folder alone, so that
an editable install there has no effect here.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest

from official_ext.grw.files import extras
from tests import tiny
from tests import video_files

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASSES = ('still', 'right', 'down')
# Runs a program with a MoViNet of one block, which trains in seconds, and with
# some modules as if they were not installed.
WITH_TINY_MOVINET = """
import runpy
import sys

from official.projects.movinet.modeling import movinet

movinet.BLOCK_SPECS['tiny'] = (
  movinet.StemSpec(filters=8, kernel_size=(1, 3, 3), strides=(1, 2, 2)),
  movinet.MovinetBlockSpec(
    base_filters=8,
    expand_filters=(16,),
    kernel_sizes=((3, 3, 3),),
    strides=((1, 2, 2),),
  ),
  movinet.HeadSpec(project_filters=32, head_filters=32),
)
sys.modules.update(dict.fromkeys(sys.argv[1].split(',')))
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(name='wheel', scope='module')
def wheel_fixture(tmp_path_factory):
  """The wheel, built from a copy: building writes beside the sources."""
  source = tmp_path_factory.mktemp('source')
  for name in (
    'pyproject.toml',
    'setup.py',
    'requirements.txt',
    'README.md',
    'LICENSE',
  ):
    shutil.copy(ROOT / name, source)
  for name in ('configs', 'official_ext'):
    shutil.copytree(
      ROOT / name,
      source / name,
      ignore=shutil.ignore_patterns('__pycache__'),
    )
  folder = tmp_path_factory.mktemp('wheel')
  run(
    *(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index'),
    *('--no-build-isolation', f'--wheel-dir={folder}', str(source)),
    cwd=folder,
  )
  [wheel] = folder.glob('*.whl')
  return wheel


@pytest.fixture(name='environment', scope='module')
def environment_fixture(wheel, tmp_path_factory):
  """A virtual environment with the wheel."""
  folder = tmp_path_factory.mktemp('environment')
  venv.create(folder, symlinks=True)
  python = folder / 'bin' / 'python'
  run(
    *(sys.executable, '-m', 'pip', '--python', str(python), 'install'),
    *('--no-deps', '--no-index', str(wheel)),
    cwd=folder,
  )
  [site] = folder.glob('lib/python*/site-packages')
  paths = sysconfig.get_paths()
  # Of the folders that a .pth file names, no .pth files are read.
  (site / 'libraries.pth').write_text(
    '\n'.join(dict.fromkeys([paths['purelib'], paths['platlib']]))
  )
  return folder


def run(*command, cwd):
  """Runs a command without what points at the checkout; returns its output."""
  environment = {
    key: value
    for key, value in os.environ.items()
    if key not in ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV')
  }
  process = subprocess.run(
    command,
    cwd=cwd,
    env=environment,
    capture_output=True,
    text=True,
    encoding='utf-8',
  )
  assert process.returncode == 0, process.stderr[-3000:]
  return process.stdout


def test_the_wheel_holds_the_package_and_every_published_file(wheel):
  names = set(zipfile.ZipFile(wheel).namelist())
  for path in (ROOT / 'official_ext').rglob('*.py'):
    assert str(path.relative_to(ROOT)) in names
  for path in (ROOT / 'official_ext/grw/serving/web').iterdir():
    assert str(path.relative_to(ROOT)) in names
  for path in (ROOT / 'configs').rglob('*.yaml'):
    name = path.relative_to(ROOT / 'configs')
    assert f'official_ext/grw/configs/yaml_files/{name}' in names
  # A namespace that other extensions share.
  assert 'official_ext/__init__.py' not in names
  tops = {name.split('/')[0] for name in names}
  [metadata] = tops - {'official_ext'}
  assert re.fullmatch(r'grw_smoothing-\d+\.\d+\.\d+\.dist-info', metadata)


def test_the_package_and_its_files_are_those_of_the_environment(environment):
  found = run(
    str(environment / 'bin' / 'python'),
    '-c',
    'import official_ext.grw as grw\n'
    'from official_ext.grw.configs import published\n'
    'print(grw.__file__, published.find("sweeps/table4"), sep="\\n")',
    cwd=environment,
  )
  for path in found.splitlines():
    assert pathlib.Path(path).is_relative_to(environment), path


def test_the_command_trains_exports_and_predicts(environment, tmp_path):
  binaries = environment / 'bin'
  (tmp_path / 'with_tiny_movinet.py').write_text(WITH_TINY_MOVINET)
  tiny_grw = [str(binaries / 'python'), 'with_tiny_movinet.py']
  (tmp_path / 'labels.txt').write_text('\n'.join(CLASSES))
  overrides = tiny.merged(
    tiny.overrides(
      tiny.write_records(tmp_path / 'train.tfrecord', [0, 1, 2, 0]),
      tiny.write_records(tmp_path / 'valid.tfrecord', [0, 1, 2, 0], 1),
      train_steps=2,
    ),
    {'task': {'labels': 'labels.txt'}},
  )
  small = tiny.write_yaml(tmp_path / 'small.yaml', overrides)
  experiment = '--experiment=movinet_grw_kinetics600'
  run(
    # Training needs no library of an extra.
    *(*tiny_grw, ','.join(extras.EXTRAS.keys() - {'ai_edge_litert'})),
    *(binaries / 'grw', 'train', '--mode=train', '--model_dir=model'),
    experiment,
    *('--config_file=movinet_a0_stream_grw_k600', f'--config_file={small}'),
    cwd=tmp_path,
  )
  assert (tmp_path / 'model' / 'ckpt-2.index').exists()

  run(
    *(*tiny_grw, 'apache_beam,av,google_crc32c', binaries / 'grw'),
    *('export', 'tflite', experiment, '--checkpoint=model'),
    *('--config_file=model/params.yaml', '--output_dir=exported'),
    cwd=tmp_path,
  )
  video = video_files.write_frames(
    tmp_path / 'a.mp4', tiny.clip(1, seed=5, frames=10, size=48), rate=5
  )
  shown = run(
    *(binaries / 'grw', 'predict', '--model=exported', f'--video={video}'),
    cwd=tmp_path,
  )
  lines = shown.splitlines()
  assert lines[0].startswith('After 10 frames')
  assert {line.split()[-1] for line in lines[1:] if '%' in line} == set(CLASSES)
