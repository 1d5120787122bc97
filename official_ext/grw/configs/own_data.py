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
"""The recipe for own data: chooses by what it is given, and says why.

Only what is unset is chosen; `movinet_grw_own_data` leaves it unset.
`tools/benchmarks/own_data.py` measures the choices against what was the default
before.
"""

from __future__ import annotations

from typing import Any, TYPE_CHECKING

from absl import logging

from official_ext.grw.configs import dataset_info
from official_ext.grw.configs import fields
from official_ext.grw.files import screen

if TYPE_CHECKING:
  from official_ext.grw.configs import schema

_UNSET = fields.UNSET
# As the published streaming models see: 10 s.
_FRAMES, _RATE = 50, 5.0
# Frames further apart are hardly a random walk.
_WINDOW_SECONDS = 1.5
# Of the published model, and of one that starts at random with few clips: to
# what the frames are resized, and the share of it that the crop is.
_SIDE, _SCRATCH_SIDE = 200, 128
_CROP = 172 / 200
_CROP_STEP = 4
# Fewer clips than these are few to begin at random with.
_FEW_CLIPS = 5000
# Of a run that starts at random, and of one that starts from weights: steps
# below which epochs are added, and the least and most epochs.
_SCRATCH = (1000, 10, 80)
_TUNED = (300, 10, 30)
_SCRATCH_WIDTH = 64
_DROPOUT = 0.2
# Batch statistics are to be means over so much of a run, at most.
_NORM_SHARE = 1 / 50
_NORM_MOMENTA = 0.9, 0.99
# Of a run that starts from weights: the learning rate of the backbone, as a
# share of the head's, and over how much of it its weights are averaged.
_BACKBONE_SHARE = 0.3
_AVERAGED_SHARE = 1 / 6
_DECAYS = 0.9, 0.999
_PATIENCE = 1 / 3  # Of all validations.
_LEAST_PATIENCE = 5
# Validating takes longer than so few steps.
_STEPS_BETWEEN_VALIDATIONS = 40


