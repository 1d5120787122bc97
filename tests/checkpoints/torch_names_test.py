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

"""Names of the PyTorch port, derived from its architecture, all convert."""

import json
import pathlib
import sys

import numpy as np
from official.projects.movinet.modeling import movinet
import pytest
import tf_keras

from official_ext.grw.backbones.movinet import weights as movinet_weights
from official_ext.grw.checkpoints import architecture
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import torch_names
from official_ext.grw.heads import head
from tests import undrawn
from tests.checkpoints import torch_writer

PARITY = pathlib.Path(__file__).parents[1] / 'testdata' / 'parity'
ENCODER = 'video_backbone._encoder.'


def make_divisible(value: float, divisor: int = 8) -> int:
  """Channels of a squeeze, as MobileNets round them."""
  rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
  return rounded + divisor if rounded < 0.9 * value else rounded


def conv_block(
  name, inputs, outputs, kernel, stream, depthwise=False, norm=True
):
  """{name: shape} of the port's ConvBlock3D: two convolutions in streams."""
  time, *space = kernel
  inputs = 1 if depthwise else inputs
  if stream:
    parts = [('conv_1.conv2d', (outputs, inputs, *space))]
    if time > 1:
      parts.append(('conv_2.conv2d', (outputs, inputs, time, 1)))
  else:
    parts = [('conv_1.conv3d', (outputs, inputs, *kernel))]
  shapes = {}
  for part, shape in parts:
    shapes[f'{name}.{part}.weight'] = shape
    if not norm:
      shapes[f'{name}.{part}.bias'] = (outputs,)
      continue
    prefix = f'{name}.{part.split(".")[0]}.norm'
    for leaf in ('weight', 'bias', 'running_mean', 'running_var'):
      shapes[f'{prefix}.{leaf}'] = (outputs,)
    shapes[f'{prefix}.num_batches_tracked'] = ()
  return shapes


