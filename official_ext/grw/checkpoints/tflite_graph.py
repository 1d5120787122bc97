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

"""Recognizes a streaming MoViNet in the operator graph of a TFLite file.

A converter renames, reorders and folds: neither names nor positions of tensors
say what they are.  What computes from what does.  From the image the walk
follows the stem, then block after block: the expansion is the pointwise
convolution that a depthwise one reads, a depthwise convolution that reads a
state too is the temporal one, and so on to the classifier.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
from official.projects.movinet.modeling import movinet

from official_ext.grw.checkpoints import tflite_reader
from official_ext.grw.checkpoints.tflite_reader import Graph
from official_ext.grw.checkpoints.tflite_reader import Operator
from official_ext.grw.checkpoints.tflite_reader import Tensor

# Operators whose output holds the numbers of their first input.
_SAME_NUMBERS = frozenset(
  (
    'RESHAPE',
    'SQUEEZE',
    'EXPAND_DIMS',
    'QUANTIZE',
    'DEQUANTIZE',
    'BROADCAST_TO',
    'TILE',
  )
)
_WEIGHTED = frozenset(('CONV_2D', 'FULLY_CONNECTED'))
_DEPTHWISE = 'DEPTHWISE_CONV_2D'
_MEANS = frozenset(('MEAN', 'SUM', 'AVERAGE_POOL_2D'))
_ACTIVATIONS = {
  'HARD_SWISH': 'hard_swish',
  'LOGISTIC': 'sigmoid',
  'RELU': 'relu',
  'RELU6': 'relu6',
  'RELU_0_TO_1': 'relu_0_to_1',
  'GELU': 'gelu',
}
# Of a gate, the largest value before what it is multiplied with.
_LIMITS = {
  'relu': (0.0, np.inf),
  'relu6': (0.0, 6.0),
  'relu_0_to_1': (0.0, 1.0),
}
ORIGINAL_GATE = 'grw>hard_sigmoid'
NEWER_GATE = 'hard_sigmoid'
# What the newer gate is multiplied with, as the Model Garden rounds it.
_SIXTH = 0.16667


@dataclasses.dataclass(frozen=True)
class StreamingMovinet:
  """What a file holds.

  Attributes:
    values: structural names (see `structural_names`) to arrays.
    norms: structural names of the batch norms that were folded: their moving
      statistics are those of the identity.
    backbone: fields of the backbone's config that the graph tells.
    head: fields of the head's config that the graph tells.
    num_frames: N, the frames that the head sees; 0 where the graph has no end.
    image_size: height and width; 0 stands for one that is not fixed.
    stored: how many constants were stored in which reduced type, such as
      {'int8': 71}; empty if all are float32.
  """

  values: Mapping[str, np.ndarray]
  norms: frozenset[str]
  backbone: Mapping[str, Any]
  head: Mapping[str, Any]
  num_frames: int
  image_size: tuple[int, int]
  stored: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Layer:
  """A convolution or dense layer, and what follows it with constants.

  Attributes:
    kernel: [height, width, in, out]; of depthwise ones [height, width, 1, out].
    scale: what the output channels are multiplied with, after the kernel.
    offset: what is then added.
    activation: '' for none.
    output: after the activation.
    rezero: a last multiplication by one number, if there is one.
  """

  kernel: np.ndarray
  scale: np.ndarray
  offset: np.ndarray
  activation: str
  output: Tensor
  rezero: float = 1.0


@dataclasses.dataclass
class _Block:
  """A block, before it has a name."""

  expansion: _Layer
  spatial: _Layer
  temporal: _Layer | None
  reduce: _Layer | None
  expand: _Layer | None
  projection: _Layer
  skip: _Layer | None
  position: float | None
  output: Tensor

  @property
  def spec(self) -> tuple:
    """What tells blocks of BLOCK_SPECS apart."""
    height, width = self.spatial.kernel.shape[:2]
    time = self.temporal.kernel.shape[0] if self.temporal else 1
    return (
      self.expansion.kernel.shape[-1],
      (time, height, width),
      self.projection.kernel.shape[-1],
    )


def read(path: str) -> StreamingMovinet:
  """Reads a file.

  Raises:
    ValueError: it is damaged, or holds no streaming MoViNet; says what is
      unlike one.
  """
  graphs = tflite_reader.read(path)
  main = [graph for graph in graphs if _image(graph) is not None]
  if not main:
    raise _unlike(path, 'no input is an image, that is has three channels last')
  walk = _Walk(main[0], path)
  found = walk.movinet([graph for graph in graphs if graph is not main[0]])
  counts: dict[str, int] = {}
  for graph in graphs:
    for kind, count in tflite_reader.stored_as(graph).items():
      counts[kind] = counts.get(kind, 0) + count
  return dataclasses.replace(found, stored=counts)


def _unlike(path: str, what: str) -> ValueError:
  return ValueError(
    f'{path} can be read, but is no streaming MoViNet, which takes frames and '
    f'states: {what}.'
  )


def _image(graph: Graph) -> Tensor | None:
  images = [
    tensor
    for tensor in graph.inputs
    if len(tensor.shape) in (4, 5) and tensor.shape[-1] == 3
  ]
  return images[0] if len(images) == 1 else None


class _Walk:
  """Follows one graph from its image to its logits."""

  def __init__(self, graph: Graph, path: str):
    self._path = path
    self._graph = graph
    self._same: dict[int, Tensor] = {}
    self._maker: dict[int, Operator] = {}
    self._users: dict[int, list[Operator]] = {}
    self.add(graph)

  def add(self, graph: Graph):
    """Lets the walk go on in a graph."""
    for operator in graph.operators:
      first = operator.inputs[0] if operator.inputs else None
      if operator.name in _SAME_NUMBERS and first is not None:
        if first.value is not None:
          operator.outputs[0].value = first.value
        else:
          self._same[id(operator.outputs[0])] = self.same(first)
        continue
      for tensor in operator.outputs:
        self._maker[id(tensor)] = operator
      if operator.name == 'SHAPE':
        continue  # Reads no numbers.
      for key in {
        id(self.same(tensor))
        for tensor in operator.inputs
        if tensor is not None and tensor.value is None
      }:
        self._users.setdefault(key, []).append(operator)

  def same(self, tensor: Tensor) -> Tensor:
    """Where the numbers of a tensor come from."""
    return self._same.get(id(tensor), tensor)

  def users(self, tensor: Tensor) -> list[Operator]:
    """Operators that read these numbers."""
    return self._users.get(id(self.same(tensor)), [])

  def other(self, operator: Operator, tensor: Tensor) -> Tensor | None:
    """The other of two inputs; None if there is no other."""
    rest = [
      given
      for given in operator.inputs[:2]
      if given is not None and self.same(given) is not self.same(tensor)
    ]
    return rest[0] if rest else None

  def unlike(self, what: str) -> ValueError:
    return _unlike(self._path, what)

  def ahead(self, tensor: Tensor, names: Iterable[str]) -> list[Operator]:
    """The first operators of these names on each way from a tensor."""
    names = frozenset(names)
    found: list[Operator] = []
    queue, seen = [self.same(tensor)], set()
    while queue:
      for operator in self.users(queue.pop(0)):
        if id(operator) in seen:
          continue
        seen.add(id(operator))
        if operator.name in names:
          found.append(operator)
        else:
          queue.extend(operator.outputs)
    return found

  def only(self, operators: Sequence[Operator], what: str) -> Operator:
    if len(operators) != 1:
      raise self.unlike(f'{what}: expected one, found {len(operators)}')
    return operators[0]

  # Layers.

  def _steps(self, tensor: Tensor) -> tuple[list[tuple[str, Any]], Tensor]:
    """What is done to a tensor with constants alone, and what comes out."""
    steps: list[tuple[str, Any]] = []
    while True:
      users = self.users(tensor)
      swish = self._swish(tensor, users)
      if swish is not None:
        name, tensor = swish
        steps.append((name, None))
        continue
      if len(users) != 1:
        return steps, tensor
      operator = users[0]
      if operator.name in _ACTIVATIONS:
        steps.append((_ACTIVATIONS[operator.name], None))
      else:
        step = self._with_constant(operator, tensor)
        if step is None:
          return steps, tensor
        steps.extend(step)
      tensor = operator.outputs[0]
      steps.extend(_fused(operator))

  def _with_constant(
    self, operator: Operator, tensor: Tensor
  ) -> list[tuple[str, Any]] | None:
    constant = self.other(operator, tensor)
    if constant is None or constant.value is None:
      return None
    value = constant.value
    first = operator.inputs[0] is constant
    if operator.name == 'MUL':
      return [('mul', value)]
    if operator.name == 'ADD':
      return [('add', value)]
    if operator.name == 'SUB':
      return [('mul', -1.0), ('add', value)] if first else [('add', -value)]
    if operator.name == 'DIV' and not first:
      return [('mul', 1 / value)]
    if operator.name in ('MINIMUM', 'MAXIMUM'):
      return [(operator.name.lower(), float(np.max(value)))]
    return None

  def _swish(
    self, tensor: Tensor, users: Sequence[Operator]
  ) -> tuple[str, Tensor] | None:
    """Whether x · sigmoid(x), or x · relu6(x + 3) / 6, and its output."""
    if len(users) != 2:
      return None
    product = next((user for user in users if user.name == 'MUL'), None)
    inner = next((user for user in users if user is not product), None)
    if product is None or inner is None:
      return None
    if inner.name == 'LOGISTIC':
      name, result = 'swish', inner.outputs[0]
    elif inner.name == 'ADD':
      name = 'hard_swish'
      steps, result = self._steps_of(inner, tensor)
      if 'relu6' not in [kind for kind, _ in steps]:
        return None
    else:
      return None
    other = self.other(product, tensor)
    if other is None or self.same(other) is not self.same(result):
      return None
    output = product.outputs[0]
    if name == 'hard_swish' and all(kind != 'mul' for kind, _ in steps):
      # The sixth comes last.
      last = self.users(output)
      if len(last) != 1 or not self._with_constant(last[0], output):
        return None
      output = last[0].outputs[0]
    return name, output

  def _steps_of(self, operator: Operator, tensor: Tensor):
    """`_steps`, beginning with one of several users of a tensor."""
    first = self._with_constant(operator, tensor) or []
    steps, output = self._steps(operator.outputs[0])
    return [*first, *_fused(operator), *steps], output

  def layer(self, operator: Operator) -> tuple[_Layer, list[tuple[str, Any]]]:
    """The layer that begins with an operator, and the steps after it."""
    weights, *rest = operator.inputs[1:]
    if weights is None or weights.value is None:
      raise self.unlike(f'the weights of a {operator.name} are not constant')
    if weights.value.dtype != np.float32:
      raise self.unlike(
        f'the weights of a {operator.name} are {weights.type} without a scale'
      )
    value = weights.value
    if operator.name == 'FULLY_CONNECTED':
      kernel = value.T[np.newaxis, np.newaxis]
    elif operator.name == _DEPTHWISE:
      kernel = np.swapaxes(value[0][..., np.newaxis], -1, -2)
    else:
      kernel = np.transpose(value, (1, 2, 3, 0))
    channels = kernel.shape[-1]
    offset = np.zeros(channels, np.float32)
    if rest and rest[0] is not None:
      if rest[0].value is None:
        raise self.unlike(f'the bias of a {operator.name} is not constant')
      offset = np.asarray(rest[0].value, np.float32).reshape(-1)
    following, output = self._steps(operator.outputs[0])
    steps = [*_fused(operator), *following]
    layer = _Layer(kernel, np.ones(channels, np.float32), offset, '', output)
    return layer, steps

  def plain(self, operator: Operator, rezero: bool = False) -> _Layer:
    """A layer with at most scale, offset and then an activation.

    Args:
      operator: that the layer begins with.
      rezero: whether a last multiplication by one number is kept apart.
    """
    layer, steps = self.layer(operator)
    for number, (kind, value) in enumerate(steps):
      last = number == len(steps) - 1
      if rezero and kind == 'mul' and last and np.ptp(value) == 0:
        layer.rezero = float(np.ravel(value)[0])
      elif kind in ('mul', 'add') and not layer.activation:
        value = self._per_channel(value, layer.offset.size)
        if kind == 'mul':
          layer.scale, layer.offset = layer.scale * value, layer.offset * value
        else:
          layer.offset = layer.offset + value
      elif not layer.activation and kind not in ('mul', 'add'):
        layer.activation = kind
      else:
        raise self.unlike(
          f'a {operator.name} is followed by '
          f'{" and ".join(kind for kind, _ in steps)}'
        )
    return layer

  def _per_channel(self, value: np.ndarray, channels: int) -> np.ndarray:
    value = np.asarray(value, np.float32)
    if value.size == 1:
      return np.full(channels, value.reshape(-1)[0])
    if value.shape[-1] == channels:
      rows = value.reshape(-1, channels)
      if np.all(rows == rows[0]):
        return rows[0]
    raise self.unlike(
      f'a constant of shape {list(value.shape)} is applied to {channels} '
      'channels'
    )

  def gate(self, operator: Operator) -> tuple[_Layer, str, float]:
    """The last layer of a squeeze-excitation.

    Returns:
      The layer, so that kernel and offset are those before the activation; the
      name of the activation; what its value is multiplied with besides.
    """
    layer, steps = self.layer(operator)
    low, high, factor, sigmoid = -np.inf, np.inf, 1.0, False
    for kind, value in steps:
      limited = sigmoid or np.isfinite([low, high]).any()
      if kind == 'mul' and limited:
        if np.ptp(value) > 0:
          raise self.unlike('a gate is multiplied with different numbers')
        factor *= float(np.ravel(value)[0])
      elif kind == 'mul':
        value = self._per_channel(value, layer.offset.size)
        layer.scale, layer.offset = layer.scale * value, layer.offset * value
      elif kind == 'add' and not limited:
        layer.offset = layer.offset + self._per_channel(
          value, layer.offset.size
        )
      elif kind in _LIMITS:
        low, high = max(low, _LIMITS[kind][0]), min(high, _LIMITS[kind][1])
      elif kind == 'minimum':
        high = min(high, value)
      elif kind == 'maximum':
        low = max(low, value)
      elif kind == 'sigmoid' and not limited:
        sigmoid = True
      else:
        raise self.unlike(f'a gate is followed by {kind}')
    layer.kernel = layer.kernel * layer.scale
    layer.scale = np.ones_like(layer.scale)
    if sigmoid:
      return layer, 'sigmoid', factor
    if low != 0:
      raise self.unlike('a gate is not cut off at 0')
    # A file of integers may have the upper limit cut to what it has seen.
    if high < 1.1:
      layer.kernel, layer.offset = layer.kernel * 5, (layer.offset - 0.5) * 5
      return layer, ORIGINAL_GATE, factor
    if high == 6 and factor == 1:
      # Of an export whose projection has the sixth: relu6(1.2 x + 3).
      layer.kernel = layer.kernel / 1.2
      layer.offset = (layer.offset - 3) / 1.2
      return layer, ORIGINAL_GATE, 6.0
    if high == 6:
      layer.offset = layer.offset - 3
      return layer, NEWER_GATE, factor / _SIXTH
    raise self.unlike(f'a gate is cut off at {high}')

  # The network.

  def movinet(self, others: Sequence[Graph]) -> StreamingMovinet:
    """Follows the graph to the logits.

    Args:
      others: the other graphs of the file, where the head may be.
    """
    image = _image(self._graph)
    assert image is not None
    states = [tensor for tensor in self._graph.inputs if len(tensor.shape) == 5]
    if len(states) < 2:
      raise self.unlike('it has no states, so it takes whole clips')
    before, tensor = self._steps(image)
    stem = self.plain(
      self.only(
        [user for user in self.users(tensor) if user.name == 'CONV_2D'],
        'convolutions of the image',
      )
    )
    for kind, value in before:
      if kind != 'mul':
        raise self.unlike('the image is shifted before the first convolution')
      stem.kernel = (
        stem.kernel * np.reshape(value, -1)[np.newaxis, :, np.newaxis]
      )
    blocks: list[_Block] = []
    gates: set[str] = set()
    tensor = stem.output
    while (expansion := self._expansion(tensor)) is not None:
      block, gate = self._block(tensor, expansion)
      blocks.append(block)
      gates |= {gate} - {''}
      tensor = block.output
    if not blocks:
      raise self.unlike('no depthwise convolution follows the stem')
    if len(gates) > 1:
      raise self.unlike(f'gates of different kinds, {sorted(gates)}')
    project = self.plain(
      self.only(
        [user for user in self.users(tensor) if user.name in _WEIGHTED],
        'convolutions after the last block',
      )
    )
    activations = {
      layer.activation
      for layer in [stem, project, *(block.expansion for block in blocks)]
    }
    if len(activations) > 1:
      raise self.unlike(
        f'activations of different kinds, {sorted(activations)}'
      )
    model_id, names = self._names(stem, blocks, project)

    collected = _Collected()
    collected.norm('stem/stem', stem)
    for name, block in zip(names, blocks):
      collected.block(name, block)
    if any(block.position is not None for block in blocks):
      for name, block in zip(names, blocks):
        # One that is zero leaves nothing in the graph.
        collected.values[f'{name}/pos_encoding/scale'] = np.asarray(
          block.position or 0.0, np.float32
        )
    collected.norm('head/project', project)
    head, num_frames = self._head(project, collected.values, others)
    squeeze = blocks[0].reduce
    se_type = 'none'
    if squeeze is not None:
      double = (
        squeeze.kernel.shape[2] == 2 * blocks[0].expansion.kernel.shape[-1]
      )
      se_type = '2plus3d' if double else '3d'
    frames = image.shape[-3:-1]
    return StreamingMovinet(
      values=collected.values,
      norms=frozenset(collected.norms),
      backbone={
        'model_id': model_id,
        'causal': True,
        'se_type': se_type,
        'activation': activations.pop() or 'linear',
        **({'gating_activation': gates.pop()} if gates else {}),
      },
      head=head,
      num_frames=num_frames,
      image_size=(max(frames[0], 0), max(frames[1], 0)),
    )

  def _expansion(self, tensor: Tensor) -> Operator | None:
    """The convolution that begins a block, if one does."""
    for operator in self.users(tensor):
      if operator.name in _WEIGHTED:
        _, output = self._steps(operator.outputs[0])
        if any(user.name == _DEPTHWISE for user in self.users(output)):
          return operator
    return None

  def _depthwise(self, tensor: Tensor, what: str) -> _Layer:
    return self.plain(
      self.only(
        [user for user in self.users(tensor) if user.name == _DEPTHWISE],
        what,
      )
    )

  def _block(self, tensor: Tensor, first: Operator) -> tuple[_Block, str]:
    expansion = self.plain(first)
    spatial = self._depthwise(
      expansion.output, 'depthwise convolutions of an expansion'
    )
    features, temporal = spatial.output, None
    for user in self.users(features):
      if user.name == 'CONCATENATION':
        temporal = self._depthwise(
          user.outputs[0], 'convolutions of a stream buffer'
        )
        features = temporal.output
    reduce, expand, position, gate, factor = None, None, None, '', 1.0
    gated = features
    pooled = [user for user in self.users(features) if user.name in _MEANS]
    if pooled:
      operator = self.only(
        self.ahead(self.only(pooled, 'means of a block').outputs[0], _WEIGHTED),
        'dense layers of a squeeze-excitation',
      )
      position = self._position(operator)
      reduce = self.plain(operator)
      expand, gate, factor = self.gate(
        self.only(
          [
            user for user in self.users(reduce.output) if user.name in _WEIGHTED
          ],
          'second dense layers of a squeeze-excitation',
        )
      )
      gated = self.only(
        [user for user in self.users(expand.output) if user.name == 'MUL'],
        'products with a gate',
      ).outputs[0]
    projection = self.plain(
      self.only(
        [user for user in self.users(gated) if user.name in _WEIGHTED],
        'projections of a block',
      ),
      rezero=True,
    )
    if abs(factor - 1) > 0.01:
      projection.kernel = projection.kernel * np.float32(factor)
    total = self.only(self.users(projection.output), 'sums of a block')
    skipped = self.other(total, projection.output)
    if total.name != 'ADD' or skipped is None:
      raise self.unlike(f'a projection is followed by {total.name}, not a sum')
    skip = None
    if self.same(skipped) is not self.same(tensor):
      skip = self._skip(tensor, first, skipped)
    return (
      _Block(
        expansion,
        spatial,
        temporal,
        reduce,
        expand,
        projection,
        skip,
        position,
        total.outputs[0],
      ),
      gate,
    )

  def _skip(self, tensor: Tensor, first: Operator, skipped: Tensor) -> _Layer:
    """The projection from the input of a block to what is added at its end."""
    for user in self.users(tensor):
      source = user
      if user.name == 'AVERAGE_POOL_2D':
        readers = self.users(user.outputs[0])
        if len(readers) != 1:
          continue
        source = readers[0]
      if source is first or source.name not in _WEIGHTED:
        continue
      layer, steps = self.layer(source)
      if self.same(layer.output) is not self.same(skipped):
        continue
      for kind, value in steps:
        value = self._per_channel(value, layer.offset.size)
        if kind == 'mul':
          layer.scale, layer.offset = layer.scale * value, layer.offset * value
        elif kind == 'add':
          layer.offset = layer.offset + value
        else:
          raise self.unlike(f'a skip projection is followed by {kind}')
      return layer
    raise self.unlike('what a block adds is neither its input nor made of it')

  def _position(self, operator: Operator) -> float | None:
    """The scale of the position that is added before a dense layer."""
    given = operator.inputs[0]
    maker = self._maker.get(id(self.same(given))) if given else None
    if maker is None or maker.name != 'ADD':
      return None
    for tensor in maker.inputs:
      product = self._maker.get(id(self.same(tensor))) if tensor else None
      if product is None:
        continue
      if product.name == 'MUL':
        for factor in product.inputs:
          if factor is not None and factor.value is not None:
            if self._is_wave(self.other(product, factor)):
              return float(np.ravel(factor.value)[0])
      if self._is_wave(tensor):
        return 1.0
    return None

  def _is_wave(self, tensor: Tensor | None) -> bool:
    """Whether a tensor is of sines and cosines."""
    maker = self._maker.get(id(self.same(tensor))) if tensor else None
    if maker is None or maker.name != 'CONCATENATION':
      return False
    makers = [
      self._maker.get(id(self.same(part)))
      for part in maker.inputs
      if part is not None
    ]
    return {part.name for part in makers if part} == {'SIN', 'COS'}

  def _names(
    self, stem: _Layer, blocks: Sequence[_Block], project: _Layer
  ) -> tuple[str, list[str]]:
    """The model id, and the names of its blocks."""
    found = (
      stem.kernel.shape[-1],
      [block.spec for block in blocks],
      project.kernel.shape[-1],
    )
    for model_id, (first, *stages, last) in movinet.BLOCK_SPECS.items():
      specs, names = [], []
      for number, stage in enumerate(stages):
        for layer, width in enumerate(stage.expand_filters):
          specs.append(
            (width, tuple(stage.kernel_sizes[layer]), stage.base_filters)
          )
          names.append(f'block{number}_layer{layer}')
      if found == (first.filters, specs, last.project_filters):
        return model_id, names
    raise ValueError(
      f'{self._path} holds a MoViNet of {len(blocks)} blocks whose widths and '
      'kernels are those of no model id in movinet.BLOCK_SPECS: register its '
      'specification first.'
    )

  # The head.

  def _head(
    self,
    project: _Layer,
    values: dict[str, np.ndarray],
    others: Sequence[Graph],
  ) -> tuple[dict[str, Any], int]:
    """Reads what follows the backbone; fields of the head's config, and N."""
    first = self.only(
      self.ahead(project.output, _WEIGHTED), 'dense layers of the head'
    )
    layer = self.plain(first)
    stops = _WEIGHTED | {'RSQRT'}
    following = self.ahead(layer.output, stops)
    embeddings = layer.output
    if not following and not layer.activation:
      for graph in others:  # A head in a graph of its own.
        given = [
          tensor
          for tensor in graph.inputs
          if len(tensor.shape) == 3
          and tensor.shape[-1] == layer.kernel.shape[-1]
        ]
        if given:
          self.add(graph)
          embeddings = given[0]
          following = self.ahead(embeddings, stops)
          break
    num_frames = self._num_frames(project.output, embeddings)
    if layer.activation:
      return self._stock_head(layer, values), num_frames
    if not following:
      _dense(values, 'grw_linear_head/classifier', layer)
      return {'type': 'linear'}, num_frames
    _dense(values, 'grw_embedding', layer)
    if any(operator.name == 'RSQRT' for operator in following):
      return self._temporal_head(embeddings, values), num_frames
    layer = self.plain(self.only(following, 'dense layers after embeddings'))
    if layer.activation:
      return self._stock_head(layer, values), num_frames
    _dense(values, 'grw_linear_head/classifier', layer)
    return {'type': 'linear'}, num_frames

  def _num_frames(self, features: Tensor, embeddings: Tensor) -> int:
    """N, from the states that what comes of features is joined to."""
    if len(embeddings.shape) == 3 and embeddings.shape[1] > 1:
      return embeddings.shape[1]
    joined = self.ahead(features, {'CONCATENATION'})
    frames = [
      operator.outputs[0].shape[1]
      for operator in joined
      if len(operator.outputs[0].shape) == 3
    ]
    caches = [
      operator.outputs[0].shape[2]
      for operator in joined
      if len(operator.outputs[0].shape) == 4
    ]
    return max([*frames, *caches], default=0)

  def _stock_head(
    self, hidden: _Layer, values: dict[str, np.ndarray]
  ) -> dict[str, Any]:
    classifier = self.plain(
      self.only(self.ahead(hidden.output, _WEIGHTED), 'classifiers')
    )
    for name, layer in (('head', hidden), ('classifier', classifier)):
      kernel = layer.kernel * layer.scale
      values[f'classifier_head/{name}/kernel'] = kernel[np.newaxis]
      values[f'classifier_head/{name}/bias'] = layer.offset
    return {'type': 'movinet', 'movinet_activation': hidden.activation}

  def _temporal_head(
    self, embeddings: Tensor, values: dict[str, np.ndarray]
  ) -> dict[str, Any]:
    tensor = self._normalized(embeddings, 'grw_head/norm_in', values)
    # Positions are fixed, and weights of nothing.
    tensor = self._sum(tensor)
    layers, heads, causal = 0, 0, False
    while True:
      name = f'grw_head/block{layers}'
      normalized, norm = self._norm(tensor)
      dense = [
        operator
        for operator in self.users(normalized)
        if operator.name == 'FULLY_CONNECTED'
      ]
      if len(dense) != 3:
        values['grw_head/norm_out/gamma'] = norm[0]
        values['grw_head/norm_out/beta'] = norm[1]
        break
      values[f'{name}/norm1/gamma'], values[f'{name}/norm1/beta'] = norm
      tensor, heads, causal = self._attention(tensor, dense, name, values)
      normalized = self._normalized(tensor, f'{name}/norm2', values)
      hidden = self.plain(self.only(self.users(normalized), 'layers of an MLP'))
      _dense(values, f'{name}/mlp_in', hidden)
      outer = self.plain(
        self.only(self.users(hidden.output), 'second layers of an MLP')
      )
      _dense(values, f'{name}/mlp_out', outer)
      tensor = self._sum(outer.output)
      layers += 1
    classifier = self.plain(
      self.only(self.ahead(normalized, _WEIGHTED), 'classifiers')
    )
    _dense(values, 'grw_head/classifier', classifier)
    return {'type': 'temporal', 'num_heads': heads, 'causal': causal}

  def _sum(self, tensor: Tensor) -> Tensor:
    operator = self.only(
      [user for user in self.users(tensor) if user.name == 'ADD'],
      'sums in a transformer',
    )
    return operator.outputs[0]

  def _normalized(
    self, tensor: Tensor, name: str, values: dict[str, np.ndarray]
  ) -> Tensor:
    output, (values[f'{name}/gamma'], values[f'{name}/beta']) = self._norm(
      tensor
    )
    return output

  def _norm(self, tensor: Tensor) -> tuple[Tensor, tuple[Any, Any]]:
    """A layer norm that reads a tensor: its output, and gamma and beta."""
    squares = self.ahead(tensor, {'SQUARED_DIFFERENCE'})
    root = self.only(
      self.ahead(squares[0].outputs[0], {'RSQRT'}) if squares else [],
      'layer norms',
    )
    scaled = self.only(self.users(root.outputs[0]), 'scales of a layer norm')
    gamma = self.other(scaled, root.outputs[0])
    products = self.users(scaled.outputs[0])
    shifted = [
      operator
      for product in products
      for operator in self.users(product.outputs[0])
      if operator.name == 'SUB'
    ]
    offset = self.only(shifted, 'offsets of a layer norm')
    beta = offset.inputs[0]
    if (
      gamma is None or gamma.value is None or beta is None or beta.value is None
    ):
      raise self.unlike('a layer norm has no constant scale and offset')
    output = self._sum(offset.outputs[0])
    return output, (np.ravel(gamma.value), np.ravel(beta.value))

  def _attention(
    self,
    residual: Tensor,
    dense: Sequence[Operator],
    name: str,
    values: dict[str, np.ndarray],
  ) -> tuple[Tensor, int, bool]:
    """Reads the attention; what comes out, its heads, whether it is causal."""
    products = {
      id(operator): self.only(
        self.ahead(operator.outputs[0], {'BATCH_MATMUL'}),
        'products of an attention',
      )
      for operator in dense
    }
    readers: dict[int, list[Operator]] = {}
    for operator in dense:
      readers.setdefault(id(products[id(operator)]), []).append(operator)
    pairs = [group for group in readers.values() if len(group) == 2]
    single = [group for group in readers.values() if len(group) == 1]
    if not pairs or not single:
      raise self.unlike('no queries and keys in an attention')
    scores = products[id(pairs[0][0])]
    heads = scores.outputs[0].shape[1]
    causal = any(
      operator.name == 'CONCATENATION'
      for layer in pairs[0]
      for operator in self.ahead(
        layer.outputs[0], {'CONCATENATION', 'BATCH_MATMUL'}
      )
    )
    # Softmax is over the keys, which are the last axis there.
    softmax = self.only(self.ahead(scores.outputs[0], {'SOFTMAX'}), 'softmaxes')
    before = self.ahead(scores.outputs[0], {'TRANSPOSE', 'SOFTMAX'})[0]
    swapped = before.name == 'TRANSPOSE' and _swaps_last(before)
    reached_first = [
      layer for layer in pairs[0] if self._feeds(layer, scores, 0)
    ]
    if len(reached_first) != 1:
      raise self.unlike('queries and keys of an attention cannot be told apart')
    first = reached_first[0]
    second = next(layer for layer in pairs[0] if layer is not first)
    query, key = (second, first) if swapped else (first, second)
    outputs = self.only(
      self.ahead(softmax.outputs[0], {'BATCH_MATMUL'}), 'sums of values'
    )
    output = self.only(
      self.ahead(outputs.outputs[0], _WEIGHTED), 'outputs of an attention'
    )
    layers = {
      'query': self.plain(query),
      'key': self.plain(key),
      'value': self.plain(single[0][0]),
    }
    dim = layers['query'].kernel.shape[-1] // heads
    for part, layer in layers.items():
      # Keras divides queries by the root of their width.
      factor = np.float32(dim**0.5 if part == 'query' else 1)
      kernel = layer.kernel[0, 0] * layer.scale * factor
      values[f'{name}/attention/{part}/kernel'] = kernel.reshape(
        kernel.shape[0], heads, dim
      )
      values[f'{name}/attention/{part}/bias'] = (layer.offset * factor).reshape(
        heads, dim
      )
    layer = self.plain(output)
    kernel = layer.kernel[0, 0] * layer.scale
    values[f'{name}/attention/attention_output/kernel'] = kernel.reshape(
      heads, dim, kernel.shape[-1]
    )
    values[f'{name}/attention/attention_output/bias'] = layer.offset
    return self._sum(layer.output), heads, causal

  def _feeds(self, layer: Operator, product: Operator, position: int) -> bool:
    """Whether a layer's output reaches a product at this of its inputs."""
    tensor = product.inputs[position]
    while tensor is not None:
      maker = self._maker.get(id(self.same(tensor)))
      if maker is layer:
        return True
      if maker is None or maker.name in _WEIGHTED:
        return False
      # Of a cache and what is new, the new.
      tensor = maker.inputs[-1 if maker.name == 'CONCATENATION' else 0]
    return False


