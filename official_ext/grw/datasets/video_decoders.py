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

"""Decode raw records, of TFRecords and of TFDS, under names for messages."""

from official.vision.dataloaders import video_input
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import record_check


class RecordDecoder:
  """Parses raw records of `record_check.read_records`; failures name them."""

  def __init__(self, params: schema.DataConfig):
    self._context = {
      params.label_field_key: tf.io.VarLenFeature(tf.int64),
      feature_names.SOURCE_ID_KEY: tf.io.FixedLenFeature(
        (), tf.string, default_value=''
      ),
    }
    if params.frame_label_field_key:
      self._context[params.frame_label_field_key] = tf.io.VarLenFeature(
        tf.int64
      )
    self._sequence = {
      # Missing frames are reported, with the record, when they are counted.
      params.image_field_key: tf.io.FixedLenSequenceFeature(
        (), tf.string, allow_missing=True
      )
    }
    if params.output_audio:
      self._sequence[params.audio_feature] = tf.io.VarLenFeature(tf.float32)

  def decode(self, raw: record_check.RawRecord) -> dict[str, tf.Tensor]:
    """Returns the tensors of a record, by key, and its location."""
    location = record_check.location(raw)
    readable = record_check.require(
      raw['serialized'] != record_check.UNREADABLE,
      location,
      lambda: [
        'cannot be read: the file is truncated, corrupted or gone; '
        f'{record_check.ADVICE}.'
      ],
    )
    with tf.control_dependencies([readable]):
      serialized = tf.identity(raw['serialized'])
    context, sequence = tf.io.parse_single_sequence_example(
      serialized, self._context, self._sequence, example_name=location
    )
    decoded = {
      key: tf.sparse.to_dense(value)
      if isinstance(value, tf.SparseTensor)
      else value
      for key, value in {**context, **sequence}.items()
    }
    return {**decoded, feature_names.LOCATION: location}


class TfdsDecoder(video_input.VideoTfdsDecoder):
  """The Model Garden's TFDS decoder; messages name the dataset and split."""

  def __init__(self, params: schema.DataConfig):
    super().__init__(params.image_field_key, params.label_field_key)
    self._location = (
      f'a clip of the TFDS dataset "{params.tfds_name}", split '
      f'"{params.tfds_split}",'
    )

  def decode(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns frames and label by key, and their `feature_names.LOCATION`."""
    return {
      **super().decode(features),
      feature_names.LOCATION: tf.constant(self._location),
      feature_names.SOURCE_ID_KEY: tf.constant(''),
    }


def decoder(params: schema.DataConfig):
  """The decoder of a split: of TFDS, or of TFRecords."""
  return TfdsDecoder(params) if params.tfds_name else RecordDecoder(params)
