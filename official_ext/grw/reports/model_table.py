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

"""The table of all configured models, beside what papers say of them.

Rows are kept as they are found, under a digest of what decides them, so that a
run that was interrupted goes on and a changed config is counted anew.
"""

from collections.abc import Iterator, Mapping, Sequence
import csv
import glob
import hashlib
import io
import json
import math
import os
import pathlib
import re
import statistics
from typing import Any, NamedTuple

import matplotlib.figure
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams
import tensorflow as tf
import tf_keras
import tqdm
import yaml

from official_ext.grw.files import figures
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_cost
from official_ext.grw.reports import published

MARKDOWN_FILE = 'model_table.md'
CSV_FILE = 'model_table.csv'
PICTURE_FILE = 'accuracy_against_flops.png'
ROWS_FILE = 'rows.json'

_FLAG = re.compile(r'--(experiment|config_file)=(\S+)')


class Config(NamedTuple):
  """A model to be: the name of its YAML, and its experiment."""

  name: str
  params: cfg.ExperimentConfig


class Row(NamedTuple):
  """What is known of a model.

  Attributes:
    config: the configuration of the model.
    counts: parameters and multiply-adds.
    measured: None if that was not asked for or could not be.
  """

  config: Config
  counts: model_cost.Counts
  measured: model_cost.Measured | None = None

  @property
  def clip_shape(self) -> tuple[int, ...]:
    """[frames, height, width, 3]."""
    return tuple(self.config.params.task.validation_data.feature_shape)


def _command(path: pathlib.Path) -> tuple[str | None, list[pathlib.Path]]:
  """Experiment and files of the command that is for a YAML in its heading."""
  commands: list[tuple[str | None, list[pathlib.Path]]] = [(None, [])]
  with open(path, encoding='utf-8') as file:
    for line in file:
      if not line.startswith('#'):
        break
      for flag, value in _FLAG.findall(line):
        if flag == 'experiment':
          commands.append((value, []))
        else:
          commands[-1][1].append(path.parent / pathlib.Path(value).name)
  for experiment, files in commands:
    if path in files:
      return experiment, files
  return commands[min(1, len(commands) - 1)][0], [path]


def read_config(path: str | os.PathLike) -> Config:
  """Reads an experiment as the command in the heading of its YAML does.

  That has `--experiment=NAME` and `--config_file=` of this file.  An override
  that is given after another file, as the ablations are, names that too, and is
  of its experiment.

  Raises:
    ValueError: names the file, and what is wrong.
  """
  path = pathlib.Path(path)
  try:
    experiment, files = _command(path)
    experiment = experiment or _command(files[0])[0]
    if not experiment:
      raise ValueError(
        'no experiment in the comment it begins with: expected the command '
        'that trains it, with --experiment=NAME'
      )
    params = exp_factory.get_exp_config(experiment)
    for file in files:
      params = hyperparams.override_params_dict(
        params, str(file), is_strict=True
      )
    params.validate()
  except (
    ValueError,
    LookupError,
    OSError,
    TypeError,
    AttributeError,
    yaml.YAMLError,
  ) as error:
    raise ValueError(f'{path}: {" ".join(str(error).split())}') from error
  return Config(path.stem, params)


def read_configs(pattern: str) -> list[Config]:
  """Reads the experiments of all YAMLs that match a pattern, in order.

  Raises:
    ValueError: there is none, or one is wrong.
  """
  paths = sorted(glob.glob(pattern))
  if not paths:
    raise ValueError(
      f'{pattern} matches no file: expected YAML files, as configs/*.yaml.'
    )
  return [read_config(path) for path in paths]


def _digest(config: Config, *others: Any) -> str:
  task = config.params.task
  content = [
    task.model.as_dict(),
    task.train_data.num_classes,
    task.validation_data.feature_shape,
    others,
  ]
  return hashlib.sha256(
    json.dumps(content, sort_keys=True).encode()
  ).hexdigest()


class _KeptRows:
  """Counts and measurements in a file, by digest."""

  def __init__(self, path: str):
    self._path = path
    self._found: dict[str, dict[str, Any]] = {}
    if os.path.exists(path):
      try:
        with open(path, encoding='utf-8') as file:
          self._found = dict(json.load(file))
      except ValueError as error:
        raise ValueError(
          f'{path} is not JSON ({error}): remove it, and all '
          'rows are made anew.'
        ) from error

  def get(self, digest: str, kind: Any) -> Any:
    return kind(**self._found[digest]) if digest in self._found else None

  def keep(self, digest: str, value: Any):
    self._found[digest] = value._asdict()
    whole_file.write(self._path, json.dumps(self._found, indent=2))


