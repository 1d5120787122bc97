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

"""Configuration of GRW-smoothed video classification, and its experiments.

Settings are those of Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 4,
unless a comment says otherwise.  Everything is overridable by YAML and
`--params_override`; `GrwExperimentConfig.validate` rejects what cannot work
before anything is built.
"""

import dataclasses

from absl import logging
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams
from official.projects.movinet.configs import movinet
from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.optimization import config as optimization

PLACEMENTS = ('final', 'intermediate', 'none')
HEADS = ('temporal', 'movinet')
MIN_WINDOW = 3


@dataclasses.dataclass
class Smoothing(hyperparams.Config):
  """GRW-smoothing of frame embeddings.

  Attributes:
    placement: 'final' smooths a linear map of the backbone's last features,
      which the head then reads; 'intermediate' smooths the features of
      `endpoint`, normalised, beside the head's own path;
      'none' has no smoothing: with head type 'movinet' that is the stock
      MoViNet.
    endpoint: for 'intermediate', the backbone endpoint by name, for example
      'block3_layer0' of a MoViNet or '4' of a ResNet-3D.
    window: T, frames in a window; at least 3.
    alpha: α, the weight of the speed term against the order term.
    weight: λ, the weight of the loss; 0 measures without smoothing.
    sampled: sum over sampled orderings although all could be summed exactly
      (T ≤ 12).  Longer windows are always sampled.
    num_orderings: orderings in the sample, the true one among them.
    seed: of the sample.
  """
  placement: str = 'final'
  endpoint: str = ''
  window: int = 5
  alpha: float = 0.5
  weight: float = 0.1
  sampled: bool = False
  num_orderings: int = 1000
  seed: int = 0


@dataclasses.dataclass
class Head(hyperparams.Config):
  """What turns frame embeddings into logits.

  Attributes:
    type: 'temporal', the published GRW head: a small transformer over frames;
      or 'movinet', the stock classifier head on the mean over frames.
    embedding_dim: D, the width of the embeddings; 0 takes the backbone's.
    num_layers: transformer blocks.
    num_heads: attention heads; must divide D.
    mlp_ratio: width of a block's MLP as a multiple of D.
    causal: a frame attends only to those before it, and the class is read
      from the mean of the frames so far.
    stochastic_depth_drop_rate: chance to skip a residual branch of a clip.
    movinet_activation: activation inside the 'movinet' head.
  """
  type: str = 'temporal'
  embedding_dim: int = 0
  num_layers: int = 2
  num_heads: int = 8
  mlp_ratio: int = 4
  causal: bool = False
  stochastic_depth_drop_rate: float = 0.0
  movinet_activation: str = 'swish'


@dataclasses.dataclass
class GrwModel(video_classification.VideoClassificationModel):
  """A video backbone, GRW-smoothing and a head.

  Attributes:
    backbone: any registered 3D backbone that keeps one feature map a frame.
    smoothing: where and how embeddings are smoothed.
    head: what classifies them.
    dropout_rate: before the last dense layer.
    norm_activation: batch norm of the backbone.
  """
  model_type: str = 'grw'
  backbone: movinet.Backbone3D = dataclasses.field(
      default_factory=lambda: movinet_backbone('a0', stream=True))
  norm_activation: common.NormActivation = dataclasses.field(
      default_factory=lambda: common.NormActivation(  # pylint: disable=g-long-lambda
          activation=None, norm_momentum=0.99, norm_epsilon=1e-3,
          use_sync_bn=True))
  smoothing: Smoothing = dataclasses.field(default_factory=Smoothing)
  head: Head = dataclasses.field(default_factory=Head)


@dataclasses.dataclass
class DataConfig(video_classification.DataConfig):
  """The Model Garden's video data, with the switches it lacks.

  Attributes:
    augment: False trains on clips prepared as in evaluation: shorter side to
      `min_image_size`, centre crop, no flip.
    random_flip: mirror half of the clips, when `augment`.
    random_offset: training clips start at a random frame; otherwise in the
      middle, as in evaluation.
    on_bad_record: 'error' stops with the file and the record; 'skip' drops
      and counts.
  """
  augment: bool = True
  random_flip: bool = True
  random_offset: bool = True
  on_bad_record: str = 'error'


