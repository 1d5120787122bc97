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

"""The fields of an experiment with GRW-smoothed video classification.

Defaults are those of Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 4,
unless a comment says otherwise.  Everything can be overridden by YAML and
`--params_override`; `GrwExperimentConfig.validate` fills in what was left to
the dataset (`completion`) and rejects what cannot work before anything is built
(`checks`).
"""

import dataclasses
from typing import Annotated, Literal

from official.core import config_definitions as cfg
from official.modeling import hyperparams
from official.vision.configs import common
from official.vision.configs import video_classification

from official_ext.grw.backbones import config as backbone_config
from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import backbone_checks
from official_ext.grw.configs import checks
from official_ext.grw.configs import completion
from official_ext.grw.configs import description
from official_ext.grw.configs import windows
from official_ext.grw.heads import config as head_config
from official_ext.grw.optimization import config as optimization


@dataclasses.dataclass
class Smoothing(hyperparams.Config):
  """GRW-smoothing of frame embeddings.

  Attributes:
    placement: 'final' smooths a linear map of the backbone's last features,
      which the head then reads; 'intermediate' smooths the features of
      `endpoint`, normalized, beside the head's own path;
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
    seed: the seed of the sample, and of random offsets.
    phase: where the windows of a training clip begin: 'fixed' at every T-th
      frame from the first on, as in the paper; 'random', the same from an
      offset on that is drawn for each step; 'overlapping', at every frame, so
      that there are no seams between windows.  The expected loss of 'random'
      is the loss of 'overlapping' (`losses.grw_smoothing`).  Evaluation
      measures fixed windows.
    cuts: the content score from which a frame begins another shot than the one
      before it, on a scale of 255 (`datasets.shot_boundaries`), 27 for example;
      null looks for none.  Windows begin anew at a cut, and none spans one, in
      training and evaluation.
    window_range: [shortest, longest], the frames of a window in training, of
      which each clip gets the windows that suit its motion
      (`losses.adaptive_windows`); `window` is among them, sets the scale of the
      loss, and is what evaluation measures.  null: all have `window` frames.
  """

  placement: Literal['final', 'intermediate', 'none'] = 'final'
  endpoint: str = ''
  window: int = 5
  alpha: float = 0.5
  weight: float = 0.1
  sampled: bool = False
  num_orderings: int = 1000
  seed: int = 0
  phase: Literal['fixed', 'random', 'overlapping'] = 'fixed'
  cuts: float | None = None
  window_range: list[int] | None = None


@dataclasses.dataclass
class NormActivation(common.NormActivation):
  """Batch norm of a backbone.

  Attributes:
    activation: the activation of a backbone that has none of its own to
      configure.
  """

  activation: str | None = None
  norm_momentum: float = 0.99
  norm_epsilon: float = 1e-3
  use_sync_bn: bool = True


@dataclasses.dataclass
class GrwModel(video_classification.VideoClassificationModel):
  """A video backbone, GRW-smoothing and a head.

  Attributes:
    backbone: any registered 3D backbone that keeps one feature map a frame.
    smoothing: where and how embeddings are smoothed.
    head: what classifies them.
    dropout_rate: before the last dense layer.
    norm_activation: batch norm of the backbone.
    video_operations: how the backbone's 3D layers are computed: by operations
      on single 'frames', which CPUs are many times faster at, or on 'volumes',
      as accelerators are; 'auto' does what suits the device that trains.  The
      function and the weights are the same.
  """

  model_type: str = 'grw'
  backbone: backbone_config.Backbone3D = dataclasses.field(
    default_factory=lambda: movinet_config.published('a0', stream=True)
  )
  norm_activation: NormActivation = dataclasses.field(
    default_factory=NormActivation
  )
  smoothing: Smoothing = dataclasses.field(default_factory=Smoothing)
  head: head_config.Head = dataclasses.field(default_factory=head_config.Head)
  video_operations: Literal['auto', 'frames', 'volumes'] = 'auto'


