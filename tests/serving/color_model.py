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

"""A streaming model of known answers, exported in a second.

Its logits are the mean red, green and blue of all frames since the start, times
`SHARPNESS`: it names the color that a video has shown most.
"""

from collections.abc import Sequence
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import model_card

SIZE = 16
LABELS = ('red', 'grün', '蓝')
SHARPNESS = 20


def card(**fields) -> model_card.ModelCard:
  """The card of the model, with changes to it."""
  return model_card.ModelCard(
    **{
      **dict(
        name='colors',
        kind='stream',
        format='tflite',
        quantization='float32',
        frames_per_second=5,
        num_frames=4,
        classify_every=1,
        input={
          'shape': [1, 1, SIZE, SIZE, 3],
          'dtype': 'float32',
          'range': [0, 1],
          'channels': 'RGB',
        },
        resize={'mode': 'square', 'size': SIZE, 'crop': [SIZE, SIZE]},
        states={},
        num_classes=len(LABELS),
        labels=model_card.LABELS_FILE,
        files={},
        checkpoint='',
        config={},
      ),
      **fields,
    }
  )


def _serve(image, state_sum, state_count):
  total = state_sum + tf.reduce_mean(image, [1, 2, 3])
  count = state_count + 1
  logits = SHARPNESS * total / tf.cast(count, tf.float32)
  return {'logits': logits, 'state_sum': total, 'state_count': count}


def export(
  folder: pathlib.Path, labels: Sequence[str] = LABELS, **fields
) -> str:
  """Writes the model as an export tool would; returns the folder."""
  folder.mkdir()
  module = tf.Module()
  module.serve = tf.function(
    _serve,
    input_signature=[
      tf.TensorSpec([1, 1, SIZE, SIZE, 3], tf.float32, 'image'),
      tf.TensorSpec([1, 3], tf.float32, 'state_sum'),
      tf.TensorSpec([1], tf.int32, 'state_count'),
    ],
  )
  with tempfile.TemporaryDirectory() as saved:
    tf.saved_model.save(
      module, saved, signatures={'serving_default': module.serve}
    )
    content = tf.lite.TFLiteConverter.from_saved_model(saved).convert()
  (folder / tflite_stream.MODEL_FILE).write_bytes(content)
  model_card.write(card(**fields), labels, str(folder))
  return str(folder)


def frame(color: Sequence[int], width: int = 32, height: int = 24):
  """[height, width, 3] uint8 of one color."""
  return np.full((height, width, 3), color, np.uint8)


RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)
