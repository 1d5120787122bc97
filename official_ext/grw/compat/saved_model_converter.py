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

"""SavedModels are converted to TFLite files without being loaded.

Patches: nothing, but overrides a method of a class that is not public.  The
converter reads a SavedModel in C++.  Before, TensorFlow loads it twice in
Python, which takes as long, for messages and a path of old that are not used.

Upstream: no issue is known.  Unnecessary once TensorFlow's converter loads only
what it uses.
"""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.lite.python import lite


class SavedModelConverter(lite.TFLiteSavedModelConverterV2):
  """As `tf.lite.TFLiteConverter.from_saved_model` returns it, and faster."""

  def __init__(self, folder: str, signatures: Sequence[str]):
    """Takes a SavedModel.

    Args:
      folder: it is in.
      signatures: the names of those to convert.
    """
    # The file says what it was made of.
    lite.TFLiteConverterBase._set_original_model_type(
      lite.conversion_metadata_fb.ModelType.TF_SAVED_MODEL
    )
    super().__init__(folder, {tf.saved_model.SERVING}, list(signatures))

  @lite._export_metrics
  def convert(self) -> bytes:
    """The content of the file."""
    graph, *_ = self._load_saved_model(
      self.saved_model_dir, self._saved_model_tags
    )
    return self._convert_from_saved_model(graph)
