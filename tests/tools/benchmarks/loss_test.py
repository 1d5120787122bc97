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

"""The benchmark compares two forms of the same loss."""

import numpy as np
import pytest
import tensorflow as tf

from tools.benchmarks import loss as benchmark_loss


@pytest.mark.parametrize('window', [3, 5, 6])
def test_both_forms_compute_the_same_loss(window):
  windows = tf.constant(
    0.3 * np.random.default_rng(0).standard_normal([4, window, 8]), tf.float32
  )
  np.testing.assert_allclose(
    benchmark_loss.our_loss(windows),
    benchmark_loss.gathered_loss(windows, benchmark_loss.orders_of(window, 0)),
    rtol=1e-5,
  )


def test_sampled_orderings_keep_the_first_frame_and_hold_the_true_order():
  orders = benchmark_loss.orders_of(10, 50)
  assert orders.shape == (50, 10)
  np.testing.assert_array_equal(orders[0], np.arange(10))
  np.testing.assert_array_equal(orders[:, 0], 0)
  np.testing.assert_array_equal(np.sort(orders, axis=1)[7], np.arange(10))
