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

from collections.abc import Callable, Mapping, Sequence
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
from official_ext.grw.compat import dense_layers
from official_ext.grw.compat import frame_operations
from official_ext.grw.compat import saved_model_converter
from official_ext.grw.compat import saved_traces
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import label_groups
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.heads import head_types
from official_ext.grw.inference import tflite_stream
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import signals as signals_lib
from official_ext.grw.modeling import streaming
from official_ext.grw.serving import agreement
from official_ext.grw.serving import distinct_outputs
from official_ext.grw.serving import saved_model

SPLIT_FILE = 'model_split.tflite'

# The largest difference of logits to the model, relative to the largest logit,
# in float32.  Where weights are rounded answers are judged, see `agreement`.
MAX_DIFFERENCE = 1e-4
# By quantization, the operations whose weights are in 8 bits.  Depthwise
# convolutions are never among them: in 8 bits the kernels they get are slower.
# So are activations not: states quantized to integers are not zero at the start
# and drift.
IN_8_BITS = {
  'dense_int8': (qtyping.TFLOperationName.FULLY_CONNECTED,),
  'dynamic_int8': (
    qtyping.TFLOperationName.FULLY_CONNECTED,
    qtyping.TFLOperationName.CONV_2D,
  ),
}
QUANTIZATIONS = ('float32', 'float16', *IN_8_BITS)


def default_classify_every(
  config: schema.GrwModel | ensemble_cfg.GrwEnsemble, num_frames: int
) -> int:
  """How often the head runs if nobody says: about each window, if it is costly.

  At the N-th frame it does run, so that its logits are the clip model's: the
  number divides N.  Of an ensemble each head runs about once in a window of the
  frames it sees.

  Args:
    config: the model's configuration.
    num_frames: N, which a window may exceed: of evaluation it is no concern.
  """
  members = ensemble_cfg.classifiers(config)
  if not all(
    head_types.of(member.head).once_a_window(member.head) for member in members
  ):
    return 1
  window = max(member.smoothing.window for member in members)
  of_member = num_frames // len(members)
  divisors = [k for k in range(1, of_member + 1) if of_member % k == 0]
  return len(members) * min(divisors, key=lambda k: (abs(k - window), -k))


def check_quantization(quantization: str):
  """Raises ValueError for one that is not offered."""
  if quantization not in QUANTIZATIONS:
    raise ValueError(
      f'quantization={quantization!r}: expected one of '
      f'{list(QUANTIZATIONS)}. Full int8 is not offered, as states of '
      'integers drift along a stream; use dense_int8 or, a quarter of '
      'the size of float32, dynamic_int8.'
    )


def convert(
  signatures: dict[str, Any],
  variables: list[tf.Variable],
  path: str,
  quantization: str = 'float32',
):
  """Writes functions as a TFLite file of builtin operations alone.

  Args:
    signatures: functions by name, each of which returns outputs by name.
    variables: the variables that they read.
    path: the path of the file.
    quantization: 'float32' or 'float16'.

  Raises:
    export_folder.ExportError: an output is no tensor of its own.
  """
  with tempfile.TemporaryDirectory() as folder:
    # Converting functions instead of a SavedModel would lose output names.
    with frozen_weights.frozen_weights():
      saved_model.save(tf.train.Checkpoint(), variables, folder, signatures)
    converter = saved_model_converter.SavedModelConverter(
      folder, list(signatures)
    )
    if quantization == 'float16':
      converter.optimizations = [tf.lite.Optimize.DEFAULT]
      converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
  with open(path, 'wb') as file:
    file.write(content)
  distinct_outputs.require_distinct_outputs(path)


def quantize(source: str, path: str, quantization: str):
  """Writes a float32 TFLite file with its large weights in 8 bits.

  Args:
    source: the path of the float32 file.
    path: the path to write to.
    quantization: one of `IN_8_BITS`.

  Raises:
    export_folder.ExportError: an output is no tensor of its own.
  """
  recipe = quantizer.Quantizer(source)
  for name in IN_8_BITS[quantization]:
    recipe.add_dynamic_config(regex='.*', operation_name=name, num_bits=8)
  with (
    contextlib.redirect_stdout(io.StringIO()),
    contextlib.redirect_stderr(io.StringIO()),
  ):  # Progress of 0.1 s.
    recipe.quantize().export_model(path)
  distinct_outputs.require_distinct_outputs(path)


