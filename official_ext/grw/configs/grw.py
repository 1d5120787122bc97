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
`--params_override`; `GrwExperimentConfig.validate` fills in what was left to
the dataset and rejects what cannot work before anything is built.
"""

import dataclasses
from typing import Any

from absl import logging
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams
from official.projects.movinet.configs import movinet
from official.projects.movinet.modeling import movinet as movinet_specs
from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.backbones import config as backbones
from official_ext.grw.configs import dataset_info
from official_ext.grw.optimization import config as optimization

PLACEMENTS = ('final', 'intermediate', 'none')
HEADS = ('temporal', 'movinet', 'linear')
RESIZES = ('keep_aspect', 'square')
CLIP_STARTS = ('middle', 'start')
SAMPLINGS = ('dense', 'segments')
MIN_WINDOW = 3

# Beside 'image' in the features of a batch: how many frames of a clip, from its
# first, come before the first repetition.
NUM_FRAMES = 'num_frames'
# A number that is left to the dataset, or to the number of epochs.
UNSET = -1
# Records at 25 frames a second, every second of them, serve for 12 a second.
_RATE_TOLERANCE = 0.05


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
    window: T, frames in a window, or feature vectors where a backbone keeps one
      for several frames; at least 3.
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
      'movinet', the stock classifier head on the mean over frames; or 'linear',
      a dense layer on that mean, as most other video models have.
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
  backbone: backbones.Backbone3D = dataclasses.field(
    default_factory=lambda: movinet_backbone('a0', stream=True)
  )
  norm_activation: common.NormActivation = dataclasses.field(
    default_factory=lambda: common.NormActivation(  # pylint: disable=g-long-lambda
      activation=None, norm_momentum=0.99, norm_epsilon=1e-3, use_sync_bn=True
    )
  )
  smoothing: Smoothing = dataclasses.field(default_factory=Smoothing)
  head: Head = dataclasses.field(default_factory=Head)


@dataclasses.dataclass
class DataConfig(video_classification.DataConfig):
  """The Model Garden's video data, with the switches it lacks.

  Attributes:
    augment: False trains on clips prepared as in evaluation: shorter side to
      `min_image_size`, centre crop, no flip.
    random_flip: mirror half of the clips, when `augment`.
    random_offset: training clips start at a random frame; otherwise where
      `clip_start` says, as in evaluation.
    sampling: which frames of a video make a clip of N: 'dense', those that
      follow one another, `temporal_stride` apart; or 'segments' (temporal
      segment networks, TSN), one of each of N equal segments of the whole
      video: a random one in training, if `random_offset`, else the middle one.
      Such clips have no frame rate.
    resize: how frames that are not augmented come to `min_image_size` before
      their centre is cropped: 'keep_aspect' resizes the shorter side to it, as
      stock; 'square' both sides, whatever the aspect ratio, which is how the
      published GRW models were evaluated.  Both bilinear, without antialiasing.
    clip_start: where a clip of a longer video is taken in evaluation, if
      `num_test_clips` is 1: from the 'middle', as stock, or from its 'start',
      as the published GRW models were evaluated.
    frames_per_second: of the clips the model sees, after `temporal_stride`; for
      whoever feeds an exported model.  Checked against the records if
      `task.dataset_info` is read; null does not say.
    on_bad_record: 'error' stops with the file and the record; 'skip' drops
      and counts.
  """

  augment: bool = True
  random_flip: bool = True
  random_offset: bool = True
  resize: str = 'keep_aspect'
  clip_start: str = 'middle'
  sampling: str = 'dense'
  frames_per_second: float | None = None
  on_bad_record: str = 'error'


@dataclasses.dataclass
class GrwTask(video_classification.VideoClassificationTask):
  """Video classification with GRW-smoothing.

  Attributes:
    model: see `GrwModel`.
    train_data: see `DataConfig`.
    validation_data: see `DataConfig`.
    dataset_info: path of a dataset.json, as tools/videos_to_tfrecords.py writes
      it.  Of both data, what is unset is taken from there: `num_classes` and
      `num_examples` (unset is −1), `input_path` (''), for the split named by
      `split`; and `labels`.
    labels: path of a text file with the texts of the labels, one a line.
    seed: of weight initialisation, dropout and stochastic depth; null draws
      another each time.  The order of the data has `train_data.seed`.
    num_subclips: n parts of equal length in which a training clip goes through
      the backbone, with stream states but no gradient from one to the next, so
      that memory follows N / n frames (MoViNet, Section 3.2.2).  A part holds
      whole windows of the smoothing.
  """

  dataset_info: str = ''
  labels: str = ''
  seed: int | None = None
  num_subclips: int = 1
  model: GrwModel = dataclasses.field(default_factory=GrwModel)
  train_data: DataConfig = dataclasses.field(
    default_factory=lambda: DataConfig(is_training=True, drop_remainder=True)
  )
  validation_data: DataConfig = dataclasses.field(
    default_factory=lambda: DataConfig(  # pylint: disable=g-long-lambda
      is_training=False, drop_remainder=False, split='validation'
    )
  )

  def validate(self):
    """Raises ValueError for a task that cannot be built or cannot train."""
    validate_task(self)


@dataclasses.dataclass
class GrwExperimentConfig(cfg.ExperimentConfig):
  """An experiment whose values are completed and checked before it is built."""

  task: GrwTask = dataclasses.field(default_factory=GrwTask)
  trainer: optimization.TrainerConfig = dataclasses.field(
    default_factory=optimization.TrainerConfig
  )

  def validate(self):
    """Sets what is unset, and checks all that needs neither model nor data.

    What was set stays.  Then nothing is unset, and the same again changes
    nothing and reads no dataset.json.

    Raises:
      ValueError: names the field, its value, what was expected and what to do.
    """
    set_from_dataset(self.task)
    set_steps(self)
    super().validate()
    self.task.validate()
    validate_trainer(self.trainer)
    precision = self.runtime.mixed_precision_dtype
    _require(
      self.task.num_subclips == 1 or precision in (None, '', 'float32'),
      'runtime.mixed_precision_dtype',
      precision,
      "'float32', as the states of a stream are, because "
      f'task.num_subclips={self.task.num_subclips}',
    )


def _require(condition: bool, field: str, value, expected: str):
  if not condition:
    raise ValueError(f'{field}={value!r}: expected {expected}.')


def set_from_dataset(task: GrwTask):
  """Takes what is unset of a task's data from its dataset.json.

  Raises:
    ValueError: the file cannot be read or lacks the split; or its records, at
      the configured stride, have another frame rate than configured.
  """
  if not task.dataset_info:
    return
  splits = ('train_data', 'validation_data')

  def is_unset(data):
    return UNSET in (data.num_classes, data.num_examples) or not (
      data.input_path or data.tfds_name
    )

  if task.labels and not any(
    is_unset(getattr(task, split)) for split in splits
  ):
    return
  info = dataset_info.read(task.dataset_info)
  task.labels = task.labels or info.labels
  for split in splits:
    data, field = getattr(task, split), f'task.{split}'
    if not is_unset(data):
      continue
    found = info.split(data.split, f'{field}.split')
    if data.num_classes == UNSET:
      data.num_classes = info.num_classes
    if data.num_examples == UNSET:
      data.num_examples = found.num_examples
    if not data.input_path:
      data.input_path = found.files
    for name, limit in (
      ('num_classes', info.num_classes),
      ('num_examples', found.num_examples),
    ):
      value = getattr(data, name)
      _require(
        value <= limit,
        f'{field}.{name}',
        value,
        f'at most the {limit} of {info.path}, or {UNSET} to take it from '
        'there, as --experiment=movinet_grw_own_data does',
      )
    if data.sampling == 'segments':
      continue
    rate = info.frames_per_second / data.temporal_stride
    if data.frames_per_second is None:
      data.frames_per_second = rate
    stride = max(1, round(info.frames_per_second / data.frames_per_second))
    _require(
      abs(rate / data.frames_per_second - 1) <= _RATE_TOLERANCE,
      f'{field}.frames_per_second',
      data.frames_per_second,
      f'{rate:g}, the {info.frames_per_second:g} of {info.path} at '
      f'temporal_stride={data.temporal_stride}; set temporal_stride={stride} '
      f'or frames_per_second={rate:g}, or make the records anew',
    )


def set_steps(config: GrwExperimentConfig):
  """Sets what is unset of the trainer's steps and intervals.

  `train_steps` becomes `train_epochs` passes over the training data, the steps
  of a warm-up `warmup_epochs`, a loop one pass, and there is a summary, a
  checkpoint and a validation a loop.

  Raises:
    ValueError: the numbers to set them from are missing.
  """
  trainer, data = config.trainer, config.task.train_data
  intervals = ('summary_interval', 'checkpoint_interval', 'validation_interval')
  warmup = trainer.optimizer_config.warmup.get()
  if UNSET in (
    trainer.train_steps,
    trainer.steps_per_loop,
    getattr(warmup, 'warmup_steps', None),
  ):
    _require(
      data.global_batch_size >= 1,
      'task.train_data.global_batch_size',
      data.global_batch_size,
      'at least 1',
    )
    _require(
      data.num_examples >= data.global_batch_size,
      'task.train_data.num_examples',
      data.num_examples,
      'at least one batch of clips (task.train_data.global_batch_size='
      f'{data.global_batch_size}), because trainer.train_steps or '
      'steps_per_loop, or the warm-up, is left to it; set '
      'task.dataset_info, or these',
    )
    epoch = data.num_examples // data.global_batch_size
    if trainer.train_steps == UNSET:
      _require(
        trainer.train_epochs >= 1,
        'trainer.train_epochs',
        trainer.train_epochs,
        'at least 1, because trainer.train_steps is unset',
      )
      trainer.train_steps = trainer.train_epochs * epoch
    if trainer.steps_per_loop == UNSET:
      trainer.steps_per_loop = min(epoch, trainer.train_steps)
    if warmup is not None and warmup.warmup_steps == UNSET:
      _require(
        trainer.warmup_epochs >= 1,
        'trainer.warmup_epochs',
        trainer.warmup_epochs,
        'at least 1, because the steps of the warm-up are unset',
      )
      warmup.warmup_steps = trainer.warmup_epochs * epoch
  for name in intervals:
    if getattr(trainer, name) == UNSET:
      setattr(trainer, name, trainer.steps_per_loop)
  validation = config.task.validation_data
  if trainer.validation_steps == UNSET and validation.num_examples >= 1:
    trainer.validation_steps = -(
      -validation.num_examples // validation.global_batch_size
    )
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine' and schedule.cosine.decay_steps is None:
    schedule.cosine.decay_steps = trainer.train_steps


def validate_task(task: GrwTask):
  """Raises ValueError for a task that cannot be built or cannot train."""
  smoothing, head = task.model.smoothing, task.model.head
  _require(
    smoothing.placement in PLACEMENTS,
    'task.model.smoothing.placement',
    smoothing.placement,
    f'one of {PLACEMENTS}',
  )
  _require(
    smoothing.placement != 'intermediate' or bool(smoothing.endpoint),
    'task.model.smoothing.endpoint',
    smoothing.endpoint,
    "the name of a backbone endpoint, because placement is 'intermediate'",
  )
  _require(
    smoothing.window >= MIN_WINDOW,
    'task.model.smoothing.window',
    smoothing.window,
    f'at least {MIN_WINDOW} frames, as an acceleration takes three',
  )
  backbone = task.model.backbone
  if backbone.type == 'movinet':
    model_ids = sorted(movinet_specs.BLOCK_SPECS)
    _require(
      backbone.movinet.model_id in model_ids,
      'task.model.backbone.movinet.model_id',
      backbone.movinet.model_id,
      f'one of {model_ids}',
    )
  for name in ('alpha', 'weight'):
    value = getattr(smoothing, name)
    _require(value >= 0, f'task.model.smoothing.{name}', value, '0 or more')
  _require(
    smoothing.num_orderings >= 2,
    'task.model.smoothing.num_orderings',
    smoothing.num_orderings,
    'at least 2',
  )
  _require(
    head.type in HEADS, 'task.model.head.type', head.type, f'one of {HEADS}'
  )
  validate_backbone(task.model)
  for name in ('num_layers', 'num_heads', 'mlp_ratio'):
    value = getattr(head, name)
    _require(value >= 1, f'task.model.head.{name}', value, 'at least 1')
  _require(
    head.embedding_dim >= 0,
    'task.model.head.embedding_dim',
    head.embedding_dim,
    "0 (the backbone's width) or more",
  )
  if head.type == 'temporal' and head.embedding_dim:
    _require(
      head.embedding_dim % head.num_heads == 0 and head.embedding_dim % 2 == 0,
      'task.model.head.embedding_dim',
      head.embedding_dim,
      f'an even multiple of num_heads={head.num_heads}',
    )
  for field, rate in (
    ('head.stochastic_depth_drop_rate', head.stochastic_depth_drop_rate),
    ('dropout_rate', task.model.dropout_rate),
  ):
    _require(0 <= rate < 1, f'task.model.{field}', rate, 'a rate in [0, 1)')
  _require(
    task.init_checkpoint_modules in ('all', 'backbone'),
    'task.init_checkpoint_modules',
    task.init_checkpoint_modules,
    "'all' or 'backbone'",
  )

  for split in ('train_data', 'validation_data'):
    data = getattr(task, split)
    field = f'task.{split}'
    _require(
      data.num_classes >= 2,
      f'{field}.num_classes',
      data.num_classes,
      'at least 2, or task.dataset_info to take it from',
    )
    _require(
      data.resize in RESIZES,
      f'{field}.resize',
      data.resize,
      f'one of {RESIZES}',
    )
    _require(
      data.resize != 'square'
      or (max(data.feature_shape[1:3]) <= data.min_image_size),
      f'{field}.min_image_size',
      data.min_image_size,
      'at least the crop of feature_shape='
      f"{tuple(data.feature_shape)}, because resize is 'square'",
    )
    _require(
      data.clip_start in CLIP_STARTS,
      f'{field}.clip_start',
      data.clip_start,
      f'one of {CLIP_STARTS}',
    )
    _require(
      data.sampling in SAMPLINGS,
      f'{field}.sampling',
      data.sampling,
      f'one of {SAMPLINGS}',
    )
    if data.sampling == 'segments':
      for name, value in (
        ('temporal_stride', 1),
        ('random_stride_range', 0),
        ('clip_start', 'middle'),
        ('num_test_clips', 1),
        ('frames_per_second', None),
      ):
        _require(
          getattr(data, name) == value,
          f'{field}.{name}',
          getattr(data, name),
          f'{"null" if value is None else repr(value)}, '
          "because sampling is 'segments': one clip spans the whole video",
        )
    _require(
      data.frames_per_second is None or data.frames_per_second > 0,
      f'{field}.frames_per_second',
      data.frames_per_second,
      'a frame rate above 0, or null',
    )
    backbones.check_clip(backbone, data.feature_shape, f'{field}.feature_shape')
    _require(
      not (data.zero_centering_image and backbones.normalises(backbone)),
      f'{field}.zero_centering_image',
      data.zero_centering_image,
      f'False, because {backbone.type} normalises frames in [0, 1] itself',
    )
    frames = smoothing.window * backbones.frames_per_vector(backbone)
    _require(
      data.feature_shape[0] >= frames,
      f'{field}.feature_shape',
      tuple(data.feature_shape),
      f'clips of at least one GRW window: {frames} frames or more',
    )
    _require(
      data.mixup_and_cutmix is None or not data.one_hot,
      f'{field}.one_hot',
      data.one_hot,
      'False, because mixup_and_cutmix mixes and returns vectors itself',
    )
    _require(
      data.on_bad_record in ('error', 'skip'),
      f'{field}.on_bad_record',
      data.on_bad_record,
      "'error' or 'skip'",
    )
    _require(
      data.is_training == (split == 'train_data'),
      f'{field}.is_training',
      data.is_training,
      f'{split == "train_data"}',
    )
  _require(
    task.train_data.num_classes == task.validation_data.num_classes,
    'task.validation_data.num_classes',
    task.validation_data.num_classes,
    f'the {task.train_data.num_classes} classes of task.train_data',
  )
  validate_subclips(task)


def validate_subclips(task: GrwTask):
  """Raises ValueError for training clips that cannot be split as asked."""
  count = task.num_subclips
  _require(count >= 1, 'task.num_subclips', count, 'at least 1')
  if count == 1:
    return
  try:
    backbones.with_states(task.model.backbone)
  except ValueError as error:
    raise ValueError(
      f'task.num_subclips={count}: expected 1, because the backbone has no '
      f'states to carry from one subclip to the next. {error}'
    ) from error
  frames = task.train_data.feature_shape[0]
  _require(
    frames % count == 0,
    'task.num_subclips',
    count,
    f'a divisor of the {frames} frames of task.train_data.feature_shape',
  )
  smoothing, length = task.model.smoothing, frames // count
  _require(
    smoothing.placement == 'none' or length % smoothing.window == 0,
    'task.num_subclips',
    count,
    'subclips that cut no window of task.model.smoothing.window='
    f'{smoothing.window} frames; of {frames} frames they have {length}',
  )


def validate_backbone(model: GrwModel):
  """Raises ValueError for a backbone that does not fit the rest."""
  if model.backbone.type != 'mobilenet_v3':
    return
  backbone = model.backbone.mobilenet_v3
  backbone.validate()
  _require(
    backbone.temporal != 'base_frame'
    or model.smoothing.placement == 'none'
    or backbone.window == model.smoothing.window,
    'task.model.backbone.mobilenet_v3.window',
    backbone.window,
    f'task.model.smoothing.window={model.smoothing.window}, as a window '
    'that is smoothed has one base frame',
  )


def validate_trainer(trainer: cfg.TrainerConfig):
  """Raises ValueError for a trainer that would lose its work or its logs."""
  for name in (
    'train_steps',
    'steps_per_loop',
    'summary_interval',
    'checkpoint_interval',
    'validation_interval',
  ):
    value = getattr(trainer, name)
    _require(
      value >= 1,
      f'trainer.{name}',
      value,
      'at least 1 (0 would train, and save or show nothing)',
    )
  for name in (
    'summary_interval',
    'checkpoint_interval',
    'validation_interval',
  ):
    value = getattr(trainer, name)
    _require(
      value % trainer.steps_per_loop == 0,
      f'trainer.{name}',
      value,
      f'a multiple of trainer.steps_per_loop={trainer.steps_per_loop}',
    )
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine' and (
    schedule.cosine.decay_steps != trainer.train_steps
  ):
    logging.warning(
      'trainer.optimizer_config.learning_rate.cosine.decay_steps=%s differs '
      'from trainer.train_steps=%s: the learning rate %s.',
      schedule.cosine.decay_steps,
      trainer.train_steps,
      'stays at its end for the rest'
      if schedule.cosine.decay_steps < trainer.train_steps
      else 'never comes to its end',
    )
  warmup = trainer.optimizer_config.warmup.get()
  if warmup is not None and warmup.warmup_steps >= trainer.train_steps:
    logging.warning(
      'trainer.optimizer_config.warmup lasts %s steps, and '
      'trainer.train_steps=%s: the learning rate only rises.',
      warmup.warmup_steps,
      trainer.train_steps,
    )
  optimizer = trainer.optimizer_config.optimizer
  if optimizer.type == 'two_rate_adamw':
    optimizer.two_rate_adamw.validate()


def movinet_backbone(model_id: str, stream: bool) -> backbones.Backbone3D:
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
    average_pooling_type='2d',
  )
  return backbones.Backbone3D(type='movinet', movinet=config)


def _experiment(
  model: GrwModel,
  train_data: DataConfig,
  validation_data: DataConfig,
  train_epochs: int,
  train_batch_size: int,
  validation_batch_size: int,
  **learning_rates: Any,
) -> GrwExperimentConfig:
  """An experiment of `train_epochs`, logged and saved once an epoch.

  Steps are left to `validate`, so that they follow from the epochs and batch
  sizes that the user has set.
  """
  train_data.global_batch_size = train_batch_size
  validation_data.global_batch_size = validation_batch_size
  return GrwExperimentConfig(
    runtime=cfg.RuntimeConfig(),
    task=GrwTask(
      model=model, train_data=train_data, validation_data=validation_data
    ),
    trainer=optimization.TrainerConfig(
      train_epochs=train_epochs,
      steps_per_loop=UNSET,
      summary_interval=UNSET,
      checkpoint_interval=UNSET,
      validation_interval=UNSET,
      train_steps=UNSET,
      validation_steps=UNSET,
      optimizer_config=optimization.two_rate_optimization(
        None, **learning_rates
      ),
    ),
  )


def _a0_data(is_training: bool, **values: Any) -> DataConfig:
  """Clips for A0-Stream: 50 frames at 5 a second, 172 x 172 out of 200 x 200.

  As the paper: no augmentation, frames made square whatever their aspect ratio,
  one clip from the video's start in evaluation.  Not from the paper, which does
  not say: in training a clip starts at a random frame.
  """
  return DataConfig(
    is_training=is_training,
    drop_remainder=is_training,
    feature_shape=(50, 172, 172, 3),
    frames_per_second=5,
    min_image_size=200,
    resize='square',
    clip_start='start',
    augment=False,
    **values,
  )


def _kinetics(
  num_classes: int, train_epochs: int, num_train: int, num_validation: int
) -> GrwExperimentConfig:
  """MoViNet-A0-Stream on Kinetics.

  Records hold the clips at 5 frames a second; for records at 25 set
  `temporal_stride` to 5.
  """

  def data(split, num_examples):
    return _a0_data(
      split == 'train',
      name=f'kinetics{num_classes}',
      split=split,
      num_classes=num_classes,
      num_examples=num_examples,
    )

  return _experiment(
    GrwModel(dropout_rate=0.0),
    data('train', num_train),
    data('validation', num_validation),
    train_epochs,
    train_batch_size=64,
    validation_batch_size=64,
  )


@exp_factory.register_config_factory('movinet_grw_kinetics600')
def movinet_grw_kinetics600() -> GrwExperimentConfig:
  """The paper's main run: MoViNet-A0-Stream with GRW on Kinetics-600."""
  return _kinetics(600, train_epochs=14, num_train=366016, num_validation=27780)


