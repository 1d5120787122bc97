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

"""Splices clips of a record set, and measures how well the cuts are found.

  python3 tools/benchmarks/cuts.py --dataset_info=records/dataset.json \
    --output_dir=/tmp/spliced

Every clip of every split goes on, from a random frame, with another of the same
class and split, so that its label stays true and its embeddings jump.  The new
records and their dataset.json are for trainings with and without
`task.model.smoothing.cuts`.  Then content scores are measured at the splices
and everywhere else, as frames `--stride` apart have them, and printed for
several thresholds.  Without `--dataset_info` airplanes are rendered.

With `--other_classes` clips go on with one of another class, and every frame
has a label: a set for `task.model.head.per_frame`.
"""

from collections.abc import Iterator, Mapping
import json
import pathlib
import sys
from typing import Any

from absl import flags
import cv2
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from official_ext.grw.configs import dataset_info
from official_ext.grw.datasets import airplanes
from official_ext.grw.datasets import feature_names
from official_ext.grw.datasets import shot_boundaries
from official_ext.grw.datasets import video_records
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark

THRESHOLDS = (10, 12, 15, 20, 27, 35)
# On either side of a splice, so that no shot is too short for a window.
LEAST_FRAMES = 3
# Of airplanes: pixels, frames a second, clips of each split.
_SIZE, _RATE = 32, 5
_AIRPLANES = {'train': 300, 'validation': 150}

_DATASET_INFO = flags.DEFINE_string(
  'dataset_info', '', 'The dataset.json of the clips; renders airplanes if not.'
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder of the spliced records.', required=True
)
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of partners and places.')
_STRIDE = flags.DEFINE_integer(
  'stride', 1, 'Frames from one that is compared to the next.', lower_bound=1
)
_OTHER_CLASSES = flags.DEFINE_bool(
  'other_classes', False, 'Partners are of another class; labels each frame.'
)

# JPEG frames, and the label.
Clip = tuple[list[bytes], int]


def read_clips(pattern: str) -> list[Clip]:
  """Frames and labels of all records of the files of a pattern."""
  clips = []
  for serialized in tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(pattern))):
    example = tf.train.SequenceExample.FromString(serialized.numpy())
    images = example.feature_lists.feature_list['image/encoded'].feature
    [label] = example.context.feature['clip/label/index'].int64_list.value
    clips.append(([image.bytes_list.value[0] for image in images], label))
  return clips


def render_airplanes(split: str) -> list[Clip]:
  """Renders clips of airplanes that turn."""
  config = airplanes.AirplanesConfig(image_size=_SIZE)
  clips = []
  for number in range(_AIRPLANES[split]):
    example = airplanes.render_example(config, split, number)
    images = [
      cv2.imencode('.jpg', frame[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))[1]
      for frame in example['video']
    ]
    label = airplanes.LABELS.index(example['label'])
    clips.append(([image.tobytes() for image in images], label))
  return clips


def _pixels(image: bytes) -> np.ndarray:
  """[height, width, 3] uint8, blue first as OpenCV has them."""
  return np.asarray(
    cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
  )


def _as_large(image: bytes, like: bytes) -> bytes:
  """A JPEG in the size of another, as frames of a record have one size."""
  pixels, size = _pixels(image), _pixels(like).shape[1::-1]
  if pixels.shape[1::-1] == size:
    return image
  pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
  return cv2.imencode('.jpg', pixels, (cv2.IMWRITE_JPEG_QUALITY, 95))[
    1
  ].tobytes()


def splice(
  clips: list[Clip], rng: np.random.Generator, other_classes: bool = False
) -> Iterator[tuple[list[bytes], list[int], int]]:
  """Goes on with another clip, somewhere within each.

  Args:
    clips: the clips of a split.
    rng: draws the partners and the places.
    other_classes: whether partners are of another class, or of the same.

  Yields:
    Frames, the label of each, and the number of the first frame of the partner.
  """
  for number, (images, label) in enumerate(clips):
    others = [
      other
      for other, (_, of_other) in enumerate(clips)
      if other != number and (of_other != label) == other_classes
    ]
    room = len(images) - 2 * LEAST_FRAMES
    if room < 0 or not others:
      continue
    partner, of_partner = clips[int(rng.choice(others))]
    place = LEAST_FRAMES + int(rng.integers(room + 1))
    rest = [_as_large(image, images[0]) for image in partner[place:]]
    # A partner that is shorter ends the clip early.
    if len(rest) >= LEAST_FRAMES:
      frames = images[:place] + rest[: len(images) - place]
      labels = [label] * place + [of_partner] * (len(frames) - place)
      yield frames, labels, place


