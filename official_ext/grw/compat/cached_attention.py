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

"""Self-attention that can go on from keys and values of earlier tokens.

Patches: `tf_keras.layers.MultiHeadAttention` has no way to take keys and values
that are projected already, so that its projections are called here by their
private names.

Upstream: no issue is known; `official.nlp.modeling.layers.CachedAttention`
writes into a cache of the full length at a given step, which does not slide.
Unnecessary once Keras has a public cache.
"""

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package='grw')
class CachedAttention(tf_keras.layers.MultiHeadAttention):
  """Self-attention that can go on from keys and values of earlier tokens."""

  def step(
    self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, mask: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Attends from k new tokens to themselves and to earlier ones.

    Args:
      inputs: [batch, k, D].
      keys: [batch, heads, M, D / heads], the keys of M earlier tokens.
      values: the same for the values of these tokens.
      mask: [k, M + k] bool, which tokens each of the new ones attends to.

    Returns:
      [batch, k, D], and the keys and values of the last M tokens.
    """
    # Heads before tokens: a product with all keys then takes no transposition
    # of the cache, which would cost more than the product.
    query, key, value = (
      tf.transpose(projection(inputs), [0, 2, 1, 3])
      for projection in (self._query_dense, self._key_dense, self._value_dense)
    )
    past = keys.shape[2]
    keys = tf.concat([keys, key], axis=2)
    values = tf.concat([values, value], axis=2)
    scores = tf.matmul(query * query.shape[-1] ** -0.5, keys, transpose_b=True)
    weights = self._softmax(scores, mask[tf.newaxis, tf.newaxis])
    outputs = self._output_dense(
      tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3])
    )
    return outputs, keys[:, :, -past:], values[:, :, -past:]
