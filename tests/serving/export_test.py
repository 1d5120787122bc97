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

"""An export is a folder that says what it is, or nothing."""

import json
import pathlib
import re

from ai_edge_litert import interpreter as litert
import numpy as np
from official.core import exp_factory
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import export
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import model_card
from official_ext.grw.serving import tflite
from tests import tiny

PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'export.md'
# The least that the airplanes are rendered at.
SIZE = 32


@pytest.fixture(name='trained', scope='module')
def trained_fixture(tmp_path_factory):
  """An experiment, and a checkpoint as its trainer would write it."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  data = {
    'feature_shape': [tiny.FRAMES, SIZE, SIZE, 3],
    'min_image_size': SIZE,
    'frames_per_second': 8,
  }
  params.override(
    tiny.merged(
      tiny.overrides('', ''),
      {
        'task': {
          'train_data': data,
          'validation_data': data,
          'model': {
            'head': {'num_heads': 4, 'num_layers': 2, 'embedding_dim': 0}
          },
        }
      },
    )
  )
  params.validate()
  model = tiny.classifier()
  checkpoint = tf.train.Checkpoint(model=model, **model.checkpoint_items).save(
    str(tmp_path_factory.mktemp('trained') / 'ckpt')
  )
  return params, checkpoint, model


def test_a_tflite_folder_tells_a_client_everything(trained, tmp_path):
  params, checkpoint, model = trained
  labels = tmp_path / 'names.txt'
  labels.write_text('Gieren\nNicken\nRollen – längs\n', encoding='utf-8')
  folder = tmp_path / 'exported'
  written = export.export_tflite(
    params, checkpoint, str(folder), 'dynamic_int8', labels=str(labels)
  )
  assert '% of 306 answers are the same' in written.agreement
  assert sorted(path.name for path in folder.iterdir()) == [
    'labels.txt',
    'model.tflite',
    'model_card.json',
  ]

  card, names = model_card.read(str(folder))
  assert names == ['Gieren', 'Nicken', 'Rollen – längs']
  assert (card.kind, card.format, card.quantization) == (
    'stream',
    'tflite',
    'dynamic_int8',
  )
  assert card.frames_per_second == 8
  assert card.num_frames == tiny.FRAMES
  assert card.classify_every == params.task.model.smoothing.window
  assert card.input == {
    'shape': [1, 1, SIZE, SIZE, 3],
    'dtype': 'float32',
    'range': [0.0, 1.0],
    'channels': 'RGB',
  }
  assert card.checkpoint == checkpoint
  assert card.files == {
    'model.tflite': (folder / 'model.tflite').stat().st_size
  }
  assert card.config == json.loads(json.dumps(params.task.model.as_dict()))
  stream = tflite_stream.TfliteStream(str(folder / 'model.tflite'))
  inputs = set(card.states) | {'image'}
  assert inputs == set(stream.inputs)
  frames = np.random.default_rng(0).random((6, SIZE, SIZE, 3), np.float32)
  require_tensors(folder / 'model.tflite', card.tensors)
  by_index = answers_by_index(folder, frames)
  for frame, found in zip(frames, by_index, strict=True):
    logits = stream.step(frame)
    np.testing.assert_array_equal(found[0], logits)
  want = model({'image': frames[np.newaxis]})[0]
  np.testing.assert_allclose(logits, want, atol=0.1 * np.abs(want).max())


def require_tensors(path, tensors):
  """Holds the table of a card against what an interpreter says of a file."""
  interpreter = litert.Interpreter(str(path))
  for kind, found in (
    ('inputs', interpreter.get_input_details()),
    ('outputs', interpreter.get_output_details()),
  ):
    assert [
      (row['position'], row['index'], row['shape'], np.dtype(row['dtype']))
      for row in tensors[kind]
    ] == [
      (position, details['index'], details['shape'].tolist(), details['dtype'])
      for position, details in enumerate(found)
    ]
  assert len({row['index'] for row in tensors['outputs']}) == len(found)


def answers_by_index(folder, frames):
  """What the client without signatures that the page shows prints."""
  (client,) = [
    block
    for block in re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    if 'set_tensor' in block
  ]
  answers: list[np.ndarray] = []
  exec(
    client.replace('/tmp/a0s_grw_tflite', str(folder)),
    {'images': frames[:, np.newaxis, np.newaxis], 'print': answers.append},
  )
  return answers


def test_a_tflite_folder_of_a_clip_model(trained, tmp_path):
  params, checkpoint, _ = trained
  folder = str(tmp_path / 'exported')
  with pytest.raises(ValueError, match='classify_every.*are of streams'):
    export.export_tflite(
      params, checkpoint, folder, classify_every=2, kind='clip'
    )
  export.export_tflite(params, checkpoint, folder, kind='clip')
  card, _ = model_card.read(folder)
  assert (card.kind, card.format, card.states) == ('clip', 'tflite', {})
  assert card.input['shape'] == [1, tiny.FRAMES, SIZE, SIZE, 3]
  assert {row['name'] for row in card.tensors['inputs']} == {
    'image',
    'num_frames',
  }
  assert [row['name'] for row in card.tensors['outputs']] == ['logits']


@pytest.mark.parametrize('kind', ['clip', 'stream'])
def test_a_saved_model_folder_has_its_card(trained, tmp_path, kind):
  params, checkpoint, _ = trained
  folder = tmp_path / 'exported'
  export.export_saved_model(params, checkpoint, str(folder), kind, 'uint8')
  card, names = model_card.read(str(folder))
  assert (card.kind, card.format) == (kind, 'saved_model')
  assert card.input['dtype'] == 'uint8'
  assert bool(card.states) == (kind == 'stream')
  assert not card.tensors
  assert names == ['0', '1', '2']
  assert 'saved_model.pb' in card.files


def export_with(trained, folder, **kwargs):
  params, checkpoint, _ = trained
  return export.export_tflite(
    kwargs.pop('params', params),
    kwargs.pop('checkpoint', checkpoint),
    str(folder / 'exported'),
    **kwargs,
  )


def test_labels_of_another_length(trained, tmp_path):
  labels = tmp_path / 'names.txt'
  labels.write_text('one\ntwo\n', encoding='utf-8')
  with pytest.raises(
    ValueError, match="--labels=.*names.txt' has 2 labels.*3 classes"
  ):
    export_with(trained, tmp_path, labels=str(labels))
  assert [path.name for path in tmp_path.iterdir()] == ['names.txt']


def test_labels_that_are_not_there(trained, tmp_path):
  with pytest.raises(ValueError, match='none.txt.*cannot be read'):
    export_with(trained, tmp_path, labels=str(tmp_path / 'none.txt'))
  assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_configuration(trained, tmp_path):
  params = trained[0].replace(task={'model': {'head': {'embedding_dim': 48}}})
  with pytest.raises(ValueError, match=r'grw_'):
    export_with(trained, tmp_path, params=params)
  assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(trained, tmp_path):
  (tmp_path / 'exported').mkdir()
  (tmp_path / 'exported' / 'precious').touch()
  with pytest.raises(export_folder.ExportError, match='exists'):
    export_with(trained, tmp_path)
  assert [path.name for path in tmp_path.rglob('*')] == ['exported', 'precious']


def test_a_difference_leaves_nothing(trained, tmp_path, monkeypatch):
  monkeypatch.setattr(tflite, 'MAX_DIFFERENCE', -1.0)
  with pytest.raises(export_folder.ExportError, match='Nothing was written'):
    export_with(trained, tmp_path)
  assert not list(tmp_path.iterdir())


def test_full_int8_and_base_models_are_refused_before_anything_is_built(
  trained, tmp_path
):
  with pytest.raises(ValueError, match='Full int8 is not offered'):
    export_with(trained, tmp_path, quantization='int8')
  params = trained[0].replace(
    task={'model': {'backbone': {'movinet': {'causal': False}}}}
  )
  with pytest.raises(ValueError, match='not causal'):
    export_with(trained, tmp_path, params=params, checkpoint='none')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('content', ['', '{}', '{"name": 1, "other": 2}', '[]'])
def test_other_json_is_no_card(tmp_path, content):
  pathlib.Path(tmp_path, model_card.CARD_FILE).write_text(
    content, encoding='utf-8'
  )
  with pytest.raises(ValueError, match='model_card.json is no model card'):
    model_card.read(str(tmp_path))
