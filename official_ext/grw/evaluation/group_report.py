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

"""What an evaluation of one label of each group of classes leaves to read."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses

import numpy as np

from official_ext.grw.configs import label_groups
from official_ext.grw.evaluation import report


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What a model said of n clips.

  Attributes:
    labels: [n, groups] int, the true ones, of the classes of all groups.
    probabilities: [n, classes] float, that sum to 1 in each group.
    sources: [n], what each clip's record calls its video; '' if nothing.
    groups: the groups.
  """

  labels: np.ndarray
  probabilities: np.ndarray
  sources: Sequence[str]
  groups: Sequence[label_groups.LabelGroup]

  @classmethod
  def from_batches(
    cls,
    batches: Iterable[Mapping[str, np.ndarray]],
    groups: Sequence[label_groups.LabelGroup],
  ) -> 'Predictions':
    """Joins batches.

    Args:
      batches: arrays 'labels' [batch, classes] int, with a 1 in each group,
        'probabilities' as above, and 'sources', [batch, bytes] int, zero-padded
        UTF-8.
      groups: the groups.
    """
    joined = report.joined(batches)
    labels = [
      group.start + joined['labels'][:, group.part].argmax(axis=1)
      for group in groups
    ]
    return cls(
      labels=np.stack(labels, axis=1),
      probabilities=joined['probabilities'],
      sources=report.texts_of(joined['sources']),
      groups=groups,
    )

  def measures(self) -> dict[str, float]:
    """What `write_measures` gets beside the logs: nothing."""
    return {}

  @property
  def likeliest(self) -> np.ndarray:
    """[n, groups] int, of the classes of all groups."""
    found = [
      group.start + self.probabilities[:, group.part].argmax(axis=1)
      for group in self.groups
    ]
    return np.stack(found, axis=1)

  def is_among(self, number: int, k: int) -> np.ndarray:
    """[n] bool: whether the true label of a group is among its k likeliest."""
    of_group = self.probabilities[:, self.groups[number].part]
    true = np.take_along_axis(
      self.probabilities, self.labels[:, number : number + 1], axis=1
    )
    return (of_group > true).sum(axis=1) < k


def summary(predictions: Predictions) -> str:
  """One line: top-1 of all groups at once and of each, with 95 % intervals."""
  right = predictions.likeliest == predictions.labels
  names = [group.name for group in predictions.groups]
  parts = []
  for name, values in (
    (' and '.join(names), right.all(axis=1)),
    *zip(names, right.T),
  ):
    low, high = report.wilson_interval(int(values.sum()), len(values))
    parts.append(
      f'{name} {100 * values.mean():.1f} % (95 % interval '
      f'{100 * low:.1f}-{100 * high:.1f})'
    )
  return f'top-1 of {", ".join(parts)}, of {len(right):,} clips'


def _of_classes(predictions: Predictions) -> Iterable[tuple[int, int, float]]:
  """Class, clips and top-1 of each class that occurs."""
  right = predictions.likeliest == predictions.labels
  for number, group in enumerate(predictions.groups):
    for label in range(group.start, group.stop):
      of_class = predictions.labels[:, number] == label
      if of_class.any():
        share = float(right[of_class, number].mean())
        yield label, int(of_class.sum()), share


def classes(predictions: Predictions, texts: Sequence[str]) -> list[str]:
  """Lines: top-1 of each class with clips, the worst first, ten at most."""
  return report.worst_first(
    [
      (share, f'  {share:6.1%} of {clips:,} clips of {texts[label]}')
      for label, clips, share in _of_classes(predictions)
    ]
  )


def per_class_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of group, label, clips, top-1 and top-5 in the group."""
  rows = []
  for number, group in enumerate(predictions.groups):
    among = [predictions.is_among(number, k) for k in (1, report.TOP_K)]
    for label in range(group.start, group.stop):
      of_class = predictions.labels[:, number] == label
      shares = [
        f'{values[of_class].mean():.4f}' if of_class.any() else ''
        for values in among
      ]
      rows.append([group.name, texts[label], int(of_class.sum()), *shares])
  return report.csv_content(['group', 'label', 'clips', 'top_1', 'top_5'], rows)


def predictions_csv(predictions: Predictions, texts: Sequence[str]) -> bytes:
  """A CSV of every clip: of each group true and likeliest label."""
  header = ['clip']
  for group in predictions.groups:
    header += [
      group.name,
      f'predicted_{group.name}',
      f'probability_{group.name}',
    ]
  rows = []
  for number, (source, true, said) in enumerate(
    zip(predictions.sources, predictions.labels, predictions.likeliest)
  ):
    row = [source or number]
    for label, likeliest in zip(true.tolist(), said.tolist()):
      probability = predictions.probabilities[number, likeliest]
      row += [texts[label], texts[likeliest], f'{probability:.6f}']
    rows.append(row)
  return report.csv_content(header, rows)


def write_report(predictions: Predictions, texts: Sequence[str], folder: str):
  """Writes per_class.csv and predictions.csv.

  Args:
    predictions: the predictions of the whole evaluation.
    texts: the texts of the labels.
    folder: is made; files of these names in it are replaced.
  """
  report.write_files(
    {
      'per_class.csv': per_class_csv(predictions, texts),
      'predictions.csv': predictions_csv(predictions, texts),
    },
    folder,
  )
