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
import fnmatch
import hashlib
import io
import json
import math
import os
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

from official_ext.grw.configs import overrides
from official_ext.grw.configs import published
from official_ext.grw.configs import zoo
from official_ext.grw.files import figures
from official_ext.grw.files import whole_file
from official_ext.grw.reports import benchmark
from official_ext.grw.reports import model_cost

MARKDOWN_FILE = 'model_table.md'
CSV_FILE = 'model_table.csv'
PICTURE_FILE = 'accuracy_against_flops.png'
MEMORY_PICTURE_FILE = 'accuracy_against_memory.png'
FRAMES_PICTURE_FILE = 'memory_against_frames.png'
ROWS_FILE = 'rows.json'

# As in megabytes of the papers, of a million bytes.
_MEGABYTES = 2**20 / 1e6


class Config(NamedTuple):
  """A model to be.

  Attributes:
    name: its key in the zoo.
    params: its experiment.
    published: what papers print of it, and of its backbone without smoothing.
  """

  name: str
  params: cfg.ExperimentConfig
  published: tuple[zoo.Published, ...] = ()


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


def _config(found: zoo.Zoo, model: zoo.Model) -> Config:
  try:
    params = exp_factory.get_exp_config(model.experiment)
    for file in model.files:
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
    raise ValueError(
      f'{model.files[-1]}: {" ".join(str(error).split())}'
    ) from error
  rows = tuple(
    row for row in found.published if model.key in (row.config, row.plain_of)
  )
  return Config(model.key, params, rows)


def read_configs(pattern: str) -> tuple[list[Config], zoo.Zoo]:
  """Reads the experiments of the config files that match a pattern.

  The `zoo.yaml` of their folder says what each is a config of.

  Args:
    pattern: for example 'configs/*.yaml'.

  Returns:
    The experiments in the order of the zoo, and the zoo.

  Raises:
    ValueError: there is none, or one is wrong; names the file, and what is
      wrong.
  """
  folder, name = os.path.split(pattern)
  zoo_file = os.path.join(folder, zoo.FILE)
  if not os.path.exists(zoo_file):
    raise ValueError(
      f'{pattern}: expected YAML files, as configs/*.yaml, beside a {zoo.FILE} '
      f'that says what they are configs of, but there is no {zoo_file}.'
    )
  found = zoo.read(zoo_file)
  models = [
    model
    for model in found.models.values()
    if fnmatch.fnmatch(f'{model.key}.yaml', name)
  ]
  if not models:
    raise ValueError(
      f'{pattern} matches no file of {found.path}: expected YAML files, as '
      f'configs/*.yaml, which are among its models.'
    )
  return [_config(found, model) for model in models], found


def read_config(path: str | os.PathLike) -> Config:
  """Reads the experiment of one config file; see `read_configs`."""
  (config,), _ = read_configs(published.find(str(path)))
  return config


def of_lengths(
  configs: Sequence[Config], lengths: Sequence[int]
) -> list[Config]:
  """The same models for clips of other lengths.

  Args:
    configs: the models.
    lengths: numbers of frames.

  Returns:
    A configuration for each model and length, with the published rows of clips
    of this length alone.

  Raises:
    ValueError: a model takes no clips of such a length; names it.
  """
  found = []
  for config in configs:
    for length in lengths:
      size = config.params.task.validation_data.feature_shape[1:]
      clips = {'feature_shape': (length, *size)}
      params = config.params.replace(
        task={'train_data': clips, 'validation_data': clips}
      )
      try:
        params.task.validate()
      except ValueError as error:
        raise ValueError(
          f'--frames={length}: expected lengths of clips that {config.name} '
          f'takes. {error}'
        ) from error
      rows = tuple(
        row for row in config.published if row.clip and row.clip[0] == length
      )
      found.append(Config(config.name, params, rows))
  return found


def read_changed(
  path: str | os.PathLike, change: str, option: str
) -> cfg.ExperimentConfig:
  """Reads the experiment of one config file, with fields changed.

  Args:
    path: see `read_config`.
    change: 'field=value,…'; '' changes nothing.
    option: what an error calls the change.

  Raises:
    ValueError: see `read_configs`; or a field or value is wrong.
  """
  params = read_config(path).params
  if change:
    try:
      params.override(overrides.parse(change))
      params.validate()
    except (LookupError, TypeError, AttributeError) as error:
      raise ValueError(
        f'{option}={change}: {" ".join(str(error).split())}'
      ) from error
  return params


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
  entry: zoo.Published
  multiply_adds: int
  whole: bool

  @property
  def difference(self) -> float | None:
    """Of our multiply-adds to the published GFLOPs, relative to these."""
    if not self.entry.gflops:
      return None
    return self.multiply_adds / (1e9 * self.entry.gflops) - 1

  @property
  def memory_mb(self) -> float | None:
    """What was measured of the same model, in megabytes."""
    measured = self.row.measured
    if not measured or not self.whole or self.entry.memory_mb is None:
      return None
    stream = measured.frame_mebibytes
    return _MEGABYTES * (measured.clip_mebibytes if stream is None else stream)


