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
"""BUILD declares every source file and exactly what each target imports.

Bazel itself is not needed: BUILD is read as the Python expression that Starlark
shares with it, the sources with `ast`, and the two are compared. Importing a
module runs the `__init__.py` of each package above it, so a target depends on
the targets that hold those files too. Every message ends in the line to write.
"""

import ast
import collections
from collections.abc import Iterable, Iterator
import dataclasses
import functools
import importlib.metadata
import pathlib
import re
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCE_FOLDERS = ('official_ext', 'tests', 'tools')
PYTEST_MAIN = 'tests/pytest_main.py'
RULES = ('py_library', 'py_binary', 'py_test', 'filegroup')

# What a package of official_ext/grw/ must not import: the way of imports is
# tools -> tasks, serving -> modeling -> losses, and what all of these share
# (configs, optimization, checkpoints, datasets) knows nothing of the tasks.
FORBIDDEN_IMPORTS = {
  'losses': {'modeling', 'tasks', 'serving'},
  'modeling': {'tasks', 'serving'},
  'configs': {'tasks', 'serving'},
  'optimization': {'tasks', 'serving'},
  'checkpoints': {'tasks', 'serving'},
  'datasets': {'tasks', 'serving'},
}


@dataclasses.dataclass(frozen=True)
class Target:
  """One rule of BUILD.

  Attributes:
    rule: 'py_library', 'py_binary', 'py_test' or 'filegroup'.
    name: the label without its colon.
    line: the line of BUILD that the rule starts on, 0 if it is not there yet.
    srcs: paths relative to the folder of BUILD.
    deps: ':name' for a target here, '@name' for a requirement.
    data: paths, or ':name' for a target here.
    main: the file that a binary or a test runs, or ''.
    args: the arguments that it runs with.
  """

  rule: str
  name: str
  line: int = 0
  srcs: tuple[str, ...] = ()
  deps: frozenset[str] = frozenset()
  data: tuple[str, ...] = ()
  main: str = ''
  args: tuple[str, ...] = ()


def normalized(requirement: str) -> str:
  """Returns the name of a distribution as package indexes compare it."""
  return re.sub(r'[-_.]+', '-', requirement).lower()


def _value(node: ast.expr, root: pathlib.Path):
  """Evaluates the part of Starlark that BUILD uses."""
  match node:
    case ast.Constant(value=value):
      return value
    case ast.List(elts=items):
      return [_value(item, root) for item in items]
    case ast.BinOp(left=left, op=ast.Add(), right=right):
      return _value(left, root) + _value(right, root)
    case ast.Call(func=ast.Name(id='requirement'), args=[name]):
      return '@' + normalized(_value(name, root))
    case ast.Call(func=ast.Name(id='glob'), args=[patterns], keywords=[]):
      # Bazel's ** matches files, pathlib's before 3.13 only folders.
      return sorted(
        path.relative_to(root).as_posix()
        for pattern in _value(patterns, root)
        for path in root.glob(re.sub(r'\*\*$', '**/*', pattern))
        if path.is_file() and '__pycache__' not in path.parts
      )
  raise ValueError(
    f'BUILD:{node.lineno}: {ast.unparse(node)!r} is more Starlark than this '
    'test reads; write a constant, a list, a sum of lists, glob([...]) or '
    'requirement("...")'
  )