def make_rows(
  configs: Sequence[Config], output_dir: str, measured: bool, repeats: int
) -> tuple[list[Row], dict[str, str]]:
  """Counts and measures models, but for what an earlier run has kept.

  Args:
    configs: the configurations of the models.
    output_dir: where `ROWS_FILE` is.
    measured: whether to measure time and memory.
    repeats: see `model_cost.measure`.

  Returns:
    The rows, and why of some nothing could be measured, by name.

  Raises:
    ValueError: a model cannot be built or counted; names it.
  """
  kept = _KeptRows(os.path.join(output_dir, ROWS_FILE))
  rows, failures = [], {}
  progress = tqdm.tqdm(configs)
  for config in progress:
    progress.set_description(config.name)
    of_counts = _digest(config, 'counts')
    of_measured = _digest(
      config, 'measured', repeats, benchmark.machine(), tf.__version__
    )
    counts = kept.get(of_counts, model_cost.Counts)
    measurement = (
      kept.get(of_measured, model_cost.Measured) if measured else None
    )
    if not counts or (measured and not measurement):
      tf_keras.backend.clear_session()  # Or each model keeps its memory.
      try:
        model = model_cost.build(config.params)
        if not counts:
          counts = model_cost.count(model, config.params)
          kept.keep(of_counts, counts)
      except ValueError as error:
        raise ValueError(f'{config.name}: {error}') from error
      if measured and not measurement:
        try:
          measurement = model_cost.measure(model, config.params, repeats)
          kept.keep(of_measured, measurement)
        except ValueError as error:
          failures[config.name] = str(error)
    rows.append(Row(config, counts, measurement))
  return rows, failures


def _is(entry: published.Published, task: Any) -> bool:
  """Whether backbone, classes and clips of a task are a published model's."""
  backbone = getattr(task.model, 'backbone', None)
  if (
    entry.backbone is None
    or backbone is None
    or (entry.num_classes != task.train_data.num_classes)
    or (entry.clip != tuple(task.validation_data.feature_shape[:2]))
  ):
    return False
  fields = dict(entry.backbone)
  return fields.pop('type') == backbone.type and all(
    getattr(backbone.get(), name) == value for name, value in fields.items()
  )


class Comparison(NamedTuple):
  """A row beside a paper's.

  Attributes:
    row: ours.
    entry: the paper's.
    multiply_adds: those of ours that are comparable: all, or if the paper's has
      another head, those of the backbone.
    whole: whether these are all.
  """

  row: Row
  entry: published.Published
  multiply_adds: int
  whole: bool

  @property
  def difference(self) -> float | None:
    """Of our multiply-adds to the published GFLOPs, relative to these."""
    if self.entry.gflops is None:
      return None
    return self.multiply_adds / (1e9 * self.entry.gflops) - 1


def comparisons(rows: Sequence[Row]) -> Iterator[Comparison]:
  """Finds the published rows of each model.

  These are the model itself, and for one with smoothing or another head the
  published model of the same backbone, whose head is a negligible part of it.
  """
  for row in rows:
    task = row.config.params.task
    for entry in published.ROWS:
      if not _is(entry, task):
        continue
      smoothing = task.model.smoothing
      plain = smoothing.placement == 'none'
      smoothed = smoothing.placement == 'final' and smoothing.weight > 0
      if smoothed if entry.smoothed else plain:
        yield Comparison(row, entry, row.counts.clip, True)
      elif not entry.smoothed:
        yield Comparison(row, entry, row.counts.clip_backbone, False)


def convention(compared: Sequence[Comparison]) -> str:
  """Says whether published GFLOPs are multiply-adds or twice as many."""
  ratios = [
    1 + found.difference for found in compared if found.difference is not None
  ]
  if not ratios:
    return ''
  middle = statistics.median(ratios)
  once = abs(math.log(middle)) < abs(math.log(2 * middle))
  return (
    f"Of the papers' GFLOPs, our multiply-adds are {min(ratios):.2f} to "
    f'{max(ratios):.2f} times as many (median {middle:.2f}), and FLOPs, two '
    f'to a multiply-add, {2 * middle:.2f} times: the papers count '
    + ('multiply-adds.' if once else 'FLOPs.')
  )


