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

"""Drops the elements of a dataset on which parsing fails, and counts them."""

from typing import Any

import tensorflow as tf

from official_ext.grw.datasets import feature_names


def _zeros(spec: Any) -> Any:
  """Returns zeros of a nest of specs; unknown dimensions are 0."""
  return tf.nest.map_structure(
    lambda s: tf.zeros([size or 0 for size in s.shape], s.dtype), spec
  )


def drop_and_count(dataset: tf.data.Dataset, parse_fn) -> tf.data.Dataset:
  """Maps a function over a dataset and drops the elements on which it fails.

  Adds to each clip the number dropped between it and the next, and to the first
  those before it too, under `feature_names.BAD_RECORDS`.  The sum over clips
  is the number dropped so far, however they are shuffled, batched or sent
  afterwards.  To know what follows a clip, it is held back until the next
  arrives.

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
    features = {
      **features,
      feature_names.BAD_RECORDS: dropped - counted,
    }
    return (now_counted, arrived), (features, label)

  nothing = (tf.constant(0, tf.int64), _zeros(parsed_spec))
  return kept.scan(nothing, release).skip(1)
