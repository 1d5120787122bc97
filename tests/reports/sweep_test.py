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

"""Ablations are trained, survive being killed, and become tables."""

import csv
import io
import json
import multiprocessing
import os
import pathlib
import re
import signal
import statistics
import sys
import time

import cv2
import numpy as np
from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.reports import sweep
from official_ext.grw.training import training_process
from tests import tiny

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
EXPERIMENT = 'movinet_grw_airplanes'
COLUMNS = {'T': 'task.model.smoothing.window', 'head': 'task.model.head.type'}
ROWS = {
  'grw': None,
  'stock': {
    'task': {
      'model': {'smoothing': {'placement': 'none'}, 'head': {'type': 'movinet'}}
    }
  },
}
DEFINITION = sweep.Definition(COLUMNS, ROWS, baseline='stock')
LEFT_TO_THE_DATASET = {
  'input_path': '',
  'num_examples': -1,
  'frames_per_second': None,
}
FAILING = (
  sys.executable,
  '-c',
  'import sys; sys.exit("error: there is no disk")',
)


@pytest.fixture(name='records', scope='module')
def records_fixture(tmp_path_factory):
  return tmp_path_factory.mktemp('records')


@pytest.fixture(name='experiment', scope='module')
def experiment_fixture(records):
  folder = records
  params = exp_factory.get_exp_config(EXPERIMENT)
  # Two steps, nothing traced: most of a run is its start.
  params.override(
    tiny.overrides(
      tiny.write_records(folder / 'train.tfrecord', [0, 1, 2, 0, 1, 2], seed=1),
      tiny.write_records(folder / 'valid.tfrecord', [0, 1, 2, 0, 1], seed=2),
      train_steps=2,
      steps_per_loop=1,
      summary_interval=1,
      checkpoint_interval=1,
      validation_interval=1,
      validation_steps=-1,
      **tiny.EAGER,
    )
  )
  params.override(
    {
      'runtime': {'distribution_strategy': 'one_device'},
      'task': {'validation_data': {'num_examples': 5}},
    }
  )
  return params


@pytest.fixture(name='of_folds', scope='module')
def of_folds_fixture(experiment, records):
  """The experiment on two folds: what one trains on the other evaluates on."""
  (records / 'labels.txt').write_text('stands\nright\ndown\n')
  for fold, names in enumerate((['train', 'valid'], ['valid', 'train'])):
    splits = {
      split: {
        'num_examples': {'train': 6, 'valid': 5}[name],
        'files': f'../{name}.tfrecord',
      }
      for split, name in zip(('train', 'validation'), names)
    }
    folder = records / f'fold{fold}'
    folder.mkdir()
    (folder / 'dataset.json').write_text(
      json.dumps(
        {
          'num_classes': 3,
          'labels': '../labels.txt',
          'frames_per_second': 5,
          'splits': splits,
        }
      )
    )
  params = experiment.replace()
  params.override(
    {
      'task': {
        'dataset_info': f'{records}/fold{{fold}}/dataset.json',
        'train_data': LEFT_TO_THE_DATASET | {'split': 'train'},
        'validation_data': LEFT_TO_THE_DATASET | {'split': 'validation'},
      }
    }
  )
  return params


@pytest.fixture(name='runs', scope='module')
def runs_fixture(of_folds):
  return sweep.plan(DEFINITION, of_folds, [0], [0, 1])


def train(runs, folder, program=None):
  return sweep.train(
    runs,
    EXPERIMENT,
    list(COLUMNS),
    str(folder),
    program=program or tiny.program('official_ext/grw/train.py'),
    baseline='stock',
  )


def logs(runs, folder):
  return {
    run.label: (run.folder(folder) / 'output.log').read_text()
    for run in runs
    if (run.folder(folder) / 'output.log').exists()
  }


