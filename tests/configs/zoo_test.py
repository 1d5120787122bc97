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

"""The zoo knows every config, and configs, sweeps, headers and pages agree."""

import pathlib
import re

from absl import logging as absl_logging
from official.core import exp_factory
from official.modeling import hyperparams
import pytest

from official_ext.grw import registry_imports  # noqa: F401
from official_ext.grw.configs import published
from official_ext.grw.configs import zoo
from official_ext.grw.reports import model_table
from official_ext.grw.reports import sweep
from official_ext.grw.reports import zoo_tables

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
ZOO = published.zoo()


@pytest.fixture(name='configs', scope='module')
def configs_fixture():
  """Every experiment of the zoo, by key; each loads and is valid."""
  found, _ = model_table.read_configs(str(CONFIGS / '*.yaml'))
  return {config.name: config for config in found}


def test_the_zoo_and_the_folder_hold_the_same_configs():
  # Settings of a training on one's own clips are no model.
  others = {'zoo', 'fine_tuning_a0_stream'}
  assert {path.stem for path in CONFIGS.glob('*.yaml')} - others == set(
    ZOO.models
  )


def test_names_tell_family_kind_and_data():
  patterns = (
    r'movinet_(a[0-5]|t0)_(base|stream)(_grw)?_k[467]00',
    r'movinet_a[02]_(base|stream)_grw_(mit|charades|ssv[12]|epic)',
    r'mobilenet_v3_(small|large)(_narrow)?(_grw|_tsm)?_k600',
    r'vit_frames_(ti|s|b)16(_grw)?_k600',
    r'(videofocalnet_[tsb]|posmlp_video_[sb]\d\d)_(k400|ssv[12])',
    r'videofocalnet_b_(diving48|anet)',
    r'(ablation|ensemble|airplanes)_\w+',
  )
  for key in ZOO.models:
    assert any(re.fullmatch(pattern, key) for pattern in patterns), key


def test_every_config_loads_and_is_the_model_that_its_row_names(configs):
  assert set(configs) == set(ZOO.models)
  for row in ZOO.published:
    key = row.config or row.plain_of
    if not key:
      continue
    task = configs[key].params.task
    assert task.train_data.name == row.dataset, row
    shape = task.validation_data.feature_shape
    if hasattr(task.model, 'members'):
      # Both members' clips are made of one; the larger are in the table.
      (model_id, shape), (other, _) = sorted(
        (member.model.backbone.get().model_id, tuple(member.feature_shape))
        for member in task.model.members
      )[::-1]
      assert (other, model_id) == ('a4', 'a5') and 'A6' in row.name
      assert row.clip == shape[:2] == (shape[0], shape[2]), row
      continue
    if row.clip:
      assert row.clip == (shape[0], shape[1]) == (shape[0], shape[2]), row
    backbone = task.model.backbone
    if backbone.type == 'movinet':
      movinet = backbone.movinet
      name = f'MoViNet-{movinet.model_id.upper()}'
      kind = r'-(S|Stream)\b' if movinet.causal else r'(?!-S)'
      if key == 'movinet_a2_stream_grw_k400':
        kind = ''  # The paper does not say that it streams.
      assert re.match(name + kind, row.name), row
    smoothing = task.model.smoothing
    smoothed = smoothing.placement != 'none' and smoothing.weight > 0
    if row.config:
      assert smoothed == row.name.split(' (')[0].endswith('GRW'), row


def gain(row):
  """What smoothing gives, in points of accuracy."""
  other = ZOO.counterpart(row)
  assert row.top_1 and other and other.top_1
  return round(row.top_1 - other.top_1, 1)


def test_table_1_of_the_paper_has_its_31_rows_and_claims_what_it_says():
  rows = [row for row in ZOO.published if row.source.endswith('20928, Table 1')]
  assert len(rows) == 31
  # "improve the SOTA results by 6.1%, 5.2%, 4.7% and 3.8%, respectively"
  gains = [gain(row) for row in rows if row.without]
  assert gains == [6.1, 5.2, 4.7, 3.8]
  # "by 6.0%, 6.4%, 5.5% and 4.9%" of the memory table.
  gains = [
    gain(row)
    for row in ZOO.published
    if row.without and row.source.endswith('20928, Table 2')
  ]
  assert gains == [6.0, 6.4, 5.5, 4.9]