def read_build(root: pathlib.Path) -> list[Target]:
  """Returns the targets of `root`/BUILD.

  Args:
    root: the folder of BUILD.

  Returns:
    The targets, in the order of the file.

  Raises:
    ValueError: for an unknown rule, a name used twice, or Starlark beyond what
      this reads.
  """
  targets: dict[str, Target] = {}
  for statement in ast.parse((root / 'BUILD').read_text()).body:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Constant):
      continue  # A comment in string form.
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
      raise ValueError(
        f'BUILD:{statement.lineno}: expected a rule, got '
        f'{ast.unparse(statement)!r}'
      )
    rule = call.func.id
    if rule in ('load', 'package', 'licenses', 'exports_files'):
      continue
    if rule not in RULES:
      raise ValueError(
        f'BUILD:{call.lineno}: unknown rule {rule!r}, expected one of '
        f'{", ".join(RULES)}'
      )
    given = {k.arg: _value(k.value, root) for k in call.keywords}
    target = Target(
      rule=rule,
      name=given['name'],
      line=call.lineno,
      srcs=tuple(given.get('srcs', ())),
      deps=frozenset(given.get('deps', ())),
      data=tuple(given.get('data', ())),
      main=given.get('main', ''),
      args=tuple(given.get('args', ())),
    )
    if target.name in targets:
      raise ValueError(
        f'BUILD:{target.line}: the name {target.name!r} is taken by line '
        f'{targets[target.name].line}'
      )
    targets[target.name] = target
  return list(targets.values())


def source_files(root: pathlib.Path) -> list[str]:
  """Returns the Python files of the project, relative to `root`.

  The scripts that once made the test data are data like what they made.
  """
  return sorted(
    path.relative_to(root).as_posix()
    for folder in SOURCE_FOLDERS
    for path in (root / folder).rglob('*.py')
    if not path.is_relative_to(root / 'tests/testdata')
  )


def module_name(file: str) -> str:
  """Returns the dotted name that `file` is imported by."""
  return file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')


@functools.cache
def _parse(path: pathlib.Path) -> ast.Module:
  return ast.parse(path.read_text(), filename=str(path))


def imports_of(
  path: pathlib.Path,
) -> Iterator[tuple[str, str | None, str, int]]:
  """Yields every import of a file, also those inside functions.

  Args:
    path: the file.

  Yields:
    (module, member, alias, line): `from module import member as alias`, or with
    the member None `import module as alias`.
  """
  for node in ast.walk(_parse(path)):
    if isinstance(node, ast.Import):
      for name in node.names:
        yield name.name, None, name.asname or name.name, node.lineno
    elif isinstance(node, ast.ImportFrom):
      if node.level:
        raise ValueError(
          f'{path}:{node.lineno}: relative import; write the full name of the '
          'module, as the Model Garden does'
        )
      for name in node.names:
        yield (
          str(node.module),
          name.name,
          name.asname or name.name,
          node.lineno,
        )


def imported_module(
  module: str, member: str | None, modules: dict[str, str]
) -> str:
  """Returns the module that an import names: `member` may be one itself."""
  submodule = f'{module}.{member}'
  return submodule if submodule in modules else module


def executed_files(module: str, modules: dict[str, str]) -> Iterator[str]:
  """Yields the file of `module` and the `__init__.py` of packages above it."""
  parts = module.split('.')
  for end in range(1, len(parts) + 1):
    file = modules.get('.'.join(parts[:end]))
    if file:
      yield file


@functools.cache
def _distributions() -> dict[str, list[str]]:
  return {
    top: sorted(set(names))
    for top, names in importlib.metadata.packages_distributions().items()
  }


@functools.cache
def distribution_of(module: str) -> str | None:
  """Returns the installed distribution that `module` comes from."""
  names = _distributions().get(module.split('.')[0], [])
  if len(names) > 1:  # Several share one namespace, as google.* do.
    prefix = module.replace('.', '/')
    names = [
      name
      for name in names
      if any(
        str(file).startswith((prefix + '/', prefix + '.py'))
        for file in importlib.metadata.files(name) or ()
      )
    ]
  return normalized(names[0]) if names else None


