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

"""Models on Kaggle by their handles, downloaded once by `kagglehub`."""

import functools
import importlib.util
import re

from official_ext.grw.files import extras

PREFIX = 'kaggle:'

_PAGES = 'https://www.kaggle.com/models/'
_HANDLE = re.compile(r'(\w[\w.-]*/){3}\w[\w.-]*(/[1-9]\d*)?')


def is_handle(path: str) -> bool:
  """Whether a path is meant to name a model on Kaggle."""
  return path.startswith(PREFIX)


def require(path: str):
  """Raises ValueError for a handle that cannot be one; asks nobody."""
  if not _HANDLE.fullmatch(path.removeprefix(PREFIX)):
    raise ValueError(
      f'{path!r}: expected {PREFIX}owner/model/framework/variation, with '
      '/version if another than the newest is meant, such as '
      f'{PREFIX}google/movinet/tensorFlow2/'
      'a0-stream-kinetics-600-classification.'
    )


def require_library():
  """Raises MissingExtraError unless `kagglehub` is installed."""
  if importlib.util.find_spec('kagglehub') is None:
    with extras.named_if_missing():
      raise ModuleNotFoundError(name='kagglehub')


def page(path: str) -> str:
  """The address of the page of a handle."""
  return _PAGES + path.removeprefix(PREFIX)


@functools.cache
def local(path: str) -> str:
  """The folder of a model on Kaggle, downloaded if it is not there yet.

  `kagglehub` shows progress, checks what it gets, and keeps it in its cache
  (`KAGGLEHUB_CACHE`, or `~/.cache/kagglehub`).  Of a handle with a version that
  is there nobody is asked; without a version, once a process, which is newest.

  Args:
    path: a handle after `PREFIX`; any other path is returned as it is.

  Raises:
    ValueError: the handle is malformed, or nothing could be downloaded.
    MissingExtraError: `kagglehub` is not installed.
  """
  if not is_handle(path):
    return path
  require(path)
  with extras.named_if_missing():
    import kagglehub  # Nothing else needs it.
  try:
    return kagglehub.model_download(path.removeprefix(PREFIX))
  except Exception as error:  # Of the network, the archive or the library.
    reason = ' '.join(str(error).split()) or type(error).__name__
    raise ValueError(
      f'{path!r} was not downloaded: {reason[:300].rstrip(".")}. Check the '
      f'handle and the network, or get it by hand from {page(path)}, unpack it '
      'and give the folder. Once it is here, a handle with its version needs '
      'no network.'
    ) from error
