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

"""Reads labeled video for training and evaluation.

This is the Model Garden's pipeline (`official.vision.dataloaders.video_input`
read by `official.core.input_reader`) with what it lacks: augmentation can be
switched off or seeded, clips can be taken from a video's start or spread over
all of it, frames made square, clips say how many of their frames are repeated,
bad records are named or dropped and counted, and a label outside the classes is
never trained on.
"""

from collections.abc import Iterator
import contextlib

from official.core import input_reader
from official.vision.dataloaders import video_input
from official.vision.ops import augment
from official.vision.ops import preprocess_ops_3d
import tensorflow as tf

from official_ext.grw.configs import schema
from official_ext.grw.datasets import dropped_clips
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import tfds_reader
from official_ext.grw.datasets import video_decoders
from official_ext.grw.datasets import video_parser


class VideoReader(input_reader.InputReader):
  """The Model Garden's reader, on files checked to hold records."""

  def __init__(self, params: schema.DataConfig, **kwargs):
    self._files_config = params
    super().__init__(params, **kwargs)

  def read(
    self,
    input_context: tf.distribute.InputContext | None = None,
    dataset: tf.data.Dataset | None = None,
  ) -> tf.data.Dataset:
    """Returns the batches; see `InputReader.read`."""
    params = self._files_config
    if dataset is None and params.tfds_name:
      if params.short_clips == 'drop':
        once = params.replace(is_training=False)
        record_check.check_lengths(
          tfds_reader.read_tfds(once, None),
          record_parser(params),
          params,
          f'tfds_name={params.tfds_name!r}',
        )
      dataset = tfds_reader.read_tfds(params, input_context)
    return super().read(input_context, dataset)

  def get_files(self, input_path):
    """Returns the files to read; see `record_check.list_files`."""
    files = record_check.list_files(self._files_config)
    record_check.check_first_records(
      files, record_parser(self._files_config), self._files_config
    )
    return files


def record_parser(params: schema.DataConfig) -> record_check.ParseFn:
  """Returns a function that parses all of a raw record, or fails.

  Args:
    params: the data to parse.

  Returns:
    A function of what `record_check.read_records` yields.  It decodes every
    frame, not only those of the clip.
  """
  # RandAugment takes seconds to trace, and fails for no record.
  params = params.replace(aug_type=None)
  decoder, parser = (
    video_decoders.decoder(params),
    video_parser.VideoParser(params),
  )

  def parse(raw: record_check.RawRecord):
    decoded = decoder.decode(raw)
    frames = decoded[params.image_field_key]
    if frames.dtype == tf.string:
      frames = preprocess_ops_3d.decode_image(frames, params.feature_shape[3])
    return tf.shape(frames), parser.parse_fn(params.is_training)(decoded)

  return parse


@contextlib.contextmanager
def explained_errors(*configs: schema.DataConfig) -> Iterator[None]:
  """Makes errors of the input pipeline name the file and the record.

  Args:
    *configs: the data read inside the `with` block.

  Yields:
    Nothing.

  Raises:
    record_check.InputDataError: in place of a TensorFlow error that bad input
      caused; other errors pass as they are.
  """
  try:
    yield
  except tf.errors.OpError as error:
    for params in configs:
      explanation = record_check.explain_input_error(
        error, params, record_parser(params)
      )
      if explanation is not None:
        raise explanation from error
    raise


def build_video_dataset(
  params: schema.DataConfig,
  input_context: tf.distribute.InputContext | None = None,
  cut_threshold: float | None = None,
) -> tf.data.Dataset:
  """Builds the batches of a split.

  Args:
    params: what to read, from TFRecords or TFDS, and how.
    input_context: this pipeline among several, or None.
    cut_threshold: see `video_parser.VideoParser`.

  Returns:
    A dataset of (features, labels).  Features are 'image' [views, frames,
    height, width, channels], `NUM_FRAMES` [views], int32, and with
    `cut_threshold` `CUTS` [views, frames], bool, views being the batch, in
    evaluation times `num_test_clips` and `num_test_crops`.  Not for
    the model are `SOURCE_ID` [batch, bytes], uint8, in evaluation, and with
    `on_bad_record` 'skip' `BAD_RECORDS` and with `short_clips` 'drop'
    `SHORT_CLIPS` [batch], int64.  Labels are [batch, classes] if `one_hot`.

  Raises:
    ValueError: the config is wrong.
    record_check.InputDataError: the files are missing or empty, or their first
      records are bad.
  """
  record_check.check_policy(params.on_bad_record)
  decode_fn = video_decoders.decoder(params).decode
  parser = video_parser.VideoParser(params, cut_threshold)
  parse_fn = parser.parse_fn(params.is_training)
  compression = record_check.compression_type(params)
  merge_views = video_input.PostBatchProcessor(params)

  def postprocess_fn(features, labels):
    features, labels = merge_views(features, labels)
    num_frames = tf.reshape(features[feature_names.NUM_FRAMES], [-1])
    features = {**features, feature_names.NUM_FRAMES: num_frames}
    if cut_threshold is not None:
      features[feature_names.CUTS] = tf.reshape(
        features[feature_names.CUTS], [-1, params.feature_shape[0]]
      )
    return features, labels

  if params.mixup_and_cutmix is not None:
    mix = augment.MixupAndCutmix(
      **params.mixup_and_cutmix.as_dict(), num_classes=params.num_classes
    )

    def postprocess_fn(features, labels):
      image, labels = mix(features['image'], labels)
      features = {**features, 'image': image}
      if cut_threshold is not None:
        # Each clip may have got some of its partner, and so of its cuts.
        cuts = features[feature_names.CUTS]
        features[feature_names.CUTS] = cuts | tf.reverse(cuts, [0])
      return features, labels

  drops_bad = params.on_bad_record == 'skip'
  min_frames = params.feature_shape[0] if params.short_clips == 'drop' else None
  if drops_bad or min_frames:
    hooks = {
      'sample_fn': lambda dataset: dropped_clips.drop_and_count(
        dataset, lambda raw: parse_fn(decode_fn(raw)), drops_bad, min_frames
      )
    }
  else:
    hooks = {'decoder_fn': decode_fn, 'parser_fn': parse_fn}
  return VideoReader(
    params,
    dataset_fn=lambda files: record_check.read_records(files, compression),
    postprocess_fn=postprocess_fn,
    **hooks,
  ).read(input_context)
