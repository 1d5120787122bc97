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

"""Claims about which videos make a dataset, on folders and CSV files."""

import pytest

from official_ext.grw.datasets import video_sources

HEADER = 'label,youtube_id,time_start,time_end,split'


def make_files(folder, *paths):
  for path in paths:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b'x' * len(path))
  return str(folder)


def make_csv(path, *rows):
  path.write_text('\n'.join([HEADER, *rows]) + '\n', encoding='utf-8')
  return str(path)


def listed(sources):
  return sorted(
    (clip.split, clip.label, clip.source_id) for clip in sources.clips
  )


@pytest.mark.parametrize('name', ['validation', 'valid', 'val', 'validate'])
def test_folders_are_splits_and_classes(tmp_path, name):
  folder = make_files(
    tmp_path,
    'train/b c/ü.mp4',
    'train/a/1.avi',
    f'{name}/a/1.avi',
    'test/a/2.webm',
    'train/a/.hidden',
    '.git/x',
    'README.md',
  )
  sources = video_sources.folder_sources(folder)
  assert sources.labels == ['a', 'b c']
  assert listed(sources) == [
    ('test', 'a', 'a/2.webm'),
    ('train', 'a', 'a/1.avi'),
    ('train', 'b c', 'b c/ü.mp4'),
    ('validation', 'a', 'a/1.avi'),
  ]


@pytest.mark.parametrize(
  'paths, message',
  [
    ((), r'is empty: expected train/<class>/<video>'),
    (('train/',), r'train is empty: expected a folder per class'),
    (('train/a/1.mp4', 'train/b/'), r'train/b is empty: expected videos'),
    (('train/a/1.mp4', 'val/'), r'val is empty'),
    (('training/a/1.mp4',), r"expected folders named train, .*not 'training'"),
    (('train/a/1.mp4', 'val/a/1.mp4', 'valid/a/2.mp4'), r'are both the valid'),
    (
      ('train/a/1.mp4', 'val/b/1.mp4', 'val/c/1.mp4'),
      r"validation has classes that train lacks: 'b', 'c'; add them",
    ),
    (
      ('train/Run/1.mp4', 'train/run/1.mp4'),
      r"classes 'Run' and 'run' differ only by case",
    ),
    (('train/Run/1.mp4', 'val/run/1.mp4'), r'differ only by case'),
    (('train/1.mp4',), r'train/1.mp4 is a file: expected a folder per class'),
    (('train/a/b/1.mp4',), r'train/a/b is a folder: expected a video'),
    (('train/a\nb/1.mp4',), r'characters that do not print'),
  ],
)
def test_bad_folders_are_one_error(tmp_path, paths, message):
  for path in paths:
    if path.endswith('/'):
      (tmp_path / path).mkdir(parents=True)
    else:
      make_files(tmp_path, path)
  with pytest.raises(video_sources.SourceError, match=message) as error:
    video_sources.folder_sources(str(tmp_path))
  assert '\n' not in str(error.value)


def test_a_folder_that_is_not_there_is_one_error(tmp_path):
  with pytest.raises(video_sources.SourceError, match='No such file'):
    video_sources.folder_sources(str(tmp_path / 'none'))


def test_csv_finds_padded_and_plain_names_in_any_folder(tmp_path):
  folder = make_files(
    tmp_path / 'clips',
    '-a_B_000003_000013.mp4',
    'x/bcd_7_17.mp4',
    'x/val/cde_000000_000010.mp4',
  )
  train = make_csv(
    tmp_path / 'train.csv',
    'jogging,-a_B,3,13,train',
    '"air, drumming",bcd,7,17,train',
  )
  val = make_csv(tmp_path / 'val.csv', 'jogging,cde,0,10,validate')
  sources = video_sources.csv_sources([train, val], folder)
  assert sources.labels == ['air, drumming', 'jogging']
  assert listed(sources) == [
    ('train', 'air, drumming', 'bcd_7_17'),
    ('train', 'jogging', '-a_B_3_13'),
    ('validation', 'jogging', 'cde_0_10'),
  ]
  assert not sources.absent


