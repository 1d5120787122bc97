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

"""Models from checkpoints: `task.init_checkpoint`, and those of ensembles."""

from collections.abc import Sequence
import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from official_ext.grw.backbones import families
from official_ext.grw.checkpoints import assign
from official_ext.grw.checkpoints import best
from official_ext.grw.checkpoints import clips
from official_ext.grw.checkpoints import folded_norms
from official_ext.grw.checkpoints import gates
from official_ext.grw.checkpoints import source
from official_ext.grw.checkpoints import structural_names
from official_ext.grw.checkpoints import tf_reader
from official_ext.grw.checkpoints import tflite_graph
from official_ext.grw.configs import ensemble as ensemble_cfg
from official_ext.grw.files import kaggle_models
from official_ext.grw.files import screen

# Height and width where a file takes frames of any.
_DEFAULT_SIZE = 172
_NUM_CLIPS = 12


def initialize(
  model: tf_keras.Model,
  path: str,
  modules: str = 'backbone',
  gating_activation: str = '',
  same_model: bool = False,
) -> str | assign.Report:
  """Loads weights, in whatever layout they were published, into `model`.

  A model whose backbone is not read by name (see `assign`) is read as the Model
  Garden reads it: object by object, from a checkpoint of the same model; where
  that has moving averages, these.  Some families also read their backbone from
  other models, such as image classifiers.

  Args:
    model: with a `backbone`.
    path: see `source.read`.
    modules: one of `assign.MODULES`.
    gating_activation: the gate that the weights of a MoViNet were trained with,
      where nothing else says it.
    same_model: whether the model is known to be the one of the weights, so that
      its gates are theirs unless the path says otherwise.

  Returns:
    What was loaded, to be logged.

  Raises:
    ValueError: the path holds nothing that fits; says why.
  """
  if modules not in assign.MODULES:
    raise ValueError(f'modules={modules!r}: expected one of {assign.MODULES}.')
  path = kaggle_models.local(path)
  kept = best.find(path)
  if kept is not None:
    screen.tell(f'Weights: {kept.reason}; name a ckpt-* to take that.')
    path = kept.path
  if assign.is_recognized(model):
    published = source.read(path)
    report = assign.assign(model, published, modules)
    gate = gates.require_same(
      model, published, gating_activation, weigh_evidence=not same_model
    )
    notes = [f'gates:       {gate}'] if gate else []
    if published.graph is not None:
      notes += restore_norms(model, published.graph)
    return dataclasses.replace(report, notes=tuple(notes))
  if tf.io.gfile.isdir(path):
    prefix = tf.train.latest_checkpoint(path)
    if prefix is None:
      raise ValueError(f"{path} has no 'checkpoint' file, so no checkpoint.")
    path = prefix
  if modules == 'all_but_classifier':
    # Objects bear numbers that depend on the layers before them: the head,
    # which may differ, goes by name.
    head = assign.match_head(
      model,
      structural_names.structural_values(tf_reader.read(path).values, path),
      path,
    )
    said = initialize(model, path, 'backbone')
    for variable, value in head.values():
      variable.assign(value)
    backbone = {id(variable) for variable in model.backbone.variables}
    initial = [
      variable.name
      for name, variable in assign.named_variables(model)
      if id(variable) not in backbone and name not in head
    ]
    return (
      f'{said}\nAfter the backbone, {len(head)} variables were loaded, and '
      f'{len(initial)} keep their initial value: {", ".join(initial)}.'
    )
  if modules == 'backbone':
    for family in families.registered():
      loaded = family.initialize(model.backbone, path)
      if loaded is not None:
        return loaded
  checkpoint = (
    tf.train.Checkpoint(model=model)
    if modules == 'all'
    else tf.train.Checkpoint(backbone=model.backbone)
  )
  what = 'the whole model' if modules == 'all' else 'the backbone of the model'
  try:
    status = checkpoint.read(path)
    status.expect_partial().assert_existing_objects_matched()
  except (AssertionError, ValueError, tf.errors.OpError) as error:
    raise ValueError(
      f'{path} does not hold {what}: {" ".join(str(error).split())[:300]} '
      'Expected a checkpoint of the same model: set task.model to the one '
      'that was trained, or task.init_checkpoint_modules to '
      'all_but_classifier if the classes differ and backbone if the heads do.'
    ) from error
  of = (
    'the moving averages of '
    if tf_reader.assign_averages(checkpoint, path)
    else ''
  )
  return f'Loaded {of}{what} from {path}.'


def clip_size(graph: tflite_graph.StreamingMovinet) -> int:
  """Height and width of clips for the model of a file."""
  return max(graph.image_size) or _DEFAULT_SIZE


def restore_norms(
  model: tf_keras.Model,
  graph: tflite_graph.StreamingMovinet,
  videos: Sequence[np.ndarray] = (),
) -> list[str]:
  """Makes a model of a TFLite file one that trains.

  Args:
    model: has been assigned the weights of the file.
    graph: the graph of the file.
    videos: clips [1, frames, height, width, 3] in [0, 1] to measure statistics
      on; rendered ones if there are none.

  Returns:
    Lines that say what was done.
  """
  frames = videos or clips.rendered(_NUM_CLIPS, clip_size(graph))
  folded_norms.restore(model, graph.norms, frames)
  stored = ', '.join(
    f'{count} of {kind}' for kind, count in sorted(graph.stored.items())
  )
  return [
    f'dequantized: {stored or "nothing, all constants are float32"}',
    f'batch norms: {len(graph.norms)} taken out of convolutions; statistics of '
    f'{len(frames)} {"clips of your videos" if videos else "rendered clips"}',
    'note:        these are the weights of a file for inference, not the float '
    'original',
  ]


def initialize_members(
  models: Sequence[tf_keras.Model], config: ensemble_cfg.GrwEnsemble
) -> str:
  """Loads the weights of all members of an ensemble, heads included.

  Args:
    models: the members, in the order of `ensemble_cfg.MEMBERS`.
    config: names their checkpoints.

  Returns:
    What was loaded, to be logged.

  Raises:
    ValueError: a checkpoint is not given or not one of its member; says which.
  """
  reports = []
  for name, member, model in zip(ensemble_cfg.MEMBERS, config.members, models):
    field = f'task.model.{name}.checkpoint'
    if not member.checkpoint:
      raise ValueError(
        f'{field} is not set: expected the weights of the trained member, '
        'as task.init_checkpoint takes them.'
      )
    try:
      report = initialize(model, member.checkpoint, 'all', same_model=True)
    except ValueError as error:
      raise ValueError(f'{field}: {error}') from error
    if isinstance(report, assign.Report) and report.initial:
      raise ValueError(
        f'{field}: {member.checkpoint} lacks {len(report.initial)} variables '
        f'of the member, {report.initial[0]!r} among them: expected a whole '
        f'classifier of the configuration task.model.{name}.model.'
      )
    reports.append(f'{name} member of the ensemble:\n{report}')
  return '\n'.join(reports)
