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

"""What an evaluation of several labels a clip leaves to read.

And of one label a frame, of which each class is measured by itself too.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses

import matplotlib.figure
import numpy as np
from sklearn import metrics

from official_ext.grw.evaluation import report
from official_ext.grw.files import figures

# From this probability on a label is said to be there.
THRESHOLD = 0.5
MEASURES = ('mean_average_precision', 'overall_average_precision')
_SHOWN_CLASSES = 20


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What a model said of n clips.

  Attributes:
    labels: [n, classes] bool, the true ones.
    probabilities: [n, classes] float, of each by itself.
    sources: [n], what each clip's record calls its video; '' if nothing.
    unit: what is classified, in words: clips, or frames.
    places: [n] int, of frames the number in its clip, from 0; None of clips.
  """

  labels: np.ndarray
  probabilities: np.ndarray
  sources: Sequence[str]
  unit: str = 'clips'
  places: np.ndarray | None = None

  @classmethod
  def from_batches(
    cls, batches: Iterable[Mapping[str, np.ndarray]]
  ) -> 'Predictions':
    """Joins batches.

    Args:
      batches: arrays 'labels' and 'probabilities' as above, and 'sources',
        [batch, bytes] int, zero-padded UTF-8.
    """
    joined = report.joined(batches)
    return cls(
      labels=joined['labels'] > 0,
      probabilities=joined['probabilities'],
      sources=report.texts_of(joined['sources']),
    )

  @classmethod
  def of_frames(
    cls, batches: Iterable[Mapping[str, np.ndarray]]
  ) -> 'Predictions':
    """Joins batches of clips whose frames are classified.

    Args:
      batches: arrays 'labels' [batch, N] int, negative for frames without one,
        'probabilities' [batch, N, classes], and 'sources' as above.

    Returns:
      The frames with a label; their sources are those of the clips and the
      number of the frame in the clip.
    """
    joined = report.joined(batches)
    labels, probabilities = joined['labels'], joined['probabilities']
    videos = report.texts_of(joined['sources'])
    clips, frames = np.nonzero(labels >= 0)
    return cls(
      labels=np.eye(probabilities.shape[-1], dtype=bool)[labels[clips, frames]],
      probabilities=probabilities[clips, frames],
      sources=[
        f'{videos[clip] or clip}, frame {frame}'
        for clip, frame in zip(clips.tolist(), frames.tolist())
      ],
      unit='frames',
      places=frames,
    )

  @property
  def average_precisions(self) -> np.ndarray:
    """[classes] float, of each; not a number where no clip has the label."""
    return np.array(
      [
        metrics.average_precision_score(labels, probabilities)
        if labels.any()
        else np.nan
        for labels, probabilities in zip(self.labels.T, self.probabilities.T)
      ]
    )

  def measures(self) -> dict[str, float]:
    """Mean average precision over classes, and over all pairs at once.

    Empty if no clip has a label.
    """
    if not self.labels.any():
      return {}
    return {
      'mean_average_precision': float(np.nanmean(self.average_precisions)),
      'overall_average_precision': float(
        metrics.average_precision_score(
          self.labels.ravel(), self.probabilities.ravel()
        )
      ),
    }


def summary(predictions: Predictions) -> str:
  """One line: mean average precision, over classes and over all pairs."""
  clips = f'{len(predictions.labels):,} {predictions.unit}'
  measures = predictions.measures()
  if not measures:
    return f'no average precision: none of {clips} has a label'
  classes = int(predictions.labels.any(axis=0).sum())
  return (
    'mean average precision '
    f'{100 * measures["mean_average_precision"]:.1f} % over the {classes} of '
    f'{predictions.labels.shape[1]} classes that occur, '
    f'{100 * measures["overall_average_precision"]:.1f} % over all labels at '
    f'once, of {clips}'
  )


def classes(predictions: Predictions, texts: Sequence[str]) -> list[str]:
  """Lines: average precision of the classes that occur, the worst first."""
  unit = predictions.unit
  return report.worst_first(
    [
      (
        value,
        f'  {value:6.1%} average precision of {text}, {clips:,} {unit}',
      )
      for value, clips, text in zip(
        predictions.average_precisions.tolist(),
        predictions.labels.sum(axis=0).tolist(),
        texts,
      )
      if not np.isnan(value)
    ]
  )


def per_class_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of label, clips, average precision, precision and recall.

  The latter two are at `THRESHOLD`.  What is not defined is left empty.
  """

  def share(part, whole):
    return f'{part / whole:.4f}' if whole else ''

  said = predictions.probabilities >= THRESHOLD
  rows = []
  for label, precision in enumerate(predictions.average_precisions):
    true, found = predictions.labels[:, label], said[:, label]
    right = int((true & found).sum())
    rows.append(
      [
        texts[label],
        int(true.sum()),
        '' if np.isnan(precision) else f'{precision:.4f}',
        share(right, int(found.sum())),
        share(right, int(true.sum())),
      ]
    )
  return report.csv_content(
    ['label', predictions.unit, 'average_precision', 'precision', 'recall'],
    rows,
  )


def predictions_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of every clip: its video or number, its labels, all probabilities."""
  rows = []
  for number, source in enumerate(predictions.sources):
    true = np.flatnonzero(predictions.labels[number]).tolist()
    rows.append(
      [
        source or number,
        '; '.join(texts[label] for label in true),
        *(f'{value:.6f}' for value in predictions.probabilities[number]),
      ]
    )
  return report.csv_content(['clip', 'labels', *texts], rows)


def average_precision_png(
  predictions: Predictions, texts: Sequence[str]
) -> bytes:
  """A picture of the classes with the lowest average precision."""
  values = predictions.average_precisions
  order = [
    label
    for label in np.argsort(values, kind='stable')[:_SHOWN_CLASSES].tolist()
    if not np.isnan(values[label])
  ]
  figure = matplotlib.figure.Figure(
    figsize=(11, 1.4 + 0.32 * max(len(order), 3)), layout='constrained'
  )
  axes = figure.subplots()
  bars = axes.barh(
    range(len(order)), values[order], color='tab:red', alpha=0.75
  )
  clips = predictions.labels.sum(axis=0)
  axes.bar_label(
    bars, [f' of {clips[label]} {predictions.unit}' for label in order]
  )
  axes.set_yticks(
    range(len(order)),
    # Label texts are no mathematics: a pair of dollar signs would make them.
    [texts[label].replace('$', r'\$') for label in order],
    fontsize=9,
  )
  axes.invert_yaxis()
  axes.set_xlim(0, 1.2)  # Room for the counts.
  axes.set_xlabel('average precision')
  axes.spines[['top', 'right']].set_visible(False)
  figure.suptitle('Classes with the lowest average precision', fontsize=11)
  return figures.png(figure)


def write_report(predictions: Predictions, texts: Sequence[str], folder: str):
  """Writes per_class.csv, predictions.csv and average_precision.png.

  Args:
    predictions: the predictions of the whole evaluation.
    texts: the texts of the labels.
    folder: is made; files of these names in it are replaced.
  """
  report.write_files(
    {
      'per_class.csv': per_class_csv(predictions, texts),
      'predictions.csv': predictions_csv(predictions, texts),
      'average_precision.png': average_precision_png(predictions, texts),
    },
    folder,
  )
