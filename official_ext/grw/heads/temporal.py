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

"""The temporal head: a small transformer over frame embeddings.

Goldman et al., NeurIPS 2025, arXiv 2511.20928, Section 3, as published: layer
norm, fixed sine and cosine positions, pre-norm transformer blocks, layer norm,
mean over frames, dropout, dense.
"""

import re
from typing import Any

from official.vision.modeling.layers import nn_layers
import tensorflow as tf
import tf_keras

from official_ext.grw.compat import cached_attention
from official_ext.grw.compat import keras3
from official_ext.grw.heads import frames
from official_ext.grw.heads import head as head_lib

_NORM_EPSILON = 1e-5


def frame_positions(num_frames: tf.Tensor, dim: int) -> tf.Tensor:
  """Fixed positions, [num_frames, dim] float32.

  Frame n has concat(sin(n ω), cos(n ω)), ω_i = 10000^(−i / (dim/2 − 1)).

  Args:
    num_frames: a scalar, known or not before run time.
    dim: even, at least 4.
  """
  half = dim // 2
  exponents = tf.range(half, dtype=tf.float32) / (half - 1)
  angles = tf.range(num_frames, dtype=tf.float32)[:, tf.newaxis] * tf.pow(
    10000.0, -exponents
  )
  return tf.concat([tf.sin(angles), tf.cos(angles)], axis=-1)


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class TransformerBlock(tf_keras.layers.Layer):
  """x += attention(norm(x)); x += MLP(norm(x)), on [batch, N, D].

  The MLP is D → mlp_ratio · D → D with the exact GELU between.  Both residual
  branches are under stochastic depth, which drops them for whole clips.
  """

  def __init__(
    self,
    num_heads: int = 8,
    mlp_ratio: int = 4,
    causal: bool = False,
    stochastic_depth_drop_rate: float = 0.0,
    **kwargs,
  ):
    """Initializes the block.

    Args:
      num_heads: attention heads; must divide D.
      mlp_ratio: width of the MLP as a multiple of D.
      causal: frames attend only to themselves and to those before.
      stochastic_depth_drop_rate: chance to drop a branch, in [0, 1).
      **kwargs: the arguments of the Keras layer.
    """
    super().__init__(**kwargs)
    self.num_heads = num_heads
    self.mlp_ratio = mlp_ratio
    self.causal = causal
    self.stochastic_depth_drop_rate = stochastic_depth_drop_rate

  def build(self, input_shape):
    dim = input_shape[-1]
    if dim % self.num_heads:
      raise ValueError(
        f'Embeddings of width {dim} cannot be shared among {self.num_heads} '
        'attention heads: num_heads must divide the width.'
      )
    self.norm1 = tf_keras.layers.LayerNormalization(
      epsilon=_NORM_EPSILON, name='norm1'
    )
    self.attention = cached_attention.CachedAttention(
      self.num_heads, dim // self.num_heads, name='attention'
    )
    self.norm2 = tf_keras.layers.LayerNormalization(
      epsilon=_NORM_EPSILON, name='norm2'
    )
    self.mlp_in = tf_keras.layers.Dense(
      self.mlp_ratio * dim, activation='gelu', name='mlp_in'
    )
    self.mlp_out = tf_keras.layers.Dense(dim, name='mlp_out')
    self.stochastic_depth = nn_layers.StochasticDepth(
      self.stochastic_depth_drop_rate
    )
    super().build(input_shape)

  def call(
    self,
    inputs: tf.Tensor,
    training: bool | None = None,
    attention_mask: tf.Tensor | None = None,
  ):
    """[batch, N, D] → [batch, N, D].

    Args:
      inputs: [batch, N, D].
      training: whether stochastic depth is at work.
      attention_mask: bool, broadcast to [batch, N, N], which frames the frames
        of the last but one axis attend to; None is all, or with `causal` all
        before.
    """
    x = self.norm1(inputs)
    x = self.attention(
      x, x, attention_mask=attention_mask, use_causal_mask=self.causal
    )
    inputs += self.stochastic_depth(x, training=training)
    x = self.mlp_out(self.mlp_in(self.norm2(inputs)))
    return inputs + self.stochastic_depth(x, training=training)

  def step(
    self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, mask: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Inference for k new tokens; see `CachedAttention.step`."""
    x, keys, values = self.attention.step(
      self.norm1(inputs), keys, values, mask
    )
    inputs += x
    x = self.mlp_out(self.mlp_in(self.norm2(inputs)))
    return inputs + x, keys, values

  def get_config(self) -> dict[str, Any]:
    return {
      **super().get_config(),
      'num_heads': self.num_heads,
      'mlp_ratio': self.mlp_ratio,
      'causal': self.causal,
      'stochastic_depth_drop_rate': self.stochastic_depth_drop_rate,
    }


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class TemporalHead(tf_keras.layers.Layer):
  """Frame embeddings [batch, N, D] to float32 logits [batch, classes].

  With `causal`, a frame's token depends on no later frame, so a stream goes on
  from the keys, values and tokens of the frames before (`step`).  With
  `per_frame` too, logits are [batch, N, classes], each read from the token of
  its frame in place of a mean over tokens.
  """

  def __init__(
    self,
    num_classes: int,
    num_layers: int = 2,
    num_heads: int = 8,
    mlp_ratio: int = 4,
    causal: bool = False,
    dropout_rate: float = 0.0,
    stochastic_depth_drop_rate: float = 0.0,
    kernel_regularizer: Any = None,
    per_frame: bool = False,
    **kwargs,
  ):
    """Initializes the head.

    Args:
      num_classes: width of the logits.
      num_layers: transformer blocks.
      num_heads: attention heads; must divide D.
      mlp_ratio: width of a block's MLP as a multiple of D.
      causal: see the class.
      dropout_rate: before the last dense layer, in [0, 1).
      stochastic_depth_drop_rate: see `TransformerBlock`.
      kernel_regularizer: the regularizer of the last dense layer.
      per_frame: see the class.
      **kwargs: the arguments of the Keras layer.

    Raises:
      ValueError: `per_frame` without `causal`.
    """
    super().__init__(**kwargs)
    if per_frame and not causal:
      raise ValueError(
        'per_frame=True: expected causal=True as well, as a frame is answered '
        'before those to come are known.'
      )
    self.per_frame = per_frame
    self.num_classes = num_classes
    self.num_layers = num_layers
    self.num_heads = num_heads
    self.mlp_ratio = mlp_ratio
    self.causal = causal
    self.dropout_rate = dropout_rate
    self.stochastic_depth_drop_rate = stochastic_depth_drop_rate
    self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)
    self.norm_in = tf_keras.layers.LayerNormalization(
      epsilon=_NORM_EPSILON, name='norm_in'
    )
    self.blocks = [
      TransformerBlock(
        num_heads,
        mlp_ratio,
        causal,
        stochastic_depth_drop_rate,
        name=f'block{i}',
      )
      for i in range(num_layers)
    ]
    self.norm_out = tf_keras.layers.LayerNormalization(
      epsilon=_NORM_EPSILON, name='norm_out'
    )
    self.dropout = tf_keras.layers.Dropout(dropout_rate)
    # Softmax and cross entropy want float32 whatever the precision policy.
    self.classifier = tf_keras.layers.Dense(
      num_classes,
      kernel_regularizer=self.kernel_regularizer,
      dtype='float32',
      name='classifier',
    )

  def call(
    self,
    inputs: tf.Tensor,
    training: bool | None = None,
    num_frames: tf.Tensor | None = None,
  ):
    """[batch, N, D] embeddings → [batch, classes] float32 logits.

    With `per_frame`, [batch, N, classes].

    Args:
      inputs: [batch, N, D].
      training: whether dropout and stochastic depth are at work.
      num_frames: [batch] int, how many embeddings of each clip, from the first,
        take part; the logits are those of them alone.  None takes all.
    """
    attention_mask = None
    if num_frames is not None:
      attention_mask = tf.sequence_mask(num_frames, tf.shape(inputs)[1])[
        :, tf.newaxis
      ]
    x = self.norm_in(inputs)
    positions = frame_positions(tf.shape(inputs)[1], inputs.shape[-1])
    x += tf.cast(positions, x.dtype)
    for block in self.blocks:
      x = block(x, training=training, attention_mask=attention_mask)
    x = self.norm_out(x)
    if not self.per_frame:
      x = frames.mean_of_frames(x, num_frames)
    return self.classifier(self.dropout(x, training=training))

  def state_shapes(
    self, batch: Any, num_frames: int, dim: int
  ) -> dict[str, tuple]:
    """Shapes of what `step` needs of the past, by name; all float32.

    Args:
      batch: clips in a batch, a number or a tensor.
      num_frames: N, the frames that logits are of.
      dim: D, the width of the embeddings.
    """
    past = num_frames - 1
    cache = (batch, self.num_heads, past, dim // self.num_heads)
    # Each frame is answered by its own token alone.
    shapes: dict[str, tuple] = (
      {} if self.per_frame else {'tokens': (batch, past, dim)}
    )
    for block in self.blocks:
      shapes[f'{block.name}_keys'] = cache
      shapes[f'{block.name}_values'] = cache
    return shapes

  def step(
    self,
    inputs: tf.Tensor,
    states: dict[str, tf.Tensor],
    frame_count: tf.Tensor,
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inference of the causal head for k new frames of a stream.

    Up to N frames in all, the logits are those of `call` for the frames so
    far.  Beyond, every frame attends to the N − 1 before it, the logits are
    of the mean over the last N tokens, and position n is taken modulo N, so
    that any N consecutive frames have the positions of training.

    Args:
      inputs: [batch, k, D] embeddings.
      states: as in `state_shapes`, zeros at the start.
      frame_count: a scalar, the frames before these.

    Returns:
      float32 logits [batch, classes] after the last frame, with `per_frame`
      of it, and the states.

    Raises:
      ValueError: the head is not causal.
    """
    if not self.causal:
      raise ValueError(
        'A bidirectional head has no step: call it on the '
        'embeddings of the last frames.'
      )
    past = states[f'{self.blocks[0].name}_keys'].shape[2]
    new = tf.shape(inputs)[1]
    positions = tf.gather(
      frame_positions(past + 1, inputs.shape[-1]),
      (frame_count + tf.range(new)) % (past + 1),
    )
    x = self.norm_in(inputs) + positions
    key = tf.range(past + new)
    query = tf.range(new)[:, tf.newaxis]
    mask = (key >= past - frame_count) & (key >= query) & (key <= query + past)
    after = {}
    for block in self.blocks:
      keys, values = f'{block.name}_keys', f'{block.name}_values'
      x, after[keys], after[values] = block.step(
        x, states[keys], states[values], mask
      )
    if self.per_frame:
      return self.classifier(self.norm_out(x[:, -1:])[:, 0]), after
    tokens = tf.concat([states['tokens'], self.norm_out(x)], axis=1)
    after['tokens'] = tokens[:, -past:]
    # Tokens of frames that have not been are zero.
    count = tf.minimum(frame_count + new, past + 1)
    last = frames.last_frames(tokens, past + 1)
    mean = tf.reduce_sum(last, axis=1) / tf.cast(count, tf.float32)
    return self.classifier(mean), after

  def get_config(self) -> dict[str, Any]:
    return {
      **super().get_config(),
      'num_classes': self.num_classes,
      'num_layers': self.num_layers,
      'num_heads': self.num_heads,
      'mlp_ratio': self.mlp_ratio,
      'causal': self.causal,
      'dropout_rate': self.dropout_rate,
      'stochastic_depth_drop_rate': self.stochastic_depth_drop_rate,
      'kernel_regularizer': tf_keras.regularizers.serialize(
        self.kernel_regularizer
      ),
      'per_frame': self.per_frame,
    }


class TemporalHeadType(head_lib.HeadType):
  """The head that smoothed embeddings are for."""

  name = 'temporal'
  title = 'GRW temporal head'
  layer_name = 'grw_head'
  reads_embeddings = True

  def build(self, model, num_classes, backbone, regularizer) -> TemporalHead:
    head = model.head
    return TemporalHead(
      num_classes=num_classes,
      num_layers=head.num_layers,
      num_heads=head.num_heads,
      mlp_ratio=head.mlp_ratio,
      causal=head.causal,
      dropout_rate=model.dropout_rate,
      stochastic_depth_drop_rate=head.stochastic_depth_drop_rate,
      kernel_regularizer=regularizer,
      per_frame=head.per_frame,
      name=self.layer_name,
    )

  def classify(
    self,
    layer: TemporalHead,
    vectors: tf.Tensor,
    num_frames: tf.Tensor | None = None,
  ) -> tf.Tensor:
    if num_frames is None:
      return layer(vectors)
    return layer(vectors, num_frames=num_frames)

  def in_steps(self, head) -> bool:
    return head.causal

  def once_a_window(self, head) -> bool:
    return not head.causal

  def identify(self, shapes: head_lib.Shapes) -> head_lib.FoundHead | None:
    kernel = shapes.get(f'{self.layer_name}/classifier/kernel')
    if not kernel:
      return None
    block = f'{self.layer_name}/block0'
    query = shapes.get(f'{block}/attention/query/kernel', (0, 0))
    mlp = shapes.get(f'{block}/mlp_in/kernel', (1, 0))
    num_layers = len(
      {
        name.split('/')[1]
        for name in shapes
        if re.match(rf'{self.layer_name}/block\d+/', name)
      }
    )
    return head_lib.FoundHead(
      self.name,
      f'{self.title} of {num_layers} layers',
      kernel[-1],
      {
        'embedding_dim': kernel[0],
        'num_layers': num_layers,
        'num_heads': query[1],
        'mlp_ratio': mlp[1] // mlp[0],
      },
    )