def required_deps(
  target_files: Iterable[str], root: pathlib.Path, owners: dict[str, str]
) -> dict[str, str]:
  """Returns what the sources of one target need.

  Args:
    target_files: the target's sources.
    root: the folder of BUILD.
    owners: the name of the target that holds each source file.

  Returns:
    For each dependency as `Target.deps` writes it, the first place that needs
    it ('file:line imports module').
  """
  modules = {module_name(file): file for file in source_files(root)}
  needed: dict[str, str] = {}
  own = set(target_files)
  for file in sorted(own):
    if not (root / file).is_file():
      continue  # Another message says so.
    wanted = [
      (imported_module(module, member, modules), module, line)
      for module, member, _, line in imports_of(root / file)
    ]
    wanted.append((module_name(file), '', 0))  # The packages it lies in.
    for module, written, line in wanted:
      top = module.split('.')[0]
      place = f'{file}:{line} imports {module}' if line else f'{file} is in it'
      if top in SOURCE_FOLDERS:
        for executed in executed_files(module, modules):
          if executed in own:
            continue
          # An unowned file is told by its own message.
          if executed in owners:
            needed.setdefault(':' + owners[executed], place)
      elif top not in sys.stdlib_module_names and top != '__future__':
        name = distribution_of(written)
        if name is None:
          raise ValueError(
            f'{file}:{line}: {module!r} is neither in the standard library, '
            'nor in this project, nor installed'
          )
        needed.setdefault('@' + name, place)
    # pytest runs the conftest.py of every folder above a test.
    if file.endswith('_test.py'):
      for folder in pathlib.PurePosixPath(file).parents:
        conftest = str(folder / 'conftest.py')
        if conftest in owners and conftest not in own:
          needed.setdefault(':' + owners[conftest], f'{file} runs under it')
  return needed


def _as_written(dep: str) -> str:
  return f'requirement("{dep[1:]}")' if dep[0] == '@' else f'"{dep}"'


def new_target(file: str, root: pathlib.Path, owners: dict[str, str]) -> Target:
  """Returns the target that `file`, which is in none, should be in.

  Args:
    file: the source file.
    root: the folder of BUILD.
    owners: the name of the target that holds each source file.
  """
  path = pathlib.PurePosixPath(file)
  if file.endswith('_test.py'):
    return Target(
      rule='py_test',
      name='_'.join(path.with_suffix('').parts[1:]),
      srcs=(file, PYTEST_MAIN),
      args=(file,),
      main=PYTEST_MAIN,
    )
  if file.startswith('tools/'):
    return Target(rule='py_binary', name=path.stem, srcs=(file,), main=file)
  if file.startswith('tests/'):  # A module that tests share.
    name = '_'.join(path.with_suffix('').parts)
    return Target(rule='py_library', name=name, srcs=(file,))
  if str(path.parent) == 'official_ext/grw':
    # A module that is no part of a package is a library of its own; the plain
    # name is the tool's, where there is one.
    tool = (root / 'tools' / path.name).exists()
    name = path.stem + ('_lib' if tool else '')
    return Target(rule='py_library', name=name, srcs=(file,))
  package = tuple(
    other
    for other in source_files(root)
    if pathlib.PurePosixPath(other).parent == path.parent
    and other not in owners
  )
  name = '_'.join(path.parts[2:-1])
  return Target(rule='py_library', name=name, srcs=package)


def as_text(target: Target) -> str:
  """Returns `target` as BUILD writes it."""

  def listed(key: str, values: Iterable[str]) -> list[str]:
    items = [f'        {value},' for value in values]
    return [f'    {key} = [', *items, '    ],'] if items else []

  return '\n'.join([
    f'{target.rule}(',
    f'    name = "{target.name}",',
    *(
      ['    testonly = True,']
      if target.rule == 'py_library' and target.srcs[0].startswith('tests/')
      else []
    ),
    *listed('srcs', (f'"{src}"' for src in target.srcs)),
    *listed('args', (f'"{arg}"' for arg in target.args)),
    *([f'    main = "{target.main}",'] if target.main else []),
    *listed('deps', map(_as_written, in_order(target.deps))),
    ')',
  ])  # fmt: skip


def in_order(deps: Iterable[str]) -> list[str]:
  """Returns dependencies as BUILD lists them: ours first, by name."""
  return sorted(deps, key=lambda dep: (dep[0] == '@', dep))


