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
"""Deterministic stand-in weights for a published PyTorch GRW checkpoint.

The published checkpoints cannot be downloaded on a machine without internet
access, so parity is checked on weights that anyone can regenerate: every tensor
is drawn from a generator seeded by its own name.  `*_names.json` lists the
names and shapes of a published checkpoint's `model_state`; `*_golden.npz` holds
what the published PyTorch model answers with exactly these weights.

    python state_dict_recipe.py a0s_names.json a0s_state.npz
"""

import json
import sys
import zlib

import numpy as np


def tensor(name, shape):
  """The float32 array (int64 scalar for counters) that `name` stands for."""
  rng = np.random.default_rng(zlib.crc32(name.encode()))
  if name.endswith('num_batches_tracked'):
    return np.zeros(shape, np.int64)
  if name.endswith('running_var'):
    value = rng.uniform(0.5, 1.5, shape)
  elif name.endswith('running_mean') or name.endswith('bias'):
    value = 0.1 * rng.standard_normal(shape)
  elif name.endswith('alpha'):
    value = rng.uniform(0.05, 0.15, shape)
  elif len(shape) == 1:  # The scale of a batch or layer normalization.
    value = rng.uniform(0.75, 1.25, shape)
  else:
    value = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
  return np.asarray(value, np.float32)


def state_dict(names_file):
  """Returns {name: array} for every entry of a `*_names.json`."""
  with open(names_file) as f:
    return {name: tensor(name, shape) for name, shape in json.load(f).items()}


def video(num_frames, size, batch=2, seed=7):
  """A [batch, num_frames, size, size, 3] float32 video in [0, 1]."""
  rng = np.random.default_rng(seed)
  coarse = rng.uniform(size=(batch, 3, 6, 6, 3))  # Smooth in space and in time.
  time = np.linspace(0, 2, num_frames)
  low = np.minimum(np.floor(time).astype(int), 1)
  mix = (time - low)[None, :, None, None, None]
  frames = coarse[:, low] * (1 - mix) + coarse[:, low + 1] * mix
  grid = np.linspace(0, 5, size)
  cell = np.minimum(np.floor(grid).astype(int), 4)
  frac = grid - cell
  rows = (
    frames[:, :, cell] * (1 - frac)[:, None, None]
    + frames[:, :, cell + 1] * frac[:, None, None]
  )
  cols = (
    rows[:, :, :, cell] * (1 - frac)[:, None]
    + rows[:, :, :, cell + 1] * frac[:, None]
  )
  return cols.astype(np.float32)


if __name__ == '__main__':
  np.savez(sys.argv[2], **state_dict(sys.argv[1]))
