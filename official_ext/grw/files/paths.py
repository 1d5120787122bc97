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

"""Local and remote files, the local ones without TensorFlow."""

import glob as local_glob
import os


def is_remote(path: str) -> bool:
  """Whether only TensorFlow's file systems reach a path, as in 'gs://…'."""
  return '://' in path


def exists(path: str) -> bool:
  """Whether there is a file or a folder."""
  if is_remote(path):
    return _gfile().exists(path)
  return os.path.exists(path)


def is_folder(path: str) -> bool:
  """Whether there is a folder."""
  if is_remote(path):
    return _gfile().isdir(path)
  return os.path.isdir(path)


def names(folder: str) -> list[str]:
  """The names of what is in a folder."""
  if is_remote(folder):
    return [name.rstrip('/') for name in _gfile().listdir(folder)]
  return os.listdir(folder)


def read_text(path: str) -> str:
  """Reads a text file.

  Raises:
    OSError: it cannot be read.
    UnicodeDecodeError: it is not UTF-8.
  """
  if is_remote(path):
    with _gfile().GFile(path) as file:
      return file.read()
  with open(path, encoding='utf-8') as file:
    return file.read()


def matches(pattern: str) -> bool:
  """Whether there is a file of a pattern."""
  if is_remote(pattern):
    return bool(_gfile().glob(pattern))
  return any(True for _ in local_glob.iglob(pattern))


def _gfile():
  import tensorflow as tf  # pylint: disable=g-import-not-at-top  # Half a minute.

  return tf.io.gfile
