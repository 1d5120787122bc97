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

"""Claims about the two-rate optimizer and its configuration."""

import json
import subprocess

from absl import logging
import numpy as np
from official.core import base_task
from official.core import base_trainer
from official.core import config_definitions
from official.modeling import hyperparams
from official.modeling import optimization
from official.projects.movinet.modeling import movinet
from official.utils.testing import mock_task
import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.optimization import config as optimization_config
from official_ext.grw.optimization import two_rate_adamw
from tests import tiny

STEPS = 10
DECAY = 0.1


def _model(seed: int = 0) -> tf_keras.Model:
  """Two dense layers as the backbone and one after it, [B, 6] -> [B, 3]."""
  tf_keras.utils.set_random_seed(seed)
  inputs = tf_keras.Input([6])
  x = tf_keras.layers.Dense(5, activation='tanh', name='stem')(inputs)
  x = tf_keras.layers.Dense(5, activation='tanh', name='head')(x)
  x = tf_keras.layers.Dense(3, name='grw_head')(x)
  return tf_keras.Model(inputs, x)


def _batch(step: int):
  rng = np.random.default_rng(step)
  x = rng.standard_normal([8, 6]).astype(np.float32)
  return x, (x[:, :3] ** 2).astype(np.float32)


def _gradients(model: tf_keras.Model, step: int):
  x, y = _batch(step)
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
  return tape.gradient(loss, model.trainable_variables)


def _train(model, optimizer, steps, first=0) -> None:
  for step in range(first, first + steps):
    gradients = _gradients(model, step)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))


def _cosine(rate: float) -> tf_keras.optimizers.schedules.CosineDecay:
  return tf_keras.optimizers.schedules.CosineDecay(rate, STEPS, alpha=0.01)


def _two_rate(**kwargs) -> two_rate_adamw.TwoRateAdamW:
  kwargs = {'learning_rate': _cosine(1e-2), 'weight_decay': DECAY} | kwargs
  return two_rate_adamw.TwoRateAdamW(**kwargs)


def _values(variables):
  return [v.numpy() for v in variables]


def _assert_equal(actual, expected):
  assert len(actual) == len(expected)
  for a, b in zip(actual, expected):
    np.testing.assert_array_equal(a, b)


class _Scaled(tf_keras.optimizers.schedules.LearningRateSchedule):
  """A schedule times a number."""

  def __init__(self, schedule, scale):
    super().__init__()
    self._schedule = schedule
    self._scale = scale

  def __call__(self, step):
    return self._schedule(step) * self._scale


def _factory_optimizer(config) -> tf_keras.optimizers.Optimizer:
  factory = optimization.OptimizerFactory(config)
  return factory.build_optimizer(factory.build_learning_rate())


def _two_adamw(model, head_schedule, backbone_schedule, steps, **kwargs):
  """Trains with one stock AdamW per group, each fed its own gradients."""
  adamw = tf_keras.optimizers.experimental.AdamW
  variables = model.trainable_variables
  head = [i for i, v in enumerate(variables) if v.name.startswith('grw_')]
  backbone = [i for i in range(len(variables)) if i not in head]
  pairs = [
    (adamw(head_schedule, weight_decay=DECAY, **kwargs), head),
    (adamw(backbone_schedule, weight_decay=DECAY, **kwargs), backbone),
  ]
  for step in range(steps):
    gradients = _gradients(model, step)
    for optimizer, group in pairs:
      optimizer.apply_gradients([(gradients[i], variables[i]) for i in group])


@pytest.mark.parametrize('kwargs', [{}, {'amsgrad': True}, {'clipnorm': 0.1}])
def test_is_two_adamw(kwargs):
  model, expected = _model(), _model()
  initial = _values(model.trainable_variables)
  _train(model, _two_rate(**kwargs), STEPS)
  _two_adamw(
    expected, _cosine(1e-2), _Scaled(_cosine(1e-2), 0.1), STEPS, **kwargs
  )
  found, wanted = (_values(m.trainable_variables) for m in (model, expected))
  if 'amsgrad' in kwargs:  # The base class computes it.
    _assert_equal(found, wanted)
  for a, b, start in zip(found, wanted, initial):
    # Of what has changed.
    np.testing.assert_allclose(a - start, b - start, rtol=1e-4, atol=1e-7)
    assert np.abs(b - start).max() > 1e-4


