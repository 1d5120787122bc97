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


"""Folds hold whole groups, are alike, and together are all clips once."""

import collections

import pytest

from official_ext.grw.datasets import video_folds
from official_ext.grw.datasets import video_sources

LABELS = ('fall', 'walk')
TEXT = """https://example.org/a\r
fall000: 0.13.50 - 0.15.60\r
fall001: 1.30.00 - 1.32.50\r
walk000: 2.34.70 - 2.37.80\r

https://example.org/b
fall002: 0.01.00 - 0.02.00
walk001: 0.03.00 - 0.04.00
walk004 - walk006 : Some Dataset
"""


def clips(number=20, split='train'):
  return [
    video_sources.Clip(split, label, f'{label}/{label}{i:03}.mp4', 'x', 1)
    for label in LABELS
    for i in range(number)
  ]


def sources(number=20):
  return video_sources.Sources(list(LABELS), clips(number), [])


def split(path=None, fold=0, folds=4, **kwargs):
  path = str(path) if path else None
  return video_folds.split(sources(), folds, fold, path, **kwargs)


def held_out(result):
  return {clip.source_id for clip in result.clips if clip.split == 'validation'}


@pytest.fixture(name='text')
def text_fixture(tmp_path):
  path = tmp_path / 'videos.txt'
  path.write_bytes(TEXT.encode())
  return path


def test_each_clip_is_held_out_once_and_classes_are_balanced():
  folds = [split(fold=fold) for fold in range(4)]
  counts = collections.Counter(
    name for result in folds for name in held_out(result)
  )
  assert set(counts) == {clip.source_id for clip in clips()}
  assert set(counts.values()) == {1}
  for result in folds:
    labels = collections.Counter(
      clip.label for clip in result.clips if clip.split == 'validation'
    )
    assert labels == {label: 5 for label in LABELS}
    assert len(result.clips) == 40


@pytest.mark.parametrize('form', ['text', 'csv'])
def test_clips_of_a_group_are_on_one_side(tmp_path, form):
  groups = {
    'a': ['fall000', 'fall001', 'walk000'],
    'b': ['fall002', 'walk001'],
    'c': ['walk004', 'walk005', 'walk006'],
  }
  path = tmp_path / 'groups'
  if form == 'text':
    path.write_bytes(TEXT.encode())
  else:
    rows = [(clip, group) for group in groups for clip in groups[group]]
    # By stem, by file, and by class and file.
    shown = [
      '{0}',
      '{0}.mp4',
      '{1}/{0}.mp4',
    ]
    path.write_text(
      '\ufeffclip, group\n'
      + ''.join(
        f'{shown[i % 3].format(clip, clip[:4])}, {group}\n'
        for i, (clip, group) in enumerate(rows)
      )
    )
  for fold in range(4):
    result = split(path, fold)
    found = held_out(result)
    for names in groups.values():
      sides = {f'{name[:4]}/{name}.mp4' in found for name in names}
      assert len(sides) == 1
  # 40 clips, 8 of them in 3 groups.
  assert result.folds == {
    'folds': 4,
    'fold': 3,
    'seed': 0,
    'groups': 35,
    'groups_file': 'groups',
  }


def test_a_clip_of_two_groups_joins_them(text):
  with text.open('a') as f:
    f.write('https://example.org/c\nfall001: 0 - 1\nfall009: 1 - 2\n')
  result = split(text)
  assert result.folds and result.folds['groups'] == 34
  found = held_out(result)
  assert ('fall/fall009.mp4' in found) == ('fall/fall000.mp4' in found)


def test_clips_of_one_recording_are_on_one_side():
  given = sources()._replace(
    clips=[
      clip._replace(recording=str(number % 8))
      for number, clip in enumerate(clips())
    ]
  )
  recordings: dict[str, set[str]] = {'train': set(), 'validation': set()}
  for clip in video_folds.split(given, 4, 0).clips:
    recordings[clip.split].add(clip.recording)
  assert not recordings['train'] & recordings['validation']
  assert recordings['validation']


def test_the_seed_decides_and_a_test_split_stays():
  assert held_out(split(seed=1)) == held_out(split(seed=1))
  assert held_out(split(seed=1)) != held_out(split(seed=2))
  with_test = video_sources.Sources(
    list(LABELS), clips(10) + clips(2, 'test') + clips(9, 'validation'), []
  )
  result = video_folds.split(with_test, 3, 0)
  counts = collections.Counter(clip.split for clip in result.clips)
  assert counts['test'] == 4 and sum(counts.values()) == 42
  assert 10 <= counts['validation'] <= 16


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'fold': 4}, '--fold=4: expected 0 to 3'),
    ({'fold': -1}, '--fold=-1: expected 0 to 3'),
    ({'folds': 1}, '--folds=1: expected at least 2'),
    ({'folds': 21}, "class 'fall' has 20 groups.*--folds=21"),
  ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
  with pytest.raises(video_sources.SourceError, match=message):
    split(**arguments)


@pytest.mark.parametrize(
  'content, message',
  [
    ('clip,group\nfall999,a\n', "line 2: clip 'fall999': there is no such"),
    ('a\nwalk018 - walk022 : b\n', "line 2: clip 'walk020': there is no such"),
    ('clip,group\nfall001,\n', 'line 2: no clip or no group'),
    ('fall001: 0 - 1\n', "line 1: 'fall001: 0 - 1': expected the name of a gr"),
    ('walk004 - fall006 : b\n', 'line 1: .*expected a range of clips'),
    ('', 'names no clip'),
    ('name,source\nfall001,a\n', 'names no clip'),
  ],
)
def test_a_wrong_file_of_groups_is_one_line(tmp_path, content, message):
  path = tmp_path / 'groups.csv'
  path.write_text(content)
  with pytest.raises(video_sources.SourceError, match=message) as error:
    split(path)
  assert '\n' not in str(error.value)
  assert str(error.value).startswith(str(path))


def test_a_name_that_two_classes_have_must_say_which(tmp_path):
  same = video_sources.Sources(
    list(LABELS),
    [
      video_sources.Clip('train', label, f'{label}/{i}.mp4', 'x', 1)
      for label in LABELS
      for i in range(4)
    ],
    [],
  )
  path = tmp_path / 'groups.csv'
  path.write_text('clip,group\n1,a\n')
  with pytest.raises(video_sources.SourceError, match='name its class too'):
    video_folds.split(same, 2, 0, str(path))
  path.write_text('clip,group\nfall/1,a\nwalk/1,a\n')
  result = video_folds.split(same, 2, 0, str(path))
  assert result.folds and result.folds['groups'] == 7


def test_a_file_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(video_sources.SourceError, match='cannot read .*none.txt'):
    split(tmp_path / 'none.txt')


def test_folders_of_classes_need_no_folder_of_a_split(tmp_path):
  for clip in clips(4):
    path = tmp_path / clip.source_id
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'x')
  (tmp_path / 'videos.txt').write_text('beside the classes')
  found = video_sources.folder_sources(str(tmp_path), split_later=True)
  assert {clip.split for clip in found.clips} == {'train'}
  assert [clip.source_id for clip in found.clips] == [
    clip.source_id for clip in clips(4)
  ]
  # Without folds it is what it was: an error.
  with pytest.raises(video_sources.SourceError, match='expected folders named'):
    video_sources.folder_sources(str(tmp_path))
