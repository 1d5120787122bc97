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

"""The tool draws the frames that it says, and what is wrong is one error."""

from absl import flags
from absl.testing import flagsaver
import numpy as np
import pytest
import tensorflow as tf

from tests import video_files
from tools.benchmarks import modulators

FOCAL = 'task.model.backbone.videofocalnet'
TINY = (
  f'{FOCAL}.depths=[1,1,1,1],{FOCAL}.channels=[8,16,16,24],'
  'task.validation_data.feature_shape=[4,32,32,3],'
  'task.validation_data.min_image_size=32'
)


@pytest.fixture(name='video', scope='module')
def video_fixture(tmp_path_factory):
  return video_files.write_frames(
    tmp_path_factory.mktemp('video') / 'numbered.mp4',
    (video_files.numbered_frame(number, 64, 64) for number in range(12)),
  )


def test_a_clip_has_the_middle_frame_of_each_part(video):
  clip = modulators.read_clip(video, 4, (64, 64))
  assert clip.shape == (4, 64, 64, 3) and clip.dtype == np.float32
  shown = [video_files.shown_number(255 * image) for image in clip]
  assert shown == [1, 4, 7, 10]
  # More frames than the video has: some of them twice.
  assert len(modulators.read_clip(video, 24, (32, 48))) == 24


def run(output, video, **given):
  flags.FLAGS.mark_as_parsed()
  with flagsaver.flagsaver(video=str(video), output=str(output), **given):
    modulators.main(None)


def test_a_picture_is_written(video, tmp_path, capsys):
  path = tmp_path / 'modulators.png'
  run(path, video, model_change=TINY, blocks=['layers/1/blocks/0'])
  assert capsys.readouterr().out.endswith(f'written: {path}\n')
  picture = tf.io.decode_png(path.read_bytes(), 3).numpy()
  # The frames of the video are in it, and colors from least to largest.
  for color in ((200, 40, 40), (68, 1, 84), (253, 231, 36)):
    distance = np.abs(picture.astype(int) - color).max(-1)
    assert (distance < 20).sum() > 50, color


@pytest.mark.parametrize(
  'given, message',
  [
    ({'video': '/none.mp4'}, '/none.mp4: No such file'),
    ({'model_config': 'posmlp_video_s16_k400'}, "found 'posmlp_video'"),
    ({'model_change': f'{FOCAL}.levels=1'}, '--model_change=.*levels'),
  ],
)
def test_what_is_wrong_is_named(video, tmp_path, given, message):
  with pytest.raises(ValueError, match=message) as error:
    run(tmp_path / 'x.png', **{'video': video, **given})
  assert '\n' not in str(error.value)
