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

"""Video classification with GRW-smoothing: what differs from the stock task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from official.core import task_factory
from official.modeling import tf_utils
from official.vision.tasks import video_classification
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.checkpoints import initialization
from official_ext.grw.configs import label_groups
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import video_input
from official_ext.grw.files import screen
from official_ext.grw.losses import loss_term

# Of a validation step, beside the loss.
PROBABILITIES = 'probabilities'
EARLY_CLASSES = 'early_classes'
# After how many numbers of frames, at most, a stream's answers are looked at.
_EARLY_PLACES = 16
# Measured in every step beside the accuracies, under the names of
# losses.SmoothingTerms.
_SMOOTHING_MEANS = ('order_loss', 'speed_loss', 'order_accuracy')
_METRIC_CLASSES = {
  'cross_entropy': loss_term.LossTerm,
  'order_loss': loss_term.LossTerm,
  'speed_loss': loss_term.LossTerm,
  'order_accuracy': tf_keras.metrics.Mean,
  'acceleration_over_speed': tf_keras.metrics.Mean,
  'clips_without_window': tf_keras.metrics.Sum,
  feature_names.CUTS: tf_keras.metrics.Mean,
  feature_names.BAD_RECORDS: tf_keras.metrics.Sum,
  feature_names.SHORT_CLIPS: tf_keras.metrics.Sum,
}


@task_factory.register_task_cls(schema.GrwTask)
class GrwVideoClassificationTask(video_classification.VideoClassificationTask):
  """The stock task, with these differences.

  *   Data: augmentation that can be switched off, labels that are checked,
      bad records that are named or counted (`datasets.video_input`).
  *   Frames repeated to fill a clip take part in neither loss nor head, or
      with `short_clips` 'loop' in the head alone.
  *   Views of a video are averaged as probabilities or as logits.
  *   Logs: the classification loss, both smoothing terms, the share of windows
      whose true order is the likeliest, mean acceleration over mean speed, how
      many clips no window fits into, and how many cuts a clip has.
  *   `init_checkpoint`: whatever layout the weights were published in.
  *   `model.head.per_frame`: a label and an answer for each frame.
  *   `label_groups`: a label and a cross entropy of each group of classes.
  *   `class_weights`: the loss of classes with few clips can weigh more.
  *   `num_subclips`: training with the stream buffer (`modeling.subclips`), and
      with `subclip_predictions` a loss for each subclip.
  """

  def __init__(self, params: schema.GrwTask, **kwargs):
    params.validate()
    super().__init__(params, **kwargs)
    self._early_counts: Sequence[int] = ()

  def build_model(self) -> tf_keras.Model:
    """The stock builder; weights are drawn from `seed`, if one is given."""
    if self.task_config.seed is not None:
      tf_keras.utils.set_random_seed(self.task_config.seed)
    model = super().build_model()
    if self.task_config.num_subclips > 1:
      model.train_in_subclips(
        self.task_config.num_subclips, self.task_config.subclip_predictions
      )
    return model

  @property
  def has_initial_weights(self) -> bool:
    """Whether `initialize` loads weights."""
    return bool(self.task_config.init_checkpoint)

  def check_training(self):
    """Raises ValueError where a task is for evaluation alone."""

  @property
  def measures_smoothing(self) -> bool:
    """Whether a step measures the smoothing terms."""
    return self.task_config.model.smoothing.placement != 'none'

  @property
  def _cut_threshold(self) -> float | None:
    """The content score of a cut; None where nobody asks for cuts."""
    if not self.measures_smoothing:
      return None
    return self.task_config.model.smoothing.cuts

  @property
  def early_counts(self) -> Sequence[int]:
    """After how many frames validation steps also say what a stream says."""
    return self._early_counts

  def look_at_early_answers(self):
    """Lets validation steps say what a stream says before the clip has ended.

    Of models that stream and answer for clips, for one label and one view a
    clip; else nothing.
    """
    data = self.task_config.validation_data
    views = data.num_test_clips * data.num_test_crops
    if not self.streams or self.per_frame or data.is_multilabel or views > 1:
      return
    if self.groups:
      return
    frames = data.feature_shape[0]
    places = np.linspace(1, frames, min(frames, _EARLY_PLACES))
    self._early_counts = np.unique(np.round(places).astype(int)).tolist()

  @property
  def streams(self) -> bool:
    """Whether the backbone can take its video frame by frame."""
    try:
      families.with_states(self.task_config.model.backbone)
    except ValueError:
      return False
    return True

  def initialize(self, model: tf_keras.Model):
    """Loads `init_checkpoint`, if one is given, and says what it was."""
    if self.task_config.init_checkpoint:
      report = initialization.initialize(
        model,
        self.task_config.init_checkpoint,
        self.task_config.init_checkpoint_modules,
        self.task_config.init_checkpoint_gating_activation,
      )
      screen.tell(str(report))
    else:
      screen.tell(
        'task.init_checkpoint is not set: all weights start at random.'
      )

  def build_inputs(
    self,
    params: schema.DataConfig,
    input_context: tf.distribute.InputContext | None = None,
  ) -> tf.data.Dataset:
    """Batches of (features, labels); see `video_input.build_video_dataset`."""
    return video_input.build_video_dataset(
      params, input_context, self._cut_threshold
    )

  def build_losses(
    self, labels: Any, model_outputs: Any, aux_losses: Any = None
  ) -> dict[str, Any]:
    """The stock losses; not a number where an output is not finite.

    The stock cross entropy clips probabilities, and makes a finite loss of
    logits that are not numbers.  Of several labels a clip the stock loss has an
    entry a clip, whose gradient is their sum; here it is their mean, as of one
    label.  Of outputs [batch, n, classes], those after each of n subclips, the
    loss is the mean of theirs.
    """
    if self.per_frame:
      labels, model_outputs, labeled = self._by_frame(labels, model_outputs)
    elif model_outputs.shape.rank == 3:
      labels = tf.repeat(labels, model_outputs.shape[1], axis=0)
      model_outputs = tf.reshape(model_outputs, [-1, model_outputs.shape[-1]])
    losses = super().build_losses(labels, model_outputs, aux_losses)
    if self.per_frame:
      entropy = self._frame_entropy(labels, model_outputs, labeled)
      losses[self.loss] += entropy - losses['class_loss']
      losses['class_loss'] = entropy
    if self.groups:
      entropy = self._group_entropy(labels, model_outputs)
      losses[self.loss] += entropy - losses['class_loss']
      losses['class_loss'] = entropy
    if self.task_config.class_weights is not None:
      weighted = self._weighted_entropy(labels, model_outputs)
      losses[self.loss] += weighted - losses['class_loss']
      losses['class_loss'] = weighted
    finite = tf.reduce_all(tf.math.is_finite(model_outputs))
    for name in (self.loss, 'class_loss'):
      losses[name] = tf.where(
        finite, tf_utils.safe_mean(losses[name]), float('nan')
      )
    return losses

  @property
  def groups(self) -> list[label_groups.LabelGroup]:
    """The groups of classes of each of which a clip has one label; or none."""
    data = self.task_config.validation_data
    return label_groups.read(data.label_groups, data.num_classes)

  def _group_probabilities(self, values: tf.Tensor) -> list[tf.Tensor]:
    """[batch, classes] of probabilities, but for a factor, to one a group."""
    parts = (values[..., group.part] for group in self.groups)
    return [part / tf.reduce_sum(part, -1, keepdims=True) for part in parts]

  def _group_entropy(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Mean over clips of the sum of the groups' cross entropies.

    Args:
      labels: [batch, classes], with a 1 in each group.
      outputs: [batch, classes], see `_group_probabilities`.
    """
    smoothing = self.task_config.losses.label_smoothing
    return tf.add_n(
      [
        tf_utils.safe_mean(
          tf_keras.losses.categorical_crossentropy(
            labels[:, group.part], part, label_smoothing=smoothing
          )
        )
        for group, part in zip(self.groups, self._group_probabilities(outputs))
      ]
    )

  @property
  def per_frame(self) -> bool:
    """Whether each frame has an answer and a label."""
    head = getattr(self.task_config.model, 'head', None)
    return head is not None and head.per_frame

  def _by_frame(
    self, labels: tf.Tensor, outputs: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Frames in place of clips, as the stock losses and metrics take them.

    Args:
      labels: [batch, N], or [batch, N, classes] if vectors.
      outputs: [batch, N, classes].

    Returns:
      Labels [batch · N] or [batch · N, classes], of frames without one of any
      class; outputs [batch · N, classes]; and float32 [batch · N], 1 for frames
      with a label and 0 for others.
    """
    outputs = tf.reshape(outputs, [-1, outputs.shape[-1]])
    if self.task_config.losses.one_hot:
      labels = tf.reshape(labels, tf.shape(outputs))
      return labels, outputs, tf.reduce_sum(tf.cast(labels, tf.float32), -1)
    labels = tf.reshape(labels, [-1])
    labeled = tf.cast(labels >= 0, tf.float32)
    return tf.maximum(labels, 0), outputs, labeled

  def _frame_entropy(
    self, labels: tf.Tensor, probabilities: tf.Tensor, labeled: tf.Tensor
  ) -> tf.Tensor:
    """Mean over frames with a label of their cross entropy; see `_by_frame`."""
    losses = self.task_config.losses
    if losses.one_hot:
      entropy = tf_keras.losses.categorical_crossentropy(
        labels, probabilities, label_smoothing=losses.label_smoothing
      )
    else:
      entropy = tf_keras.losses.sparse_categorical_crossentropy(
        labels, probabilities
      )
    return tf.math.divide_no_nan(
      tf.reduce_sum(labeled * entropy), tf.reduce_sum(labeled)
    )

  def _weighted_entropy(
    self, labels: tf.Tensor, probabilities: tf.Tensor
  ) -> tf.Tensor:
    """Mean over clips of cross entropy times the weight of the clip's class."""
    config = self.task_config
    vectors = (
      labels
      if config.losses.one_hot
      else tf.one_hot(
        tf.cast(tf.reshape(labels, [-1]), tf.int32),
        config.train_data.num_classes,
      )
    )
    entropy = tf_keras.losses.categorical_crossentropy(
      vectors, probabilities, label_smoothing=config.losses.label_smoothing
    )
    # Of a mixture of clips, the mixture of their weights.
    weights = tf.linalg.matvec(
      tf.cast(vectors, entropy.dtype),
      tf.constant(config.class_weights, entropy.dtype),
    )
    return tf_utils.safe_mean(weights * entropy)

  def inference_step(self, features, model):
    """Probabilities [batch, classes] of videos, from all of their views.

    Of a head with `per_frame`, [batch, N, classes] of frames.

    Args:
      features: the features of a batch.  Views of a video follow one another.
      model: gives logits [batch · views, classes].
    """
    data = self.task_config.validation_data
    logits = tf.cast(model(features, training=False), tf.float32)
    activation = tf.sigmoid if data.is_multilabel else tf.nn.softmax
    if self.groups:
      activation = self._group_softmax

    if self.per_frame:
      return tf.nn.softmax(logits)

    def mean_over_views(values):
      views = data.num_test_clips * data.num_test_crops
      return tf.reduce_mean(
        tf.reshape(values, [-1, views, data.num_classes]), axis=1
      )

    if data.view_average == 'logits':
      return activation(mean_over_views(logits))
    return mean_over_views(activation(logits))

  def _group_softmax(self, logits: tf.Tensor) -> tf.Tensor:
    """Probabilities [batch, classes] that sum to 1 in each group."""
    parts = [tf.nn.softmax(logits[..., group.part]) for group in self.groups]
    return tf.concat(parts, axis=-1)

  def build_metrics(self, training: bool = True) -> list[Any]:
    """The stock accuracies, then the measures of this task.

    Of groups of classes, the stock names are those of clips of which the labels
    of all groups are right, and each group has its own.
    """
    metrics = super().build_metrics(training)
    if self.groups:
      names = [metric.name for metric in metrics]
      names += [
        f'{group.name}_top_{k}_accuracy'
        for group in self.groups
        for k in (1, 5)
      ]
      metrics = [tf_keras.metrics.Mean(name) for name in names]
    names = ['cross_entropy']
    if self.measures_smoothing:
      names += [
        *_SMOOTHING_MEANS,
        'acceleration_over_speed',
        'clips_without_window',
      ]
    if self._cut_threshold is not None:
      names.append(feature_names.CUTS)
    data = (
      self.task_config.train_data
      if training
      else self.task_config.validation_data
    )
    if data.on_bad_record == 'skip':
      names.append(feature_names.BAD_RECORDS)
    if data.short_clips == 'drop':
      names.append(feature_names.SHORT_CLIPS)
    return metrics + [_METRIC_CLASSES[name](name) for name in names]

  def process_metrics(
    self, metrics: list[Any], labels: Any, model_outputs: Any
  ):
    """Updates the accuracies; the measures have no label and no prediction.

    Of several subclips the last one's prediction counts, that of the clip.
    """
    accuracies = [
      metric for metric in metrics if metric.name not in _METRIC_CLASSES
    ]
    if self.groups:
      found = self._group_accuracies(labels, model_outputs)
      for metric in accuracies:
        metric.update_state(found[metric.name])
      return
    if not self.per_frame:
      if model_outputs.shape.rank == 3:
        model_outputs = model_outputs[:, -1]
      super().process_metrics(accuracies, labels, model_outputs)
      return
    labels, model_outputs, labeled = self._by_frame(labels, model_outputs)
    for metric in accuracies:
      metric.update_state(labels, model_outputs, sample_weight=labeled)

  def _group_accuracies(
    self, labels: tf.Tensor, outputs: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Whether each clip is right, float32 [batch], by the name of the measure.

    A choice of one class of each group has the product of their probabilities.

    Args:
      labels: [batch, classes], with a 1 in each group.
      outputs: [batch, classes], see `_group_probabilities`.
    """

    def among(scores, true, k):
      """Whether fewer than k of [batch, choices] beat the true one."""
      better = tf.reduce_sum(tf.cast(scores > true, tf.int32), axis=-1)
      return tf.cast(better < k, tf.float32)

    found = {}
    scores = tf.ones([tf.shape(outputs)[0], 1])
    true = tf.ones([tf.shape(outputs)[0], 1])
    parts = self._group_probabilities(outputs)
    for group, part in zip(self.groups, parts):
      of_true = tf.reduce_sum(
        part * labels[:, group.part], axis=-1, keepdims=True
      )
      for k in (1, 5):
        found[f'{group.name}_top_{k}_accuracy'] = among(part, of_true, k)
      choices = scores[:, :, tf.newaxis] * part[:, tf.newaxis]
      scores = tf.reshape(choices, [tf.shape(part)[0], -1])
      true *= of_true
    for name, k in (
      ('accuracy', 1),
      ('top_1_accuracy', 1),
      ('top_5_accuracy', 5),
    ):
      found[name] = among(scores, true, k)
    return found

  def reduce_aggregated_logs(self, aggregated_logs, global_step=None):
    """What the trainer measured of all predictions at once is logged."""
    return dict(aggregated_logs)

  def train_step(self, inputs, model, optimizer, metrics=None):
    """The stock step; λ · L_smooth is among `model.losses`."""
    features, labels = _split_features(inputs, self.task_config.train_data)
    logs = super().train_step(
      (features, labels),
      _OfGroups(model, self.groups) if self.groups else model,
      optimizer,
      metrics,
    )
    _measure(metrics, model, inputs, logs)
    return logs

  def validation_step(self, inputs, model, metrics=None):
    """The stock step, with the measures.

    The last batch of a finite dataset may leave a replica without clips; it
    measures nothing.

    Returns:
      The loss alone, 0 where there were no clips; `PROBABILITIES` [batch,
      classes], means over the views of a clip; and with `early_counts`
      `EARLY_CLASSES` [batch, counts] int32, the likeliest class after so many
      frames.
    """
    data = self.task_config.validation_data
    features, labels = _split_features(inputs, data)
    strategy = tf.distribute.get_strategy()
    partition = self.task_config.eval_input_partition_dims
    if partition:
      features['image'] = strategy.experimental_split_to_logical_devices(
        features['image'], partition
      )

    def evaluate():
      # Not the stock step, which reads metrics: replicas would have to meet,
      # and cannot inside a condition.
      outputs = self.inference_step(features, model)
      losses = self.build_losses(labels, outputs, model.losses)
      self.process_metrics(metrics or [], labels, outputs)
      _measure(metrics, model, inputs, losses)
      logs = {self.loss: losses[self.loss], PROBABILITIES: outputs}
      if self.early_counts:
        answers = [
          tf.argmax(model.logits_after(count), -1, output_type=tf.int32)
          for count in self.early_counts
        ]
        logs[EARLY_CLASSES] = tf.stack(answers, axis=1)
      return logs

    if strategy.num_replicas_in_sync == 1 or partition:
      return evaluate()
    frames = data.feature_shape[:1] if self.per_frame else []
    shape = [0, *frames, data.num_classes]
    nothing = {self.loss: 0.0, PROBABILITIES: tf.zeros(shape)}
    if self.early_counts:
      nothing[EARLY_CLASSES] = tf.zeros([0, len(self.early_counts)], tf.int32)
    return tf.cond(tf.shape(labels)[0] > 0, evaluate, lambda: nothing)


class _OfGroups:
  """A model whose logits the stock step may put through one softmax.

  It gives the logarithms of the groups' probabilities: the softmax of all of
  them is each probability over the number of groups, however far apart the
  logits of two groups are.
  """

  def __init__(
    self, model: tf_keras.Model, groups: Sequence[label_groups.LabelGroup]
  ):
    self._model = model
    self._groups = groups

  def __call__(self, features, training=None):
    logits = tf.cast(self._model(features, training=training), tf.float32)
    parts = [
      tf.nn.log_softmax(logits[..., group.part]) for group in self._groups
    ]
    return tf.concat(parts, axis=-1)

  def __getattr__(self, name):
    return getattr(self._model, name)


def _split_features(inputs, data: schema.DataConfig):
  """What the model takes of a batch: the rest is for us."""
  features, labels = inputs
  taken = {
    name: features[name]
    for name in ('image', feature_names.NUM_FRAMES, feature_names.CUTS)
    if name in features
  }
  if data.short_clips == 'loop':
    clips, frames, *_ = tf.unstack(tf.shape(features['image']))
    taken[feature_names.HEAD_FRAMES] = tf.fill([clips], frames)
  return taken, labels


def _measure(metrics, model, inputs, logs):
  """Updates the measures from the step that has just been run."""
  if not metrics:
    return
  clips = tf.cast(tf.shape(inputs[1])[0], tf.float32)
  metrics = {metric.name: metric for metric in metrics}
  # Not under its name in `logs`, which the stock step overwrites with results
  # of metrics.
  metrics['cross_entropy'].update_state(logs['class_loss'], sample_weight=clips)
  for name in (feature_names.BAD_RECORDS, feature_names.SHORT_CLIPS):
    # A batch that is not of our pipeline has not been counted.
    if name in metrics and name in inputs[0]:
      metrics[name].update_state(inputs[0][name])
  if model.smoothing is not None:
    terms = model.smoothing.terms
    windows = terms.num_windows
    for name in _SMOOTHING_MEANS:
      metrics[name].update_state(getattr(terms, name), sample_weight=windows)
    # Weighted by speed, so that the mean over steps is a ratio of means.
    metrics['acceleration_over_speed'].update_state(
      tf.math.divide_no_nan(terms.mean_acceleration, terms.mean_speed),
      sample_weight=windows * terms.mean_speed,
    )
    metrics['clips_without_window'].update_state(
      model.smoothing.clips_without_window
    )
  if feature_names.CUTS in metrics and feature_names.CUTS in inputs[0]:
    cuts = tf.cast(inputs[0][feature_names.CUTS], tf.float32)
    metrics[feature_names.CUTS].update_state(tf.reduce_sum(cuts, axis=-1))