def scores_of(images: list[bytes], stride: int, phase: int) -> np.ndarray:
  """Content scores of every `stride`-th frame, from frame `phase` on."""
  frames = np.stack(
    [_pixels(image)[..., ::-1] for image in images[phase::stride]]
  )
  return shot_boundaries.content_scores(frames).numpy()


def write_splits(
  splits: Mapping[str, list[Clip]], info: dict, labels: str
) -> tuple[np.ndarray, np.ndarray]:
  """Writes the spliced records, and then the dataset.json.

  Args:
    splits: the clips of each split.
    info: what the dataset.json says beside the splits and the lengths.
    labels: the content of labels.txt.

  Returns:
    The content scores at splices, and everywhere else.
  """
  folder = pathlib.Path(_OUTPUT_DIR.value)
  folder.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(_SEED.value)
  stride = _STRIDE.value
  at_splices, elsewhere, lengths, written = [], [], [], {}
  for split, clips in splits.items():
    count = 0
    with whole_file.opened(folder / f'{split}.tfrecord') as file:
      spliced = splice(clips, rng, _OTHER_CLASSES.value)
      for images, of_frames, place in spliced:
        context: dict[str, Any] = {
          'clip/label/index': of_frames[0],
          'clip/media_id': f'{split}/{count} at {place}'.encode(),
        }
        if _OTHER_CLASSES.value:
          context[feature_names.FRAME_LABELS_KEY] = of_frames
        video_records.write_record(
          file,
          video_records.sequence_example(context, {'image/encoded': images}),
        )
        scores = scores_of(images, stride, place % stride)
        is_splice = np.arange(len(scores)) == place // stride - 1
        at_splices.append(scores[is_splice])
        elsewhere.append(scores[~is_splice])
        lengths.append(len(images))
        count += 1
    written[split] = {'num_examples': count, 'files': f'{split}.tfrecord'}
  whole_file.write(folder / 'labels.txt', labels)
  lengths_found = {
    'shortest': min(lengths),
    'median': int(np.median(lengths)),
    'longest': max(lengths),
  }
  whole_file.write(
    folder / 'dataset.json',
    video_records.json_bytes(
      {
        **info,
        'labels': 'labels.txt',
        'clip_frames': lengths_found,
        'splits': written,
      }
    ),
  )
  return np.concatenate(at_splices), np.concatenate(elsewhere)


def main(_):
  if _DATASET_INFO.value:
    source = dataset_info.read(_DATASET_INFO.value)
    splits = {name: read_clips(s.files) for name, s in source.splits.items()}
    info = json.loads(pathlib.Path(_DATASET_INFO.value).read_text())
    labels = pathlib.Path(source.labels).read_text()
  else:
    splits = {split: render_airplanes(split) for split in _AIRPLANES}
    info = {
      'num_classes': len(airplanes.LABELS),
      'frames_per_second': _RATE,
      'short_side': _SIZE,
    }
    labels = '\n'.join(airplanes.LABELS) + '\n'
  at_splices, elsewhere = write_splits(splits, info, labels)
  print(f'{benchmark.machine()}; records in {_OUTPUT_DIR.value}\n')
  rows = [
    (
      str(threshold),
      f'{np.mean(at_splices >= threshold):.1%}',
      f'{np.mean(elsewhere >= threshold):.2%}',
    )
    for threshold in THRESHOLDS
  ]
  print(
    benchmark.markdown_table(
      (
        'threshold',
        f'of {len(at_splices)} splices found',
        f'of {len(elsewhere)} other pairs taken for cuts',
      ),
      rows,
    )
  )


if __name__ == '__main__':
  benchmark.run(main)
