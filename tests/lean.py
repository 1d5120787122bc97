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

"""What tests leave out of Python's and TensorFlow's bookkeeping."""

import functools
import gc
import sys


def leave_imports_alone():
  """Takes what is imported for no garbage, and looks for it less often.

  A tenth of the time of tests that build models was Python looking for garbage
  among what they import, as each model is of many objects.
  """
  gc.collect()
  gc.freeze()
  gc.set_threshold(100_000, 20, 50)


def leave_out_stacks():
  """Has TensorFlow not note where in Python each operation was created.

  It walks the whole stack for each, which is deep in pytest, and looks up the
  line of each frame: a twentieth of the time of all tests.  Only messages about
  a node that failed say it, as "defined at", and the debug information of a
  SavedModel.  Programs that tests start keep it, as they show what users see.
  """
  if 'tensorflow' not in sys.modules:
    return
  from tensorflow.python.framework import ops

  ops._create_c_op = functools.partial(
    ops._create_c_op, extract_traceback=False
  )


def forget_gradients():
  """Lets go of functions with a gradient of their own, and of their graphs.

  TensorFlow keeps the gradient of each for as long as a process runs: of those
  that are traced, and of all in a SavedModel that is loaded.  A process of the
  tests came to 4 GB, among which Python looked for garbage.
  """
  if 'tensorflow' not in sys.modules:
    return
  from tensorflow.python.framework import ops

  kept = ops.gradient_registry._registry
  for name in [name for name in kept if name.startswith('CustomGradient-')]:
    del kept[name]
