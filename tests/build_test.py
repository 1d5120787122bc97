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
"""BUILD knows every room and requirement, and imports point one way.

Bazel itself is not needed: BUILD's two lists are literals, and the imports of
the sources are read with `ast`.
"""

import ast
import functools
import pathlib
import re
import sys

import pytest

from official_ext.grw.commands import main
from official_ext.grw.files import extras

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'official_ext' / 'grw'

# A room imports rooms of its own line and of the lines above it.
LAYERS = (
  ('files', 'compat'),
  ('losses', 'optimization'),
  ('configs', 'backbones', 'checkpoints', 'datasets', 'heads'),
  ('modeling', 'evaluation'),
  ('tasks', 'serving', 'inference'),
  ('training',),
  ('registry_imports',),
  ('reports',),
  ('commands',),
)
# Names of distributions that differ from those of their modules.
DISTRIBUTIONS = {
  'absl': 'absl-py',
  'ai_edge_litert': 'ai-edge-litert',
  'ai_edge_quantizer': 'ai-edge-quantizer',
  'apache_beam': 'apache-beam',
  'cv2': 'opencv-python-headless',
  'gin': 'gin-config',
  'google_crc32c': 'google-crc32c',
  'google': 'protobuf',
  'official': 'tf-models-official',
  'orbit': 'tf-models-official',
  'sklearn': 'scikit-learn',
  'tensorflow_datasets': 'tensorflow-datasets',
  'tf_keras': 'tf-keras',
  'yaml': 'pyyaml',
}


def build_list(name: str) -> list[str]:
  """A list of strings that BUILD assigns to `name`."""
  for node in ast.parse((ROOT / 'BUILD').read_text()).body:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
      return ast.literal_eval(node.value)
  raise AssertionError(f'BUILD assigns no {name}')


@functools.cache
def imports(path: pathlib.Path, but_in: str = '') -> list[tuple[int, str]]:
  """The line and the full name of what a file imports, but in one function."""
  tree = ast.parse(path.read_text())
  left_out = {
    inside
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef) and node.name == but_in
    for inside in ast.walk(node)
  }
  found = []
  for node in set(ast.walk(tree)) - left_out:
    if isinstance(node, ast.Import):
      found += [(node.lineno, alias.name) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      found += [
        (node.lineno, f'{node.module}.{alias.name}') for alias in node.names
      ]
  return found


def wrong_way(path: pathlib.Path, room: str) -> list[str]:
  """What a file of `room` imports that it must not know."""
  layer = {name: i for i, names in enumerate(LAYERS) for name in names}
  found = []
  for line, name in imports(path):
    parts = name.split('.')
    where = f'{path.name}:{line} of {room or "the package"}: {name}'
    if parts[0] in ('tests', 'tools'):
      found.append(f'{where} is outside the package')
    if parts[:2] != ['official_ext', 'grw'] or parts[2:] == ['__version__']:
      continue
    if any(re.match('_[^_]', part) for part in parts):
      found.append(f'{where} is private')
    other = parts[2] if len(parts) > 2 else ''
    if room in layer and layer.get(other, len(LAYERS)) > layer[room]:
      found.append(f'{where} comes after it')
  return found


def reached(command: str) -> set[str]:
  """The top-level modules that a command imports, and what it imports imports.

  Args:
    command: the module of the command; or 'export NAME', of an export format:
      alone of all, it imports what the format writes with.
  """
  _, _, kind = command.partition(' ')
  path = PACKAGE / 'commands' / f'{command}.py'
  if kind:
    path = PACKAGE / 'serving' / f'{kind}_format.py'
  found, seen, left = set(), set(), [path]
  while left:
    path = left.pop()
    if path in seen:
      continue
    seen.add(path)
    writes = kind or not path.name.endswith('_format.py')
    for _, name in imports(path, '' if writes else 'write'):
      parts = name.split('.')
      if parts[0] != 'official_ext':
        found.add(parts[0])
        continue
      # The last part may be a name in a module.
      files = [
        ROOT.joinpath(*parts[:end]).with_suffix('.py') for end in (-1, 9)
      ]
      left += [file for file in files if file.is_file()]
  return found


# What only weights of one kind need, whatever the command.
ASKED_FOR = {'kagglehub'}
# What is to be installed for each command besides what training needs.
EXTRA_OF = {
  'convert': 'convert',
  'demo': None,
  'export saved_model': 'export',
  'export tflite': 'export',
  'export web': 'export',
  'import_checkpoint': 'predict',  # Of TFLite files, for what it reports.
  'inspect': None,
  'predict': 'predict',
  'smoothing_scale': None,
  'sweep': None,
  'table': 'export',
  'train': None,
}


def test_every_command_has_its_extra():
  assert sorted(EXTRA_OF) == sorted(
    command.module for command in main.commands().values()
  )


@pytest.mark.parametrize('command, extra', EXTRA_OF.items())
def test_a_command_needs_one_extra_at_most(command, extra):
  pyproject = (ROOT / 'pyproject.toml').read_text()
  installed = {None: ''}
  for name, listed in re.findall(
    r'^(\w+) = \[(.*?)\]$', pyproject, re.M | re.S
  ):
    installed[name] = listed.replace('-', '_')
  needed = reached(command) & set(extras.EXTRAS) - ASKED_FOR
  assert bool(needed) == (extra is not None)
  for module in needed:
    assert f'"{module}>=' in installed[extra], module


def test_build_lists_the_rooms_of_the_package():
  rooms = sorted(path.parent.name for path in PACKAGE.glob('*/__init__.py'))
  assert build_list('ROOMS') == rooms
  assert {name for names in LAYERS for name in names} == {
    *rooms,
    'registry_imports',
  }


def test_build_lists_the_requirements_that_the_package_imports():
  standard = {'official_ext', '__future__', *sys.stdlib_module_names}
  modules = {
    name.split('.')[0]
    for path in PACKAGE.rglob('*.py')
    for _, name in imports(path)
  } - standard
  assert build_list('THIRD_PARTY') == sorted(
    {DISTRIBUTIONS.get(name, name) for name in modules}
  )


def test_bazel_has_every_requirement():
  """MODULE.bazel installs from the lock, which fixes every version."""
  lock = (ROOT / 'requirements_lock.txt').read_text().lower().replace('_', '-')
  missing = [
    name for name in build_list('THIRD_PARTY') if f'\n{name}==' not in lock
  ]
  assert not missing
  assert (
    'requirements_lock = "//:requirements_lock.txt"'
    in (ROOT / 'MODULE.bazel').read_text()
  )


def test_imports_point_one_way_and_at_public_names():
  problems = []
  for path in PACKAGE.rglob('*.py'):
    room = path.relative_to(PACKAGE).parts[0]
    problems += wrong_way(path, room if not room.endswith('.py') else '')
  assert not problems, '\n'.join(problems)


@pytest.mark.parametrize(
  'line, problem',
  [
    ('from official_ext.grw.tasks import grw_ensemble', 'comes after it'),
    ('from official_ext.grw import train', 'comes after it'),
    ('from official_ext.grw.losses import _private', 'is private'),
    ('from tests import tiny', 'is outside the package'),
    ('from official_ext.grw.losses import orderings', None),
  ],
)
def test_a_wrong_import_is_found(tmp_path, line, problem):
  path = tmp_path / 'module.py'
  path.write_text(f'def inside():\n  {line}\n')
  found = wrong_way(path, 'modeling')
  assert len(found) == (problem is not None)
  assert problem is None or problem in found[0]
