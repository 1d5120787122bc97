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

"""Keras finds every layer that is within a model."""

import pytest
import tf_keras

from official_ext.grw.compat import nested_layers
from official_ext.grw.modeling import ensemble
from tests import tiny
from tests.backbones import same_structure_test
from tests.backbones.posmlp_video import model_test as posmlp_video_test
from tests.backbones.videofocalnet import model_test as videofocalnet_test

BACKBONES = {
  **same_structure_test.BACKBONES,
  'videofocalnet': {
    'type': 'videofocalnet',
    'videofocalnet': videofocalnet_test.TINY,
  },
  'posmlp_video': {
    'type': 'posmlp_video',
    'posmlp_video': posmlp_video_test.TINY,
  },
}


def require_all_found(model):
  found = nested_layers.within(model)
  assert len({id(layer) for layer in found}) == len(found) > 20
  assert {id(layer) for layer in found} == {
    id(part)
    for part in model.submodules
    if isinstance(part, tf_keras.layers.Layer)
  }


@pytest.mark.parametrize('name', BACKBONES)
def test_layers_of_every_family_are_found(name):
  require_all_found(tiny.classifier(backbone=BACKBONES[name]))


def test_layers_of_streams_and_ensembles_are_found():
  both = tiny.ensemble()
  require_all_found(ensemble.stream_of(both.members[0], tiny.FRAMES))
  require_all_found(both)
  require_all_found(ensemble.stream_of(both, tiny.FRAMES))
