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

"""An ensemble is exported as one model, from its members' checkpoints."""

import contextlib
import io
import json

import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.inference import exported
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import export
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite
from tests import java_client
from tests import tiny

# The least that the airplanes are rendered at.
SIZE = 32


@pytest.fixture(name='model', scope='module')
def model_fixture():
  return tiny.ensemble()


@pytest.fixture(name='params', scope='module')
def params_fixture(model, tmp_path_factory):
  params = exp_factory.get_exp_config('movinet_grw_ensemble_kinetics600')
  params.override(
    tiny.ensemble_overrides(
      tmp_path_factory.mktemp('members'), model, size=SIZE
    )
  )
  params.validate()
  return params


def test_one_tflite_file_streams_both_members(params, model, tmp_path):
  folder = tmp_path / 'exported'
  assert export.export_tflite(params, '', str(folder)).difference < 1e-4
  assert sorted(path.name for path in folder.iterdir()) == [
    'labels.txt',
    'model.tflite',
    'model_card.json',
  ]
  card, _ = model_card.read(str(folder))
  assert card.name == ' + '.join(['movinet_tiny_stream_temporal'] * 2)
  assert card.num_frames == tiny.FRAMES and card.frames_per_second == 8
  assert card.config == json.loads(json.dumps(params.task.model.as_dict()))

  java_client.assert_loses_nothing(str(folder / 'model.tflite'))
  stream = tflite_stream.TfliteStream(str(folder / 'model.tflite'))
  assert set(stream.inputs) == {'image', *card.states}
  for member in ('first', 'second'):
    assert any(name.startswith(f'state_{member}_') for name in card.states)
  frames = np.random.default_rng(0).random(
    (tiny.FRAMES, SIZE, SIZE, 3), np.float32
  )
  logits = [stream.step(frame) for frame in frames]
  want = model({'image': frames[np.newaxis]})[0]
  np.testing.assert_allclose(logits[-1], want, atol=1e-4)
  # Each frame runs one member: both are in branches.
  with contextlib.redirect_stdout(io.StringIO()) as listing:
    tf.lite.experimental.Analyzer.analyze(
      model_path=str(folder / 'model.tflite')
    )
  main = listing.getvalue().split('\nSubgraph#1')[0]
  assert main.count(' IF(') == 2 and 'CONV_2D' not in main


@pytest.mark.parametrize('kind', ['clip', 'stream'])
def test_a_saved_model_is_one_folder(params, model, tmp_path, kind):
  folder = tmp_path / 'exported'
  written = export.export_saved_model(params, '', str(folder), kind)
  assert written.difference < 1e-5
  card, _ = model_card.read(str(folder))
  assert bool(card.states) == (kind == 'stream')
  image = np.random.default_rng(0).random(
    (2, tiny.FRAMES, SIZE, SIZE, 3), np.float32
  )
  want = model({'image': image})
  serve = tf.saved_model.load(str(folder)).signatures
  if kind == 'clip':
    logits = serve['serving_default'](image=image)['logits']
  else:
    states = serve['init_states'](input_shape=tf.constant(image.shape))
    for begin, end in ((0, 1), (1, 4), (4, 6)):
      states = serve['call'](image=image[:, begin:end], **states)
      logits = states.pop('logits')
  np.testing.assert_allclose(logits, want, atol=1e-5)
  # A video of as many frames as no clip has, as evaluation fills it.
  opened = exported.open_model(str(folder))
  video = (255 * image[0, :3]).astype(np.uint8)
  answers = [opened.step(frame) for frame in video]
  short = {
    'image': np.concatenate([video, video])[np.newaxis] / np.float32(255),
    'num_frames': tf.constant([3]),
  }
  np.testing.assert_allclose(
    np.array(opened.finish() if kind == 'clip' else answers[-1]),
    model(short)[0],
    atol=1e-5,
  )


def test_an_ensemble_has_no_checkpoint_of_its_own(params, tmp_path):
  with pytest.raises(ValueError, match="checkpoint='/tmp/run': expected ''"):
    export.export_tflite(params, '/tmp/run', str(tmp_path / 'out'))
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'options, message',
  [
    ({'split_head': True}, 'split_head=True: expected False'),
    ({'signals': True}, 'signals=True: expected False for an ensemble'),
    ({'classify_every': 3}, 'classify_every=3: .* 1 or an even number'),
  ],
)
def test_heads_of_an_ensemble_are_checked_before_it_is_built(
  params, tmp_path, monkeypatch, options, message
):
  monkeypatch.setattr(saved_model, 'build_trained_model', None)
  with pytest.raises(ValueError, match=message):
    export.export_tflite(params, '', str(tmp_path / 'out'), **options)
  assert not list(tmp_path.iterdir())


def test_base_members_do_not_stream(params, tmp_path):
  base = params.replace(
    task={
      'model': {
        'second': {'model': {'backbone': {'movinet': {'causal': False}}}}
      }
    }
  )
  with pytest.raises(ValueError, match='TINY Base.*cannot stream'):
    export.export_tflite(base, '', str(tmp_path / 'out'))
  assert not list(tmp_path.iterdir())


def test_heads_run_at_some_of_the_frames_they_see(params, model, tmp_path):
  # Refuses a difference at any frame, and outputs that share a tensor.
  written = tflite.export_stream(
    model,
    str(tmp_path),
    params.task.validation_data,
    export.example_clips(params),
    classify_every=4,
  )
  assert written.difference < 1e-4
