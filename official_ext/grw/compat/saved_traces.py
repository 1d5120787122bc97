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

"""Functions that are saved are traced once.

Patches: nothing, but enters the context in which TensorFlow saves, which is not
public.  It is part of what a trace is found by: functions traced outside of it
are traced once more by `tf.saved_model.save`.

Upstream: tensorflow/tensorflow#56370.  Unnecessary once saving takes the traces
that there are.
"""

import contextlib

import tensorflow as tf
from tensorflow.python.saved_model import save_context


def traced_to_be_saved() -> contextlib.AbstractContextManager[None]:
  """Functions traced inside are saved as they are, by the default options."""
  return save_context.save_context(tf.saved_model.SaveOptions())
