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


"""Draws the modulators of a Video-FocalNet on a video.

  python3 tools/benchmarks/modulators.py --video=FILE --output=modulators.png \
    --weights=CHECKPOINT

The frames that the backbone sees, one of each of N equal parts of the video,
above the magnitudes of the spatial and the temporal modulators of --blocks at
each token.  Without --weights they are random, the same each time.
"""

import pathlib
import sys

from absl import flags
import numpy as np
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.backbones.videofocalnet import pictures
from official_ext.grw.checkpoints import initialization
from official_ext.grw.datasets import video_decoding
from official_ext.grw.files import figures
from official_ext.grw.modeling import grw_model
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_table

_FOLDER = pathlib.Path(__file__).absolute().parents[2] / 'configs'
_VIDEO = flags.DEFINE_string('video', None, 'The video file.')
_OUTPUT = flags.DEFINE_string('output', None, 'The PNG file to write.')
_WEIGHTS = flags.DEFINE_string(
  'weights', '', 'As task.init_checkpoint takes them.'
)
_BLOCKS = flags.DEFINE_list(
  'blocks',
  [],
  'Names of blocks, as layers/0/blocks/1; by default the first and the last.',
)
_CONFIG = flags.DEFINE_string(
  'model_config', 'videofocalnet_t_k400', 'A file in configs/.'
)
_CHANGE = flags.DEFINE_string('model_change', '', 'field=value,… on top of it.')


def read_clip(path: str, num_frames: int, size: tuple[int, int]) -> np.ndarray:
  """The middle frame of each of N equal parts of a video, cropped.

  Args:
    path: the path of the video.
    num_frames: N.
    size: height and width of the crop, in the middle of the frames after their
      short side is resized to the larger of the two.

  Returns:
    [N, height, width, 3] float32 in [0, 1].

  Raises:
    ValueError: the video cannot be read; names it.
  """
  height, width = size

  def frames():
    return video_decoding.read_frames(path, short_side=max(size))

  # Once to count and once to keep: all would not fit for a long video.
  count = sum(1 for _ in frames())
  places = ((np.arange(num_frames) + 0.5) * count / num_frames).astype(int)
  kept = {
    number: frame.image
    for number, frame in enumerate(frames())
    if number in places
  }
  clip = np.stack([kept[place] for place in places])
  top, left = (clip.shape[1] - height) // 2, (clip.shape[2] - width) // 2
  return clip[:, top : top + height, left : left + width] / np.float32(255)


def main(_):
  params = model_table.read_changed(
    _FOLDER / f'{_CONFIG.value}.yaml', _CHANGE.value, '--model_change'
  )
  task = params.task
  if task.model.backbone.type != 'videofocalnet':
    raise ValueError(
      f'--model_config={_CONFIG.value}: expected a backbone of type '
      f"'videofocalnet', which has modulators; found "
      f'{task.model.backbone.type!r}.'
    )
  frames, *size, _ = task.validation_data.feature_shape
  clip = read_clip(_VIDEO.value, frames, tuple(size))
  tf_keras.utils.set_random_seed(0)
  model = grw_model.build_grw_model(
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
    task.model,
    task.train_data.num_classes,
  )
  if _WEIGHTS.value:
    print(initialization.initialize(model, _WEIGHTS.value))
  names = pictures.block_names(model.backbone)
  found = pictures.magnitudes(
    model.backbone, clip, _BLOCKS.value or [names[0], names[-1]]
  )
  figures.write(pictures.draw(clip, found), _OUTPUT.value)
  print(f'written: {_OUTPUT.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['video', 'output'])
  tf.get_logger().setLevel('ERROR')
  benchmark.run(main)
