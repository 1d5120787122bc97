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

"""The task trains on both losses and logs what it measured."""

import numpy as np
from official.core import exp_factory
from official.core import task_factory
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.losses import grw_smoothing
from tests import tiny

SIZE, FRAMES, CLASSES, BATCH = 32, 10, 3, 4


def make_task(**model_overrides):
  config = exp_factory.get_exp_config('movinet_grw_airplanes').task
  config.model.backbone = movinet_config.published('tiny', stream=True)
  config.model.backbone.movinet.stochastic_depth_drop_rate = 0.0
  config.model.override(model_overrides)
  for data in (config.train_data, config.validation_data):
    data.feature_shape = (FRAMES, SIZE, SIZE, 3)
  config.seed = 1
  return task_factory.get_task(config)


def batch(seed=0):
  rng = np.random.default_rng(seed)
  images = rng.uniform(size=[BATCH, FRAMES, SIZE, SIZE, 3])
  labels = tf.one_hot(rng.integers(0, CLASSES, BATCH), CLASSES)
  return {'image': tf.constant(images, tf.float32)}, labels


@pytest.fixture(name='trained', scope='module')
def trained_fixture():
  """A task, its model, and metrics after one step with a learning rate of 0."""
  task = make_task()
  model = task.build_model()
  metrics = task.build_metrics()
  logs = task.train_step(batch(), model, tf_keras.optimizers.SGD(0.0), metrics)
  return task, model, {m.name: float(m.result()) for m in metrics}, logs


def test_loss_is_cross_entropy_plus_weighted_smoothing(trained):
  _, model, metrics, logs = trained
  smoothing = metrics['order_loss'] + 0.5 * metrics['speed_loss']
  np.testing.assert_allclose(
    logs['loss'], metrics['cross_entropy'] + 0.1 * smoothing, rtol=1e-5
  )
  images, labels = batch()
  logits = model(images, training=True)
  cross_entropy = tf_keras.losses.categorical_crossentropy(
    labels, logits, from_logits=True
  )
  np.testing.assert_allclose(
    metrics['cross_entropy'], np.mean(cross_entropy), rtol=1e-4
  )


def test_logged_terms_are_those_of_the_embeddings(trained):
  _, model, metrics, _ = trained
  embeddings = tf_keras.Model(
    model.inputs, model.get_layer('grw_smoothing').output
  )(batch()[0], training=True)
  terms = grw_smoothing.smoothing_terms(
    grw_smoothing.cut_windows(embeddings, 5)
  )
  for name in ('order_loss', 'speed_loss', 'order_accuracy'):
    np.testing.assert_allclose(
      metrics[name], getattr(terms, name), rtol=1e-3, err_msg=name
    )
  np.testing.assert_allclose(
    metrics['acceleration_over_speed'],
    terms.mean_acceleration / terms.mean_speed,
    rtol=1e-3,
  )


def test_acceleration_over_speed_is_a_ratio_of_means(trained):
  task, model, _, _ = trained
  metrics = task.build_metrics(training=False)
  accelerations, speeds = [], []
  for seed in range(2):
    images, labels = batch(seed)
    images['image'] *= 1.0 + 4.0 * seed  # Different speeds in each batch.
    task.validation_step((images, labels), model, metrics)
    accelerations.append(model.smoothing.terms.mean_acceleration)
    speeds.append(model.smoothing.terms.mean_speed)
  logged = {m.name: float(m.result()) for m in metrics}
  np.testing.assert_allclose(
    logged['acceleration_over_speed'],
    np.sum(accelerations) / np.sum(speeds),
    rtol=1e-5,
  )
  assert 0 <= logged['top_1_accuracy'] <= 1


def test_without_smoothing_only_the_class_loss_is_measured():
  task = make_task(smoothing={'placement': 'none'}, head={'type': 'movinet'})
  model, metrics = task.build_model(), task.build_metrics()
  logs = task.train_step(batch(), model, tf_keras.optimizers.SGD(0.0), metrics)
  names = {metric.name for metric in metrics}
  assert 'order_loss' not in names
  np.testing.assert_allclose(logs['loss'], logs['class_loss'])


