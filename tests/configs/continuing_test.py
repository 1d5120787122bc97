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

"""What may change between two starts of one training, and what may not."""

import pytest
import yaml

from official_ext.grw.configs import continuing
from official_ext.grw.configs import description

EXPERIMENT = 'movinet_grw_own_data'


def nested(field, value):
  for name in reversed(field.split('.')):
    value = {name: value}
  return value


@pytest.fixture
def trained(tmp_path):
  (tmp_path / 'ckpt-3.index').touch()
  values = description.read().values(EXPERIMENT)
  shape = tuple(values['task']['train_data']['feature_shape'])
  values['task']['train_data']['feature_shape'] = shape
  # As the Model Garden does, which gives tuples a tag of Python's.
  (tmp_path / 'params.yaml').write_text(yaml.dump(values))
  return tmp_path


def changes(trained, mode, **fields):
  values = description.read().values(EXPERIMENT)
  for field, value in fields.items():
    description.merge(values, nested(field, value))
  return continuing.changes(values, mode, str(trained))


def test_the_same_again_has_changed_nothing(trained):
  assert changes(trained, 'train') == []


@pytest.mark.parametrize(
  'field, value',
  [
    ('task.train_data.global_batch_size', 2),
    ('trainer.train_epochs', 99),
    ('trainer.train_steps', 99),
    ('task.train_data.input_path', 'others-*'),
    ('task.dataset_info', 'others/dataset.json'),
    ('task.train_data.feature_shape', [20, 64, 64, 3]),
    ('task.train_data.augment', False),
    ('task.model.dropout_rate', 0.3),
    ('task.model.head.stochastic_depth_drop_rate', 0.3),
    ('task.model.backbone.movinet.stochastic_depth_drop_rate', 0.3),
    ('task.model.smoothing.weight', 0.2),
    ('task.model.smoothing.phase', 'random'),
    ('task.model.smoothing.cuts', 20.0),
    ('task.model.smoothing.window_range', [3, 8]),
    ('task.model.norm_activation.norm_momentum', 0.9),
    ('task.model.video_operations', 'frames'),
    ('trainer.optimizer_config.learning_rate.cosine.alpha', 0.5),
    ('runtime.num_gpus', 0),
    ('runtime.mixed_precision_dtype', 'bfloat16'),
    ('task.num_subclips', 5),
  ],
)
def test_a_run_goes_on_with_what_trains_it_changed(trained, field, value):
  [said] = changes(trained, 'train', **{field: value})
  assert said.startswith(f'{field} ') and f'-> {value!r}' in said


@pytest.mark.parametrize(
  'field, value',
  [
    ('task.model.backbone.movinet.model_id', 'a1'),
    ('task.model.backbone.type', 'mobilenet_v3'),
    ('task.model.backbone.movinet.gating_activation', 'hard_sigmoid'),
    ('task.model.head.type', 'linear'),
    ('task.model.head.num_heads', 4),
    ('task.model.head.causal', True),
    ('task.model.head.embedding_dim', 64),
    ('task.model.smoothing.placement', 'none'),
    ('task.model.norm_activation.norm_epsilon', 0.1),
    ('task.train_data.num_classes', 4),
    ('task.validation_data.num_classes', 4),
    ('task.train_data.is_multilabel', True),
    ('task.train_data.zero_centering_image', True),
  ],
)
@pytest.mark.parametrize('mode', ['train', 'eval'])
def test_what_the_weights_belong_to_stays(trained, field, value, mode):
  with pytest.raises(ValueError, match=f'{field}=.*with which') as error:
    changes(trained, mode, **{field: value})
  assert '\n' not in str(error.value) and str(trained) in str(error.value)
  assert 'task.init_checkpoint' in str(error.value)


@pytest.mark.parametrize(
  'field, value',
  [
    ('trainer.optimizer_config.optimizer.type', 'sgd'),
    ('trainer.optimizer_config.ema', None),
    ('task.freeze_backbone', True),
    ('runtime.mixed_precision_dtype', 'float16'),
  ],
)
def test_the_optimizer_stays_where_it_is_needed(trained, field, value):
  with pytest.raises(ValueError, match=f'{field}=.*with which'):
    changes(trained, 'train_and_eval', **{field: value})
  assert changes(trained, 'eval', **{field: value})


def test_exports_may_exchange_convolutions_of_the_same_function(trained):
  """Training on volumes, and streaming on CPUs, for which frames are faster."""
  field = 'task.model.backbone.movinet.conv_type'
  assert changes(trained, 'export', **{field: '3d_2plus1d'}) == []
  for mode, value in (('eval', '3d_2plus1d'), ('export', '3d')):
    with pytest.raises(ValueError, match=f"{field}='{value}'.*with which"):
      changes(trained, mode, **{field: value})


def test_a_folder_without_checkpoints_has_nothing_to_keep(trained):
  (trained / 'ckpt-3.index').unlink()
  assert changes(trained, 'train', **{'task.model.head.type': 'linear'}) == []
  assert continuing.changes({}, 'train', str(trained / 'none')) == []


def test_params_that_cannot_be_read_are_named(trained):
  (trained / 'params.yaml').write_text('a: [')
  with pytest.raises(ValueError, match='params.yaml cannot be read'):
    changes(trained, 'train')