def _number(value: float | None, unit: float = 1, digits: int = 2) -> str:
  return '' if value is None else f'{value / unit:,.{digits}f}'


def _clip_text(row: Row) -> str:
  frames, height, width, _ = row.clip_shape
  return f'{frames} x {height} x {width}'


def _counts_table(rows: Sequence[Row]) -> str:
  def line(row):
    counts, frames = row.counts, row.clip_shape[0]
    return [
      row.config.name,
      _clip_text(row),
      _number(counts.parameters, 1e6),
      _number(counts.backbone_parameters, 1e6),
      _number(counts.clip, 1e9),
      _number(2 * counts.clip, 1e9),
      _number(counts.clip_backbone, 1e9),
      _number(2 * counts.clip_backbone, 1e9),
      _number(counts.frame, 1e6, 1),
      _number(counts.head, 1e6, 1),
      _number(counts.stream(frames, 1), 1e9),
      _number(counts.stream(frames, counts.classify_every), 1e9),
      _number(counts.stream(frames, None), 1e9),
    ]

  return benchmark.markdown_table(
    [
      'config',
      'frames x height x width',
      'parameters, M',
      'without head, M',
      'multiply-adds, G',
      'GFLOPs',
      'multiply-adds without head, G',
      'GFLOPs without head',
      'a frame without head, M',
      'a run of the head, M',
      'stream, head each frame, G',
      'head each T-th, G',
      'head once, G',
    ],
    [line(row) for row in rows],
  )


def _published_table(compared: Sequence[Comparison]) -> str:
  def line(found):
    entry = found.entry
    difference = found.difference
    return [
      found.row.config.name,
      entry.name,
      entry.source,
      *(
        '' if value is None else f'{value:g}'
        for value in (entry.top_1, entry.parameters, entry.gflops)
      ),
      _number(found.multiply_adds, 1e9)
      + ('' if found.whole else ' without head'),
      '' if difference is None else f'{difference:+.1%}',
    ]

  return benchmark.markdown_table(
    [
      'config',
      'published',
      'source',
      'top-1, %',
      'parameters, M',
      'GFLOPs',
      'our multiply-adds, G',
      'difference',
    ],
    [line(found) for found in compared],
  )


def _measured_table(rows: Sequence[Row]) -> str:
  def line(row):
    measured = row.measured
    return [
      row.config.name,
      _number(measured.clip_milliseconds, digits=0),
      _number(measured.clip_mebibytes, digits=0),
      _number(measured.frame_milliseconds),
      _number(measured.frame_mebibytes, digits=0),
    ]

  return benchmark.markdown_table(
    ['config', 'clip, ms', 'clip, MiB', 'frame, ms', 'stream, MiB'],
    [line(row) for row in rows if row.measured],
  )


def markdown(rows: Sequence[Row], failures: Mapping[str, str]) -> str:
  """The table, of three parts: counts, the papers', and measurements."""
  compared = list(comparisons(rows))
  parts = [
    '# Models\n',
    'For one video: convolutions and matrix products, in multiply-adds and in '
    'FLOPs, which are two each. A stream takes it frame by frame; T is the '
    'window of GRW-smoothing.\n',
    _counts_table(rows),
  ]
  if compared:
    parts += [
      '\n## Beside the papers\n',
      convention(compared) + '\n',
      _published_table(compared),
    ]
  if any(row.measured for row in rows):
    parts += [
      '\n## On this machine\n',
      f'{benchmark.machine()}; TensorFlow {tf.__version__}, one thread, '
      'random weights. Clips in TensorFlow, streams in LiteRT with the head '
      'at each T-th frame (a causal one at each). Memory is the peak above '
      'what imports take, weights and graph included.\n',
      _measured_table(rows),
    ]
  parts += [
    f'\nNot measured: {name}: {reason}' for name, reason in failures.items()
  ]
  return '\n'.join(parts) + '\n'