def test_variables_share_what_is_alike():
  def operations(count):
    several = [
      tf.Variable(tf.ones([2]), name=f'{name}_{number}')
      for number in range(count)
      for name in ('grw_head', 'stem')
    ]
    optimizer = _two_rate(global_clipnorm=1.0)

    @tf.function
    def step(gradient):
      optimizer.apply_gradients([(gradient, v) for v in several])

    graph = step.get_concrete_function(tf.TensorSpec([2])).graph
    return len(graph.get_operations())

  # The base class has some fifty for each.
  assert (operations(12) - operations(2)) / 20 < 15


def test_is_two_adamw_on_the_papers_two_cosines():
  model, expected = _model(), _model()
  initial = _values(model.variables)
  _train(model, _two_rate(learning_rate=_cosine(1e-3)), STEPS)
  _two_adamw(expected, _cosine(1e-3), _cosine(1e-4), STEPS)
  for a, b, start in zip(
    _values(model.variables), _values(expected.variables), initial
  ):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    assert np.abs(b - start).max() > 1e-4  # The step is not below tolerance.


def test_global_clipnorm_is_of_both_groups():
  model, expected = _model(), _model()
  _train(model, _two_rate(global_clipnorm=0.1, epsilon=1.0), 1)
  gradients = _gradients(expected, 0)
  assert tf.linalg.global_norm(gradients) > 0.1
  clipped, _ = tf.clip_by_global_norm(gradients, 0.1)
  _two_rate(epsilon=1.0).apply_gradients(
    zip(clipped, expected.trainable_variables)
  )
  _assert_equal(_values(model.variables), _values(expected.variables))


def test_scale_zero_leaves_the_backbone_as_it_is():
  model = _model()
  before = _values(model.get_layer('stem').weights)
  head_before = _values(model.get_layer('grw_head').weights)
  _train(model, _two_rate(backbone_lr_scale=0.0), 3)
  _assert_equal(_values(model.get_layer('stem').weights), before)
  head_after = _values(model.get_layer('grw_head').weights)
  assert not np.array_equal(head_before[0], head_after[0])


def test_excluded_variables_do_not_decay():
  model = _model()
  optimizer = _two_rate(exclude_from_weight_decay=['bias$'])
  for variable in model.trainable_variables:
    variable.assign(tf.ones_like(variable))
  zeros = [tf.zeros_like(v) for v in model.trainable_variables]
  optimizer.apply_gradients(zip(zeros, model.trainable_variables))
  for variable in model.trainable_variables:
    rate = 1e-2 if variable.name.startswith('grw_') else 1e-3
    decay = 0.0 if 'bias' in variable.name else DECAY * rate
    np.testing.assert_allclose(variable.numpy(), 1 - decay, rtol=1e-6)


def test_the_logged_learning_rate_is_the_heads():
  model, optimizer = _model(), _two_rate()
  for step in range(3):
    _train(model, optimizer, 1, first=step)
    np.testing.assert_array_equal(
      optimizer.learning_rate.numpy(), _cosine(1e-2)(step).numpy()
    )
  assert not callable(optimizer.learning_rate)


def test_a_number_as_learning_rate_can_be_set():
  optimizer = _two_rate(learning_rate=1e-2)
  optimizer.learning_rate = 1e-3
  assert optimizer.learning_rate.numpy() == np.float32(1e-3)