def comparisons(rows: Sequence[Row]) -> Iterator[Comparison]:
  """Sets each model beside its published rows.

  These are of the model itself, or of the same backbone without smoothing,
  whose head is a negligible part of it.
  """
  for row in rows:
    for entry in row.config.published:
      whole = entry.config == row.config.name
      counts = row.counts
      yield Comparison(
        row, entry, counts.clip if whole else counts.clip_backbone, whole
      )


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
        for value in (
          entry.top_1,
          entry.parameters,
          entry.gflops,
          entry.memory_mb,
        )
      ),
      _number(found.multiply_adds, 1e9)
      + ('' if found.whole else ' without head'),
      '' if difference is None else f'{difference:+.1%}',
      _number(found.memory_mb, digits=0),
    ]

  return benchmark.markdown_table(
    [
      'config',
      'published',
      'source',
      'top-1, %',
      'parameters, M',
      'GFLOPs',
      'memory, MB',
      'our multiply-adds, G',
      'difference',
      'our memory, MB',
    ],
    [line(found) for found in compared],
  )


def _measured_table(rows: Sequence[Row]) -> str:
  def line(row):
    measured = row.measured
    return [
      row.config.name,
      _clip_text(row),
      _number(measured.clip_milliseconds, digits=0),
      _number(measured.clip_mebibytes, digits=0),
      _number(measured.frame_milliseconds),
      _number(measured.frame_mebibytes, digits=0),
    ]

  return benchmark.markdown_table(
    [
      'config',
      'frames x height x width',
      'clip, ms',
      'clip, MiB',
      'frame, ms',
      'stream, MiB',
    ],
    [line(row) for row in rows if row.measured],
  )


class Video(NamedTuple):
  """What a video costs: frame by frame if the model streams, or at once.

  Attributes:
    streams: whether the model does.
    multiply_adds: those of the video, with a stream's head run once.
    memory_mb: peak, in megabytes.
    milliseconds: the time of the whole video.
  """

  streams: bool
  multiply_adds: int
  memory_mb: float
  milliseconds: float


def video(row: Row) -> Video | None:
  """What a video costs a model; None where that was not measured."""
  counts, measured, frames = row.counts, row.measured, row.clip_shape[0]
  if measured is None:
    return None
  if measured.frame_milliseconds is None or measured.frame_mebibytes is None:
    return Video(
      False,
      counts.clip,
      _MEGABYTES * measured.clip_mebibytes,
      measured.clip_milliseconds,
    )
  return Video(
    True,
    counts.stream(frames, None) or counts.clip,
    _MEGABYTES * measured.frame_mebibytes,
    frames * measured.frame_milliseconds,
  )