def test_headings_of_configs_print_the_numbers_of_the_zoo():
  for row in ZOO.published:
    if row.config and row.top_1:
      text = (CONFIGS / f'{row.config}.yaml').read_text('utf-8')
      heading = ' '.join(
        line.lstrip('# ') for line in text.splitlines() if line.startswith('#')
      )
      assert f'{row.top_1} % top-1' in heading or (
        f'{row.top_1} %' in heading and 'Table 4' in row.source
      ), row
      assert re.search(r'arXiv 2[135]\d\d\.\d{5}', heading)
      if row.memory_mb:
        assert f'{row.memory_mb} MB' in heading, row


def test_headings_of_configs_give_the_command_of_the_zoo():
  for model in ZOO.models.values():
    text = model.files[-1].read_text('utf-8')
    if model.key.startswith('ablation'):
      assert f'configs/{model.files[0].name}' in text
    else:
      assert f'--experiment={model.experiment}' in text
    for file in model.files:
      assert f'--config_file=configs/{file.name}' in text


@pytest.mark.parametrize('table', [4, 5])
def test_sweeps_have_the_papers_rows(table):
  definition = sweep.read_definition(CONFIGS / f'sweeps/table{table}.yaml')
  assert set(definition.published) == set(definition.rows)
  assert f'2511.20928, Table {table}' in definition.published_heading
  if table == 4:
    assert sorted(definition.published.values()) == sorted(
      row.top_1 or 0
      for row in ZOO.published
      if row.source.endswith('8, Table 4')
    )
  else:
    assert definition.rows['T=10'].endswith('num_orderings=1000')


@pytest.mark.parametrize(
  'page', ['README.md', 'docs/models.md', 'docs/published_weights.md']
)
def test_tables_of_pages_are_those_of_the_zoo(page):
  text = (ROOT / page).read_text('utf-8')
  assert '<!-- zoo: ' in text
  assert zoo_tables.filled(text, ZOO, page) == text, (
    'run: python3 tools/maintenance/zoo.py'
  )


def test_no_page_with_a_table_is_left_out():
  assert [path.name for path in zoo_tables.pages(ROOT)] == [
    'README.md',
    'models.md',
    'published_weights.md',
  ]


def test_a_page_with_an_unknown_table_is_refused():
  with pytest.raises(ValueError, match='a.md: .*zoo: none.*headline'):
    zoo_tables.filled('<!-- zoo: none -->\n<!-- zoo end -->', ZOO, 'a.md')


def test_tables_are_written_into_pages_and_then_stay(tmp_path):
  page = tmp_path / 'README.md'
  page.write_text('a\n<!-- zoo: headline -->\nold\n<!-- zoo end -->\nb\n')
  assert zoo_tables.rewrite(tmp_path, ZOO) == [page]
  text = page.read_text('utf-8')
  assert '78.4 | 72.3 (MoViNet-A0); 72.0 (MoViNet-A0-S) |' in text
  assert text.startswith('a\n') and text.endswith('b\n') and 'old' not in text
  assert zoo_tables.rewrite(tmp_path, ZOO) == []


@pytest.mark.parametrize('folder', ['', 'configs/', f'{CONFIGS}/'])
def test_old_names_go_on_working_with_a_line_in_the_log(folder, monkeypatch):
  lines = []
  monkeypatch.setattr(
    absl_logging, 'info', lambda text, *values: lines.append(text % values)
  )
  old = f'{folder}movinet_a3_grw_k600.yaml'
  found = published.find(old)
  assert found == str(CONFIGS / 'movinet_a3_base_grw_k600.yaml')
  (line,) = lines
  assert line.startswith(f'{old} is now movinet_a3_base_grw_k600')
  published.find(f'{folder}movinet_a0_stream_grw_k600.yaml')
  assert len(lines) == 1