def test_groups_are_printed_once(monkeypatch):
  printed = []
  monkeypatch.setattr(logging, 'info', lambda *args: printed.append(args))
  model, optimizer = _model(), _two_rate()
  _train(model, optimizer, 3)
  assert len(printed) == 1
  _, backbone, head = (printed[0][0] % printed[0][1:]).split('\n')
  assert 'backbone' in backbone and 'x 0.1' in backbone
  assert '4 variables, 65 parameters: stem/kernel, stem/bias' in backbone
  assert 'head' in head and 'x 1 ' in head
  assert '2 variables, 18 parameters: grw_head/kernel, grw_head/bias' in head


def test_a_frozen_backbone_is_an_empty_group(monkeypatch):
  printed = []
  monkeypatch.setattr(logging, 'info', lambda *args: printed.append(args))
  model = _model()
  model.get_layer('stem').trainable = False
  model.get_layer('head').trainable = False
  _train(model, _two_rate(), 1)
  assert 'The backbone is frozen' in printed[0][1]


def test_movinet_is_all_backbone():
  backbone = movinet.Movinet(
    model_id='a0',
    causal=True,
    conv_type='2plus1d',
    input_specs=tf_keras.layers.InputSpec(shape=[None, 2, 32, 32, 3]),
  )
  features, _ = backbone.output
  outputs = tf_keras.layers.Dense(3, name='grw_head')(features['head'])
  model = tf_keras.Model(backbone.input, outputs)
  optimizer = _two_rate(weight_decay=1.0)
  for variable in model.trainable_variables:
    variable.assign(tf.ones_like(variable))
  zeros = [tf.zeros_like(v) for v in model.trainable_variables]
  optimizer.apply_gradients(zip(zeros, model.trainable_variables))
  assert len(backbone.trainable_variables) > 200
  for variable in backbone.trainable_variables:
    np.testing.assert_allclose(variable.numpy(), 1 - 1e-3, rtol=1e-6)
  for variable in model.get_layer('grw_head').trainable_variables:
    np.testing.assert_allclose(variable.numpy(), 1 - 1e-2, rtol=1e-6)


def test_tf_function_agrees_with_eager():
  model, expected = _model(), _model()
  optimizer = _two_rate()
  variables = model.trainable_variables

  @tf.function
  def step(x, y):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

  for i in range(STEPS):
    step(*_batch(i))
  _train(expected, _two_rate(), STEPS)
  for a, b in zip(_values(model.variables), _values(expected.variables)):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_loss_scaling_agrees_with_none():
  model, expected = _model(), _model()
  # Powers of two scale exactly.
  optimizer = tf_keras.mixed_precision.LossScaleOptimizer(_two_rate())
  for i in range(4):
    gradients = [g * optimizer.loss_scale for g in _gradients(model, i)]
    optimizer.apply_gradients(
      zip(
        optimizer.get_unscaled_gradients(gradients),
        model.trainable_variables,
      )
    )
  _train(expected, _two_rate(), 4)
  for a, b in zip(_values(model.variables), _values(expected.variables)):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('asynchronous', [False, True])
@pytest.mark.parametrize('wrapped', [False, True])
def test_checkpoint_continues_the_same_trajectory(
  tmp_path, monkeypatch, wrapped, asynchronous
):
  warnings = []
  monkeypatch.setattr(logging, 'warning', lambda *args: warnings.append(args))

  def optimizer():
    if wrapped:
      return tf_keras.mixed_precision.LossScaleOptimizer(_two_rate())
    return _two_rate()

  straight, straight_optimizer = _model(), optimizer()
  _train(straight, straight_optimizer, 4)
  checkpoint = tf.train.Checkpoint(model=straight, optimizer=straight_optimizer)
  options = tf.train.CheckpointOptions(enable_async=asynchronous)
  path = checkpoint.save(str(tmp_path / 'ckpt'), options=options)
  checkpoint.sync()
  _train(straight, straight_optimizer, 6, first=4)

  resumed, resumed_optimizer = _model(seed=1), optimizer()
  tf.train.Checkpoint(model=resumed, optimizer=resumed_optimizer).restore(path)
  _train(resumed, resumed_optimizer, 6, first=4)
  _assert_equal(_values(resumed.variables), _values(straight.variables))
  assert resumed_optimizer.iterations.numpy() == 10
  # Asynchronous checkpoints warn of what they do not know how to copy.
  assert not [w for w in warnings if '_SlotOrder' in str(w)]


