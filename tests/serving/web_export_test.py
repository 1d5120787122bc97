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

"""The page of `grw export web` in a browser, and what it says if it cannot."""

import base64
import json
import os
import pathlib
import shutil

import numpy as np
from official.core import exp_factory
from playwright import sync_api
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.datasets import video_decoding
from official_ext.grw.inference import exported as exported_lib
from official_ext.grw.inference import frame_preparation
from official_ext.grw.serving import model_card
from official_ext.grw.serving import web_format
from official_ext.grw.serving import web_page
from tests import browser as browser_lib
from tests import tiny
from tests import video_files

# The least that the airplanes are rendered at.
SIZE = 32
RATE = 8
FRAMES = 30
FORMAT = web_format.WebFormat()
OPTIONS = {'kind': 'stream', 'labels': None, 'quantization': 'float32'}


def experiment(rate: float | None = RATE):
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  data = {
    'feature_shape': [tiny.FRAMES, SIZE, SIZE, 3],
    'min_image_size': SIZE + 4,
    'frames_per_second': rate,
  }
  params.override(
    tiny.merged(
      tiny.overrides('', ''),
      {'task': {'train_data': data, 'validation_data': data}},
    )
  )
  return params


@pytest.fixture(name='site', scope='module')
def site_fixture(tmp_path_factory):
  """Folders to serve: an export, and the same without a card."""
  browser_lib.path()
  browser_lib.runtime()
  params = experiment()
  params.override(
    {
      'task': {
        'model': {'head': {'num_heads': 4, 'num_layers': 2, 'embedding_dim': 0}}
      }
    }
  )
  params.validate()
  model = tiny.classifier()
  folder = tmp_path_factory.mktemp('site')
  checkpoint = tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path_factory.mktemp('trained') / 'ckpt')
  )
  FORMAT.write(
    params, checkpoint, str(folder / 'model'), **OPTIONS, classify_every=None
  )
  os.mkdir(folder / 'no_card')
  for path in (folder / 'model').iterdir():
    if path.name != model_card.CARD_FILE:
      os.symlink(path, folder / 'no_card' / path.name)
  return folder


@pytest.fixture(name='address', scope='module')
def address_fixture(site):
  with browser_lib.served(site) as address:
    yield address


@pytest.fixture(name='playwright', scope='module')
def playwright_fixture(site):
  del site  # Which skips what cannot run.
  with sync_api.sync_playwright() as playwright:
    yield playwright


@pytest.fixture(name='browser', scope='module')
def browser_fixture(playwright, tmp_path_factory):
  """Its camera shows noise that moves, in color."""
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (48, 64, 3), np.uint8)
  camera = browser_lib.write_y4m(
    tmp_path_factory.mktemp('camera') / 'noise.y4m',
    [np.roll(noise, 2 * number, axis=1) for number in range(32)],
    rate=30,
  )
  with browser_lib.launched(
    playwright, [f'--use-file-for-fake-video-capture={camera}']
  ) as browser:
    yield browser


@pytest.fixture(name='page')
def page_fixture(browser):
  """A page that keeps the answers; its errors are the test's."""
  with browser.new_context() as context:
    page = context.new_page()
    errors: list[Exception] = []
    page.on('pageerror', lambda error: errors.append(error))
    page.add_init_script(
      'window.kept = [];'
      "addEventListener('answer', ({detail}) => kept.push(detail));"
    )
    yield page
    assert not errors


def opened(page, address: str):
  page.goto(address)
  page.wait_for_selector('#camera:enabled')


def said(page) -> str:
  return page.wait_for_selector('#message:not([hidden])').inner_text()


def answers(page, count: int) -> list[dict]:
  """The first answers, as soon as there are as many."""
  for _ in range(600):
    if page.evaluate('kept.length') >= count:
      break
    page.wait_for_timeout(100)
  found = page.evaluate(
    """(count) => kept.slice(0, count).map((answer) => ({
      seconds: answer.seconds,
      logits: [...answer.logits],
      embedding: [...answer.embedding],
      // JSON has no NaN.
      smoothness: [...answer.smoothness].map(String),
      points: [...answer.points],
      accelerationOverSpeed: String(answer.accelerationOverSpeed),
      width: answer.frame.width,
      height: answer.frame.height,
      pixels: btoa(String.fromCharCode(...answer.frame.pixels)),
    }))""",
    count,
  )
  assert len(found) == count, said(page)
  for answer in found:
    rgba = np.frombuffer(base64.b64decode(answer['pixels']), np.uint8)
    shape = (answer['height'], answer['width'], 4)
    answer['image'] = rgba.reshape(shape)[..., :3]
  return found


def test_the_folder_is_a_tflite_export_with_a_page(site):
  folder = site / 'model'
  card, _ = model_card.read(str(folder))
  assert (card.format, list(card.files)) == ('tflite', ['model.tflite'])
  sources = pathlib.Path(web_page.__file__).parent / 'web'
  pages = {path.name for path in sources.iterdir()} - {
    'package.json',
    'package-lock.json',
  }
  others = {'labels.txt', 'litert', 'model.tflite', 'model_card.json'}
  assert {path.name for path in folder.iterdir()} == pages | others
  model = exported_lib.open_model(folder)
  model.step(np.zeros((48, 64, 3), np.uint8))


