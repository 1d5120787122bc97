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

"""What a config says is what is built: no field is parsed and then dropped.

For each family an experiment is built and fed tiny data, while every field of
every configuration that is read is noted, by its class.  A field that a config
file or an experiment sets and that nothing reads has no effect.
"""

import pathlib

from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import pytest
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import schema
from official_ext.grw.reports import model_table
from tests import tiny
from tests.backbones.posmlp_video import model_test as posmlp_video_test
from tests.backbones.videofocalnet import model_test as videofocalnet_test
from tests.backbones.vit_frames import model_test as vit_frames_test

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
FAMILIES = {
  'movinet': ('movinet_grw_kinetics400', {'movinet': {'model_id': 'tiny'}}),
  'mobilenet_v3': (
    'mobilenet_v3_grw_kinetics600',
    {'mobilenet_v3': {'size': 'tiny', 'window': 3}},
  ),
  'videofocalnet': (
    'videofocalnet_grw_kinetics400',
    {'videofocalnet': videofocalnet_test.TINY},
  ),
  'posmlp_video': (
    'posmlp_video_grw_kinetics400',
    {'posmlp_video': posmlp_video_test.TINY},
  ),
  'vit_frames': (
    'vit_frames_grw_kinetics600',
    {'vit_frames': vit_frames_test.TINY},
  ),
}
# Whoever reads these is not built here.
READ_ELSEWHERE = {
  # The checkpoint that a task starts from, if there is one.
  'GrwTask.init_checkpoint',
  'GrwTask.init_checkpoint_modules',
  # What completes and checks a config, before anything is built.
  'TrainerConfig.train_epochs',
  'TrainerConfig.warmup_epochs',
  'DataConfig.num_examples',
  'DataConfig.split',
  # What keeps the best checkpoint.
  'TrainerConfig.best_checkpoint_eval_metric',
  # The controller and the checkpoint manager.
  'TrainerConfig.train_steps',
  'TrainerConfig.steps_per_loop',
  'TrainerConfig.summary_interval',
  'TrainerConfig.checkpoint_interval',
  'TrainerConfig.validation_interval',
  'TrainerConfig.validation_steps',
  # The model card.
  'DataConfig.frames_per_second',
  # The step of an evaluation.
  'DataConfig.view_average',
  # The recipe from scratch, which tests of the family compute again.
  'Augmentation.type',
  'LinearWarmupConfig.warmup_steps',
  'RMSPropConfig.clipnorm',
  'RMSPropConfig.epsilon',
  'RMSPropConfig.momentum',
  # A name for people.
  'DataConfig.name',
  # Data that are read from TFDS.
  'DataConfig.tfds_name',
  'DataConfig.tfds_split',
}
# Their fields are given by name to what is built of them, which refuses a name
# that it does not know.
GIVEN_WHOLE = (
  'CosineLrConfig',
  'EMAConfig',
  'LinearWarmupConfig',
  'MixupAndCutmix',
  'RandAugment',
  'SGDConfig',
  'TwoRateAdamWConfig',
)


def reads_while_building(family: str, folder: pathlib.Path) -> set[str]:
  """Class and field of whatever is read while a tiny experiment is built."""
  experiment, backbone = FAMILIES[family]
  params = exp_factory.get_exp_config(experiment)
  params.override(
    {
      'task': {
        'model': {
          'backbone': backbone,
          'smoothing': {'window': 3},
          'head': {'embedding_dim': 16, 'num_heads': 2, 'num_layers': 1},
        },
        'train_data': {
          'augment': True,
          'seed': None,
          'shuffle_buffer_size': 1,
          'input_path': tiny.write_records(folder / 'train', [0, 1, 2, 0]),
        },
        'validation_data': {
          'input_path': tiny.write_records(folder / 'valid', [0, 1, 2, 0]),
        },
      },
      'trainer': {'train_steps': 4, 'steps_per_loop': 4},
    }
  )
  size = 32
  for data in (params.task.train_data, params.task.validation_data):
    data.override(
      {
        'feature_shape': [tiny.FRAMES, size, size, 3],
        'min_image_size': size,
        'global_batch_size': 2,
        'num_examples': 4,
      }
    )
    if data.sampling == 'dense':
      data.override({'frames_per_second': 6.0, 'temporal_stride': 1})
    if data.aug_type and data.aug_type.type == 'randaug':
      data.aug_type.randaug.num_layers = 1  # Each is long to trace.
  params.validate()

  found: set[str] = set()
  as_dict = hyperparams.Config.as_dict

  def read(self, name):
    value = object.__getattribute__(self, name)
    if name in object.__getattribute__(self, '__dict__'):
      found.add(f'{type(self).__name__}.{name}')
    return value

  def read_all(self):
    if type(self).__name__ in GIVEN_WHOLE:
      found.update(f'{type(self).__name__}.{name}' for name in self.__dict__)
    return as_dict(self)

  with pytest.MonkeyPatch.context() as patch:
    # What a check reads is not yet used.
    patch.setattr(schema.GrwTask, 'validate', lambda self: None)
    patch.setattr(hyperparams.Config, 'as_dict', read_all)
    patch.setattr(hyperparams.Config, '__getattribute__', read, raising=False)
    task = task_factory.get_task(params.task)
    task.build_model()
    task.create_optimizer(params.trainer.optimizer_config, params.runtime)
    for data in (params.task.train_data, params.task.validation_data):
      features, labels = next(iter(task.build_inputs(data)))
    task.build_metrics(training=False)
    logits = tf.zeros([len(labels), data.num_classes])
    task.build_losses(labels, logits)
  return found


def set_fields(config, default):
  """Class and field of whatever differs from the default of its class."""
  for name, value in config.__dict__.items():
    if name in ('_locked', '_restrictions'):
      continue
    if isinstance(config, hyperparams.OneOfConfig) and name not in (
      'type',
      config.type,
    ):
      continue  # Another one is chosen.
    unset = getattr(default, name, None)
    if isinstance(value, hyperparams.Config):
      same = isinstance(unset, type(value))
      yield from set_fields(value, unset if same else type(value)())
    elif value != unset:
      yield f'{type(config).__name__}.{name}'


@pytest.mark.parametrize('family', FAMILIES)
def test_whatever_configs_set_is_read_by_what_is_built(family, tmp_path):
  reads = reads_while_building(family, tmp_path)
  configs, _ = model_table.read_configs(str(CONFIGS / f'{family}_*.yaml'))
  experiment, _ = FAMILIES[family]
  params = [config.params for config in configs]
  params.append(exp_factory.get_exp_config(experiment))
  dropped = {
    field
    for each in params
    for part in (each.task, each.trainer)
    for field in set_fields(part, type(part)())
  } - reads
  assert dropped <= READ_ELSEWHERE
  # And not because everything is noted: this one is of no family's experiment.
  assert {'Smoothing.window', 'DataConfig.resize', 'Head.type'} <= reads
  assert 'Head.movinet_activation' not in reads
