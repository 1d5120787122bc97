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

"""Videos as TFRecords of SequenceExamples, a shard at a time.

The keys are MediaSequence's, of which the Model Garden reads 'image/encoded'
and 'clip/label/index'.  TensorFlow is not imported: it would cost each worker
some seconds and 400 MB for a few bytes of framing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import hashlib
import json
import os
import struct
from typing import Any, BinaryIO, NamedTuple

import cv2
import google_crc32c
import numpy as np

from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import frame_folders
from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_sources
from official_ext.grw.files import whole_file

# A SequenceExample cannot be larger than a protocol buffer.
_MAX_RECORD_BYTES = 2**31 - 2**20
_CRC_MASK_DELTA = 0xA282EAD8
_REPORTS = 'reports'


class EncodingSettings(NamedTuple):
  """How videos become records.

  Attributes:
    frames_per_second: the rate of the clips, whatever the videos have.
    short_side: height or width of the frames in pixels, whichever is less.
    jpeg_quality: 1 to 100.
    picture_rate: pictures a second of the videos that are folders of pictures.
  """

  frames_per_second: float
  short_side: int
  jpeg_quality: int
  picture_rate: float = 25.0


class Shard(NamedTuple):
  """A TFRecord file to be.

  Attributes:
    name: the name of the file.
    clips: the clips of its records, in order.
  """

  name: str
  clips: list[video_sources.Clip]


def make_shards(
  split: str, clips: Sequence[video_sources.Clip], num_shards: int
) -> list[Shard]:
  """Deals the clips of a split out to shards of equal size.

  Clips are ordered by a hash of what names them, which mixes the classes and
  is the same on every machine.

  Args:
    split: begins the names of the files.
    clips: at least as many as shards.
    num_shards: files.

  Returns:
    The shards; none is empty.
  """

  def order(clip):
    digest = hashlib.sha256(os.fsencode(clip.source_id)).digest()
    return digest, clip.source_id, clip.label

  clips = sorted(clips, key=order)
  bounds = [i * len(clips) // num_shards for i in range(num_shards + 1)]
  return [
    Shard(
      f'{split}-{i:05d}-of-{num_shards:05d}.tfrecord',
      clips[bounds[i] : bounds[i + 1]],
    )
    for i in range(num_shards)
  ]


def _varint(value: int) -> bytes:
  encoded = bytearray()
  while value > 127:
    encoded.append(value & 127 | 128)
    value >>= 7
  encoded.append(value)
  return bytes(encoded)


def _field(number: int, *parts: bytes) -> list[bytes]:
  """A field of a protocol buffer that holds bytes or a message, in parts."""
  return [_varint(number << 3 | 2), _varint(sum(map(len, parts))), *parts]


def _feature(value: bytes | float | int | list[int]) -> list[bytes]:
  """A tf.train.Feature of one value, or of a list of integers."""
  if isinstance(value, bytes):
    return _field(1, *_field(1, value))
  if isinstance(value, float):
    return _field(2, *_field(1, struct.pack('<f', value)))
  numbers = value if isinstance(value, list) else [value]
  # Of an empty list not even its length is written.
  packed = _field(1, *map(_varint, numbers)) if numbers else []
  return _field(3, *packed)


def _map(entries: dict[str, list[bytes]]) -> list[bytes]:
  """A map of strings to messages, as field 1, in the order of the keys."""
  parts = []
  for key in sorted(entries):
    parts += _field(1, *_field(1, key.encode()), *_field(2, *entries[key]))
  return parts


def sequence_example(
  context: dict[str, Any], feature_lists: dict[str, Sequence[Any]]
) -> bytes:
  """Serializes a tf.train.SequenceExample.

  Args:
    context: values that are bytes, floats, integers of at least 0 or lists of
      such integers.
    feature_lists: sequences of such values.

  Returns:
    The bytes that `SerializeToString(deterministic=True)` gives.
  """
  once = {key: _feature(value) for key, value in context.items()}
  lists = {
    key: [part for value in values for part in _field(1, *_feature(value))]
    for key, values in feature_lists.items()
  }
  # Joined once: frames are megabytes.
  return b''.join([*_field(1, *_map(once)), *_field(2, *_map(lists))])


def _masked_crc(data: bytes) -> bytes:
  crc = google_crc32c.value(data)
  rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
  return struct.pack('<I', (rotated + _CRC_MASK_DELTA) & 0xFFFFFFFF)


def write_record(file: BinaryIO, record: bytes):
  """Appends a record to a TFRecord file."""
  length = struct.pack('<Q', len(record))
  file.write(length + _masked_crc(length))
  file.write(record)
  file.write(_masked_crc(record))


def _jpeg(image: np.ndarray, quality: int, path: str) -> bytes:
  encodes, encoded = cv2.imencode(
    '.jpg',
    cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
    (cv2.IMWRITE_JPEG_QUALITY, quality),
  )
  if not encodes:
    height, width = image.shape[:2]
    raise video_decoding.VideoError(
      path, f'no JPEG holds a frame of {width} x {height}'
    )
  return encoded.tobytes()


def _frames(
  clip: video_sources.Clip, settings: EncodingSettings
) -> Iterator[video_decoding.TimedFrame]:
  if clip.is_folder:
    return frame_folders.read_frames(
      clip.path,
      settings.picture_rate,
      settings.frames_per_second,
      settings.short_side,
      clip.span,
    )
  return video_decoding.read_frames(
    clip.path,
    settings.frames_per_second,
    settings.short_side,
    span=clip.span,
  )


def encode_clip(
  clip: video_sources.Clip,
  label_indices: int | list[int],
  settings: EncodingSettings,
  frame_label: Callable[[float], int] | None = None,
) -> tuple[int, bytes]:
  """Makes the record of a video.

  Args:
    clip: the video.
    label_indices: the index of its class, or a list of them.
    settings: how the frames are sampled and encoded.
    frame_label: the index of the class of the frame at some seconds; None if
      frames have no labels.

  Returns:
    The number of frames, and a serialized SequenceExample: 'image/encoded'
    (JPEG) and 'image/timestamp' (microseconds since the first frame) for each
    frame; once 'image/format',
    'image/height', 'image/width', 'image/frame_rate', 'clip/label/index',
    'clip/label/text' and 'clip/media_id'; and with `frame_label`
    `feature_names.FRAME_LABELS_KEY`, an index a frame.

  Raises:
    video_decoding.VideoError: the video is bad.
  """
  images: list[bytes] = []
  timestamps = []
  frame_labels: list[int] = []
  shown: np.ndarray | None = None
  num_bytes = 0
  for seconds, image in _frames(clip, settings):
    if image is not shown:
      jpeg = _jpeg(image, settings.jpeg_quality, clip.path)
      shown = image
    num_bytes += len(jpeg)
    if num_bytes > _MAX_RECORD_BYTES:
      raise video_decoding.VideoError(
        clip.path,
        f'{seconds:.0f} s of it and more do not fit a record of 2 GiB',
      )
    images.append(jpeg)
    timestamps.append(round(seconds * 1e6))
    if frame_label is not None:
      frame_labels.append(frame_label(seconds))
  assert shown is not None
  context = {
    'clip/label/index': label_indices,
    'clip/label/text': clip.label.encode(),
    'clip/media_id': os.fsencode(clip.source_id),
    'image/format': b'jpeg',
    'image/frame_rate': float(settings.frames_per_second),
    'image/height': shown.shape[0],
    'image/width': shown.shape[1],
  }
  if frame_label is not None:
    context[feature_names.FRAME_LABELS_KEY] = frame_labels
  return len(images), sequence_example(
    context, {'image/encoded': images, 'image/timestamp': timestamps}
  )


def _label_of_frame(
  clip: video_sources.Clip, index: Mapping[str, int]
) -> Callable[[float], int] | None:
  """The class at some seconds of a clip; None if its frames have no labels."""
  segments = clip.segments
  if segments is None:
    return None

  def label(seconds: float) -> int:
    for segment in segments:
      if segment.start <= seconds < segment.end:
        return index[segment.label]
    return index[clip.label]

  return label


def report_path(output_dir: str, shard_name: str) -> str:
  """Where the report of a shard is."""
  return os.path.join(output_dir, _REPORTS, f'{shard_name}.json')


def read_report(output_dir: str, shard_name: str) -> dict[str, Any] | None:
  """Reads the report of a shard.

  Args:
    output_dir: the folder of the dataset.
    shard_name: the name of the file.

  Returns:
    'classes': records of each label, 'frames': the number of each record's,
    'failures': a list of [label, source id, reason]; or None if the shard is
    not finished.
  """
  try:
    with open(report_path(output_dir, shard_name), 'rb') as f:
      report = json.load(f)
    size = (
      os.path.getsize(os.path.join(output_dir, shard_name))
      if report['frames']
      else 0
    )
  # Reports of older versions lack the frames.
  except (OSError, ValueError, KeyError):
    return None
  return report if size == report['bytes'] else None


def write_shard(
  output_dir: str,
  shard: Shard,
  labels: Sequence[str],
  settings: EncodingSettings,
  on_clip: Callable[[bool], None],
  separator: str | None = None,
):
  """Writes a shard, and then its report, which makes it finished.

  A shard of which all clips fail is not written: readers take an empty file
  for a fault.

  Args:
    output_dir: the folder of the dataset; holds a folder for reports.
    shard: what to write.
    labels: the names of all classes.
    settings: how the frames are sampled and encoded.
    on_clip: called after each clip: whether it could be read.
    separator: see `video_sources.Sources`.

  Raises:
    OSError: a file could not be written.
  """
  index = {label: i for i, label in enumerate(labels)}
  classes: dict[str, int] = {}
  frames: list[int] = []
  failures = []
  num_bytes = 0
  path = os.path.join(output_dir, shard.name)
  # Only what is read is caught below: a disk that is full is no bad video.
  with contextlib.ExitStack() as stack:
    file: BinaryIO | None = None
    for clip in shard.clips:
      names = video_sources.split_labels(clip.label, separator)
      found = [index[name] for name in names]
      try:
        count, record = encode_clip(
          clip,
          found[0] if separator is None else found,
          settings,
          _label_of_frame(clip, index),
        )
      except video_decoding.VideoError as error:
        failures.append([clip.label, clip.source_id, error.reason])
        on_clip(False)
        continue
      if file is None:
        file = stack.enter_context(whole_file.opened(path))
      write_record(file, record)
      frames.append(count)
      for name in names:
        classes[name] = classes.get(name, 0) + 1
      on_clip(True)
    num_bytes = file.tell() if file else 0
  with whole_file.opened(report_path(output_dir, shard.name)) as file:
    file.write(
      json_bytes(
        {
          'bytes': num_bytes,
          'classes': classes,
          'failures': failures,
          'frames': frames,
        }
      )
    )


def json_bytes(value: Any) -> bytes:
  """JSON that is the same for the same value, and easy to read."""
  return (json.dumps(value, indent=2, sort_keys=True) + '\n').encode()
