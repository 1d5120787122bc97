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
"""The language of the sources: full noun phrases, American spelling."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ('.github', 'configs', 'docs', 'official_ext', 'tests', 'tools')
SUFFIXES = ('.md', '.py', '.yaml', '.yml', '.toml', '.txt', '.cff')

# "seed: of the sample" has no noun: "seed: the seed of the sample".
NO_NOUN = re.compile(
  r"""^\s+[*`]*\w+`?(,\ \w+)*:\ of\ .*  # An argument or an attribute,
  |^.*DEFINE_\w+\(.*,\ 'Of\ .*$      # or a flag,
  |^\s+'Of\ .*$                      # or a flag on lines of its own.
  """,
  re.X,
)

_Z = (
  'capitali centrali characteri customi emphasi factori finali generali '
  'initiali '
  'memori minimi maximi normali optimi organi penali prioriti quanti randomi '
  'reali recogni regulari seriali speciali standardi summari synchroni '
  'tokeni utili vectori visuali categori'
).split()
# British spellings by regular expressions, which do not match themselves.
BRITISH = re.compile(
  r'\b_*\w*?('
  r'[Cc]olou[r]|COLOU[R]|[Ff]avou[r]|[Bb]ehaviou[r]|[Nn]eighbou[r]'
  r'|[Cc]entr[e]|[Ll]icenc[e]|LICENC[E]|[Gg]re[y]|[Cc]atalogu[e]'
  r'|[Pp]rogramm[e](?!r|d)|[Ll]abell[ei]|[Mm]odell[ei]|[Cc]ancell[ei]'
  r'|[Ss]poil[t]|[Ll]earn[t]\b|[Aa]nalys[e]|[Aa]rtefac[t]'
  r'|(?:' + '|'.join(f'[{z[0].upper()}{z[0]}]{z[1:]}' for z in _Z) + ')'
  r's(?:e[dsr]?|ing|ations?|able)\b'
  r')\w*'
)


def lines():
  """Place and text of the lines of all files that people read."""
  files = [path for path in ROOT.iterdir() if path.is_file()]
  for folder in FOLDERS:
    files += [path for path in (ROOT / folder).rglob('*') if path.is_file()]
  for path in sorted(files):
    if path.suffix in SUFFIXES and path != pathlib.Path(__file__).resolve():
      for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
        yield f'{path.relative_to(ROOT)}:{number}', line


def test_no_argument_is_described_without_a_noun():
  found = [
    f'{place}: {line.strip()}'
    for place, line in lines()
    if '.py:' in place and NO_NOUN.match(line)
  ]
  assert not found, '\n'.join(found)


def test_the_spelling_is_american():
  found = [
    f'{place}: {match.group()}'
    for place, line in lines()
    for match in BRITISH.finditer(line)
  ]
  assert not found, '\n'.join(found)


@pytest.mark.parametrize(
  'line, is_bad',
  [
    ('    seed: of the sample.', True),
    ('      **kwargs: of the layer.', True),
    ("    'jpeg_quality', 90, help='Of'", False),
    ("  flags.DEFINE_integer('seed', 0, 'Of the weights.')", True),
    ("    'Of the frames.',", True),
    ('    seed: the seed of the sample.', False),
  ],
)
def test_a_description_without_a_noun_is_found(line, is_bad):
  assert bool(NO_NOUN.match(line)) == is_bad


@pytest.mark.parametrize(
  'stem, ending', [('colo', 'urs'), ('normali', 'sed'), ('cent', 're')]
)
def test_a_british_spelling_is_found(stem, ending):
  assert BRITISH.search(f'the_{stem}{ending} of it')


@pytest.mark.parametrize(
  'text',
  ['colors', 'normalized', 'center', 'programmed', 'otherwise', 'agrees'],
)
def test_american_spelling_is_left_alone(text):
  assert not BRITISH.search(text)
