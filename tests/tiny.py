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

"""Networks and TFRecords small enough to train in seconds.

Importing this module registers block specifications with the stock MoViNet:
'tiny', one block with all kinds of layers that A0 has, a skip projection among
them, and 'tiny_deep', three layers alike.  And with the stock MobileNet
'MobileNetV3Tiny': four blocks, with and without expansion, squeeze-excitation
and shortcut.
"""

from collections.abc import Iterable, Sequence
import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
from official.projects.movinet.modeling import movinet
from official.vision.modeling.backbones import mobilenet
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones.movinet import config as movinet_config
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.configs import schema
from official_ext.grw.modeling import ensemble as ensemble_model
from official_ext.grw.modeling import grw_model
from tests import program_server

FRAMES = 6
SIZE = 16
CLASSES = 3

movinet.BLOCK_SPECS['tiny'] = (
  movinet.StemSpec(filters=8, kernel_size=(1, 3, 3), strides=(1, 2, 2)),
  movinet.MovinetBlockSpec(
    base_filters=8,
    expand_filters=(16,),
    kernel_sizes=((3, 3, 3),),
    strides=((1, 2, 2),),
  ),
  movinet.HeadSpec(project_filters=32, head_filters=32),
)

# Three layers whose variables have the same shapes, and with positional
# encoding the same name.
movinet.BLOCK_SPECS['tiny_deep'] = (
  movinet.StemSpec(filters=8, kernel_size=(1, 3, 3), strides=(1, 2, 2)),
  movinet.MovinetBlockSpec(
    base_filters=8,
    expand_filters=(16,) * 3,
    kernel_sizes=((3, 3, 3),) * 3,
    strides=((1, 1, 1),) * 3,
  ),
  movinet.HeadSpec(project_filters=32, head_filters=32),
)

mobilenet.SUPPORTED_SPECS_MAP['MobileNetV3Tiny'] = {
  **mobilenet.MNV3Small_BLOCK_SPECS,
  'block_specs': [
    ('convbn', 3, 2, 8, 'hard_swish', None, None, True, False, False),
    ('invertedbottleneck', 3, 2, 8, 'relu', 0.25, 1, None, False, True),
    ('invertedbottleneck', 3, 1, 8, 'relu', None, 2.0, None, False, False),
    (
      'invertedbottleneck',
      5,
      2,
      16,
      'hard_swish',
      0.25,
      2.0,
      None,
      False,
      False,
    ),
    (
      'invertedbottleneck',
      5,
      1,
      16,
      'hard_swish',
      0.25,
      2.0,
      None,
      False,
      True,
    ),
    ('convbn', 1, 1, 24, 'hard_swish', None, None, True, False, False),
    ('gpooling', None, None, None, None, None, None, None, None, False),
    ('convbn', 1, 1, 32, 'hard_swish', None, None, False, True, False),
  ],
}


def clip(
  label: int, seed: int, frames: int = FRAMES, size: int = SIZE
) -> np.ndarray:
  """A clip of moving stripes, the class being where they move to.

  Args:
    label: 0 stands still, 1 moves right, 2 moves down.
    seed: the seed of colors and noise.
    frames: in the clip.
    size: height and width in pixels.

  Returns:
    [frames, size, size, 3] uint8.
  """
  rng = np.random.default_rng(seed)
  rows, columns = np.mgrid[:size, :size]
  phase = rng.uniform(0, 2 * np.pi)
  color = rng.uniform(60, 120, 3)
  images = []
  for t in range(frames):
    offset = {0: rows + columns, 1: columns - t, 2: rows - t}[label % 3]
    wave = np.sin(2 * np.pi * offset / 8 + phase)
    noise = rng.normal(0, 5, (size, size, 3))
    images.append(128 + wave[..., np.newaxis] * color + noise)
  return np.clip(images, 0, 255).astype(np.uint8)


def record(frames: Iterable[np.ndarray], label: int, source: str = '') -> bytes:
  """A serialized SequenceExample as the Model Garden reads it."""
  example = tf.train.SequenceExample()
  example.context.feature['clip/label/index'].int64_list.value.append(label)
  if source:
    example.context.feature['clip/media_id'].bytes_list.value.append(
      source.encode()
    )
  images = example.feature_lists.feature_list['image/encoded']
  for frame in frames:
    images.feature.add().bytes_list.value.append(
      tf.io.encode_jpeg(frame).numpy()
    )
  return example.SerializeToString()


