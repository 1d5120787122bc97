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

"""The gate of a streaming MoViNet is known, or refused; it is never assumed."""

from collections.abc import Sequence

import numpy as np
from official.projects.movinet.modeling import movinet
from official.projects.movinet.modeling import movinet_model
import pytest
import tensorflow as tf
import tf_keras
import yaml

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.checkpoints import clips
from official_ext.grw.checkpoints import gates
from official_ext.grw.checkpoints import initialization
from official_ext.grw.checkpoints import source
from official_ext.grw.compat import optimizer_slots
from official_ext.grw.configs import schema
from official_ext.grw.modeling import grw_model
from official_ext.grw.serving import import_checkpoint
from tests import tiny

SIZE, CLASSES = 32, 3
FORMS = tuple(gates.FORMS)


def stream(gate: str, model_id: str = 'tiny'):
  """A stock classifier whose gates are nearly closed, as many trained are."""
  tf_keras.utils.set_random_seed(0)
  backbone = movinet.Movinet(
    model_id=model_id,
    causal=True,
    conv_type='2plus1d',
    se_type='2plus3d',
    activation='hard_swish',
    gating_activation=gate,
    norm_momentum=0.7,
  )
  model = movinet_model.MovinetClassifier(backbone, num_classes=CLASSES)
  rng = np.random.default_rng(0)
  for variable in model.variables:
    if 'se_expand' in variable.name and 'bias' in variable.name:
      variable.assign(rng.uniform(-2.4, -1.0, variable.shape))
    elif variable.name.endswith('scale:0'):
      variable.assign(0.5)
  return model


def classifier(
  gate: str, size: Sequence[int | None] = (None,) * 3
) -> grw_model.GrwClassifier:
  config = schema.GrwModel(backbone=movinet_config.published('tiny', True))
  config.override(
    {
      'smoothing': {'placement': 'none'},
      'head': {'type': 'movinet'},
      'backbone': {'movinet': {'gating_activation': gate}},
    }
  )
  return grw_model.GrwClassifier(
    config, CLASSES, tf_keras.layers.InputSpec(shape=[None, *size, 3])
  )


def test_evidence_decides_where_one_form_fits_clearly_in_most_blocks():
  """The numbers of a genuine A0, and what is too little of each."""
  of_a0 = {'grw>hard_sigmoid': 0.104, 'hard_sigmoid': 0.036}
  found = gates.Evidence(of_a0, 1.0, 15, 0.002)
  assert found.decides and found.better == 'hard_sigmoid'
  assert 'margin of 2.9' in str(found)
  for distances, agreement, blocks, unsettled in (
    ({form: 30 * d for form, d in of_a0.items()}, 1.0, 15, 0.0),
    ({**of_a0, 'hard_sigmoid': 0.09}, 1.0, 15, 0.0),
    (of_a0, 0.6, 15, 0.0),
    (of_a0, 1.0, 1, 0.0),
    (of_a0, 1.0, 15, 0.06),
  ):
    assert not gates.Evidence(distances, agreement, blocks, unsettled).decides


@pytest.fixture(scope='module')
def six_blocks():
  """The specification of a MoViNet that has enough blocks to be weighed."""
  frame, half = movinet.S11, movinet.S12
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(
      movinet.BLOCK_SPECS,
      'six',
      (
        movinet.StemSpec(filters=8, kernel_size=movinet.K13, strides=half),
        movinet.MovinetBlockSpec(
          base_filters=8,
          expand_filters=(16, 16),
          kernel_sizes=(movinet.K15, movinet.K33),
          strides=(half, frame),
        ),
        movinet.MovinetBlockSpec(
          base_filters=16,
          expand_filters=(32,) * 4,
          kernel_sizes=(movinet.K33,) * 4,
          strides=(half, frame, frame, frame),
        ),
        movinet.HeadSpec(project_filters=32, head_filters=32),
      ),
    )
    yield 'six'


@pytest.mark.parametrize('gate', FORMS)
def test_evidence_finds_the_gate_of_trained_weights(gate, six_blocks):
  """Also while the statistics still hold some of what they began with.

  Not taking account of that, 1.4 % of the start made nearly closed gates of the
  original form look like the newer one's, with a margin of 6 and in all blocks.
  """
  model = stream(gate, six_blocks)
  optimizer = tf_keras.optimizers.legacy.SGD(0.01, momentum=0.9)
  optimizer_slots.create(optimizer, model.trainable_variables)
  classes = tf.constant(np.arange(8) % CLASSES)

  @tf.function
  def step(video):
    with tf.GradientTape() as tape:
      logits = model({'image': video}, training=True)
      loss = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

  videos = [
    np.concatenate(clips.rendered(8, 32, seed=number + 1))
    for number in range(4)
  ]
  found = {}
  for number in range(12):
    step(videos[number % len(videos)])
    if number + 1 in (2, 12):
      found[number + 1] = gates.weigh(model)
      # Momentum 0.7, and the start is all that differs from the measured.
      assert found[number + 1].unsettled == pytest.approx(
        0.7 ** (number + 1), rel=0.2, abs=2e-3
      )
  assert not found[2].decides
  assert found[12].decides, str(found[12])
  assert found[12].better == gate
  assert found[12].agreement == 1.0


