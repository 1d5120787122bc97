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

"""A headless Chromium for tests of the web page.

`chromium` is a package of Debian and Ubuntu; Google Chrome does as well.  It
has a camera that shows a file, and reaches nothing but this machine.
"""

from collections.abc import Iterator, Sequence
import contextlib
import functools
import http.server
import os
import shutil
import threading

import numpy as np
from playwright import sync_api
import pytest

from official_ext.grw.serving import web_page

_NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')


def path() -> str:
  """The program; skips the test where there is none."""
  found = [name for name in map(shutil.which, _NAMES) if name]
  if not found:
    pytest.skip(f'needs a browser: one of {", ".join(_NAMES)}')
  return found[0]


def runtime() -> str:
  """The folder of LiteRT.js; skips the test where npm cannot fetch it."""
  try:
    return web_page.fetch_runtime()
  except ValueError as error:
    pytest.skip(f'needs LiteRT.js: {error}')


@contextlib.contextmanager
def launched(
  playwright: sync_api.Playwright, arguments: Sequence[str]
) -> Iterator[sync_api.Browser]:
  """A browser with a camera of its own, and more arguments."""
  browser = playwright.chromium.launch(
    executable_path=path(),
    args=[
      '--use-fake-device-for-media-stream',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      *arguments,
    ],
    # Chromium has none for root.
    chromium_sandbox=os.getuid() != 0,
  )
  yield browser
  browser.close()


@contextlib.contextmanager
def served(folder) -> Iterator[str]:
  """Serves a folder as any server of files does; yields its address."""

  class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
      pass

  server = http.server.ThreadingHTTPServer(
    ('127.0.0.1', 0), functools.partial(Handler, directory=str(folder))
  )
  threading.Thread(target=server.serve_forever, daemon=True).start()
  yield f'http://127.0.0.1:{server.server_port}'
  server.shutdown()
  server.server_close()


def write_y4m(path_of_file, frames: Sequence[np.ndarray], rate: int) -> str:
  """Writes frames [height, width, 3] uint8, of Y, U and V, for a camera."""
  height, width, _ = frames[0].shape
  with open(path_of_file, 'wb') as file:
    file.write(
      f'YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n'.encode()
    )
    for frame in frames:
      file.write(b'FRAME\n' + frame[..., 0].tobytes())
      file.write(frame[::2, ::2, 1].tobytes() + frame[::2, ::2, 2].tobytes())
  return str(path_of_file)
