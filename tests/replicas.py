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

"""One training step of a fixed batch under so many replicas, as a command.

  python3 tests/run_tiny.py tests/replicas.py 2 results.npz

writes what the step computed, for both placements of the smoothing and for
subclips, and what evaluation measured of a last batch that leaves the second
replica none, and what it kept of the clips.  A process holds one strategy: the
collectives of a second one in it fail.
"""

import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.losses import grw_smoothing
from official_ext.grw.training import runner
from tests import tiny

# Of a task.
STEPS = {
  'subclips': {
    'num_subclips': 2,
    'model': {'norm_activation': {'use_sync_bn': False}},
  },
  'final': {},
  'intermediate': {
    'model': {
      'smoothing': {'placement': 'intermediate', 'endpoint': 'block0_layer0'}
    }
  },
}
CLIPS = 4


def batch(same_halves=False):
  """[4, frames, height, width, 3] in [0, 1], and one-hot labels."""
  labels = [0, 1, 2, 1]
  clips = np.stack([tiny.clip(label, seed=n) for n, label in enumerate(labels)])
  if same_halves:  # Each has the batch statistics of both.
    clips[2:], labels[2:] = clips[:2], labels[:2]
  return (
    clips.astype(np.float32) / 255.0,
    np.eye(tiny.CLASSES, dtype=np.float32)[labels],
  )


def build(changes):
  """The task, and its model away from initial values that hide errors."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(tiny.overrides('unused', 'unused'))
  params.override(
    {'task': {'seed': 1, 'model': {'norm_activation': {'use_sync_bn': True}}}}
  )
  params.override({'task': changes})
  task = task_factory.get_task(params.task)
  model = task.build_model()
  for variable in model.trainable_variables:
    # Residual branches are multiplied by it, and it starts at zero.
    if variable.name.split('/')[-1].startswith('scale'):
      variable.assign(tf.fill(variable.shape, 0.5))
  return task, model


def half_order_losses(model, window, clips):
  """The order loss of each half of a batch, normalized as one batch."""
  layer = model.get_layer('grw_smoothing')
  embeddings = tf_keras.Model(model.inputs, layer.input)(
    {'image': clips}, training=True
  )
  return [
    grw_smoothing.smoothing_terms(
      grw_smoothing.cut_windows(half, window)
    ).order_loss.numpy()
    for half in tf.split(embeddings, 2)
  ]


def run_step(strategy, name, results):
  """Adds to `results` the gradients and measures of one step."""
  clips, labels = batch(same_halves=name == 'subclips')
  share = CLIPS // strategy.num_replicas_in_sync
  with strategy.scope():
    task, model = build(STEPS[name])
    # With a rate of 1 a weight changes by its gradient.
    optimizer = tf_keras.optimizers.experimental.SGD(1.0)
    optimizer.build(model.trainable_variables)  # Or it is traced twice.
    metrics = task.build_metrics(training=True)
  before = [variable.numpy() for variable in model.variables]
  if strategy.num_replicas_in_sync == 1:
    results[f'{name}/halves'] = half_order_losses(
      model, task.task_config.model.smoothing.window, clips
    )
    for variable, value in zip(model.variables, before):
      variable.assign(value)

  def part(context, array):
    start = context.replica_id_in_sync_group * share
    return tf.constant(array[start : start + share])

  values = [
    strategy.experimental_distribute_values_from_function(
      lambda context, array=array: part(context, array)
    )
    for array in (clips, labels)
  ]

  @tf.function
  def step(clips, labels):
    return strategy.run(
      lambda clips, labels: task.train_step(
        ({'image': clips}, labels), model, optimizer, metrics
      )['loss'],
      args=(clips, labels),
    )

  loss = strategy.reduce('MEAN', step(*values), axis=None)
  results[f'{name}/loss'] = loss.numpy()
  for metric in metrics:
    results[f'{name}/metric/{metric.name}'] = metric.result().numpy()
  for variable, value in zip(model.variables, before):
    results[f'{name}/change/{variable.name}'] = variable.numpy() - value
  return task, model


def evaluate_last_batch(strategy, task, model, results):
  """Adds to `results` the measures of two clips, all on the first replica."""
  clips, labels = batch()
  with strategy.scope():
    metrics = task.build_metrics(training=False)

  # As the trainer has it: a dataset of one replica's share of batches, which
  # ends before the second replica has one.
  dataset = strategy.distribute_datasets_from_function(
    lambda context: tf.data.Dataset.from_tensor_slices(
      (clips[:2], labels[:2])
    ).batch(2)
  )

  @tf.function
  def step(iterator):
    clips, labels = next(iterator)
    strategy.run(
      lambda clips, labels: task.validation_step(
        ({'image': clips}, labels), model, metrics
      ),
      args=(clips, labels),
    )

  step(iter(dataset))
  for metric in metrics:
    results[f'last_batch/{metric.name}'] = metric.result().numpy()


def keep_predictions(strategy, folder, results):
  """Adds to `results` what a whole evaluation kept of five records."""
  params = exp_factory.get_exp_config('movinet_grw_airplanes')
  params.override(
    tiny.overrides(
      'unused', tiny.write_records(folder / 'five', [0, 1, 2, 0, 1])
    )
  )
  params.task.seed = 1
  params.validate()
  with strategy.scope():
    task = task_factory.get_task(params.task)
  trainer = runner.ExperimentRunner(
    strategy, task, 'continuous_eval', params, str(folder)
  ).trainer
  trainer.keeps_predictions = True
  # Batches of four: the last one leaves the second replica none.
  trainer.evaluate(tf.constant(-1))
  for field in dataclasses.fields(evaluation.Predictions):
    kept = getattr(trainer.predictions, field.name)
    if kept is not None:
      results[f'predictions/{field.name}'] = np.array(kept)


def main(replicas, path):
  device = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
    device, [tf.config.LogicalDeviceConfiguration()] * replicas
  )
  strategy = tf.distribute.MirroredStrategy(
    [f'CPU:{number}' for number in range(replicas)]
  )
  results: dict[str, np.ndarray] = {}
  for name in STEPS:
    task, model = run_step(strategy, name, results)
  with strategy.scope():
    try:
      build({'num_subclips': 2})
    except ValueError as error:
      results['subclips/refused'] = np.array(str(error))
  evaluate_last_batch(strategy, task, model, results)
  with tempfile.TemporaryDirectory() as folder:
    keep_predictions(strategy, pathlib.Path(folder), results)
  np.savez(path, **results)  # type: ignore[arg-type]


if __name__ == '__main__':
  main(int(sys.argv[1]), sys.argv[2])