def test_frames_of_a_camera_have_the_answers_of_python(site, address, page):
  """Its own bytes, and no request to anywhere else; alone among all tests."""
  requests = []
  page.context.on('request', lambda request: requests.append(request.url))
  page.context.grant_permissions(['camera'])
  opened(page, f'{address}/model/?record={FRAMES}')
  page.click('#camera')
  found = answers(page, FRAMES)

  model = exported_lib.open_model(site / 'model')
  embeddings = np.array([answer['embedding'] for answer in found])
  for answer in found:
    want = np.asarray(model.step(answer['image']))
    atol = 1e-5 * np.abs(want).max()
    np.testing.assert_allclose(answer['logits'], want, rtol=0, atol=atol)
    want = model.signals['embedding']
    atol = 1e-5 * np.abs(want).max()
    np.testing.assert_allclose(answer['embedding'], want, rtol=0, atol=atol)
    np.testing.assert_allclose(
      np.array(answer['smoothness'], np.float32),
      model.signals['smoothness'],
      rtol=1e-3,
      atol=1e-6,
    )
  images = {answer['pixels'] for answer in found}
  assert len(images) > FRAMES / 2, 'the camera stands still'
  assert np.ptp([answer['logits'] for answer in found], axis=0).max() > 1e-2
  ticks = np.array([answer['seconds'] for answer in found]) * RATE
  np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-9)
  assert np.all(np.diff(ticks) >= 1)

  velocities = np.diff(embeddings, axis=0)
  lengths = [
    np.linalg.norm(rows, axis=1).mean()
    for rows in (np.diff(velocities, axis=0), velocities)
  ]
  assert float(found[-1]['accelerationOverSpeed']) == pytest.approx(
    lengths[0] / lengths[1], rel=1e-4
  )
  points = np.array(found[-1]['points']).reshape(FRAMES, 2)
  spread = np.linalg.svd(embeddings - embeddings.mean(0), compute_uv=False)
  np.testing.assert_allclose(
    np.linalg.norm(points, axis=0), spread[:2], rtol=0.02
  )

  names = {url.partition('?')[0].rpartition('/')[2] for url in requests}
  # What the worker asks for is among them.
  assert {'model.tflite', 'worker.js'} < names
  assert any(name.endswith('.wasm') for name in names)
  elsewhere = [url for url in requests if not url.startswith(f'{address}/')]
  assert not elsewhere


# What a busy browser does: it announces a frame and does not have it.
UNREADABLE = """
  const create = window.createImageBitmap;
  let left = %s;
  window.createImageBitmap = (...of) => left-- > 0 ?
    Promise.reject(new DOMException('not usable', 'InvalidStateError')) :
    create(...of);
"""


def test_a_frame_that_cannot_be_read_is_lost_alone(address, page, tmp_path):
  page.add_init_script(UNREADABLE % 3)
  page.context.grant_permissions(['camera'])
  opened(page, f'{address}/model/?record=2')
  page.click('#camera')
  answers(page, 2)
  assert int(page.inner_text('#lost').split()[0]) >= 3
  opened(page, f'{address}/model/?record=9')
  video = video_files.write_video(tmp_path / 'a.webm', 9, rate=RATE)
  page.set_input_files('#file', video)
  page.wait_for_selector('#status:has-text("at its end")')
  found = answers(page, 6)
  assert video_files.shown_number(found[0]['image']) == 3
  assert found[0]['seconds'] == 0


def test_frames_that_can_never_be_read_are_a_message(address, page):
  page.add_init_script(UNREADABLE % 'Infinity')
  page.context.grant_permissions(['camera'])
  opened(page, f'{address}/model/')
  page.click('#camera')
  assert 'The browser could not read 50 frames in a row (not usable)' in said(
    page
  )
  assert page.is_enabled('#camera')


def test_the_page_is_not_let_out(address, page):
  opened(page, f'{address}/model/')
  with browser_lib.served(os.path.dirname(__file__)) as other:
    assert (
      page.evaluate(
        """(address) => Promise.any([
        fetch(address, {mode: 'no-cors'}).then(() => 'fetched'),
        new Promise((resolve) => {
          document.addEventListener('securitypolicyviolation',
            ({violatedDirective}) => resolve(violatedDirective));
        }),
      ])""",
        other,
      )
      == 'connect-src'
    )