def _video_table(rows: Sequence[Row]) -> str:
  """Tables 3 and 6 of arXiv 2103.11511, of these models on this machine."""

  def line(row, cost):
    frames, height, width, _ = row.clip_shape
    rate = row.config.params.task.validation_data.frames_per_second
    top_1 = [
      entry.top_1
      for entry in row.config.published
      if entry.config == row.config.name and entry.top_1
    ]
    return [
      row.config.name,
      'yes' if cost.streams else 'no',
      f'{top_1[0]:g}' if top_1 else '',
      str(height) if height == width else f'{height} x {width}',
      str(frames),
      '' if rate is None else f'{rate:g}',
      _number(cost.multiply_adds, 1e9),
      _number(cost.memory_mb, digits=0),
      _number(cost.milliseconds, digits=0),
      _number(cost.milliseconds / frames),
    ]

  costs = [(row, video(row)) for row in rows]
  return benchmark.markdown_table(
    [
      'model',
      'streaming',
      'top-1, % (published)',
      'resolution',
      'frames',
      'frames a second',
      'GFLOPs (multiply-adds)',
      'memory, MB',
      'video, ms',
      'frame, ms',
    ],
    [line(row, cost) for row, cost in costs if cost],
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
      '\n### A video\n',
      'In the columns of Tables 3 and 6 of arXiv 2103.11511, whose numbers '
      'are of a V100: a model that streams takes the video frame by frame, '
      'others at once.\n',
      _video_table(rows),
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
    for found in compared:
      if found.row is not row:
        continue
      entry = found.entry
      prefix = 'published' if found.whole else 'published_plain'
      values = {}
      if entry.gflops:
        values = {
          'model': entry.name,
          'source': entry.source,
          'top_1': entry.top_1,
          'gflops': entry.gflops,
          'difference': found.difference,
        }
      if entry.memory_mb:
        values |= {
          'memory_source': entry.source,
          'memory_mb': entry.memory_mb,
        }
      # Of several sources, the first.
      for name, value in values.items():
        line.setdefault(f'{prefix}_{name}', value)
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


_STYLES = {
  'published with GRW-smoothing': ('tab:red', 's'),
  'published without': ('tab:blue', 'o'),
  'other published models': ('0.6', 'o'),
}


def _style(entry: zoo.Published) -> str:
  if entry.without:
    return 'published with GRW-smoothing'
  if entry.config or entry.plain_of:
    return 'published without'
  return 'other published models'


def draw(
  entries: Sequence[zoo.Published],
  field: str,
  title: str,
  here: Sequence[tuple[float, float]],
  path: str,
):
  """Draws the rows of a published table, accuracy against a cost.

  Arrows go from the model that the source sets a smoothed one against to that;
  rings are at what was counted or measured here of the same models.

  Args:
    entries: the rows of one table.
    field: the field of `zoo.Published` that is the cost.
    title: the title of the axis of costs.
    here: cost and published accuracy of each ring.
    path: the path of the PNG.
  """
  figure = matplotlib.figure.Figure(figsize=(9, 6), layout='constrained')
  axes = figure.subplots()

  def place(entry):
    return getattr(entry, field), entry.top_1

  for label, (color, marker) in _STYLES.items():
    mine = [entry for entry in entries if _style(entry) == label]
    if not mine:
      continue
    x, y = zip(*map(place, mine))
    axes.scatter(x, y, color=color, marker=marker, s=28, label=label, zorder=3)
    for entry in mine:
      # A model without smoothing lies left of or below the one with it.
      left = label == 'published without'
      axes.annotate(
        entry.name,
        place(entry),
        xytext=(-6, 2) if left else (6, -7),
        textcoords='offset points',
        ha='right' if left else 'left',
        fontsize=6.5,
        color=color,
      )
  for smoothed in entries:
    for entry in entries:
      if entry.name == smoothed.without:
        axes.annotate(
          '',
          place(smoothed),
          place(entry),
          arrowprops={
            'arrowstyle': '->',
            'color': 'tab:red',
            'shrinkA': 4,
            'shrinkB': 4,
          },
        )
  if here:
    x, y = zip(*here)
    axes.scatter(
      x,
      y,
      s=90,
      facecolors='none',
      edgecolors='black',
      linewidths=0.8,
      label='here',
    )
  axes.set_xscale('log')
  costs = [place(entry)[0] for entry in entries] + [cost for cost, _ in here]
  axes.set_xlim(min(costs) / 2, max(costs) * 2.5)
  axes.set_xlabel(title)
  axes.set_ylabel('published top-1 on Kinetics-600, %')
  axes.grid(alpha=0.3)
  axes.legend(loc='lower right')
  figures.write(figure, path)


def draw_both(rows: Sequence[Row], found: zoo.Zoo, output_dir: str):
  """Draws Figure 1 of the GRW paper, left and right, with our rings.

  Each is of the first table of the zoo that compares at that cost.
  """
  compared = list(comparisons(rows))
  for field, title, file, measure in (
    (
      'gflops',
      "multiply-adds of a video, G (the papers' GFLOPs)",
      PICTURE_FILE,
      lambda each: each.multiply_adds / 1e9,
    ),
    (
      'memory_mb',
      'peak memory, MB',
      MEMORY_PICTURE_FILE,
      lambda each: each.memory_mb,
    ),
  ):
    entries = figure_1(found, field)
    if entries:
      here = [
        (cost, each.entry.top_1)
        for each in compared
        if each.entry in entries
        and each.entry.top_1
        and (cost := measure(each)) is not None
      ]
      path = os.path.join(output_dir, file)
      draw(entries, field, title, here, path)


def draw_lengths(rows: Sequence[Row], path: str):
  """Draws peak memory against frames, of models of which there are lengths.

  As Figure 3 of arXiv 2103.11511, top right.

  Args:
    rows: the rows of the table; of one length alone nothing is drawn.
    path: the path of the PNG.
  """
  lines: dict[str, list[tuple[int, float]]] = {}
  for row in rows:
    cost = video(row)
    if cost is not None:
      lines.setdefault(row.config.name, []).append(
        (row.clip_shape[0], cost.memory_mb)
      )
  if not any(len(points) > 1 for points in lines.values()):
    return
  figure = matplotlib.figure.Figure(figsize=(7, 4.5), layout='constrained')
  axes = figure.subplots()
  for name, points in lines.items():
    axes.plot(*zip(*sorted(points)), marker='o', label=name)
  axes.set_ylim(bottom=0)
  axes.set_xlabel('frames of a video')
  axes.set_ylabel('peak memory, MB')
  axes.grid(alpha=0.3)
  axes.legend()
  figures.write(figure, path)


def figure_1(found: zoo.Zoo, field: str) -> list[zoo.Published]:
  """The rows of the first table that compares smoothed models at a cost."""
  for smoothed in found.published:
    if smoothed.without and getattr(smoothed, field):
      return [
        row
        for row in found.published
        if row.source == smoothed.source and getattr(row, field) and row.top_1
      ]
  return []


def write(
  rows: Sequence[Row],
  failures: Mapping[str, str],
  found: zoo.Zoo,
  output_dir: str,
):
  """Writes Markdown, CSV and the pictures, each whole."""
  for name, text in (
    (MARKDOWN_FILE, markdown(rows, failures)),
    (CSV_FILE, comma_separated(rows)),
  ):
    whole_file.write(os.path.join(output_dir, name), text)
  draw_both(rows, found, output_dir)
  draw_lengths(rows, os.path.join(output_dir, FRAMES_PICTURE_FILE))