def test_bad_records_are_counted_and_kept_from_the_model(trained):
  task, model, _, _ = trained
  task.task_config.train_data.on_bad_record = 'skip'
  metrics = task.build_metrics()
  task.task_config.train_data.on_bad_record = 'error'
  images, labels = batch()
  for count in (0, 3):
    counted = {**images, 'bad_records': tf.constant([count, 0, 0, 0])}
    task.validation_step((counted, labels), model, metrics)
  logged = {m.name: float(m.result()) for m in metrics}
  assert logged['bad_records'] == 3


def test_windows_that_straddle_a_jump_are_not_measured(trained, tmp_path):
  task, model, _, _ = trained
  frames = tiny.clip(1, 0, frames=7, size=SIZE)
  with tf.io.TFRecordWriter(str(tmp_path / 'short')) as writer:
    writer.write(tiny.record(frames, 1))
  params = task.task_config.validation_data.replace(
    tfds_name='', input_path=str(tmp_path / 'short'), min_image_size=SIZE
  )
  metrics = task.build_metrics(training=False)
  [(features, labels)] = task.build_inputs(params)
  task.validation_step((features, labels), model, metrics)
  measured = {m.name: float(m.result()) for m in metrics}

  embeddings = tf_keras.Model(
    model.inputs, model.get_layer('grw_smoothing').output
  )
  whole = embeddings({'image': features['image']})
  assert whole.shape[1] == FRAMES == 10
  smooth = grw_smoothing.smoothing_terms(whole[:, :5])
  straddling = grw_smoothing.smoothing_terms(whole[:, 5:])
  assert measured['speed_loss'] == pytest.approx(
    float(smooth.speed_loss), rel=1e-4
  )
  assert float(straddling.speed_loss) != pytest.approx(
    float(smooth.speed_loss), rel=1e-2
  )


def test_windows_stop_at_cuts_in_training_and_evaluation(tmp_path):
  task = make_task(smoothing={'cuts': 20.0, 'window': 4})
  model = task.build_model()
  with tf.io.TFRecordWriter(str(tmp_path / 'cut')) as writer:
    for first in (0, 3, 5, 10):  # Frames before the cut.
      frames = np.concatenate(
        [
          tiny.clip(1, 0, frames=first, size=SIZE).reshape(-1, SIZE, SIZE, 3)
          // 8,
          tiny.clip(1, 0, frames=10 - first, size=SIZE).reshape(
            -1, SIZE, SIZE, 3
          ),
        ]
      )
      if first == 5:  # Every frame is a shot: no window fits.
        frames[::2] = 255 - frames[::2]
      writer.write(tiny.record(frames.astype(np.uint8), 1))
  embeddings = tf_keras.Model(
    model.inputs, model.get_layer('grw_smoothing').output
  )
  shots = [[10], [3, 7], [1] * 10, [10]]
  for training in (True, False):
    params = (
      task.task_config.train_data
      if training
      else task.task_config.validation_data
    ).replace(
      tfds_name='',
      input_path=str(tmp_path / 'cut'),
      min_image_size=SIZE,
      augment=False,
      global_batch_size=4,
      shuffle_buffer_size=1,
    )
    [(features, labels)] = task.build_inputs(params).take(1)
    metrics = task.build_metrics(training=training)
    whole = embeddings({'image': features['image']}, training=training)
    if training:
      optimizer = tf_keras.optimizers.SGD(0.0)
      task.train_step((features, labels), model, optimizer, metrics)
    else:
      task.validation_step((features, labels), model, metrics)
    measured = {m.name: float(m.result()) for m in metrics}
    windows = [
      clip[start : start + 4]
      for clip, lengths in zip(whole, shots)
      for end, length in zip(np.cumsum(lengths), lengths)
      for start in range(end - length, end - 3, 4)
    ]
    expected = grw_smoothing.smoothing_terms(tf.stack(windows))
    assert expected.num_windows == 5
    assert measured['speed_loss'] == pytest.approx(
      float(expected.speed_loss), rel=1e-3
    )
    assert measured['cuts'] == (0 + 1 + 9 + 0) / 4
    assert measured['clips_without_window'] == 1


