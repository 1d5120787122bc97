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

"""Rejects videos of which nothing could be learned, or learned honestly.

All of it is known from names and bytes, before anything is decoded.
"""

import collections
from collections.abc import Callable, Hashable, Iterable, Iterator
import hashlib
import os

from official_ext.grw.datasets import video_sources

_ENDS = 1 << 16  # Bytes that mostly tell two files of one size apart.


def require_sound(sources: video_sources.Sources, allow_shared: bool = False):
  """Raises SourceError for videos that are no dataset.

  Args:
    sources: the videos, in the splits that they are converted to.
    allow_shared: whether splits may share files and recordings.

  Raises:
    video_sources.SourceError: there is one class, or a class of one clip; a
      file is there twice, in two splits or under two labels; or clips of one
      recording are in two splits.
  """
  _require_classes(sources)
  for alike in _same_files(sources.clips):
    _require_one_label(alike)
    if not allow_shared:
      _require_one_split(alike, 'the same file as')
  if not allow_shared:
    recorded = (clip for clip in sources.clips if clip.recording)
    for alike in _groups(recorded, lambda clip: clip.recording):
      _require_one_split(alike, 'of the same recording as')


def _require_classes(sources: video_sources.Sources):
  """Raises SourceError for classes that cannot be told apart."""
  if not sources.labels:
    raise video_sources.SourceError('no clip has a label: expected some.')
  if sources.separator is not None or sources.classes_given:
    return
  if len(sources.labels) < 2:
    raise video_sources.SourceError(
      f'all clips are of one class, {sources.labels[0]!r}: expected at least '
      'two, to tell apart.'
    )
  named = [(clip.label, clip.named) for clip in sources.clips]
  named += [(label, source_id) for _, label, source_id in sources.absent]
  counts = collections.Counter(label for label, _ in named)
  for label, name in named:
    if counts[label] == 1:
      raise video_sources.SourceError(
        f'{name} is the only clip of class {label!r}: expected at least two, '
        'one to train on and one to validate on; add some or remove the class.'
      )


def _require_one_label(alike: list[video_sources.Clip]):
  for clip in alike[1:]:
    if clip.label != alike[0].label:
      raise video_sources.SourceError(
        f'{clip.named}, of class {clip.label!r}, is the same file as '
        f'{alike[0].named}, of class {alike[0].label!r}; keep one.'
      )


def _require_one_split(alike: list[video_sources.Clip], how: str):
  for clip in alike[1:]:
    if clip.split != alike[0].split:
      raise video_sources.SourceError(
        f'{clip.named}, of {clip.split}, is {how} {alike[0].named}, of '
        f'{alike[0].split}: what is validated on must not be trained on; keep '
        'one, or allow it with --allow_shared_sources.'
      )


def _groups(
  clips: Iterable[video_sources.Clip],
  key: Callable[[video_sources.Clip], Hashable],
) -> Iterator[list[video_sources.Clip]]:
  """Clips that have a key in common with others."""
  found = collections.defaultdict(list)
  for clip in clips:
    found[key(clip)].append(clip)
  return (alike for alike in found.values() if len(alike) > 1)


def _same_files(
  clips: Iterable[video_sources.Clip],
) -> Iterator[list[video_sources.Clip]]:
  """Clips whose bytes are the same; few files are read whole for it.

  Parts of videos are none of them: `recording` says what they are cut from.
  """
  whole = (clip for clip in clips if clip.num_bytes and clip.span is None)
  for of_size in _groups(whole, lambda clip: clip.num_bytes):
    for of_ends in _groups(of_size, lambda clip: _digest(clip, _ENDS)):
      yield from _groups(of_ends, _digest)


def _digest(clip: video_sources.Clip, ends: int | None = None) -> bytes:
  """A hash of a clip's bytes, or of the first and last of each file."""
  digest = hashlib.sha256()
  paths = (
    video_sources.picture_paths(clip.path) if clip.is_folder else [clip.path]
  )
  for path in paths:
    try:
      with open(path, 'rb') as file:
        if ends is None:
          while data := file.read(1 << 20):
            digest.update(data)
        else:
          digest.update(file.read(ends))
          file.seek(-min(ends, os.path.getsize(path)), os.SEEK_END)
          digest.update(file.read())
    except OSError:
      # Told when it is decoded; like no other.
      return clip.path.encode(errors='surrogateescape')
  return digest.digest()
