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
"""What the repository promises: license, requirements, README and make."""

import ast
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess

from packaging import requirements as packaging_requirements
import pytest

from official_ext.grw.commands import main
from official_ext.grw.files import extras

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / 'README.md'

LICENSE_HEADER = (
  '\n'.join((ROOT / 'tests/project_test.py').read_text().splitlines()[:13])
  + '\n'
)
COMMAND_EXTRAS = ('convert', 'export', 'kaggle', 'predict')
SOURCE_FOLDERS = (
  '.ci',
  '.github',
  'configs',
  'docs',
  'official_ext',
  'tests',
  'tools',
)

# Strings of one machine, in two parts so that this file does not hold them.
MACHINE_STRINGS = (
  '/wo' + 'rk/',
  '/tm' + 'p/trial',
  '/ro' + 'ot/',
  '/ho' + 'me/',
  '..' + '/shared',
  'pypi' + '.org',
  'python' + 'hosted.org',
  'npmjs' + '.',
)


def text_files() -> list[pathlib.Path]:
  """Returns the text files of the project, tool caches left out."""
  # In a worktree, .git is a file that says where the repository is.
  files = [
    path for path in ROOT.iterdir() if path.is_file() and path.name != '.git'
  ]
  for folder in SOURCE_FOLDERS:
    files += [path for path in (ROOT / folder).rglob('*') if path.is_file()]
  binary = {'.npz', '.npy', '.png', '.jpg', '.gif', '.mp4', '.pyc', '.tfrecord'}
  return sorted(
    path
    for path in files
    if path.suffix not in binary and not path.name.startswith('.coverage')
  )


def extra_lines(extra: str) -> list[str]:
  """The requirements of an extra in pyproject.toml."""
  [text] = re.findall(
    rf'^{extra} = \[(.*?)\]$',
    (ROOT / 'pyproject.toml').read_text(),
    re.M | re.S,
  )
  return re.findall(r'"([^"]+)"', text)


def requirement_lines() -> list[str]:
  lines = (ROOT / 'requirements.txt').read_text().splitlines()
  return [
    *(line.split('  #')[0] for line in lines if line and line[0] != '#'),
    *(line for extra in COMMAND_EXTRAS for line in extra_lines(extra)),
  ]


def test_pyproject_reads_its_dependencies_from_requirements():
  """There is one list, so the two files cannot disagree."""
  text = (ROOT / 'pyproject.toml').read_text()
  assert 'dynamic = ["dependencies", "version"]' in text
  assert 'dependencies = { file = ["requirements.txt"] }' in text


def test_training_needs_no_library_of_an_extra():
  core = (ROOT / 'requirements.txt').read_text()
  distributions = {
    packaging_requirements.Requirement(line).name
    for extra in COMMAND_EXTRAS
    for line in extra_lines(extra)
  }
  assert not [name for name in distributions if f'\n{name}>' in core]
  # Whichever is missing, the message knows its extra.
  assert {name.replace('-', '_') for name in distributions} == set(
    extras.EXTRAS
  )
  for module, extra in extras.EXTRAS.items():
    assert module.replace('_', '-') in ' '.join(extra_lines(extra))
  assert extra_lines('all') == [f'grw-smoothing[{",".join(COMMAND_EXTRAS)}]']
  assert 'grw-smoothing[all]' in extra_lines('test')


def test_every_place_names_the_same_pythons():
  pyproject = (ROOT / 'pyproject.toml').read_text()
  pythons = re.findall(r'Python :: (3\.\d+)', pyproject)
  first, last = (int(python[2:]) for python in (pythons[0], pythons[-1]))
  assert [f'3.{minor}' for minor in range(first, last + 1)] == pythons
  assert f'requires-python = ">=3.{first},<3.{last + 1}"' in pyproject
  makefile = (ROOT / 'Makefile').read_text()
  assert f'not (3, {first}) <= sys.version_info[:2] <= (3, {last})' in makefile
  for python in pythons:
    assert f' python{python}' in makefile
  for file in ('README.md', 'Makefile', 'requirements.txt'):
    assert f'3.{first} to 3.{last}' in (ROOT / file).read_text(), file
  workflow = (ROOT / '.github/workflows/test.yml').read_text()
  assert f'python: {pythons}' in workflow


def test_the_installed_versions_are_within_the_ranges():
  for line in requirement_lines():
    wanted = packaging_requirements.Requirement(line)
    if wanted.marker is None or wanted.marker.evaluate():
      installed = importlib.metadata.version(wanted.name)
      assert wanted.specifier.contains(installed, prereleases=True), (
        f'requirements.txt asks for {line!r}, installed is {installed}'
      )


