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

"""Claims about functions that are traced as they are written."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.autograph.core import config
from tensorflow.python.autograph.impl import api

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.compat import autograph
from official_ext.grw.losses import grw_smoothing


def test_rules_are_added_once():
  rules = config.CONVERSION_RULES
  autograph.trace_as_written()
  assert config.CONVERSION_RULES == rules


def test_functions_of_the_package_are_not_written_anew(monkeypatch):
  converted = []
  convert = api._convert_actual

  def recorded(entity, context):
    converted.append(entity.__module__)
    return convert(entity, context)

  monkeypatch.setattr(api, '_convert_actual', recorded)

  @tf.function
  def order_loss(embeddings):
    # A decision by a tensor's value, in a module of somebody else.
    if tf.reduce_sum(embeddings) > 0:
      embeddings = -embeddings
    return grw_smoothing.smoothing_terms(
      grw_smoothing.cut_windows(embeddings, 5)
    ).order_loss

  embeddings = np.random.default_rng(0).normal(size=(2, 10, 4))
  embeddings = embeddings.astype(np.float32)
  loss = order_loss(embeddings)
  assert converted and set(converted) == {__name__}
  direct = grw_smoothing.smoothing_terms(
    grw_smoothing.cut_windows(tf.constant(embeddings), 5)
  ).order_loss
  assert loss.numpy() == pytest.approx(direct.numpy(), rel=1e-6)
