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

"""What a configured model costs: parameters, multiply-adds, time and memory."""

from collections.abc import Mapping, Sequence
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

from official.core import config_definitions as cfg
from official.vision.modeling import factory_3d
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import grw_model
from official_ext.grw.modeling import streaming
from official_ext.grw.reports import inference_process
from official_ext.grw.reports import multiply_adds
from official_ext.grw.serving import export
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite


class Counts(NamedTuple):
  """Parameters of a model, and multiply-adds of one video.

  Attributes:
    parameters: trainable ones.
    backbone_parameters: those of them before the embedding and the head.
    clip: multiply-adds of a clip of N frames at once.
    clip_backbone: those of them before the embedding and the head.
    frame: multiply-adds of a frame of a stream up to its embedding; None where
      the model cannot stream.  Of an ensemble, whose members take turns, the
      members' mean.
    head: multiply-adds of one run of a stream's head, or of the members' mean.
    classify_every: at each how many frames an exported stream runs its head.
    heads: how many a stream has.
  """

  parameters: int
  backbone_parameters: int
  clip: int
  clip_backbone: int
  frame: int | None = None
  head: int | None = None
  classify_every: int | None = None
  heads: int = 1

  def stream(self, num_frames: int, classify_every: int | None) -> int | None:
    """Multiply-adds of a video frame by frame; None cannot stream.

    Args:
      num_frames: the frames of the video.
      classify_every: a head runs at the first frame it sees and once in so many
        frames of the video; None runs each once, at the end.
    """
    if self.frame is None or self.head is None:
      return None
    runs = 1
    if classify_every is not None:
      every = max(classify_every // self.heads, 1)
      runs = num_frames // self.heads // every + (every > 1)
    return num_frames * self.frame + self.heads * runs * self.head


class Measured(NamedTuple):
  """Time on one thread of this machine, and memory.

  Attributes:
    clip_milliseconds: the time of a clip in TensorFlow.
    clip_mebibytes: peak above what the imports take.
    frame_milliseconds: the time of a frame of a stream in LiteRT, with the head
      at each `classify_every`-th; None where the model cannot stream.
    frame_mebibytes: peak above what the imports take.
  """

  clip_milliseconds: float
  clip_mebibytes: float
  frame_milliseconds: float | None = None
  frame_mebibytes: float | None = None


def _can_stream(params: cfg.ExperimentConfig) -> bool:
  try:
    ensemble_cfg.require_streams(params.task.model)
    for model in ensemble_cfg.classifiers(params.task.model):
      families.with_states(model.backbone)
  except ValueError:
    return False
  return True


def build(params: cfg.ExperimentConfig) -> tf_keras.Model:
  """The model of an experiment, with random weights.

  Raises:
    ValueError: it cannot be built.
  """
  shape = (
    [None] * 4 + [3]
    if _can_stream(params)
    else [None, *params.task.validation_data.feature_shape]
  )
  return factory_3d.build_model(
    params.task.model.model_type,
    tf_keras.layers.InputSpec(shape=shape),
    params.task.model,
    params.task.train_data.num_classes,
  )


def _classify(model: tf_keras.Model, image: tf.Tensor) -> tf.Tensor:
  inputs = {'image': image} if isinstance(model.input, Mapping) else image
  return model(inputs, training=False)


def _parameters(model: tf_keras.Model) -> int:
  return sum(
    variable.shape.num_elements() for variable in model.trainable_variables
  )


def count(model: tf_keras.Model, params: cfg.ExperimentConfig) -> Counts:
  """Counts of a model of `build`, for one clip of its validation data.

  Raises:
    ValueError: its graph has an operation that cannot be counted.
  """
  shape = params.task.validation_data.feature_shape
  members = (
    model.members if isinstance(model, ensemble.TemporalEnsemble) else [model]
  )
  parts = [
    member.backbone
    for member in members
    if isinstance(member, grw_model.GrwClassifier)
  ]
  products = multiply_adds.products(
    lambda image: _classify(model, image), tf.TensorSpec([1, *shape])
  )
  in_backbone = [
    product
    for product in products
    if any(f'/{part.name}/' in f'/{product.name}' for part in parts)
  ]
  counts = Counts(
    _parameters(model),
    sum(_parameters(part) for part in parts),
    multiply_adds.total(products),
    multiply_adds.total(in_backbone),
  )
  if not _can_stream(params):
    return counts
  frames, heads = zip(
    *(_stream_counts(member, shape, len(members)) for member in members)
  )
  return counts._replace(
    frame=sum(frames) // len(members),
    head=sum(heads) // len(members),
    heads=len(members),
    classify_every=tflite.default_classify_every(
      params.task.model, params.task.validation_data.feature_shape[0]
    ),
  )


def _stream_counts(
  model: grw_model.GrwClassifier, shape: Sequence[int], members: int
) -> tuple[int, int]:
  """Multiply-adds of a frame up to its embedding, and of a run of the head."""
  stream = streaming.StreamingClassifier(model, shape[0] // members)
  image_shape = (1, 1, *shape[1:])
  states = {
    name: tf.TensorSpec(spec.shape, spec.dtype)
    for name, spec in stream.initial_state_specs(image_shape).items()
  }
  of_backbone = {
    name: states.pop(name) for name in stream.backbone_state_specs(image_shape)
  }
  frame = multiply_adds.products(
    stream.encode, {'image': tf.TensorSpec(image_shape), **of_backbone}
  )
  head = multiply_adds.products(
    stream.decide, tf.TensorSpec([1, 1, stream.embedding_dim]), states
  )
  return multiply_adds.total(frame), multiply_adds.total(head)


def measure(
  model: tf_keras.Model, params: cfg.ExperimentConfig, repeats: int
) -> Measured:
  """Exports a model of `build` and runs it, in processes of their own.

  Args:
    model: to run.
    params: its experiment.
    repeats: timed clips, and timed streams of as many frames; fewer if they
      take longer than a minute.

  Raises:
    ValueError: it cannot be exported or run.
  """
  data = params.task.validation_data
  with tempfile.TemporaryDirectory() as folder:
    spec = tf.TensorSpec([1, *data.feature_shape], name='image')
    serve = tf.function(
      lambda image: {'logits': _classify(model, image)}, input_signature=[spec]
    )
    saved_model.save(
      tf.train.Checkpoint(), model.variables, folder, {'serving_default': serve}
    )
    clip = run_alone('clip', folder, repeats)
  measured = Measured(clip['milliseconds'], clip['mebibytes'])
  if not _can_stream(params):
    return measured
  with tempfile.TemporaryDirectory() as folder:
    tflite.export_stream(
      model,
      folder,
      data,
      export.example_clips(params),
      classify_every=tflite.default_classify_every(
        params.task.model, data.feature_shape[0]
      ),
    )
    frame = run_alone(
      'stream',
      f'{folder}/{tflite_stream.MODEL_FILE}',
      repeats,
      data.feature_shape[0],
    )
  return measured._replace(
    frame_milliseconds=frame['milliseconds'], frame_mebibytes=frame['mebibytes']
  )


def run_alone(*arguments) -> dict[str, float]:
  """Runs `inference_process` with arguments; returns what it prints.

  Raises:
    ValueError: the process failed.
  """
  program = str(pathlib.Path(inference_process.__file__))
  process = subprocess.run(
    [sys.executable, program, *map(str, arguments)],
    capture_output=True,
    text=True,
    check=False,
  )
  if process.returncode:
    # Killed for want of memory, it says nothing.
    last = (process.stderr.strip().splitlines() or ['no message'])[-1]
    raise ValueError(
      f'a {arguments[0]} could not be run: its process ended with '
      f'{process.returncode} ({last}).'
    )
  return json.loads(process.stdout)
