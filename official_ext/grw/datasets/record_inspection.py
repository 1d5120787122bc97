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

"""What TFRecords of clips hold: counts, labels, pictures, and what is wrong."""

from collections.abc import Sequence
from concurrent import futures
import dataclasses
import glob
import itertools
import json
import os
import random
from typing import Any

from absl import logging
from google.protobuf import message
from matplotlib import figure
import numpy as np
import tensorflow as tf

from official_ext.grw.datasets import record_check
from official_ext.grw.files import figures

_INCHES_PER_FRAME = 1.2
_DPI = 100
_RECORDS_AT_A_TIME = 32  # A record is a megabyte.


@dataclasses.dataclass
class Expected:
  """What records should hold, as in `schema.DataConfig`.

  That takes as long to import as TensorFlow.
  """

  num_classes: int
  is_multilabel: bool = False
  label_groups: list[str] | None = None
  image_field_key: str = 'image/encoded'
  label_field_key: str = 'clip/label/index'
  feature_shape: Sequence[int] = (1, 1, 1, 3)


@dataclasses.dataclass
class Records:
  """TFRecord files to look at.

  Attributes:
    name: the name of the split, or the pattern of the files.
    files: in order.
    labels: the names of the classes, by index; empty if they have no names.
    num_classes: how many there are.
    num_examples: clips that there should be; None if nothing says it.
    multi_label: whether a clip may have several labels, or none.
    label_groups: where a clip has one label of each of some groups, these.
  """

  name: str
  files: list[str]
  labels: list[str]
  num_classes: int
  num_examples: int | None = None
  multi_label: bool = False
  label_groups: list[str] | None = None


@dataclasses.dataclass
class Contents:
  """What was found in a split.

  Attributes:
    num_clips: records that could be read.
    clips_of_label: their number, by label index.
    num_frames: the number of frames of each clip.
    bad: the first bad record of each file that has one.
    samples: serialized records picked at random.
  """

  num_clips: int = 0
  clips_of_label: dict[int, int] = dataclasses.field(default_factory=dict)
  num_frames: list[int] = dataclasses.field(default_factory=list)
  bad: list[record_check.BadRecord] = dataclasses.field(default_factory=list)
  samples: list[bytes] = dataclasses.field(default_factory=list)


def _matching(folder: str, pattern: str) -> list[str]:
  return sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))


def find_splits(path: str, num_classes: int | None = None) -> list[Records]:
  """Finds what to look at.

  Args:
    path: a folder with dataset.json and labels.txt, or a pattern of files.
    num_classes: needed for a pattern.

  Returns:
    The splits of the dataset, or the files as one split.

  Raises:
    ValueError: there are no files, or the dataset cannot be read.
  """
  description = os.path.join(path, 'dataset.json')
  if not os.path.isdir(path):
    files = sorted(glob.glob(path))
    if not files:
      raise ValueError(f'{path}: no such files.')
    if num_classes is None:
      raise ValueError(
        f'{path} is no folder with dataset.json: give --num_classes.'
      )
    return [Records(path, files, [], num_classes)]
  try:
    with open(description, encoding='utf-8') as f:
      dataset = json.load(f)
    with open(os.path.join(path, dataset['labels']), encoding='utf-8') as f:
      labels = f.read().splitlines()
    splits = [
      Records(
        name,
        _matching(path, split['files']),
        labels,
        dataset['num_classes'],
        split['num_examples'],
        dataset.get('multi_label', False),
        dataset.get('label_groups'),
      )
      for name, split in dataset['splits'].items()
    ]
  except OSError as error:
    raise ValueError(
      f'{error.filename}: {error.strerror}; expected the output '
      'of tools/videos_to_tfrecords.py.'
    ) from error
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(
      f'{description}: {error!r}; expected what '
      'tools/videos_to_tfrecords.py writes.'
    ) from error
  if len(labels) != dataset['num_classes']:
    raise ValueError(
      f'{path}: {dataset["labels"]} has {len(labels)} labels, '
      f'dataset.json {dataset["num_classes"]} classes.'
    )
  return splits


