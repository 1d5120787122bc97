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

from collections.abc import Callable
import os

import numpy as np
from official.core import config_definitions as cfg
import tensorflow as tf

from official_ext.grw.backbones import config as backbones
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import labels as label_files
from official_ext.grw.serving import export_folder
from official_ext.grw.serving import model_card
from official_ext.grw.serving import saved_model
from official_ext.grw.serving import tflite


def example_clip(params: cfg.ExperimentConfig) -> np.ndarray:
  """A rendered video of the model's length: [1, N, S, S, 3] uint8."""
  data = params.task.validation_data
  config = airplanes.AirplanesConfig(
    num_frames=data.feature_shape[0], image_size=data.min_image_size
  )
  return airplanes.render_example(config, 'validation', 0)['video'][np.newaxis]


# AutoGraph finds nothing to convert in layers, but takes seconds to look.
@tf.autograph.experimental.do_not_convert
def _export(
  params: cfg.ExperimentConfig,
  checkpoint: str,
  output_dir: str,
  labels: str | None,
  write: Callable[[saved_model.Model, str], saved_model.Written],
  **card,
) -> float:
  """Builds a model, has it written to a folder, and describes it there."""
  num_classes = params.task.validation_data.num_classes
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
  return written.difference


def _require_streaming(params: cfg.ExperimentConfig):
  """Raises ValueError if a backbone cannot stream, before it is built."""
  for classifier in ensemble_cfg.classifiers(params.task.model):
    backbones.with_states(classifier.backbone)


def _input(data: schema.DataConfig, shape, dtype: str) -> dict:
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
) -> float:
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
    The largest difference to the model, relative to the largest logit.

  Raises:
    ValueError: the checkpoint, the labels or the model do not fit.
  """
  if kind == 'stream':
    _require_streaming(params)
  write = (
    saved_model.export_stream_model
    if kind == 'stream'
    else saved_model.export_clip_model
  )
  data = params.task.validation_data
  return _export(
    params,
    checkpoint,
    output_dir,
    labels,
    lambda model, folder: write(
      model, folder, data, example_clip(params), input_type
    ),
    kind=kind,
    format='saved_model',
    quantization='float32',
    classify_every=1,
    input=_input(data, [None] * 4 + [3], input_type),
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
) -> float:
  """Writes TFLite files, their card and their labels.

  Args:
    params, checkpoint, output_dir, labels: as for `export_saved_model`.
    quantization: see `tflite.export_stream`.
    classify_every, split_head: for a stream, see there; None takes
      `tflite.default_classify_every`.
    kind: 'stream' or 'clip', see `tflite.export_stream` and
      `tflite.export_clip`.

  Returns:
    The largest difference to the model, relative to the largest logit.

  Raises:
    ValueError: the checkpoint, the labels or the model do not fit.
  """
  tflite.check_quantization(quantization)
  data = params.task.validation_data
  frames = 1
  if kind == 'stream':
    _require_streaming(params)
    every = classify_every or tflite.default_classify_every(params.task.model)

    def write(model, folder):
      return tflite.export_stream(
        model,
        folder,
        data,
        example_clip(params),
        quantization,
        every,
        split_head,
      )
  else:
    if classify_every is not None or split_head:
      raise ValueError(
        'classify_every and split_head are of streams: leave '
        "them out for kind='clip', which classifies once."
      )
    frames, every = data.feature_shape[0], 1

    def write(model, folder):
      return tflite.export_clip(
        model, folder, data, example_clip(params), quantization
      )

  return _export(
    params,
    checkpoint,
    output_dir,
    labels,
    write,
    kind=kind,
    format='tflite',
    quantization=quantization,
    classify_every=every,
    input=_input(data, [1, frames, *data.feature_shape[1:]], 'float32'),
  )
