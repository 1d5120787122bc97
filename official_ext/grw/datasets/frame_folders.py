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

"""A folder of pictures as the frames of a video.

Pictures follow one another by the numbers in their names, so that `frame_10`
comes after `frame_9`, at a rate that nothing in the folder tells.
"""

from collections.abc import Iterator, Sequence
import io
import os
import re

import av

from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_sources

_LAST_NUMBER = re.compile(r'(\d+)(?=\D*$)')


def read_frames(
  folder: str,
  rate: float,
  frames_per_second: float,
  short_side: int,
  span: tuple[float, float] | None = None,
) -> Iterator[video_decoding.TimedFrame]:
  """Reads the pictures in a folder as `video_decoding.read_frames` a video.

  Args:
    folder: the folder of the pictures.
    rate: pictures a second.
    frames_per_second: the rate of the output.
    short_side: height or width in pixels, whichever is less, of the output.
    span: seconds of the start and the end of the part that is read; None reads
      all.

  Yields:
    The frames in order of time.

  Raises:
    video_decoding.VideoError: a number is missing among the names, a picture
      cannot be decoded or has another size than the first, or they end before
      `span` starts.
  """
  paths = video_sources.picture_paths(folder)
  if missing := _missing(list(map(os.path.basename, paths))):
    raise video_decoding.VideoError(folder, missing)
  decoded = _decode(folder, paths, rate, span[0] if span else 0.0)
  if span is not None:
    decoded = video_decoding.cut(decoded, span, folder)
  timed = video_decoding.resample(decoded, frames_per_second, rounding=0.0)
  yield from video_decoding.images(timed, folder, short_side)


def _missing(names: Sequence[str]) -> str | None:
  """Says which picture is not there, by the last numbers of the names.

  Names that differ in more than that number, and numbers at no equal distances,
  such as times, tell nothing.
  """
  found = [_LAST_NUMBER.search(os.path.splitext(name)[0]) for name in names]
  numbers = [int(match[1]) for match in found if match]
  rest = {
    name[: match.start()] + name[match.end() :]
    for name, match in zip(names, found)
    if match
  }
  if len(numbers) < len(names) or len(rest) != 1:
    return None
  steps = [after - before for before, after in zip(numbers, numbers[1:])]
  step = min(steps, default=0)
  if step < 1 or any(other % step for other in steps):
    return None
  for name, number, other in zip(names, numbers, steps):
    if other != step:
      return f'no picture of number {number + step} after {name}'
  return None


def _decode(
  folder: str, paths: Sequence[str], rate: float, start: float
) -> Iterator[video_decoding.DecodedFrame]:
  """Decodes the pictures, but for those before the one shown at `start`."""
  size: tuple[int, int] | None = None
  # The last one always, which tells when they end.
  begin = min(int(start * rate), len(paths) - 1)
  for number, path in list(enumerate(paths))[begin:]:
    name = os.path.basename(path)
    try:
      with open(path, 'rb') as file:
        frame = _decode_picture(file.read())
    except (OSError, av.error.FFmpegError) as error:
      raise video_decoding.VideoError(
        folder, f'{name} is no whole picture: {error.strerror}'
      ) from error
    if size not in (None, (frame.width, frame.height)):
      raise video_decoding.VideoError(
        folder,
        f'{name} is {frame.width} x {frame.height}, the first picture '
        f'{size[0]} x {size[1]}',
      )
    size = frame.width, frame.height
    yield video_decoding.DecodedFrame(number / rate, (number + 1) / rate, frame)


def _decode_picture(data: bytes) -> av.VideoFrame:
  """Decodes the first frame of a picture; raises FFmpegError if it breaks."""
  # From memory, since FFmpeg takes a % in a name for a pattern of names.
  with av.open(io.BytesIO(data), 'r') as container:
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {'err_detect': 'explode'}
    return next(container.decode(stream))
