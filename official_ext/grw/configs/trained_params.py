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

"""What stands beside a checkpoint about how it was trained."""

import os
from typing import Any

from official.modeling import hyperparams
import tensorflow as tf

_FILE = 'params.yaml'  # Of a Trainer.
_IMPORTED = 'config.yaml'  # Of tools/import_checkpoint.py.


def find(checkpoint: str) -> tuple[str, dict[str, Any]]:
  """The file that says how an experiment was configured, and what it says.

  Args:
    checkpoint: a prefix, or the folder of checkpoints.

  Returns:
    '' and nothing where no file says it.
  """
  folder = (
    checkpoint if tf.io.gfile.isdir(checkpoint) else os.path.dirname(checkpoint)
  )
  # Of best_ckpt/, it is in the folder above.
  above = os.path.dirname(folder.rstrip('/'))
  for place, name in ((folder, _FILE), (above, _FILE), (folder, _IMPORTED)):
    path = os.path.join(place, name)
    if tf.io.gfile.exists(path):
      return path, hyperparams.read_yaml_to_params_dict(path).as_dict()
  return '', {}


def read(checkpoint: str) -> dict[str, Any]:
  """What a Trainer's `params.yaml` says; empty where there is none.

  Args:
    checkpoint: a prefix, or the folder of checkpoints.
  """
  path, params = find(checkpoint)
  return params if os.path.basename(path) == _FILE else {}