@pytest.mark.parametrize('asynchronous', [False, True])
@pytest.mark.parametrize('built', [False, True])
def test_a_checkpoint_of_other_variables_is_refused(
  tmp_path, built, asynchronous
):
  model, optimizer = _model(), _two_rate()
  model.get_layer('stem').trainable = False
  _train(model, optimizer, 2)
  checkpoint = tf.train.Checkpoint(optimizer=optimizer)
  options = tf.train.CheckpointOptions(enable_async=asynchronous)
  path = checkpoint.save(str(tmp_path / 'ckpt'), options=options)
  checkpoint.sync()

  model, optimizer = _model(), _two_rate()
  with pytest.raises(ValueError, match='4 there, 6 here.*stem/kernel'):
    if built:
      _train(model, optimizer, 1)
    tf.train.Checkpoint(optimizer=optimizer).restore(path)
    _train(model, optimizer, 1)


def test_a_checkpoint_before_the_first_step_restores(tmp_path):
  path = tf.train.Checkpoint(optimizer=_two_rate()).save(str(tmp_path / 'ckpt'))
  optimizer = _two_rate()
  tf.train.Checkpoint(optimizer=optimizer).restore(path)
  _train(_model(), optimizer, 1)


def test_config_round_trip_of_the_keras_kind():
  optimizer = _two_rate(
    backbone_lr_scale=0.2, exclude_from_weight_decay=['bias']
  )
  config = tf_keras.optimizers.serialize(optimizer)
  clone = tf_keras.optimizers.deserialize(json.loads(json.dumps(config)))
  assert isinstance(clone, two_rate_adamw.TwoRateAdamW)
  assert clone.get_config() == optimizer.get_config()
  model, expected = _model(), _model()
  _train(model, clone, 3)
  _train(expected, optimizer, 3)
  _assert_equal(_values(model.variables), _values(expected.variables))


def test_the_papers_learning_rates():
  config = optimization_config.two_rate_optimization(steps=1000)
  schedule = optimization.OptimizerFactory(config).build_learning_rate()
  scale = config.optimizer.two_rate_adamw.backbone_lr_scale
  np.testing.assert_allclose(schedule(0), 1e-3, rtol=1e-6)
  np.testing.assert_allclose(schedule(1000), 1e-5, rtol=1e-4)
  np.testing.assert_allclose(schedule(0) * scale, 1e-4, rtol=1e-6)
  np.testing.assert_allclose(schedule(1000) * scale, 1e-6, rtol=1e-4)


def test_warmup_rises_to_the_cosine():
  plain = optimization_config.two_rate_optimization(steps=100)
  warm = optimization_config.two_rate_optimization(steps=100, warmup_steps=10)
  plain = optimization.OptimizerFactory(plain).build_learning_rate()
  warm = optimization.OptimizerFactory(warm).build_learning_rate()
  assert warm(0) == 0.0
  np.testing.assert_allclose(warm(5), plain(10) / 2, rtol=1e-6)
  for step in (10, 50, 100):
    np.testing.assert_allclose(warm(step), plain(step), rtol=1e-6)