def test_frames_of_a_file_are_those_that_python_takes(
  site, address, page, tmp_path
):
  """Eight a second of three: each is shown for two or three ticks."""
  video = video_files.write_video(tmp_path / 'a.webm', 7, rate=3)
  opened(page, f'{address}/model/?record=99')
  page.set_input_files('#file', video)
  page.wait_for_selector('#status:has-text("at its end")')
  want = list(video_decoding.read_frames(video, RATE))
  found = answers(page, len(want))
  assert page.evaluate('kept.length') == len(want)
  assert [answer['seconds'] for answer in found] == [
    frame.seconds for frame in want
  ]
  assert [video_files.shown_number(answer['image']) for answer in found] == [
    video_files.shown_number(frame.image) for frame in want
  ]
  assert '100%' not in page.inner_text('#answers')
  assert set(page.locator('.label').all_inner_texts()) == set(
    (site / 'model' / 'labels.txt').read_text().splitlines()
  )


def test_every_pixel_is_that_of_python(address, page):
  """Of all ways to prepare a frame that a card may ask for."""
  opened(page, f'{address}/model/')
  rng = np.random.default_rng(0)
  for rows, columns in ((17, 31), (24, 24), (60, 45), (7, 50)):
    frame = rng.integers(0, 256, (rows, columns, 4), np.uint8)
    for square in (True, False):
      for size, crop in ((16, (16, 20)), (24, (28, 9)), (24, (24, 24))):
        for least, antialias in ((-1, False), (0, True), (0, False)):
          resize = {
            'mode': 'square' if square else 'keep_aspect',
            'size': size,
            'antialias': antialias,
            'crop': crop,
          }
          card = {'resize': resize, 'input': {'range': [least, 1]}}
          got = page.evaluate(
            """async ([card, pixels, columns, rows]) => {
              if (!window.loaded) {
                const script = document.createElement('script');
                script.src = 'preparation.js';
                document.head.append(script);
                await new Promise((resolve) => script.onload = resolve);
                window.loaded = true;
              }
              return Array.from(new Preparation(card).prepare(
                Uint8ClampedArray.from(atob(pixels), (c) => c.charCodeAt(0)),
                columns, rows));
            }""",
            [card, base64.b64encode(frame.tobytes()).decode(), columns, rows],
          )
          prepare = frame_preparation.Preparation(
            square, size, crop, least < 0, antialias
          )
          np.testing.assert_allclose(
            np.reshape(got, (*crop, 3)),
            prepare(np.ascontiguousarray(frame[..., :3])),
            rtol=0,
            atol=1e-6 if antialias else 1e-7,
            err_msg=json.dumps([rows, columns, card]),
          )


def test_a_camera_that_is_not_allowed_is_a_message(address, page):
  opened(page, f'{address}/model/')
  page.click('#camera')
  assert 'The camera was not allowed. Allow it for this page' in said(page)
  # And the page goes on.
  assert page.is_enabled('#file')


def test_a_model_without_card_is_a_message(address, page):
  page.goto(f'{address}/no_card/')
  assert 'model_card.json is not beside this page (404)' in said(page)
  assert 'Copy the whole folder' in said(page)
  assert page.is_disabled('#camera')


@pytest.mark.parametrize('content', [b'no video', b''])
def test_a_video_that_cannot_be_played_is_a_message(
  address, page, tmp_path, content
):
  (tmp_path / 'clip.mkv').write_bytes(content)
  opened(page, f'{address}/model/')
  page.set_input_files('#file', str(tmp_path / 'clip.mkv'))
  assert 'This browser cannot play clip.mkv' in said(page)
  assert 'ffmpeg -i clip.mkv' in said(page)


def test_webassembly_switched_off_is_a_message(address, playwright):
  # Chromium switches it off with its compilers.
  with browser_lib.launched(playwright, ['--js-flags=--jitless']) as browser:
    page = browser.new_page()
    page.goto(f'{address}/model/')
    assert 'WebAssembly is switched off in this browser' in said(page)
    assert page.is_disabled('#camera')


@pytest.mark.parametrize(
  'rate, kind, message',
  [
    (None, 'stream', 'frames_per_second=None: expected the rate'),
    (RATE, 'clip', "kind='clip': expected stream"),
  ],
)
def test_what_a_page_cannot_feed_is_refused(rate, kind, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    FORMAT.write(
      experiment(rate),
      '',
      str(tmp_path / 'out'),
      **{**OPTIONS, 'kind': kind},
      classify_every=None,
    )
  assert not list(tmp_path.iterdir())


def test_without_npm_the_error_says_how_to_get_it(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(ValueError, match='apt-get install npm'):
    web_page.fetch_runtime()


@pytest.mark.skipif(not shutil.which('npm'), reason='needs npm')
def test_a_registry_out_of_reach_is_named_and_nothing_is_left(
  tmp_path, monkeypatch
):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  monkeypatch.setenv('npm_config_registry', 'http://127.0.0.1:9/')
  monkeypatch.setenv('npm_config_fetch_retries', '0')
  monkeypatch.setenv('npm_config_cache', str(tmp_path / 'npm'))
  with pytest.raises(ValueError, match='npm cannot install.*ECONNREFUSED'):
    web_page.fetch_runtime()
  assert not list((tmp_path / 'grw').iterdir())
