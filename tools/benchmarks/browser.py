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
r"""Times an exported web page in Chromium against the client in Python.

  python3 tools/benchmarks/browser.py --model=/tmp/a0s_grw_web

Runs the model of a folder of `grw export web` in the worker of its page and in
`TfliteStream` on one thread, in turns: streams of as many frames, each of 320 x
240 random pixels, one right after the other.  Milliseconds are of a frame,
medians: as a clock on the wall has them; and of the processor, which other work
on the machine disturbs less.  The latter are of the model alone in Python, and
of all that the worker's thread does in the browser.  Then the page itself
watches a camera of Chromium's own, and says how many frames it left out.
Chromium is one that is installed (`apt-get install chromium`); Linux only.
"""

import functools
import http.server
import os
import pathlib
import shutil
import sys
import threading
import time

from absl import flags
import numpy as np
from playwright import sync_api

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.inference import exported
from official_ext.grw.inference import tflite_stream
from official_ext.grw.reports import benchmark

_MODEL = flags.DEFINE_string(
  'model', None, 'The folder that `grw export web` wrote.', required=True
)
_FRAMES = flags.DEFINE_integer('frames', 50, 'Frames a stream.', lower_bound=1)
_REPEATS = flags.DEFINE_integer('repeats', 9, 'Streams of each.', lower_bound=1)
_CAMERA_SECONDS = flags.DEFINE_integer(
  'camera_seconds', 60, 'How long the page watches a camera.', lower_bound=1
)
_CHROMIUM = flags.DEFINE_string(
  'chromium',
  None,
  'The program; by default chromium or google-chrome, wherever it is.',
)

# Feeds a stream to a worker of its own, and returns [preparing, model] ms.
_STREAM = """async (frames) => {
  if (!window.timed) {
    const card = await (await fetch('model_card.json')).json();
    window.timed = new Worker('worker.js');
    const ready = new Promise((resolve) => { timed.onmessage = resolve; });
    timed.postMessage({type: 'load', card, record: 0});
    const {data} = await ready;
    if (data.type !== 'ready') throw new Error(data.message);
  }
  timed.postMessage({type: 'reset', video: 1});
  const canvas = new OffscreenCanvas(320, 240);
  const context = canvas.getContext('2d');
  const pixels = context.createImageData(320, 240);
  const times = [];
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < pixels.data.length; i += 65536) {
      crypto.getRandomValues(pixels.data.subarray(i, i + 65536));
    }
    for (let i = 3; i < pixels.data.length; i += 4) pixels.data[i] = 255;
    context.putImageData(pixels, 0, 0);
    const bitmap = await createImageBitmap(canvas);
    const answer = new Promise((resolve) => { timed.onmessage = resolve; });
    timed.postMessage({type: 'frame', bitmap, times: [frame]}, [bitmap]);
    const {data} = await answer;
    if (data.type !== 'answer') throw new Error(data.message);
    times.push([data.preparationMs, data.modelMs]);
  }
  return times;
}"""


def worker_ms() -> float:
  """Milliseconds that workers of browsers below this process have computed."""
  parents = {}
  for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
      fields = path.read_text().rpartition(')')[2].split()
    except OSError:
      continue  # It has ended.
    parents[int(path.parent.name)] = int(fields[1])

  def is_ours(process):
    while process and process != os.getpid():
      process = parents.get(process, 0)
    return bool(process)

  return sum(
    int((task / 'schedstat').read_text().split()[0]) / 1e6
    for process in filter(is_ours, parents)
    for task in pathlib.Path(f'/proc/{process}/task').iterdir()
    if (task / 'comm').read_text().startswith('DedicatedWorker')
  )


def browser_times(
  page: sync_api.Page, num_frames: int
) -> tuple[list[list[float]], float]:
  """[preparing, model] ms of each frame, and processor ms of a frame."""
  before = worker_ms()
  times = page.evaluate(_STREAM, num_frames)
  return times, (worker_ms() - before) / num_frames


