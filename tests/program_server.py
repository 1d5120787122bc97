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

"""Starts programs out of a process that has imported TensorFlow already.

Importing TensorFlow and the Model Garden takes longer than what most programs
of the tests do.  A server imports once; each program is a fork of it before
TensorFlow has begun anything, with arguments, folder, environment, output, exit
code and an interpreter's end of its own.  tests/run_tiny.py asks for one and
lives as long: killing it kills the program.
"""

import atexit
import json
import os
import pathlib
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from tests import lean

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Names the socket, for the processes that tests start.
ADDRESS = 'GRW_TEST_PROGRAM_SERVER'


def start():
  """Starts the server of this process, once; it ends with the process."""
  if ADDRESS in os.environ:
    return
  # Not one that cleans up after itself: a fork of this process that ends would
  # take the socket with it.
  owner, folder = os.getpid(), tempfile.mkdtemp(prefix='grw_programs_')
  address = os.path.join(folder, 'socket')
  listener = socket.socket(socket.AF_UNIX)
  listener.bind(address)
  listener.listen()
  process = subprocess.Popen(
    [sys.executable, '-m', 'tests.program_server', str(listener.fileno())],
    cwd=ROOT,
    stdin=subprocess.PIPE,  # Closed when this process ends, however it does.
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    pass_fds=[listener.fileno()],
    # As train.py has it; read at import, which here is before.
    env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'},
    start_new_session=True,
  )
  listener.close()
  os.environ[ADDRESS] = address

  @atexit.register
  def end():
    if os.getpid() != owner:
      return
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def request(arguments: list[str]) -> int:
  """Has the server run a program; waits for it and returns its exit code."""
  with socket.socket(socket.AF_UNIX) as client:
    client.connect(os.environ[ADDRESS])
    text = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(client, [len(text).to_bytes(8, 'big')], [1, 2])
    client.sendall(text)
    answer = client.recv(1)
  if not answer:
    sys.exit('the server of programs has ended')
  return answer[0]


def _received(connection: socket.socket) -> tuple[list, list[int]]:
  size, fds, *_ = socket.recv_fds(connection, 8, 2)
  text = b''
  while len(text) < int.from_bytes(size, 'big'):
    text += connection.recv(1 << 16)
  return json.loads(text), fds


def _watch(connection: socket.socket, program: int):
  """Tells how a program ended, or ends it with whoever asked for it."""
  while True:
    ready, *_ = select.select([connection], [], [], 0.02)
    if ready:
      os.kill(program, signal.SIGKILL)
      return
    ended, status = os.waitpid(program, os.WNOHANG)
    if ended:
      code = os.waitstatus_to_exitcode(status)
      connection.sendall(bytes([code if code >= 0 else 128 - code]))
      return


def serve(listener: socket.socket) -> list[str] | None:
  """Forks a process for each request.

  Returns:
    In such a process, the program to run and its arguments; in the server, when
    the process that started it has ended, None.
  """
  signal.signal(signal.SIGCHLD, signal.SIG_IGN)
  while True:
    ready, *_ = select.select([listener, sys.stdin], [], [])
    if sys.stdin in ready:
      return None
    connection, _ = listener.accept()
    if os.fork():
      connection.close()
      continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    listener.close()
    (arguments, folder, environment), fds = _received(connection)
    if program := os.fork():
      for fd in fds:
        os.close(fd)
      _watch(connection, program)
      os._exit(0)
    connection.close()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for target, fd in enumerate(fds, 1):
      os.dup2(fd, target)
      os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # Of $TMPDIR, which may be another now.
    return arguments


def main():
  # What programs import, without anything that begins to compute.
  from official_ext.grw import registry_imports  # noqa: F401
  from official_ext.grw.reports import demo  # noqa: F401
  from official_ext.grw.serving import export  # noqa: F401
  from official_ext.grw.training import launch  # noqa: F401
  from tests import tiny  # noqa: F401

  lean.leave_imports_alone()
  arguments = serve(socket.socket(fileno=int(sys.argv[1])))
  if arguments:
    sys.argv = arguments
    runpy.run_path(str(ROOT / arguments[0]), run_name='__main__')


if __name__ == '__main__':
  main()
