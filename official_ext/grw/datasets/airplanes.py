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

"""Airplanes: clips of an airplane that turns in yaw, pitch or roll.

The warm-up of Goldman et al., NeurIPS 2025, arXiv 2511.20928, Figure 2, as a
TensorFlow dataset.  Importing this module registers it, and a name then says
all that is needed to make and to read it:

  tfds.load('airplanes', data_dir=data_dir)  # The default AirplanesConfig.
  tfds_name = airplanes.prepare(
      data_dir, airplanes.AirplanesConfig(num_train_clips=300))
  tfds.load(tfds_name, data_dir=data_dir)

In the Model Garden's DataConfig they are `tfds_name` and `tfds_data_dir`.
"""

from collections.abc import Iterator
import dataclasses
import os
import pathlib
import re
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from official_ext.grw.datasets import airplane_renderer

LABELS = tuple(airplane_renderer.BODY_AXES)
SPLITS = ('train', 'validation')

MIN_FRAMES = 2
MIN_IMAGE_SIZE = 16
_NAME = re.compile(
  r'train(\d+)_validation(\d+)_frames(\d+)_size(\d+)_degrees([\d.]+)-([\d.]+)'
  r'_seed(\d+)'
)
_NAME_FORM = (
  'train<clips>_validation<clips>_frames<N>_size<pixels>_'
  'degrees<least>-<greatest>_seed<number>'
)

_CITATION = """\
@inproceedings{goldman2025smooth,
  title={Smooth Regularization for Efficient Video Recognition},
  author={Goldman, Gil and Giryes, Raja and Satyanarayanan, Mahadev},
  booktitle={Advances in Neural Information Processing Systems},
  year={2025},
  eprint={2511.20928},
  archivePrefix={arXiv}
}
"""


@dataclasses.dataclass(eq=False, kw_only=True)
class AirplanesConfig(tfds.core.BuilderConfig):
  """What clips to render.

  Attributes:
    name: made of the other fields, which can be read back from it.
    num_train_clips: clips in 'train', a third of each class.
    num_validation_clips: clips in 'validation', likewise.
    num_frames: frames in a clip.
    image_size: height and width in pixels.
    degrees_per_frame: least and greatest rate of turn; each clip has its own.
    seed: the seed of everything random; another seed gives other clips.
  """

  name: str = dataclasses.field(init=False)
  num_train_clips: int = 4000
  num_validation_clips: int = 300
  num_frames: int = 10
  image_size: int = 64
  degrees_per_frame: tuple[float, float] = (10.0, 16.0)
  seed: int = 0

  def __post_init__(self):
    for field, minimum in (
      ('num_train_clips', len(LABELS)),
      ('num_validation_clips', len(LABELS)),
      ('num_frames', MIN_FRAMES),
      ('image_size', MIN_IMAGE_SIZE),
      ('seed', 0),
    ):
      value = getattr(self, field)
      if type(value) is not int or value < minimum:
        raise ValueError(
          f'AirplanesConfig: {field} must be an integer of at '
          f'least {minimum}, not {value!r}.'
        )
    try:
      least, greatest = map(float, self.degrees_per_frame)
    except (TypeError, ValueError):
      least, greatest = 0.0, 0.0  # Rejected below.
    # At 180 degrees a frame, both signs of a turn look the same.
    if not 0 < least <= greatest < 180:
      raise ValueError(
        'AirplanesConfig: degrees_per_frame must be two numbers, the least '
        'and the greatest, with 0 < least <= greatest < 180, not '
        f'{self.degrees_per_frame!r}.'
      )
    self.degrees_per_frame = (least, greatest)
    rates = '-'.join(
      np.format_float_positional(rate, trim='-')
      for rate in self.degrees_per_frame
    )
    self.name = (
      f'train{self.num_train_clips}_validation{self.num_validation_clips}_'
      f'frames{self.num_frames}_size{self.image_size}_degrees{rates}_'
      f'seed{self.seed}'
    )

  @classmethod
  def from_name(cls, name: str) -> 'AirplanesConfig':
    """Reads a config back from its name.

    Args:
      name: as `AirplanesConfig.name` gives it.

    Returns:
      The config of that name.

    Raises:
      ValueError: if no config has that name.
    """
    match = _NAME.fullmatch(name)
    if match:
      train, validation, frames, size, least, greatest, seed = match.groups()
      config = cls(
        num_train_clips=int(train),
        num_validation_clips=int(validation),
        num_frames=int(frames),
        image_size=int(size),
        degrees_per_frame=(float(least), float(greatest)),
        seed=int(seed),
      )
      if config.name == name:
        return config
    raise ValueError(
      f"No config of airplanes has the name '{name}'.  A name has the form "
      f"{_NAME_FORM}, for example '{cls().name}', without needless zeros."
    )

  def num_clips(self, split: str) -> int:
    """Clips in 'train' or 'validation'."""
    return {
      'train': self.num_train_clips,
      'validation': self.num_validation_clips,
    }[split]


