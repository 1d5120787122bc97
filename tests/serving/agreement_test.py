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

"""What a difference of answers comes to, whatever the logits are."""

import numpy as np
import pytest

from official_ext.grw.serving import agreement
from official_ext.grw.serving import export_folder

RNG = np.random.default_rng(0)
# A model that is sure of one of five classes, and one that says little.
SURE = 8 * np.eye(5)[np.arange(200) % 5]
UNSURE = 1e-2 * RNG.standard_normal((200, 5))


@pytest.mark.parametrize('logits', [SURE, UNSURE])
def test_equal_answers_agree_whatever_their_logits_have_in_common(logits):
  """A softmax sees no constant that is added to all logits of a frame."""
  shifts = 50 * RNG.standard_normal((200, 1))
  found = agreement.measure(logits + shifts, logits)
  assert found.same_answers == 1 and found.difference < 1e-9
  agreement.require(found)


def test_large_differences_of_sure_answers_do_not_matter():
  noise = RNG.uniform(-1.5, 1.5, SURE.shape)
  found = agreement.measure(SURE + noise, SURE)
  assert np.abs(noise).max() / SURE.max() > 0.18
  assert found.same_answers == 1 and found.difference < 0.01
  agreement.require(found)


def test_the_difference_is_the_share_of_probability_that_moved():
  """Half of a sure model's answers moved to another class: half of it."""
  moved = np.where(np.arange(200)[:, np.newaxis] < 100, SURE, SURE[:, ::-1])
  moved[2::5] = np.roll(SURE[2::5], 1, axis=1)  # The middle class stays else.
  moved[:100] = SURE[:100]
  found = agreement.measure(100 * moved, 100 * SURE)
  assert found.same_answers == 0.5
  assert found.difference == pytest.approx(0.5 / 0.8)


# One, two or none of five labels.
SEVERAL = np.where(RNG.random((200, 5)) < 0.3, 6.0, -6.0)


def test_what_logits_have_in_common_matters_to_several_labels():
  """A sigmoid sees it: labels that are there would be gone."""
  shifted = SEVERAL - 8
  agreement.require(agreement.measure(shifted, SEVERAL))
  found = agreement.measure(shifted, SEVERAL, multi_label=True)
  assert found.same_answers == np.mean(SEVERAL.max(1) < 0)
  with pytest.raises(export_folder.ExportError):
    agreement.require(found)


def test_differences_of_several_sure_labels_do_not_matter():
  noise = RNG.uniform(-2, 2, SEVERAL.shape)
  found = agreement.measure(SEVERAL + noise, SEVERAL, multi_label=True)
  assert found.num_answers == 200 and found.same_answers == 1
  assert found.difference < 0.02
  unsure = agreement.measure(0.1 - UNSURE, UNSURE, multi_label=True)
  assert unsure.same_answers == 1  # All are near a half.
  with pytest.raises(export_folder.ExportError):
    agreement.require(unsure)


def test_the_better_of_two_near_equals_is_no_answer():
  expected = np.log([[0.48, 0.52, 1e-9]] * 10)
  found = agreement.measure(expected[:, [1, 0, 2]], expected)
  assert found.same_answers == 1


@pytest.mark.parametrize(
  'logits, expected',
  [
    (SURE[::-1], SURE),
    (np.zeros_like(SURE), SURE),
    (UNSURE[::-1], UNSURE),
    (0 * UNSURE, UNSURE),
    (np.nan * SURE, SURE),
  ],
)
def test_broken_answers_are_refused_with_what_to_do(logits, expected):
  """Also of a model that never says much, whose answers are all near equal."""
  with pytest.raises(export_folder.ExportError, match='float16') as error:
    agreement.require(agreement.measure(logits, expected))
  assert 'of 200 answers are the same' in str(error.value)