@dataclasses.dataclass
class GrwTask(video_classification.VideoClassificationTask):
  """Video classification with GRW-smoothing.

  Attributes:
    model: see `GrwModel`.
    train_data: see `DataConfig`.
    validation_data: see `DataConfig`.
    seed: of weight initialisation, dropout and stochastic depth; null draws
      another each time.  The order of the data has `train_data.seed`.
  """
  seed: int | None = None
  model: GrwModel = dataclasses.field(default_factory=GrwModel)
  train_data: DataConfig = dataclasses.field(
      default_factory=lambda: DataConfig(is_training=True, drop_remainder=True))
  validation_data: DataConfig = dataclasses.field(
      default_factory=lambda: DataConfig(  # pylint: disable=g-long-lambda
          is_training=False, drop_remainder=False))


@dataclasses.dataclass
class GrwExperimentConfig(cfg.ExperimentConfig):
  """An experiment whose values are checked before anything is built."""
  task: GrwTask = dataclasses.field(default_factory=GrwTask)
  trainer: optimization.TrainerConfig = dataclasses.field(
      default_factory=optimization.TrainerConfig)

  def validate(self):
    """Checks every value that does not need a model or data to be checked.

    Raises:
      ValueError: names the field, its value, what was expected and what to do.
    """
    super().validate()
    validate_task(self.task)
    validate_trainer(self.trainer)


def _require(condition: bool, field: str, value, expected: str):
  if not condition:
    raise ValueError(f'{field}={value!r}: expected {expected}.')


def validate_task(task: GrwTask):
  """Raises ValueError for a task that cannot be built or cannot train."""
  smoothing, head = task.model.smoothing, task.model.head
  _require(smoothing.placement in PLACEMENTS, 'task.model.smoothing.placement',
           smoothing.placement, f'one of {PLACEMENTS}')
  _require(
      smoothing.placement != 'intermediate' or bool(smoothing.endpoint),
      'task.model.smoothing.endpoint', smoothing.endpoint,
      "the name of a backbone endpoint, because placement is 'intermediate'")
  _require(smoothing.window >= MIN_WINDOW, 'task.model.smoothing.window',
           smoothing.window,
           f'at least {MIN_WINDOW} frames, as an acceleration takes three')
  for name in ('alpha', 'weight'):
    value = getattr(smoothing, name)
    _require(value >= 0, f'task.model.smoothing.{name}', value, '0 or more')
  _require(smoothing.num_orderings >= 2, 'task.model.smoothing.num_orderings',
           smoothing.num_orderings, 'at least 2')
  _require(head.type in HEADS, 'task.model.head.type', head.type,
           f'one of {HEADS}')
  for name in ('num_layers', 'num_heads', 'mlp_ratio'):
    value = getattr(head, name)
    _require(value >= 1, f'task.model.head.{name}', value, 'at least 1')
  _require(head.embedding_dim >= 0, 'task.model.head.embedding_dim',
           head.embedding_dim, "0 (the backbone's width) or more")
  if head.type == 'temporal' and head.embedding_dim:
    _require(
        head.embedding_dim % head.num_heads == 0
        and head.embedding_dim % 2 == 0,
        'task.model.head.embedding_dim', head.embedding_dim,
        f'an even multiple of num_heads={head.num_heads}')
  for field, rate in (
      ('head.stochastic_depth_drop_rate', head.stochastic_depth_drop_rate),
      ('dropout_rate', task.model.dropout_rate)):
    _require(0 <= rate < 1, f'task.model.{field}', rate, 'a rate in [0, 1)')
  _require(task.init_checkpoint_modules in ('all', 'backbone'),
           'task.init_checkpoint_modules', task.init_checkpoint_modules,
           "'all' or 'backbone'")

  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    field = f'task.{split}'
    _require(data.num_classes >= 2, f'{field}.num_classes', data.num_classes,
             'at least 2')
    _require(data.feature_shape[0] >= smoothing.window,
             f'{field}.feature_shape', tuple(data.feature_shape),
             'clips of at least one GRW window: '
             f'{smoothing.window} frames or more')
    _require(data.on_bad_record in ('error', 'skip'), f'{field}.on_bad_record',
             data.on_bad_record, "'error' or 'skip'")
    _require(data.is_training == (split == 'train_data'),
             f'{field}.is_training', data.is_training,
             f'{split == "train_data"}')
  _require(
      task.train_data.num_classes == task.validation_data.num_classes,
      'task.validation_data.num_classes', task.validation_data.num_classes,
      f'the {task.train_data.num_classes} classes of task.train_data')