@pytest.mark.parametrize('num_subclips', [1, 2])
def test_the_loss_of_subclips_is_the_mean_of_their_predictions(
  trained, num_subclips
):
  plain, _, _, logs = trained
  task = make_task()
  task.task_config.num_subclips = num_subclips
  task.task_config.subclip_predictions = True
  if num_subclips == 1:
    model, metrics = task.build_model(), task.build_metrics()
    optimizer = tf_keras.optimizers.SGD(0.0)
    ours = task.train_step(batch(), model, optimizer, metrics)
    np.testing.assert_allclose(ours['loss'], logs['loss'], rtol=1e-5)
    return
  probabilities = tf.nn.softmax(
    tf.random.stateless_normal([BATCH, num_subclips, CLASSES], [1, 2])
  )
  _, labels = batch()
  losses = [
    plain.build_losses(labels, probabilities[:, subclip])['class_loss']
    for subclip in range(num_subclips)
  ]
  found = task.build_losses(labels, probabilities)
  np.testing.assert_allclose(found['class_loss'], np.mean(losses), rtol=1e-6)
  assert abs(losses[0] - losses[1]) > 1e-3
  # Of accuracies, the clip's counts.
  for metrics, outputs in (
    (task.build_metrics(), probabilities),
    (plain.build_metrics(), probabilities[:, -1]),
  ):
    task.process_metrics(metrics, labels, outputs)
    accuracies = [float(metric.result()) for metric in metrics[:3]]
    assert accuracies[2] == 1.0
    assert (
      accuracies[:2]
      == [
        float(
          np.mean(np.argmax(probabilities[:, -1], -1) == np.argmax(labels, -1))
        )
      ]
      * 2
    )


def test_a_frozen_backbone_leaves_the_rest_to_train():
  task = make_task()
  task.task_config.freeze_backbone = True
  model = task.build_model()
  names = [variable.name for variable in model.trainable_variables]
  assert names and all(name.startswith('grw_') for name in names)


@pytest.mark.parametrize('one_hot', [True, False])
def test_classes_weigh_as_they_are_told(one_hot):
  weights = [4.0, 0.5, 1.0]
  task = make_task()
  task.task_config.losses.one_hot = one_hot
  task.task_config.class_weights = weights
  probabilities = tf.constant([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
  labels = tf.constant([0, 1])
  losses = task.build_losses(
    tf.one_hot(labels, CLASSES) if one_hot else labels,
    probabilities,
    [tf.constant(2.0)],
  )
  expected = -(4 * np.log(0.7) + 0.5 * np.log(0.3)) / 2
  np.testing.assert_allclose(losses['class_loss'], expected, rtol=1e-5)
  np.testing.assert_allclose(losses[task.loss], expected + 2, rtol=1e-5)


def test_seed_decides_the_initial_weights(trained):
  _, model, _, _ = trained
  again = make_task().build_model()
  # The step has moved batch statistics; a learning rate of 0 nothing else.
  for ours, theirs in zip(model.trainable_variables, again.trainable_variables):
    np.testing.assert_array_equal(ours, theirs)


def test_refuses_a_wrong_config_before_building_anything():
  with pytest.raises(ValueError, match='at least 3 frames'):
    make_task(smoothing={'window': 1})
  with pytest.raises(ValueError, match=r'smoothing\.cuts=-1\.0: expected'):
    make_task(smoothing={'cuts': -1.0})
  with pytest.raises(ValueError, match=r'smoothing\.window_range=\[6, 8\]'):
    make_task(smoothing={'window_range': [6, 8]})


def test_ucf101_comes_from_tfds_as_it_is():
  config = exp_factory.get_exp_config('movinet_grw_ucf101').task
  splits = (config.train_data, config.validation_data)
  for data in splits:
    data.override(
      {
        'feature_shape': (FRAMES, SIZE, SIZE, 3),
        'min_image_size': SIZE,
        'global_batch_size': 2,
        'shuffle_buffer_size': 2,
      }
    )
  task = task_factory.get_task(config)
  with tfds.testing.mock_data(
    num_examples=4, policy=tfds.testing.MockPolicy.USE_CODE
  ):
    for data in splits:
      features, labels = next(iter(task.build_inputs(data)))
      assert features['image'].shape == (2, FRAMES, SIZE, SIZE, 3)
      np.testing.assert_array_equal(np.sum(labels, axis=-1), [1, 1])
      assert labels.shape[1] == 101
