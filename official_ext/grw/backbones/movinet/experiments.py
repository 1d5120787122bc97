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

"""Experiments with MoViNet backbones.

Settings are those of Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 4,
unless a comment says otherwise.
"""

from __future__ import annotations

from typing import Any

from official.core import exp_factory
from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import completion
from official_ext.grw.configs import recipes
from official_ext.grw.configs import schema
from official_ext.grw.optimization import config as optimization

# The files of the GRW paper's authors hold moving averages, so they kept them;
# the decay is not published.  MoViNet's is 0.99 a step of 1,024 clips (arXiv
# 2103.11511, Appendix B.1), which is 0.99 ** (64 / 1024) a step of 64.
_EMA_DECAY = 0.9994


def _a0_data(is_training: bool, **values: Any) -> schema.DataConfig:
  """Clips for A0-Stream: 50 frames at 5 a second, 172 x 172 out of 200 x 200.

  As the paper and its authors' code: no augmentation, frames made square
  whatever their aspect ratio, with antialiasing, one clip from the video's
  start in evaluation.  Not from the paper, which does
  not say: in training a clip starts at a random frame.
  """
  return schema.DataConfig(
    is_training=is_training,
    drop_remainder=is_training,
    feature_shape=(50, 172, 172, 3),
    frames_per_second=5,
    min_image_size=200,
    resize='square',
    antialias=True,
    clip_start='start',
    augment=False,
    **values,
  )


def _kinetics(
  num_classes: int,
  train_epochs: int,
  num_train: int,
  evaluated: str,
  num_evaluated: int,
) -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream on Kinetics.

  Records hold the clips at 5 frames a second; for records at 25 set
  `temporal_stride` to 5.  Videos shorter than a clip take part in neither
  training nor evaluation, as in the authors' code.
  """

  def data(split, num_examples):
    return _a0_data(
      split == 'train',
      name=f'kinetics{num_classes}',
      split=split,
      num_classes=num_classes,
      num_examples=num_examples,
      short_clips='drop',
    )

  return recipes.grw_experiment(
    schema.GrwModel(dropout_rate=0.0),
    data('train', num_train),
    data(evaluated, num_evaluated),
    train_epochs,
    train_batch_size=64,
    validation_batch_size=64,
    ema_decay=_EMA_DECAY,
  )


@exp_factory.register_config_factory('movinet_grw_kinetics600')
def movinet_grw_kinetics600() -> schema.GrwExperimentConfig:
  """The paper's main run: MoViNet-A0-Stream with GRW on Kinetics-600."""
  # Evaluated on the labeled test split to its end, however many of its videos
  # there still are: the authors' code takes its numbers there.
  return _kinetics(
    600,
    train_epochs=14,
    num_train=366016,
    evaluated='test',
    num_evaluated=completion.UNSET,
  )


@exp_factory.register_config_factory('movinet_grw_kinetics400')
def movinet_grw_kinetics400() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Kinetics-400.

  As in the paper, from the weights trained on Kinetics-600 but for the last
  dense layer, if `task.init_checkpoint` gives them.
  """
  config = _kinetics(
    400,
    train_epochs=10,
    num_train=215570,
    evaluated='validation',
    num_evaluated=17706,
  )
  config.task.init_checkpoint_modules = 'all_but_classifier'
  return config


@exp_factory.register_config_factory('movinet_grw_kinetics700')
def movinet_grw_kinetics700() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Kinetics-700, as on Kinetics-400.

  Not an experiment of the GRW paper.  Clips are counted as in arXiv 2103.11511,
  Table 8.
  """
  config = _kinetics(
    700,
    train_epochs=10,
    num_train=524595,
    evaluated='validation',
    num_evaluated=33567,
  )
  config.task.init_checkpoint_modules = 'all_but_classifier'
  return config


def _public(
  name: str,
  num_classes: int,
  num_train: int,
  evaluated: str,
  num_evaluated: int,
  num_frames: int,
  frames_per_second: float,
  window: int,
  **data_values: Any,
) -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on a dataset of the MoViNet paper.

  Clips are as long and as fast as there (arXiv 2103.11511, Tables 12 to 15),
  one a video; all else is as on Kinetics-400 in the GRW paper, which has none
  of these datasets.  Of `task.init_checkpoint` all is taken but the last dense
  layer.

  Args:
    name: the name of the dataset.
    num_classes: the width of the logits.
    num_train: clips to train on.
    evaluated: the split that is evaluated.
    num_evaluated: clips of it.
    num_frames: frames of a clip.
    frames_per_second: their rate, which is that of the records.
    window: T of the smoothing, about half a second.
    **data_values: further values of both data.
  """

  def data(split, num_examples):
    config = _a0_data(
      split == 'train',
      name=name,
      split=split,
      num_classes=num_classes,
      num_examples=num_examples,
      **data_values,
    )
    config.feature_shape = (num_frames, *config.feature_shape[1:])
    config.frames_per_second = frames_per_second
    config.clip_start = 'middle'
    return config

  model = schema.GrwModel(dropout_rate=0.0)
  model.smoothing.window = window
  config = recipes.grw_experiment(
    model,
    data('train', num_train),
    data(evaluated, num_evaluated),
    train_epochs=10,
    train_batch_size=64,
    validation_batch_size=64,
    ema_decay=_EMA_DECAY,
  )
  config.task.init_checkpoint_modules = 'all_but_classifier'
  return config


@exp_factory.register_config_factory('movinet_grw_moments_in_time')
def movinet_grw_moments_in_time() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Moments in Time (arXiv 1801.03150)."""
  return _public(
    'moments_in_time',
    num_classes=339,
    num_train=802264,
    evaluated='validation',
    num_evaluated=33900,
    num_frames=75,
    frames_per_second=25,
    window=12,
  )