def validate_trainer(trainer: cfg.TrainerConfig):
  """Raises ValueError for a trainer that would lose its work or its logs."""
  for name in ('steps_per_loop', 'summary_interval', 'checkpoint_interval',
               'validation_interval', 'train_steps'):
    value = getattr(trainer, name)
    _require(value >= 1, f'trainer.{name}', value,
             'at least 1 (0 would train, and save or show nothing)')
  for name in ('summary_interval', 'checkpoint_interval',
               'validation_interval'):
    value = getattr(trainer, name)
    _require(value % trainer.steps_per_loop == 0, f'trainer.{name}', value,
             f'a multiple of trainer.steps_per_loop={trainer.steps_per_loop}')
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine' and (
      schedule.cosine.decay_steps != trainer.train_steps):
    logging.warning(
        'trainer.optimizer_config.learning_rate.cosine.decay_steps=%s differs '
        'from trainer.train_steps=%s: the learning rate %s.',
        schedule.cosine.decay_steps, trainer.train_steps,
        'stays at its end for the rest'
        if schedule.cosine.decay_steps < trainer.train_steps
        else 'never comes to its end')
  optimizer = trainer.optimizer_config.optimizer
  if optimizer.type == 'two_rate_adamw':
    optimizer.two_rate_adamw.validate()


def movinet_backbone(model_id: str, stream: bool) -> movinet.Backbone3D:
  """A MoViNet as published, with one feature vector a frame at its end.

  Args:
    model_id: 'a0' to 'a5' or 't0'.
    stream: causal, with the two-fold squeeze-excitation and the activations
      of the published streaming models.  Their `hard_sigmoid` is the form of
      2021, clip(0.2 x + 0.5, 0, 1), which the name no longer means
      (tensorflow/models#13559).
  """
  config = movinet.Movinet(
      model_id=model_id,
      causal=stream,
      use_positional_encoding=stream and model_id in ('a3', 'a4', 'a5'),
      # The same function as '3d_2plus1d', and many times faster on CPU.
      conv_type='2plus1d' if stream else '3d',
      se_type='2plus3d' if stream else '3d',
      activation='hard_swish' if stream else 'swish',
      gating_activation='grw>hard_sigmoid' if stream else 'sigmoid',
      average_pooling_type='2d')
  return movinet.Backbone3D(type='movinet', movinet=config)


