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

"""Claims about what is drawn into frames."""

import numpy as np
import pytest

from official_ext.grw.inference import overlay


def blank(height=240, width=320):
  return np.full((height, width, 3), 128, np.uint8)


def drawn(text, width=200):
  image = blank(40, 240)
  overlay.draw_text(image, text, (5, 5), 16, width)
  return image


@pytest.mark.parametrize(
  'text', ['滑雪', 'スキー', '스키', 'лыжи', 'müßig', 'σκι']
)
def test_letters_of_many_scripts_are_drawn_and_not_replaced(text):
  assert np.any(drawn(text) != drawn('?' * len(text)))
  # Each by its own shape, not all by one box.
  assert np.any(drawn(text) != drawn(text[0] * len(text)))


def test_long_text_ends_where_it_has_to():
  changed = np.any(drawn('snowboarding ' * 5, 100) != 128, axis=(0, 2))
  assert 80 < np.flatnonzero(changed).max() <= 105
  assert np.any(drawn('', 100) == drawn('x', 1))


def bar_length(probability):
  image = blank()
  overlay.draw_panel(image, '', [('', probability)])
  red, _, blue = np.moveaxis(image.astype(int), -1, 0)
  return np.max(np.sum(blue - red > 100, axis=1))


def test_bars_are_as_long_as_their_probabilities():
  whole = bar_length(1.0)
  assert whole > 100
  assert bar_length(0.5) == pytest.approx(whole / 2, abs=4)
  assert bar_length(0.0) <= 4


def test_the_panel_leaves_most_of_the_picture_as_it_is():
  image = blank(720, 1280)
  overlay.draw_panel(image, '1.0 s', [('a', 0.5)] * 5)
  assert np.mean(image == 128) > 0.75
  assert np.all(image[:360] == 128)


@pytest.mark.parametrize('size', [(1, 1), (16, 32), (300, 20)])
def test_a_panel_fits_into_any_picture(size):
  image = blank(*size)
  overlay.draw_panel(image, '1.0 s', [('snowboarding', 0.5)] * 5)
  assert np.any(image != 128)
