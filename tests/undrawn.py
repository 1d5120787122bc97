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

"""Models of published sizes whose initial weights nobody reads.

Drawing them takes half of the time to build such a model, and their memory all
of what it needs where only shapes are asked for.
"""

from collections.abc import Iterator
import contextlib

import tensorflow as tf
from tensorflow.python.ops import resource_variable_ops


def _variable(next_creator, **kwargs) -> tf.Variable:
  del next_creator
  kept = (
    'name',
    'shape',
    'dtype',
    'trainable',
    'synchronization',
    'aggregation',
  )
  return resource_variable_ops.UninitializedVariable(
    **{name: kwargs[name] for name in kept}
  )


@contextlib.contextmanager
def variables() -> Iterator[None]:
  """Layers built inside have variables without values.

  Reading one before it is assigned raises FailedPreconditionError.
  """
  with tf.variable_creator_scope(_variable):
    yield
