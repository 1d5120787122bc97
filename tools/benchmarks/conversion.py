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

"""Times the conversion of videos against the bare loop, and on more cores.

  python3 tools/benchmarks/conversion.py

One core: clips a second of the whole conversion against a loop of PyAV decode,
resize and JPEG encode over the same files, in turns.  Then one process against
two, start-up included, and the peak memory of one process by number of clips.
"""

from concurrent import futures
import functools
import logging
import multiprocessing
import os
import pathlib
import shutil
import sys
import tempfile

from absl import flags
import av
import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

# Beam warns on import of clouds that are not installed.
logging.disable(logging.WARNING)
from official_ext.grw.datasets import video_conversion  # noqa: E402
from official_ext.grw.datasets import video_records  # noqa: E402
from official_ext.grw.datasets import video_sources  # noqa: E402
from official_ext.grw.reports import benchmark  # noqa: E402

logging.disable(logging.NOTSET)

LEAST_OF_BARE, LEAST_OF_TWO = 0.8, 1.7
_VIDEO = flags.DEFINE_string(
  'video',
  None,
  'Video to convert; by default one of 10 s, 340 x 256 at 25 '
  'frames/s in H.264, is made.',
)
_CLIPS = flags.DEFINE_integer(
  'clips', 120, 'Copies of it against the bare loop.', lower_bound=1
)
_CLIPS_OF_TWO = flags.DEFINE_integer(
  'clips_of_two',
  600,
  'Copies of it for one process against two.',
  lower_bound=2,
)
_REPEATS = flags.DEFINE_integer(
  'repeats', 3, 'Runs for each time.', lower_bound=1
)
_MEMORY_CLIPS = flags.DEFINE_list(
  'memory_clips',
  ['200', '1000', '2000'],
  'Numbers of clips whose memory is measured; the clips are of 1 s.',
)
_SHORT_SIDE, _QUALITY = 224, 90


def make_video(path: pathlib.Path, num_frames: int):
  """Writes a video of moving texture with some noise."""
  rng = np.random.default_rng(0)
  texture = cv2.resize(
    rng.integers(0, 255, (40, 60, 3), np.uint8),
    (600, 400),
    interpolation=cv2.INTER_CUBIC,
  )
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('libx264', rate=25)
    stream.width, stream.height, stream.pix_fmt = 340, 256, 'yuv420p'
    for i in range(num_frames):
      image = texture[i % 100 :, i % 200 :][:256, :340].astype(int)
      image = image + rng.integers(-6, 7, image.shape)
      frame = av.VideoFrame.from_ndarray(
        image.clip(0, 255).astype(np.uint8), 'rgb24'
      )
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def link_clips(
  video: pathlib.Path, folder: pathlib.Path, num_clips: int
) -> video_sources.Sources:
  """Sources of so many clips, which are all the same file."""
  label = folder / 'train' / 'label'
  label.mkdir(parents=True)
  for i in range(num_clips):
    os.link(video, label / f'{i}{video.suffix}')
  return video_sources.folder_sources(str(folder))


def bare_loop(sources: video_sources.Sources):
  """Decodes, resizes and encodes every frame, and no more."""
  for clip in sources.clips:
    with av.open(clip.path) as container:
      container.streams.video[0].codec_context.thread_count = 1
      for frame in container.decode(video=0):
        scale = _SHORT_SIDE / min(frame.width, frame.height)
        image = frame.to_ndarray(
          format='bgr24',
          width=round(frame.width * scale),
          height=round(frame.height * scale),
          interpolation='AREA',
          threads=1,
        )
        cv2.imencode('.jpg', image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))


def convert(
  sources: video_sources.Sources,
  output: pathlib.Path,
  frames_per_second: float,
  num_workers: int,
):
  """Converts all frames, from nothing."""
  shutil.rmtree(output, ignore_errors=True)
  video_conversion.convert(
    sources,
    str(output),
    video_records.EncodingSettings(frames_per_second, _SHORT_SIDE, _QUALITY),
    beam_arguments=[f'--direct_num_workers={num_workers}'],
  )


def peak_memory_mib(folder: pathlib.Path, num_clips: int) -> float:
  """Peak memory of this process after it has converted so many clips."""
  video = folder / 'short.mp4'
  make_video(video, 25)
  sources = link_clips(video, folder / 'videos', num_clips)
  convert(sources, folder / 'records', 25.0, 1)
  return benchmark.peak_memory_mib()


def main(_):
  print(
    f'{benchmark.machine()}; PyAV {av.__version__}; OpenCV {cv2.__version__}'
  )
  too_slow = []
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    for number in map(int, _MEMORY_CLIPS.value):
      place = folder / f'memory{number}'
      place.mkdir()
      # A process each, and these first: a peak cannot be taken back, and a
      # process begins with that of its parent.
      with futures.ProcessPoolExecutor(
        1, multiprocessing.get_context('spawn')
      ) as pool:
        peak = pool.submit(peak_memory_mib, place, number).result()
      print(f'{number} clips of 1 s: peak memory {peak:.0f} MiB', flush=True)

    # Hard links are made to it, which other file systems do not allow.
    video = folder / f'video{pathlib.Path(_VIDEO.value or "a.mp4").suffix}'
    if _VIDEO.value:
      shutil.copyfile(_VIDEO.value, video)
    else:
      make_video(video, 250)
    with av.open(str(video)) as container:
      rate = float(container.streams.video[0].average_rate or 25)

    cores = os.sched_getaffinity(0)
    sources = link_clips(video, folder / 'few', _CLIPS.value)
    os.sched_setaffinity(0, [min(cores)])
    bare, one = benchmark.medians(
      [
        lambda: bare_loop(sources),
        lambda: convert(sources, folder / 'records', rate, 1),
      ],
      _REPEATS.value,
      warm_up=1,
    )
    os.sched_setaffinity(0, cores)
    print(
      f'one core: {_CLIPS.value / bare:.2f} clips/s of the bare loop, '
      f'{_CLIPS.value / one:.2f} converted, ratio {bare / one:.2f} '
      f'(expected: at least {LEAST_OF_BARE})',
      flush=True,
    )
    if bare / one < LEAST_OF_BARE:
      too_slow.append('one core')

    if len(cores) > 1:
      sources = link_clips(video, folder / 'many', _CLIPS_OF_TWO.value)
      one, two = benchmark.medians(
        [
          functools.partial(convert, sources, folder / 'records', rate, n)
          for n in (1, 2)
        ],
        _REPEATS.value,
        warm_up=0,
      )
      print(
        f'{_CLIPS_OF_TWO.value} clips: {one:.1f} s in one process, '
        f'{two:.1f} s in two, ratio {one / two:.2f} '
        f'(expected: at least {LEAST_OF_TWO})',
        flush=True,
      )
      if one / two < LEAST_OF_TWO:
        too_slow.append('two cores')

  if too_slow:
    sys.exit(f'Slower than expected: {", ".join(too_slow)}.')


if __name__ == '__main__':
  benchmark.run(main)
