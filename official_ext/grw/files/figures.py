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

"""Pictures drawn with matplotlib, written whole."""

import io
import os

from matplotlib import figure as matplotlib_figure

from official_ext.grw.files import whole_file

_DOTS_PER_INCH = 130


def write(figure: matplotlib_figure.Figure, path: str | os.PathLike[str]):
  """Writes a figure as a PNG file, which appears whole or not at all.

  Args:
    figure: the figure to draw.
    path: the path of the file; see `whole_file.opened`.

  Raises:
    OSError: the file could not be written, and nothing is left of it.
  """
  whole_file.write(path, png(figure))


def png(figure: matplotlib_figure.Figure) -> bytes:
  """The bytes of a PNG file of a figure."""
  content = io.BytesIO()
  figure.savefig(content, dpi=_DOTS_PER_INCH, format='png')
  return content.getvalue()
