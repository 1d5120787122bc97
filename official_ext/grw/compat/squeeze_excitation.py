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

"""Squeeze-excitation of whole clips beside causal convolutions.

Patches: MoViNet's `causal` makes convolutions and squeeze-excitations causal
alike, and its blocks make the latter, so that their attributes are set
afterwards.

Upstream: no issue is known.  Unnecessary once MoViNet takes the two apart.
"""

from official.projects.movinet.modeling import movinet_layers
import tf_keras

from official_ext.grw.compat import nested_layers


def pool_whole_clips(model: tf_keras.Model):
  """Lets the squeeze-excitations of a MoViNet pool over all frames of a clip.

  Args:
    model: is changed: from now on its gates at each frame are those of the
      whole clip.
  """
  for layer in nested_layers.within(model):
    if isinstance(layer, movinet_layers.StreamSqueezeExcitation):
      layer._causal = False  # pylint: disable=protected-access
      layer._spatiotemporal_pool._causal = False  # pylint: disable=protected-access
