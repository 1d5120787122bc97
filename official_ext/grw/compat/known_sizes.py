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

"""MoViNet's 2D convolutions on videos, without operations for sizes.

Patches: `MobileConv2D` asks for each size of its input and output by operations
of its own, 48 for the two `tf.reshape` around a convolution, though nearly all
sizes are known when it is traced.  Of the operations of a MoViNet they are more
than half, and so of the time to build, trace and export one.  Here `tf.reshape`
gets numbers, and infers one size.  Where more are not known, as in models for
clips of any size, each tensor is asked once.

Upstream: no issue is known.  Unnecessary once `MobileConv2D` reads
`inputs.shape`.
"""

from collections.abc import Callable, Sequence
import functools
from typing import Any, NamedTuple

from official.projects.movinet.modeling import movinet_layers
import tensorflow as tf


class _Sizes(NamedTuple):
  """Some sizes of a tensor.

  Attributes:
    known: each size, or None where it is not known; -1 is to be inferred.
    read: returns all of them, by operations where one is not known.
  """

  known: Sequence[int | None]
  read: Callable[[], Any]


def _numbers(numbers: Sequence[int]) -> _Sizes:
  return _Sizes(numbers, lambda: numbers)


def _sizes_of(x: tf.Tensor) -> Callable[[int, int], _Sizes]:
  """Returns what takes axes, from one to before another, to their sizes."""
  shape = functools.cache(lambda: tf.shape(x))

  def sizes(first: int, end: int) -> _Sizes:
    known = x.shape[first:end]
    return _Sizes(known, lambda: shape()[first:end] if None in known else known)

  return sizes


def _shape(*parts: _Sizes) -> Any:
  """What `tf.reshape` takes: numbers, unless more than one is not known."""
  numbers = [size for part in parts for size in part.known]
  if numbers.count(None) + numbers.count(-1) <= 1:
    return [-1 if size is None else size for size in numbers]
  return tf.concat([part.read() for part in parts], 0)


def _convolve(
  layer: movinet_layers.MobileConv2D, inputs: tf.Tensor
) -> tf.Tensor:
  """What the stock `call` computes, of videos [batch, N, H, W, C]."""
  before = _sizes_of(inputs)
  clips, _, rows, columns, channels = inputs.shape
  batch, frame = _numbers([-1 if clips is None else clips]), before(2, 4)
  if layer._use_temporal:
    pixels = _Sizes(
      [None if rows is None or columns is None else rows * columns],
      lambda: tf.reduce_prod(frame.read(), keepdims=True),
    )
    shape = _shape(batch, before(1, 2), pixels, _numbers([channels]))
  else:
    shape = _shape(_numbers([-1]), frame, _numbers([channels]))
  x = layer._conv(tf.reshape(inputs, shape))
  if layer._batch_norm_op is not None:
    x = layer._batch_norm_op(x)
  if layer._activation_op is not None:
    x = layer._activation_op(x)
  after = _sizes_of(x)
  parts: tuple[_Sizes, ...]
  if layer._use_temporal:
    parts = after(1, 2), frame
  elif layer._conv.padding == 'same' and set(layer._conv.strides) == {1}:
    parts = (before(1, 4),)  # The frames' sizes are what they were.
  else:
    parts = before(1, 2), after(1, 3)
  return tf.reshape(x, _shape(batch, *parts, _numbers([x.shape[3]])))


def use_known_sizes() -> None:
  """Replaces the `call` of all layers of the class."""
  movinet_layers.MobileConv2D.call = _convolve
