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

"""Ablations: trains an experiment with each of some changes, over seeds.

What is changed is defined by a YAML file:

  columns:  # Of the table: heading and the field whose value is below it.
    T: task.model.smoothing.window
  rows:     # Name and what it changes, as --params_override takes it:
    grw:                                             # nothing,
    short_windows: task.model.smoothing.window=3     # fields,
    stock: configs/ablation_stock.yaml               # a file,
    smoother:                                        # or nested fields.
      task: {model: {smoothing: {alpha: 1.0, weight: 1.0}}}

  published:  # What a paper has for the rows, under a heading of its own.
    heading: top-1 in the paper, %
    rows: {grw: 78.4}

  baseline: stock  # The row that the others are compared with.

All but `rows` may be left out.  A name becomes that of a folder.

A cross-validation runs over folds too: `task.dataset_info` then holds '{fold}',
where the number of a fold is put.
"""

from collections.abc import Mapping, Sequence
import csv
import dataclasses
import functools
import io
import itertools
import json
import os
import pathlib
import re
import sys
from typing import Any

import matplotlib.figure
import matplotlib.ticker
import numpy as np
from official.core import config_definitions as cfg
from official.modeling import hyperparams
from scipy import stats
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm
import yaml

from official_ext.grw.compat import cores
from official_ext.grw.configs import published
from official_ext.grw.evaluation import report as evaluation
from official_ext.grw.files import figures
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark
from official_ext.grw.training import progress
from official_ext.grw.training import runner
from official_ext.grw.training import training_process

_ROW_NAME = re.compile(r'[A-Za-z0-9=_+-][A-Za-z0-9=._+-]*')
_FIELDS = ('columns', 'rows', 'published', 'baseline')
_FOLD = '{fold}'
# Measure, heading and how a mean and a deviation are shown.
_SHOWN = (
  ('top_1_accuracy', 'top-1', '.1%'),
  ('mean_average_precision', 'mAP', '.1%'),  # Of frames.
  ('order_loss', 'order loss', '.2f'),
  ('acceleration_over_speed', 'acceleration / speed', '.2f'),
)
# What is wrong when these come out of a config is the config.
_CONFIG_ERRORS = (
  ValueError,
  LookupError,
  TypeError,
  AttributeError,
  OSError,
  tf.errors.OpError,
  yaml.YAMLError,
)


class SweepError(ValueError):
  """A sweep that cannot be run as it is defined; says what to change."""


@dataclasses.dataclass(frozen=True)
class Definition:
  """What a definition file says.

  Attributes:
    columns: headings, and the fields whose values are below them.
    rows: names, and what each changes.
    published: names of rows, and the accuracy that a paper has for them.
    published_heading: what the paper measured it of.
    baseline: the row that the others are compared with; '' compares none.
  """

  columns: Mapping[str, str]
  rows: Mapping[str, Any]
  published: Mapping[str, float] = dataclasses.field(default_factory=dict)
  published_heading: str = ''
  baseline: str = ''

  @property
  def headings(self) -> list[str]:
    """Of the cells of a run."""
    heading = [self.published_heading] if self.published else []
    return [*self.columns, *heading]


@dataclasses.dataclass(frozen=True)
class Run:
  """One training.

  Attributes:
    row: its name.
    seed: the seed of the initial weights and of the order of the data.
    config: the whole experiment, as nested dicts, lists and scalars.
    cells: values of the columns, the published one last.
    fold: the fold that is validated on; None of a dataset without folds.
  """

  row: str
  seed: int
  config: Mapping[str, Any]
  cells: tuple[str, ...]
  fold: int | None = None

  @property
  def _parts(self) -> list[str]:
    fold = [] if self.fold is None else [f'fold{self.fold}']
    return [self.row, *fold, f'seed{self.seed}']

  @property
  def label(self) -> str:
    return ' '.join(self._parts)

  def folder(self, output_dir: str | os.PathLike[str]) -> pathlib.Path:
    """The model directory."""
    return pathlib.Path(output_dir).absolute().joinpath('runs', *self._parts)

  def measures(
    self,
    output_dir: str | os.PathLike[str],
  ) -> dict[str, float] | None:
    """Of the weights of the last step; None if the run is not finished."""
    path = self.folder(output_dir) / runner.REPORT_FOLDER / evaluation.MEASURES
    if not path.exists():
      return None
    found = json.loads(path.read_text())
    last = self.config['trainer']['train_steps']
    return found if found['step'] == last else None

  def learning_curve(
    self, output_dir: str | os.PathLike[str]
  ) -> tuple[np.ndarray, np.ndarray]:
    """Passes over the training data and top-1 at each validation, so far."""
    found = {
      record['step']: record['top_1_accuracy']
      for record in progress.read(self.folder(output_dir) / progress.FILE)
      if record['split'] == progress.VALIDATION
    }
    data = self.config['task']['train_data']
    steps = np.array(sorted(found))
    return (
      steps * data['global_batch_size'] / max(data['num_examples'], 1),
      np.array([found[step] for step in steps]),
    )