def _experiment(model: GrwModel,
                train_data: DataConfig,
                validation_data: DataConfig,
                train_epochs: int,
                train_batch_size: int,
                validation_batch_size: int,
                ) -> GrwExperimentConfig:
  """An experiment of `train_epochs`, logged and saved once an epoch.

  Restrictions are left to `validate`, which explains itself.
  """
  train_data.global_batch_size = train_batch_size
  validation_data.global_batch_size = validation_batch_size
  epoch = train_data.num_examples // train_batch_size
  return GrwExperimentConfig(
      runtime=cfg.RuntimeConfig(),
      task=GrwTask(
          model=model, train_data=train_data, validation_data=validation_data),
      trainer=optimization.TrainerConfig(
          steps_per_loop=epoch,
          summary_interval=epoch,
          checkpoint_interval=epoch,
          validation_interval=epoch,
          train_steps=train_epochs * epoch,
          validation_steps=-(-validation_data.num_examples
                             // validation_batch_size),
          optimizer_config=optimization.two_rate_optimization(
              train_epochs * epoch)))


def _kinetics(num_classes: int, train_epochs: int, num_train: int,
              num_validation: int) -> GrwExperimentConfig:
  """MoViNet-A0-Stream on Kinetics: 50 frames at 5 a second, 172 x 172.

  Records hold the clips at those 5 frames a second; for records at 25 set
  `temporal_stride` to 5.
  """
  def data(is_training):
    return DataConfig(
        name=f'kinetics{num_classes}',
        num_classes=num_classes,
        num_examples=num_train if is_training else num_validation,
        is_training=is_training,
        drop_remainder=is_training,
        feature_shape=(50, 172, 172, 3),
        min_image_size=200,
        augment=False)

  return _experiment(
      GrwModel(dropout_rate=0.0), data(True), data(False), train_epochs,
      train_batch_size=64, validation_batch_size=64)


@exp_factory.register_config_factory('movinet_grw_kinetics600')
def movinet_grw_kinetics600() -> GrwExperimentConfig:
  """The paper's main run: MoViNet-A0-Stream with GRW on Kinetics-600."""
  return _kinetics(600, train_epochs=14, num_train=366016,
                   num_validation=27780)


@exp_factory.register_config_factory('movinet_grw_kinetics400')
def movinet_grw_kinetics400() -> GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Kinetics-400."""
  return _kinetics(400, train_epochs=10, num_train=215570,
                   num_validation=17706)


@exp_factory.register_config_factory('movinet_grw_ucf101')
def movinet_grw_ucf101() -> GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on UCF-101, read through TFDS.

  TFDS downloads and prepares it on the first run.  Not an experiment of the
  paper: the smallest real one that needs no data preparation.
  """
  def data(split, num_examples):
    return DataConfig(
        name='ucf101',
        tfds_name='ucf101',
        tfds_split=split,
        num_classes=101,
        num_examples=num_examples,
        is_training=split == 'train',
        drop_remainder=split == 'train',
        feature_shape=(50, 172, 172, 3),
        temporal_stride=5,
        min_image_size=200,
        augment=False)

  return _experiment(
      GrwModel(dropout_rate=0.0), data('train', 9537), data('test', 3783),
      train_epochs=10, train_batch_size=32, validation_batch_size=32)


@exp_factory.register_config_factory('movinet_grw_airplanes')
def movinet_grw_airplanes() -> GrwExperimentConfig:
  """The paper's warm-up (Figure 2): which way does the airplane turn?

  MoViNet-A0-Stream from scratch on locally rendered clips of 10 frames.
  """
  def data(split, num_examples):
    return DataConfig(
        name='airplanes',
        tfds_name='airplanes',
        tfds_split=split,
        num_classes=3,
        num_examples=num_examples,
        is_training=split == 'train',
        drop_remainder=split == 'train',
        feature_shape=(10, 64, 64, 3),
        min_image_size=64,
        shuffle_buffer_size=1000,
        augment=False)

  model = GrwModel(dropout_rate=0.0)
  # A head as wide as the backbone's 480 features learns far later than this
  # one, and a run is some hundred steps; batch statistics must settle in it.
  model.head.embedding_dim = 64
  model.norm_activation.norm_momentum = 0.9
  # The fused batch norm of one replica is a quarter of the step faster on CPU.
  model.norm_activation.use_sync_bn = False
  model.backbone.movinet.stochastic_depth_drop_rate = 0.0
  config = _experiment(
      model, data('train', 4000), data('validation', 300), train_epochs=3,
      train_batch_size=16, validation_batch_size=50)
  config.trainer.optimizer_config = optimization.two_rate_optimization(
      config.trainer.train_steps, head_lr=2e-3, backbone_lr=2e-3)
  return config