@dataclasses.dataclass
class DataConfig(video_classification.DataConfig):
  """The Model Garden's video data, with the switches it lacks.

  Attributes:
    feature_shape: the shape of a clip.
    augment: False trains on clips prepared as in evaluation: shorter side to
      `min_image_size`, center crop, no flip.
    random_flip: mirror half of the clips, when `augment`.
    random_offset: training clips start at a random frame; otherwise where
      `clip_start` says, as in evaluation.
    sampling: which frames of a video make a clip of N: 'dense', those that
      follow one another, `temporal_stride` apart; or 'segments' (temporal
      segment networks, TSN), one of each of N equal segments of the whole
      video: a random one in training, if `random_offset`, else the middle one;
      with several `num_test_clips` the middles of as many equal parts of each
      segment.  Such clips have no frame rate.
    resize: how frames that are not augmented come to `min_image_size` before
      their center is cropped: 'keep_aspect' resizes the shorter side to it, as
      stock; 'square' both sides, whatever the aspect ratio, which is how the
      published GRW models were evaluated.  Both bilinear.
    antialias: whether that resize averages over more pixels where it makes
      frames smaller, as torchvision does by default and as the published GRW
      models were evaluated; stock does not.
    clip_start: where a clip of a longer video is taken in evaluation, if
      `num_test_clips` is 1: from the 'middle', as stock, or from its 'start',
      as the published GRW models were evaluated.
    short_clips: what becomes of videos with fewer frames than a clip: 'repeat'
      begins again with their first frame, as stock, and what is repeated takes
      part in neither head nor loss; 'loop' begins again too, and the head sees
      what is repeated, as MoViNet was evaluated on Something-Something V2
      (arXiv 2103.11511, Table 14); 'drop' leaves them out and counts them, as
      the published GRW models were trained and evaluated.
    view_average: what is averaged over the views of a video, `num_test_clips`
      times `num_test_crops`: 'probabilities', as stock, or 'logits'.
    frames_per_second: the rate of the clips the model sees, after
      `temporal_stride`; for whoever feeds an exported model.  Checked against
      the records if `task.dataset_info` is read; null does not say.
    on_bad_record: 'error' stops with the file and the record; 'skip' drops
      and counts.
    frame_label_field_key: what records call the list of the classes of their
      frames; '' reads none.  With `task.model.head.per_frame` it is
      'clip/label/frames' unless set.
    label_groups: where a clip has one label of each of some groups of classes,
      the groups in the order of the classes, such as ['verb:97', 'noun:300']:
      records then have an index of each group, and the loss is the sum of the
      groups' cross entropies.  null: a clip has one label, or with
      `is_multilabel` several.
  """

  feature_shape: Annotated[
    tuple[int, int, int, int], 'frames, height, width, channels'
  ] = (64, 224, 224, 3)
  augment: bool = True
  random_flip: bool = True
  random_offset: bool = True
  resize: Literal['keep_aspect', 'square'] = 'keep_aspect'
  antialias: bool = False
  clip_start: Literal['middle', 'start'] = 'middle'
  sampling: Literal['dense', 'segments'] = 'dense'
  short_clips: str = 'repeat'
  view_average: str = 'probabilities'
  frames_per_second: float | None = None
  on_bad_record: Literal['error', 'skip'] = 'error'
  frame_label_field_key: str = ''
  label_groups: list[str] | None = None


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
    init_checkpoint_modules: what is taken of `init_checkpoint`: 'backbone',
      'all', or 'all_but_classifier': all but the last dense layer, which is of
      other classes; a head that the file does not have stays initial.
    labels: path of a text file with the texts of the labels, one a line.
    init_checkpoint_gating_activation: the gate that the streaming MoViNet of
      `init_checkpoint` was trained with, 'grw>hard_sigmoid' or 'hard_sigmoid',
      where neither the weights nor what is beside them tells.
    class_weights: what the cross entropy of a clip is multiplied by, a number a
      class, where classes have unlike numbers of clips; 'balanced' makes each
      class count the same, by the clips that `dataset_info` counts, and clips
      weigh 1 on average.  In evaluation `validation_loss` is weighted too, and
      no accuracy.
    seed: the seed of weight initialization, dropout and stochastic depth; null
      draws another each time.  The order of the data has `train_data.seed`.
    num_subclips: n parts of equal length in which a training clip goes through
      the backbone, with stream states but no gradient from one to the next, so
      that memory follows N / n frames (MoViNet, Section 3.2.2).  A part holds
      whole windows of the smoothing, whose phase is 'fixed' and which neither
      `cuts` nor `window_range` move.
    subclip_predictions: whether in training each of these parts ends with a
      prediction, from all frames so far, and the loss is the mean of theirs
      (`modeling.subclips`), as in MoViNet.  Otherwise there is one prediction,
      of the whole clip, as there is with one part.
  """

  dataset_info: str = ''
  labels: str = ''
  init_checkpoint_gating_activation: str = ''
  class_weights: list[float] | Literal['balanced'] | None = None
  seed: int | None = None
  num_subclips: int = 1
  subclip_predictions: bool = False
  init_checkpoint_modules: Literal['backbone', 'all_but_classifier', 'all'] = (
    'all'
  )
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
    description.require_types(self)
    checks.validate_task(self)
    backbone_checks.validate_task(self)


@dataclasses.dataclass
class RuntimeConfig(cfg.RuntimeConfig):
  """The Model Garden's, which takes the GPUs that there are.

  Attributes:
    distribution_strategy: how replicas train together; 'mirrored' on one
      machine, with one GPU or many.
    num_gpus: the first so many train; −1, all that there are, and where there
      is none, the CPU; 0, the CPU.
    mixed_precision_dtype: the type of the computation of all but the loss; null
      is float32.
  """

  distribution_strategy: Literal[
    'mirrored', 'one_device', 'multi_worker_mirrored', 'tpu', 'off'
  ] = 'mirrored'
  num_gpus: int = -1
  mixed_precision_dtype: Literal['float32', 'float16', 'bfloat16'] | None = None


@dataclasses.dataclass
class GrwExperimentConfig(cfg.ExperimentConfig):
  """An experiment whose values are completed and checked before it is built."""

  task: GrwTask = dataclasses.field(default_factory=GrwTask)
  trainer: optimization.TrainerConfig = dataclasses.field(
    default_factory=optimization.TrainerConfig
  )
  runtime: RuntimeConfig = dataclasses.field(default_factory=RuntimeConfig)

  def validate(self):
    """Sets what is unset, and checks all that needs neither model nor data.

    What was set stays.  Then nothing is unset, and the same again changes
    nothing and reads no dataset.json.

    Raises:
      ValueError: names the field, its value, what was expected and what to do.
    """
    description.require_types(self)
    completion.complete(self)
    super().validate()
    self.task.validate()
    checks.validate_experiment(self)
    optimizer = self.trainer.optimizer_config.optimizer
    if optimizer.type == 'two_rate_adamw':
      optimizer.two_rate_adamw.validate()
    if isinstance(self.task.model, GrwModel):
      windows.log(self.task)
