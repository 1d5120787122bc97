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

"""The texts of a task's labels."""

from typing import TYPE_CHECKING

from official_ext.grw.files import text_file

if TYPE_CHECKING:
  from official_ext.grw.configs import schema


def read(path: str, num_classes: int, name: str = 'labels') -> list[str]:
  """Returns the texts of labels, one a line.

  Args:
    path: the path of a text file in UTF-8.
    num_classes: how many there have to be.
    name: what an error calls the file: a field or a flag.

  Raises:
    ValueError: the file cannot be read, or has another number of lines.
  """
  try:
    texts = text_file.read(path).splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f'{name}={path!r} cannot be read '
      f'({str(error).partition(chr(10))[0]}): expected a text file with '
      'one label a line.'
    ) from error
  return _one_a_class(texts, num_classes, f'{name}={path!r}')


def _one_a_class(texts: list[str], num_classes: int, source: str) -> list[str]:
  if len(texts) != num_classes:
    raise ValueError(
      f'{source} has {len(texts)} labels: expected one for each of the '
      f"model's {num_classes} classes."
    )
  return texts


def label_texts(task: 'schema.GrwTask') -> list[str]:
  """Returns the text of each label, in the order of the labels.

  Args:
    task: texts come from its `labels`; without it from the TFDS dataset of
      `validation_data`; without either they are the numbers.

  Raises:
    ValueError: there are not as many as classes, or `labels` cannot be read.
  """
  data = task.validation_data
  if task.labels:
    return read(task.labels, data.num_classes, 'task.labels')
  if data.tfds_name:
    # Whoever reads the labels of an exported model has no TensorFlow to import.
    # pylint: disable=g-import-not-at-top
    import tensorflow_datasets as tfds

    from official_ext.grw.datasets import airplanes  # Registers. # noqa: F401

    info = tfds.builder(
      data.tfds_name, data_dir=data.tfds_data_dir or None
    ).info
    return _one_a_class(
      info.features['label'].names,
      data.num_classes,
      f'task.validation_data.tfds_name={data.tfds_name!r}',
    )
  return [str(label) for label in range(data.num_classes)]
