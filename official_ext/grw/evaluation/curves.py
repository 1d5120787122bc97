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
"""A picture of how loss and accuracy went in training and validation."""

from collections.abc import Mapping, Sequence
import os
from typing import Any

import matplotlib.figure
import matplotlib.ticker

from official_ext.grw.files import figures

_TITLES = {
  'top_1_accuracy': 'top-1',
  'mean_average_precision': 'mean average precision',
}
_COLORS = {'train': 'tab:blue', 'validation': 'tab:orange'}


def series(
  records: Sequence[Mapping[str, Any]], split: str, measure: str
) -> tuple[list[float], list[float]]:
  """Where and how a measure was.

  Args:
    records: the lines of a progress.jsonl: 'split', 'step', 'epoch' if it is
      known, and measures.
    split: 'train' or 'validation'.
    measure: its name.

  Returns:
    Epochs, or steps if no epoch is known, and values.
  """
  found = [
    record
    for record in records
    if record['split'] == split and record.get(measure) is not None
  ]
  return (
    [record.get('epoch', record['step']) for record in found],
    [record[measure] for record in found],
  )


def write(
  records: Sequence[Mapping[str, Any]],
  measure: str,
  path: str | os.PathLike[str],
  best: float | None = None,
):
  """Draws the loss on the left and a measure on the right.

  Args:
    records: see `series`.
    measure: the name of what is drawn beside the loss; a share.
    path: the path of the PNG.
    best: where the best checkpoint is, in epochs or steps as above.
  """
  figure = matplotlib.figure.Figure(figsize=(11, 4.2), layout='constrained')
  panels = figure.subplots(1, 2)
  for axes, title, names in (
    (panels[0], 'loss', ('training_loss', 'validation_loss')),
    (panels[1], _TITLES.get(measure, measure), (measure, measure)),
  ):
    for split, name in zip(_COLORS, names):
      places, values = series(records, split, name)
      # Training is measured while it goes on; a validation is a point.
      axes.plot(
        places,
        values,
        color=_COLORS[split],
        marker='o' if len(places) <= 60 else None,
        markersize=3.5,
        label=split,
      )
    if best is not None:
      axes.axvline(
        best, color='black', linestyle=':', linewidth=1, label='best checkpoint'
      )
    axes.set_title(title)
    axes.set_xlabel(
      'epoch' if any('epoch' in record for record in records) else 'step'
    )
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
  panels[0].set_ylim(bottom=0)
  panels[1].set_ylim(0, 1.02)
  panels[1].yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  figures.write(figure, path)
