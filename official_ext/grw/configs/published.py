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
"""Finds the YAML files that come with the project.

They stand in `configs/` at the top of the repository.  An installed package has
them beside this file (`package-dir` in pyproject.toml).
"""

import difflib
import os
import pathlib

from absl import logging

from official_ext.grw.configs import zoo as zoo_file

_INSTALLED = pathlib.Path(__file__).with_name('yaml_files')
_CHECKOUT = pathlib.Path(__file__).absolute().parents[3] / 'configs'


def folder() -> pathlib.Path:
  """The folder of the published YAML files, in a checkout or installed."""
  return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def zoo() -> zoo_file.Zoo:
  """What the published `zoo.yaml` says of the files and their models."""
  return zoo_file.read(folder() / zoo_file.FILE)


def find(path: str) -> str:
  """The path of a YAML file, which may be one of the project's.

  Args:
    path: a file; or, if there is none, a published one, as
      `configs/movinet_a0_stream_grw_k600.yaml`, with or without the folder and
      the ending, or under a name that it had before, which the log says.

  Raises:
    ValueError: there is neither; names the nearest published files.
  """
  # A path with a protocol is opened by TensorFlow.
  if os.path.exists(path) or '://' in path:
    return path
  name = path.removeprefix(f'{folder()}/').removeprefix('configs/')
  name = name.removesuffix('.yaml')
  new_name = zoo().renamed.get(name)
  if new_name:
    logging.info('%s is now %s, which is read in its place.', path, new_name)
    name = new_name
  published = {
    str(file.relative_to(folder()).with_suffix('')): file
    for file in folder().rglob('*.yaml')
  }
  if name in published:
    return str(published[name])
  nearest = difflib.get_close_matches(name, published)
  raise ValueError(
    f'{path}: no such file, and no published configuration of this name'
    + (f'; the nearest are {", ".join(nearest)}.' if nearest else '.')
  )
