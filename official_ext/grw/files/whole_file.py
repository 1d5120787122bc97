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

"""Files that appear whole or not at all."""

from collections.abc import Iterator
import contextlib
import os
from typing import BinaryIO

# The ending of a temporary name begins with this.
UNFINISHED = '.unfinished-'


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
  """A file for writing that appears when it is whole, or not at all.

  Args:
    path: the path of the file, which is replaced; local, or whatever
      `tf.io.gfile` knows.

  Yields:
    The file, binary.

  Raises:
    OSError: the file could not be written, and nothing is left of it.
  """
  path = os.fspath(path)
  unfinished = f'{path}{UNFINISHED}{os.getpid()}'
  if '://' in path:
    with _opened_remotely(path, unfinished) as file:
      yield file
    return
  try:
    with open(unfinished, 'wb') as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    os.replace(unfinished, path)
  finally:
    with contextlib.suppress(OSError):
      os.remove(unfinished)


@contextlib.contextmanager
def _opened_remotely(path: str, unfinished: str) -> Iterator[BinaryIO]:
  # Only here, since TensorFlow takes seconds to import.
  import tensorflow as tf

  try:
    with tf.io.gfile.GFile(unfinished, 'wb') as file:
      yield file
    tf.io.gfile.rename(unfinished, path, overwrite=True)
  except tf.errors.OpError as error:
    raise OSError(f'{path} could not be written: {error.message}') from error
  finally:
    with contextlib.suppress(tf.errors.OpError):
      tf.io.gfile.remove(unfinished)


def write(path: str | os.PathLike[str], content: str | bytes):
  """Writes a file under a temporary name, and renames it.

  Args:
    path: the path of the file; see `opened`.
    content: what the file is to hold; text is written as UTF-8.

  Raises:
    OSError: the file could not be written, and nothing is left of it.
  """
  with opened(path) as file:
    file.write(content.encode() if isinstance(content, str) else content)
