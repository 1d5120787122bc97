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

"""A card for TFLite files that others wrote: what MoViNets were published with.

Such a file says the size of its frames and the number of its classes.  How fast
to feed frames and what of a frame to show it, it does not say.
"""

import os

from official_ext.grw.datasets import labels as label_files
from official_ext.grw.inference import tflite_stream
from official_ext.grw.serving import model_card

# By the size of the published models' frames: frames a second, and the shorter
# side before the crop (arXiv 2103.11511, Table 1, and the Model Garden).
_PUBLISHED = {
  172: (5.0, 200),
  224: (5.0, 256),
  256: (12.0, 300),
  290: (8.0, 320),
  320: (12.0, 368),
}
_LABEL_FILES = ('labels.txt', 'label_map.txt')


def assumed(
  path: str, labels: str | None = None
) -> tuple[model_card.ModelCard, list[str], str]:
  """A card of a streaming file without one.

  Args:
    path: the path of the TFLite file.
    labels: a text file with the names of the classes, one a line; by default
      labels.txt or label_map.txt beside the file, if it fits.

  Returns:
    The card, the names of the classes, and a line that says what of both is
    assumed.

  Raises:
    ValueError: the file is no streaming TFLite file, or the labels do not fit.
  """
  stream = tflite_stream.TfliteStream(path)
  height, width = stream.image_shape[2:4]
  rate, side = _PUBLISHED.get(height, (5.0, round(height * 200 / 172)))
  names, source = _labels(path, labels, stream.num_classes)
  card = model_card.ModelCard(
    name=os.path.basename(path),
    kind='stream',
    format='tflite',
    quantization='not said',
    frames_per_second=rate,
    num_frames=1,
    classify_every=1,
    input={
      'shape': list(stream.image_shape),
      'dtype': 'float32',
      'range': [0, 1],
      'channels': 'RGB',
    },
    resize={'mode': 'keep_aspect', 'size': side, 'crop': [height, width]},
    states={},
    num_classes=stream.num_classes,
    labels='',
    files={os.path.basename(path): os.path.getsize(path)},
    checkpoint='',
    config={},
  )
  line = (
    f'{path} has no {model_card.CARD_FILE}; assumed, as MoViNets were '
    f'published: {rate:g} frames a second, the shorter side resized to {side}, '
    f'the middle {height} x {width}, RGB in [0, 1], {source}'
  )
  return card, names, line


def _labels(
  path: str, given: str | None, num_classes: int
) -> tuple[list[str], str]:
  """Names of classes, and where they are from."""
  if given is not None:
    return (
      label_files.read(given, num_classes, '--labels'),
      f'labels of {given}',
    )
  for name in _LABEL_FILES:
    beside = os.path.join(os.path.dirname(path), name)
    if os.path.exists(beside):
      return label_files.read(beside, num_classes), f'labels of {beside}'
  return (
    [f'class {number}' for number in range(num_classes)],
    'no labels, as --labels gives none',
  )
