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

"""The `params.yaml` that a Trainer left beside its checkpoints."""

import os
from typing import Any

from official.modeling import hyperparams
import tensorflow as tf

_FILE = 'params.yaml'


def read(checkpoint: str) -> dict[str, Any]:
  """What an experiment was configured with; empty where nothing says it.

  Args:
    checkpoint: a prefix, or the folder of checkpoints.
  """
  folder = (
    checkpoint if tf.io.gfile.isdir(checkpoint) else os.path.dirname(checkpoint)
  )
  # Of best_ckpt/, it is in the folder above.
  for place in (folder, os.path.dirname(folder.rstrip('/'))):
    path = os.path.join(place, _FILE)
    if tf.io.gfile.exists(path):
      return hyperparams.read_yaml_to_params_dict(path).as_dict()
  return {}