def render_example(
  config: AirplanesConfig, split: str, index: int
) -> dict[str, Any]:
  """Renders one clip, which depends on nothing but the arguments.

  Neither does it depend on the numbers of clips, so a larger dataset begins
  with the clips of a smaller one.

  Args:
    config: the configuration of the dataset.
    split: 'train' or 'validation'.
    index: number of the clip in its split; every third is of the same class.

  Returns:
    'video': [N, S, S, 3] uint8 RGB, and 'label': 'yaw', 'pitch' or 'roll'.
  """
  label = LABELS[index % len(LABELS)]
  rng = np.random.default_rng([config.seed, SPLITS.index(split), index])
  poses = airplane_renderer.turning_poses(
    label, config.num_frames, config.degrees_per_frame, rng
  )
  return {
    'video': airplane_renderer.render(poses, config.image_size),
    'label': label,
  }


class Airplanes(tfds.core.GeneratorBasedBuilder):
  """Clips of an airplane that turns in yaw, pitch or roll.

  Every name that an AirplanesConfig can have is a config of this dataset:
  `tfds.builder('airplanes/' + config.name)` makes and reads it, in any process
  that has imported this module.
  """

  # To be raised with any change of what is rendered: data that exists under
  # this version is read, not rendered again.
  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [AirplanesConfig()]
  # TFDS would look for these in `official_ext`, which is a namespace package
  # and need not be one folder: in an editable install that fails.
  pkg_dir_path = pathlib.Path(__file__).parent
  code_path = pathlib.Path(__file__)

  def __init__(
    self, *, config: AirplanesConfig | str | None = None, **kwargs: Any
  ):
    # TFDS compares configs by identity; two of one name are the same here.
    super().__init__(
      config=config.name if isinstance(config, AirplanesConfig) else config,
      **kwargs,
    )

  @classmethod
  def get_builder_config(
    cls, name: str, version: Any = None
  ) -> AirplanesConfig:
    """Overrides the look-up in BUILDER_CONFIGS to read the config's name."""
    config = super().get_builder_config(name, version)
    return config or AirplanesConfig.from_name(name)

  def _info(self) -> tfds.core.DatasetInfo:
    config = self.builder_config
    shape = (config.num_frames, config.image_size, config.image_size, 3)
    return tfds.core.DatasetInfo(
      builder=self,
      description=(
        'Rendered clips of a model airplane that turns at a constant rate '
        'about one of its own axes, from a uniformly random orientation, '
        'so that the class is in the motion and in no single frame.'
      ),
      features=tfds.features.FeaturesDict(
        {
          # PNG, so that what is read is what was rendered.
          'video': tfds.features.Video(shape=shape, encoding_format='png'),
          'label': tfds.features.ClassLabel(names=LABELS),
        }
      ),
      supervised_keys=('video', 'label'),
      citation=_CITATION,
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Any]:
    del dl_manager  # Nothing to download.
    return {split: self._generate_examples(split) for split in SPLITS}

  def _generate_examples(
    self, split: str
  ) -> Iterator[tuple[int, dict[str, Any]]]:
    for index in range(self.builder_config.num_clips(split)):
      yield index, render_example(self.builder_config, split, index)


def prepare(
  data_dir: str | os.PathLike[str], config: AirplanesConfig | None = None
) -> str:
  """Renders a dataset, with a progress bar, unless it is there already.

  It appears in `data_dir` when it is complete; a run that was cut short leaves
  nothing that could be read.

  Args:
    data_dir: TFDS directory.
    config: what to render; AirplanesConfig() by default.

  Returns:
    Its name for TFDS, 'airplanes/<config name>'.
  """
  builder = Airplanes(config=config, data_dir=data_dir)
  builder.download_and_prepare()
  return f'{builder.name}/{builder.builder_config_name}'