@pytest.fixture(name='folder', scope='module')
def folder_fixture(runs, tmp_path_factory):
  """A finished sweep; all of it was killed when its first run had ended."""
  folder = tmp_path_factory.mktemp('sweep')

  def in_its_own_group():
    os.setsid()
    train(runs, folder)

  first = multiprocessing.get_context('fork').Process(target=in_its_own_group)
  first.start()
  end = time.monotonic() + 600
  while len(logs(runs, folder)) < 2:
    assert time.monotonic() < end and first.is_alive()
    time.sleep(0.2)
  assert first.pid is not None
  os.killpg(first.pid, signal.SIGKILL)
  first.join()
  finished = [run for run in runs if run.measures(folder)]
  before = logs(finished, folder)
  assert [run.label for run in finished] == ['grw fold0 seed0']

  assert train(runs, folder) == []
  # What was finished has not been run again.
  assert logs(finished, folder) == before
  return folder


def test_every_run_is_trained_to_its_end(runs, folder):
  assert [run.label for run in runs] == [
    'grw fold0 seed0',
    'stock fold0 seed0',
    'grw fold1 seed0',
    'stock fold1 seed0',
  ]
  for run in runs:
    measures = run.measures(folder)
    assert measures['step'] == 2 and 0 <= measures['top_1_accuracy'] <= 1
    assert ('order_loss' in measures) == (run.row == 'grw')
    assert (run.folder(folder) / 'ckpt-2.index').exists()
  # Each is evaluated on its own fold.
  assert [
    run.config['task']['validation_data']['input_path'].split('/')[-1]
    for run in runs
  ] == ['valid.tfrecord'] * 2 + ['train.tfrecord'] * 2
  losses = [run.measures(folder)['validation_loss'] for run in runs]
  assert len(set(losses)) == 4


def test_rows_of_a_fold_come_before_the_next_fold_and_seeds_last(of_folds):
  runs = sweep.plan(DEFINITION, of_folds, [4, 2], [0, 1])
  assert [(run.seed, run.fold, run.row) for run in runs] == [
    (seed, fold, row) for seed in (4, 2) for fold in (0, 1) for row in ROWS
  ]
  assert len({run.folder('x') for run in runs}) == 8
  for run in runs:
    assert run.config['task']['train_data']['seed'] == run.seed
    assert run.config['task']['seed'] == run.seed
    assert f'fold{run.fold}/' in run.config['task']['dataset_info']


def test_learning_curves_have_a_point_for_each_validation(runs, folder):
  for run in runs:
    passes, top_1 = run.learning_curve(folder)
    # Two steps of 4 clips, of 6 in one fold and of 5 in the other.
    clips = run.config['task']['train_data']['num_examples']
    assert passes == pytest.approx([4 / clips, 8 / clips])
    assert top_1[-1] == pytest.approx(run.measures(folder)['top_1_accuracy'])
  picture = cv2.imread(str(folder / 'curves.png'))
  assert picture is not None
  for color in ((180, 119, 31), (14, 127, 255)):  # Of a row each.
    assert (abs(picture.astype(int) - color).sum(-1) < 30).any()


def result(row, top_1, keys, overlap=0.25):
  return sweep.Result(
    row, (), {'top_1_accuracy': np.array(top_1)}, tuple(keys), overlap
  )


def test_rows_are_compared_in_pairs_of_the_same_fold_and_seed():
  stock = result('stock', [0.5, 0.7, 0.6, 0.9], [(k, 0) for k in range(4)])
  # In another order, and a fold is not finished yet.
  grw = result('grw', [0.8, 0.5, 0.7], [(1, 0), (0, 0), (2, 0)])
  differences = [0.1, 0.0, 0.1]
  assert grw.differences(stock, 'top_1_accuracy') == pytest.approx(differences)
  # Folds share training clips: the variance is more than of three alone.
  half = 4.302653 * statistics.stdev(differences) * (1 / 3 + 0.25) ** 0.5
  assert grw.difference_interval(stock, 'top_1_accuracy') == pytest.approx(
    (0.2 / 3 - half, 0.2 / 3 + half)
  )
  text = sweep.markdown([stock, grw], [], 'stock')
  assert text.splitlines() == [
    '|  | folds x seeds | top-1 | top-1 less stock’s |',
    '|---|---:|---:|---:|',
    '| stock | 4 | 67.5% ± 17.1% |  |',
    f'| grw | 3 | 66.7% ± 15.3% | +6.7% ({0.2 / 3 - half:+.1%} to '
    f'{0.2 / 3 + half:+.1%}) |',
  ]
  line = list(
    csv.DictReader(io.StringIO(sweep.table_csv([stock, grw], [], 'stock')))
  )[1]
  assert float(line['top_1_difference_low']) == pytest.approx(0.2 / 3 - half)