def _write(
  signatures: dict[str, Any],
  variables: list[tf.Variable],
  path: str,
  quantization: str,
  answers: Callable[[str, np.ndarray], np.ndarray],
  clips: np.ndarray,
  expected: np.ndarray,
  data: schema.DataConfig,
) -> saved_model.Written:
  """Converts, quantizes, and checks each step against the one before.

  Args:
    signatures, variables, path, quantization: as for `convert`; also those of
      `IN_8_BITS`.
    answers: a function that runs a file along clips, for logits
      [answers, classes].
    clips: float32 clips [M, N, height, width, 3].
    expected: the answers of the model to the first clip.
    data: the data of the evaluation, which say what logits mean.

  Raises:
    export_folder.ExportError: they differ by too much.
  """
  groups = label_groups.read(data.label_groups, data.num_classes)

  def agreed(got, want, *bounds) -> saved_model.Written:
    found = agreement.measure(got, want, data.is_multilabel, groups)
    agreement.require(found, *bounds)
    difference = saved_model.relative_difference(got, want)
    return saved_model.Written(difference, {}, str(found))

  if quantization == 'float16':
    convert(signatures, variables, path, quantization)
    return agreed(
      answers(path, clips[:1]),
      expected,
      'float32',
      agreement.MOST_DIFFERENCE_OF_FLOAT16,
    )
  with tempfile.TemporaryDirectory() as folder:
    in_8_bits = quantization in IN_8_BITS
    floating = os.path.join(folder, 'float32.tflite') if in_8_bits else path
    convert(signatures, variables, floating, 'float32')
    difference = saved_model.relative_difference(
      answers(floating, clips[:1]), expected
    )
    saved_model.require_agreement(difference, MAX_DIFFERENCE)
    if not in_8_bits:
      return saved_model.Written(difference, {})
    quantize(floating, path, quantization)
    return agreed(
      answers(path, clips),
      answers(floating, clips),
      'dense_int8, which has its convolutions in float32, or float16'
      if quantization == 'dynamic_int8'
      else 'float16',
    )


def _specs(
  shape: Sequence[int], states: Mapping[str, tf.TensorSpec]
) -> dict[str, tf.TensorSpec]:
  """What a signature takes: an image of a shape and states, all named."""
  image = tf.TensorSpec(shape, tf.float32, 'image')
  return {
    'image': image,
    **{
      name: tf.TensorSpec(spec.shape, spec.dtype, name)
      for name, spec in states.items()
    },
  }


