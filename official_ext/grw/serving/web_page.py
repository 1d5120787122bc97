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

"""The page that runs a model in a browser: its files, and LiteRT.js.

LiteRT.js is a package of npm with WebAssembly of 19 MB.  It is fetched by npm
when a page is written first, in the version and with the checksums of
`web/package-lock.json`, and kept in the user's cache.
"""

import json
import os
import shutil
import subprocess
import tempfile

_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'web')
_PACKAGE = 'package.json'
_PACKAGE_FILES = (_PACKAGE, 'package-lock.json')
_LITERT = '@litertjs/core'
_WASM_UTILS = '@litertjs/wasm-utils'
# What a page needs, by where it stands in it.  The variants with threads or
# WebGPU need headers that plain servers do not send, and are left out; 'compat'
# is for browsers without relaxed SIMD.
_RUNTIME_FILES = {
  'package.json': f'{_LITERT}/package.json',
  'index.js': f'{_LITERT}/dist/index.js',
  'wasm_utils.js': f'{_WASM_UTILS}/dist/index.js',
  **{
    f'wasm/{name}': f'{_LITERT}/wasm/{name}'
    for variant in ('', '_compat')
    for name in (
      f'litert_wasm{variant}_internal.js',
      f'litert_wasm{variant}_internal.wasm',
    )
  },
}
_SECONDS = 600


def _cache() -> str:
  return os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'grw'
  )


def fetch_runtime() -> str:
  """The folder of LiteRT.js as npm installs it; installs it at the first call.

  Raises:
    ValueError: npm is not there, or cannot install it.
  """
  with open(os.path.join(_SOURCE, _PACKAGE), encoding='utf-8') as file:
    version = json.load(file)['dependencies'][_LITERT]
  folder = os.path.join(_cache(), f'litertjs-{version}')
  if os.path.isdir(folder):
    return os.path.join(folder, 'node_modules')
  npm = shutil.which('npm')
  if npm is None:
    raise ValueError(
      f'npm is not installed, which fetches {_LITERT} {version} for the page: '
      'install Node.js, which brings it (on Debian and Ubuntu: apt-get install '
      'npm), and export again. Only the first export needs it.'
    )
  os.makedirs(_cache(), exist_ok=True)
  unfinished = tempfile.mkdtemp(dir=_cache())
  try:
    for name in _PACKAGE_FILES:
      shutil.copyfile(
        os.path.join(_SOURCE, name), os.path.join(unfinished, name)
      )
    subprocess.run(
      [npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
      cwd=unfinished,
      check=True,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
      errors='replace',
      timeout=_SECONDS,
    )
    os.rename(unfinished, folder)
  except subprocess.SubprocessError as error:
    said = (getattr(error, 'stderr', None) or str(error)).strip()
    # Where it was called from, and a log, come after the reason.
    lines = [line.removeprefix('npm error ') for line in said.splitlines()]
    raise ValueError(
      f'npm cannot install {_LITERT} {version}: {", ".join(lines[:4])}. Can '
      'this machine reach the registry that `npm config get registry` names? '
      f'Only the first export needs it; {folder} may be copied from elsewhere.'
    ) from error
  except OSError:
    if not os.path.isdir(folder):  # By another process, meanwhile.
      raise
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)
  return os.path.join(folder, 'node_modules')


def write(folder: str, runtime: str):
  """Writes the page into the folder of an exported TFLite stream.

  Args:
    folder: with the model, its card and its labels.
    runtime: what `fetch_runtime` returned.

  Raises:
    ValueError: the files of LiteRT.js are not as expected.
  """
  for name in os.listdir(_SOURCE):
    if name not in _PACKAGE_FILES:
      shutil.copyfile(os.path.join(_SOURCE, name), os.path.join(folder, name))
  os.makedirs(os.path.join(folder, 'litert', 'wasm'))
  for name, source in _RUNTIME_FILES.items():
    shutil.copyfile(
      os.path.join(runtime, source), os.path.join(folder, 'litert', name)
    )
  # Workers have no import maps: the one import of a package gets its file.
  index = os.path.join(folder, 'litert', 'index.js')
  with open(index, encoding='utf-8') as file:
    text = file.read()
  if text.count(f'"{_WASM_UTILS}"') != 1:
    raise ValueError(
      f'{runtime}/{_LITERT}/dist/index.js does not import {_WASM_UTILS} once, '
      'as the version of the lock file does: remove the folder and export '
      'again.'
    )
  with open(index, 'w', encoding='utf-8') as file:
    file.write(text.replace(f'"{_WASM_UTILS}"', '"./wasm_utils.js"'))
