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

"""Recognizes what a path holds, and reads it into one form.

The layouts are below, one line each.
"""

from collections.abc import Mapping

import tensorflow as tf

from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints.layouts import checkpoint
from official_ext.grw.checkpoints.layouts import layout as layout_lib
from official_ext.grw.checkpoints.layouts import saved_model
from official_ext.grw.checkpoints.layouts import tflite_file
from official_ext.grw.checkpoints.layouts import torch_file
from official_ext.grw.files import kaggle_models

_layouts: list[layout_lib.Layout] = []


def register(layout: layout_lib.Layout):
  """Makes a layout known, which is asked before those registered earlier."""
  _layouts.insert(0, layout)


register(torch_file.TorchFile())
register(checkpoint.Checkpoint())
register(tflite_file.TfliteFile())
register(saved_model.SavedModel())


def descriptions() -> Mapping[str, str]:
  """For each kind of weights that are read, what it is, for people."""
  return {
    kind: description
    for layout in _layouts
    for kind, description in layout.kinds.items()
  }


def read(path: str, weights: str = 'auto') -> published.PublishedWeights:
  """Reads weights in any of the layouts above.

  Args:
    path: a checkpoint (its prefix, its '.index' file or its folder), the folder
      of a SavedModel or the one above its version, a torch file, a TFLite file
      or the folder of an exported one, or whatever else a layout finds; or the
      handle of a model on Kaggle (see `kaggle_models.local`).
    weights: which weights to take of a file that also holds an exponential
      moving average: 'ema', 'model', or 'auto' for what its own code loads by
      default, which is the average for a Trainer's checkpoints and the model
      for GRW's PyTorch ones.

  Raises:
    ValueError: nothing there, or nothing that is read by name.
    UnsafeCheckpointError: a torch file that is refused.
  """
  if weights not in published.WEIGHTS:
    raise ValueError(
      f'weights={weights!r}: expected one of {published.WEIGHTS}.'
    )
  location = kaggle_models.local(path).rstrip('/')
  for layout in _layouts:
    place = layout.find(location)
    if place is not None:
      found = layout.read(place, weights)
      found.architecture  # Raises for what is not read by name.  # noqa: B018
      return found
  raise ValueError(_unrecognized(location))


def _unrecognized(path: str) -> str:
  expected = 'expected ' + ', or '.join(layout.expected for layout in _layouts)
  if not tf.io.gfile.exists(path):
    return f'{path} does not exist; {expected}.'
  if path.endswith(('.tar.gz', '.tgz', '.tar', '.zip')):
    return f'{path} is an archive: unpack it and give the folder.'
  return f'{path} is not recognized; {expected}.'