def inspect(split: Records, num_samples: int, seed: int = 0) -> Contents:
  """Reads all records of a split and decodes all frames.

  Args:
    split: what to read.
    num_samples: clips to pick at random.
    seed: the seed of the choice.

  Returns:
    What was found.
  """
  params = Expected(split.num_classes, split.multi_label, split.label_groups)
  contents = Contents()
  rng = random.Random(seed)
  # Builds no graph, which takes longer than to read small files.
  records = (
    record_check.read_records(split.files).as_numpy_iterator()
    if split.files
    else iter(())
  )
  with futures.ThreadPoolExecutor() as pool:
    while some := list(itertools.islice(records, _RECORDS_AT_A_TIME)):
      faults = pool.map(lambda raw: _fault(raw, params), some)
      for raw, fault in zip(some, faults):
        file = raw['file'].decode()
        if fault and file not in {bad.file for bad in contents.bad}:
          contents.bad.append(
            record_check.BadRecord(file, int(raw['record']), fault)
          )
        serialized = raw['serialized']
        if serialized == record_check.UNREADABLE:
          continue
        _count(contents, serialized, params)
        # Each of the clips so far is among the samples with the same chance.
        if len(contents.samples) < num_samples:
          contents.samples.append(serialized)
        elif (place := rng.randrange(contents.num_clips)) < num_samples:
          contents.samples[place] = serialized
      logging.log_every_n_seconds(
        logging.INFO,
        '%s: %d records checked, now in file %d of %d.',
        record_check.SECONDS_BETWEEN_LOGS,
        split.name,
        contents.num_clips,
        split.files.index(file) + 1,
        len(split.files),
      )
  return contents


def _fault(raw: dict[str, Any], params: Expected) -> str | None:
  """Says what is wrong with a record, whose frames are all decoded."""
  if raw['serialized'] == record_check.UNREADABLE:
    return record_check.read_fault(
      raw['file'].decode(), int(raw['record']), compression=''
    )
  return record_check.describe_record(raw['serialized'], params)


def _count(contents: Contents, serialized: bytes, params: Expected):
  """Adds a record to what was found."""
  contents.num_clips += 1
  try:
    example = tf.train.SequenceExample.FromString(serialized)
  except message.DecodeError:
    return
  for label in example.context.feature[params.label_field_key].int64_list.value:
    contents.clips_of_label[label] = contents.clips_of_label.get(label, 0) + 1
  contents.num_frames.append(
    len(example.feature_lists.feature_list[params.image_field_key].feature)
  )


def contact_sheet(
  samples: Sequence[bytes],
  labels: Sequence[str],
  path: str,
  frames_per_clip: int = 6,
):
  """Draws frames of clips, a clip a row, under their labels.

  Args:
    samples: serialized records; what cannot be decoded stays empty.
    labels: names of the classes, or nothing.
    path: the path of the PNG file to write.
    frames_per_clip: frames, spread evenly over the clip.

  Raises:
    OSError: the file cannot be written.
  """
  params = Expected(num_classes=0)
  sheet = figure.Figure(
    (
      frames_per_clip * _INCHES_PER_FRAME,
      max(len(samples), 1) * _INCHES_PER_FRAME,
    ),
    dpi=_DPI,
    layout='constrained',
  )
  axes = sheet.subplots(max(len(samples), 1), frames_per_clip, squeeze=False)
  for axis in axes.flat:
    axis.axis('off')
  for row, serialized in zip(axes, samples):
    try:
      example = tf.train.SequenceExample.FromString(serialized)
    except message.DecodeError:
      continue
    found = list(
      example.context.feature[params.label_field_key].int64_list.value
    )
    frames = example.feature_lists.feature_list[params.image_field_key].feature
    names = [labels[i] if 0 <= i < len(labels) else str(i) for i in found]
    # A dollar sign begins a formula.
    title = f'{", ".join(names)} ({len(frames)} frames)'.replace('$', r'\$')
    row[0].set_title(title, loc='left', fontsize=8)
    if not frames:
      continue
    places = np.linspace(0, len(frames) - 1, min(frames_per_clip, len(frames)))
    for axis, place in zip(row, places.round().astype(int)):
      try:
        axis.imshow(
          tf.io.decode_image(
            frames[place].bytes_list.value[0], 3, expand_animations=False
          ).numpy()
        )
      except (tf.errors.OpError, IndexError):
        continue
  figures.write(sheet, path)
