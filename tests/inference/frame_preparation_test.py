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

"""NumPy prepares frames as the TensorFlow of evaluation does."""

import itertools

import numpy as np
import tensorflow as tf

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import schema
from official_ext.grw.inference import frame_preparation
from official_ext.grw.serving import saved_model

SIZES = ((17, 31), (31, 17), (24, 24), (240, 135), (7, 100))


def test_every_pixel_is_that_of_evaluation():
  rng = np.random.default_rng(0)
  for shape, square, size, crop, centered, antialias in itertools.product(
    SIZES,
    (True, False),
    (16, 24, 40),
    ((16, 20), (28, 9)),
    (False, True),
    (False, True),
  ):
    frame = rng.integers(0, 256, (*shape, 3), np.uint8)
    data = schema.DataConfig(
      resize='square' if square else 'keep_aspect',
      min_image_size=size,
      feature_shape=(1, *crop, 3),
      zero_centering_image=centered,
      antialias=antialias,
    )
    expected = saved_model.prepared(tf.constant(frame[None, None]), data)[0, 0]
    prepare = frame_preparation.Preparation(
      square, size, crop, centered, antialias
    )
    # Division by 255 is rounded in another way; a pixel's step is 4e-3.
    # Antialiased pixels are no whole numbers, and sums are rounded.
    np.testing.assert_allclose(
      prepare(frame),
      expected,
      rtol=0,
      atol=1e-5 if antialias else 2e-7,
      err_msg=f'{data}',
    )