@exp_factory.register_config_factory('movinet_grw_kinetics400')
def movinet_grw_kinetics400() -> GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on Kinetics-400."""
  return _kinetics(400, train_epochs=10, num_train=215570, num_validation=17706)


@exp_factory.register_config_factory('mobilenet_v3_grw_kinetics600')
def mobilenet_v3_grw_kinetics600() -> GrwExperimentConfig:
  """MobileNetV3-Small on base frames, with GRW, on Kinetics-600."""
  config = movinet_grw_kinetics600()
  model = config.task.model
  model.backbone = backbones.Backbone3D(type='mobilenet_v3')
  # Not from the paper: A0's width, with which all weights are 30 MiB; with the
  # backbone's own 1024 they are 108.
  model.head.embedding_dim = 480
  for data in (config.task.train_data, config.task.validation_data):
    data.feature_shape = (50, 224, 224, 3)
    data.min_image_size = 256
  return config


@exp_factory.register_config_factory('movinet_grw_own_data')
def movinet_grw_own_data() -> GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on the videos that `task.dataset_info` names.

  Classes, clips, files, steps and labels are the dataset's.  The configs of
  published rows can be given on top.  Of `task.init_checkpoint` the backbone
  is taken, as the classes are others.  Not an experiment of the paper: batch
  size and epochs suit some thousand clips and one small machine.
  """
  config = _experiment(
    GrwModel(dropout_rate=0.0),
    _a0_data(True, split='train'),
    _a0_data(False, split='validation'),
    train_epochs=10,
    train_batch_size=8,
    validation_batch_size=8,
  )
  config.task.init_checkpoint_modules = 'backbone'
  return config