@dataclasses.dataclass(frozen=True)
class Result:
  """What the finished runs of a row came to.

  Attributes:
    row: its name.
    cells: values of the columns.
    measures: for each measure, its values over seeds and folds; none where no
      run is finished.
    keys: fold and seed of each value.
    overlap: clips of validation for one of training, where runs validate on
      folds of the same clips; 0 elsewhere.
  """

  row: str
  cells: tuple[str, ...]
  measures: Mapping[str, np.ndarray]
  keys: tuple[tuple[int | None, int], ...] = ()
  overlap: float = 0.0

  def mean(self, measure: str) -> float:
    return float(self.measures[measure].mean())

  def deviation(self, measure: str) -> float:
    """Sample standard deviation over seeds and folds; 0 for a single one."""
    values = self.measures[measure]
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0

  def differences(self, baseline: 'Result', measure: str) -> np.ndarray:
    """[n], the measure less the baseline's, of the same fold and seed."""
    if measure not in self.measures or measure not in baseline.measures:
      return np.zeros(0)
    theirs = dict(zip(baseline.keys, baseline.measures[measure]))
    return np.array(
      [
        value - theirs[key]
        for key, value in zip(self.keys, self.measures[measure])
        if key in theirs
      ]
    )

  def difference_interval(
    self, baseline: 'Result', measure: str
  ) -> tuple[float, float]:
    """The 95 % interval of the mean difference, by Student's t.

    Folds share training clips, so that their differences vary less than those
    of clips drawn anew; the variance is corrected for it (Nadeau and Bengio,
    Machine Learning, 2003).  Infinite for less than two differences.
    """
    values = self.differences(baseline, measure)
    if len(values) < 2:
      return -np.inf, np.inf
    half = (
      stats.t.ppf(0.975, len(values) - 1)
      * values.std(ddof=1)
      * np.sqrt(1 / len(values) + self.overlap)
    )
    return float(values.mean() - half), float(values.mean() + half)


class _UniqueKeysLoader(yaml.SafeLoader):
  """Refuses a name given twice, of which YAML would keep the last."""

  def construct_mapping(self, node, deep=False):
    names = [key.value for key, _ in node.value]
    for name in names:
      if names.count(name) > 1:
        raise SweepError(f'"{name}" is there twice: rename or remove one.')
    return super().construct_mapping(node, deep)


def _one_line(error: BaseException) -> str:
  # str() of a KeyError is quoted.
  is_key = isinstance(error, KeyError) and len(error.args) == 1
  return ' '.join(str(error.args[0] if is_key else error).split())


def read_definition(path: str | os.PathLike[str]) -> Definition:
  """Reads a YAML file, which the module describes.

  Raises:
    SweepError: it cannot be read, or is no definition.
  """
  try:
    found = yaml.load(pathlib.Path(path).read_text('utf-8'), _UniqueKeysLoader)
  except (OSError, UnicodeDecodeError, yaml.YAMLError, SweepError) as error:
    raise SweepError(f'{path}: {_one_line(error)}') from error
  if not isinstance(found, dict) or not found.get('rows'):
    raise SweepError(f'{path}: expected "rows", with at least one.')
  baseline = found.pop('baseline', '')
  for field, value in found.items():
    if field not in _FIELDS:
      raise SweepError(
        f'{path}: unknown field "{field}": expected one of {_FIELDS}.'
      )
    if not isinstance(value, dict):
      raise SweepError(
        f'{path}: {field}={value!r}: expected names, each with its value.'
      )
  for name, overrides in found['rows'].items():
    if not isinstance(name, str) or not _ROW_NAME.fullmatch(name):
      raise SweepError(
        f'{path}: row {name!r}: expected a name that a folder can have, of '
        'letters, digits and "=._+-".'
      )
    if not isinstance(overrides, dict | str | None):
      raise SweepError(
        f'{path}: row {name}: {overrides!r}: expected what --params_override '
        'takes.'
      )
  if baseline and baseline not in found['rows']:
    raise SweepError(
      f'{path}: baseline={baseline!r}: expected one of the rows '
      f'{list(found["rows"])}.'
    )
  columns = found.get('columns', {})
  for heading, field in columns.items():
    if not isinstance(heading, str) or not isinstance(field, str):
      raise SweepError(
        f'{path}: column {heading!r}: {field!r}: expected a heading and a '
        'field, as in "T: task.model.smoothing.window".'
      )
  published = found.get('published', {'heading': '', 'rows': {}})
  numbers = published.get('rows')
  if set(published) != {'heading', 'rows'} or not isinstance(numbers, dict):
    raise SweepError(
      f'{path}: published={published!r}: expected "heading", of the column, '
      'and "rows", names of rows with the number that is published for each.'
    )
  for name, value in numbers.items():
    if name not in found['rows'] or not isinstance(value, int | float):
      raise SweepError(
        f'{path}: published: {name}: {value!r}: expected a number, and one of '
        f'the rows {list(found["rows"])}.'
      )
  return Definition(
    columns, found['rows'], numbers, published['heading'], baseline
  )


