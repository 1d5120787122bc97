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

"""Video files for tests, whose frames show their own numbers."""

from collections.abc import Iterable, Sequence
import fractions
import itertools
import struct
import typing

import av
import numpy as np

# A number is shown as bars from the left, black for 0 and white for 1.
_BITS = 8
_FIXED_POINT = 1 << 16

# As [[a, b], [c, d]] in MP4's 'tkhd': (p, q) goes to (a·p + c·q, b·p + d·q).
ORIENTATIONS = {
  'as it is': ((1, 0), (0, 1)),
  'quarter turn clockwise': ((0, 1), (-1, 0)),
  'half turn': ((-1, 0), (0, -1)),
  'quarter turn counterclockwise': ((0, -1), (1, 0)),
  'mirrored': ((-1, 0), (0, 1)),
  'mirrored upside down': ((1, 0), (0, -1)),
  'transposed': ((0, 1), (1, 0)),
}


def numbered_frame(number: int, width: int, height: int) -> np.ndarray:
  """[height, width, 3] uint8; bars that show `number`, reddish at the top."""
  frame = np.zeros((height, width, 3), np.uint8)
  for bit in range(_BITS):
    bar = slice(bit * width // _BITS, (bit + 1) * width // _BITS)
    frame[:, bar] = 255 * (number >> bit & 1)
  frame[: height // 3] = (200, 40, 40)
  return frame


def shown_number(image: np.ndarray) -> int:
  """The number that a frame shows, whatever its size."""
  height, width = image.shape[:2]
  row = image[height * 3 // 4].mean(-1)
  return sum(
    (row[(2 * bit + 1) * width // (2 * _BITS)] > 127) << bit
    for bit in range(_BITS)
  )


def write_video(
  path,
  num_frames: int = 10,
  rate: int | fractions.Fraction = 25,
  size: tuple[int, int] = (64, 48),
  codec: str | None = None,
  milliseconds: Sequence[int] | None = None,
  audio: bool = False,
  options: dict[str, str] | None = None,
):
  """Writes a video of numbered frames, and returns its path as a string.

  Args:
    path: the path of the file; its suffix gives the container.
    num_frames: how many, at most 256.
    rate: frames a second.
    size: width and height.
    codec: the codec of the frames; by default one that fits the suffix.
    milliseconds: the time of each frame, for a rate that varies.
    audio: whether there is sound as well.
    options: for the container.
  """
  path = str(path)
  codec = codec or {'avi': 'mpeg4', 'webm': 'libvpx'}.get(
    path.rsplit('.')[-1], 'libx264'
  )
  with av.open('file:' + path, 'w', options=options or {}) as container:
    stream = typing.cast(av.VideoStream, container.add_stream(codec, rate=rate))
    stream.width, stream.height = size
    odd = size[0] % 2 or size[1] % 2
    stream.pix_fmt = 'yuv444p' if odd and codec == 'libx264' else 'yuv420p'
    stream.bit_rate = 2_000_000
    if milliseconds is not None:
      stream.codec_context.time_base = fractions.Fraction(1, 1000)
    if audio:
      sound = container.add_stream('aac', rate=8000, layout='mono')
      silence = av.AudioFrame.from_ndarray(
        np.zeros((1, int(8000 * num_frames / rate)), np.float32), 'fltp', 'mono'
      )
      silence.sample_rate = 8000
      silence.pts = 0
      container.mux([*sound.encode(silence), *sound.encode()])
    for number in range(num_frames):
      frame = av.VideoFrame.from_ndarray(numbered_frame(number, *size), 'rgb24')
      if milliseconds is not None:
        frame.pts = milliseconds[number]
        frame.time_base = fractions.Fraction(1, 1000)
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return path


def write_frames(
  path, frames: Iterable[np.ndarray], rate: int | fractions.Fraction = 25
) -> str:
  """Writes [height, width, 3] uint8 frames, and returns the path as a string.

  Where frames change size, so does the video: a transport stream can.
  """
  path = str(path)
  number = 0
  with av.open('file:' + path, 'w') as container:
    stream = container.add_stream('libx264', rate=rate)
    encoder = stream.codec_context
    for shape, part in itertools.groupby(frames, lambda image: image.shape):
      if number:
        encoder = av.CodecContext.create('libx264', 'w')
      encoder.height, encoder.width, _ = shape
      encoder.pix_fmt = 'yuv420p'
      encoder.time_base = 1 / fractions.Fraction(rate)
      packets = []
      for image in part:
        frame = av.VideoFrame.from_ndarray(image, 'rgb24')
        frame.pts = number
        frame.time_base = encoder.time_base
        packets += encoder.encode(frame)
        number += 1
      for packet in packets + encoder.encode(None):
        packet.stream = stream
        container.mux(packet)
  return path


def write_headers(path) -> str:
  """Writes a video of no frames, and returns the path as a string."""
  with av.open('file:' + str(path), 'w') as container:
    stream = container.add_stream('mpeg4', rate=25)
    stream.width = stream.height = 16
    stream.pix_fmt = 'yuv420p'
    container.start_encoding()
  return str(path)


def set_orientation(path: str, orientation: str):
  """Changes the display matrix of an MP4 file."""
  (a, b), (c, d) = ORIENTATIONS[orientation]
  with open(path, 'rb') as f:
    data = f.read()
  # Version 0: 40 bytes of other fields between the name and the matrix.
  start = data.index(b'tkhd') + 44
  matrix = struct.pack(
    '>9i',
    *(value * _FIXED_POINT for value in (a, b, 0, c, d, 0, 0, 0)),
    1 << 30,
  )
  with open(path, 'wb') as f:
    f.write(data[:start] + matrix + data[start + len(matrix) :])


def truncate(path: str, share: float):
  """Keeps the first part of a file."""
  with open(path, 'rb') as f:
    data = f.read()
  with open(path, 'wb') as f:
    f.write(data[: int(share * len(data))])
