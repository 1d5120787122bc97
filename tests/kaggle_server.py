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

"""A stand-in for Kaggle on this machine, with one model.

It speaks the little of Kaggle's API that `kagglehub` asks for a model: which
version is newest, which files it has, and each of them, or all in an archive.
"""

import base64
from collections.abc import Iterator
import contextlib
import hashlib
import http.server
import io
import json
import pathlib
import tarfile
import threading

from kagglehub import clients as kaggle_clients
from kagglesdk import kaggle_env
import pytest

from official_ext.grw.files import kaggle_models

HANDLE = 'kaggle:google/movinet/tensorFlow2/tiny-stream'
VERSION = 2
# Requests: the names of the files of a version, and a download.
_FILES = 'ListModelInstanceVersionFiles'
_DOWNLOAD = 'DownloadModelInstanceVersion'


class Server(http.server.ThreadingHTTPServer):
  """The stand-in.

  Attributes:
    folder: the model.
    as_archive: whether it is to be downloaded as one archive, as models of many
      files are.
    damage: what is wrong with what is sent: '', 'cut' (the connection ends
      early), 'changed' (its checksum is of other bytes) or 'no archive'.
    asked: the requests, by their names in the API.
  """

  daemon_threads = True

  def __init__(self, folder: pathlib.Path):
    super().__init__(('127.0.0.1', 0), _Handler)
    self.folder = folder
    self.as_archive = False
    self.damage = ''
    self.asked: list[str] = []

  @property
  def address(self) -> str:
    return f'http://127.0.0.1:{self.server_port}'

  @property
  def downloads(self) -> int:
    """How many files or archives were sent."""
    return self.asked.count(_DOWNLOAD)

  def names(self) -> list[str]:
    """The files of the model, relative to its folder."""
    return sorted(
      path.relative_to(self.folder).as_posix()
      for path in self.folder.rglob('*')
      if path.is_file()
    )

  def archive(self) -> bytes:
    """The model as a compressed archive."""
    if self.damage == 'no archive':
      return b'something else'
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w:gz') as tar:
      for name in self.names():
        tar.add(self.folder / name, name)
    return buffer.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
  server: Server

  def log_message(self, *args):
    pass

  def do_POST(self):
    body = self.rfile.read(int(self.headers['Content-Length']))
    request = json.loads(body)
    asked = self.path.rpartition('/')[2]
    self.server.asked.append(asked)
    given = [request.get(f'{name}Slug') for name in ('owner', 'model')]
    if given != ['google', 'movinet'] or (
      request.get('versionNumber', VERSION) != VERSION
    ):
      self._send_json({'code': 404, 'message': 'Not found'}, 404)
    elif asked == _DOWNLOAD:
      name = request.get('path')
      self._send_file(
        (self.server.folder / name).read_bytes()
        if name
        else self.server.archive()
      )
    elif asked == _FILES:
      files = [{'name': name} for name in self.server.names()]
      more = 'more' if self.server.as_archive else ''
      self._send_json({'files': files, 'nextPageToken': more})
    else:
      self._send_json({'versionNumber': VERSION})

  def _send_json(self, content: dict, status: int = 200):
    data = json.dumps(content).encode()
    self.send_response(status)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(data)))
    self.end_headers()
    self.wfile.write(data)

  def _send_file(self, data: bytes):
    checked = b'other bytes' if self.server.damage == 'changed' else data
    digest = base64.b64encode(hashlib.md5(checked).digest()).decode()
    self.send_response(200)
    self.send_header('Content-Type', 'application/octet-stream')
    self.send_header('Content-Length', str(len(data)))
    self.send_header('x-goog-hash', f'md5={digest}')
    self.end_headers()
    half = len(data) // 2 if self.server.damage == 'cut' else len(data)
    self.wfile.write(data[:half])


@contextlib.contextmanager
def serving(
  folder: pathlib.Path, cache: pathlib.Path, patch: pytest.MonkeyPatch
) -> Iterator[Server]:
  """Lets `kagglehub` find a model on this machine, and an empty cache.

  Args:
    folder: the model.
    cache: where downloads are kept.
    patch: undone at the end of the test.
  """
  server = Server(folder)
  thread = threading.Thread(target=server.serve_forever, args=(0.01,))
  thread.start()
  patch.setenv('KAGGLEHUB_CACHE', str(cache))
  patch.setenv('HOME', str(cache))  # Has no credentials.
  patch.setenv('NO_PROXY', '127.0.0.1')
  for name in ('KAGGLE_API_TOKEN', 'KAGGLE_USERNAME', 'KAGGLE_KEY'):
    patch.delenv(name, raising=False)
  # The port of its local environment is fixed, and not ours to take.
  patch.setenv('KAGGLE_API_ENVIRONMENT', 'LOCALHOST')
  patch.setitem(
    kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.address
  )
  # Tells Kaggle which library asks; reads the source of the whole stack, which
  # is deep in pytest, six times for it.
  patch.setattr(kaggle_clients, 'get_user_agent', lambda: 'kagglehub')
  kaggle_models.local.cache_clear()
  try:
    yield server
  finally:
    kaggle_models.local.cache_clear()
    server.shutdown()
    server.server_close()
    thread.join()
