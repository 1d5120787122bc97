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
r"""Finds cuts between clips by the signals of a stream.

  python3 tools/benchmarks/cut_signals.py --model=/tmp/a0s_grw_tflite \
    --videos=fights --groups=fights/videos.txt

Streams all videos of a folder, one after the other in random order, through an
export with --signals, as if they were one video.  Neighbors are of different
groups (`grw convert --groups`), so that each is a cut to another scene.  Prints
how well each signal tells the first frame after a cut from frames within clips:
the area under the ROC curve.  Frames that are less than T after a cut or after
the beginning are neither, as their windows hold both.

Beside the length of the acceleration and the order likelihood of the last
window, 'smoothness' of the export, stand the length of the step between two
embeddings, and the mean difference of pixels of the frames that the model gets:
what can be had without a model.
"""

import os
import pathlib
import sys

from absl import flags
import numpy as np
from sklearn import metrics
import tqdm

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.datasets import video_decoding
from official_ext.grw.datasets import video_folds
from official_ext.grw.datasets import video_sources
from official_ext.grw.inference import exported
from official_ext.grw.reports import benchmark

_MODEL = flags.DEFINE_string(
  'model', None, 'A folder that was exported with --signals.', required=True
)
_VIDEOS = flags.DEFINE_string(
  'videos', None, 'A folder of <class>/<video>.', required=True
)
_GROUPS = flags.DEFINE_string(
  'groups', None, 'Which are of one source, as for `grw convert`.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'The seed of the order.')


def in_random_order(folder: str, groups: str | None, seed: int) -> list[str]:
  """Paths of all videos, neighbors of different groups as far as can be."""
  found = video_sources.folder_sources(folder, True)
  paths = sorted(clip.path for clip in found.clips)
  group_of = (
    {clip: group for _, clip, group in video_folds.read_groups(groups)}
    if groups
    else {}
  )

  def group(path):
    name = pathlib.Path(path).stem
    return group_of.get(name, name)

  left = list(np.random.default_rng(seed).permutation(paths))
  ordered: list[str] = []
  while left:
    following = next(
      (p for p in left if not ordered or group(p) != group(ordered[-1])), None
    )
    if following is None:
      break  # All that are left are of one group.
    left.remove(following)
    ordered.append(str(following))
  return ordered


def main(_):
  model = exported.open_model(_MODEL.value)
  rate = model.frame_rate()
  window = model.card.config['smoothing']['window']
  values: dict[str, list[float]] = {
    'acceleration of embeddings': [],
    'order likelihood, low': [],
    'step of embeddings': [],
    'difference of pixels': [],
  }
  since_cut = []
  before = image_before = None
  paths = in_random_order(_VIDEOS.value, _GROUPS.value, _SEED.value)
  for path in tqdm.tqdm(paths, disable=None, leave=False):
    for number, frame in enumerate(
      video_decoding.read_frames(path, rate, strict=False)
    ):
      model.step(frame.image)
      if 'smoothness' not in model.signals:
        sys.exit(f'error: {_MODEL.value} has no signals: export --signals.')
      likelihood, acceleration = model.signals['smoothness']
      embedding = model.signals['embedding']
      image = model.prepared(frame.image)
      since_cut.append(number)
      for name, value in (
        ('acceleration of embeddings', acceleration),
        ('order likelihood, low', -likelihood),
        (
          'step of embeddings',
          0 if before is None else np.linalg.norm(embedding - before),
        ),
        (
          'difference of pixels',
          0 if before is None else np.abs(image - image_before).mean(),
        ),
      ):
        values[name].append(float(value))
      before, image_before = embedding, image
  after = np.array(since_cut)
  # The first clip begins without a cut.
  counted = (after == 0) | (after >= window)
  counted[: max(window, np.flatnonzero(after == 0)[1])] = False
  is_cut = after[counted] == 0
  print(
    f'{os.path.basename(os.path.normpath(_MODEL.value))}: {len(paths)} clips, '
    f'{is_cut.sum()} cuts, {(~is_cut).sum()} frames within clips, {rate:g} a '
    'second'
  )
  print(
    benchmark.markdown_table(
      ['signal', 'area under the curve'],
      [
        [
          name,
          f'{metrics.roc_auc_score(is_cut, np.array(of_frames)[counted]):.3f}',
        ]
        for name, of_frames in values.items()
      ],
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