def _cell(config: Mapping[str, Any], field: str) -> str:
  value: Any = config
  for name in field.split('.'):
    if not isinstance(value, dict) or name not in value:
      raise SweepError(f'{field} of columns: there is no such field.')
    value = value[name]
  return f'{value:g}' if isinstance(value, float) else str(value)


def _put_fold(params: cfg.ExperimentConfig, fold: int | None):
  """Puts the number of a fold into `task.dataset_info`."""
  path = params.task.dataset_info
  if (fold is None) == (_FOLD in path):
    raise SweepError(
      f'task.dataset_info={path!r}: expected a path with {_FOLD} in it and '
      '--folds, or neither.'
    )
  if fold is not None:
    params.task.dataset_info = path.replace(_FOLD, str(fold))


# What is chosen by the clips it is measured on looks better than it is.
_LAST_STEP = {
  'best_checkpoint_export_subdir': '',
  'best_checkpoint_eval_metric': '',
  'best_checkpoint_standard_errors': 0.0,
  'early_stopping_patience': 0,
}


def plan(
  definition: Definition,
  experiment: cfg.ExperimentConfig,
  seeds: Sequence[int],
  folds: Sequence[int] = (),
) -> list[Run]:
  """Works out and validates every run.

  Args:
    definition: the definition of columns and rows.
    experiment: that the rows change; neither validated nor changed.
    seeds: the seeds of each row.
    folds: the folds of each row and seed; none if the data have none.

  Returns:
    The runs, all rows of the first fold of the first seed first, so that rows
    can be compared early.

  Raises:
    SweepError: a row or a seed does not fit the experiment.
  """
  if not seeds or len(set(seeds)) < len(seeds):
    raise SweepError(
      f'seeds={list(seeds)}: expected different ones, at least one.'
    )
  if len(set(folds)) < len(folds):
    raise SweepError(f'folds={list(folds)}: expected different ones.')
  runs = []
  numbers: Sequence[int | None] = folds or [None]
  for seed, fold in itertools.product(seeds, numbers):
    for row, overrides in definition.rows.items():
      params = experiment.replace()
      try:
        if isinstance(overrides, str) and overrides.endswith('.yaml'):
          overrides = published.find(overrides)
        hyperparams.override_params_dict(params, overrides, is_strict=True)
        _put_fold(params, fold)
        params.override({'task': {'seed': seed, 'train_data': {'seed': seed}}})
        params.override({'trainer': _LAST_STEP})
        params.validate()
        # As it is read back: tuples become lists.
        config = json.loads(json.dumps(params.as_dict()))
        cells = tuple(
          _cell(config, field) for field in definition.columns.values()
        )
        if definition.published:
          cells += (str(definition.published.get(row, '')),)
      except _CONFIG_ERRORS as error:
        raise SweepError(f'row {row}: {_one_line(error)}') from error
      if config['task']['validation_data']['is_multilabel']:
        raise SweepError(
          f'row {row}: task.validation_data.is_multilabel=True: expected '
          'one label a clip, as rows are compared by top-1 accuracy.'
        )
      runs.append(Run(row, seed, config, cells, fold))
  return runs


