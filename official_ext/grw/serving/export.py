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

"""Exports a trained experiment with all that a client has to know of it."""

from collections.abc import Callable, Sequence
import os
from typing import Any

import numpy as np
from official.core import config_definitions as cfg
import tensorflow as tf

from official_ext.grw.backbones import families
from official_ext.grw.configs import continuing
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import labels as label_files
from official_ext.grw.heads import head_types
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import agreement
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import export_format
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tensor_table
from official_ext.grw.serving import tflite


def example_clips(
  params: cfg.ExperimentConfig, quantization: str = 'float32'
) -> np.ndarray:
  """Rendered clips of the model's length, [M, N, S, S, 3] uint8.

  One, or for weights in 8 bits those of three videos, one a class, of
  `agreement.NUM_FRAMES` in all or a little more.  S is what the model resizes
  to, or the least that is rendered.
  """
  data = params.task.validation_data
  num_frames = data.feature_shape[0]
  videos, clips = (
    (3, -(-agreement.NUM_FRAMES // (3 * num_frames)))
    if quantization in tflite.IN_8_BITS
    else (1, 1)
  )
  length = clips * num_frames
  config = airplanes.AirplanesConfig(
    num_frames=max(length, airplanes.MIN_FRAMES),
    image_size=max(data.min_image_size, airplanes.MIN_IMAGE_SIZE),
  )
  frames = np.concatenate(
    [
      airplanes.render_example(config, 'validation', number)['video'][:length]
      for number in range(videos)
    ]
  )
  return frames.reshape(videos * clips, num_frames, *frames.shape[1:])


# AutoGraph finds nothing to convert in layers, but takes seconds to look.
@tf.autograph.experimental.do_not_convert
def write_folder(
  params: cfg.ExperimentConfig,
  checkpoint: str,
  output_dir: str,
  labels: str | None,
  write: Callable[[saved_model.Model, str], saved_model.Written],
  **card,
) -> saved_model.Written:
  """Builds a model, has it written to a folder, and describes it there.

  Args:
    params, checkpoint, output_dir, labels: see `ExportFormat.write`.
    write: writes the model's files into a folder.
    **card: the fields of `ModelCard` that the experiment does not tell.

  Returns:
    What `write` returned.

  Raises:
    ValueError: the checkpoint or the labels do not fit, or `output_dir` is
      there already.
  """
  num_classes = params.task.validation_data.num_classes
  if checkpoint:
    continuing.require_as_trained(params.as_dict(), checkpoint)
  with export_folder.whole_folder(output_dir) as folder:
    texts = (
      label_files.read(labels, num_classes, '--labels')
      if labels
      else label_files.label_texts(params.task)
    )
    model = saved_model.build_trained_model(params, checkpoint)
    written = write(model, folder)
    files = {}
    for path, _, found in os.walk(folder):
      for name in found:
        path_of_file = os.path.join(path, name)
        files[os.path.relpath(path_of_file, folder)] = os.path.getsize(
          path_of_file
        )
    if tflite_stream.MODEL_FILE in files:
      card['tensors'] = tensor_table.read(
        os.path.join(folder, tflite_stream.MODEL_FILE)
      )
    model_card.write(
      model_card.describe(
        params,
        checkpoint,
        files=files,
        states={
          name: {'shape': list(spec.shape), 'dtype': str(spec.dtype)}
          for name, spec in written.states.items()
        },
        **card,
      ),
      texts,
      folder,
    )
  return written


def _require_one_of(name: str, value: str, choices: Sequence[str]):
  if value not in choices:
    raise ValueError(f'{name}={value!r}: expected one of {list(choices)}.')


def _require_streaming(params: cfg.ExperimentConfig):
  """Raises ValueError if a model cannot stream, before it is built."""
  ensemble_cfg.require_streams(params.task.model)
  for classifier in ensemble_cfg.classifiers(params.task.model):
    families.with_states(classifier.backbone)
  data = params.task.validation_data
  if data.sampling == 'segments':
    raise ValueError(
      "task.validation_data.sampling='segments': expected 'dense', as frames "
      'of a stream follow one another and segments are of a whole video. '
      'Export with --kind=clip.'
    )
  if data.feature_shape[0] < 2:
    raise ValueError(
      f'task.validation_data.feature_shape={tuple(data.feature_shape)}: '
      'expected at least 2 frames for a stream. Export with --kind=clip.'
    )


def _require_head_options(
  params: cfg.ExperimentConfig,
  classify_every: int,
  split_head: bool,
  signals: bool,
):
  """Raises ValueError for what heads of a stream cannot do, before it is built.

  Args:
    params, split_head, signals: as for `export_tflite`.
    classify_every: as there, but for None.
  """
  num_frames = params.task.validation_data.feature_shape[0]
  members = ensemble_cfg.classifiers(params.task.model)
  if split_head and len(members) > 1:
    raise ValueError(
      'split_head=True: expected False for an ensemble, which has two heads, '
      'and which is one file.'
    )
  if signals and len(members) > 1:
    raise ValueError(
      'signals=True: expected False for an ensemble, whose two members have '
      'embeddings of their own that no path leads through.'
    )
  if split_head and any(member.head.per_frame for member in members):
    raise ValueError(
      'split_head=True: expected False, as task.model.head.per_frame=True and '
      'the head goes on from the frames before.'
    )
  if classify_every == 1:
    return
  if any(
    head_types.of(member.head).in_steps(member.head) for member in members
  ):
    raise ValueError(
      f'classify_every={classify_every}: expected 1, as a causal head has to '
      'take every frame.'
    )
  if classify_every % len(members) or not 1 <= classify_every <= num_frames:
    raise ValueError(
      f'classify_every={classify_every}: expected 1 to the {num_frames} frames '
      'of a clip'
      + (
        ', and of an ensemble 1 or an even number.' if len(members) > 1 else '.'
      )
    )


def _require_clips(params: cfg.ExperimentConfig):
  """Raises ValueError if a model has no answer for a clip."""
  if any(
    member.head.per_frame
    for member in ensemble_cfg.classifiers(params.task.model)
  ):
    raise ValueError(
      "kind='clip': expected 'stream', because task.model.head.per_frame=True: "
      'each frame has an answer, and the clip none.'
    )


def card_input(
  data: schema.DataConfig, shape: Sequence[int | None], dtype: str
) -> dict[str, Any]:
  """What a card says of the input.

  Args:
    data: how the model was evaluated.
    shape: [batch, frames, height, width, 3], None for what is free.
    dtype: 'uint8' for whole video frames, or 'float32'.
  """
  least = -1.0 if data.zero_centering_image else 0.0
  return {
    'shape': [int(size) if size else None for size in shape],
    'dtype': dtype,
    'channels': 'RGB',
    'range': [0, 255] if dtype == 'uint8' else [least, 1.0],
  }


def export_saved_model(
  params: cfg.ExperimentConfig,
  checkpoint: str,
  output_dir: str,
  kind: str = 'clip',
  input_type: str = 'float32',
  labels: str | None = None,
) -> saved_model.Written:
  """Writes a SavedModel, its card and its labels.

  Args:
    params: the experiment the weights were trained by.
    checkpoint: see `saved_model.build_trained_model`.
    output_dir: a folder that is not there yet; it appears complete or not at
      all.
    kind: 'clip' or 'stream', see `saved_model.export_clip_model` and
      `saved_model.export_stream_model`.
    input_type: 'float32' or 'uint8', see there.
    labels: file of class names, a line each; by default those of the task, see
      `labels.label_texts`.

  Returns:
    What it came to: the largest difference to the model among it.

  Raises:
    ValueError: the checkpoint, the labels or the model do not fit.
  """
  _require_one_of('kind', kind, export_format.KINDS)
  _require_one_of('input_type', input_type, saved_model.INPUT_TYPES)
  if kind == 'stream':
    _require_streaming(params)
  else:
    _require_clips(params)
  write = (
    saved_model.export_stream_model
    if kind == 'stream'
    else saved_model.export_clip_model
  )
  data = params.task.validation_data
  return write_folder(
    params,
    checkpoint,
    output_dir,
    labels,
    lambda model, folder: write(
      model, folder, data, example_clips(params), input_type
    ),
    kind=kind,
    format='saved_model',
    quantization='float32',
    classify_every=1,
    input=card_input(data, [None] * 4 + [3], input_type),
  )


def export_tflite(
  params: cfg.ExperimentConfig,
  checkpoint: str,
  output_dir: str,
  quantization: str = 'float32',
  classify_every: int | None = None,
  split_head: bool = False,
  labels: str | None = None,
  kind: str = 'stream',
  signals: bool = False,
) -> saved_model.Written:
  """Writes TFLite files, their card and their labels.

  Args:
    params, checkpoint, output_dir, labels: as for `export_saved_model`.
    quantization: see `tflite.export_stream`.
    classify_every, split_head: for a stream, see there; None takes
      `tflite.default_classify_every`.
    kind: 'stream' or 'clip', see `tflite.export_stream` and
      `tflite.export_clip`.
    signals: for a stream, see there.

  Returns:
    What it came to: the largest difference to the model among it.

  Raises:
    ValueError: the checkpoint, the labels or the model do not fit.
  """
  tflite.check_quantization(quantization)
  _require_one_of('kind', kind, export_format.KINDS)
  data = params.task.validation_data
  frames = 1
  if kind == 'stream':
    _require_streaming(params)
    num_frames = data.feature_shape[0]
    every = (
      tflite.default_classify_every(params.task.model, num_frames)
      if classify_every is None
      else classify_every
    )
    _require_head_options(params, every, split_head, signals)

    def write(model, folder):
      return tflite.export_stream(
        model,
        folder,
        data,
        example_clips(params, quantization),
        quantization,
        every,
        split_head,
        signals,
      )
  else:
    if classify_every is not None or split_head or signals:
      raise ValueError(
        'classify_every, split_head and signals are of streams: leave '
        "them out for kind='clip', which classifies once."
      )
    _require_clips(params)
    frames, every = data.feature_shape[0], 1

    def write(model, folder):
      return tflite.export_clip(
        model,
        folder,
        data,
        example_clips(params, quantization),
        quantization,
      )

  return write_folder(
    params,
    checkpoint,
    output_dir,
    labels,
    write,
    kind=kind,
    format='tflite',
    quantization=quantization,
    classify_every=every,
    input=card_input(data, [1, frames, *data.feature_shape[1:]], 'float32'),
  )
