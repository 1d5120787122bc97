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

"""Everything that registers itself: import this module to make it all known.

The Model Garden finds experiments, tasks, models, optimizers and TFDS builders
by name, in registries that are filled when the modules are imported.
"""

# ruff: noqa: F401
# pylint: disable=unused-import
from official.vision import registry_imports

from official_ext.grw.backbones import families
from official_ext.grw.compat import autograph
from official_ext.grw.compat import config_types
from official_ext.grw.compat import known_sizes
from official_ext.grw.configs import ensemble as ensemble_config
from official_ext.grw.datasets import airplanes
from official_ext.grw.modeling import ensemble
from official_ext.grw.modeling import grw_model
from official_ext.grw.optimization import config
from official_ext.grw.tasks import grw_ensemble
from official_ext.grw.tasks import grw_video_classification

autograph.trace_as_written()
config_types.remember()
known_sizes.use_known_sizes()
families.register_experiments()
