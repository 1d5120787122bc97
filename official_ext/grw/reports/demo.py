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

"""GRW against no GRW on airplanes: trains both, measures, draws.

After the paper's warm-up (Goldman et al., NeurIPS 2025, arXiv 2511.20928,
Figure 2), which has another model, trained on images before, and fewer clips:
the same model, data and seed with λ > 0 and with λ = 0.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import math
import pathlib
from typing import Any

import matplotlib.figure
import numpy as np
from official.core import exp_factory
from official.core import task_factory
from official.modeling import hyperparams
import tensorflow as tf
import tf_keras

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.compat import cores
from official_ext.grw.datasets import airplanes
from official_ext.grw.files import figures
from official_ext.grw.files import whole_file
from official_ext.grw.losses import seams
from official_ext.grw.reports import benchmark
from official_ext.grw.training import training_process

EXPERIMENT = 'movinet_grw_airplanes'
COLORS = ('tab:blue', 'tab:orange', 'tab:green')


@dataclasses.dataclass(frozen=True)
class Setting:
  """One comparison.

  Attributes:
    train_clips: rendered for training, a third of each class.
    validation_clips: rendered for the measures; never trained on.
    epochs: passes over the training clips.
    weight: λ of the run with GRW.
    seed: the seed of the initial weights and the order of the data, in both
      runs.
  """

  train_clips: int = 4000
  validation_clips: int = 300
  epochs: int = 3
  weight: float = 0.1
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What one run came to, on held-out clips.

  Attributes:
    weight: λ it was trained with.
    top_1: share of clips classified right.
    order_loss: mean −log p(true order), in nats.
    acceleration_over_speed: mean ‖a‖ over mean ‖v‖ of the embeddings.
    seconds: wall time of training, start to end, all attempts.
    at_seams: acceleration over speed where two windows of the loss meet, see
      `losses.seams`; NaN if it was not measured.
    away_from_seams: the same within windows.
  """

  weight: float
  top_1: float
  order_loss: float
  acceleration_over_speed: float
  seconds: float
  at_seams: float = math.nan
  away_from_seams: float = math.nan


class DemoError(RuntimeError):
  """A run that failed or a folder that holds another one; says what to do."""


def _steps_per_epoch(setting: Setting) -> int:
  """Batches in an epoch; raises DemoError if the clips do not fill one."""
  batch = exp_factory.get_exp_config(
    EXPERIMENT
  ).task.train_data.global_batch_size
  if setting.train_clips < batch:
    raise DemoError(
      f'{setting.train_clips} clips do not fill a batch of '
      f'{batch}: ask for at least {batch}.'
    )
  return setting.train_clips // batch