def test_the_lock_is_within_the_ranges():
  locked = dict(
    line.split('==')
    for line in (ROOT / 'requirements_lock.txt').read_text().splitlines()
    if line and line[0] != '#'
  )
  versions = {
    re.sub(r'[-_.]+', '-', name).lower(): version
    for name, version in locked.items()
  }
  for line in requirement_lines():
    wanted = packaging_requirements.Requirement(line)
    if wanted.marker is None or wanted.marker.evaluate(
      {'python_version': '3.11'}
    ):
      version = versions[re.sub(r'[-_.]+', '-', wanted.name).lower()]
      assert wanted.specifier.contains(version), (
        f'requirements_lock.txt: {wanted.name}=={version} is not in {line!r}'
      )


def test_every_source_file_starts_with_the_license():
  missing = [
    str(path.relative_to(ROOT))
    for folder in ('official_ext', 'tests', 'tools')
    for path in sorted((ROOT / folder).rglob('*.py'))
    if not re.sub(r'\A#!.*\n', '', path.read_text()).startswith(LICENSE_HEADER)
  ]
  assert not missing, f'without the license header: {missing}'
  text = (ROOT / 'LICENSE').read_text()
  assert 'Apache License' in text
  assert 'END OF TERMS AND CONDITIONS' in text


def test_no_file_names_a_machine():
  found = [
    f'{path.relative_to(ROOT)}: {string!r}'
    for path in text_files()
    for string in MACHINE_STRINGS
    if string in path.read_text(errors='replace')
  ]
  assert not found, '\n'.join(found)


def page_problems(page: pathlib.Path, text: str) -> list[str]:
  """Returns what a page's commands and links name that does not exist.

  Args:
    page: the path of the page, from which links are relative.
    text: the page. Commands are the lines of its fenced blocks, and inline
      code that begins with `make`.

  Returns:
    One message for each file, module, make target or experiment that is not
    there.
  """
  make_targets = set(
    re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.M)
  )
  experiments = {
    name
    for path in (ROOT / 'official_ext').rglob('*.py')
    for name in re.findall(
      r"register_config_factory\(\s*'([^']+)'", path.read_text()
    )
  }
  blocks = re.findall(r'^```\w*\n(.*?)^```', text, re.M | re.S)
  commands = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
  commands += re.findall(r'`(make [^`]+)`', text)
  problems = []

  def expect(exists: bool, what: str, command: str) -> None:
    if not exists:
      problems.append(f'{page.name}: no {what}, in: {command.strip()}')

  for command in commands:
    words = re.sub(r'\s#.*', '', command).split()
    if words[:1] == ['$']:
      words = words[1:]
    if words[:1] == ['make']:
      for word in words[1:]:
        if '=' not in word and not word.startswith('-'):
          expect(word in make_targets, f'make target {word!r}', command)
    if words[:1] == ['grw']:
      names = (' '.join(words[1:end]) for end in (2, 3))
      expect(
        any(name in main.commands() for name in names), 'such command', command
      )
    for index, word in enumerate(words):
      flag, _, value = word.partition('=')
      value = (value if flag.startswith('-') else word).strip('"\'')
      if flag == '--experiment':
        expect(value in experiments, f'experiment {value!r}', command)
      elif words[index - 1 : index] == ['-m'] and value.startswith(
        ('official_ext', 'tools')
      ):
        module = ROOT / value.replace('.', '/')
        expect(
          module.with_suffix('.py').is_file() or module.is_dir(),
          f'module {value!r}',
          command,
        )
      elif value.startswith(
        tuple(f'{folder}/' for folder in SOURCE_FOLDERS)
      ) and not re.search(r'[*<{…$]', value):
        expect((ROOT / value).exists(), f'file {value!r}', command)
  for link in re.findall(r'\]\(([^)#\s]+)[^)]*\)', text):
    if not re.match(r'\w+:', link):
      expect((page.parent / link).exists(), f'file {link!r}', f'link to {link}')
  return problems


@pytest.mark.parametrize(
  'page', [README, *sorted((ROOT / 'docs').glob('*.md'))], ids=lambda p: p.name
)
def test_a_page_names_what_exists(page):
  problems = page_problems(page, page.read_text())
  assert not problems, '\n'.join(problems)


