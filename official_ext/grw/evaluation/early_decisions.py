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

"""How soon a stream is right: accuracy against the frames that it has seen.

A model that takes its video frame by frame has an answer after each frame.  The
picture is the kind of Figure 9 of the MoViNets paper (Kondratyuk et al., arXiv
2103.11511), whose answers are of single frames: here each answer is of all
frames so far, which is what a client of the stream would be told.  Where frames
have labels of their own, an answer is right if it is that of the last one.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from official_ext.grw.evaluation import multi_label
from official_ext.grw.evaluation import report
from official_ext.grw.files import figures

CSV = 'early_decisions.csv'
PICTURE = 'early_decisions.png'

# Whether each answer is right, [clips] bool, by the frames that it is of.
Answers = Mapping[int, np.ndarray]


def answers(predictions: Any) -> Answers | None:
  """The answers of a stream, if an evaluation looked at them; else None."""
  if isinstance(predictions, multi_label.Predictions):
    places = predictions.places
    if places is None or not len(places):
      return None
    classes = predictions.probabilities.argmax(axis=-1)
    right = predictions.labels[np.arange(len(classes)), classes]
    return {
      place + 1: right[places == place] for place in np.unique(places).tolist()
    }
  if not isinstance(predictions, report.Predictions):
    return None
  if predictions.early_classes is None:
    return None
  right = predictions.early_classes == predictions.labels[:, np.newaxis]
  return dict(zip(predictions.early_counts, right.T))


def accuracies(found: Answers) -> np.ndarray:
  """[counts, 3] float: top-1 after so many frames, and its 95 % interval."""
  return np.array(
    [
      (right.mean(), *report.wilson_interval(right.sum(), len(right)))
      for right in found.values()
    ]
  )


def csv(found: Answers) -> bytes:
  """A CSV of frames, top-1 and the ends of its 95 % interval."""
  rows = zip(found, accuracies(found))
  return report.csv_content(
    ['frames', 'top_1', 'low', 'high'],
    [[count, *(f'{value:.4f}' for value in values)] for count, values in rows],
  )


def png(found: Answers) -> bytes:
  """A picture of top-1 against frames seen, with the 95 % interval."""
  counts = list(found)
  top_1, low, high = accuracies(found).T
  figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout='constrained')
  axes = figure.subplots()
  axes.fill_between(
    counts, low, high, color='tab:blue', alpha=0.2, label='95 % interval'
  )
  axes.plot(
    counts, top_1, color='tab:blue', marker='o', markersize=3.5, label='top-1'
  )
  axes.axhline(
    top_1[-1], color='black', linestyle=':', linewidth=1, label='last frame'
  )
  axes.set_xlim(0, counts[-1] + 0.5)
  axes.set_ylim(0, 1.02)
  axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
  axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  axes.set_xlabel('frames seen')
  axes.set_ylabel('top-1')
  axes.set_title(
    f'Answers of the stream, {len(found[counts[0]]):,} clips', fontsize=11
  )
  axes.grid(alpha=0.3)
  axes.spines[['top', 'right']].set_visible(False)
  axes.legend(frameon=False, loc='lower right')
  return figures.png(figure)


def write(predictions: Any, folder: str):
  """Writes early_decisions.csv and .png, if early answers were looked at."""
  found = answers(predictions)
  if found:
    report.write_files({CSV: csv(found), PICTURE: png(found)}, folder)