def _fused(operator: Operator) -> list[tuple[str, Any]]:
  name = operator.activation
  return [] if name == 'NONE' else [(_ACTIVATIONS.get(name, name), None)]


def _swaps_last(transpose: Operator) -> bool:
  order = transpose.inputs[1]
  if order is None or order.value is None:
    return False
  numbers = list(np.ravel(order.value))
  return numbers[-2:] == [len(numbers) - 1, len(numbers) - 2]


def _dense(values: dict[str, np.ndarray], name: str, layer: _Layer):
  values[f'{name}/kernel'] = layer.kernel[0, 0] * layer.scale
  values[f'{name}/bias'] = layer.offset


class _Collected:
  """Weights by structural name."""

  def __init__(self):
    self.values: dict[str, np.ndarray] = {}
    self.norms: list[str] = []

  def norm(self, name: str, layer: _Layer, axis: int = 0):
    """A convolution and the batch norm that was folded into it.

    Args:
      name: the name of both.
      layer: the convolution.
      axis: where the axis of the kernel's other dimension belongs: 0 for time,
        1 where its height is time.
    """
    self.values[f'{name}/kernel'] = np.expand_dims(layer.kernel, axis)
    self.values[f'{name}/gamma'] = layer.scale
    self.values[f'{name}/beta'] = layer.offset
    self.norms.append(name)

  def block(self, name: str, block: _Block):
    """Everything of a block."""
    inner = f'{name}/bneck'
    self.norm(f'{inner}/expansion', block.expansion)
    self.norm(f'{inner}/feature', block.spatial)
    if block.temporal is not None:
      self.norm(f'{inner}/feature/temporal', block.temporal, 1)
    for part, layer in (
      ('se_reduce', block.reduce),
      ('se_expand', block.expand),
    ):
      if layer is not None:
        self.values[f'{inner}/se/{part}/kernel'] = (layer.kernel * layer.scale)[
          np.newaxis
        ]
        self.values[f'{inner}/se/{part}/bias'] = layer.offset
    self.norm(f'{inner}/projection', block.projection)
    if block.skip is not None:
      self.norm(f'{inner}/skip/skip_project', block.skip)
    self.values[f'{name}/scale'] = np.asarray(
      block.projection.rezero, np.float32
    )