def _flattened(config: Any, prefix: str = '') -> dict[str, Any]:
  """Values of a nested dict by their dotted names."""
  if not isinstance(config, dict) or not config:
    return {prefix[:-1]: config}
  result = {}
  for name, value in config.items():
    result.update(_flattened(value, f'{prefix}{name}.'))
  return result


def _require_same_runs(runs: Sequence[Run], output_dir: str):
  """Refuses a folder that holds runs of the same names and other settings."""
  for run in runs:
    path = run.folder(output_dir) / training_process.OVERRIDES
    if not path.exists():
      continue
    old = _flattened(json.loads(path.read_text()))
    new = _flattened(run.config)
    # A field that this version has added is off by default.
    changed = [
      field
      for field in sorted({*old, *new})
      if old.get(field) != new.get(field) and (field in old or new[field])
    ]
    if changed:
      field = changed[0]
      raise SweepError(
        f'{run.folder(output_dir)} is a run with {field}='
        f'{old.get(field)!r}, and row {run.row} now has '
        f'{new.get(field)!r} ({len(changed)} fields differ). Rows and seeds '
        'may be added, not changed: rename the row, or give another '
        '--output_dir.'
      )


def _prepare_datasets(runs: Sequence[Run]):
  """Makes the TFDS datasets, which runs at once would each make otherwise."""
  datasets = {
    (data['tfds_name'], data['tfds_data_dir'])
    for run in runs
    for data in (
      run.config['task']['train_data'],
      run.config['task']['validation_data'],
    )
  }
  for name, data_dir in sorted(datasets):
    if name:
      try:
        tfds.builder(name, data_dir=data_dir or None).download_and_prepare()
      except (ValueError, OSError) as error:
        raise SweepError(f'tfds_name={name!r}: {_one_line(error)}') from error


