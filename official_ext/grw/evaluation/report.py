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

"""What an evaluation leaves to read: accuracies, tables and a picture."""

from collections.abc import Iterable, Mapping, Sequence
import csv
import dataclasses
import io
import json
import os

import matplotlib.figure
import matplotlib.ticker
import numpy as np
from scipy import stats
import tensorflow as tf

from official_ext.grw.files import figures
from official_ext.grw.files import whole_file

TOP_K = 5
# Of a run's folder of reports.
MEASURES = 'measures.json'
_SHOWN_PAIRS = 20
_SHOWN_CHARACTERS = 36
# Beyond so many classes neither names nor numbers of a matrix can be read.
_MATRIX_CLASSES = 60
_NUMBERED_CLASSES = 20
_SHOWN_CLASSES = 10


def joined(
  batches: Iterable[Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
  """Joins the arrays of batches by name."""
  batches = list(batches)
  return {
    name: np.concatenate([batch[name] for batch in batches])
    for name in batches[0]
  }


def texts_of(rows: np.ndarray) -> list[str]:
  """Texts of zero-padded UTF-8, [n, bytes] int."""
  # An id that was cut may end within a character.
  return [
    row.tobytes().rstrip(b'\0').decode(errors='replace')
    for row in rows.astype(np.uint8)
  ]


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What a model said of n clips; k is the lesser of 5 and the classes.

  Attributes:
    labels: [n] int, the true ones.
    classes: [n, k] int, the likeliest first.
    probabilities: [n, k] float, of these.
    sources: [n], what each clip's record calls its video; '' if nothing.
    early_classes: [n, counts] int, the likeliest of a stream after so many
      frames; None if nobody looked.
    early_counts: the numbers of frames.
  """

  labels: np.ndarray
  classes: np.ndarray
  probabilities: np.ndarray
  sources: Sequence[str]
  early_classes: np.ndarray | None = None
  early_counts: Sequence[int] = ()

  @classmethod
  def from_batches(
    cls,
    batches: Iterable[Mapping[str, np.ndarray]],
    early_counts: Sequence[int] = (),
  ) -> 'Predictions':
    """Joins batches.

    Args:
      batches: arrays 'labels', 'classes' and 'probabilities' as above, and
        'sources', [batch, bytes] int, zero-padded UTF-8; 'early_classes' if
        there are counts.
      early_counts: as above.
    """
    arrays = joined(batches)
    sources = texts_of(arrays.pop('sources'))
    return cls(sources=sources, early_counts=early_counts, **arrays)

  def measures(self) -> dict[str, float]:
    """What `write_measures` gets beside the logs: nothing."""
    return {}

  def is_among(self, k: int) -> np.ndarray:
    """[n] bool: whether the true label is among the k likeliest."""
    return (self.classes[:, :k] == self.labels[:, np.newaxis]).any(axis=1)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
  """The 95 % interval of a proportion (Wilson, 1927).

  Unlike the normal interval it is of use near 0 and 1 and for few trials.

  Args:
    successes: the number of trials that succeeded.
    trials: the number of trials, at least 1.
  """
  interval = stats.binomtest(successes, trials).proportion_ci(method='wilson')
  return float(interval.low), float(interval.high)


def summary(predictions: Predictions) -> str:
  """One line: top-1, and of five classes or more top-5, with 95 % intervals."""
  parts = []
  for k in (1, TOP_K) if predictions.classes.shape[1] == TOP_K else (1,):
    right = predictions.is_among(k)
    low, high = wilson_interval(int(right.sum()), len(right))
    parts.append(
      f'top-{k} {100 * right.mean():.1f} % (95 % interval '
      f'{100 * low:.1f}-{100 * high:.1f})'
    )
  return f'{", ".join(parts)}, of {len(predictions.labels):,} clips'


def confused_pairs(predictions: Predictions) -> list[tuple[int, int, int]]:
  """Returns (true label, predicted label, clips), the worst pairs first."""
  predicted = predictions.classes[:, 0]
  wrong = predicted != predictions.labels
  pairs, counts = np.unique(
    np.stack([predictions.labels[wrong], predicted[wrong]], axis=1),
    axis=0,
    return_counts=True,
  )
  order = np.argsort(-counts, kind='stable')
  return [
    (int(true), int(said), int(count))
    for (true, said), count in zip(pairs[order], counts[order])
  ]


def csv_content(
  header: Sequence[str], rows: Iterable[Sequence[object]]
) -> bytes:
  """The content of a CSV file in UTF-8."""
  text = io.StringIO(newline='')
  writer = csv.writer(text)
  writer.writerow(header)
  writer.writerows(rows)
  return text.getvalue().encode()


def per_class_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of label, clips, top-1 and top-5; no accuracy without clips."""
  rows = []
  for label, text in enumerate(texts):
    of_class = predictions.labels == label
    shares = [
      f'{predictions.is_among(k)[of_class].mean():.4f}'
      if of_class.any()
      else ''
      for k in (1, TOP_K)
    ]
    rows.append([text, int(of_class.sum()), *shares])
  return csv_content(['label', 'clips', 'top_1', 'top_5'], rows)


def predictions_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of every clip: its video or number, true label, likeliest labels."""
  k = predictions.classes.shape[1]
  header = ['clip', 'label']
  for rank in range(1, k + 1):
    header += [f'predicted_{rank}', f'probability_{rank}']
  rows = []
  for number, source in enumerate(predictions.sources):
    row = [source or number, texts[predictions.labels[number]]]
    for label, probability in zip(
      predictions.classes[number], predictions.probabilities[number]
    ):
      row += [texts[label], f'{probability:.6f}']
    rows.append(row)
  return csv_content(header, rows)


def classes(predictions: Predictions, texts: Sequence[str]) -> list[str]:
  """Lines: top-1 of each class with clips, the worst first, ten at most."""
  found = []
  right = predictions.is_among(1)
  for label, text in enumerate(texts):
    of_class = predictions.labels == label
    if of_class.any():
      share, clips = float(right[of_class].mean()), int(of_class.sum())
      found.append((share, f'  {share:6.1%} of {clips:,} clips of {text}'))
  return worst_first(found)


def worst_first(found: Sequence[tuple[float, str]]) -> list[str]:
  """Ten lines at most of classes, and how many more there are.

  Args:
    found: how good each class is, and its line.
  """
  ordered = sorted(found, key=lambda entry: entry[0])
  lines = [line for _, line in ordered[:_SHOWN_CLASSES]]
  if len(ordered) > _SHOWN_CLASSES:
    lines.append(f'  … and {len(ordered) - _SHOWN_CLASSES} better classes')
  return lines


def _shortened(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
  """A text that fits a picture, in which it is no mathematics."""
  half = characters // 2
  # Both ends: long texts of similar classes often differ in the last word.
  short = (
    text
    if len(text) <= characters
    else f'{text[:half].rstrip()}…{text[-half:].lstrip()}'
  )
  # A pair of dollar signs would make it mathematics.
  return short.replace('$', r'\$')


def confusion_matrix(predictions: Predictions, classes: int) -> np.ndarray:
  """[true, predicted] int: clips."""
  counts = np.zeros([classes, classes], int)
  np.add.at(counts, (predictions.labels, predictions.classes[:, 0]), 1)
  return counts


def confusion_matrix_png(
  predictions: Predictions, texts: Sequence[str]
) -> bytes:
  """A picture of all classes against all, in shares of the true class."""
  counts = confusion_matrix(predictions, len(texts))
  clips = counts.sum(axis=1)
  shares = counts / np.maximum(clips, 1)[:, np.newaxis]
  size = 3.4 + (0.5 if len(texts) <= _NUMBERED_CLASSES else 0.2) * len(texts)
  figure = matplotlib.figure.Figure(
    figsize=(size + 1.2, size), layout='constrained'
  )
  axes = figure.subplots()
  image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
  names = [_shortened(text, 24) for text in texts]
  axes.set_xticks(range(len(texts)), names, rotation=90, fontsize=8)
  axes.set_yticks(
    range(len(texts)),
    [f'{name} ({count})' for name, count in zip(names, clips)],
    fontsize=8,
  )
  axes.set_xlabel('predicted')
  axes.set_ylabel('true (clips)')
  if len(texts) <= _NUMBERED_CLASSES:
    for true, said in np.argwhere(counts).tolist():
      axes.text(
        said,
        true,
        str(counts[true, said]),
        ha='center',
        va='center',
        fontsize=8,
        color='white' if shares[true, said] > 0.6 else 'black',
      )
  figure.colorbar(
    image,
    ax=axes,
    shrink=0.7,
    label='share of the true class’s clips',
    format=matplotlib.ticker.PercentFormatter(1),
  )
  right = predictions.is_among(1)
  axes.set_title(
    f'top-1 {right.mean():.1%} of {len(right):,} clips', fontsize=11
  )
  return figures.png(figure)


def confusions_png(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A picture of the pairs of classes that are taken for each other most."""
  pairs = confused_pairs(predictions)[:_SHOWN_PAIRS]
  clips = np.bincount(predictions.labels, minlength=len(texts))
  figure = matplotlib.figure.Figure(
    figsize=(11, 1.4 + 0.32 * max(len(pairs), 3)), layout='constrained'
  )
  axes = figure.subplots()
  shares = [count / clips[true] for true, _, count in pairs]
  bars = axes.barh(range(len(pairs)), shares, color='tab:red', alpha=0.75)
  axes.bar_label(
    bars, [f' {count} of {clips[true]}' for true, _, count in pairs], fontsize=9
  )
  axes.set_yticks(
    range(len(pairs)),
    [
      f'{_shortened(texts[true])} → {_shortened(texts[said])}'
      for true, said, _ in pairs
    ],
    fontsize=9,
  )
  axes.invert_yaxis()
  axes.margins(y=0.01)
  largest = max(shares, default=1)
  axes.set_xlim(0, 1.3 * largest)  # Room for the counts.
  axes.set_xticks([tick for tick in axes.get_xticks() if tick <= largest])
  axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  axes.set_xlabel('share of the true class’s clips')
  axes.spines[['top', 'right']].set_visible(False)
  wrong = int((~predictions.is_among(1)).sum())
  figure.suptitle(
    f'Most frequent confusions, true → predicted ({wrong} of '
    f'{len(predictions.labels)} clips are wrong)',
    fontsize=11,
  )
  if not pairs:
    axes.text(
      0.5,
      0.5,
      'every clip was classified right',
      ha='center',
      va='center',
      transform=axes.transAxes,
    )
    axes.set_yticks([])
  return figures.png(figure)


def write_measures(step: int, logs: Mapping[str, float], folder: str):
  """Writes measures.json: the step, and every measure by name.

  Args:
    step: that the weights are of.
    logs: the measures.
    folder: is made; a file of this name in it is replaced.
  """
  tf.io.gfile.makedirs(folder)
  whole_file.write(
    os.path.join(folder, MEASURES),
    json.dumps(
      {'step': step, **{name: float(value) for name, value in logs.items()}},
      indent=2,
    ),
  )


def write_report(predictions: Predictions, texts: Sequence[str], folder: str):
  """Writes per_class.csv, predictions.csv and pictures of the confusions.

  `confusions.png` has the worst pairs; `confusion_matrix.png`, of up to 60
  classes, all of them.

  Args:
    predictions: the predictions of the whole evaluation.
    texts: the texts of the labels.
    folder: is made; files of these names in it are replaced.
  """
  files = {
    'per_class.csv': per_class_csv(predictions, texts),
    'predictions.csv': predictions_csv(predictions, texts),
    'confusions.png': confusions_png(predictions, texts),
  }
  if len(texts) <= _MATRIX_CLASSES:
    files['confusion_matrix.png'] = confusion_matrix_png(predictions, texts)
  write_files(files, folder)


def write_files(files: Mapping[str, bytes], folder: str):
  """Writes contents under their names; the folder is made."""
  tf.io.gfile.makedirs(folder)
  for name, content in files.items():
    whole_file.write(os.path.join(folder, name), content)
