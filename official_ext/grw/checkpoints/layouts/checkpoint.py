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

"""TensorFlow checkpoints: published tarballs, and those of Trainers."""

import os
from types import MappingProxyType

import tensorflow as tf

from official_ext.grw.checkpoints import best
from official_ext.grw.checkpoints import published
from official_ext.grw.checkpoints import structural_names
from official_ext.grw.checkpoints import tf_reader
from official_ext.grw.checkpoints.layouts import layout
from official_ext.grw.configs import trained_params

TRAINER = 'trainer'
TARBALL = 'tarball'


class Checkpoint(layout.Layout):
  """A prefix, its '.index' file, its folder, or the folder around that one.

  Of the folder of a training it is the best checkpoint, if one was kept, and
  else the last.

  A tarball was saved as Checkpoint(model=MovinetClassifier); a Model Garden
  Trainer's, stock or ours, also holds what training needs, and may hold an
  exponential moving average.
  """

  kinds = MappingProxyType(
    {
      TARBALL: "a model's checkpoint, in the layout of the published tarballs",
      TRAINER: "a Model Garden Trainer's checkpoint",
    }
  )
  expected = (
    "a checkpoint (a prefix such as 'ckpt-1', its '.index' file or the folder "
    "with a 'checkpoint' file)"
  )

  def find(self, path: str) -> str | None:
    prefix = path.removesuffix('.index')
    if tf.io.gfile.exists(prefix + '.index'):
      return prefix
    if not tf.io.gfile.isdir(path):
      return None
    kept = best.find(path)
    latest = kept.path if kept else tf.train.latest_checkpoint(path)
    if latest:
      return latest
    # No 'checkpoint' file, or one that names files elsewhere.
    indices = tf.io.gfile.glob(os.path.join(path, '*.index'))
    if len(indices) == 1:
      return indices[0].removesuffix('.index')
    if len(indices) > 1:
      raise ValueError(
        f"{path} has {len(indices)} checkpoints and no 'checkpoint' file that "
        f'says which is the latest; give one, for example '
        f'{max(indices).removesuffix(".index")}.'
      )
    inner = folders(path)
    # As tarballs unpack: one folder inside the folder one made for them.
    return self.find(inner[0]) if len(inner) == 1 else None

  def read(self, place: str, weights: str) -> published.PublishedWeights:
    variables = tf_reader.read(place, weights)
    trained = {'optimizer', 'global_step'} & set(variables.roots)
    kind = TRAINER if trained else TARBALL
    gate, gate_source = _stated_gate(place)
    return published.PublishedWeights(
      kind=kind,
      description=self.kinds[kind],
      path=place,
      values=structural_names.structural_values(variables.values, place),
      weights=variables.weights,
      has_average=variables.has_average,
      trained=trained_params.read(place) if trained else {},
      gate=gate,
      gate_source=gate_source,
    )


def _stated_gate(place: str) -> tuple[str, str]:
  """The gating activation that stands beside a checkpoint, and where."""
  file, params = trained_params.find(place)
  backbone = params.get('task', {}).get('model', {}).get('backbone', {})
  for config in backbone.values() if isinstance(backbone, dict) else ():
    if isinstance(config, dict) and config.get('gating_activation'):
      return config['gating_activation'], file
  return '', ''


def folders(path: str) -> list[str]:
  """Folders directly inside a folder."""
  return [
    os.path.join(path, name.rstrip('/'))
    for name in sorted(tf.io.gfile.listdir(path))
    if tf.io.gfile.isdir(os.path.join(path, name))
  ]