def test_the_readme_is_short_and_links_every_page():
  text = README.read_text()
  assert len(text.splitlines()) <= 180
  missing = [
    page.name
    for page in (ROOT / 'docs').glob('*.md')
    if f'](docs/{page.name})' not in text
  ]
  assert not missing


@pytest.mark.parametrize(
  'command, problem',
  [
    ('make test', None),
    ('$ make tset', "make target 'tset'"),
    ('make test VENV=elsewhere -j2', None),
    ('bash .ci/run', None),
    ('python3 tools/none.py --seeds=3', "file 'tools/none.py'"),
    ('python3 -m official_ext.grw.none', "module 'official_ext.grw.none'"),
    ('python3 -m official_ext.grw', None),
    ('x --config_file=configs/none.yaml', "file 'configs/none.yaml'"),
    ('grw export tflite --checkpoint=x', None),
    ('grw exprt tflite --checkpoint=x', 'no such command'),
    ('x \\\n  --experiment=movinet_grw_none', 'experiment'),
  ],
)
def test_a_readme_command_is_checked(command, problem):
  text = f'# Title\n\n```bash\n{command}\n```\n'
  problems = page_problems(README, text)
  assert len(problems) == (problem is not None)
  assert problem is None or problem in problems[0]


def test_a_readme_link_is_checked():
  text = '[a](LICENSE) [b](https://arxiv.org/abs/2511.20928) [c](none.png)'
  (problem,) = page_problems(README, text)
  assert "no file 'none.png'" in problem


def make(*arguments: str) -> subprocess.CompletedProcess:
  """Runs make in the project without what an outer make tells its children."""
  environment = {
    key: value
    for key, value in os.environ.items()
    if key not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'VENV', 'PYTHON')
  }
  return subprocess.run(
    ['make', *arguments],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
    timeout=60,
  )


def test_make_without_a_python_that_fits_says_what_to_do(tmp_path):
  run = make('lint', f'VENV={tmp_path}/venv', 'PYTHON=false')
  assert run.returncode
  assert 'error: no Python 3.10 to 3.13 in: false' in run.stderr
  assert 'make PYTHON=/path/to/python' in run.stderr
  assert not list(tmp_path.iterdir())


def test_make_starts_an_interrupted_install_over(tmp_path):
  (tmp_path / 'venv').mkdir()
  (tmp_path / 'venv/half').touch()
  (tmp_path / 'venv.incomplete').touch()
  make('lint', f'VENV={tmp_path}/venv', 'PYTHON=false')
  assert not (tmp_path / 'venv').exists()


def test_make_leaves_a_folder_that_is_not_its_own_alone(tmp_path):
  (tmp_path / 'venv').mkdir()
  (tmp_path / 'venv/mine').touch()
  run = make('lint', f'VENV={tmp_path}/venv')
  assert run.returncode
  assert 'exists and is no virtual environment' in run.stderr
  assert (tmp_path / 'venv/mine').exists()


def test_make_refuses_an_environment_with_spaces():
  run = make('lint', 'VENV=a b')
  assert run.returncode
  assert 'VENV must be one path without spaces, got "a b"' in run.stderr


def test_continuous_integration_runs_make_test():
  script = ROOT / '.ci/run'
  assert os.access(script, os.X_OK)
  assert 'make test' in script.read_text()


def test_the_packaged_description_has_the_fields_of_the_sources():
  """Types and defaults are compared where TensorFlow is imported."""
  package = ROOT / 'official_ext' / 'grw'
  described = json.loads((package / 'configs' / 'fields.json').read_text())
  problems = []
  for path in [
    *(package / 'configs').glob('*.py'),
    *package.glob('*/**/config.py'),
  ]:
    module = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for node in ast.parse(path.read_text()).body:
      if not isinstance(node, ast.ClassDef):
        continue
      fields = described['classes'].get(f'{module}.{node.name}')
      for item in node.body if fields is not None else ():
        if isinstance(item, ast.AnnAssign):
          name = ast.unparse(item.target)
          if name not in fields:
            problems.append(f'{node.name}.{name} is not described')
          elif isinstance(item.value, ast.Constant) and (
            item.value.value != fields[name][1]
          ):
            problems.append(f'{node.name}.{name} has another default')
  assert not problems, f'{problems}; run tools/maintenance/describe_configs.py'


def test_the_files_that_contributing_names_exist():
  text = (ROOT / 'CONTRIBUTING.md').read_text()
  named = re.findall(
    r'\b(?:official_ext|tests|configs|docs|tools)/[\w./]*\w/?', text
  )
  assert len(named) > 15
  assert not [path for path in named if not (ROOT / path).exists()]