def test_the_factory_averages_from_a_config(tmp_path):
  config = optimization_config.two_rate_optimization(
    steps=STEPS, head_lr=1e-2, backbone_lr=1e-3, ema_decay=0.5
  )

  strategy = tf.distribute.OneDeviceStrategy('/cpu:0')

  def build(seed):
    with strategy.scope():
      model, optimizer = _model(seed), _factory_optimizer(config)
      optimizer.shadow_copy(model)
    return model, optimizer

  def train(model, optimizer, steps, first=0):
    strategy.run(_train, args=(model, optimizer, steps, first))

  def swapped(model, optimizer):
    with strategy.scope():
      optimizer.swap_weights()
    return _values(model.variables)

  model, optimizer = build(0)
  assert isinstance(optimizer, optimization.ExponentialMovingAverage)
  average = [np.zeros_like(v) for v in _values(model.variables)]
  for step in range(4):
    train(model, optimizer, 1, first=step)
    decay = min(0.5, (2 + step) / (11 + step))  # After `step` + 1 updates.
    average = [
      decay * a + (1 - decay) * v
      for a, v in zip(average, _values(model.variables))
    ]
    np.testing.assert_allclose(
      optimizer.learning_rate, _cosine(1e-2)(step), rtol=1e-6
    )
  path = tf.train.Checkpoint(model=model, optimizer=optimizer).save(
    str(tmp_path / 'ckpt')
  )
  trained = _values(model.variables)
  for a, b in zip(swapped(model, optimizer), average):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
  for a, b in zip(swapped(model, optimizer), trained):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

  # The average and the slots both come back.
  resumed, resumed_optimizer = build(1)
  tf.train.Checkpoint(model=resumed, optimizer=resumed_optimizer).restore(path)
  straight, straight_optimizer = build(0)
  train(straight, straight_optimizer, 6)
  train(resumed, resumed_optimizer, 2, first=4)
  _assert_equal(_values(resumed.variables), _values(straight.variables))
  _assert_equal(
    swapped(resumed, resumed_optimizer),
    swapped(straight, straight_optimizer),
  )


@pytest.mark.parametrize('ema_decay', [None, 0.9])
def test_the_stock_trainer_trains_evaluates_and_logs_it(ema_decay):
  config = optimization_config.two_rate_optimization(
    steps=STEPS, head_lr=1e-2, ema_decay=ema_decay
  )
  config.optimizer.two_rate_adamw.head_pattern = '^dense'
  params = config_definitions.ExperimentConfig(
    trainer=optimization_config.TrainerConfig(optimizer_config=config)
  )
  with tf.distribute.OneDeviceStrategy('/cpu:0').scope():
    task = mock_task.MockTask()
    trainer = base_trainer.Trainer(
      params,
      task,
      model=task.build_model(),
      optimizer=task.create_optimizer(config),
    )
    logs = trainer.train(tf.constant(3))
    trainer.evaluate(tf.constant(1))
  np.testing.assert_allclose(logs['learning_rate'], _cosine(1e-2)(2), rtol=1e-6)


def test_overrides_reach_the_optimizer():
  config = config_definitions.ExperimentConfig(
    trainer=optimization_config.TrainerConfig(
      optimizer_config=optimization_config.two_rate_optimization(steps=10)
    )
  )
  config = hyperparams.override_params_dict(
    config,
    'trainer.optimizer_config.optimizer.two_rate_adamw.backbone_lr_scale=0.2,'
    'trainer.optimizer_config.optimizer.two_rate_adamw.amsgrad=true',
    is_strict=True,
  )
  config = hyperparams.override_params_dict(
    config,
    '{trainer: {optimizer_config: {optimizer: {two_rate_adamw: '
    '{exclude_from_weight_decay: [bias, gamma]}}}}}',
    is_strict=True,
  )
  optimizer = base_task.Task.create_optimizer(config.trainer.optimizer_config)
  assert isinstance(optimizer, two_rate_adamw.TwoRateAdamW)
  built = optimizer.get_config()
  assert built['backbone_lr_scale'] == 0.2
  assert built['amsgrad']
  assert built['exclude_from_weight_decay'] == ['bias', 'gamma']
  assert built['global_clipnorm'] == 1.0
  assert not built['jit_compile']


