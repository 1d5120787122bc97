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

"""The Model Garden's image ViT on the frames of a video.

Dosovitskiy et al., arXiv 2010.11929.  The layers that have variables are the
Model Garden's own, in its order, so that its checkpoints fit.
"""

from typing import Any

from official.vision.modeling.backbones import vit
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import image_networks
from official_ext.grw.backbones import stateless
from official_ext.grw.backbones.vit_frames import config as vit_config
from official_ext.grw.compat import keras3


@tf_keras.utils.register_keras_serializable(package='grw', name='ViTEncoder')
class Encoder(vit.Encoder):
  """The Model Garden's encoder, which also returns what its blocks do."""

  def call(
    self, inputs: tf.Tensor, training: bool | None = None
  ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns the normalized tokens, and the tokens after each block.

    Args:
      inputs: tokens [images, L, D].
      training: whether layers train.
    """
    x = self._dropout(self._pos_embed(inputs), training=training)
    after_blocks = []
    for block in self._encoder_layers:
      x = block(x, training=training)
      after_blocks.append(x)
    return self._norm(x), after_blocks


@tf_keras.utils.register_keras_serializable(package='grw')
@keras3.tf_keras_only
class ViTFrames(stateless.Stateless, tf_keras.Model):
  """Clips [batch, N, height, width, 3] to endpoints of the same N frames.

  The input is {'image': clips}, values in [0, 1], which are normalized as for
  the Model Garden's ImageNet models.  Endpoints are 'block1' to the last block,
  [batch, N, h, w, D], the patches' tokens after it, before the last layer norm;
  and 'head', [batch, N, 1, 1, D], the embedding of the frame: the Model
  Garden's 'pre_logits'.

  With `use_external_states` it is called as a streaming MoViNet is, for
  (endpoints, states); there are no states, as frames know nothing of others.
  """

  def __init__(
    self,
    config: vit_config.ViTFrames,
    regularizer: tf_keras.regularizers.Regularizer | None = None,
    **kwargs,
  ):
    """Builds the network.

    Args:
      config: see there.
      regularizer: the regularizer of the patches' kernel, which alone the Model
        Garden's ViT regularizes: its encoder ignores what it is given.
      **kwargs: the arguments of the Keras model.

    Raises:
      ValueError: a field of `config`, by name, that cannot be used.
    """
    numbers = config.resolved()
    width, patch = numbers.hidden_size, numbers.patch_size
    size, side = numbers.image_size, numbers.image_size // numbers.patch_size
    has_token = numbers.pooler == 'token'

    image = tf_keras.Input((None, size, size, 3), name='image')
    # Clips whose size is known at last could have as many patches in another
    # grid.
    x = tf.ensure_shape(image, image.shape)
    x = image_networks.imagenet_normalization()(x)
    x = image_networks.ToFrames(name='to_frames')(x)
    x = tf_keras.layers.Conv2D(
      width,
      patch,
      patch,
      kernel_initializer='lecun_normal',
      kernel_regularizer=regularizer,
      name='patch_embedding',
    )(x)
    x = tf_keras.layers.Reshape((side * side, width), name='patches')(x)
    if has_token:
      x = vit.TokenLayer(name='cls')(x)
    x, after_blocks = Encoder(
      num_layers=numbers.num_layers,
      mlp_dim=numbers.mlp_dim,
      num_heads=numbers.num_heads,
      dropout_rate=0.0,
      attention_dropout_rate=0.0,
      kernel_regularizer=regularizer,
      name='encoder',
    )(x)

    features = [
      tf.reshape(tokens[:, int(has_token) :], [-1, side, side, width])
      for tokens in after_blocks
    ]
    pooled = x[:, 0] if has_token else tf.reduce_mean(x, axis=1)
    features.append(tf.reshape(pooled, [-1, 1, 1, width]))
    endpoints = {
      name: image_networks.ToClips(name=f'endpoint_{name}')([of_frames, image])
      for name, of_frames in zip(numbers.endpoints(), features, strict=True)
    }

    super().__init__(
      inputs={'image': image},
      outputs=(endpoints, {}) if config.use_external_states else endpoints,
      **kwargs,
    )
    self._config = {
      'config': config.as_dict(),
      'regularizer': tf_keras.regularizers.serialize(regularizer),
    }
    self.numbers = numbers

  def get_config(self) -> dict[str, Any]:
    return {'name': self.name, **self._config}

  @classmethod
  def from_config(cls, config, custom_objects=None):
    config = dict(config)
    return cls(
      vit_config.ViTFrames(config.pop('config')),
      tf_keras.regularizers.get(config.pop('regularizer')),
      **config,
    )
