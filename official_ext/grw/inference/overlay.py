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

"""Class probabilities drawn into video frames."""

from collections.abc import Sequence

import cv2
import numpy as np

# The font that comes with OpenCV 5: Latin, Greek, Cyrillic, Chinese, Japanese,
# Korean, Hebrew and Arabic letters, whatever is installed.
_FONT = 'sans'
_WEIGHT = 500  # Of 400 to 900; thinner letters drown in a video.
_INK = (255, 255, 255)
_BAR = np.array((30, 144, 255), np.float32)
_PANEL = np.array((16, 18, 24), np.float32)
# How much of the picture is covered where the panel and the bars are.
_PANEL_OPACITY, _BAR_OPACITY = 0.62, 0.8
# Of the frame.
_TEXT_HEIGHT, _PANEL_WIDTH, _PANEL_HEIGHT = 1 / 28, 0.5, 0.6
# In pixels: below, text cannot be read and the panel holds no label.
_LEAST_TEXT, _LEAST_PANEL = 11, 240


def _blend(region: np.ndarray, color: np.ndarray, opacity: float):
  region[...] = (region * (1 - opacity) + color * opacity).astype(np.uint8)


def _text_width(text: str, size: int) -> int:
  return cv2.getTextSize(
    (0, 0), text, (0, 0), cv2.FontFace(_FONT), size, _WEIGHT
  )[2]


def draw_text(
  image: np.ndarray,
  text: str,
  corner: tuple[int, int],
  size: int,
  width: int,
  color: Sequence[int] = _INK,
):
  """Draws a line of text into a picture, in place.

  Args:
    image: [height, width, 3] uint8 RGB.
    text: in any of many scripts; where it does not fit, it ends in an ellipsis.
    corner: x and y of its upper left corner.
    size: in pixels.
    width: in pixels, where it has to fit.
    color: RGB.
  """
  if _text_width(text, size) > width:
    while text and _text_width(text + '…', size) > width:
      text = text[:-1]
    text += '…'
  cv2.putText(
    image,
    text,
    (corner[0], corner[1] + round(1.2 * size)),
    color,
    cv2.FontFace(_FONT),
    size,
    _WEIGHT,
  )


def draw_panel(
  image: np.ndarray, heading: str, rows: Sequence[tuple[str, float]]
):
  """Draws a panel with bars into the lower left corner of a picture, in place.

  Sizes follow the picture's; a small one shows fewer of the rows.

  Args:
    image: [height, width, 3] uint8 RGB.
    heading: one line of text.
    rows: labels and probabilities, a bar each.
  """
  height, width = image.shape[:2]
  size = max(round(height * _TEXT_HEIGHT), _LEAST_TEXT)
  line, margin = round(1.7 * size), round(0.5 * size)
  rows = rows[: max(int((height * _PANEL_HEIGHT) // line) - 1, 1)]
  panel_width = min(max(round(width * _PANEL_WIDTH), _LEAST_PANEL), width)
  top = max(height - line * (len(rows) + 1) - margin, 0)
  _blend(image[top:, :panel_width], _PANEL, _PANEL_OPACITY)

  inner = panel_width - 2 * margin
  draw_text(image, heading, (margin, top), size, inner)
  for number, (label, probability) in enumerate(rows, 1):
    y = top + number * line
    _blend(
      image[y + 1 : y + line - 1, margin : margin + round(inner * probability)],
      _BAR,
      _BAR_OPACITY,
    )
    percent = f'{probability:.0%}'
    x = margin + margin // 2
    end = panel_width - x - _text_width(percent, size)
    draw_text(image, label, (x, y), size, end - margin - x)
    draw_text(image, percent, (end, y), size, panel_width)
