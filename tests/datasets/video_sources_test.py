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

from official_ext.grw.datasets import source_checks
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
    (
      ('train/a/1.mp4', 'train/b/0.jpg', 'train/b/Thumbs.db'),
      r'train/b holds no videos, but 2 other files, such as .*0.jpg; frames',
    ),
    (
      ('train/a/1/0.jpg', 'train/a/1/1.mp4'),
      r'1.mp4 is among the pictures of .*train/a/1, which are',
    ),
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
      'none of the 1 clips of .*none_000000_000010.mp4',
    ),
    (f'{HEADER}\na,abc,0,10,train\nb,abc,9,10,val\n', "train lacks: 'b'"),
    (f'{HEADER}\na,abc,0,10,train\nA,abc,9,10,train\n', 'differ only by case'),
    (b'\xff\xfe\x00', 'cannot read .*a.csv'),
    ('label,video\na,b.mp4\n', 'no column split; .*or label, video, split'),
    (
      'label,video,split\na,../b.mp4,train\n',
      "line 2: video '../b.mp4', expected a path below --input_dir",
    ),
    ('label,video,split\na,,train\n', "line 2: video ''"),
    ('label,video,split\na,b.mp4,train\n', 'none of .*files such as b.mp4'),
    ('label,video,split,start\na,b.mp4,train,0\n', 'no column end; expected'),
    (
      'label,video,split,start,end\na,b.mp4,train,2,1\n',
      "line 2: start '2' and end '1', expected seconds with start < end",
    ),
    (
      'label,video,split,start,end\na,b.mp4,train,,1\n',
      "line 2: start '' and end '1', expected seconds",
    ),
    (
      'label,video,split,start,end\na,b.mp4,train,1,2\na,b.mp4,val,1.0,2\n',
      r"line 3: 'b.mp4 1.0-2.0' is validation here and train in .*line 2",
    ),
  ],
)
def test_bad_csv_files_are_one_error(tmp_path, text, message):
  folder = make_files(tmp_path / 'clips', 'abc_0_10.mp4')
  path = tmp_path / 'a.csv'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  with pytest.raises(video_sources.SourceError, match=message) as error:
    video_sources.csv_sources([str(path)], folder)
  assert '\n' not in str(error.value)


def test_files_beside_videos_are_passed_over(tmp_path):
  folder = make_files(
    tmp_path,
    'train/a/1.mp4',
    'train/a/Thumbs.db',
    'train/a/1.JPG',
    'train/a/README',
    'train/list.csv',
    'train/a/unusual.4xm',
    'train/a/no_suffix',
  )
  sources = video_sources.folder_sources(folder)
  # Whatever may be a video is none of them.
  assert [clip.source_id for clip in sources.clips] == [
    'a/1.mp4',
    'a/no_suffix',
    'a/unusual.4xm',
  ]
  assert sorted(
    path.removeprefix(f'{folder}/train/') for path in sources.passed_over
  ) == ['a/1.JPG', 'a/README', 'a/Thumbs.db', 'list.csv']


def test_a_folder_of_pictures_is_a_video(tmp_path):
  folder = make_files(
    tmp_path,
    'train/a/ride/frame_10.jpg',
    'train/a/ride/frame_9.jpg',
    'train/a/ride/notes.txt',
    'train/a/1.mp4',
  )
  video, pictures = video_sources.folder_sources(folder).clips
  assert (video.is_folder, pictures.is_folder) == (False, True)
  assert pictures.source_id == 'a/ride'
  assert pictures.num_bytes == sum(
    len(f'train/a/ride/frame_{number}.jpg') for number in (9, 10)
  )
  assert [
    path.removeprefix(pictures.path)
    for path in video_sources.picture_paths(pictures.path)
  ] == ['/frame_9.jpg', '/frame_10.jpg']


def test_a_csv_may_name_files_and_several_labels(tmp_path):
  folder = make_files(tmp_path / 'clips', 'x/1.mp4', '2/1.jpg', '3.mp4')
  path = tmp_path / 'a.csv'
  path.write_text(
    'video,label,split\nx/1.mp4,sit; eat;sit,train\n2,sit,train\n3.mp4,,val\n'
    '4.mp4,drink,train\n'
  )
  sources = video_sources.csv_sources([str(path)], folder, ';')
  assert sources.labels == ['drink', 'eat', 'sit']
  assert [
    (clip.source_id, video_sources.split_labels(clip.label, ';'))
    for clip in sources.clips
  ] == [('x/1.mp4', ['sit', 'eat']), ('2', ['sit']), ('3.mp4', [])]
  assert sources.absent == [('train', 'drink', '4.mp4')]
  with pytest.raises(video_sources.SourceError, match='line 4: no label'):
    video_sources.csv_sources([str(path)], folder)


def test_a_csv_may_name_parts_of_videos(tmp_path):
  folder = make_files(tmp_path / 'clips', '1.mp4', '2.mp4')
  path = tmp_path / 'a.csv'
  path.write_text(
    'video,label,split,start,end\n1.mp4,sit,train,0,1.5\n'
    '1.mp4,eat,train,1.5,2\n2.mp4,sit,train,,\n'
  )
  sources = video_sources.csv_sources([str(path)], folder)
  assert [
    (clip.source_id, clip.label, clip.span, clip.recording)
    for clip in sources.clips
  ] == [
    ('1.mp4 0.0-1.5', 'sit', (0, 1.5), '1.mp4'),
    ('1.mp4 1.5-2.0', 'eat', (1.5, 2), '1.mp4'),
    ('2.mp4', 'sit', None, ''),
  ]
  # One file under two labels is no fault: they are of parts of it.
  source_checks.require_sound(
    sources._replace(clips=sources.clips[:2] * 2, absent=[])
  )
  later = path.read_text().replace('eat,train,1.5,2', 'eat,train,1.5,3')
  path.write_text(later)
  moved = video_sources.csv_sources([str(path)], folder)
  assert moved.fingerprint() != sources.fingerprint()
  path.write_text(later.replace('1.mp4,eat,train', '1.mp4,sit,val'))
  shared = video_sources.csv_sources([str(path)], folder)
  shared = shared._replace(classes_given=True)
  with pytest.raises(video_sources.SourceError, match='the same recording as'):
    source_checks.require_sound(shared)


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