@exp_factory.register_config_factory('movinet_grw_ucf101')
def movinet_grw_ucf101() -> GrwExperimentConfig:
  """MoViNet-A0-Stream with GRW on UCF-101, read through TFDS.

  TFDS downloads and prepares it on the first run.  Not an experiment of the
  paper: the smallest real one that needs no data preparation.
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

  return _experiment(
    GrwModel(dropout_rate=0.0),
    data('train', 9537),
    data('test', 3783),
    train_epochs=10,
    train_batch_size=32,
    validation_batch_size=32,
  )


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
      # Rendered clips have no rate of their own: they are shown in a second.
      frames_per_second=10,
      min_image_size=64,
      shuffle_buffer_size=1000,
      augment=False,
    )

  model = GrwModel(dropout_rate=0.0)
  # A head as wide as the backbone's 480 features learns far later than this
  # one, and a run is some hundred steps; batch statistics must settle in it.
  model.head.embedding_dim = 64
  model.norm_activation.norm_momentum = 0.9
  # The fused batch norm of one replica is a quarter of the step faster on CPU.
  model.norm_activation.use_sync_bn = False
  model.backbone.movinet.stochastic_depth_drop_rate = 0.0
  return _experiment(
    model,
    data('train', 4000),
    data('validation', 300),
    train_epochs=3,
    train_batch_size=16,
    validation_batch_size=50,
    head_lr=2e-3,
    backbone_lr=2e-3,
  )