def write_records(
  path: str | os.PathLike, labels: Sequence[int], seed: int = 0
) -> str:
  """Writes one clip a label into a TFRecord file; returns its path."""
  with tf.io.TFRecordWriter(str(path)) as writer:
    for number, label in enumerate(labels):
      writer.write(
        record(
          clip(label, 1000 * seed + number),
          label,
          source=f'clips/{number} é.mp4',
        )
      )
  return str(path)


# Fields of a trainer for `overrides`: nothing has to be traced, and a run of
# one step that is saved and validated.
EAGER = {
  'train_tf_while_loop': False,
  'train_tf_function': False,
  'eval_tf_function': False,
}
ONE_STEP = {
  'train_steps': 1,
  'steps_per_loop': 1,
  'summary_interval': 1,
  'checkpoint_interval': 1,
  'validation_interval': 1,
}


def overrides(train_path: str, validation_path: str, **trainer: Any) -> dict:
  """Overrides that make `movinet_grw_airplanes` a run of seconds.

  Args:
    train_path: the path of training records.
    validation_path: the path of validation records.
    **trainer: fields of the trainer; by default 4 steps in loops of 2.
  """
  data = {
    'tfds_name': '',
    'feature_shape': [FRAMES, SIZE, SIZE, 3],
    'min_image_size': SIZE,
    'num_classes': CLASSES,
    'global_batch_size': 4,
    'shuffle_buffer_size': 1,
  }
  steps = {
    'train_steps': 4,
    'steps_per_loop': 2,
    'summary_interval': 2,
    'checkpoint_interval': 2,
    'validation_interval': 2,
    'validation_steps': 2,
    **trainer,
  }
  return {
    'task': {
      'model': {
        'backbone': {'movinet': {'model_id': 'tiny'}},
        'smoothing': {'window': 3},
        'head': {'num_layers': 1, 'num_heads': 2},
      },
      'train_data': {**data, 'input_path': train_path, 'seed': 1},
      'validation_data': {**data, 'input_path': validation_path},
    },
    'trainer': {
      **steps,
      'optimizer_config': {
        'learning_rate': {'cosine': {'decay_steps': steps['train_steps']}}
      },
    },
  }


def evaluation_data(
  frames: int = FRAMES, size: int = SIZE, num_classes: int = CLASSES
) -> schema.DataConfig:
  """What an export has to know of the clips that a model is evaluated on."""
  return schema.DataConfig(
    is_training=False,
    feature_shape=(frames, size, size, 3),
    min_image_size=size,
    num_classes=num_classes,
  )


def classifier(
  stream: bool = True,
  seed: int = 0,
  l2_weight_decay: float = 0.0,
  **overrides: Any,
) -> grw_model.GrwClassifier:
  """A tiny GRW classifier with random weights.

  No weight is at its initial value: the scales of a MoViNet's blocks are zero
  there, and nothing would pass through time.

  Args:
    stream: whether the backbone is causal.
    seed: the seed of the weights.
    l2_weight_decay: the decay of the model.
    **overrides: the overrides of its `GrwModel`.
  """
  tf_keras.utils.set_random_seed(seed)
  config = schema.GrwModel(backbone=movinet_config.published('tiny', stream))
  config.override(
    {
      'smoothing': {'window': 3, 'endpoint': 'block0_layer0'},
      'head': {'num_heads': 4},
      'dropout_rate': 0.5,
    }
  )
  config.override(overrides)
  model = grw_model.GrwClassifier(
    config,
    CLASSES,
    tf_keras.layers.InputSpec(shape=[None] * 4 + [3]),
    l2_weight_decay,
  )
  move_weights(model, seed)
  return model


def ensemble_config(
  streams: tuple[bool, bool] = (True, True), **overrides: Any
) -> ensemble_cfg.GrwEnsemble:
  """The configuration of an ensemble of two tiny GRW classifiers.

  Args:
    streams: whether the backbone of each member is causal.
    **overrides: the overrides of the `GrwModel` of both members.
  """
  config = ensemble_cfg.GrwEnsemble()
  for member, stream in zip(config.members, streams):
    member.model.backbone = movinet_config.published('tiny', stream)
    member.model.override(
      {'smoothing': {'window': 3}, 'head': {'num_heads': 4}}
    )
    member.model.override(overrides)
  return config


