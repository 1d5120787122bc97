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

"""Writes trained models as TFLite files that prove themselves."""

import contextlib
import io
import os
import tempfile
from typing import Any

from ai_edge_litert import interpreter as litert
from ai_edge_quantizer import qtyping
from ai_edge_quantizer import quantizer
import numpy as np
import tensorflow as tf

from official_ext.grw.backbones import frozen_weights
from official_ext.grw.compat import frame_operations
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import streaming
from official_ext.grw.serving import saved_model

SPLIT_FILE = 'model_split.tflite'

# By quantization, the largest difference of logits to the model, relative to
# the largest logit.
MAX_DIFFERENCE = {'float32': 1e-4, 'float16': 1e-2, 'dynamic_int8': 1e-1}


def default_classify_every(
  config: schema.GrwModel | ensemble_cfg.GrwEnsemble,
) -> int:
  """How often the head runs if nobody says: each window, if it is costly.

  Of an ensemble each head runs once in a window of the frames it sees.
  """
  members = ensemble_cfg.classifiers(config)
  if any(
    member.head.type != 'temporal' or member.head.causal for member in members
  ):
    return 1
  return len(members) * max(member.smoothing.window for member in members)


def check_quantization(quantization: str):
  """Raises ValueError for one that is not offered."""
  if quantization not in MAX_DIFFERENCE:
    raise ValueError(
      f'quantization={quantization!r}: expected one of '
      f'{list(MAX_DIFFERENCE)}. Full int8 is not offered, as states of '
      'integers drift along a stream; use dynamic_int8, which is smaller '
      'and faster than float32.'
    )


def convert(
  signatures: dict[str, Any],
  variables: list[tf.Variable],
  path: str,
  quantization: str,
):
  """Writes functions as a TFLite file of builtin operations alone."""
  with tempfile.TemporaryDirectory() as folder:
    # Converting functions instead of a SavedModel would lose output names.
    with frozen_weights.frozen_weights():
      saved_model.save(tf.train.Checkpoint(), variables, folder, signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(
      folder, signature_keys=list(signatures)
    )
    if quantization == 'float16':
      converter.optimizations = [tf.lite.Optimize.DEFAULT]
      converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    if quantization != 'dynamic_int8':
      with open(path, 'wb') as file:
        file.write(content)
      return
    unquantized = os.path.join(folder, 'float32.tflite')
    with open(unquantized, 'wb') as file:
      file.write(content)
    recipe = quantizer.Quantizer(unquantized)
    # Depthwise convolutions stay in float32: in 8 bits the kernels they get
    # are slower.  So do the activations: states quantized to integers are not
    # zero at the start and drift.
    for name in (
      qtyping.TFLOperationName.FULLY_CONNECTED,
      qtyping.TFLOperationName.CONV_2D,
    ):
      recipe.add_dynamic_config(regex='.*', operation_name=name, num_bits=8)
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(io.StringIO()),
    ):  # Progress of 0.1 s.
      recipe.quantize().export_model(path)


def export_stream(
  model: saved_model.Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  quantization: str = 'float32',
  classify_every: int = 1,
  split_head: bool = False,
) -> saved_model.Written:
  """Writes streaming TFLite files, and checks them against the model.

  `tflite_stream.MODEL_FILE` has one signature, from `image` [1, 1, height,
  width, 3] float32 in [0, 1] and the states to `logits` [1, classes] and the
  states, all of static shape, as clients of MoViNet's own TFLite files expect.

  With `split_head`, `SPLIT_FILE` has two that share weights: `encode`, from
  image and the backbone's states to `embedding` [1, D] and the states, and
  `classify`, from `embeddings` [1, N, D] and `num_frames` [1] int32, of which
  the first count, to `logits`.

  Args:
    model: with a causal backbone, or an ensemble of two.
    folder: to write to.
    data: the data of the evaluation; gives N, height and width.
    example: uint8 clips [1, N, height, width, 3] for the check.
    quantization: 'float32'; 'float16' halves the file; 'dynamic_int8' has the
      weights of dense layers and pointwise convolutions in 8 bits.
    classify_every: see `ensemble.stream_of`.
    split_head: whether to write `SPLIT_FILE`; not of an ensemble.

  Returns:
    The largest difference over the frames of the example and both files, and
    the states of `tflite_stream.MODEL_FILE`.

  Raises:
    ValueError: the model cannot stream, or an argument is out of range.
    export_folder.ExportError: a difference is larger than MAX_DIFFERENCE.
  """
  check_quantization(quantization)
  num_frames, height, width, _ = data.feature_shape
  stream = ensemble.stream_of(model, num_frames, classify_every)
  if split_head and not isinstance(stream, streaming.StreamingClassifier):
    raise ValueError(
      'split_head=True: expected False for an ensemble, which '
      'has two heads, and which is one file.'
    )
  frame_operations.use(stream)
  shape = (1, 1, height, width, 3)
  image = tf.TensorSpec(shape, tf.float32, 'image')

  def specs(states):
    return {
      'image': image,
      **{
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in states.items()
      },
    }

  states = stream.initial_state_specs(shape)

  @tf.function(input_signature=[specs(states)], autograph=False)
  def serve(inputs):
    logits, states = stream(inputs)
    return {**states, 'logits': logits}

  frames = saved_model.prepared(tf.constant(example), data)[0].numpy()
  expected = _logits(serve, stream.init_states(shape), frames)
  _require_clip_model(model, frames, expected, classify_every)
  path = os.path.join(folder, tflite_stream.MODEL_FILE)
  convert({'serving_default': serve}, stream.variables, path, quantization)
  written = tflite_stream.TfliteStream(path)
  differences = [
    saved_model.relative_difference(
      np.stack([written.step(frame) for frame in frames]), expected
    )
  ]
  if split_head:

    @tf.function(
      input_signature=[specs(stream.backbone_state_specs(shape))],
      autograph=False,
    )
    def encode(inputs):
      embeddings, states = stream.encode(inputs)
      return {**states, 'embedding': embeddings[:, 0]}

    @tf.function(
      input_signature=[
        tf.TensorSpec(
          [1, num_frames, stream.embedding_dim], tf.float32, 'embeddings'
        ),
        tf.TensorSpec([1], tf.int32, 'num_frames'),
      ],
      autograph=False,
    )
    def classify(embeddings, num_frames):
      return {'logits': stream.classify(embeddings, num_frames[0])}

    path = os.path.join(folder, SPLIT_FILE)
    convert(
      {'encode': encode, 'classify': classify},
      stream.variables,
      path,
      quantization,
    )
    last = len(frames) // classify_every * classify_every
    differences.append(
      saved_model.relative_difference(
        _split_logits(path, frames[:last]), expected[last - 1 : last]
      )
    )
  difference = max(differences)
  saved_model.require_agreement(difference, MAX_DIFFERENCE[quantization])
  return saved_model.Written(difference, states)


