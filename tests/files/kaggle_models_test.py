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

"""Models on Kaggle are downloaded once, and what goes wrong is one line."""

import pathlib

import pytest

from official_ext.grw.configs import preflight
from official_ext.grw.files import kaggle_models
from tests import kaggle_server

HANDLE = kaggle_server.HANDLE
VERSIONED = f'{HANDLE}/{kaggle_server.VERSION}'


@pytest.fixture
def server(tmp_path, monkeypatch):
  folder = tmp_path / 'model'
  (folder / 'variables').mkdir(parents=True)
  (folder / 'saved_model.pb').write_bytes(b'graph' * 100)
  (folder / 'variables' / 'variables.index').write_bytes(b'index' * 100)
  with kaggle_server.serving(folder, tmp_path / 'cache', monkeypatch) as found:
    yield found


def same_files(server, folder) -> bool:
  return all(
    (pathlib.Path(folder) / name).read_bytes()
    == (server.folder / name).read_bytes()
    for name in server.names()
  )


@pytest.mark.parametrize('as_archive', [False, True])
@pytest.mark.parametrize('path', [HANDLE, VERSIONED])
def test_a_model_is_downloaded_once(path, as_archive, server):
  server.as_archive = as_archive
  folder = kaggle_models.local(path)
  assert same_files(server, folder)
  count = server.downloads
  assert count == (1 if as_archive else len(server.names()))
  asked = len(server.asked)
  assert kaggle_models.local(path) == folder
  assert len(server.asked) == asked  # The same process does not even ask.
  kaggle_models.local.cache_clear()  # As another process would begin.
  assert kaggle_models.local(path) == folder
  assert server.downloads == count
  # Only what may be newer has to be asked.
  assert len(server.asked) == asked + (path == HANDLE)


def test_a_version_that_is_here_needs_no_network(server):
  folder = kaggle_models.local(HANDLE)
  kaggle_models.local.cache_clear()
  server.shutdown()
  server.server_close()
  assert kaggle_models.local(VERSIONED) == folder


def test_other_paths_stay_as_they_are(server):
  for path in ('/a/b', 'gs://a/b', 'a:b', ''):
    assert kaggle_models.local(path) == path
  assert not server.asked


@pytest.mark.parametrize(
  'damage, as_archive, reason',
  [
    ('cut', False, 'bytes'),
    ('cut', True, 'bytes'),
    ('changed', False, 'MD5 checksum'),
    ('changed', True, 'MD5 checksum'),
    ('no archive', True, 'archive'),
  ],
)
def test_what_comes_damaged_is_not_kept(damage, as_archive, reason, server):
  server.damage, server.as_archive = damage, as_archive
  with pytest.raises(ValueError, match=reason) as error:
    kaggle_models.local(HANDLE)
  require_help(error, HANDLE)
  server.damage = ''
  assert same_files(server, kaggle_models.local(HANDLE))


def require_help(error, path):
  message = str(error.value)
  assert message.startswith(f'{path!r} was not downloaded: ')
  assert '\n' not in message
  page = f'https://www.kaggle.com/models/{path.removeprefix("kaggle:")}'
  assert f'get it by hand from {page}, unpack it and give' in message


@pytest.mark.parametrize(
  'path',
  [
    'kaggle:google/movienet/tensorFlow2/tiny-stream',
    f'{HANDLE}/3',
    'kaggle:google/movinet/tensorflow9/tiny-stream',
  ],
)
def test_what_there_is_not_is_told_in_a_line(path, server):
  with pytest.raises(ValueError, match='404|not a valid') as error:
    kaggle_models.local(path)
  require_help(error, path)
  assert not server.downloads


def test_no_network_is_told_in_a_line(server):
  server.shutdown()
  server.server_close()
  with pytest.raises(ValueError, match='refused') as error:
    kaggle_models.local(HANDLE)
  require_help(error, HANDLE)


@pytest.mark.parametrize(
  'path',
  [
    'kaggle:',
    'kaggle:google/movinet',
    'kaggle:google/movinet/tensorFlow2/',
    f'{HANDLE}/',
    f'{HANDLE}/newest',
    f'{HANDLE}/0',
    f'{HANDLE}/2/saved_model.pb',
    'kaggle://google/movinet/tensorFlow2/tiny-stream',
    'kaggle:../../../cache',
  ],
)
def test_a_malformed_handle_asks_nobody(path, server):
  with pytest.raises(ValueError, match='expected kaggle:owner/') as error:
    kaggle_models.local(path)
  assert str(error.value).startswith(f'{path!r}: ')
  assert not server.asked


def check(folder, path):
  data = {
    'tfds_name': 'ucf101',
    'num_classes': 3,
    'num_examples': 16,
    'feature_shape': [8, 32, 32, 3],
  }
  task = {'init_checkpoint': path, 'train_data': data, 'validation_data': data}
  preflight.check(
    'movinet_grw_own_data',
    'train',
    str(folder),
    [('--params_override', {'task': task})],
  )


def test_weights_are_downloaded_before_a_training_starts(server, tmp_path):
  check(tmp_path / 'new', HANDLE)
  assert server.downloads == len(server.names())


def test_a_training_that_goes_on_downloads_nothing(server, tmp_path):
  (tmp_path / 'ckpt-3.index').touch()
  check(tmp_path, HANDLE)
  assert not server.asked


def test_a_training_is_refused_without_its_weights(server, tmp_path):
  path = f'{HANDLE}/3'
  with pytest.raises(ValueError) as error:
    check(tmp_path / 'new', path)
  assert str(error.value).startswith(
    f'task.init_checkpoint={path!r} was not downloaded: 404'
  )