def build_problems(root: pathlib.Path) -> list[str]:
  """Returns what is wrong with `root`/BUILD, each with the line to write."""
  targets = read_build(root)
  names = {target.name for target in targets}
  problems = []

  owners: dict[str, str] = {}
  for target in targets:
    if target.rule != 'filegroup' and not target.srcs:
      problems.append(f'BUILD:{target.line}: {target.name!r} has no srcs')
    for src in target.srcs:
      if not (root / src).is_file():
        problems.append(
          f'BUILD:{target.line}: target {target.name!r} lists {src!r}, which '
          'does not exist; remove it from srcs'
        )
      elif src == PYTEST_MAIN or target.rule == 'filegroup':
        continue  # The `main` of every test; files that tests read.
      elif src in owners:
        problems.append(
          f'BUILD:{target.line}: {src!r} is in {target.name!r} and in '
          f'{owners[src]!r}; remove it from one'
        )
      else:
        owners[src] = target.name
    for item in target.data:
      missing = (
        item[1:] not in names if item[0] == ':' else not (root / item).exists()
      )
      if missing:
        problems.append(
          f'BUILD:{target.line}: target {target.name!r} lists data {item!r}, '
          'which does not exist; remove it'
        )

  proposed: list[Target] = []
  for file in source_files(root):
    if file in owners or file == PYTEST_MAIN:
      continue
    target = new_target(file, root, owners)
    owners |= dict.fromkeys(set(target.srcs) - {PYTEST_MAIN}, target.name)
    if target.name in names:
      problems.append(
        f'{file} is in no target; add to srcs of {target.name!r}:\n'
        + '\n'.join(f'        "{src}",' for src in target.srcs)
      )
    else:
      proposed.append(target)
  # Once all are named, so that they can name each other.
  for target in proposed:
    needed = required_deps(target.srcs, root, owners)
    text = as_text(dataclasses.replace(target, deps=frozenset(needed)))
    problems.append(f'{target.srcs[0]} is in no target; add to BUILD:\n{text}')

  for target in targets:
    if target.rule == 'filegroup':
      continue
    where = f'BUILD:{target.line}: target {target.name!r}'
    needed = required_deps(target.srcs, root, owners)
    for dep in in_order(needed.keys() - target.deps):
      problems.append(
        f'{where} does not declare what it imports ({needed[dep]}); add to '
        f'deps:\n        {_as_written(dep)},'
      )
    for dep in in_order(target.deps - needed.keys()):
      problems.append(
        f'{where} declares what it does not import; remove from deps:\n'
        f'        {_as_written(dep)},'
      )
    for src in target.srcs:
      wanted = (
        'py_test'
        if src.endswith('_test.py')
        else 'py_binary'
        if src.startswith('tools/') and not src.endswith('__init__.py')
        else None
      )
      if wanted and target.rule != wanted:
        problems.append(f'{where} holds {src!r} and must be a {wanted}')
    if target.rule == 'py_test':
      tests = [src for src in target.srcs if src != PYTEST_MAIN]
      if target.main != PYTEST_MAIN or list(target.args) != tests:
        problems.append(
          f'{where} must run its own test; write:\n'
          f'    args = ["{tests[0] if tests else ""}"],\n'
          f'    main = "{PYTEST_MAIN}",'
        )
      if len(tests) != 1:
        problems.append(f'{where} must hold one test file, not {len(tests)}')

  cycle = _first_cycle({target.name: target.deps for target in targets})
  if cycle:
    problems.append('targets depend on each other: ' + ' -> '.join(cycle))
  return problems


def _first_cycle(deps: dict[str, frozenset[str]]) -> list[str]:
  """Returns the names along one cycle of targets, or []."""
  done: set[str] = set()

  def visit(name: str, path: list[str]) -> list[str]:
    if name in path:
      return path[path.index(name) :] + [name]
    if name in done:
      return []
    for dep in sorted(deps.get(name, ())):
      if dep[0] == ':' and (cycle := visit(dep[1:], path + [name])):
        return cycle
    done.add(name)
    return []

  return next(filter(None, (visit(name, []) for name in deps)), [])