def test_one_pair_has_a_difference_and_no_interval():
  stock, grw = (result(row, [0.5], [(0, 0)]) for row in ('stock', 'grw'))
  assert sweep.markdown([stock, grw], [], 'stock').endswith('| 50.0% | +0.0% |')


def test_folds_and_the_place_for_their_number_go_together(experiment, of_folds):
  with pytest.raises(sweep.SweepError, match='with {fold} in it and --folds'):
    sweep.plan(DEFINITION, of_folds, [0])
  with pytest.raises(sweep.SweepError, match='with {fold} in it and --folds'):
    sweep.plan(DEFINITION, experiment, [0], [0, 1])
  with pytest.raises(sweep.SweepError, match='folds=.*different'):
    sweep.plan(DEFINITION, of_folds, [0], [1, 1])


def test_tables_have_means_and_deviations_over_folds(runs, folder):
  def values(row, name):
    return [run.measures(folder)[name] for run in runs if run.row == row]

  rows = list(csv.DictReader(io.StringIO((folder / 'table.csv').read_text())))
  assert [
    (row['row'], row['T'], row['head'], row['folds x seeds']) for row in rows
  ] == [('grw', '3', 'temporal', '2'), ('stock', '3', 'movinet', '2')]
  for row in rows:
    top_1 = values(row['row'], 'top_1_accuracy')
    assert float(row['top_1_accuracy_mean']) == pytest.approx(
      statistics.mean(top_1)
    )
    assert float(row['top_1_accuracy_std']) == pytest.approx(
      statistics.stdev(top_1)
    )
  assert rows[1]['order_loss_mean'] == ''
  each = list(csv.DictReader(io.StringIO((folder / 'runs.csv').read_text())))
  assert [(run['row'], run['fold'], run['seed']) for run in each] == [
    (row, fold, '0') for row in ('grw', 'stock') for fold in '01'
  ]
  for name in ('grw', 'stock'):
    assert values(name, 'top_1_accuracy') == pytest.approx(
      [float(run['top_1_accuracy']) for run in each if run['row'] == name]
    )
  assert each[-1]['order_loss'] == ''

  lines = (folder / 'table.md').read_text().splitlines()
  assert lines[0] == (
    '|  | T | head | folds x seeds | top-1 | order loss | '
    'acceleration / speed | top-1 less stock’s |'
  )
  order = values('grw', 'order_loss')
  assert (
    f'| {statistics.mean(order):.2f} ± {statistics.stdev(order):.2f} |'
    in lines[2]
  )
  assert lines[3].startswith('| stock | 3 | movinet | 2 | ')


def test_the_picture_has_a_mean_for_each_row(folder):
  picture = cv2.imread(str(folder / 'top_1.png'))
  assert picture is not None
  blue = abs(picture.astype(int) - (180, 119, 31)).sum(-1) < 30
  # Two lines, with nothing in between.
  rows = blue.any(axis=1)
  assert (rows[1:] & ~rows[:-1]).sum() == 2


def test_finished_it_only_reads(runs, folder):
  before = logs(runs, folder)
  (folder / 'table.md').unlink()
  assert train(runs, folder, FAILING) == []
  assert logs(runs, folder) == before
  assert (folder / 'table.md').exists()


def test_a_lost_result_is_made_again_from_the_checkpoint(runs, folder):
  run = runs[1]
  path = run.folder(folder) / 'train.log'
  before, log = run.measures(folder), path.read_text()
  (run.folder(folder) / 'evaluation' / 'measures.json').unlink()
  assert train(runs, folder) == []
  after = run.measures(folder)
  assert after['validation_loss'] == pytest.approx(before['validation_loss'])
  # Nothing was trained for it.
  appended = path.read_text()[len(log) :]
  trained = r'train \| step: +\d+ \| steps/sec'
  assert re.search(trained, log) and not re.search(trained, appended)
  assert 'restored' in appended