@exp_factory.register_config_factory('movinet_grw_charades')
def movinet_grw_charades() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Charades (arXiv 1604.01753).

  A clip has all actions of its video; each is answered by itself (sigmoid), and
  measured by mean average precision.
  """
  return _public(
    'charades',
    num_classes=157,
    num_train=7985,
    evaluated='test',
    num_evaluated=1863,
    num_frames=64,
    frames_per_second=6,
    window=4,
    is_multilabel=True,
  )


@exp_factory.register_config_factory('movinet_grw_epic_kitchens100')
def movinet_grw_epic_kitchens100() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on EPIC-Kitchens-100 (arXiv 2006.13256).

  A clip is a segment of a video, and has a verb and a noun; an action is right
  if both are.
  """
  return _public(
    'epic_kitchens100',
    num_classes=97 + 300,
    num_train=67217,
    evaluated='validation',
    num_evaluated=9668,
    num_frames=32,
    frames_per_second=12,
    window=8,
    label_groups=['verb:97', 'noun:300'],
  )


def _something_something(
  version: int, num_train: int, num_evaluated: int
) -> schema.GrwExperimentConfig:
  """Either version, of the same 174 classes (arXiv 1706.04261)."""
  config = _public(
    f'something_something_v{version}',
    num_classes=174,
    num_train=num_train,
    evaluated='validation',
    num_evaluated=num_evaluated,
    num_frames=50,
    frames_per_second=12,
    window=6,
    short_clips='loop',
  )
  # Classes tell left from right, if anyone augments.
  config.task.train_data.random_flip = False
  return config


@exp_factory.register_config_factory('movinet_grw_something_something_v1')
def movinet_grw_something_something_v1() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Something-Something V1."""
  return _something_something(1, num_train=86017, num_evaluated=11522)


@exp_factory.register_config_factory('movinet_grw_something_something_v2')
def movinet_grw_something_something_v2() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Something-Something V2."""
  return _something_something(2, num_train=168913, num_evaluated=24777)


@exp_factory.register_config_factory('movinet_grw_own_data')
def movinet_grw_own_data() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on the videos that `task.dataset_info` names.

  Classes, clips, files, steps and labels are the dataset's.  The configs of
  published rows can be given on top.  Of `task.init_checkpoint` all is taken
  but the last dense layer, as the classes are others.  Not an experiment of
  the paper: what is unset here `configs.own_data` chooses by the clips that
  there are and by whether there are initial weights.
  """
  train, validation = (
    _a0_data(split == 'train', split=split) for split in ('train', 'validation')
  )
  for data in (train, validation):
    unset = completion.UNSET
    data.feature_shape = (unset, unset, unset, 3)
    data.min_image_size = completion.UNSET
    data.temporal_stride = completion.UNSET
    data.frames_per_second = None
  train.augment = True
  train.aug_min_area_ratio = 0.5
  # As evaluation makes frames square, whatever they were.
  train.aug_min_aspect_ratio, train.aug_max_aspect_ratio = 3 / 4, 16 / 9
  model = schema.GrwModel(dropout_rate=completion.UNSET)
  model.norm_activation.norm_momentum = completion.UNSET
  # The fused batch norm of one replica is faster on CPUs.
  model.norm_activation.use_sync_bn = False
  model.head.embedding_dim = completion.UNSET
  config = recipes.grw_experiment(
    model,
    train,
    validation,
    train_epochs=completion.UNSET,
    train_batch_size=8,
    validation_batch_size=8,
  )
  config.task.init_checkpoint_modules = 'all_but_classifier'
  config.trainer.early_stopping_patience = completion.UNSET
  # A few dozen validation clips choose the luckiest of many checkpoints.
  config.trainer.best_checkpoint_standard_errors = 1.0
  optimizer = config.trainer.optimizer_config
  optimizer.override({'ema': {'average_decay': completion.UNSET}})
  optimizer.optimizer.two_rate_adamw.backbone_lr_scale = completion.UNSET
  optimizer.learning_rate.cosine.initial_learning_rate = None
  return config


@exp_factory.register_config_factory('movinet_grw_ucf101')
def movinet_grw_ucf101() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on UCF-101, read through TFDS.

  TFDS downloads and prepares it on the first run.  Of `task.init_checkpoint`
  all is taken but the last dense layer, as the classes are others.  Not an
  experiment of the paper: the smallest real one that needs no data preparation.
  """

  def data(split, num_examples):
    return _a0_data(
      split == 'train',
      name='ucf101',
      tfds_name='ucf101',
      tfds_split=split,
      num_classes=101,
      num_examples=num_examples,
      temporal_stride=5,
    )

  config = recipes.grw_experiment(
    schema.GrwModel(dropout_rate=0.0),
    data('train', 9537),
    data('test', 3783),
    train_epochs=10,
    train_batch_size=32,
    validation_batch_size=32,
  )
  config.task.init_checkpoint_modules = 'all_but_classifier'
  return config