def import_problems(root: pathlib.Path) -> list[str]:
  """Returns the imports that go the wrong way or reach for private names."""
  modules = {module_name(file): file for file in source_files(root)}
  problems = []
  for file in source_files(root):
    parts = pathlib.PurePosixPath(file).parts
    package = parts[2] if parts[:2] == ('official_ext', 'grw') else ''
    aliases = {}
    for module, member, alias, line in imports_of(root / file):
      target = imported_module(module, member, modules)
      top, *rest = target.split('.')
      if top not in SOURCE_FOLDERS:
        continue
      where = f'{file}:{line}: imports {target}'
      if parts[0] == 'official_ext' and top != 'official_ext':
        problems.append(f'{where}, but the package does not know {top}/')
      if parts[0] == 'tools' and top == 'tests':
        problems.append(f'{where}, but a tool does not know the tests')
      if rest[:1] == ['grw'] and len(rest) > 1:
        if rest[1] in FORBIDDEN_IMPORTS.get(package, ()):
          problems.append(
            f'{where}, but {package}/ comes before {rest[1]}/: tools -> '
            'tasks, serving -> modeling -> losses'
          )
      if target == module and member and _is_private(member):
        problems.append(f'{where}.{member}, which is private to that module')
      if target != module or member is None:
        aliases[alias] = target
    for node in ast.walk(_parse(root / file)):
      if isinstance(node, ast.Attribute) and _is_private(node.attr):
        owner = ast.unparse(node.value)
        if owner in aliases:
          problems.append(
            f'{file}:{node.lineno}: uses {owner}.{node.attr}, which is private '
            f'to {aliases[owner]}'
          )
  return problems


def _is_private(name: str) -> bool:
  return name.startswith('_') and not name.endswith('__')


def test_build_covers_every_source_file_and_import():
  problems = build_problems(ROOT)
  assert not problems, '\n\n'.join(['BUILD needs:', *problems])


def test_imports_point_one_way_and_at_public_names():
  problems = import_problems(ROOT)
  assert not problems, '\n'.join(problems)


def test_bazel_knows_every_requirement():
  """MODULE.bazel installs from the lock, which fixes every version."""
  locked = {
    normalized(line.split('==')[0])
    for line in (ROOT / 'requirements_lock.txt').read_text().splitlines()
    if '==' in line
  }
  used: dict[str, list[str]] = collections.defaultdict(list)
  for target in read_build(ROOT):
    for dep in target.deps:
      if dep[0] == '@':
        used[dep[1:]].append(target.name)
  missing = {name: where for name, where in used.items() if name not in locked}
  assert not missing, f'not in requirements_lock.txt: {missing}'
  assert 'requirements_lock = "//:requirements_lock.txt"' in (
    ROOT / 'MODULE.bazel'
  ).read_text()


def test_every_imported_package_is_a_declared_requirement():
  """What the package imports comes with it, not by way of something else."""
  runtime = {
    normalized(re.split(r'[<>=!~;\s]', line)[0])
    for line in (ROOT / 'requirements.txt').read_text().splitlines()
    if line and line[0] != '#'
  }
  test_extra = re.search(
    r'^test = (\[.*?^\])', (ROOT / 'pyproject.toml').read_text(), re.M | re.S
  )
  assert test_extra
  for_tests = {
    normalized(re.split(r'[<>=!~;\s]', line)[0])
    for line in ast.literal_eval(test_extra.group(1))
  }
  for target in read_build(ROOT):
    declared = set(runtime)
    if all(src.startswith('tests/') for src in target.srcs):
      declared |= for_tests
    missing = {dep[1:] for dep in target.deps if dep[0] == '@'} - declared
    assert not missing, (
      f'BUILD:{target.line}: {target.name!r} imports {sorted(missing)}; add it '
      'to requirements.txt (or, for tests alone, to the extra `test` of '
      'pyproject.toml)'
    )


# The checks above are only worth something if they fail on a wrong BUILD: the
# rest runs them on a small project and on broken versions of it.