def ensemble(
  streams: tuple[bool, bool] = (True, True),
  seed: int = 0,
  num_frames: int | None = None,
  num_classes: int = CLASSES,
  **overrides: Any,
) -> ensemble_model.TemporalEnsemble:
  """An ensemble of two tiny GRW classifiers with random weights.

  Args:
    streams: whether the backbone of each member is causal.
    seed: the seed of the weights.
    num_frames: the frames of the clips; None for any.
    num_classes: the number of classes of the logits.
    **overrides: the overrides of the `GrwModel` of both members.
  """
  tf_keras.utils.set_random_seed(seed)
  config = ensemble_config(streams, **overrides)
  model = ensemble_model.TemporalEnsemble(
    config,
    num_classes,
    tf_keras.layers.InputSpec(shape=[None, num_frames, None, None, 3]),
  )
  move_weights(model, seed)
  return model


def ensemble_overrides(
  folder: pathlib.Path,
  model: ensemble_model.TemporalEnsemble,
  validation_path: str = '',
  size: int = SIZE,
) -> dict:
  """Overrides that make `movinet_grw_ensemble_kinetics600` tiny.

  Args:
    folder: to write the checkpoints of the members to, each as its Trainer
      would.
    model: their weights.
    validation_path: the path of validation records.
    size: height and width of the frames.
  """
  members = {}
  for classifier in model.members:
    checkpoint = tf.train.Checkpoint(
      model=classifier, **classifier.checkpoint_items
    )
    members[classifier.name] = {
      'checkpoint': checkpoint.save(str(folder / classifier.name / 'ckpt')),
      'model': classifier.get_config()['model_config'],
    }
  return ensemble_experiment(members, validation_path, size)


def ensemble_experiment(
  members: dict, validation_path: str = '', size: int = SIZE
) -> dict:
  """Overrides as `ensemble_overrides`, of these members."""
  data = {
    'feature_shape': [FRAMES, size, size, 3],
    'min_image_size': size,
    'num_classes': CLASSES,
    'global_batch_size': 4,
    'num_examples': 4,
    'frames_per_second': 8,
  }
  return {
    'task': {
      'model': members,
      'train_data': data,
      'validation_data': {**data, 'input_path': validation_path},
    },
    'trainer': {'validation_steps': 1},
  }


def move_weights(model: tf_keras.Model, seed: int):
  """Moves all variables away from their initial values, by chance."""
  rng = np.random.default_rng(seed)
  for variable in model.variables:
    moved = variable.numpy() + rng.normal(0, 0.1, variable.shape)
    variable.assign(np.abs(moved) if 'variance' in variable.name else moved)


def merged(base: dict, changes: dict) -> dict:
  """Returns nested overrides with changes to them."""
  result = dict(base)
  for key, value in changes.items():
    if isinstance(value, dict) and isinstance(result.get(key), dict):
      value = merged(result[key], value)
    result[key] = value
  return result


def write_yaml(path: str | os.PathLike, values: dict) -> str:
  """Writes overrides as YAML, of which JSON is a subset; returns the path."""
  with open(path, 'w', encoding='utf-8') as file:
    json.dump(values, file)
  return str(path)


def program(path: str, *flags: str) -> list[str]:
  """The command line of a program, with the tiny MoViNet registered."""
  program_server.start()
  return [
    sys.executable,
    str(pathlib.Path(__file__).with_name('run_tiny.py')),
    path,
    *flags,
  ]


def command(
  config_file: str | os.PathLike,
  model_dir: str | os.PathLike,
  mode: str = 'train_and_eval',
  *flags: str,
) -> list[str]:
  """The driver's command line, with the tiny MoViNet registered."""
  return program(
    'official_ext/grw/train.py',
    '--experiment=movinet_grw_airplanes',
    f'--mode={mode}',
    f'--config_file={config_file}',
    f'--model_dir={model_dir}',
    *flags,
  )


def scalars(folder: str | os.PathLike) -> dict[str, list[tuple[int, float]]]:
  """Reads TensorBoard's events: (step, value) of each scalar, by name."""
  found: dict[str, list[tuple[int, float]]] = {}
  for path in sorted(pathlib.Path(folder).glob('events.out.tfevents.*')):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        number = float(tf.make_ndarray(value.tensor))
        found.setdefault(value.tag, []).append((event.step, number))
  return found


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """Everything in a checkpoint, by key."""
  reader = tf.train.load_checkpoint(str(path))
  return {
    key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()
  }