def test_yaml_round_trip(tmp_path):
  config = optimization_config.TrainerConfig(
    optimizer_config=optimization_config.two_rate_optimization(
      steps=10, backbone_lr=2e-4, ema_decay=0.9, warmup_steps=2
    )
  )
  path = str(tmp_path / 'params.yaml')
  hyperparams.save_params_dict_to_yaml(config, path)
  read = hyperparams.override_params_dict(
    optimization_config.TrainerConfig(), path, is_strict=True
  )
  assert read.as_dict() == config.as_dict()
  assert read.optimizer_config.optimizer.two_rate_adamw.backbone_lr_scale == 0.2


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('backbone_lr_scale', -0.1, 'finite number >= 0'),
    ('backbone_lr_scale', float('nan'), 'finite number >= 0'),
    ('backbone_lr_scale', '0.1', 'finite number >= 0'),
    ('head_pattern', '(', 'head_pattern is not a regular expression'),
    ('head_pattern', '', 'head_pattern must be a regular expression'),
    ('exclude_from_weight_decay', 'bias', r"write \['bias'\]"),
    ('exclude_from_weight_decay', 3, 'must be a list'),
    ('exclude_from_weight_decay', ['*'], 'not a regular expression'),
  ],
)
def test_bad_values_are_named(field, value, message):
  config = optimization_config.two_rate_optimization(steps=10)
  config.override({'optimizer': {'two_rate_adamw': {field: value}}})
  with pytest.raises(ValueError, match=message):
    config.optimizer.two_rate_adamw.validate()
  with pytest.raises(ValueError, match=message):
    _factory_optimizer(config)


@pytest.mark.parametrize(
  'kwargs, message',
  [
    ({'head_pattern': 'decoder'}, "'decoder' is found in none of the 6"),
    ({'exclude_from_weight_decay': ['gamma']}, "'gamma' is found in none"),
  ],
)
def test_patterns_that_find_nothing_are_named(kwargs, message):
  with pytest.raises(ValueError, match=message):
    _train(_model(), _two_rate(**kwargs), 1)


@pytest.mark.parametrize(
  'kwargs',
  [
    {'steps': 0},
    {'head_lr': 0.0},
    {'backbone_lr': -1e-4},
    {'final_scale': 1.5},
    {'weight_decay': -0.1},
    {'warmup_steps': 10},
    {'ema_decay': 1.0},
  ],
)
def test_bad_settings_are_named(kwargs):
  (name,) = kwargs
  with pytest.raises(ValueError, match=f'{name} = .* is out of range'):
    optimization_config.two_rate_optimization(**{'steps': 10} | kwargs)


def _train_on_two_replicas() -> None:
  """Trains under MirroredStrategy and prints whether one device agrees."""
  cpu = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
  )
  expected = _model()
  _train(
    expected,
    _two_rate(exclude_from_weight_decay=['bias$'], global_clipnorm=1.0),
    STEPS,
  )
  strategy = tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1'])
  with strategy.scope():
    model = _model()
    # The patterns name the end of a name; on replica 1 names end otherwise.
    optimizer = _two_rate(
      exclude_from_weight_decay=['bias$'],
      head_pattern='^grw_head/(kernel|bias)$',
      global_clipnorm=1.0,
    )

  @tf.function
  def step(x, y):
    def replica(x, y):
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2) / 2
      variables = model.trainable_variables
      optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    strategy.run(replica, args=(x, y))

  for i in range(STEPS):
    halves = [np.split(part, 2) for part in _batch(i)]
    x, y = (
      strategy.experimental_distribute_values_from_function(
        lambda context, part=part: tf.constant(
          part[context.replica_id_in_sync_group]
        )
      )
      for part in halves
    )
    step(x, y)
  for variable, wanted in zip(model.variables, _values(expected.variables)):
    for copy in strategy.experimental_local_results(variable):
      np.testing.assert_allclose(copy.numpy(), wanted, rtol=1e-5, atol=1e-6)
  print('replicas agree')


def test_two_replicas_agree_with_one_device():
  # A process of its own: a second strategy in one process breaks collectives.
  run = subprocess.run(
    tiny.program('tests/optimization/two_rate_adamw_test.py'),
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )
  assert run.returncode == 0, run.stderr[-3000:]
  assert 'replicas agree' in run.stdout


if __name__ == '__main__':
  _train_on_two_replicas()