SOUND_BUILD = """
load("@pypi//:requirements.bzl", "requirement")
load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

py_library(
    name = "grw",
    srcs = ["official_ext/__init__.py", "official_ext/grw/__init__.py"],
)

py_library(
    name = "losses",
    srcs = [
        "official_ext/grw/losses/__init__.py",
        "official_ext/grw/losses/speed.py",
    ],
    deps = [":grw"] + [requirement("numpy")],
)

py_library(
    name = "modeling",
    srcs = [
        "official_ext/grw/modeling/__init__.py",
        "official_ext/grw/modeling/model.py",
    ],
    deps = [":grw", ":losses"],
)

filegroup(
    name = "testdata",
    srcs = glob(["tests/testdata/**"]),
)

py_binary(
    name = "train",
    srcs = ["tools/train.py"],
    deps = [":grw", ":modeling"],
)

py_test(
    name = "losses_speed_test",
    srcs = ["tests/losses/speed_test.py", "tests/pytest_main.py"],
    args = ["tests/losses/speed_test.py"],
    data = [":testdata"],
    main = "tests/pytest_main.py",
    deps = [":grw", ":losses", requirement("pytest")],
)
"""

SOURCES = {
  'official_ext/__init__.py': '',
  'official_ext/grw/__init__.py': '',
  'official_ext/grw/losses/__init__.py': '',
  'official_ext/grw/losses/speed.py': 'import numpy as np\n_SECRET = np.pi\n',
  'official_ext/grw/modeling/__init__.py': '',
  'official_ext/grw/modeling/model.py': (
    'import math\nfrom official_ext.grw.losses import speed\n'
  ),
  'tools/train.py': 'from official_ext.grw.modeling import model\n',
  'tests/pytest_main.py': 'import pytest\n',
  'tests/losses/speed_test.py': 'from official_ext.grw.losses import speed\n',
}


@pytest.fixture
def project(tmp_path):
  """Writes the small project and returns its folder."""
  for file, text in SOURCES.items():
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  (tmp_path / 'BUILD').write_text(SOUND_BUILD)
  return tmp_path


def _replace(project: pathlib.Path, file: str, old: str, new: str) -> None:
  text = (project / file).read_text()
  assert old in text
  (project / file).write_text(text.replace(old, new))
  _parse.cache_clear()


def _write(project: pathlib.Path, file: str, text: str) -> None:
  (project / file).parent.mkdir(parents=True, exist_ok=True)
  (project / file).write_text(text)
  _parse.cache_clear()


def test_a_sound_build_has_no_problems(project):
  assert build_problems(project) == []
  assert import_problems(project) == []


def test_a_new_file_of_a_package_is_named_with_its_line(project):
  _write(project, 'official_ext/grw/losses/order.py', '')
  (problem,) = build_problems(project)
  assert 'official_ext/grw/losses/order.py is in no target' in problem
  assert problem.endswith(
    "srcs of 'losses':\n        \"official_ext/grw/losses/order.py\","
  )


def test_a_module_that_tests_share_is_a_library_of_tests(project):
  _write(project, 'tests/losses/windows.py', 'import numpy\n')
  (problem,) = build_problems(project)
  text = problem.split('\n', 1)[1]
  assert 'name = "tests_losses_windows",\n    testonly = True,' in text
  with (project / 'BUILD').open('a') as build:
    build.write(text)
  assert build_problems(project) == []


def test_a_new_test_is_named_with_a_target_that_mends_it(project):
  _write(
    project,
    'tests/modeling/model_test.py',
    'from official_ext.grw.modeling import model\n',
  )
  (problem,) = build_problems(project)
  message, text = problem.split('\n', 1)
  assert 'tests/modeling/model_test.py is in no target' in message
  with (project / 'BUILD').open('a') as build:
    build.write(text)
  assert build_problems(project) == []


def test_a_new_package_module_and_tool_get_targets_that_mend_them(project):
  _write(project, 'official_ext/grw/serving/__init__.py', '')
  _write(
    project,
    'official_ext/grw/serving/saved_model.py',
    'import numpy\nfrom official_ext.grw.modeling import model\n',
  )
  _write(
    project,
    'official_ext/grw/export.py',
    'from official_ext.grw.serving import saved_model\n',
  )
  _write(
    project, 'tools/export.py', 'from official_ext.grw import export\n'
  )
  problems = build_problems(project)
  assert len(problems) == 3
  with (project / 'BUILD').open('a') as build:
    for problem in problems:
      message, text = problem.split('\n', 1)
      assert message.endswith('is in no target; add to BUILD:')
      build.write(text + '\n')
  assert build_problems(project) == []


