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

"""The types of the fields of a configuration are looked up once.

Patches: `Config._get_annotations` reads the annotations of a class and of its
parents anew for each field that is set, from their text, which is most of the
time that a configuration takes.  They do not change.

Upstream: no issue is known.  Unnecessary once the Model Garden keeps them.
"""

import functools
from typing import Any

from official.modeling import hyperparams

_read = hyperparams.Config._get_annotations.__func__


@functools.cache
def _remembered(config: type[hyperparams.Config]) -> dict[str, Any]:
  return _read(config)


def remember() -> None:
  """Replaces the lookup of all configurations."""
  hyperparams.Config._get_annotations = classmethod(_remembered)  # type: ignore[arg-type]
