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
"""Makes objects.pt and objects.npz with torch itself: `python make_objects.py`.

What tests/checkpoints/torch_reader_test.py reads: tensors of all kinds, a
parameter, and objects and classes of modules that a reader does not have.
"""

import enum
import pathlib
import sys
import types

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent


class TransformerParams:
  """As the GRW authors' class of this name."""

  def __init__(self, embed_dim, depth, num_heads, mlp_dim, num_classes):
    self.embed_dim = embed_dim
    self.depth = depth
    self.num_heads = num_heads
    self.mlp_dim = mlp_dim
    self.num_classes = num_classes


class MovinetBackbone:
  """A class that is referred to and not instantiated."""


class Split(enum.Enum):
  """An object that is pickled as a call of its class."""

  TEST = 'test'


def move(cls, module):
  """Lets `cls` be pickled as a class of `module`."""
  for end in range(1, module.count('.') + 2):
    name = '.'.join(module.split('.')[:end])
    sys.modules.setdefault(name, types.ModuleType(name))
  cls.__module__ = module
  setattr(sys.modules[module], cls.__name__, cls)


def main():
  move(TransformerParams, 'grw_smoothing_models.model.attention')
  move(MovinetBackbone, 'video_retrieval.backbones.movinets')
  move(Split, 'grw_smoothing_models.data')
  torch.manual_seed(0)
  base = torch.arange(24, dtype=torch.float32)
  tensors = {
    'whole': base,
    'transposed': base.reshape(4, 6).t(),
    'offset': base[5:11],
    'strided': base[1::3],
    'float16': torch.randn(3).half(),
    'bfloat16': torch.randn(5).bfloat16(),
    'float64': torch.randn(2, 2).double(),
    'int64': torch.tensor(7),
    'uint8': torch.arange(5, dtype=torch.uint8),
    'bool': torch.tensor([True, False]),
    'parameter': torch.nn.Parameter(torch.randn(2, 3)),
    'empty': torch.zeros(0, 3),
  }
  torch.save(
    {
      'tensors': tensors,
      'size': torch.Size([1, 2]),
      'dtype': torch.float32,
      'device': torch.device('cpu'),
      'split': Split.TEST,
      'transformer_params': TransformerParams(16, 1, 2, 64, 5),
      'backbone': MovinetBackbone,
    },
    FOLDER / 'objects.pt',
  )
  np.savez_compressed(
    FOLDER / 'objects.npz',
    **{
      name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
      .detach()
      .numpy()
      for name, tensor in tensors.items()
    },
  )


if __name__ == '__main__':
  main()
