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

"""The table holds the configs it is asked for, and goes on where it stopped."""

import csv
import json
import pathlib

import cv2
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import published
from official_ext.grw.configs import zoo
from official_ext.grw.reports import model_cost
from official_ext.grw.reports import model_table
from tests import tiny

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
EXPERIMENT = 'movinet_grw_airplanes'


def write_zoo(folder, published=(), **models):
  """A zoo of models, each with its entry's fields."""
  path = folder / zoo.FILE
  path.write_text(json.dumps({'models': models, 'published': list(published)}))
  return path


def write_config(folder, name='tiny', experiment=EXPERIMENT, **model):
  """The config file of the one model of a zoo."""
  values = tiny.merged(tiny.overrides('', ''), {'task': {'model': model}})
  path = folder / f'{name}.yaml'
  path.write_text(json.dumps(values))
  write_zoo(folder, **{name: {'name': name, 'experiment': experiment}})
  return path


def row_of(name, **counts):
  """A row of a published config with round counts."""
  return model_table.Row(
    model_table.read_config(CONFIGS / f'{name}.yaml'),
    model_cost.Counts(
      **{
        'parameters': 10**7,
        'backbone_parameters': 10**6,
        'clip': 3 * 10**9,
        'clip_backbone': 2 * 10**9,
        **counts,
      }
    ),
  )


def count(folder, *configs, measured=False):
  return model_table.make_rows(configs, str(folder), measured, 1)


def make(folder, *configs, measured=False):
  rows, failures = count(folder, *configs, measured=measured)
  model_table.write(rows, failures, published.zoo(), str(folder))
  return rows, failures


def test_a_model_is_counted_measured_and_written(tmp_path):
  config = model_table.read_config(write_config(tmp_path))
  (row,), failures = make(tmp_path, config, measured=True)
  assert not failures
  model = model_cost.build(config.params)
  assert row.counts.parameters == sum(
    variable.numpy().size for variable in model.trainable_variables
  )
  assert row.counts.backbone_parameters == sum(
    variable.numpy().size for variable in model.backbone.trainable_variables
  )
  assert all(value > 0 for value in (*row.counts, *row.measured))
  with open(tmp_path / model_table.CSV_FILE, newline='') as file:
    (line,) = csv.DictReader(file)
  assert int(line['clip_flops']) == 2 * row.counts.clip
  assert float(line['frame_milliseconds']) == row.measured.frame_milliseconds
  text = (tmp_path / model_table.MARKDOWN_FILE).read_text()
  assert '| tiny | 6 x 16 x 16 |' in text and '## On this machine' in text
  for name in (model_table.PICTURE_FILE, model_table.MEMORY_PICTURE_FILE):
    picture = cv2.imread(str(tmp_path / name))
    assert picture is not None and picture.std() > 10
  assert not list(tmp_path.glob('*unfinished*'))


def test_of_an_ensemble_a_frame_goes_through_one_member(tmp_path):
  path = tmp_path / 'both.yaml'
  config = tiny.ensemble_config()
  values = tiny.ensemble_experiment(
    {
      name: {'model': getattr(config, name).model.as_dict()}
      for name in ('first', 'second')
    }
  )
  path.write_text(json.dumps(values))
  write_zoo(
    tmp_path,
    both={'name': 'Both', 'experiment': 'movinet_grw_ensemble_kinetics600'},
  )
  (row,), failures = make(
    tmp_path, model_table.read_config(path), measured=True
  )
  assert not failures
  counts = row.counts
  # Half of the frames each, and each head once.
  assert counts.stream(tiny.FRAMES, None) == counts.clip
  assert counts.stream(tiny.FRAMES, 1) == tiny.FRAMES * (
    counts.frame + counts.head
  )
  # Windows of 3 frames: each head runs at frames 1 and 3 of its 3.
  assert counts.classify_every == 6
  assert counts.stream(tiny.FRAMES, 6) == (
    tiny.FRAMES * counts.frame + 4 * counts.head
  )
  assert row.measured.frame_milliseconds > 0