def test_clips_that_are_absent_are_told_from_the_others(tmp_path):
  folder = make_files(tmp_path / 'clips', 'abc_0_10.mp4')
  path = make_csv(tmp_path / 'a.csv', 'a,abc,0,10,train', 'b,def,0,10,train')
  sources = video_sources.csv_sources([path], folder)
  assert sources.absent == [('train', 'b', 'def_0_10')]
  # The classes are those of the CSV, or indices would depend on downloads.
  assert sources.labels == ['a', 'b']


@pytest.mark.parametrize(
  'text, message',
  [
    ('', 'no column label, youtube_id'),
    ('label,youtube_id,split\n', 'no column time_start, time_end; expected'),
    (f'{HEADER}\n', 'no rows'),
    (f'{HEADER}\na,abc,0,10,trian\n', "a.csv, line 2: split 'trian', expected"),
    (f'{HEADER}\na,abc,zero,10,train\n', "line 2: time_start 'zero'"),
    (f'{HEADER}\na,abc,0\n', "line 2: split ''"),
    (f'{HEADER}\n,abc,0,10,train\n', 'line 2: no label'),
    (
      f'{HEADER}\na,none,0,10,train\n',
      'none of the 1 clips of .*none_0_10.mp4',
    ),
    (f'{HEADER}\na,abc,0,10,train\nb,def,0,10,val\n', "train lacks: 'b'"),
    (f'{HEADER}\na,abc,0,10,train\nA,def,0,10,train\n', 'differ only by case'),
    (
      f'{HEADER}\na,abc,0,10,train\nb,abc,0,10,train\n',
      r"line 3: clip abc_0_10 with label 'b', split 'train' has a row before "
      r"\(.*a.csv, line 2, label 'a', split 'train'\)",
    ),
    (
      f'{HEADER}\na,abc,0,10,train\na,abc,000,010,val\n',
      "'validation' has a row before",
    ),
    (
      # Also of clips that are absent.
      f'{HEADER}\na,abc,0,10,train\na,def,0,9,train\na,def,0,9,train\n',
      'line 4: clip def_0_9 .*remove a row',
    ),
    (b'\xff\xfe\x00', 'cannot read .*a.csv'),
  ],
)
def test_bad_csv_files_are_one_error(tmp_path, text, message):
  folder = make_files(tmp_path / 'clips', 'abc_0_10.mp4')
  path = tmp_path / 'a.csv'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  with pytest.raises(video_sources.SourceError, match=message) as error:
    video_sources.csv_sources([str(path)], folder)
  assert '\n' not in str(error.value)


def test_a_clip_of_two_csv_files_is_one_error(tmp_path):
  paths = [
    make_csv(tmp_path / name, 'a,abc,0,10,train') for name in ('a.csv', 'b.csv')
  ]
  folder = make_files(tmp_path / 'clips', 'abc_0_10.mp4')
  with pytest.raises(video_sources.SourceError, match='b.csv.* .*a.csv, line'):
    video_sources.csv_sources(paths, folder)


def test_a_csv_without_clips_is_one_error(tmp_path):
  path = make_csv(tmp_path / 'a.csv', 'a,abc,0,10,train')
  with pytest.raises(video_sources.SourceError, match='none is empty'):
    video_sources.csv_sources([path], str(tmp_path / 'none'))


def test_the_fingerprint_changes_with_the_videos_and_not_their_place(tmp_path):
  paths = ('train/a/1.mp4', 'train/b/1.mp4')
  here = video_sources.folder_sources(make_files(tmp_path / 'x', *paths))
  there = video_sources.folder_sources(make_files(tmp_path / 'y', *paths))
  assert here.fingerprint() == there.fingerprint()
  (tmp_path / 'y/train/a/1.mp4').write_bytes(b'longer than before')
  changed = video_sources.folder_sources(str(tmp_path / 'y'))
  assert changed.fingerprint() != here.fingerprint()