def test_a_missing_file_fails(project):
  (project / 'official_ext/grw/losses/speed.py').unlink()
  assert any(
    "'losses' lists 'official_ext/grw/losses/speed.py', which does not exist"
    in problem
    for problem in build_problems(project)
  )


def test_an_undeclared_dependency_between_packages_fails(project):
  _replace(project, 'BUILD', '[":grw", ":losses"],', '[":grw"],')
  (problem,) = build_problems(project)
  assert "'modeling' does not declare what it imports" in problem
  assert 'official_ext/grw/modeling/model.py:2' in problem
  assert problem.endswith('add to deps:\n        ":losses",')


def test_an_undeclared_requirement_fails(project):
  _replace(project, 'BUILD', ' + [requirement("numpy")]', '')
  (problem,) = build_problems(project)
  assert problem.endswith('add to deps:\n        requirement("numpy"),')


def test_an_import_inside_a_function_counts(project):
  _write(
    project, 'official_ext/grw/losses/__init__.py', 'def f():\n  import yaml\n'
  )
  (problem,) = build_problems(project)
  assert problem.endswith('requirement("pyyaml"),')


def test_a_shared_namespace_is_told_apart(project):
  _write(
    project,
    'official_ext/grw/losses/__init__.py',
    'from google.protobuf import message\n',
  )
  (problem,) = build_problems(project)
  assert problem.endswith('requirement("protobuf"),')


def test_an_unused_dependency_fails(project):
  _replace(
    project,
    'BUILD',
    'deps = [":grw", ":losses"],',
    'deps = [":grw", ":losses", ":train"],',
  )
  problems = build_problems(project)
  assert any(
    p.endswith('remove from deps:\n        ":train",') for p in problems
  )
  assert any('modeling -> train -> modeling' in p for p in problems)


def test_a_test_that_runs_another_file_fails(project):
  _replace(
    project,
    'BUILD',
    'args = ["tests/losses/speed_test.py"]',
    'args = ["tests/losses/order_test.py"]',
  )
  (problem,) = build_problems(project)
  assert 'must run its own test' in problem
  assert 'args = ["tests/losses/speed_test.py"],' in problem


def test_a_tool_in_a_library_fails(project):
  _replace(project, 'BUILD', 'py_binary(\n', 'py_library(\n')
  (problem,) = build_problems(project)
  assert "holds 'tools/train.py' and must be a py_binary" in problem


@pytest.mark.parametrize(
  'line, message',
  [
    ('cc_library(name = "x")', "unknown rule 'cc_library'"),
    ('py_library(name = "losses")', "the name 'losses' is taken by line 10"),
    ('py_library(name = "x", srcs = other())', 'more Starlark than'),
    ('x = 1', 'expected a rule'),
  ],
)
def test_a_build_beyond_what_is_read_says_where(project, line, message):
  with (project / 'BUILD').open('a') as build:
    build.write(line + '\n')
  with pytest.raises(ValueError, match=message):
    build_problems(project)


@pytest.mark.parametrize(
  'file, text, message',
  [
    (
      'official_ext/grw/losses/speed.py',
      'from official_ext.grw.modeling import model\n',
      'losses/ comes before modeling/',
    ),
    (
      'official_ext/grw/losses/speed.py',
      'from tools import train\n',
      'the package does not know tools/',
    ),
    (
      'tools/train.py',
      'from official_ext.grw.losses.speed import _SECRET\n',
      'speed._SECRET, which is private to that module',
    ),
    (
      'tools/train.py',
      'from official_ext.grw.losses import speed as s\nprint(s._SECRET)\n',
      r'train.py:2: uses s._SECRET, which is private to official_ext\.grw',
    ),
  ],
)
def test_a_wrong_import_fails(project, file, text, message):
  _write(project, file, textwrap.dedent(text))
  (problem,) = import_problems(project)
  assert re.search(message, problem)