def comma_separated(rows: Sequence[Row]) -> str:
  """The table as CSV, a line a config, exact."""
  compared = list(comparisons(rows))
  lines = []
  for row in rows:
    frames, height, width, _ = row.clip_shape
    counts = row.counts
    line = {
      'config': row.config.name,
      'frames': frames,
      'height': height,
      'width': width,
      **counts._asdict(),
      'clip_flops': 2 * counts.clip,
      'clip_backbone_flops': 2 * counts.clip_backbone,
      'stream_head_each_frame': counts.stream(frames, 1),
      'stream_head_each_window': counts.stream(frames, counts.classify_every),
      'stream_head_once': counts.stream(frames, None),
    }
    for prefix, smoothed in (('published', True), ('published_plain', False)):
      for found in compared:
        if found.row is row and found.entry.smoothed == smoothed:
          line.update(
            {
              f'{prefix}_model': found.entry.name,
              f'{prefix}_source': found.entry.source,
              f'{prefix}_top_1': found.entry.top_1,
              f'{prefix}_gflops': found.entry.gflops,
              f'{prefix}_difference': found.difference,
            }
          )
    if row.measured:
      line.update(row.measured._asdict())
    lines.append(line)
  file = io.StringIO()
  # In the order of their first use, as models have different ones.
  names = list(dict.fromkeys(name for line in lines for name in line))
  writer = csv.DictWriter(file, names, lineterminator='\n')
  writer.writeheader()
  writer.writerows(lines)
  return file.getvalue()


def draw(rows: Sequence[Row], path: str):
  """Draws published accuracy on Kinetics-600 against published GFLOPs.

  Arrows go from a published model to the same with GRW-smoothing; rings are at
  our multiply-adds of the models that are among the rows.
  """
  figure = matplotlib.figure.Figure(figsize=(9, 6), layout='constrained')
  axes = figure.subplots()
  places = {
    entry.name: (entry.gflops, entry.top_1)
    for entry in published.ROWS
    if entry.num_classes == 600 and entry.gflops and entry.top_1
  }
  entries = [entry for entry in published.ROWS if entry.name in places]
  styles = {
    'published with GRW-smoothing': ('tab:red', 's'),
    'published without': ('tab:blue', 'o'),
    'other published models': ('0.6', 'o'),
  }

  def style(entry):
    return (
      'published with GRW-smoothing'
      if entry.smoothed
      else 'published without'
      if entry.backbone
      else 'other published models'
    )

  for label, (color, marker) in styles.items():
    mine = [entry for entry in entries if style(entry) == label]
    x, y = zip(*(places[entry.name] for entry in mine))
    axes.scatter(x, y, color=color, marker=marker, s=28, label=label, zorder=3)
    for entry in mine:
      # Base models lie close to their streams.
      left = not entry.smoothed and (
        (entry.backbone or {}).get('causal') is False
      )
      axes.annotate(
        entry.name,
        places[entry.name],
        xytext=(-6, 2) if left else (6, -7),
        textcoords='offset points',
        ha='right' if left else 'left',
        fontsize=6.5,
        color=color,
      )
  for smooth in entries:
    for entry in entries:
      if (
        smooth.smoothed
        and not entry.smoothed
        and (entry.backbone == smooth.backbone)
      ):
        axes.annotate(
          '',
          places[smooth.name],
          places[entry.name],
          arrowprops={
            'arrowstyle': '->',
            'color': 'tab:red',
            'shrinkA': 4,
            'shrinkB': 4,
          },
        )
  rings = [
    (found.multiply_adds / 1e9, places[found.entry.name][1])
    for found in comparisons(rows)
    if found.entry.name in places
  ]
  if rings:
    x, y = zip(*rings)
    axes.scatter(
      x,
      y,
      s=90,
      facecolors='none',
      edgecolors='black',
      linewidths=0.8,
      label='as counted here',
    )
  axes.set_xscale('log')
  axes.set_xlim(1.2, 2500)
  axes.set_xlabel("multiply-adds of a video, G (the papers' GFLOPs)")
  axes.set_ylabel('published top-1 on Kinetics-600, %')
  axes.grid(alpha=0.3)
  axes.legend(loc='lower right')
  figures.write(figure, path)


def write(rows: Sequence[Row], failures: Mapping[str, str], output_dir: str):
  """Writes Markdown, CSV and the picture, each whole."""
  for name, text in (
    (MARKDOWN_FILE, markdown(rows, failures)),
    (CSV_FILE, comma_separated(rows)),
  ):
    whole_file.write(os.path.join(output_dir, name), text)
  draw(rows, os.path.join(output_dir, PICTURE_FILE))
