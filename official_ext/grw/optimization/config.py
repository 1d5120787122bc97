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

"""Configuration of the two-rate optimizer, and the paper's setting of it."""

import dataclasses
from typing import Any

from official.core import config_definitions
from official.modeling import optimization
from official.modeling.optimization.configs import optimizer_config

# Importing it registers the optimizer under 'two_rate_adamw'.
from official_ext.grw.optimization import two_rate_adamw


@dataclasses.dataclass
class TwoRateAdamWConfig(optimizer_config.AdamWeightDecayExperimentalConfig):
  """Configuration of `TwoRateAdamW`, beyond that of AdamW.

  `trainer.optimizer_config.learning_rate` is the schedule of everything after
  the backbone. `global_clipnorm` is 1.0 unless set; null clips nothing.

  Attributes:
    name: name of the optimizer.
    backbone_lr_scale: learning rate of the backbone as a fraction of the
      schedule, at every step.
    head_pattern: regular expression; variables in whose names it is found are
      after the backbone, all others are the backbone's.
    exclude_from_weight_decay: regular expressions; variables in whose names one
      is found do not decay. Null decays all, as the paper names no exception.
  """

  name: str = 'TwoRateAdamW'
  global_clipnorm: float | None = 1.0
  backbone_lr_scale: float = 0.1
  head_pattern: str = '^grw_'
  exclude_from_weight_decay: list[str] | None = None

  def validate(self) -> None:
    """Raises ValueError for a field that cannot be used, naming it.

    The optimizer does so too when it is built; overrides are applied to a
    config after it was made, so that making one proves nothing.
    """
    two_rate_adamw.validate_groups(
      self.backbone_lr_scale,
      self.head_pattern,
      self.exclude_from_weight_decay,
    )


@dataclasses.dataclass
class OptimizerConfig(optimization.OptimizerConfig):
  """The Model Garden's optimizers and the two-rate one.

  Attributes:
    type: which one; the name of a field.
    two_rate_adamw: AdamW with two learning rates.
  """

  type: str | None = 'two_rate_adamw'
  two_rate_adamw: TwoRateAdamWConfig = dataclasses.field(
    default_factory=TwoRateAdamWConfig
  )


@dataclasses.dataclass
class OptimizationConfig(optimization.OptimizationConfig):
  """Optimizer, schedule, warm-up and moving average.

  Attributes:
    optimizer: which optimizer, two-rate AdamW unless set.
  """

  optimizer: OptimizerConfig = dataclasses.field(
    default_factory=OptimizerConfig
  )


@dataclasses.dataclass
class TrainerConfig(config_definitions.TrainerConfig):
  """The Model Garden's trainer, with the two-rate optimizer to choose.

  Attributes:
    train_epochs: passes over the training data, where `train_steps` is −1.
    warmup_epochs: passes over the training data in which the learning rate
      rises, where the `warmup_steps` of `optimizer_config.warmup` are −1.
    optimizer_config: optimizer, schedule, warm-up and moving average.
    early_stopping_patience: validations without a better one, of the metric of
      the best checkpoint, after which a training ends; 0 is never.
    best_checkpoint_export_subdir: folder in the model folder for the checkpoint
      of the best validation, which evaluation and exports take; '' keeps none.
    best_checkpoint_eval_metric: by which it is the best; '' is top-1, or with
      several labels a clip mean average precision.
    best_checkpoint_standard_errors: a later checkpoint takes the place of the
      best if its accuracy is lower by no more than so many standard errors of
      the best one, as the validation clips cannot tell them apart; 0 keeps the
      best, and so does a metric that is no accuracy.
  """

  best_checkpoint_export_subdir: str = 'best'
  best_checkpoint_eval_metric: str = ''
  best_checkpoint_standard_errors: float = 0.0
  early_stopping_patience: int = 0
  train_epochs: int = 0
  warmup_epochs: int = 0
  optimizer_config: OptimizationConfig = dataclasses.field(
    default_factory=OptimizationConfig
  )


def two_rate_optimization(
  steps: int | None,
  head_lr: float = 1e-3,
  backbone_lr: float = 1e-4,
  final_scale: float = 0.01,
  weight_decay: float = 0.01,
  warmup_steps: int = 0,
  ema_decay: float | None = None,
) -> OptimizationConfig:
  """Returns the paper's optimization: two cosines, a factor of ten apart.

  With the defaults the learning rate falls from 1e-3 to 1e-5 after the
  backbone and from 1e-4 to 1e-6 in it (arXiv 2511.20928). The weight decay is
  not the paper's: 0.01 is AdamW's usual one.

  Args:
    steps: training steps, warm-up included; the cosines end there. None leaves
      `decay_steps` null, to be set once they are known.
    head_lr: learning rate of everything after the backbone, at the start.
    backbone_lr: learning rate of the backbone, at the start.
    final_scale: last learning rate as a fraction of the first, in [0, 1].
    weight_decay: decoupled weight decay, in units of the learning rate.
    warmup_steps: the learning rates rise linearly from 0 over so many steps,
      to where the cosines then are.
    ema_decay: decay of the moving average of all weights, batch statistics
      included, that is evaluated; None keeps no average.

  Raises:
    ValueError: if a value is out of its range.
  """
  for name, value, allowed in (
    ('steps', steps, steps is None or steps > 0),
    ('head_lr', head_lr, head_lr > 0),
    ('backbone_lr', backbone_lr, backbone_lr >= 0),
    ('final_scale', final_scale, 0 <= final_scale <= 1),
    ('weight_decay', weight_decay, weight_decay >= 0),
    (
      'warmup_steps',
      warmup_steps,
      0 <= warmup_steps and (steps is None or warmup_steps < steps),
    ),
    ('ema_decay', ema_decay, ema_decay is None or 0 < ema_decay < 1),
  ):
    if not allowed:
      raise ValueError(
        f'two_rate_optimization: {name} = {value!r} is out of range '
        f'(steps = {steps}). Learning rates and decays are >= 0, head_lr and '
        'steps > 0, final_scale in [0, 1], ema_decay in (0, 1) and '
        'warmup_steps < steps.'
      )
  config: dict[str, Any] = {
    'optimizer': {
      'type': 'two_rate_adamw',
      'two_rate_adamw': {
        'backbone_lr_scale': backbone_lr / head_lr,
        'weight_decay': weight_decay,
      },
    },
    'learning_rate': {
      'type': 'cosine',
      'cosine': {
        'initial_learning_rate': head_lr,
        'decay_steps': steps,
        'alpha': final_scale,
      },
    },
  }
  if warmup_steps:
    config['warmup'] = {
      'type': 'linear',
      'linear': {'warmup_steps': warmup_steps, 'warmup_learning_rate': 0.0},
    }
  if ema_decay is not None:
    config['ema'] = {
      'average_decay': ema_decay,
      'trainable_weights_only': False,
    }
  return OptimizationConfig(config)
