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

"""What a conversion made, in words for whoever trains on it."""

from collections.abc import Mapping
from typing import Any

from official_ext.grw.datasets import video_sources

# As task.model.smoothing.window is unless it is set.
WINDOW = 5
# As many as published models see.
MOST_FRAMES = 50
_SIDE = 172


def lines(
  output_dir: str, dataset: Mapping[str, Any], sources: video_sources.Sources
) -> list[str]:
  """Says how many clips there are, how long, and what clips they allow.

  Args:
    output_dir: the folder of the dataset.
    dataset: what dataset.json holds.
    sources: the videos that it was made of.
  """
  counts = ', '.join(
    f'{split["num_examples"]} {name}'
    for name, split in dataset['splits'].items()
  )
  said = [
    f'written: {output_dir}: {counts} clips of {dataset["num_classes"]} '
    f'classes, {dataset["failures"]["count"]} bad'
  ]
  if sources.passed_over:
    said.append(
      f'passed over: {len(sources.passed_over)} that are no videos by their '
      f'names, such as {sources.passed_over[0]}'
    )
  if folders := sum(clip.is_folder for clip in sources.clips):
    said.append(
      f'folders of pictures: {folders}, as '
      f'{dataset["settings"]["picture_rate"]:g} pictures a second '
      '(--picture_rate)'
    )
  said += _classes(dataset)
  if dataset['clip_frames']:
    said += _lengths(dataset['clip_frames'], dataset['frames_per_second'])
  return said


def _classes(dataset: Mapping[str, Any]) -> list[str]:
  """How many clips the classes of each split have."""
  said = []
  for name, split in dataset['splits'].items():
    counts = split['classes']
    least, most = (pick(counts, key=counts.get) for pick in (min, max))
    said.append(
      f'{name}: {counts[least]} clips of each class'
      if counts[least] == counts[most]
      else f'{name}: {counts[least]} clips of {least!r} to {counts[most]} of '
      f'{most!r}'
    )
  return said


def _lengths(frames: Mapping[str, int], rate: float) -> list[str]:
  """How long clips are, and which frames of them to train on."""
  lengths = ', '.join(
    f'{name} {count} frames ({count / rate:.1f} s)'
    for name, count in frames.items()
  )
  said = [f'lengths at {rate:g} frames a second: {lengths}']
  shortest, median = (
    min(count, MOST_FRAMES) // WINDOW * WINDOW
    for count in (frames['shortest'], frames['median'])
  )
  field = 'task.train_data.feature_shape'
  if shortest:
    said.append(
      f'every video fills {field}=[{shortest},{_SIDE},{_SIDE},3], in whole '
      f'windows of {WINDOW}'
    )
  else:
    said.append(
      f'the shortest video does not fill a window of {WINDOW} frames: it '
      'begins again in a clip; a higher --fps gives more frames'
    )
  if median > shortest:
    said.append(
      f'half of the videos fill [{median},{_SIDE},{_SIDE},3], and the others '
      'begin again in such a clip'
    )
  return said