@exp_factory.register_config_factory('movinet_grw_airplanes')
def movinet_grw_airplanes() -> schema.GrwExperimentConfig:
  """Which way does the airplane turn?  After the paper's warm-up (Figure 2).

  MoViNet-A0-Stream from scratch on 4,000 locally rendered clips of 10 frames.
  The paper's own set-up, a MobileNet trained on images and 1,000 clips, is
  `configs/airplanes_mobilenet_v3_grw.yaml` on top.
  """

  def data(split, num_examples):
    return schema.DataConfig(
      name='airplanes',
      tfds_name='airplanes',
      tfds_split=split,
      num_classes=3,
      num_examples=num_examples,
      is_training=split == 'train',
      drop_remainder=split == 'train',
      feature_shape=(10, 64, 64, 3),
      # Rendered clips have no rate of their own: they are shown in a second.
      frames_per_second=10,
      min_image_size=64,
      shuffle_buffer_size=1000,
      augment=False,
    )

  model = schema.GrwModel(dropout_rate=0.0)
  # A head as wide as the backbone's 480 features learns far later than this
  # one, and a run is some hundred steps; batch statistics must settle in it.
  model.head.embedding_dim = 64
  model.norm_activation.norm_momentum = 0.9
  # The fused batch norm of one replica is a quarter of the step faster on CPU.
  model.norm_activation.use_sync_bn = False
  model.backbone.movinet.stochastic_depth_drop_rate = 0.0
  return recipes.grw_experiment(
    model,
    data('train', 4000),
    data('validation', 300),
    train_epochs=3,
    train_batch_size=16,
    validation_batch_size=50,
    head_lr=2e-3,
    backbone_lr=2e-3,
  )


@exp_factory.register_config_factory('movinet_scratch_kinetics600')
def movinet_scratch_kinetics600() -> schema.GrwExperimentConfig:
  """MoViNet-A0-Base from scratch on Kinetics-600, as the MoViNet paper trains.

  Kondratyuk et al., arXiv 2103.11511, Section 4 and Appendix B.1: RMSProp with
  momentum 0.9, a learning rate of 1.8 for 1,024 clips a step that rises for 5
  of 240 epochs and falls along a cosine, label smoothing of 0.1, an average of
  the weights of decay 0.99, synchronized batch norm, and AutoAugment, which
  changes all frames of a clip alike.

  What the paper does not print is the Model Garden's, with which its weights
  were trained: RMSProp's epsilon of 1, which bounds a step where gradients are
  small, and decay of 0.9; each variable's gradient clipped to a norm of 1; L2
  decay of 3e-5; dropout, stochastic depth and crops.  Its random strides are
  left out, as records need not have frames between those of a clip.

  The learning rate belongs to the batch: for B clips a step, 1.8 B / 1024, and
  0.99 ** (B / 1024) for the decay of the average.
  """

  def data(split, **values):
    is_training = split == 'train'
    return schema.DataConfig(
      name='kinetics600',
      split=split,
      num_classes=600,
      is_training=is_training,
      drop_remainder=is_training,
      augment=is_training,
      feature_shape=(50, 172, 172, 3),
      frames_per_second=5,
      min_image_size=192,
      **values,
    )

  model = schema.GrwModel(
    backbone=movinet_config.published('a0', stream=False), dropout_rate=0.2
  )
  # The stock model.
  model.smoothing.placement = 'none'
  model.head.type = 'movinet'
  config = recipes.grw_experiment(
    model,
    data(
      'train',
      num_examples=366016,
      aug_min_area_ratio=0.08,
      aug_max_area_ratio=1.0,
      aug_min_aspect_ratio=0.5,
      aug_max_aspect_ratio=2.0,
      aug_type=common.Augmentation(type='autoaug'),
    ),
    data('validation', num_examples=completion.UNSET),
    train_epochs=240,
    train_batch_size=1024,
    validation_batch_size=64,
  )
  config.task.losses = video_classification.Losses(
    l2_weight_decay=3e-5, label_smoothing=0.1
  )
  config.trainer.warmup_epochs = 5
  config.trainer.optimizer_config = optimization.OptimizationConfig(
    {
      'optimizer': {
        'type': 'rmsprop',
        'rmsprop': {
          'rho': 0.9,
          'momentum': 0.9,
          'epsilon': 1.0,
          'clipnorm': 1.0,
        },
      },
      'ema': {'average_decay': 0.99, 'trainable_weights_only': False},
      **recipes.cosine_schedule(1.8, 0.0),
    }
  )
  return config
