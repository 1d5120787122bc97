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

"""Reads labelled video for training and evaluation.

This is the Model Garden's pipeline (`official.vision.dataloaders.video_input`
read by `official.core.input_reader`) with what it lacks: augmentation can be
switched off or seeded, clips can be taken from a video's start or spread over
all of it, frames made square, clips say how many of their frames are repeated,
bad records are named or dropped and counted, and a label outside the classes is
never trained on.
"""

from collections.abc import Iterator
import contextlib
from typing import Any

from official.core import input_reader
from official.vision.dataloaders import video_input
from official.vision.ops import augment
from official.vision.ops import preprocess_ops_3d
import tensorflow as tf
import tensorflow_datasets as tfds

from official_ext.grw.configs import grw as grw_config
from official_ext.grw.datasets import record_check

# With on_bad_record 'skip', a feature beside 'image': per clip, how many
# records were dropped around it.  Its sum over all clips is the number dropped.
BAD_RECORDS = 'bad_records'
# In evaluation, a feature beside 'image': what the record calls its video, as
# zero-padded UTF-8 bytes, since not every device takes strings.
SOURCE_ID = 'source_id'
SOURCE_ID_BYTES = 256
SOURCE_ID_KEY = 'clip/media_id'
# Where a decoded record comes from, for messages.
LOCATION = 'location'

Features = dict[str, tf.Tensor]
Example = tuple[Features, tf.Tensor]


def random_crop_resize(
  frames: tf.Tensor,
  size: tuple[int, int],
  aspect_ratio: tuple[float, float],
  area_range: tuple[float, float],
  seed: int,
) -> tf.Tensor:
  """Crops a random box and resizes it, repeatably.

  Draws from the distribution of `preprocess_ops_3d.random_crop_resize`, which
  takes no seed.

  Args:
    frames: [frames, height, width, channels].
    size: height and width of the result, in pixels.
    aspect_ratio: smallest and largest width over height of the box, before the
      result's own aspect ratio.
    area_range: smallest and largest share of the frame's area.
    seed: not 0.

  Returns:
    [frames, *size, channels], of the type of `frames`.
  """
  height, width = size
  begin, box, _ = tf.image.sample_distorted_bounding_box(
    tf.shape(frames)[1:],
    bounding_boxes=tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
    seed=seed,
    min_object_covered=0.1,
    aspect_ratio_range=[ratio * width / height for ratio in aspect_ratio],
    area_range=area_range,
    use_image_if_no_bounding_boxes=True,
  )
  crop = tf.image.crop_to_bounding_box(
    frames, begin[0], begin[1], box[0], box[1]
  )
  return tf.cast(tf.image.resize(crop, size), frames.dtype)