def python_times(
  model: exported.ExportedModel,
  stream: tflite_stream.TfliteStream,
  frames: np.ndarray,
) -> tuple[list[list[float]], float]:
  """What `browser_times` has; processor ms of the model alone."""
  times = []
  processor = 0.0
  stream.reset()
  for frame in frames:
    start = time.perf_counter()
    image = model.prepared(frame)
    prepared = time.perf_counter()
    before = time.thread_time()
    stream.step(image)
    processor += 1e3 * (time.thread_time() - before)
    end = time.perf_counter()
    times.append([1e3 * (prepared - start), 1e3 * (end - prepared)])
  return times, processor / len(frames)


def camera_frames(page: sync_api.Page, seconds: int) -> tuple[int, int]:
  """Frames of a camera that the page answers in so long, and leaves out."""
  page.evaluate(
    'answered = 0; addEventListener("answer", () => { answered += 1; })'
  )
  page.click('#camera')
  page.wait_for_timeout(1e3 * seconds)
  lost = page.evaluate('source.lost')
  page.click('#stop')
  return page.evaluate('answered'), lost


def main(_):
  chromium = _CHROMIUM.value or shutil.which('chromium')
  chromium = chromium or shutil.which('google-chrome')
  if chromium is None:
    sys.exit('error: there is no chromium: give --chromium=PATH.')
  model = exported.open_model(_MODEL.value)
  stream = tflite_stream.TfliteStream(
    os.path.join(_MODEL.value, tflite_stream.MODEL_FILE), num_threads=1
  )
  frames = np.random.default_rng(0).integers(
    0, 256, (_FRAMES.value, 240, 320, 3), np.uint8
  )

  class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
      pass

  server = http.server.ThreadingHTTPServer(
    ('127.0.0.1', 0), functools.partial(Handler, directory=_MODEL.value)
  )
  threading.Thread(target=server.serve_forever, daemon=True).start()
  found: dict[str, list[list[float]]] = {'Python': [], 'browser': []}
  processor: dict[str, list[float]] = {'Python': [], 'browser': []}
  with sync_api.sync_playwright() as playwright:
    browser = playwright.chromium.launch(
      executable_path=chromium,
      chromium_sandbox=os.getuid() != 0,
      args=[
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
      ],
    )
    page = browser.new_page()
    page.goto(f'http://127.0.0.1:{server.server_port}/')
    page.wait_for_selector('#camera:enabled')
    for turn in range(_REPEATS.value + 1):
      for name, (times, of_processor) in (
        ('Python', python_times(model, stream, frames)),
        ('browser', browser_times(page, _FRAMES.value)),
      ):
        if turn:  # The first warms up.
          found[name] += times
          processor[name].append(of_processor)
    answered, lost = camera_frames(page, _CAMERA_SECONDS.value)
    version = browser.version
    browser.close()
  server.shutdown()
  print(f'{benchmark.machine()}; Chromium {version}; {model.card.name}')
  wall = {name: np.median(times, axis=0) for name, times in found.items()}
  cpu = {name: float(np.median(times)) for name, times in processor.items()}
  print(
    benchmark.markdown_table(
      ['', 'preparing, ms', 'model, ms', 'ratio', 'processor, ms', 'ratio'],
      [
        [
          name,
          f'{wall[name][0]:.2f}',
          f'{wall[name][1]:.2f}',
          f'{wall[name][1] / wall["Python"][1]:.2f}',
          f'{cpu[name]:.2f}',
          f'{cpu[name] / cpu["Python"]:.2f}',
        ]
        for name in found
      ],
    )
  )
  print(
    f'\nA camera of {_CAMERA_SECONDS.value} s at '
    f'{model.card.frames_per_second} frames a second: {answered} answers, '
    f'{lost} frames left out'
  )


if __name__ == '__main__':
  benchmark.run(main)