def test_a_failed_run_stops_no_other_and_is_shown(of_folds, folder, capfd):
  added = sweep.plan(
    sweep.Definition(
      COLUMNS, {**ROWS, 'alpha=1': 'task.model.smoothing.alpha=1.0'}
    ),
    of_folds,
    [0],
    [0, 1],
  )
  failed = train(added, folder, FAILING)
  assert [run.label for run in failed] == [
    'alpha=1 fold0 seed0',
    'alpha=1 fold1 seed0',
  ]
  assert (
    'alpha=1 fold0 seed0 failed:\nerror: there is no disk'
    in capfd.readouterr().err
  )
  # The others keep their place in the table.
  lines = (folder / 'table.md').read_text().splitlines()
  assert [line.split('|')[1].strip() for line in lines[2:]] == [
    'grw',
    'stock',
    'alpha=1',
  ]
  assert lines[4] == '| alpha=1 | 3 | temporal | 0 |  |  |  |  |'


def test_runs_of_a_version_without_a_field_go_on_where_it_is_off(
  runs, tmp_path
):
  path = runs[0].folder(tmp_path) / training_process.OVERRIDES
  path.parent.mkdir(parents=True)
  config = json.loads(json.dumps(runs[0].config))
  del config['task']['model']['smoothing']['sampled']  # False by default.
  path.write_text(json.dumps(config))
  sweep._require_same_runs(runs, str(tmp_path))
  del config['task']['model']['smoothing']['window']
  path.write_text(json.dumps(config))
  with pytest.raises(sweep.SweepError, match='smoothing.window=None'):
    sweep._require_same_runs(runs, str(tmp_path))


def test_a_row_that_has_changed_is_refused(of_folds, folder):
  changed = sweep.plan(
    sweep.Definition({}, {**ROWS, 'grw': 'task.model.smoothing.window=4'}),
    of_folds,
    [0],
    [0],
  )
  with pytest.raises(
    sweep.SweepError,
    match=(
      'grw.fold0.seed0 is a run with task.model.smoothing.window=3, and row '
      r'grw now has 4 \(1 fields differ\).*rename the row'
    ),
  ):
    train(changed, folder, FAILING)


@pytest.mark.parametrize(
  'rows, seeds, message',
  [
    ({'a': 'task.model.smoothing.windows=3'}, [0], '^row a: .*windows'),
    (
      {'a': None, 'b': 'task.model.smoothing.window=2'},
      [0],
      r'^row b: task.model.smoothing.window=2: expected at least 3',
    ),
    ({'a': 'configs/none.yaml'}, [0], '^row a: .*none.yaml'),
    ({'a': {'task': {'model': {'head': 3}}}}, [0], '^row a: '),
    ({'a': None}, [], 'seeds=.*at least one'),
    ({'a': None}, [1, 1], 'seeds=.*different'),
    (
      {
        'a': 'task.train_data.is_multilabel=true,'
        'task.validation_data.is_multilabel=true'
      },
      [0],
      '^row a: .*one label a clip',
    ),
  ],
)
def test_rows_that_do_not_fit_are_refused_before_anything_runs(
  experiment, rows, seeds, message
):
  with pytest.raises(sweep.SweepError, match=message):
    sweep.plan(sweep.Definition({}, rows), experiment, seeds)


def test_a_papers_numbers_stand_beside_the_rows(experiment, tmp_path):
  path = tmp_path / 'definition.yaml'
  path.write_text(
    'columns: {T: task.model.smoothing.window}\n'
    'rows: {grw: , T=4: task.model.smoothing.window=4}\n'
    'published: {heading: "A0-S (Table 5), %", rows: {grw: 78.4}}\n'
  )
  definition = sweep.read_definition(path)
  runs = sweep.plan(definition, experiment, [0])
  found = sweep.results(runs, str(tmp_path))
  text = sweep.markdown(found, definition.headings)
  assert text.splitlines() == [
    '|  | T | A0-S (Table 5), % | seeds |',
    '|---|---:|---:|---:|',
    '| grw | 3 | 78.4 | 0 |',
    '| T=4 | 4 |  | 0 |',
  ]
  line = sweep.table_csv(found, definition.headings).splitlines()[1]
  assert line.startswith('grw,3,78.4,0')