class VideoParser(video_input.Parser):
  """Turns a decoded record into a clip and its label.

  The same as the Model Garden's parser as long as `augment`, `random_flip` and
  `random_offset` are true, there is no seed, and `resize`, `clip_start` and
  `sampling` are the stock ones, except:

  *   A record without frames or with a label outside the classes fails by name.
  *   Features have `NUM_FRAMES`, int32: how many frames of a clip come before
      the first repetition.  Of short videos the clip repeats the frames, as in
      stock, so that most of what follows is a jump or is known already.
  *   A training clip of a short video begins with the video's first frame.
      Stock begins anywhere in it, and so repeats sooner.
  *   In evaluation features have `SOURCE_ID`.
  """

  def __init__(self, params: grw_config.DataConfig):
    """Checks the config.

    Args:
      params: the data to parse.

    Raises:
      ValueError: the values cannot be used together.
    """
    if params.num_classes < 1:
      raise ValueError(
        f'num_classes={params.num_classes}: expected the number '
        'of classes in the data.'
      )
    self._params = params
    self._size = (params.feature_shape[1], params.feature_shape[2])
    # Workers of a tf.data service must not all draw the same numbers.
    self._seed = None if params.enable_tf_data_service else params.seed
    self._is_stock = (
      params.augment
      and params.random_flip
      and params.random_offset
      and self._seed is None
    )
    if not params.augment:
      for name in ('aug_type', 'mixup_and_cutmix', 'aug_random_rotation'):
        if getattr(params, name):
          raise ValueError(
            f'augment=False and {name} is set: expected one or the other.'
          )
    if params.output_audio and params.is_training and not self._is_stock:
      raise ValueError(
        'output_audio=True: expected augment, random_flip and '
        'random_offset all true and no seed.'
      )
    # The stock parser gets the frames of the clips alone, and takes all.
    frames = params.feature_shape[0] * self._num_clips(params.is_training)
    super().__init__(
      params.replace(
        feature_shape=(frames, *params.feature_shape[1:]),
        temporal_stride=1,
        random_stride_range=0,
        num_test_clips=1,
      ),
      params.image_field_key,
      params.label_field_key,
    )

  def _num_clips(self, is_training: bool) -> int:
    return 1 if is_training else self._params.num_test_clips

  def _checked(self, decoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Fails unless there are frames, and one label among the classes."""
    params = self._params
    frames = decoded[params.image_field_key]
    label = decoded[params.label_field_key]
    limit = record_check.num_labels(params.num_classes)
    in_range = tf.reduce_all(tf.logical_and(label >= 0, label < limit))
    if not params.is_multilabel:
      in_range = tf.logical_and(in_range, tf.equal(tf.size(label), 1))

    def no_frames():
      return [
        f'has zero frames in {params.image_field_key!r}, or lacks them; '
        f'{record_check.ADVICE}.'
      ]

    def bad_label():
      found = tf.strings.reduce_join(
        tf.strings.as_string(tf.reshape(label, [-1])), separator=', '
      )
      wanted = 'labels' if params.is_multilabel else 'one label'
      return [
        'has label [',
        found,
        f'] in {params.label_field_key!r}, expected '
        f'{wanted} in [0, {limit}) (num_classes={params.num_classes}); '
        f'{record_check.LABEL_ADVICE}.',
      ]

    checks = [
      record_check.require(
        tf.shape(frames)[0] > 0, decoded[LOCATION], no_frames
      ),
      record_check.require(in_range, decoded[LOCATION], bad_label),
    ]
    with tf.control_dependencies(checks):
      frames, label = tf.identity(frames), tf.identity(label)
    if not params.is_multilabel and label.shape.rank == 1:
      label = tf.ensure_shape(label, [1])
    return {
      **decoded,
      params.image_field_key: frames,
      params.label_field_key: label,
    }

  def _random_seed(self, use: int) -> int | None:
    # The same seed would give the same numbers to each use, and so tie the flip
    # to the offset.  0 would mean none.
    return None if self._seed is None else 8 * abs(self._seed) + use

  def _first_frames(
    self, num_frames: tf.Tensor, is_training: bool, stride: tf.Tensor
  ) -> tf.Tensor:
    """Where in a video of so many frames its clips begin, [clips] int32."""
    params = self._params
    if is_training and params.random_offset:
      last = num_frames - (params.feature_shape[0] - 1) * stride
      return tf.random.uniform(
        [1],
        maxval=tf.maximum(last, 1),
        dtype=tf.int32,
        seed=self._random_seed(1),
      )
    room = tf.maximum(num_frames - params.feature_shape[0] * stride, 0)
    num_clips = self._num_clips(is_training)
    if num_clips > 1:
      return tf.cast(
        tf.linspace(0.0, tf.cast(room, tf.float32), num_clips), tf.int32
      )
    return tf.reshape(room // 2 if params.clip_start == 'middle' else 0, [1])

  def _dense_frames(
    self, total: tf.Tensor, is_training: bool
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """The frames of clips that go on in time; see `_sample`."""
    params = self._params
    stride = tf.constant(params.temporal_stride)
    if is_training and params.augment and params.random_stride_range > 0:
      stride = tf.random.uniform(
        [],
        tf.maximum(stride - params.random_stride_range, 1),
        stride + params.random_stride_range,
        tf.int32,
        self._random_seed(5),
      )
    first = self._first_frames(total, is_training, stride)
    steps = stride * tf.range(params.feature_shape[0])
    indices = tf.reshape(first[:, tf.newaxis] + steps, [-1])
    unique = tf.minimum(-(-(total - first) // stride), params.feature_shape[0])
    return indices, unique

  def _segment_frames(
    self, total: tf.Tensor, is_training: bool
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """One frame of each segment of a video; see `_sample`.

    A video with fewer frames than segments has each frame once.
    """
    num_segments = self._params.feature_shape[0]
    bounds = total * tf.range(num_segments + 1) // num_segments
    first, sizes = bounds[:-1], bounds[1:] - bounds[:-1]
    if is_training and self._params.random_offset:
      place = tf.random.uniform([num_segments], seed=self._random_seed(6))
      inside = tf.cast(place * tf.cast(sizes, tf.float32), tf.int32)
    else:
      inside = sizes // 2
    indices = tf.where(
      total < num_segments, tf.range(num_segments), first + inside
    )
    return indices, tf.reshape(tf.minimum(total, num_segments), [1])

  def _sample(
    self, decoded: dict[str, tf.Tensor], is_training: bool
  ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Takes clips out of a video.

    Args:
      decoded: of a record, with all frames.
      is_training: how to choose the first frame.

    Returns:
      The record with the frames of the clips alone, [clips · N, ...], made
      square if so configured, and [clips] int32: how many frames of each come
      before the first repetition.
    """
    params = self._params
    frames = decoded[params.image_field_key]
    total = tf.shape(frames)[0]
    sample = (
      self._segment_frames
      if params.sampling == 'segments'
      else self._dense_frames
    )
    indices, unique = sample(total, is_training)
    # Past its last frame, a video begins again.
    frames = tf.gather(frames, indices % total)
    if params.resize == 'square' and not (is_training and params.augment):
      if frames.dtype == tf.string:
        frames = preprocess_ops_3d.decode_image(frames, params.feature_shape[3])
      frames = tf.cast(
        tf.image.resize(frames, [params.min_image_size] * 2), frames.dtype
      )
    return {**decoded, params.image_field_key: frames}, unique

  def _augment(self, clip: tf.Tensor) -> tf.Tensor:
    """Crops, mirrors and distorts [frames, height, width, channels]."""
    params = self._params
    aspect_ratio = (params.aug_min_aspect_ratio, params.aug_max_aspect_ratio)
    area_range = (params.aug_min_area_ratio, params.aug_max_area_ratio)
    seed = self._random_seed(2)
    if seed is None:
      clip = preprocess_ops_3d.random_crop_resize(
        clip,
        *self._size,
        params.feature_shape[0],
        params.feature_shape[3],
        aspect_ratio,
        area_range,
      )
    else:
      clip = random_crop_resize(
        clip, self._size, aspect_ratio, area_range, seed
      )
    if params.random_flip:
      clip = preprocess_ops_3d.random_flip_left_right(
        clip, self._random_seed(3)
      )
    if params.aug_random_rotation:
      clip = preprocess_ops_3d.random_rotation(clip, self._random_seed(4))
    return clip if self._augmenter is None else self._augmenter.distort(clip)

  def _parse_train_data(self, decoded_tensors: dict[str, tf.Tensor]) -> Example:
    """Parses data for training; see `video_input.Parser`."""
    decoded, unique = self._sample(
      self._checked(decoded_tensors), is_training=True
    )
    repeats = {grw_config.NUM_FRAMES: unique[0]}
    if self._is_stock:
      features, label = super()._parse_train_data(decoded)
      return {**features, **repeats}, label
    params = self._params
    num_frames, *_, channels = params.feature_shape
    clip = decoded[params.image_field_key]
    if params.augment:
      if clip.dtype == tf.string:
        clip = preprocess_ops_3d.decode_image(clip, channels)
      clip = preprocess_ops_3d.normalize_image(
        self._augment(clip), params.zero_centering_image
      )
    else:
      clip = video_input.process_image(
        clip,
        is_training=False,
        num_frames=num_frames,
        min_resize=params.min_image_size,
        crop_size=self._size,
        num_channels=channels,
        zero_centering_image=params.zero_centering_image,
        input_image_format=params.input_image_format,
      )
    clip = tf.ensure_shape(clip, params.feature_shape)
    label = video_input.process_label(
      decoded[params.label_field_key],
      params.one_hot,
      params.num_classes,
      tf.dtypes.as_dtype(params.label_dtype),
    )
    return {'image': tf.cast(clip, params.dtype), **repeats}, label

  def _parse_eval_data(self, decoded_tensors: dict[str, tf.Tensor]) -> Example:
    """Parses data for evaluation; see `video_input.Parser`."""
    params = self._params
    decoded, unique = self._sample(
      self._checked(decoded_tensors), is_training=False
    )
    features, label = super()._parse_eval_data(decoded)
    # Stock puts the crops one after the other, each with all clips.
    unique = (
      tf.tile(unique, [params.num_test_crops])
      if params.num_test_clips * params.num_test_crops > 1
      else unique[0]
    )
    return {
      **features,
      grw_config.NUM_FRAMES: unique,
      SOURCE_ID: tf.io.decode_raw(
        decoded[SOURCE_ID_KEY], tf.uint8, fixed_length=SOURCE_ID_BYTES
      ),
    }, label


class RecordDecoder:
  """Parses raw records of `record_check.read_records`; failures name them."""

  def __init__(self, params: grw_config.DataConfig):
    self._context = {
      params.label_field_key: tf.io.VarLenFeature(tf.int64),
      SOURCE_ID_KEY: tf.io.FixedLenFeature((), tf.string, default_value=''),
    }
    self._sequence = {
      # Missing frames are reported, with the record, when they are counted.
      params.image_field_key: tf.io.FixedLenSequenceFeature(
        (), tf.string, allow_missing=True
      )
    }
    if params.output_audio:
      self._sequence[params.audio_feature] = tf.io.VarLenFeature(tf.float32)

  def decode(self, raw: record_check.RawRecord) -> dict[str, tf.Tensor]:
    """Returns the tensors of a record, by key, and its `LOCATION`."""
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
    return {**decoded, LOCATION: location}


class TfdsDecoder(video_input.VideoTfdsDecoder):
  """The Model Garden's TFDS decoder; messages name the dataset and split."""

  def __init__(self, params: grw_config.DataConfig):
    super().__init__(params.image_field_key, params.label_field_key)
    self._location = (
      f'a clip of the TFDS dataset "{params.tfds_name}", split '
      f'"{params.tfds_split}",'
    )

  def decode(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns frames and label by key, and their `LOCATION`."""
    return {
      **super().decode(features),
      LOCATION: tf.constant(self._location),
      SOURCE_ID_KEY: tf.constant(''),
    }


def _decoder(params: grw_config.DataConfig):
  return TfdsDecoder(params) if params.tfds_name else RecordDecoder(params)


def _zeros(spec: Any) -> Any:
  """Returns zeros of a nest of specs; unknown dimensions are 0."""
  return tf.nest.map_structure(
    lambda s: tf.zeros([size or 0 for size in s.shape], s.dtype), spec
  )


def drop_and_count(dataset: tf.data.Dataset, parse_fn) -> tf.data.Dataset:
  """Maps a function over a dataset and drops the elements on which it fails.

  Adds to each clip the number dropped between it and the next, and to the first
  those before it too, under `BAD_RECORDS`.  The sum over clips is the number
  dropped so far, however they are shuffled, batched or sent afterwards.  To
  know what follows a clip, it is held back until the next arrives.

  Args:
    dataset: elements for `parse_fn`; failures to read it count too.
    parse_fn: returns (features, label).

  Returns:
    A dataset of (features, label).
  """
  parsed_spec = dataset.map(parse_fn).element_spec
  # The end takes a number as well: it releases the last clip.
  end = tf.data.Dataset.from_tensors((True, _zeros(dataset.element_spec)))
  more = tf.data.Dataset.from_tensors(False).repeat()
  numbered = tf.data.Dataset.zip((more, dataset)).concatenate(end).enumerate()

  def parse(number, element):
    is_end, raw = element
    return number, tf.cond(
      is_end, lambda: _zeros(parsed_spec), lambda: parse_fn(raw)
    )

  # A number used up by an element that failed leaves a gap.
  kept = (
    numbered.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    .ignore_errors(log_warning=True)
    .enumerate()
  )

  def release(state, element):
    counted, (features, label) = state
    position, (number, arrived) = element
    dropped = number - position
    # Nothing is held when the first arrives: what was dropped before it stays
    # to be counted.
    now_counted = tf.where(position > 0, dropped, 0)
    features = {**features, BAD_RECORDS: dropped - counted}
    return (now_counted, arrived), (features, label)

  nothing = (tf.constant(0, tf.int64), _zeros(parsed_spec))
  return kept.scan(nothing, release).skip(1)


def _read_tfds(
  params: grw_config.DataConfig,
  input_context: tf.distribute.InputContext | None,
) -> tf.data.Dataset:
  """Reads a TFDS split as the stock reader does, but never caches it.

  TFDS caches small datasets of one file in memory.  The stock reader asks it
  to repeat training data before that cache, which then grows by every clip
  that is read until memory ends.
  """
  builder = tfds.builder(
    params.tfds_name, data_dir=params.tfds_data_dir or None
  )
  repeats = params.is_training and not params.cache
  pipelines = input_context.num_input_pipelines if input_context else 1
  # Info of mocked datasets has no splits.
  splits = builder.info.splits
  files = (
    len(splits[params.tfds_split].file_instructions)
    if params.tfds_split in splits
    else 1
  )
  skipped = [
    name.strip()
    for name in params.tfds_skip_decoding_feature.split(',')
    if name.strip()
  ]
  dataset = tfds.load(
    params.tfds_name,
    split=params.tfds_split,
    data_dir=params.tfds_data_dir or None,
    shuffle_files=params.is_training,
    as_supervised=params.tfds_as_supervised,
    decoders={name: tfds.decode.SkipDecoding() for name in skipped} or None,
    read_config=tfds.ReadConfig(
      interleave_cycle_length=params.cycle_length,
      interleave_block_length=params.block_length,
      input_context=input_context if files >= pipelines else None,
      shuffle_seed=None if params.enable_tf_data_service else params.seed,
      repeat_filenames=repeats,
      assert_cardinality=not repeats,
      skip_prefetch=True,
      try_autocache=False,
    ),
  )
  if input_context and files < pipelines:
    dataset = dataset.shard(pipelines, input_context.input_pipeline_id)
  return dataset


class VideoReader(input_reader.InputReader):
  """The Model Garden's reader, on files checked to hold records."""

  def __init__(self, params: grw_config.DataConfig, **kwargs):
    self._files_config = params
    super().__init__(params, **kwargs)

  def read(
    self,
    input_context: tf.distribute.InputContext | None = None,
    dataset: tf.data.Dataset | None = None,
  ) -> tf.data.Dataset:
    """Returns the batches; see `InputReader.read`."""
    if dataset is None and self._files_config.tfds_name:
      dataset = _read_tfds(self._files_config, input_context)
    return super().read(input_context, dataset)

  def get_files(self, input_path):
    """Returns the files to read; see `record_check.list_files`."""
    files = record_check.list_files(self._files_config)
    record_check.check_first_records(
      files, record_parser(self._files_config), self._files_config
    )
    return files


def record_parser(params: grw_config.DataConfig) -> record_check.ParseFn:
  """Returns a function that parses all of a raw record, or fails.

  Args:
    params: the data to parse.

  Returns:
    A function of what `record_check.read_records` yields.  It decodes every
    frame, not only those of the clip.
  """
  decoder, parser = RecordDecoder(params), VideoParser(params)

  def parse(raw: record_check.RawRecord):
    decoded = decoder.decode(raw)
    frames = preprocess_ops_3d.decode_image(
      decoded[params.image_field_key], params.feature_shape[3]
    )
    return tf.shape(frames), parser.parse_fn(params.is_training)(decoded)

  return parse


@contextlib.contextmanager
def explained_errors(*configs: grw_config.DataConfig) -> Iterator[None]:
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
  params: grw_config.DataConfig,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Builds the batches of a split.

  Args:
    params: what to read, from TFRecords or TFDS, and how.
    input_context: this pipeline among several, or None.

  Returns:
    A dataset of (features, labels).  Features are 'image' [views, frames,
    height, width, channels] and `NUM_FRAMES` [views], int32, views being the
    batch, in evaluation times `num_test_clips` and `num_test_crops`.  Not for
    the model are `SOURCE_ID` [batch, bytes], uint8, in evaluation, and with
    `on_bad_record` 'skip' `BAD_RECORDS` [batch], int64.  Labels are [batch,
    classes] if `one_hot`.

  Raises:
    ValueError: the config is wrong.
    record_check.InputDataError: the files are missing or empty, or their first
      records are bad.
  """
  record_check.check_policy(params.on_bad_record)
  decode_fn = _decoder(params).decode
  parse_fn = VideoParser(params).parse_fn(params.is_training)
  compression = record_check.compression_type(params)
  merge_views = video_input.PostBatchProcessor(params)

  def postprocess_fn(features, labels):
    features, labels = merge_views(features, labels)
    num_frames = tf.reshape(features[grw_config.NUM_FRAMES], [-1])
    return {**features, grw_config.NUM_FRAMES: num_frames}, labels

  if params.mixup_and_cutmix is not None:
    mix = augment.MixupAndCutmix(
      **params.mixup_and_cutmix.as_dict(), num_classes=params.num_classes
    )

    def postprocess_fn(features, labels):
      image, labels = mix(features['image'], labels)
      return {**features, 'image': image}, labels

  if params.on_bad_record == 'skip':
    hooks = {
      'sample_fn': lambda dataset: drop_and_count(
        dataset, lambda raw: parse_fn(decode_fn(raw))
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
