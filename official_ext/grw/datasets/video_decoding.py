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

"""Frames of video files with their times, upright, resampled and resized.

A presentation time is when a frame is to be shown.  The rate of a video may
vary, and what is asked for is a rate of its own, so frames are picked by these
times and never by counting.
"""

from collections.abc import Generator, Iterator
import contextlib
import errno
from typing import Any, NamedTuple

import av
from av.sidedata import sidedata
from av.video import reformatter
import numpy as np

# Pictures and text that FFmpeg opens as videos of one frame.
_NOT_VIDEO_FORMATS = ('image2', 'tty')
# Matroska rounds times to milliseconds; ticks of the time base of other formats
# are smaller, or are whole frames and exact.
_LARGEST_ROUNDING = 1e-3
# Containers promise a duration that may include an interval after the last
# frame, or be rounded.
_DURATION_TOLERANCE_SECONDS = 0.1
_DURATION_TOLERANCE_FRAMES = 2
# Where a part of a video begins, decoding begins so much before it: a frame may
# be stored behind others that are shown after it.
_LEAD_SECONDS = 1.0
# swscale averages areas and converts colors in one pass, faster than to convert
# whole frames and let OpenCV average them, and closer to an average taken in
# floating point.  The other flags give every processor the same pixels.  When
# enlarging, AREA is bilinear.
_AREA = (
  int(reformatter.Interpolation.AREA)
  | 0x40000  # SWS_ACCURATE_RND, which older PyAV does not name.
  | 0x80000
)  # SWS_BITEXACT.


class VideoError(ValueError):
  """A video that cannot be read; the message names the file and the reason.

  Attributes:
    path: the file.
    reason: what is wrong with it.
  """

  def __init__(self, path: str, reason: str):
    super().__init__(f'{path}: {reason}')
    self.path = path
    self.reason = reason

  def __reduce__(self):
    # The default would pass the joined message as the path.
    return VideoError, (self.path, self.reason)


class TimedFrame(NamedTuple):
  """A frame and when it is shown.

  Attributes:
    seconds: since the first frame of the video.
    image: [height, width, 3] uint8 RGB, upright.
  """

  seconds: float
  image: np.ndarray


class DecodedFrame(NamedTuple):
  """A frame as decoded; start and end in seconds since the first frame."""

  start: float
  end: float
  frame: av.VideoFrame


def _video_stream(
  container: av.container.InputContainer, path: str
) -> av.video.stream.VideoStream:
  """The stream to decode, on one thread."""
  name = container.format.name
  if name in _NOT_VIDEO_FORMATS or name.endswith('_pipe'):
    raise VideoError(path, f'not a video (its format is {name})')
  # Music has its cover as a video stream.
  streams = [
    stream
    for stream in container.streams.video
    if not stream.disposition & av.stream.Disposition.attached_pic
  ]
  if not streams:
    raise VideoError(path, 'no video stream')
  if streams[0].codec_context is None:
    raise VideoError(path, 'no decoder for its video stream')
  # Who wants several videos at a time runs several processes.
  streams[0].codec_context.thread_count = 1
  return streams[0]