@pytest.mark.parametrize(
  'published, message',
  [
    ('{rows: {a: 1}}', 'expected "heading"'),
    ('{heading: h, rows: {b: 1}}', 'published: b: 1: expected a number'),
    ('{heading: h, rows: {a: x}}', "published: a: 'x': expected a number"),
  ],
)
def test_published_numbers_of_no_row_are_refused(tmp_path, published, message):
  path = tmp_path / 'definition.yaml'
  path.write_text(f'rows: {{a: }}\npublished: {published}\n')
  with pytest.raises(sweep.SweepError, match=message):
    sweep.read_definition(path)


def test_a_column_of_no_field_is_refused(experiment):
  with pytest.raises(sweep.SweepError, match='task.window of columns'):
    sweep.plan(
      sweep.Definition({'T': 'task.window'}, {'a': None}), experiment, [0]
    )


def test_a_dataset_that_is_not_there_is_refused(experiment, tmp_path):
  runs = sweep.plan(
    sweep.Definition(
      {},
      {
        'a': {
          'task': {
            name: {'tfds_name': 'no_such_clips'}
            for name in ('train_data', 'validation_data')
          }
        }
      },
    ),
    experiment,
    [0],
  )
  with pytest.raises(sweep.SweepError, match="tfds_name='no_such_clips'"):
    train(runs, tmp_path / 'new', FAILING)
  assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize(
  'text, message',
  [
    ('rows: {a: , b: }\nrow: 3', 'unknown field "row"'),
    ('columns: {T: a.b}', 'expected "rows"'),
    ('- a\n- b', 'expected "rows"'),
    ('rows: [a, b]', 'rows=.*expected names'),
    ('rows: {a/b: x=1}', "row 'a/b': expected a name that a folder can have"),
    ('rows: {..: x=1}', "row '..': expected a name"),
    ('rows: {3: x=1}', 'row 3: expected a name'),
    ('rows: {a: 3}', 'row a: 3: expected what --params_override takes'),
    ('rows:\n  a: x=1\n  a: x=2', '"a" is there twice'),
    ('rows: {a: }\ncolumns: {T: 3}', "column 'T': 3: expected"),
    ('rows: {a: ', 'expected'),
    ('rows: {a: }\nbaseline: b', "baseline='b': expected one of the rows"),
  ],
)
def test_a_wrong_definition_is_one_error_that_names_the_file(
  tmp_path, text, message
):
  path = tmp_path / 'wrong.yaml'
  path.write_text(text)
  with pytest.raises(sweep.SweepError, match=message) as caught:
    sweep.read_definition(path)
  assert str(caught.value).startswith(f'{path}: ')
  assert '\n' not in str(caught.value)
  with pytest.raises(sweep.SweepError, match='none.yaml'):
    sweep.read_definition(tmp_path / 'none.yaml')


@pytest.mark.parametrize(
  'path', sorted((CONFIGS / 'sweeps').iterdir()), ids=lambda path: path.stem
)
def test_sweeps_fit_their_experiments(path):
  definition = sweep.read_definition(path)
  kinetics = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_kinetics600'),
    str(CONFIGS / 'movinet_a0_stream_grw_k600.yaml'),
    is_strict=True,
  )
  experiments = [exp_factory.get_exp_config(EXPERIMENT), kinetics]
  if path.stem == 'movinet_operations':  # Of base models.
    experiments = [exp_factory.get_exp_config('movinet_scratch_kinetics600')]
  if path.stem == 'per_frame':
    experiments = [exp_factory.get_exp_config('movinet_grw_own_data')]
    data = {'input_path': 'clips.tfrecord', 'num_examples': 20}
    data |= {'num_classes': 2, 'feature_shape': [10, 32, 32, 3]}
    experiments[0].override(
      {'task': {'train_data': data, 'validation_data': data}}
    )
  if path.stem == 'vit_frames':
    experiments = experiments[:1]
    backbone = experiments[0].task.model.backbone
    backbone.override({'type': 'vit_frames', 'vit_frames': {'image_size': 64}})
  for params in experiments:
    params.task.init_checkpoint = '/weights'
    runs = sweep.plan(definition, params, [0])
    # No two rows are the same.
    configs = [str(run.config) for run in runs]
    assert len(set(configs)) == len(configs)