def _overrides(
  setting: Setting,
  weight: float,
  data_dir: pathlib.Path,
  dataset: str,
  model: Mapping[str, Any],
) -> dict[str, Any]:
  """What the run differs in from the experiment."""
  epoch = _steps_per_epoch(setting)
  loop = max(1, epoch // 25)  # Log and move the progress bar often.
  steps = max(1, setting.epochs * epoch // loop) * loop

  def data(clips):
    return {
      'tfds_name': dataset,
      'tfds_data_dir': str(data_dir),
      'num_examples': clips,
    }

  return {
    'task': {
      'seed': setting.seed,
      'model': {
        **model,
        'smoothing': {**model.get('smoothing', {}), 'weight': weight},
      },
      'train_data': {**data(setting.train_clips), 'seed': setting.seed},
      'validation_data': data(setting.validation_clips),
    },
    'trainer': {
      'train_steps': steps,
      'steps_per_loop': loop,
      'summary_interval': loop,
      'checkpoint_interval': 10 * loop,
      'validation_interval': steps,
      'optimizer_config': {'learning_rate': {'cosine': {'decay_steps': steps}}},
    },
  }


def _claim(folder: pathlib.Path, setting: Setting):
  """Refuses a folder that holds a comparison of another setting."""
  folder.mkdir(parents=True, exist_ok=True)
  path = folder / 'setting.json'
  text = json.dumps(dataclasses.asdict(setting), indent=2)
  if path.exists() and path.read_text() != text:
    raise DemoError(
      f'{folder} holds a comparison with other settings:\n'
      f'{path.read_text()}\nGive the same settings to continue it, or '
      'another --output_dir.'
    )
  whole_file.write(path, text)


def compare(
  setting: Setting,
  output_dir: str,
  model: Mapping[str, Any] | None = None,
  program: Sequence[str] = training_process.TRAIN_PROGRAM,
) -> list[Outcome]:
  """Trains without and with GRW side by side, measures both, draws both.

  Writes, under `output_dir`: both model directories with their TensorBoard
  logs, `outcome.json` and `embeddings.png`.  Interrupted and called again with
  the same arguments it continues, and once complete it only reads.

  Args:
    setting: what is compared.
    output_dir: the folder of everything written.
    model: overrides of `task.model`, for both runs.
    program: the command line of train.py without its flags; another program may
      register backbones before.

  Returns:
    The outcomes, without GRW first.

  Raises:
    DemoError: a training failed, or `output_dir` holds another comparison.
  """
  _steps_per_epoch(setting)
  if setting.weight <= 0:
    raise DemoError(
      f'weight={setting.weight:g}: expected more than 0, as the '
      'other run has 0.'
    )
  folder = pathlib.Path(output_dir).absolute()
  _claim(folder, setting)
  outcome_path = folder / 'outcome.json'
  if outcome_path.exists():
    return [
      Outcome(**values) for values in json.loads(outcome_path.read_text())
    ]
  data_dir = folder / 'data'
  config = airplanes.AirplanesConfig(
    num_train_clips=setting.train_clips,
    num_validation_clips=setting.validation_clips,
  )
  dataset = airplanes.prepare(data_dir, config)
  num_cores = cores.usable()
  trainings = {}
  for weight in (0.0, setting.weight):
    label = f'lambda={weight:g}'
    trainings[weight] = training_process.TrainingProcess(
      folder / label,
      EXPERIMENT,
      'train',
      _overrides(setting, weight, data_dir, dataset, model or {}),
      label,
      cores=max(1, num_cores // 2),
      program=program,
    )
  # One core: one after the other, or both would only take turns.
  finished = list(
    training_process.run_all(
      list(trainings.values()), at_once=min(num_cores, 2)
    )
  )
  for training, succeeded in finished:
    if not succeeded:
      raise DemoError(
        f'{training.log_tail()}\nTraining failed: see '
        f'{training.log}. Run the same command again to '
        'continue.'
      )

  outcomes, clouds = [], []
  for weight, training in trainings.items():
    measures, embeddings, labels = measure(training.folder)
    outcomes.append(
      Outcome(
        weight=weight,
        top_1=measures['top_1_accuracy'],
        order_loss=measures['order_loss'],
        acceleration_over_speed=measures['acceleration_over_speed'],
        seconds=training.seconds,
        at_seams=measures['at_seams'],
        away_from_seams=measures['away_from_seams'],
      )
    )
    clouds.append((embeddings, labels))
  draw_embeddings(outcomes, clouds, folder / 'embeddings.png')
  whole_file.write(
    outcome_path,
    json.dumps([dataclasses.asdict(outcome) for outcome in outcomes], indent=2),
  )
  return outcomes


def measure(
  model_dir: pathlib.Path, experiment: str = EXPERIMENT
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
  """Evaluates a trained run on its validation split.

  Args:
    model_dir: the folder of a run of train.py, with `params.yaml` and
      checkpoints.
    experiment: the name of its experiment.

  Returns:
    Its validation metrics by name, with `at_seams` and `away_from_seams` of
    `Outcome` among them; the embeddings [clips, N, D] that GRW smooths; and the
    labels [clips].
  """
  params = hyperparams.override_params_dict(
    exp_factory.get_exp_config(experiment),
    str(model_dir / 'params.yaml'),
    is_strict=True,
  )
  task = task_factory.get_task(params.task)
  model = task.build_model()
  tf.train.Checkpoint(model=model).restore(
    tf.train.latest_checkpoint(str(model_dir))
  ).expect_partial()
  metrics = task.build_metrics(training=False)
  embedder = tf_keras.Model(
    model.inputs, model.get_layer('grw_smoothing').output
  )

  @tf.function
  def step(features, labels):
    task.validation_step((features, labels), model, metrics)
    return embedder({'image': features['image']}, training=False)

  embeddings, classes = [], []
  for features, labels in task.build_inputs(params.task.validation_data):
    embeddings.append(step(features, labels).numpy())
    classes.append(np.argmax(labels, axis=-1))
  measures = {metric.name: float(metric.result()) for metric in metrics}
  whole = np.concatenate(embeddings)
  measures['at_seams'], measures['away_from_seams'] = (
    seams.acceleration_over_speed(whole, params.task.model.smoothing.window)
  )
  return measures, whole, np.concatenate(classes)


def draw_embeddings(
  outcomes: Sequence[Outcome],
  clouds: Sequence[tuple[np.ndarray, np.ndarray]],
  path: pathlib.Path,
  clips_per_class: int = 3,
):
  """Draws trajectories of held-out clips, one panel a run, side by side.

  Axes are the first two principal components of all frames of the panel's
  run.  Frames are numbered along each trajectory.

  Args:
    outcomes: the outcomes of the runs.
    clouds: for each run, embeddings [clips, N, D] and labels [clips].
    path: the path of the PNG.
    clips_per_class: trajectories drawn of each class; all frames of all clips
      are shown as faint dots.
  """
  figure = matplotlib.figure.Figure(figsize=(13, 6.2), layout='constrained')
  for axes, outcome, (embeddings, labels) in zip(
    figure.subplots(1, len(outcomes)), outcomes, clouds
  ):
    flat = embeddings.reshape([-1, embeddings.shape[-1]])
    centered = flat - flat.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    explained = np.sum(sizes[:2] ** 2) / np.sum(sizes**2)
    points = (centered @ directions[:2].T).reshape([*embeddings.shape[:2], 2])
    for label, name in enumerate(airplanes.LABELS):
      color = COLORS[label]
      mine = points[labels == label]
      axes.scatter(
        *mine.reshape([-1, 2]).T, s=4, alpha=0.12, color=color, linewidths=0
      )
      for index, clip in enumerate(mine[:clips_per_class]):
        axes.plot(
          *clip.T,
          color=color,
          linewidth=1.6,
          marker='o',
          markersize=9,
          markerfacecolor='white',
          alpha=0.9,
          label=name if index == 0 else None,
        )
        for frame, (x, y) in enumerate(clip):
          axes.annotate(
            str(frame), (x, y), fontsize=6, ha='center', va='center'
          )
    title = ('with' if outcome.weight else 'without') + ' GRW-smoothing'
    axes.set_title(
      f'{title} (λ = {outcome.weight:g})\ntop-1 {outcome.top_1:.1%}, '
      'acceleration / speed '
      f'{outcome.acceleration_over_speed:.2f}'
    )
    axes.set_xlabel(f'first of two components ({explained:.0%} of variance)')
    axes.set_ylabel('second component')
    axes.legend(title='turns in', loc='best')
  figures.write(figure, path)


def table(outcomes: Sequence[Outcome]) -> str:
  """The outcomes as a Markdown table."""
  return benchmark.markdown_table(
    (
      '',
      'top-1',
      'order loss',
      'acceleration / speed',
      'at seams',
      'away from seams',
      'seconds',
    ),
    [
      (
        f'λ = {o.weight:g}',
        f'{o.top_1:.1%}',
        f'{o.order_loss:.2f}',
        f'{o.acceleration_over_speed:.2f}',
        f'{o.at_seams:.2f}',
        f'{o.away_from_seams:.2f}',
        f'{o.seconds:.0f}',
      )
      for o in outcomes
    ],
  )