def weights(file):
  return (
    '{models: {}, published: [{source: s, dataset: d, rows: [{name: n, '
    f'weights: [{{{file}}}]}}]}}]}}'
  )


def test_weights_are_shown_with_address_size_and_checksum(tmp_path):
  path = tmp_path / 'zoo.yaml'
  sha256 = 'ab' * 32
  content = weights(f'name: w.pt, at: https://x, size: 3 MB, sha256: {sha256}')
  path.write_text(content.replace('dataset: d', 'dataset: kinetics600'))
  [line] = zoo_tables.weights(zoo.read(path), 'README.md').splitlines()[2:]
  assert f'| n | [w.pt](https://x) | 3 MB, sha256 `{sha256}` | K600 |' in line
  path.write_text(
    weights('name: kaggle:a/b/c/d/2').replace(
      'dataset: d', 'dataset: livestock'
    )
  )
  [line] = zoo_tables.weights(zoo.read(path), 'README.md').splitlines()[2:]
  assert '[kaggle:a/b/c/d/2](https://www.kaggle.com/models/a/b/c/d/2)' in line


@pytest.mark.parametrize(
  'content, message',
  [
    ('[', 'while parsing'),
    ('{}', 'models=None: expected names'),
    ('{models: {}, other: {}}', "section='other': expected one of"),
    ('{models: {a: {name: A}}}', "models.a: .*'experiment'"),
    ('{models: {a: {name: A, experiment: e, clip: 3}}}', "models.a: .*'clip'"),
    (
      '{models: {}, published: [{source: s, dataset: d, rows: [{name: n, '
      'config: b}]}]}',
      "s: n: config='b': expected a model",
    ),
    ('{models: {}, published: [{source: s}]}', r'published\[0\] \(s\)'),
    (weights('name: w.pt'), "w.pt: at='': expected https:"),
    (weights('name: w.pt, at: ftp://x'), "at='ftp://x': expected https:"),
    (weights('name: kaggle:a/b'), "'kaggle:a/b': expected kaggle:owner/"),
    (
      weights('name: w.pt, at: https://x, sha256: abc'),
      "w.pt: sha256='abc': expected 64 hexadecimal",
    ),
    (weights('name: w.pt, url: https://x'), r"published\[0\] \(s\).*'url'"),
    ('{models: {}, renamed: {a: b}}', "renamed.a='b'"),
  ],
)
def test_a_wrong_zoo_is_refused_by_name_in_a_line(tmp_path, content, message):
  path = tmp_path / 'zoo.yaml'
  path.write_text(content)
  with pytest.raises(ValueError, match=message) as error:
    zoo.read(path)
  assert str(error.value).startswith(f'{path}: ')
  assert '\n' not in str(error.value)


def test_files_of_a_family_work_on_own_data_too(configs):
  """They hold what differs from either experiment."""
  a3 = configs['movinet_a3_base_grw_k600'].params.task
  own = hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_own_data'),
    str(CONFIGS / 'movinet_a3_base_grw_k600.yaml'),
    is_strict=True,
  )
  model = own.task.model
  # What the recipe for own data chooses, no file of a family sets.
  for place, name in (
    (model, 'dropout_rate'),
    (model.head, 'embedding_dim'),
    (model.norm_activation, 'norm_momentum'),
  ):
    assert getattr(place, name) == -1
  model.dropout_rate = a3.model.dropout_rate
  model.head.embedding_dim = a3.model.head.embedding_dim
  model.norm_activation.norm_momentum = a3.model.norm_activation.norm_momentum
  # Few clips train on one device.
  assert not model.norm_activation.use_sync_bn
  model.norm_activation.use_sync_bn = a3.model.norm_activation.use_sync_bn
  assert model.as_dict() == a3.model.as_dict()
  for split in ('train_data', 'validation_data'):
    ours, theirs = getattr(own.task, split), getattr(a3, split)
    for field in ('feature_shape', 'frames_per_second', 'min_image_size'):
      assert getattr(ours, field) == getattr(theirs, field)