def test_what_is_kept_is_not_made_again_until_the_config_changes(tmp_path):
  config = model_table.read_config(write_config(tmp_path))
  count(tmp_path, config)
  path = tmp_path / model_table.ROWS_FILE
  ((key, kept),) = json.loads(path.read_text()).items()
  path.write_text(json.dumps({key: {**kept, 'parameters': 7}}))
  (row,), _ = count(tmp_path, config)
  assert row.counts.parameters == 7
  changed = model_table.read_config(
    write_config(tmp_path, head={'num_layers': 2})
  )
  (row, again), _ = count(tmp_path, changed, config)
  assert row.counts.parameters > kept['parameters']
  assert again.counts.parameters == 7
  path.write_text('{')
  with pytest.raises(ValueError, match='rows.json is not JSON.*remove it'):
    count(tmp_path, config)


def test_what_cannot_be_measured_is_said():
  text = model_table.markdown(
    [row_of('ablation_stock')], {'ablation_stock': 'out of memory'}
  )
  assert 'Not measured: ablation_stock: out of memory' in text
  assert '## On this machine' not in text


@pytest.mark.parametrize(
  'name, experiment, placement',
  [
    ('movinet_a3_base_grw_k400', 'kinetics400', 'final'),
    # An override, given after the file of a model.
    ('ablation_stock', 'kinetics600', 'none'),
  ],
)
def test_a_config_is_read_as_the_zoo_says(name, experiment, placement):
  config = model_table.read_config(CONFIGS / f'{name}.yaml')
  assert config.name == name
  assert config.params.task.train_data.name == experiment
  assert config.params.task.model.smoothing.placement == placement


def test_a_config_is_found_by_its_old_name():
  config = model_table.read_config(CONFIGS / 'movinet_a3_grw_k600.yaml')
  assert config.name == 'movinet_a3_base_grw_k600'


@pytest.mark.parametrize(
  'experiment, content, message',
  [
    ('movinet_grw_nothing', '{}', 'movinet_grw_nothing'),
    (EXPERIMENT, 'task: [', 'bad.yaml: while parsing'),
    (EXPERIMENT, '{task: {modle: {}}}', 'modle'),
    (EXPERIMENT, '{task: {model: {smoothing: {window: 2}}}}', 'window=2'),
  ],
)
def test_bad_configs_are_refused_by_name_in_a_line(
  tmp_path, experiment, content, message
):
  path = write_config(tmp_path, 'bad', experiment)
  path.write_text(content)
  with pytest.raises(ValueError, match=message) as error:
    model_table.read_config(path)
  assert str(error.value).startswith(f'{path}: ')
  assert '\n' not in str(error.value)


def test_a_config_that_no_zoo_has_is_refused(tmp_path):
  other = write_config(tmp_path).rename(tmp_path / 'other.yaml')
  with pytest.raises(ValueError, match='other.yaml matches no file.*zoo.yaml'):
    model_table.read_config(other)


def test_a_pattern_without_files_is_refused(tmp_path):
  pattern = f'{tmp_path}/*.yaml'
  with pytest.raises(ValueError, match='there is no .*/zoo.yaml') as error:
    model_table.read_configs(pattern)
  assert str(error.value).startswith(f'{pattern}: expected YAML files')


def test_a_model_that_cannot_be_built_is_named(tmp_path):
  config = model_table.read_config(
    write_config(
      tmp_path, smoothing={'placement': 'intermediate', 'endpoint': 'block9'}
    )
  )
  with pytest.raises(ValueError, match="^tiny: .*'block9' is not an endpoint"):
    make(tmp_path, config)
  assert not (tmp_path / model_table.ROWS_FILE).exists()


def test_models_stand_beside_their_published_rows():
  rows = [
    row_of('movinet_a0_stream_grw_k600'),
    row_of('ablation_stock'),
    row_of('movinet_a0_stream_grw_k400'),
  ]
  found = [
    (
      each.row.config.name,
      each.entry.name,
      each.entry.source.split()[-1],
      each.multiply_adds,
    )
    for each in model_table.comparisons(rows)
  ]
  a0 = 'movinet_a0_stream_grw_k600'
  assert found == [
    # Its own figures are with its head; the other ones' head is not its.
    (a0, 'MoViNet-A0-S-GRW', '1', 3 * 10**9),
    (a0, 'MoViNet-A0-S-GRW', '2', 3 * 10**9),
    (a0, 'MoViNet-A0-S', '2', 2 * 10**9),
    (a0, 'MoViNet-A0-Stream', '3', 2 * 10**9),
    (a0, 'MoViNet-A0-Stream', 'models', 2 * 10**9),
    ('ablation_stock', 'MoViNet-A2-S', '4', 3 * 10**9),
    ('movinet_a0_stream_grw_k400', 'MoViNet-A0-S-GRW', '3', 3 * 10**9),
  ]
  first = next(model_table.comparisons(rows))
  assert first.difference == pytest.approx(3 / 2.7 - 1)


