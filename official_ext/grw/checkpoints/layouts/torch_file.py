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

"""Files that torch.save wrote, with one of the state dicts that are read."""

from collections.abc import Mapping
import dataclasses
import os
from typing import Any

import numpy as np

from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import torch_names
from official_ext.grw.checkpoints import torch_reader
from official_ext.grw.checkpoints.layouts import layout

# Where a torch file has its state dict, if it is not one itself.
_STATES = ('model_state', 'state_dict', 'model')


class TorchFile(layout.Layout):
  """A state dict, alone or with what training needs."""

  expected = 'a file that torch.save wrote'

  @property
  def kinds(self) -> Mapping[str, str]:  # type: ignore[override]
    return {form.kind: form.description for form in torch_names.state_dicts()}

  def find(self, path: str) -> str | None:
    if os.path.isfile(path) and torch_reader.is_torch_file(path):
      return path
    return None

  def read(self, place: str, weights: str) -> published.PublishedWeights:
    loaded = torch_reader.load(place)
    if not isinstance(loaded, dict):
      raise ValueError(
        f'{place} holds a {type(loaded).__name__}, not a state dict.'
      )
    average = loaded.get('ema_weights')
    if weights == 'ema' and not average:
      raise ValueError(
        f'{place} holds no moving average; ask for the model weights.'
      )
    if weights == 'ema':
      state = {
        key: value
        for key, value in _tensors(average, place).items()
        if key != 'n_averaged'
      }
    else:
      key = next((key for key in _STATES if key in loaded), None)
      state = _tensors(loaded[key] if key else loaded, place)
    # Where it was trained in parallel.
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    params = loaded.get('transformer_params')
    num_heads = getattr(params, 'num_heads', 8)
    window = loaded.get('T', 0)
    for field, value in (('T', window), ('num_heads', num_heads)):
      if type(value) is not int or value < 0:
        raise ValueError(
          f'{place}: {field} is of the type {type(value).__name__}, expected a '
          'whole number.'
        )
    form = torch_names.recognized(state)
    found = published.PublishedWeights(
      kind=form.kind,
      description=form.description,
      path=place,
      values=form.translate(state, num_heads),
      weights='ema' if weights == 'ema' else 'model',
      has_average=bool(average),
      window=window,
    )
    if not found.architecture.backbone.hard_gates:
      return found
    return dataclasses.replace(  # The only form that their code has.
      found,
      gate='grw>hard_sigmoid',
      gate_source='what the PyTorch code of such files computes',
    )


def _tensors(state: Any, path: str) -> dict[str, np.ndarray]:
  if (
    not isinstance(state, dict)
    or not state
    or not all(
      isinstance(key, str) and isinstance(value, np.ndarray)
      for key, value in state.items()
    )
  ):
    raise ValueError(
      f'{path} holds no state dict, that is no dict of names to tensors.'
    )
  return dict(state)
