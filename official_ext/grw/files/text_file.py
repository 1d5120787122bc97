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

"""Text files, wherever they are."""

import os


def read(path: str | os.PathLike[str]) -> str:
  """The text of a file in UTF-8.

  TensorFlow is imported only for paths that it alone can read.

  Args:
    path: local, or a URL that `tf.io.gfile` knows.

  Raises:
    OSError: it cannot be read.
    UnicodeDecodeError: it is not UTF-8.
  """
  if '://' not in os.fspath(path):
    with open(path, encoding='utf-8') as file:
      return file.read()
  import tensorflow as tf  # pylint: disable=g-import-not-at-top

  try:
    with tf.io.gfile.GFile(path) as file:
      return file.read()
  except tf.errors.OpError as error:
    raise OSError(error.message) from error