def export_clip(
  model: saved_model.Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  quantization: str = 'float32',
) -> saved_model.Written:
  """Writes a TFLite file of the clip model, and checks it against the model.

  `tflite_stream.MODEL_FILE` has one signature, from `image` [1, N, height,
  width, 3] float32 in [0, 1] to `logits` [1, classes].

  Args:
    model: with any backbone; its 3D layers are changed, to compute the same by
      other operations (`frame_operations`).
    folder, data, example, quantization: as for `export_stream`.

  Returns:
    The difference for the example; there are no states.

  Raises:
    ValueError: the quantization is not offered.
    export_folder.ExportError: the two differ by more than MAX_DIFFERENCE.
  """
  check_quantization(quantization)
  clip = saved_model.prepared(tf.constant(example), data)
  expected = model({'image': clip}, training=False)
  frame_operations.use(model)

  @tf.function(
    input_signature=[tf.TensorSpec(clip.shape, tf.float32, 'image')],
    autograph=False,
  )
  def serve(image):
    return {'logits': model({'image': image}, training=False)}

  path = os.path.join(folder, tflite_stream.MODEL_FILE)
  convert({'serving_default': serve}, model.variables, path, quantization)
  written = tflite_stream.TfliteClip(path)(clip[0].numpy())
  difference = saved_model.relative_difference(written, expected[0])
  saved_model.require_agreement(difference, MAX_DIFFERENCE[quantization])
  return saved_model.Written(difference, {})


def _logits(serve, states, frames: np.ndarray) -> np.ndarray:
  """Logits of the model after every frame: [N, classes]."""
  logits = []
  for frame in frames:
    outputs = serve({'image': frame[np.newaxis, np.newaxis], **states})
    logits.append(outputs.pop('logits')[0].numpy())
    states = outputs
  return np.stack(logits)


def _require_clip_model(
  model: saved_model.Model,
  frames: np.ndarray,
  logits: np.ndarray,
  classify_every: int,
):
  """Raises ExportError unless the stream ends where the clip model does."""
  last = max(len(frames) // classify_every * classify_every, 1)
  # Not cut off: less than a window cannot be smoothed.
  expected = model(
    {
      'image': frames[np.newaxis],
      feature_names.NUM_FRAMES: tf.constant([last]),
    },
    training=False,
  )
  saved_model.require_agreement(
    saved_model.relative_difference(logits[last - 1], expected[0]),
    saved_model.MAX_DIFFERENCE,
  )


def _split_logits(path: str, frames: np.ndarray) -> np.ndarray:
  """Logits [1, classes] of a file with `encode` and `classify`."""
  interpreter = litert.Interpreter(path)
  encode = interpreter.get_signature_runner('encode')
  classify = interpreter.get_signature_runner('classify')
  states = {
    name: np.zeros(detail['shape'], detail['dtype'])
    for name, detail in encode.get_input_details().items()
    if name != 'image'
  }
  embeddings = np.zeros(
    classify.get_input_details()['embeddings']['shape'], np.float32
  )
  for number, frame in enumerate(frames):
    states = encode(image=frame[np.newaxis, np.newaxis], **states)
    embeddings[0, number] = states.pop('embedding')[0]
  return classify(
    embeddings=embeddings, num_frames=np.array([len(frames)], np.int32)
  )['logits']
