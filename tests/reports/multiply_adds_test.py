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

"""Counted multiply-adds are those worked out by hand, and those of papers."""

import pytest
import tensorflow as tf
import tf_keras

from official_ext.grw.reports import multiply_adds

IMAGE = tf.TensorSpec([2, 8, 6, 4])
CLIP = tf.TensorSpec([1, 5, 8, 6, 4])


def count(function, *specs):
  return multiply_adds.total(multiply_adds.products(function, *specs))


@pytest.mark.parametrize(
  'layer, spec, expected',
  [
    # Outputs, times what each sums.
    (
      tf_keras.layers.Conv2D(7, 3, padding='same'),
      IMAGE,
      2 * 8 * 6 * 7 * (3 * 3 * 4),
    ),
    (
      tf_keras.layers.Conv2D(7, (3, 1), strides=2, padding='valid'),
      IMAGE,
      2 * 3 * 3 * 7 * (3 * 1 * 4),
    ),
    (tf_keras.layers.Conv2D(6, 1, groups=2), IMAGE, 2 * 8 * 6 * 6 * 2),
    (
      tf_keras.layers.DepthwiseConv2D(5, padding='same', depth_multiplier=3),
      IMAGE,
      2 * 8 * 6 * 12 * (5 * 5),
    ),
    (
      tf_keras.layers.Conv3D(7, (3, 1, 3), strides=(1, 2, 2), padding='same'),
      CLIP,
      5 * 4 * 3 * 7 * (3 * 1 * 3 * 4),
    ),
    # What TensorFlow's profiler does not see.
    (
      tf_keras.layers.Conv3D(4, 3, groups=4, padding='same'),
      CLIP,
      5 * 8 * 6 * 4 * (3 * 3 * 3),
    ),
    (
      tf_keras.layers.Conv1D(9, 3),
      tf.TensorSpec([2, 10, 4]),
      2 * 8 * 9 * (3 * 4),
    ),
    (tf_keras.layers.Dense(9), tf.TensorSpec([3, 4]), 3 * 9 * 4),
    (tf_keras.layers.Dense(9), CLIP, 5 * 8 * 6 * 9 * 4),
    # Norms, pooling and activations are none.
    (tf_keras.layers.BatchNormalization(), CLIP, 0),
    (tf_keras.layers.AveragePooling3D(2), CLIP, 0),
    (tf_keras.layers.Activation('swish'), CLIP, 0),
  ],
)
def test_layers_cost_what_is_worked_out_by_hand(layer, spec, expected):
  assert count(layer, spec) == expected


@pytest.mark.parametrize(
  'function, shapes, expected',
  [
    (
      lambda a, b: tf.matmul(a, b, transpose_a=True),
      ([5, 3], [5, 7]),
      3 * 7 * 5,
    ),
    (tf.matmul, ([2, 4, 3, 5], [2, 4, 5, 7]), 8 * 3 * 7 * 5),
    (
      lambda a, b: tf.matmul(a, b, transpose_a=True),
      ([2, 5, 3], [2, 5, 7]),
      2 * 3 * 7 * 5,
    ),
    (
      lambda a, b: tf.matmul(a, b, transpose_b=True),
      ([2, 3, 5], [7, 5]),
      2 * 3 * 7 * 5,
    ),
    (
      lambda a, b: tf.einsum('bqhd,bkhd->bhqk', a, b),
      ([2, 5, 3, 4], [2, 6, 3, 4]),
      2 * 3 * 5 * 6 * 4,
    ),
    # The first has one dimension more, the other one of size 1.
    (
      lambda a, b: tf.einsum('...ij,...jk->...ik', a, b),
      ([9, 2, 3, 4], [1, 4, 5]),
      9 * 2 * 3 * 4 * 5,
    ),
  ],
)
def test_matrix_products_cost_what_is_worked_out_by_hand(
  function, shapes, expected
):
  assert count(function, *map(tf.TensorSpec, shapes)) == expected


def test_attention_costs_its_projections_and_two_products():
  layer = tf_keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)
  frames, width = 6, 8
  assert count(lambda x: layer(x, x), tf.TensorSpec([1, frames, width])) == (
    4 * frames * width * width + 2 * frames * frames * width
  )


def test_only_what_the_value_depends_on_is_counted():
  dense = tf_keras.layers.Dense(3)

  def function(x):
    tf.matmul(x, x, transpose_b=True)  # As a loss that nobody asks for.
    return {'logits': dense(x)}

  assert count(function, tf.TensorSpec([2, 4])) == 2 * 3 * 4


def test_names_tell_the_layers():
  layer = tf_keras.layers.Conv3D(4, 3, groups=4, name='grouped')
  (product,) = multiply_adds.products(layer, CLIP)
  assert product.name.startswith('grouped/') and product.kind == 'Conv3D'


def test_of_branches_the_costliest_counts():
  weights = tf.ones([4, 5])

  def function(x, wanted):
    return tf.cond(
      wanted,
      lambda: tf.matmul(tf.matmul(x, weights), weights, transpose_b=True),
      lambda: x,
    )

  assert (
    count(function, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.bool))
    == 2 * 3 * 4 * 5
  )


def test_loops_of_products_are_refused():
  def function(x):
    return tf.while_loop(
      lambda x: tf.reduce_sum(x) < 9, lambda x: [tf.matmul(x, x)], [x]
    )

  with pytest.raises(ValueError, match='does not say how often'):
    count(function, tf.TensorSpec([3, 3]))


def test_unknown_sizes_are_refused():
  with pytest.raises(ValueError, match=r'MatMul.*\[-1, 4\].*without None'):
    count(tf_keras.layers.Dense(2), tf.TensorSpec([None, 4]))


def test_functions_traced_before_for_any_shape_are_counted_for_this():
  layer = tf_keras.layers.Conv3D(4, 3, groups=4)
  model = tf_keras.Sequential([layer, tf_keras.layers.Dense(2)])
  model.build([None, None, None, None, 4])
  assert count(model, CLIP) == 3 * 6 * 4 * (4 * 27 + 4 * 2)
  assert not tf.config.functions_run_eagerly()
