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

import contextlib
import os

import tensorflow as tf


def write(path: str | os.PathLike[str], content: str | bytes):
  """Writes a file under a temporary name, and renames it.

  Args:
    path: local or whatever `tf.io.gfile` knows; what is there is replaced.
    content: text is written as UTF-8.

  Raises:
    OSError: it could not be written, and nothing is left of it.
  """
  if isinstance(content, str):
    content = content.encode()
  temporary = f'{os.fspath(path)}.unfinished'
  try:
    with tf.io.gfile.GFile(temporary, 'wb') as file:
      file.write(content)
    tf.io.gfile.rename(temporary, os.fspath(path), overwrite=True)
  except tf.errors.OpError as error:
    with contextlib.suppress(tf.errors.OpError):
      tf.io.gfile.remove(temporary)
    raise OSError(f'{path} could not be written: {error.message}') from error
