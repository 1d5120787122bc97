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

"""Reads a TFDS split without the stock reader's growing cache."""

import tensorflow as tf
import tensorflow_datasets as tfds

from official_ext.grw.configs import schema


def read_tfds(
  params: schema.DataConfig,
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