def train(
  runs: Sequence[Run],
  experiment: str,
  columns: Sequence[str],
  output_dir: str,
  at_once: int = 1,
  program: Sequence[str] = training_process.TRAIN_PROGRAM,
  baseline: str = '',
) -> list[Run]:
  """Trains and evaluates the runs, and writes the tables after each.

  Interrupted or killed at any moment, the same call continues: finished runs
  are not run again, others continue from their last checkpoint.

  Args:
    runs: from `plan`.
    experiment: registered name of what they are runs of.
    columns: headings of their cells.
    output_dir: the folder of everything written.
    at_once: trainings side by side, which share the cores.
    program: see `training_process.TrainingProcess`.
    baseline: see `Definition`.

  Returns:
    The runs that failed; the others of `runs` are finished.

  Raises:
    SweepError: `output_dir` holds runs of other settings, or there is no such
      dataset.
  """
  _require_same_runs(runs, output_dir)
  unfinished = [run for run in runs if run.measures(output_dir) is None]
  _prepare_datasets(unfinished)

  def mode(run: Run) -> str:
    # Trained to its end and killed before it was evaluated there.
    checkpoint = f'ckpt-{run.config["trainer"]["train_steps"]}.index'
    is_trained = (run.folder(output_dir) / checkpoint).exists()
    return 'train_and_post_eval' if is_trained else 'train_and_eval'

  num_cores = max(1, cores.usable() // at_once)
  trainings = {
    training_process.TrainingProcess(
      run.folder(output_dir),
      experiment,
      mode(run),
      run.config,
      run.label,
      is_done=functools.partial(run.measures, output_dir),
      cores=num_cores,
      program=program,
    ): run
    for run in unfinished
  }
  finished, failed = len(runs) - len(unfinished), []
  tqdm.tqdm.write(
    f'{finished} of {len(runs)} runs are finished.', file=sys.stderr
  )

  def write():
    write_results(runs, columns, output_dir, baseline)

  write()
  for training, succeeded in training_process.run_all(list(trainings), at_once):
    run = trainings[training]
    measures = run.measures(output_dir)
    if succeeded and measures:
      finished += 1
      write()
      message = (
        f'{finished} of {len(runs)}: {run.label}: top-1 '
        f'{measures["top_1_accuracy"]:.1%}'
      )
    else:
      failed.append(run)
      message = f'{run.label} failed:\n{training.log_tail()}'
    tqdm.tqdm.write(message, file=sys.stderr)
  return failed


def trained(
  output_dir: str | os.PathLike[str],
) -> dict[str, list[pathlib.Path]]:
  """The model directories of each row that have a checkpoint.

  Raises:
    SweepError: there is none.
  """
  found: dict[str, list[pathlib.Path]] = {}
  for params in sorted(pathlib.Path(output_dir).glob('runs/**/params.yaml')):
    if (params.parent / 'checkpoint').exists():
      row = params.relative_to(pathlib.Path(output_dir) / 'runs').parts[0]
      found.setdefault(row, []).append(params.parent)
  if not found:
    raise SweepError(
      f'{output_dir}: expected the --output_dir of a sweep, with a checkpoint '
      'in runs/<row>/…/'
    )
  return found


def results(runs: Sequence[Run], output_dir: str) -> list[Result]:
  """What is finished of each row, in the order of the rows."""
  by_row: dict[str, list[Run]] = {}
  for run in runs:
    by_row.setdefault(run.row, []).append(run)
  found = []
  for row, of_row in by_row.items():
    finished = [
      (run, of_run)
      for run in of_row
      if (of_run := run.measures(output_dir)) is not None
    ]
    measures = [of_run for _, of_run in finished]
    names = measures[0] if measures else {}
    overlaps = [
      run.config['task']['validation_data']['num_examples']
      / run.config['task']['train_data']['num_examples']
      for run in of_row
      if run.fold is not None
    ]
    found.append(
      Result(
        row,
        of_row[0].cells,
        {
          name: np.array([of_run[name] for of_run in measures])
          for name in names
        },
        tuple((run.fold, run.seed) for run, _ in finished),
        float(np.mean(overlaps)) if overlaps else 0.0,
      )
    )
  return found


def _shown(found: Sequence[Result]) -> list[tuple[str, str, str]]:
  return [
    entry
    for entry in _SHOWN
    if any(entry[0] in result.measures for result in found)
  ]


def _row(found: Sequence[Result], name: str) -> Result | None:
  return next((result for result in found if result.row == name), None)


def _counted(found: Sequence[Result]) -> str:
  """What the runs of a row are."""
  with_folds = any(
    fold is not None for result in found for fold, _ in result.keys
  )
  return 'folds x seeds' if with_folds else 'seeds'


def markdown(
  found: Sequence[Result], columns: Sequence[str], baseline: str = ''
) -> str:
  """A table of means ± sample standard deviations over seeds and folds.

  Args:
    found: the rows.
    columns: headings of their cells.
    baseline: the row that the others are compared with, by the mean of paired
      differences in top-1 and its 95 % interval; '' compares none.
  """
  shown = _shown(found)
  compared = _row(found, baseline)
  rows = []
  for result in found:
    row = [result.row, *result.cells, str(_num_runs(result))]
    for measure, _, unit in shown:
      row.append(_with_deviation(result, measure, unit))
    if compared:
      row.append(_difference(result, compared))
    rows.append(row)
  headings = [heading for _, heading, _ in shown]
  if compared:
    headings.append(f'top-1 less {baseline}’s')
  return benchmark.markdown_table(
    ['', *columns, _counted(found), *headings], rows
  )


def _difference(result: Result, baseline: Result) -> str:
  """The mean of paired differences in top-1, and its interval."""
  values = result.differences(baseline, 'top_1_accuracy')
  if result is baseline or not len(values):
    return ''
  low, high = result.difference_interval(baseline, 'top_1_accuracy')
  interval = f' ({low:+.1%} to {high:+.1%})' if np.isfinite(low) else ''
  return f'{values.mean():+.1%}{interval}'


def _num_runs(result: Result) -> int:
  return len(result.keys)


def _with_deviation(result: Result, measure: str, unit: str) -> str:
  if measure not in result.measures:
    return ''
  return benchmark.with_deviation(result.measures[measure], unit)


def table_csv(
  found: Sequence[Result], columns: Sequence[str], baseline: str = ''
) -> str:
  """The same as CSV, with all digits; nothing where nothing is finished."""
  text = io.StringIO(newline='')
  writer = csv.writer(text)
  shown = [measure for measure, _, _ in _shown(found)]
  compared = _row(found, baseline)
  kinds = ('mean', 'low', 'high') if compared else ()
  writer.writerow(
    [
      'row',
      *columns,
      _counted(found),
      *(f'{measure}_{kind}' for measure in shown for kind in ('mean', 'std')),
      *(f'top_1_difference_{kind}' for kind in kinds),
    ]
  )
  for result in found:
    numbers: list[float | str] = []
    for measure in shown:
      if measure in result.measures:
        deviation = result.deviation(measure) if _num_runs(result) > 1 else ''
        numbers += [result.mean(measure), deviation]
      else:
        numbers += ['', '']
    if compared:
      values = result.differences(compared, 'top_1_accuracy')
      numbers += (
        [
          float(values.mean()),
          *result.difference_interval(compared, 'top_1_accuracy'),
        ]
        if len(values)
        else ['', '', '']
      )
    writer.writerow([result.row, *result.cells, _num_runs(result), *numbers])
  return text.getvalue()


def runs_csv(found: Sequence[Result]) -> str:
  """All measures of each finished run as CSV, for statistics of one's own."""
  text = io.StringIO(newline='')
  names = list(dict.fromkeys(name for each in found for name in each.measures))
  writer = csv.writer(text)
  writer.writerow(['row', 'fold', 'seed', *names])
  for result in found:
    for place, (fold, seed) in enumerate(result.keys):
      values = [
        result.measures[name][place] if name in result.measures else ''
        for name in names
      ]
      writer.writerow([result.row, '' if fold is None else fold, seed, *values])
  return text.getvalue()


def picture(found: Sequence[Result]) -> bytes:
  """A PNG of top-1 of each row: its runs, their mean and deviation."""
  figure = matplotlib.figure.Figure(
    figsize=(8, 1.2 + 0.4 * len(found)), layout='constrained'
  )
  axes = figure.subplots()
  for place, result in enumerate(found):
    if not result.measures:
      continue
    values = result.measures['top_1_accuracy']
    axes.errorbar(
      result.mean('top_1_accuracy'),
      place,
      xerr=result.deviation('top_1_accuracy'),
      fmt='D',
      color='tab:blue',
      markersize=7,
      capsize=4,
      zorder=2,
    )
    axes.scatter(
      values,
      np.full(len(values), place),
      s=22,
      color='black',
      alpha=0.6,
      zorder=3,
      linewidths=0,
    )
  axes.set_yticks(range(len(found)), [result.row for result in found])
  axes.set_ylim(len(found) - 0.5, -0.5)
  axes.grid(axis='x', alpha=0.3)
  axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  axes.set_xlabel(
    f'top-1: mean ± standard deviation over {_counted(found)}, and each run'
  )
  axes.spines[['top', 'right']].set_visible(False)
  return figures.png(figure)


def curves_picture(runs: Sequence[Run], output_dir: str) -> bytes:
  """A PNG of top-1 over training: each run, and in bold the mean of a row.

  The mean ends with the shortest run that has begun.
  """
  figure = matplotlib.figure.Figure(figsize=(8, 5), layout='constrained')
  axes = figure.subplots()
  rows = dict.fromkeys(run.row for run in runs)
  for number, row in enumerate(rows):
    color = f'C{number}'
    curves = [
      curve
      for run in runs
      if run.row == row and len((curve := run.learning_curve(output_dir))[0])
    ]
    for passes, values in curves:
      axes.plot(passes, values, color=color, alpha=0.3, linewidth=0.8)
    shortest = min((len(passes) for passes, _ in curves), default=0)
    mean = (
      np.mean(
        [(passes[:shortest], values[:shortest]) for passes, values in curves],
        axis=0,
      )
      if curves
      else np.zeros((2, 0))
    )
    axes.plot(*mean, '-o', color=color, markersize=4, label=row)
  axes.set_xlabel('passes over the training data')
  axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
  axes.set_ylabel('top-1 of the validation data')
  axes.grid(alpha=0.3)
  axes.legend()
  axes.spines[['top', 'right']].set_visible(False)
  return figures.png(figure)


def write_results(
  runs: Sequence[Run],
  columns: Sequence[str],
  output_dir: str,
  baseline: str = '',
):
  """Writes what there is so far into the folder, which is made.

  Args:
    runs: from `plan`.
    columns: headings of their cells.
    output_dir: the folder of table.md, table.csv, runs.csv, top_1.png and
      curves.png.
    baseline: see `Definition`.
  """
  folder = pathlib.Path(output_dir)
  folder.mkdir(parents=True, exist_ok=True)
  found = results(runs, output_dir)
  whole_file.write(
    folder / 'table.md', markdown(found, columns, baseline) + '\n'
  )
  whole_file.write(folder / 'table.csv', table_csv(found, columns, baseline))
  whole_file.write(folder / 'runs.csv', runs_csv(found))
  whole_file.write(folder / 'top_1.png', picture(found))
  whole_file.write(folder / 'curves.png', curves_picture(runs, output_dir))
