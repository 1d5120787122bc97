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

"""Turns the decoded frames of a record into a clip and its label."""

from official.vision.dataloaders import video_input
from official.vision.ops import preprocess_ops_3d
import tensorflow as tf

from official_ext.grw.compat import drawn_magnitude
from official_ext.grw.configs import label_groups
from official_ext.grw.configs import schema
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import frame_resizing
from official_ext.grw.datasets import record_check
from official_ext.grw.datasets import shot_boundaries

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

  *   A record without frames or with a label outside the classes fails by name,
      and with `label_groups` one that has not a label of each group.
  *   Features have `NUM_FRAMES`, int32: how many frames of a clip come before
      the first repetition.  Of short videos the clip repeats the frames, as in
      stock, so that most of what follows is a jump or is known already.
  *   A training clip of a short video begins with the video's first frame.
      Stock begins anywhere in it, and so repeats sooner.
  *   The magnitudes of RandAugment have the standard deviation of the config,
      which stock leaves out.
  *   With `frame_label_field_key`, labels are those of the frames of a clip,
      [N], or [N, classes] if `one_hot`.  Repeated frames have
      `feature_names.NO_LABEL`, or zeros.
  *   In evaluation features have `feature_names.SOURCE_ID`.
  *   With a threshold, features have `feature_names.CUTS`, [N] bool.  Whole
      frames of the clip are compared, as the record has them: before they are
      resized, cropped and distorted, so that training and evaluation find the
      same cuts.
  """

  def __init__(
    self, params: schema.DataConfig, cut_threshold: float | None = None
  ):
    """Checks the config.

    Args:
      params: the data to parse.
      cut_threshold: the content score from which two frames of a clip are of
        two shots (`shot_boundaries`); None looks for no cuts.

    Raises:
      ValueError: the values cannot be used together.
    """
    if params.num_classes < 1:
      raise ValueError(
        f'num_classes={params.num_classes}: expected the number '
        'of classes in the data.'
      )
    self._params = params
    self._groups = label_groups.read(params.label_groups, params.num_classes)
    self._cut_threshold = cut_threshold
    self._size = (params.feature_shape[1], params.feature_shape[2])
    # Workers of a tf.data service must not all draw the same numbers.
    self._seed = None if params.enable_tf_data_service else params.seed
    self._is_stock = (
      params.augment
      and params.random_flip
      and params.random_offset
      and self._seed is None
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
    if params.aug_type and params.aug_type.type == 'randaug':
      self._augmenter = drawn_magnitude.RandAugment(
        **params.aug_type.randaug.as_dict()
      )
    if self._augmenter is not None:
      # It decides by what it draws, which AutoGraph writes into the graph; the
      # rest of a parser does not (compat/autograph.py).
      distort = tf.function(self._augmenter.distort)
      self._augmenter.distort = distort  # type: ignore[method-assign]

  def _num_clips(self, is_training: bool) -> int:
    return 1 if is_training else self._params.num_test_clips

  def _checked(self, decoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Fails unless there are frames, and one label among the classes."""
    params = self._params
    frames = decoded[params.image_field_key]
    label = decoded[params.label_field_key]
    limit = record_check.num_labels(params.num_classes)
    in_range = tf.reduce_all(tf.logical_and(label >= 0, label < limit))
    if self._groups:
      in_range = self._in_groups(label)
    elif not params.is_multilabel:
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
      if self._groups:
        return [
          'has labels [',
          found,
          f'], expected {record_check.of_groups(self._groups)}.',
        ]
      return [
        'has label [',
        found,
        f'] in {params.label_field_key!r}, expected '
        f'{wanted} in [0, {limit}) (num_classes={params.num_classes}); '
        f'{record_check.LABEL_ADVICE}.',
      ]

    checks = [
      *self._frame_label_checks(decoded),
      record_check.require(
        tf.shape(frames)[0] > 0, decoded[feature_names.LOCATION], no_frames
      ),
      record_check.require(
        in_range, decoded[feature_names.LOCATION], bad_label
      ),
    ]
    with tf.control_dependencies(checks):
      frames, label = tf.identity(frames), tf.identity(label)
      if key := params.frame_label_field_key:
        decoded = {**decoded, key: tf.identity(decoded[key])}
    if self._groups:
      label = tf.ensure_shape(label, [len(self._groups)])
    elif not params.is_multilabel and label.shape.rank == 1:
      label = tf.ensure_shape(label, [1])
    return {
      **decoded,
      params.image_field_key: frames,
      params.label_field_key: label,
    }

  def _in_groups(self, label: tf.Tensor) -> tf.Tensor:
    """Whether there is one label of each group, a scalar."""
    starts = tf.constant([group.start for group in self._groups], label.dtype)
    stops = tf.constant([group.stop for group in self._groups], label.dtype)
    # Of another number nothing can be compared.
    each = tf.equal(tf.size(label), len(self._groups))
    labels = tf.cond(each, lambda: tf.reshape(label, [-1]), lambda: starts)
    inside = tf.logical_and(labels >= starts, labels < stops)
    return tf.logical_and(each, tf.reduce_all(inside))

  def _frame_label_checks(
    self, decoded: dict[str, tf.Tensor]
  ) -> list[tf.Tensor]:
    """Fails unless each frame has a label among the classes, if it is read."""
    params, key = self._params, self._params.frame_label_field_key
    if not key:
      return []
    labels = decoded[key]
    count, wanted = (
      tf.size(labels),
      tf.shape(decoded[params.image_field_key])[0],
    )
    limit = record_check.num_labels(params.num_classes)

    def bad_count():
      return [
        'has ',
        tf.strings.as_string(count),
        f' labels of frames in {key!r}, expected ',
        tf.strings.as_string(wanted),
        f', one for each frame; {record_check.ADVICE}.',
      ]

    def bad_label():
      found = tf.boolean_mask(labels, (labels < 0) | (labels >= limit))
      return [
        'has a frame of label ',
        tf.strings.as_string(found[0]),
        f' in {key!r}, expected labels in [0, {limit}) '
        f'(num_classes={params.num_classes}); {record_check.LABEL_ADVICE}.',
      ]

    where = decoded[feature_names.LOCATION]
    in_range = tf.reduce_all((labels >= 0) & (labels < limit))
    return [
      record_check.require(tf.equal(count, wanted), where, bad_count),
      record_check.require(in_range, where, bad_label),
    ]

  def _labels_of_frames(
    self, decoded: dict[str, tf.Tensor], num_frames: tf.Tensor
  ) -> tf.Tensor:
    """[N], or [N, classes] if `one_hot`; see the class."""
    params = self._params
    frames = params.feature_shape[0]
    labels = tf.where(
      tf.range(frames) < num_frames,
      tf.cast(decoded[params.frame_label_field_key], tf.int32),
      feature_names.NO_LABEL,
    )
    labels = tf.ensure_shape(labels, [frames])
    if params.one_hot:
      return tf.one_hot(labels, params.num_classes)
    return tf.cast(labels, params.label_dtype)

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

    Of k clips, number i takes the middle of the i-th of k equal parts of each
    segment.  A video with fewer frames than segments has each frame once.
    """
    num_segments = self._params.feature_shape[0]
    bounds = total * tf.range(num_segments + 1) // num_segments
    first, sizes = bounds[:-1], bounds[1:] - bounds[:-1]
    num_clips = self._num_clips(is_training)
    if is_training and self._params.random_offset:
      place = tf.random.uniform([num_segments], seed=self._random_seed(6))
      inside = tf.cast(place * tf.cast(sizes, tf.float32), tf.int32)
    else:
      middles = 2 * tf.range(num_clips)[:, tf.newaxis] + 1
      inside = sizes * middles // (2 * num_clips)
    indices = tf.where(
      total < num_segments, tf.range(num_segments), first + inside
    )
    unique = tf.minimum(total, num_segments)
    return tf.reshape(indices, [-1]), tf.repeat(unique, num_clips)

  def _sample(
    self, decoded: dict[str, tf.Tensor], is_training: bool
  ) -> tuple[Features, Features]:
    """Takes clips out of a video.

    Args:
      decoded: the features of a record, with all frames.
      is_training: how to choose the first frame.

    Returns:
      The record with the frames of the clips alone, [clips · N, ...], resized
      unless they are to be augmented; and of each clip, with `NUM_FRAMES`
      [clips] int32, how many come before the first repetition, and with `CUTS`
      [clips, N] bool, if they are looked for.
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
    if key := params.frame_label_field_key:
      decoded = {**decoded, key: tf.gather(decoded[key], indices % total)}
    features = {feature_names.NUM_FRAMES: unique}
    augments = is_training and params.augment
    threshold = self._cut_threshold
    if frames.dtype == tf.string and not (augments and threshold is None):
      frames = preprocess_ops_3d.decode_image(frames, params.feature_shape[3])
    if threshold is not None:
      shape = [-1, params.feature_shape[0]]
      features[feature_names.CUTS] = shot_boundaries.find(
        tf.reshape(frames, tf.concat([shape, tf.shape(frames)[1:]], axis=0)),
        threshold,
      )
    if not augments:
      frames = frame_resizing.resize(frames, params)
    return {**decoded, params.image_field_key: frames}, features

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
    decoded, of_clips = self._sample(
      self._checked(decoded_tensors), is_training=True
    )
    of_clip = {name: value[0] for name, value in of_clips.items()}
    params = self._params
    if self._is_stock:
      features, label = super()._parse_train_data(decoded)
      if params.frame_label_field_key:
        label = self._labels_of_frames(
          decoded, of_clip[feature_names.NUM_FRAMES]
        )
      return {**features, **of_clip}, label
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
    label = (
      self._labels_of_frames(decoded, of_clip[feature_names.NUM_FRAMES])
      if params.frame_label_field_key
      else video_input.process_label(
        decoded[params.label_field_key],
        params.one_hot,
        params.num_classes,
        tf.dtypes.as_dtype(params.label_dtype),
      )
    )
    return {'image': tf.cast(clip, params.dtype), **of_clip}, label

  def _parse_eval_data(self, decoded_tensors: dict[str, tf.Tensor]) -> Example:
    """Parses data for evaluation; see `video_input.Parser`."""
    params = self._params
    decoded, of_clips = self._sample(
      self._checked(decoded_tensors), is_training=False
    )
    features, label = super()._parse_eval_data(decoded)
    if params.frame_label_field_key:
      label = self._labels_of_frames(
        decoded, of_clips[feature_names.NUM_FRAMES][0]
      )
    several = params.num_test_clips * params.num_test_crops > 1
    of_views = {
      # Stock puts the crops one after the other, each with all clips.
      name: tf.concat([value] * params.num_test_crops, axis=0)
      if several
      else value[0]
      for name, value in of_clips.items()
    }
    return {
      **features,
      **of_views,
      feature_names.SOURCE_ID: tf.io.decode_raw(
        decoded[feature_names.SOURCE_ID_KEY],
        tf.uint8,
        fixed_length=feature_names.SOURCE_ID_BYTES,
      ),
    }, label