def _promised_seconds(
  container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> float:
  """How long the header of a file says that it is; 0 if it does not say."""
  promised = (container.duration or 0) / av.time_base
  if container.format.name == 'avi' and stream.average_rate:
    # FFmpeg guesses the duration of an AVI without its index, which stands at
    # the end, from the file's size.  In MP4, edit lists may hide some frames.
    promised = max(promised, stream.frames / float(stream.average_rate))
  return promised


def _decode(
  container: av.container.InputContainer,
  stream: av.video.stream.VideoStream,
  path: str,
  strict: bool,
  first: float | None = None,
) -> Iterator[DecodedFrame]:
  """Decodes the frames from where the container stands; see `read_frames`.

  Args:
    container: the opened file.
    stream: its stream of frames.
    path: what messages name.
    strict: see `read_frames`.
    first: the presentation time of the video's first frame, in seconds, where
      that is not the first to be decoded.

  Yields:
    The frames.
  """
  interval = 1 / float(stream.average_rate) if stream.average_rate else 0.0
  promised = _promised_seconds(container, stream)
  # Fractions, which PyAV multiplies with, take a tenth of the time of decoding.
  ticks = {s.index: float(s.time_base or 0) for s in container.streams}
  tick = ticks[stream.index]
  start = seen = 0.0
  count = 0
  try:
    # All streams: a container promises the duration of the longest.
    for packet in container.demux():
      if packet.pts is not None:
        seen = max(
          seen,
          (packet.pts + (packet.duration or 0))
          * ticks.get(packet.stream.index, 0.0),
        )
      if packet.stream.index != stream.index:
        continue
      if packet.is_corrupt and strict:
        raise VideoError(path, f'truncated or corrupt after {count} frames')
      for frame in stream.decode(packet):
        time = None if frame.pts is None else frame.pts * tick
        if first is None:
          first = time or 0.0
        elif not count:
          start = max(0.0, (time or 0.0) - first)
        else:
          previous, start = (
            start,
            max(start, time - first if time is not None else start + interval),
          )
          interval = start - previous or interval
        if frame.duration:
          interval = frame.duration * tick
        count += 1
        yield DecodedFrame(start, start + interval, frame)
  except av.error.FFmpegError as error:
    if strict:
      raise VideoError(
        path, f'truncated or corrupt after {count} frames: {error.strerror}'
      ) from error
  if not count:
    raise VideoError(path, 'zero frames')
  tolerance = _DURATION_TOLERANCE_SECONDS + _DURATION_TOLERANCE_FRAMES * (
    start / max(count - 1, 1)
  )
  if strict and max(seen, start + interval) < promised - tolerance:
    raise VideoError(
      path, f'truncated: {seen:.2f} of {promised:.2f} s after {count} frames'
    )


def resample(
  frames: Iterator[DecodedFrame], frames_per_second: float, rounding: float
) -> Iterator[tuple[float, av.VideoFrame]]:
  """At each tick, the frame that is shown then.

  Args:
    frames: in the order of their times.
    frames_per_second: ticks.
    rounding: the rounding of the frames' times, in seconds.

  Yields:
    Ticks in seconds, and frames.
  """
  tick = 0
  shown: DecodedFrame | None = None
  for current in frames:
    if shown is not None:
      # Both the first and the current frame's times are rounded.
      while tick / frames_per_second < current.start - 2 * rounding:
        yield tick / frames_per_second, shown.frame
        tick += 1
    shown = current
  while shown is not None and (
    not tick or tick / frames_per_second < shown.end - 2 * rounding
  ):
    yield tick / frames_per_second, shown.frame
    tick += 1


def _output_size(
  frame: av.VideoFrame, short_side: int | None
) -> tuple[int, int]:
  """Width and height of the frame before it is turned upright."""
  width, height = frame.width, frame.height
  if short_side is None:
    return width, height
  scale = short_side / min(width, height)
  return max(round(width * scale), 1), max(round(height * scale), 1)


def _orientation(frame: av.VideoFrame) -> tuple[int, int, int, int] | None:
  """The a, b, c, d of how a frame is to be shown; None: as it is.

  They are of the display matrix [[a, b, u], [c, d, v], [x, y, w]]: (p, q) is
  shown at (a·p + c·q, b·p + d·q) and an offset.
  """
  # Typed as a dict of other things than it holds.
  side_data: Any = frame.side_data
  data = side_data.get(sidedata.Type.DISPLAYMATRIX)
  if data is None:
    return None
  a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
  return a, b, c, d


def _upright(
  image: np.ndarray, orientation: tuple[int, int, int, int] | None
) -> np.ndarray:
  """Turns and mirrors an image as the file says that it is to be shown."""
  if orientation is None:
    return image
  a, b, c, d = orientation
  if abs(b) + abs(c) > abs(a) + abs(d):
    image = image.transpose(1, 0, 2)
    a, d = c, b
  if a < 0:
    image = image[:, ::-1]
  if d < 0:
    image = image[::-1]
  return np.ascontiguousarray(image)


def cut(
  frames: Iterator[DecodedFrame], span: tuple[float, float], path: str
) -> Iterator[DecodedFrame]:
  """The frames that a video shows in a part of it, times counted from there.

  Args:
    frames: in the order of their times.
    span: the part: seconds of its start and of its end.
    path: what messages name.

  Yields:
    The frames, from the one that is shown at the start on; that one may begin
    before 0.  If the video ends before the part does, so do they.

  Raises:
    VideoError: the video ends before the part starts.
  """
  start, end = span
  shown: DecodedFrame | None = None
  last = 0.0
  for frame in frames:
    if frame.start >= end:
      last = end
      break
    if shown is not None and frame.start > start:
      yield DecodedFrame(shown.start - start, shown.end - start, shown.frame)
    shown, last = frame, frame.end
  if shown is None or last <= start:
    raise VideoError(
      path, f'ends at {last:.2f} s, and the clip starts at {start:.2f} s'
    )
  yield DecodedFrame(shown.start - start, min(last, end) - start, shown.frame)


def _opened(path: str) -> av.container.InputContainer:
  """Opens a file.

  Raises:
    VideoError: it is not there, or no video.
  """
  try:
    # A name such as 'a:b.mp4' is no protocol, and a playlist opens no URL.
    return av.open(
      'file:' + path,
      metadata_errors='replace',
      options={'protocol_whitelist': 'file'},
    )
  except av.error.FFmpegError as error:
    reason = str(error.strerror)
    if error.errno not in (errno.ENOENT, errno.EACCES, errno.EISDIR):
      reason = f'not a video, or truncated: {reason}'
    raise VideoError(path, reason) from error


def _sought(
  container: av.container.InputContainer,
  stream: av.video.stream.VideoStream,
  path: str,
  strict: bool,
  seconds: float,
) -> tuple[DecodedFrame, Iterator[DecodedFrame]] | None:
  """A frame that begins at some seconds or before, and those that follow it.

  None if the file does not lead there: then all of it is to be decoded.
  """
  # When the first frame is shown only the frame itself tells for sure.
  time = next(_decode(container, stream, path, strict)).frame.pts
  if time is None or not stream.time_base:
    return None
  tick = float(stream.time_base)
  try:
    container.seek(
      time + int((seconds - _LEAD_SECONDS) / tick), backward=True, stream=stream
    )
    frames = _decode(container, stream, path, strict, first=time * tick)
    frame = next(frames)
  except (av.error.FFmpegError, VideoError):
    return None
  if frame.frame.pts is None or frame.start > seconds:
    return None
  return frame, frames


def _decode_from(
  path: str, strict: bool, seconds: float
) -> Generator[DecodedFrame]:
  """Decodes a video from before some seconds on, if it can be, or all of it."""
  if seconds > _LEAD_SECONDS:
    with _opened(path) as container:
      stream = _video_stream(container, path)
      found = _sought(container, stream, path, strict, seconds)
      if found is not None:
        yield found[0]
        yield from found[1]
        return
  with _opened(path) as container:
    yield from _decode(container, _video_stream(container, path), path, strict)


def read_frames(
  path: str,
  frames_per_second: float | None = None,
  short_side: int | None = None,
  strict: bool = True,
  span: tuple[float, float] | None = None,
) -> Iterator[TimedFrame]:
  """Decodes a video file.

  At a rate, frame i is the one that the video shows i / frames_per_second
  after its first frame; the last frame is shown for its own duration.  A rate
  above the video's repeats frames (the same array), one below leaves frames
  out.  A video of one frame gives at least one.

  Frames are turned and mirrored as the file says they are to be shown.  Pixels
  are taken as square.  All frames have the size and orientation of the first.

  Args:
    path: the path of the file.
    frames_per_second: the rate of the output; None gives every frame of the
      video.
    short_side: height or width in pixels, whichever is less, of the output;
      None keeps the size.
    strict: whether a video that breaks off is an error; if not, what came
      before is given.
    span: the part of the video that is read: seconds of its start and of its
      end, since the first frame.  Times are then counted from the start of the
      part, which ends with the video if that is shorter.  What comes after the
      part is not read, and of what comes before little.  None reads all.

  Yields:
    The frames in order of time.

  Raises:
    VideoError: the file cannot be opened, is no video, holds no frames, ends
      before `span` starts or, if `strict`, is truncated or corrupt; raised when
      frames are asked for, if need be after the last good one.
    ValueError: a rate or a size that is not above zero.
  """
  for name, value in (
    ('frames_per_second', frames_per_second),
    ('short_side', short_side),
  ):
    if value is not None and not value > 0:
      raise ValueError(f'{name}={value!r}: expected a number above zero.')
  with contextlib.ExitStack() as stack:
    container = stack.enter_context(_opened(path))
    stream = _video_stream(container, path)
    if span is None:
      decoded = _decode(container, stream, path, strict)
    else:
      near = contextlib.closing(_decode_from(path, strict, span[0]))
      decoded = cut(stack.enter_context(near), span, path)
    timed: Iterator[tuple[float, av.VideoFrame]]
    if frames_per_second is None:
      timed = ((max(frame.start, 0.0), frame.frame) for frame in decoded)
    else:
      rounding = min(float(stream.time_base or 0), _LARGEST_ROUNDING)
      timed = resample(decoded, frames_per_second, rounding)
    yield from images(timed, path, short_side)


def images(
  timed: Iterator[tuple[float, av.VideoFrame]],
  path: str,
  short_side: int | None = None,
) -> Iterator[TimedFrame]:
  """Converts frames to upright pictures of one size.

  Args:
    timed: seconds, and frames as decoded.
    path: what messages name.
    short_side: see `read_frames`.

  Yields:
    The frames; the same array as long as the frame is the same.

  Raises:
    VideoError: a frame cannot be converted.
  """
  size: tuple[int, int] | None = None
  orientation: tuple[int, int, int, int] | None = None
  scaler = reformatter.VideoReformatter()
  converted: av.VideoFrame | None = None
  image = np.empty((0, 0, 3), np.uint8)
  for seconds, frame in timed:
    if frame is not converted:
      if size is None:
        size = _output_size(frame, short_side)
        # Not of each frame: it and its side data refer to each other, so that
        # it would stay in memory until it is collected.
        orientation = _orientation(frame)
      try:
        scaled = scaler.reformat(
          frame, *size, format='rgb24', interpolation=_AREA, threads=1
        )
      except av.error.FFmpegError as error:
        raise VideoError(
          path,
          f'cannot convert {frame.format.name} of {frame.width} x '
          f'{frame.height} to RGB of {size[0]} x {size[1]}: '
          f'{error.strerror}',
        ) from error
      image = _upright(scaled.to_ndarray(), orientation)
      converted = frame
    yield TimedFrame(seconds, image)
