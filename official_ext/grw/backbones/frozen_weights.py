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

"""Computes what weights alone determine once, where weights will not change.

A converter folds constants only where that makes them little larger.
"""

from collections.abc import Callable, Iterator
import contextlib
import contextvars

import tensorflow as tf

_FROZEN = contextvars.ContextVar('frozen', default=False)


@contextlib.contextmanager
def frozen_weights() -> Iterator[None]:
  """Functions traced inside hold for the weights of this moment alone.

  For those that are written to be run and not trained on: TFLite files and the
  signatures of SavedModels.  Functions traced before stay as they are.
  """
  token = _FROZEN.set(True)
  try:
    yield
  finally:
    _FROZEN.reset(token)


def constant_if_frozen(compute: Callable[[], tf.Tensor]) -> tf.Tensor:
  """Returns compute(), as a constant of the graph inside `frozen_weights`.

  Args:
    compute: a function of weights alone.
  """
  if not _FROZEN.get():
    return compute()
  with tf.init_scope():  # Out of the graph that is being traced.
    value = compute().numpy()
  return tf.constant(value)