def test_weighing_leaves_the_model_as_it_is():
  model = stream('hard_sigmoid')
  video = clips.rendered(1, SIZE)[0]
  before = model({'image': video}).numpy()
  evidence = gates.weigh(model)
  assert evidence.blocks == 1 and set(evidence.distances) == set(FORMS)
  assert len(set(evidence.distances.values())) == 2
  np.testing.assert_array_equal(model({'image': video}), before)


def test_a_model_for_one_size_of_clips_is_weighed_like_others():
  """One that trains is made for its clips, which rendered ones are not."""
  fixed = classifier('hard_sigmoid', (4, SIZE, SIZE))
  free = classifier('hard_sigmoid')
  free.set_weights(fixed.get_weights())
  of_fixed, of_free = gates.weigh(fixed), gates.weigh(free)
  assert of_fixed.distances == pytest.approx(of_free.distances, rel=1e-4)
  with pytest.raises(ValueError, match='incompatible'):
    fixed({'image': np.zeros([1, 8, SIZE, SIZE, 3], np.float32)})


def test_without_evidence_the_gate_has_to_be_said(tmp_path):
  """Weights whose statistics were never measured fit neither form."""
  model = stream('hard_sigmoid')
  tf.train.Checkpoint(model=model).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError) as error:
    import_checkpoint.import_checkpoint(str(tmp_path), str(tmp_path / 'new'))
  assert '--gating_activation' in str(error.value)
  assert '\n' not in str(error.value)
  assert not (tmp_path / 'new').exists()
  ours = classifier('hard_sigmoid')
  with pytest.raises(ValueError, match='init_checkpoint_gating_activation'):
    initialization.initialize(ours, str(tmp_path))
  said = initialization.initialize(
    ours, str(tmp_path), gating_activation='hard_sigmoid'
  )
  assert 'task.init_checkpoint_gating_activation says' in str(said)
  with pytest.raises(ValueError, match='set task.model.backbone.movinet'):
    initialization.initialize(
      ours, str(tmp_path), gating_activation='grw>hard_sigmoid'
    )
  # Of an exported model the config is that of its checkpoint.
  initialization.initialize(ours, str(tmp_path), same_model=True)


def test_a_trainers_params_are_believed(tmp_path):
  model = stream('hard_sigmoid')
  tf.train.Checkpoint(model=model).save(str(tmp_path / 'ckpt'))
  backbone = {'movinet': {'gating_activation': 'hard_sigmoid'}}
  (tmp_path / 'params.yaml').write_text(
    yaml.safe_dump({'task': {'model': {'backbone': backbone}}})
  )
  weights = source.read(str(tmp_path))
  assert weights.gate == 'hard_sigmoid'
  with pytest.raises(ValueError, match='params.yaml'):
    initialization.initialize(
      classifier('grw>hard_sigmoid'), str(tmp_path), same_model=True
    )


@pytest.mark.parametrize('gate', FORMS)
def test_the_graph_of_a_saved_model_is_read(gate, tmp_path):
  module = tf.Module()
  module.model = stream(gate)
  module.v = list(module.model.variables)
  spec = tf.TensorSpec([1, 2, SIZE, SIZE, 3], tf.float32)
  call = tf.function(
    lambda image: module.model({'image': image}), input_signature=[spec]
  )
  saved = tf.Module()
  saved.v = module.v
  tf.saved_model.save(saved, str(tmp_path), {'call': call})
  weights = source.read(str(tmp_path))
  assert weights.gate == gate
  assert 'SavedModel' in weights.gate_source


def test_a_damaged_graph_is_named(tmp_path):
  (tmp_path / 'saved_model.pb').write_bytes(b'\xff\xff garbage')
  module = tf.Module()
  module.v = list(stream('hard_sigmoid').variables)
  tf.train.Checkpoint(model=module).write(
    str(tmp_path / 'variables' / 'variables')
  )
  with pytest.raises(ValueError, match='saved_model.pb is damaged'):
    source.read(str(tmp_path))


def test_ours_are_read_with_the_gate_of_our_config(tmp_path):
  """A grw classifier beside no file is weighed like any other."""
  model = tiny.classifier()
  tf.train.Checkpoint(model=model).save(str(tmp_path / 'ckpt'))
  with pytest.raises(ValueError, match='frames do not tell'):
    initialization.initialize(model, str(tmp_path), 'all')
