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

"""Drops the elements of a dataset that cannot be used, and counts them."""

from typing import Any

import tensorflow as tf

from official_ext.grw.datasets import feature_names


def _zeros(spec: Any) -> Any:
  """Returns zeros of a nest of specs; unknown dimensions are 0."""
  return tf.nest.map_structure(
    lambda s: tf.zeros([size or 0 for size in s.shape], s.dtype), spec
  )


def has_frames(features: dict[str, tf.Tensor], num_frames: int) -> tf.Tensor:
  """Returns whether the clips of a video have that many without repetition."""
  return tf.reduce_min(features[feature_names.NUM_FRAMES]) >= num_frames


def drop_and_count(
  dataset: tf.data.Dataset,
  parse_fn,
  drops_bad: bool = True,
  min_frames: int | None = None,
) -> tf.data.Dataset:
  """Maps a function over a dataset and drops elements that cannot be used.

  Adds to each clip the number dropped between it and the next, and to the first
  those before it too: under `feature_names.BAD_RECORDS` those on which the
  function fails, under `feature_names.SHORT_CLIPS` those with too few frames.
  The sum over clips is the number dropped so far, however they are shuffled,
  batched or sent afterwards.  To know what follows a clip, it is held back
  until the next arrives.

  Args:
    dataset: elements for `parse_fn`; failures to read it count too.
    parse_fn: returns (features, label), with `feature_names.NUM_FRAMES`.
    drops_bad: whether to drop where `parse_fn` fails; otherwise the error ends
      the dataset.
    min_frames: the least number of frames before the first repetition; None
      drops nothing for its length.

  Returns:
    A dataset of (features, label).
  """
  # The end takes a number as well: it releases the last clip.
  end = tf.data.Dataset.from_tensors((True, _zeros(dataset.element_spec)))
  more = tf.data.Dataset.from_tensors(False).repeat()
  numbered = tf.data.Dataset.zip((more, dataset)).concatenate(end).enumerate()

  def parse(number, element):
    is_end, raw = element
    specs = []

    def parsed():
      example = parse_fn(raw)
      specs.append(tf.nest.map_structure(tf.TensorSpec.from_tensor, example))
      return example

    # The first branch is traced first, and so knows what the other has to be.
    example = tf.cond(~is_end, parsed, lambda: _zeros(specs[0]))
    return number, is_end, example

  kept = numbered.map(
    parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
  )
  *_, parsed_spec = kept.element_spec
  names = []
  # A number used up by an element that is dropped leaves a gap.
  if drops_bad:
    names.append(feature_names.BAD_RECORDS)
    kept = kept.ignore_errors(log_warning=True)
  kept = kept.enumerate()
  if min_frames is not None:
    names.append(feature_names.SHORT_CLIPS)
    kept = kept.filter(
      lambda _, element: tf.logical_or(
        element[1], has_frames(element[2][0], min_frames)
      )
    )

  def release(state, element):
    counted, (features, label) = state
    position, (place, (number, _, arrived)) = element
    dropped = {
      feature_names.BAD_RECORDS: number - place,
      feature_names.SHORT_CLIPS: place - position,
    }
    # Nothing is held when the first arrives: what was dropped before it stays
    # to be counted.
    now_counted = {
      name: tf.where(position > 0, dropped[name], 0) for name in names
    }
    features = {
      **features,
      **{name: dropped[name] - counted[name] for name in names},
    }
    return (now_counted, arrived), (features, label)

  nothing = (
    {name: tf.constant(0, tf.int64) for name in names},
    _zeros(parsed_spec),
  )
  return kept.enumerate().scan(nothing, release).skip(1)
