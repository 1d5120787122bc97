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
"""GRW-smoothing for efficient video recognition.

What an exported model sees in a video:

    from official_ext import grw

    model = grw.load('own_tflite')
    for label, probability in model.predict('ride.mp4')[:5]:
      print(f'{probability:6.1%} {label}')

Names are imported when they are first used: a TFLite file is run without
TensorFlow.
"""

import importlib
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
  from official_ext.grw.heads.temporal import TemporalHead
  from official_ext.grw.inference.exported import ExportedModel
  from official_ext.grw.inference.exported import open_model as load
  from official_ext.grw.losses.grw_smoothing import cut_windows
  from official_ext.grw.losses.grw_smoothing import GrwSmoothing
  from official_ext.grw.losses.grw_smoothing import smoothing_terms
  from official_ext.grw.losses.grw_smoothing import SmoothingTerms
  from official_ext.grw.losses.keras3_smoothing import GrwSmoothingKeras3
  from official_ext.grw.modeling.grw_model import GrwClassifier

__all__ = [
  'ExportedModel',
  'GrwClassifier',
  'GrwSmoothing',
  'GrwSmoothingKeras3',
  'SmoothingTerms',
  'TemporalHead',
  '__version__',
  'cut_windows',
  'load',
  'smoothing_terms',
]

# pyproject.toml reads it here.
__version__ = '0.2.0'

# The module below this package, and the name in it.
_PLACES = {
  'ExportedModel': ('inference.exported', 'ExportedModel'),
  'GrwClassifier': ('modeling.grw_model', 'GrwClassifier'),
  'GrwSmoothing': ('losses.grw_smoothing', 'GrwSmoothing'),
  'GrwSmoothingKeras3': ('losses.keras3_smoothing', 'GrwSmoothingKeras3'),
  'SmoothingTerms': ('losses.grw_smoothing', 'SmoothingTerms'),
  'TemporalHead': ('heads.temporal', 'TemporalHead'),
  'cut_windows': ('losses.grw_smoothing', 'cut_windows'),
  'load': ('inference.exported', 'open_model'),
  'smoothing_terms': ('losses.grw_smoothing', 'smoothing_terms'),
}


def __getattr__(name: str) -> Any:
  if name not in _PLACES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  module, attribute = _PLACES[name]
  value = getattr(importlib.import_module(f'{__name__}.{module}'), attribute)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
