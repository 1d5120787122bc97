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

"""Checkpoints to resume from, where some are damaged.

The stock runner restarts at step 0 when the index of checkpoints is damaged,
and gives the workers of a multi-worker run other weights than the chief's after
a restart.
"""

from collections.abc import Mapping
import os
import re
from typing import Any

from absl import logging
import tensorflow as tf

_CHECKPOINT_INDEX = re.compile(r'(ckpt-(\d+))\.index')


class CheckpointError(ValueError):
  """Checkpoints that cannot be resumed from; the message names them."""


def list_checkpoints(directory: str) -> list[str]:
  """Returns the checkpoints of a folder, the one of the latest step first.

  TensorFlow writes `ckpt-*.index` last, so that a checkpoint which was being
  written when its process was killed is not among them.

  Args:
    directory: may not exist.
  """
  names = tf.io.gfile.listdir(directory) if tf.io.gfile.isdir(directory) else []
  found = [match for match in map(_CHECKPOINT_INDEX.fullmatch, names) if match]
  found.sort(key=lambda match: int(match[2]), reverse=True)
  return [os.path.join(directory, match[1]) for match in found]


def read_fault(checkpoint: str) -> str | None:
  """Reads all of a checkpoint; returns why it cannot be read, or None.

  A truncated or damaged file would otherwise be noticed when half of the
  variables are restored.  Reading takes as long as restoring: 0.1 s for A0.
  """
  try:
    reader = tf.train.load_checkpoint(checkpoint)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)
  # A short data file raises IndexError.
  except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
    return str(error).partition('\n')[0] or type(error).__name__
  return None


def _set_damaged_index_aside(directory: str):
  """Renames a `checkpoint` file that TensorFlow would stop at.

  It passes over text that is not a CheckpointState, but neither over an empty
  one nor over bytes that are not text.
  """
  try:
    tf.train.get_checkpoint_state(directory)
  except ValueError:
    index = os.path.join(directory, 'checkpoint')
    logging.warning('%s is damaged: renamed to %s.damaged.', index, index)
    tf.io.gfile.rename(index, f'{index}.damaged', overwrite=True)


def newest_readable_checkpoint(directory: str) -> str | None:
  """Returns the checkpoint to resume from; None if the folder has none.

  That is the one named by the folder's `checkpoint` file.  Where this file or
  that checkpoint is missing or damaged, it is the newest one that can be read
  from beginning to end, and a warning says so.

  Args:
    directory: the model folder.

  Raises:
    CheckpointError: there are checkpoints and none can be read.
  """
  _set_damaged_index_aside(directory)
  named = tf.train.latest_checkpoint(directory)
  state = tf.train.get_checkpoint_state(directory)
  candidates = list_checkpoints(directory)
  if not candidates:
    if state is not None:
      raise CheckpointError(
        f'{directory}/checkpoint names {state.model_checkpoint_path}, and '
        'the folder has no ckpt-*.index. Restore the files of the '
        'checkpoint, or delete the file "checkpoint" to start from step 0.'
      )
    return None
  if named in candidates:
    candidates.remove(named)
    candidates.insert(0, named)
  else:
    logging.warning(
      'The file %s/checkpoint is missing or damaged. The newest checkpoint '
      'beside it is %s.',
      directory,
      candidates[0],
    )

  faults: list[str] = []
  for candidate in candidates:
    fault = read_fault(candidate)
    if fault is None:
      if faults:
        logging.warning(
          'Going back to %s, because of %s', candidate, '; '.join(faults)
        )
      return candidate
    faults.append(f'{candidate}: {fault}')
  raise CheckpointError(
    f'None of the checkpoints in {directory} can be read: {"; ".join(faults)}'
    '. Restore their files, or use an empty model_dir to start from step 0.'
  )


class CheckpointManager(tf.train.CheckpointManager):
  """Saves into its folder, and restores from the model folder.

  The two are the same except on a worker that is not the chief of a
  multi-worker run: it must take part in saving, but what it saves is of no
  use, and what it restores has to be what the chief restores.
  """

  def __init__(
    self,
    checkpoint: tf.train.Checkpoint,
    directory: str,
    model_dir: str,
    required: Mapping[str, Any],
    preferred: str | None = None,
    **kwargs,
  ):
    """Initializes the manager.

    Args:
      checkpoint: what is saved and restored.
      directory: where this worker saves.
      model_dir: where every worker restores from.
      required: those parts of the checkpoint, by name, of which a checkpoint
        to restore must have every variable.  TensorFlow would leave what it
        does not find as it is, without a word.
      preferred: a checkpoint to restore in the place of the newest.
      **kwargs: the arguments of `tf.train.CheckpointManager`.
    """
    _set_damaged_index_aside(directory)
    super().__init__(checkpoint, directory, **kwargs)
    self._model_dir = model_dir
    self._required = tf.train.Checkpoint(**required)
    self._preferred = preferred

  def newest_readable(self) -> str | None:
    """Returns what `restore_or_initialize` would restore, if anything."""
    self.sync()
    if self._preferred:
      return self._preferred
    return newest_readable_checkpoint(self._model_dir)

  def restore_or_initialize(self) -> str | None:
    """Restores the newest checkpoint that can be read, or initializes.

    Returns:
      The checkpoint, or None if there is none.

    Raises:
      CheckpointError: no checkpoint can be read, or it is of another model.
    """
    path = self.newest_readable()
    if path is None:
      return super().restore_or_initialize()
    try:
      status = self._required.restore(path)
      status.assert_existing_objects_matched().expect_partial()
      # What is created later, as the slots of the optimizer are, is restored
      # then; evaluation never does.
      self.checkpoint.restore(path).expect_partial()
    except (AssertionError, ValueError) as error:
      raise CheckpointError(
        f'{path} is of another model than the config describes: '
        f'{str(error).partition(chr(10))[0]} Use the model_dir or the config '
        'of the other model; to start from its weights, set '
        'task.init_checkpoint and an empty model_dir.'
      ) from error
    if path == tf.train.latest_checkpoint(self._model_dir):
      # There is no public way to say so after construction.  Where the file
      # `checkpoint` is damaged, the next loop saves, which mends it.
      self._last_checkpoint_step = int(self._step_counter.numpy())
    return path