def choose_clips(task: schema.GrwTask):
  """Sets how many frames a clip has, of what size, and how far apart, if unset.

  Clips are as long as half of the dataset's are, and at most 50 frames.  Of
  longer ones frames are left out in between, as far as a window of the
  smoothing still spans 1.5 s; a clip is then a part of the video.  Frames are
  as large as the published models' where there are weights or many clips.
  What some hundred clips teach a model that starts at random is in smaller
  ones, of which it can see more in the same time.

  Raises:
    ValueError: the dataset.json cannot be read.
  """
  _choose_size(task)
  unset = [
    data
    for data in (task.train_data, task.validation_data)
    if _UNSET in (data.feature_shape[0], data.temporal_stride)
  ]
  if not unset:
    return
  info = dataset_info.read(task.dataset_info) if task.dataset_info else None
  lengths = info.clip_frames if info else None
  rate = info.frames_per_second if info else _RATE
  for data in unset:
    frames, window = data.feature_shape[0], task.model.smoothing.window
    if data.temporal_stride == _UNSET:
      wanted = data.frames_per_second
      if lengths and not wanted and frames == _UNSET:
        widest = int(_WINDOW_SECONDS * rate / window)
        stride = -(-lengths.median // _FRAMES)
        data.temporal_stride = max(1, min(stride, widest))
      else:
        data.temporal_stride = max(1, round(rate / (wanted or _RATE)))
    if frames == _UNSET:
      frames = _FRAMES
      if lengths:
        frames = min(_FRAMES, lengths.median // data.temporal_stride)
        frames = max(window, frames - frames % window)
      data.feature_shape = (frames, *data.feature_shape[1:])
  data = task.train_data
  frames, height, width, _ = data.feature_shape
  shown = (
    f'Clips of {frames} frames of {height} x {width}, '
    f'{rate / data.temporal_stride:.3g} a second'
  )
  if lengths:
    screen.tell(
      f'{shown}: half of the clips have {lengths.median} frames or more (from '
      f'{lengths.shortest} to {lengths.longest}).'
    )
  else:
    screen.tell(
      f'{shown}, as the published models have: '
      + (
        f'{task.dataset_info} does not say how long its clips are; convert '
        'them again for others.'
        if info
        else 'there is no task.dataset_info that says how long the clips are.'
      )
    )


def _choose_size(task: schema.GrwTask):
  """Sets the height and width of frames, and of what before the crop."""
  for data in (task.train_data, task.validation_data):
    frames, height, width, channels = data.feature_shape
    side = data.min_image_size
    if _UNSET not in (height, width, side):
      continue
    if side == _UNSET:
      crop = max(height, width)
      side = _side(task) if crop == _UNSET else max(crop, round(crop / _CROP))
      data.min_image_size = side
    if _UNSET not in (height, width):
      continue
    crop = min(side, _CROP_STEP * round(_CROP * side / _CROP_STEP))
    height, width = (
      crop if size == _UNSET else size for size in (height, width)
    )
    data.feature_shape = (frames, height, width, channels)


def _side(task: schema.GrwTask) -> int:
  """To what size frames are resized before they are cropped."""
  data = task.train_data
  clips, side = data.num_examples, None
  if task.dataset_info:
    info = dataset_info.read(task.dataset_info)
    side = info.short_side
    if clips == _UNSET:
      clips = info.split(data.split, 'task.train_data.split').num_examples
  if task.init_checkpoint or not 0 < clips < _FEW_CLIPS:
    return _SIDE
  return min(_SCRATCH_SIDE, side or _SCRATCH_SIDE)


def choose_training(config: schema.GrwExperimentConfig):
  """Sets what is unset of the model and its training, and says why.

  To be called when the clips are known and steps are not yet.
  """
  task, trainer = config.task, config.trainer
  data, model = task.train_data, task.model
  if not hasattr(model, 'head'):  # An ensemble is not trained.
    return
  scratch = not task.init_checkpoint
  ema = trainer.optimizer_config.ema
  if scratch and ema is not None and ema.average_decay == _UNSET:
    trainer.optimizer_config.ema = ema = None
  if _UNSET not in (
    ema and ema.average_decay,
    trainer.train_epochs,
    trainer.early_stopping_patience,
    model.dropout_rate,
    model.head.embedding_dim,
    model.norm_activation.norm_momentum,
  ):
    return
  chosen: list[str] = []

  def choose(
    place: Any, name: str, value: float, heading: str, zero: str = 'none'
  ):
    if getattr(place, name) in (_UNSET, None):
      setattr(place, name, value)
      chosen.append(f'{heading} {f"{value:g}" if value else zero}')

  epoch = max(1, data.num_examples // max(1, data.global_batch_size))
  choose(trainer, 'train_epochs', _epochs(epoch, scratch), 'epochs')
  steps = trainer.train_steps
  if steps == _UNSET:
    steps = trainer.train_epochs * epoch
  schedule = trainer.optimizer_config.learning_rate
  if schedule.type == 'cosine':
    rate = 2e-3 if scratch else 1e-3
    choose(schedule.cosine, 'initial_learning_rate', rate, 'learning rate')
  optimizer = trainer.optimizer_config.optimizer
  if optimizer.type == 'two_rate_adamw':
    share = 1.0 if scratch else _BACKBONE_SHARE
    choose(
      optimizer.two_rate_adamw, 'backbone_lr_scale', share, 'of it the backbone'
    )
  momentum = _decay(_NORM_SHARE * steps, _NORM_MOMENTA)
  choose(
    model.norm_activation, 'norm_momentum', momentum, 'batch-norm momentum'
  )
  if ema is not None:
    decay = _decay(_AVERAGED_SHARE * steps, _DECAYS)
    choose(ema, 'average_decay', decay, 'moving averages of weights')
  narrow = scratch and model.smoothing.placement == 'final'
  heads = max(1, model.head.num_heads)
  width = heads * max(1, _SCRATCH_WIDTH // heads) if narrow else 0
  choose(model.head, 'embedding_dim', width, 'head width', 'as published')
  choose(model, 'dropout_rate', _DROPOUT, 'dropout')
  if not chosen and trainer.early_stopping_patience != _UNSET:
    return
  # Whoever sets an interval may mean one pass, which a loop is otherwise.
  loops = (
    trainer.steps_per_loop,
    trainer.validation_interval,
    trainer.checkpoint_interval,
    trainer.summary_interval,
  )
  if set(loops) == {_UNSET} and data.num_examples >= 1:
    passes = -(-_STEPS_BETWEEN_VALIDATIONS // epoch)
    trainer.steps_per_loop = min(passes * epoch, steps)
  interval = max(trainer.steps_per_loop, trainer.validation_interval)
  validations = steps // (epoch if interval == _UNSET else interval)
  patience = max(_LEAST_PATIENCE, round(_PATIENCE * validations))
  if not trainer.best_checkpoint_export_subdir:
    patience = 0
  choose(trainer, 'early_stopping_patience', patience, 'patience')
  _explain(data, scratch, chosen)


def _decay(steps: float, limits: tuple[float, float]) -> float:
  """Of a moving average over so many steps."""
  low, high = limits
  return round(min(high, max(low, 1 - 1 / max(1, steps))), 3)


def _epochs(epoch: int, scratch: bool) -> int:
  """Passes over the data, by the steps of one."""
  steps, least, most = _SCRATCH if scratch else _TUNED
  return min(most, max(least, -(-steps // epoch)))


def _explain(data: schema.DataConfig, scratch: bool, chosen: list[str]):
  """Says what was chosen and why."""
  why = (
    'no initial weights (task.init_checkpoint), so small frames, one learning '
    'rate, a narrow head and more epochs'
    if scratch
    else 'initial weights, so few epochs, a lower rate in the backbone and '
    'averaged weights'
  )
  clips = f'{data.num_examples:,} clips' if data.num_examples > 0 else 'clips'
  screen.tell(f'Recipe for {clips} and {why}: {", ".join(chosen)}.')
  if data.augment and data.random_flip:
    screen.tell(
      'Augmentation: random crops, half of them mirrored. Where left and right '
      'are different classes, set task.train_data.random_flip=false.'
    )
  if scratch and 0 < data.num_examples < _FEW_CLIPS:
    logging.warning(
      '%d clips without initial weights: a model that starts at random can '
      'learn simple motions from so few, and mostly memorizes videos of people '
      'and things. Set task.init_checkpoint to published weights; '
      'docs/published_weights.md says where to get them.',
      data.num_examples,
    )