def _split_functions(
  stream: streaming.StreamingClassifier, shape: Sequence[int], num_frames: int
) -> dict[str, tf.types.experimental.PolymorphicFunction]:
  """The signatures of `SPLIT_FILE`, for images of a shape."""

  @tf.function(
    input_signature=[_specs(shape, stream.backbone_state_specs(shape))],
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

  return {'encode': encode, 'classify': classify}


def export_stream(
  model: saved_model.Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  quantization: str = 'float32',
  classify_every: int = 1,
  split_head: bool = False,
  signals: bool = False,
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
    data: the data of the evaluation; gives N, height and width, and what
      logits mean.
    example: uint8 clips [M, N, height, width, 3] for the checks: logits against
      the model on the first, and answers in 8 bits along all of them.
    quantization: 'float32'; 'float16' halves the file; 'dense_int8' has the
      weights of dense layers in 8 bits, those of squeeze-excitations among
      them; 'dynamic_int8' also those of convolutions that are not depthwise.
    classify_every: see `ensemble.stream_of`.
    split_head: whether to write `SPLIT_FILE`; not of an ensemble, which has two
      heads.
    signals: whether `tflite_stream.MODEL_FILE` has the outputs and the state of
      `signals.SignallingStream` too; not of an ensemble, whose members have
      embeddings of their own.

  Returns:
    The largest difference over the frames of the example and both files, and
    the states of `tflite_stream.MODEL_FILE`.

  Raises:
    ValueError: the model cannot stream, or an argument is out of range.
    export_folder.ExportError: a difference is larger than MAX_DIFFERENCE, or
      answers with rounded weights are others, see `agreement`.
  """
  check_quantization(quantization)
  num_frames, height, width, _ = data.feature_shape
  stream = ensemble.stream_of(model, num_frames, classify_every)
  frame_operations.compute_frame_by_frame(stream)
  dense_layers.use_dense_layers(stream)
  shape = (1, 1, height, width, 3)
  signalling = signals_lib.SignallingStream(stream) if signals else None
  states = (signalling or stream).initial_state_specs(shape)

  @tf.function(input_signature=[_specs(shape, states)], autograph=False)
  def serve(inputs):
    if signalling is None:
      logits, states = stream(inputs)
      return {**states, 'logits': logits}
    logits, states, of_frame = signalling(inputs)
    return {**states, 'logits': logits, **of_frame}

  # What is run here is what is written.
  with saved_traces.traced_to_be_saved(), frozen_weights.frozen_weights():
    traced = serve.get_concrete_function()
  clips = saved_model.prepared(tf.constant(example), data).numpy()
  states_before = (signalling or stream).init_states(shape)
  expected = _logits(traced, states_before, clips[0])
  _require_clip_model(model, clips[0], expected, classify_every)
  written = _write(
    {'serving_default': serve},
    stream.variables,
    os.path.join(folder, tflite_stream.MODEL_FILE),
    quantization,
    _stream_logits,
    clips,
    expected,
    data,
  )
  if split_head:
    last = num_frames // classify_every * classify_every
    split = _write(
      _split_functions(stream, shape, num_frames),
      stream.variables,
      os.path.join(folder, SPLIT_FILE),
      quantization,
      lambda path, clips: _split_logits(path, clips[:, :last]),
      clips,
      expected[last - 1 : last],
      data,
    )
    if split.difference > written.difference:
      written = split
  return written._replace(states=states)


def export_clip(
  model: saved_model.Model,
  folder: str,
  data: schema.DataConfig,
  example: np.ndarray,
  quantization: str = 'float32',
) -> saved_model.Written:
  """Writes a TFLite file of the clip model, and checks it against the model.

  `tflite_stream.MODEL_FILE` has one signature, from `image` [1, N, height,
  width, 3] float32 in [0, 1] and `num_frames` [1] int32 to `logits` [1,
  classes].  Of a video of fewer than N frames the clip repeats them, and
  `num_frames` says how many they are, as in evaluation; otherwise it is N.

  Args:
    model: with any backbone; its layers are changed, to compute the same by
      other operations (`frame_operations`, `dense_layers`).
    folder, data, example, quantization: as for `export_stream`.

  Returns:
    The largest difference for the first clip and for its first half; there are
    no states.

  Raises:
    ValueError: the quantization is not offered.
    export_folder.ExportError: as of `export_stream`.
  """
  check_quantization(quantization)
  clips = saved_model.prepared(tf.constant(example), data)
  first = clips[:1].numpy()
  half = _half(first[0])
  expected = tf.concat(
    [
      model({'image': first}, training=False),
      model(
        {
          'image': np.resize(half, first.shape),
          feature_names.NUM_FRAMES: saved_model.seen_frames(
            first, tf.constant([len(half)]), data
          ),
        },
        training=False,
      ),
    ],
    axis=0,
  )
  frame_operations.compute_frame_by_frame(model)
  dense_layers.use_dense_layers(model)

  @tf.function(
    input_signature=[
      tf.TensorSpec(first.shape, tf.float32, 'image'),
      tf.TensorSpec([1], tf.int32, feature_names.NUM_FRAMES),
    ],
    autograph=False,
  )
  def serve(image, num_frames):
    inputs = {
      'image': image,
      feature_names.NUM_FRAMES: saved_model.seen_frames(
        image, num_frames, data
      ),
    }
    return {'logits': model(inputs, training=False)}

  return _write(
    {'serving_default': serve},
    model.variables,
    os.path.join(folder, tflite_stream.MODEL_FILE),
    quantization,
    _clip_logits,
    clips.numpy(),
    expected.numpy(),
    data,
  )


def _logits(serve, states, frames: np.ndarray) -> np.ndarray:
  """Logits of the model after every frame: [N, classes]."""
  logits = []
  for frame in frames:
    outputs = serve({'image': frame[np.newaxis, np.newaxis], **states})
    logits.append(outputs['logits'][0].numpy())
    states = {name: outputs[name] for name in states}
  return np.stack(logits)


def _require_clip_model(
  model: saved_model.Model,
  frames: np.ndarray,
  logits: np.ndarray,
  classify_every: int,
):
  """Raises ExportError unless the stream ends where the clip model does."""
  last = max(len(frames) // classify_every * classify_every, 1)
  # Not cut off: an ensemble takes no odd number of frames.
  expected = model(
    {
      'image': frames[np.newaxis],
      feature_names.NUM_FRAMES: tf.constant([last]),
    },
    training=False,
  )
  saved_model.require_agreement(
    saved_model.relative_difference(
      logits[last - 1], saved_model.last_answer(expected)[0]
    ),
    saved_model.MAX_DIFFERENCE,
  )


def _stream_logits(path: str, clips: np.ndarray) -> np.ndarray:
  """Logits after every frame, [M · N, classes], of clips as one stream."""
  stream = tflite_stream.TfliteStream(path)
  return np.stack([stream.step(frame) for clip in clips for frame in clip])


def _half(clip: np.ndarray) -> np.ndarray:
  """The first half of the frames of a clip, at least one."""
  return clip[: -(-len(clip) // 2)]


def _clip_logits(path: str, clips: np.ndarray) -> np.ndarray:
  """Logits [M + 1, classes] of the first clip, of its half, and of the rest."""
  classify = tflite_stream.TfliteClip(path)
  return np.stack(
    [classify(clip) for clip in (clips[0], _half(clips[0]), *clips[1:])]
  )


def _split_logits(path: str, clips: np.ndarray) -> np.ndarray:
  """Logits [M, classes] of a file with `encode` and `classify`."""
  interpreter = litert.Interpreter(path)
  encode = interpreter.get_signature_runner('encode')
  classify = interpreter.get_signature_runner('classify')

  def classified(clip):
    states = {
      name: np.zeros(detail['shape'], detail['dtype'])
      for name, detail in encode.get_input_details().items()
      if name != 'image'
    }
    embeddings = np.zeros(
      classify.get_input_details()['embeddings']['shape'], np.float32
    )
    for number, frame in enumerate(clip):
      states = encode(image=frame[np.newaxis, np.newaxis], **states)
      embeddings[0, number] = states.pop('embedding')[0]
    return classify(
      embeddings=embeddings, num_frames=np.array([len(clip)], np.int32)
    )['logits'][0]

  return np.stack(list(map(classified, clips)))
