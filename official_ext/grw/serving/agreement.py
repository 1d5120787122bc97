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

"""How far the answers of a quantized file are those of the float32 one.

A difference of logits says little: a softmax does not see what all logits of a
frame have in common, and sees the others the less the surer it is.  Measured is
what a user gets, probabilities and the best class, along a stream; where a
frame may have several labels, those that are more likely there than not.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from official_ext.grw.configs import label_groups
from official_ext.grw.serving import export_folder

# Frames to compare, in one stream.
NUM_FRAMES = 300
LEAST_SAME_ANSWERS = 0.95
MOST_DIFFERENCE = 0.2
# In 16 bits.
MOST_DIFFERENCE_OF_FLOAT16 = 0.05
# Classes whose probabilities are closer are as good an answer.
_TIE = 0.1


class Agreement(NamedTuple):
  """What was measured over answers of two files.

  Attributes:
    num_answers: how many were compared.
    same_answers: share of them whose best class is the same, or one that is
      within 0.1 of the best probability.  Of several labels, all must be the
      same, or within 0.1 of being so.
    difference: the mean of ½ Σ|p − q| over answers, p and q being their
      probabilities, as a share of the mean of ½ Σ|p − 1/classes|, which is how
      much p says at all.  So it is close to the mean share of probability that
      moved for a model that is sure, and of a sensible scale for one that was
      never trained.  Of several labels, each is two classes: there and not.
      Of groups of classes both numbers are those of the group they are worst
      of.
  """

  num_answers: int
  same_answers: float
  difference: float

  def __str__(self) -> str:
    return (
      f'{self.same_answers:.1%} of {self.num_answers} answers are the same, '
      f'and probabilities differ by {self.difference:.1%} of what they say'
    )


def measure(
  logits: np.ndarray,
  expected: np.ndarray,
  multi_label: bool = False,
  groups: Sequence[label_groups.LabelGroup] = (),
) -> Agreement:
  """Compares answers.

  Args:
    logits: [answers, classes].
    expected: those that they should be, of the same shape.
    multi_label: whether probabilities are sigmoids, not a softmax.
    groups: the groups of classes that a softmax is of each; none: of all.
  """
  if groups:
    each = [
      measure(logits[:, group.part], expected[:, group.part])
      for group in groups
    ]
    return Agreement(
      each[0].num_answers,
      min(found.same_answers for found in each),
      max(found.difference for found in each),
    )

  def probabilities(values: np.ndarray) -> np.ndarray:
    """[answers, questions, classes]: of a softmax one question."""
    if multi_label:
      values = np.stack([values, np.zeros_like(values)], axis=-1)
    else:
      values = values[:, np.newaxis]
    return special.softmax(values, axis=-1)

  p, q = probabilities(expected), probabilities(logits)
  chosen = np.take_along_axis(p, q.argmax(-1)[..., np.newaxis], axis=-1)
  same = np.all(chosen[..., 0] >= p.max(-1) - _TIE, axis=-1)
  return Agreement(
    len(p),
    float(np.mean(same)),
    float(np.abs(p - q).sum() / np.abs(p - 1 / p.shape[-1]).sum()),
  )


def require(
  found: Agreement,
  instead: str = 'float16',
  most_difference: float = MOST_DIFFERENCE,
):
  """Raises ExportError, with what to do, for answers that are others.

  Args:
    found: what was measured.
    instead: what to export with instead, such as 'float16'.
    most_difference: the largest `difference` that is allowed.
  """
  # Not a number is not below.
  if not (
    found.same_answers >= LEAST_SAME_ANSWERS
    and found.difference <= most_difference
  ):
    raise export_folder.ExportError(
      f'With rounded weights the model answers differently: {found}; expected '
      f'at least {LEAST_SAME_ANSWERS:.0%} and at most {most_difference:.0%}. '
      f'Use --quantization={instead}. Nothing was written.'
    )