def port_backbone(model_id: str, stream: bool) -> dict[str, tuple]:
  """{name: shape} of the port's MoViNet up to its classifier."""
  stem, *stages, head = movinet.BLOCK_SPECS[model_id]
  one = (1, 1, 1)
  shapes = conv_block('conv1', 3, stem.filters, stem.kernel_size, stream)
  channels = stem.filters
  for i, stage in enumerate(stages):
    for j, (wide, kernel, stride) in enumerate(
      zip(stage.expand_filters, stage.kernel_sizes, stage.strides)
    ):
      name, out = f'blocks.b{i}_l{j}', stage.base_filters
      seen = 2 if stream else 1  # The frame's mean beside the mean of frames.
      squeezed = make_divisible(wide // 4 * seen)
      shapes[f'{name}.alpha'] = ()
      shapes.update(conv_block(f'{name}.expand', channels, wide, one, stream))
      shapes.update(
        conv_block(f'{name}.deep', wide, wide, kernel, stream, depthwise=True)
      )
      shapes.update(
        conv_block(
          f'{name}.se.fc1', wide * seen, squeezed, one, stream, norm=False
        )
      )
      shapes.update(
        conv_block(f'{name}.se.fc2', squeezed, wide, one, stream, norm=False)
      )
      shapes.update(conv_block(f'{name}.project', wide, out, one, stream))
      if stride != one or channels != out:
        # An average pooling comes first where the stride is not 1.
        index = 1 if stride != one else 0
        shapes.update(
          conv_block(f'{name}.res.{index}', channels, out, one, stream)
        )
      channels = out
  shapes.update(
    conv_block('conv7', channels, head.project_filters, one, stream)
  )
  return shapes


def port_names(model_id: str, stream: bool, num_classes: int = 600):
  """{name: shape} of the port's state dict."""
  head = movinet.BLOCK_SPECS[model_id][-1]
  one = (1, 1, 1)
  return {
    **port_backbone(model_id, stream),
    **conv_block(
      'classifier.0',
      head.project_filters,
      head.head_filters,
      one,
      stream,
      norm=False,
    ),
    **conv_block(
      'classifier.3', head.head_filters, num_classes, one, stream, norm=False
    ),
  }


def grw_names(model_id: str, stream: bool, num_classes: int = 600):
  """{name: shape} of the `model_state` of a GRW checkpoint."""
  width = movinet.BLOCK_SPECS[model_id][-1].project_filters
  shapes = {
    f'{ENCODER}{name}': shape
    for name, shape in port_backbone(model_id, stream).items()
  }

  def add(name, *shape):
    shapes[f'{name}.weight'], shapes[f'{name}.bias'] = shape, shape[:1]

  add(f'{ENCODER}classifier', width, width)
  add('ln', width)
  add('attention.transformer.norm', width)
  add('attention.linear_head', num_classes, width)
  for i in range(2):
    layer = f'attention.transformer.layers.{i}'
    add(f'{layer}.0', width)
    shapes[f'{layer}.1.in_proj_weight'] = (3 * width, width)
    shapes[f'{layer}.1.in_proj_bias'] = (3 * width,)
    add(f'{layer}.1.out_proj', width, width)
    add(f'{layer}.2.net.0', width)
    add(f'{layer}.2.net.1', 4 * width, width)
    add(f'{layer}.2.net.3', width, 4 * width)
  return shapes


def drawn(shapes, seed=0) -> dict[str, np.ndarray]:
  """A state dict of these names and shapes, by chance."""
  rng = np.random.default_rng(seed)
  return {
    name: np.zeros(shape, np.int64)
    if name.endswith('num_batches_tracked')
    else rng.standard_normal(shape, np.float32).reshape(shape)
    for name, shape in shapes.items()
  }


@pytest.mark.parametrize(
  'file,model_id,stream',
  [('a0s_names.json', 'a0', True), ('a3b_names.json', 'a3', False)],
)
def test_derived_names_are_those_of_the_published_checkpoints(
  file, model_id, stream
):
  published = {
    name: tuple(shape)
    for name, shape in json.loads((PARITY / file).read_text()).items()
  }
  assert grw_names(model_id, stream) == published


@pytest.mark.parametrize(
  'model_id,stream', [('a0', True), ('a2', True), ('a1', False), ('a5', False)]
)
def test_every_port_model_converts_with_every_variable_matched(
  model_id, stream, tmp_path
):
  state = drawn(port_names(model_id, stream))
  torch_writer.save(tmp_path / 'port.pt', state)
  weights = source.read(str(tmp_path / 'port.pt'))
  assert weights.kind == 'movinet_pytorch'
  assert weights.architecture == architecture.Architecture(
    'movinet',
    movinet_weights.FoundMovinet(model_id, stream=stream, factorized=stream),
    head.FoundHead('movinet', 'stock classifier head', num_classes=600),
  )

  tf_keras.backend.clear_session()
  with undrawn.variables():
    backbone = movinet.Movinet(
      model_id=model_id,
      causal=stream,
      conv_type='2plus1d' if stream else '3d',
      se_type='2plus3d' if stream else '3d',
      use_sync_bn=False,
    )
  report = assign.assign(backbone, weights)
  assert len(report.matched) == len(backbone.variables)
  assert not report.initial
  counters = sum(name.endswith('num_batches_tracked') for name in state)
  assert len(report.matched) + len(report.unused) == len(state) - counters
  assert all(name.startswith('classifier_head/') for name in report.unused)


def test_layouts_of_kernels():
  """By what they multiply: torch is [out, in, ...], Keras [..., in, out]."""
  state = drawn(
    {
      'conv1.conv_1.conv2d.weight': (8, 3, 5, 7),
      'blocks.b1_l2.deep.conv_1.conv2d.weight': (24, 1, 3, 5),
      'blocks.b1_l2.deep.conv_2.conv2d.weight': (24, 1, 3, 1),
      'blocks.b1_l3.deep.conv_1.conv3d.weight': (24, 1, 5, 3, 7),
    }
  )
  stem = torch_names.translate(state)['stem/stem/kernel']
  assert stem.shape == (1, 5, 7, 3, 8)
  assert stem[0, 4, 6, 1, 2] == state['conv1.conv_1.conv2d.weight'][2, 1, 4, 6]
  temporal = torch_names.translate(state)[
    'block1_layer2/bneck/feature/temporal/kernel'
  ]
  assert temporal.shape == (3, 1, 1, 1, 24)
  assert (
    temporal[2, 0, 0, 0, 5]
    == state['blocks.b1_l2.deep.conv_2.conv2d.weight'][5, 0, 2, 0]
  )
  whole = torch_names.translate(state)['block1_layer3/bneck/feature/kernel']
  assert (
    whole[4, 2, 6, 0, 9]
    == state['blocks.b1_l3.deep.conv_1.conv3d.weight'][9, 0, 4, 2, 6]
  )


def test_the_moving_average_is_read_when_asked(tmp_path):
  shapes = grw_names('a0', True, num_classes=3)
  state, average = drawn(shapes, 1), drawn(shapes, 2)
  torch_writer.save_grw(tmp_path / 'a0s_grw.pt', state, 5, average)
  for asked, expected in (('auto', state), ('model', state), ('ema', average)):
    weights = source.read(str(tmp_path / 'a0s_grw.pt'), asked)
    assert weights.kind == 'grw_pytorch'
    assert weights.window == 5
    assert weights.has_average
    np.testing.assert_array_equal(
      weights.values['grw_embedding/kernel'],
      expected[f'{ENCODER}classifier.weight'].T,
    )


def test_a_moving_average_that_is_not_there(tmp_path):
  state = drawn(grw_names('a0', True, num_classes=3))
  torch_writer.save_grw(tmp_path / 'a0s_grw.pt', state, 5)
  assert not source.read(str(tmp_path / 'a0s_grw.pt')).has_average
  with pytest.raises(ValueError, match='no moving average'):
    source.read(str(tmp_path / 'a0s_grw.pt'), 'ema')


def test_heads_that_do_not_divide_the_width():
  with pytest.raises(ValueError, match='7 attention heads'):
    torch_names.translate(drawn(grw_names('a0', True)), num_heads=7)


def test_unknown_entries_are_named():
  state = drawn(port_names('a0', True))
  state['conv8.weight'] = np.zeros((2, 3), np.float32)
  with pytest.raises(ValueError, match=r"'conv8.weight' \(2, 3\)"):
    torch_names.translate(state)


def test_two_entries_of_one_place_are_refused():
  """Which of a shortcut's two forms counts would be a matter of order."""
  state = drawn(port_names('a0', True))
  name = next(key for key in state if '.res.1.' in key)
  state[name.replace('.res.1.', '.res.0.')] = state[name]
  with pytest.raises(ValueError, match='another entry, which both would be'):
    torch_names.translate(state)


def test_torch_is_not_needed():
  assert 'torch' not in sys.modules