def test_measured_memory_stands_beside_the_papers():
  row = row_of('movinet_a0_stream_grw_k600')._replace(
    measured=model_cost.Measured(1.0, 400.0, 2.0, 50.0)
  )
  memory = [
    each.memory_mb
    for each in model_table.comparisons([row])
    if each.entry.memory_mb == 53
  ]
  # Of the stream, in megabytes as the paper's, and beside the same model alone.
  assert memory == [pytest.approx(50 * 2**20 / 1e6), None]
  text = model_table.markdown([row], {})
  assert '| 78.4 |  |  | 53 | 3.00 |  | 52 |' in text
  lines = csv.DictReader(model_table.comma_separated([row]).splitlines())
  (line,) = lines
  assert line['published_memory_mb'] == line['published_plain_memory_mb']
  assert line['published_memory_source'].endswith('2511.20928, Table 2')


def measured_row(name, frames, **measured):
  (config,) = model_table.of_lengths(
    [model_table.read_config(CONFIGS / f'{name}.yaml')], [frames]
  )
  return row_of(name)._replace(
    config=config, measured=model_cost.Measured(**measured)
  )


def test_videos_of_several_lengths_have_the_columns_of_movinet(tmp_path):
  base = [
    measured_row(
      'movinet_a0_base_k600',
      frames,
      clip_milliseconds=3.0 * frames,
      clip_mebibytes=10.0 * frames,
    )
    for frames in (8, 50)
  ]
  stream = [
    row_of('movinet_a0_stream_k600', frame=10**8, head=10**6)._replace(
      config=measured_row('movinet_a0_stream_k600', frames, **rest).config,
      measured=model_cost.Measured(**rest),
    )
    for frames in (8, 50)
    for rest in [
      {
        'clip_milliseconds': 1.0,
        'clip_mebibytes': 900.0,
        'frame_milliseconds': 2.5,
        'frame_mebibytes': 60.0,
      }
    ]
  ]
  text = model_table.markdown(base + stream, {})
  for line in (
    # The paper's accuracy is that of 50 frames.
    '| movinet_a0_base_k600 | no |  | 172 | 8 | 5 | 3.00 | 84 | 24 | 3.00 |',
    '| movinet_a0_base_k600 | no | 71.5 | 172 | 50 | 5 | 3.00 | 524 | 150 | '
    '3.00 |',
    '| movinet_a0_stream_k600 | yes |  | 172 | 8 | 5 | 0.80 | 63 | 20 | 2.50 |',
    '| movinet_a0_stream_k600 | yes | 70.3 | 172 | 50 | 5 | 5.00 | 63 | 125 | '
    '2.50 |',
  ):
    assert line in text, line
  path = tmp_path / 'frames.png'
  model_table.draw_lengths([base[0], stream[1]], str(path))
  assert not path.exists(), 'of one length each'
  model_table.draw_lengths(base + stream, str(path))
  picture = cv2.imread(str(path))
  assert picture is not None and picture.std() > 10


def test_lengths_that_a_model_does_not_take_are_refused():
  config = model_table.read_config(CONFIGS / 'movinet_a0_stream_grw_k600.yaml')
  with pytest.raises(
    ValueError, match='--frames=4: .*movinet_a0_stream_grw_k600.*window'
  ):
    model_table.of_lengths([config], [8, 4])


@pytest.mark.parametrize(
  'multiply_adds, answer',
  [
    (
      10.1e9,
      '(median 0.98), and FLOPs, two to a multiply-add, 1.96 times: the '
      'papers count multiply-adds.',
    ),
    (
      5.15e9,
      '(median 0.50), and FLOPs, two to a multiply-add, 1.00 times: the '
      'papers count FLOPs.',
    ),
  ],
)
def test_the_figures_tell_what_papers_count(multiply_adds, answer):
  row = row_of('ablation_stock', clip=multiply_adds)
  text = model_table.convention(list(model_table.comparisons([row])))
  assert text.endswith(answer)
