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

"""Functions that decide nothing by a tensor's value are traced as they are.

Patches: the rules of AutoGraph, which has `DoNotConvert` for TensorFlow's and
Keras's own modules alone.  AutoGraph writes each function anew in which an
`if`, `for` or `while` of Python may depend on tensors.  For the hundred of one
training that takes 7 of 20 seconds of processor time before the first step, and
none of them does: here and in the Model Garden's models, tasks and parsers such
a decision is a `tf.cond`.  Were there one, tracing would fail and say so; no
result can change.  Functions of other modules are converted as ever where they
are a `tf.function`, as the parser makes one of its augmentation.

Upstream: the public decorator `tf.autograph.experimental.do_not_convert` is of
one function, and the Model Garden has none.  Unnecessary once the Model Garden
decorates its own.
"""

from tensorflow.python.autograph.core import config
from tensorflow.python.autograph.core import config_lib

_AS_WRITTEN = (
  'official_ext.grw',
  'official.core',
  'official.projects.movinet',
  'official.vision.dataloaders',
  'official.vision.modeling.backbones',
  'official.vision.modeling.layers.nn_blocks',
  'official.vision.ops.preprocess_ops',
  'official.vision.ops.preprocess_ops_3d',
  'official.vision.tasks.video_classification',
)
# Not the Model Garden's `nn_layers`: in graphs of TensorFlow 1 `training` is a
# tensor there.  And of our own all but RandAugment, which decides by its draws.
_CONVERTED = 'official_ext.grw.compat.drawn_magnitude'


def trace_as_written() -> None:
  """Adds the rules, once."""
  known = {str(rule) for rule in config.CONVERSION_RULES}
  # The first rule that names a module counts.
  rules = (
    config_lib.Convert(_CONVERTED),
    *map(config_lib.DoNotConvert, _AS_WRITTEN),
  )
  config.CONVERSION_RULES = (
    *(rule for rule in rules if str(rule) not in known),
    *config.CONVERSION_RULES,
  )
