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

"""Annotations of public datasets are read as they are published."""

import json

import pytest

from official_ext.grw.datasets import published_annotations
from official_ext.grw.datasets import video_sources

EPIC_HEADER = (
  'narration_id,participant_id,video_id,narration_timestamp,start_timestamp,'
  'stop_timestamp,start_frame,stop_frame,narration,verb,verb_class,noun,'
  'noun_class,all_nouns,all_noun_classes\n'
)
CHARADES_HEADER = (
  'id,subject,scene,quality,relevance,verified,script,objects,descriptions,'
  'actions,length\n'
)


def epic(name, video, start, stop, verb, noun):
  return (
    f'{name},P01,{video},00:00:01.089,{start},{stop},8,202,take pan,take,'
    f'{verb},pan,{noun},"[\'pan\', \'cup\']","[5, 6]"\n'
  )


# By dataset: files of annotations, of classes, videos; then the labels, and of
# each clip its split, labels, source, video and part of it.
DATASETS = {
  'charades': (
    {
      'Charades_v1_train.csv': CHARADES_HEADER
      + 'YSKX3,AA,Room,6,7,Yes,"He sits,\nhe eats.",a;b,c,"c001 11.90 21.20;'
      'c000 0.00 12.60;c001 0.00 1.00",30.17\n',
      'Charades_v1_test.csv': CHARADES_HEADER + 'N11GT,BB,,,,,,,,,12.3\n',
    },
    {'Charades_v1_classes.txt': 'c000 Holding some clothes\nc001 Sitting/x\n'},
    ['YSKX3.mp4', 'N11GT.mp4'],
    ['Holding some clothes', 'Sitting/x'],
    [
      ('train', ['Sitting/x', 'Holding some clothes'], 'YSKX3', 'YSKX3.mp4'),
      ('test', [], 'N11GT', 'N11GT.mp4'),
    ],
  ),
  'something_something_v1': (
    {
      'something-something-v1-train.csv': '100218;Something falling\n',
      'something-something-v1-validation.csv': '7;Holding something\n',
    },
    {
      'something-something-v1-labels.csv': 'Something falling\n'
      'Holding something\nTurning something\n'
    },
    ['100218/00001.jpg', '7/00001.jpg'],
    ['Something falling', 'Holding something', 'Turning something'],
    [
      ('train', ['Something falling'], '100218', '100218'),
      ('validation', ['Holding something'], '7', '7'),
    ],
  ),
  'something_something_v2': (
    {
      'something-something-v2-train.json': json.dumps(
        [
          {
            'id': '78687',
            'label': 'holding potato next to bottle',
            'template': 'Holding [something] next to [something]',
            'placeholders': ['potato', 'bottle'],
          }
        ]
      )
    },
    {
      'something-something-v2-labels.json': json.dumps(
        {'Moving something': '1', 'Holding something next to something': '0'}
      )
    },
    ['v2/78687.webm'],
    ['Holding something next to something', 'Moving something'],
    [
      (
        'train',
        ['Holding something next to something'],
        '78687',
        'v2/78687.webm',
      )
    ],
  ),
  'moments_in_time': (
    {
      'trainingSet.csv': 'aiming/yt-a_3.mp4,aiming,3,1\n',
      'validationSet.csv': '"tying/a, b_4.mp4",tying,2,0\n',
    },
    {'moments_categories.txt': 'tying,1\naiming,0\nwinking,2\n'},
    ['training/aiming/yt-a_3.mp4', 'validation/tying/a, b_4.mp4'],
    ['aiming', 'tying', 'winking'],
    [
      (
        'train',
        ['aiming'],
        'training/aiming/yt-a_3.mp4',
        'training/aiming/yt-a_3.mp4',
      ),
      (
        'validation',
        ['tying'],
        'validation/tying/a, b_4.mp4',
        'validation/tying/a, b_4.mp4',
      ),
    ],
  ),
  'diving48': (
    {
      'Diving48_V2_test.json': json.dumps(
        [
          {
            'vid_name': '-mm_00155',
            'label': 1,
            'start_frame': 0,
            'end_frame': 9,
          }
        ]
      )
    },
    {
      'Diving48_vocab.json': json.dumps(
        [['Back', '15som', '05Twis', 'FREE'], ['Back', 'Dive', 'No', 'PIKE']]
      )
    },
    ['rgb/-mm_00155.mp4'],
    ['Back_15som_05Twis_FREE', 'Back_Dive_No_PIKE'],
    [('test', ['Back_Dive_No_PIKE'], '-mm_00155', 'rgb/-mm_00155.mp4')],
  ),
  'epic_kitchens': (
    {
      'EPIC_100_train.csv': EPIC_HEADER
      + epic('P01_01_0', 'P01_01', '00:00:00.14', '00:00:03.37', 1, 0)
      + epic('P01_01_1', 'P01_01', '01:02:03.04', '01:02:05', 0, 2),
      'EPIC_100_validation.csv': EPIC_HEADER
      + epic('P02_9_0', 'P02_9', '00:00:01.00', '00:00:02.00', 0, 1),
    },
    {
      'EPIC_100_noun_classes.csv': 'id,key,instances,category\n0,tap,[],a\n'
      "1,bag:rubbish,[],b\n2,drink,\"['a', 'b']\",b\n",
      'EPIC_100_verb_classes.csv': 'id,key,instances,category\n'
      '0,take,"[\'take\']",retrieve\n1,drink,[],retrieve\n',
    },
    ['P01/videos/P01_01.MP4', 'P02/videos/P02_9.MP4'],
    ['verb take', 'verb drink', 'noun tap', 'noun bag:rubbish', 'noun drink'],
    [
      (
        'train',
        ['verb drink', 'noun tap'],
        'P01_01_0',
        'P01/videos/P01_01.MP4',
        (0.14, 3.37),
      ),
      (
        'train',
        ['verb take', 'noun drink'],
        'P01_01_1',
        'P01/videos/P01_01.MP4',
        (3723.04, 3725.0),
      ),
      (
        'validation',
        ['verb take', 'noun bag:rubbish'],
        'P02_9_0',
        'P02/videos/P02_9.MP4',
        (1.0, 2.0),
      ),
    ],
  ),
}
ACTIVITYNET = {
  'database': {
    'a1': {
      'subset': 'training',
      'annotations': [
        {'segment': [1.5, 2.0], 'label': 'Surfing'},
        {'segment': [9.0, 3.0], 'label': 'Archery'},
        {'segment': [4.0, 4.0], 'label': 'Archery'},
      ],
    },
    'b2': {
      'subset': 'validation',
      'annotations': [{'segment': [0, 2.5], 'label': 'Surfing'}],
    },
    'c3': {'subset': 'testing', 'annotations': []},
    'd4': {
      'subset': 'training',
      'annotations': [{'segment': [1, 2], 'label': 'Surfing'}],
    },
  },
  'version': 'VERSION 1.3',
}
A1, B2, D4 = 'v_a1.mp4', 'b2.mkv', 'd4.mp4'
DATASETS['activitynet'] = (
  {'activity_net.v1-3.min.json': json.dumps(ACTIVITYNET)},
  {},
  [A1, B2, D4],
  ['Archery', 'Surfing'],
  [
    ('train', ['Archery'], 'a1', A1),
    ('validation', ['Surfing'], 'b2', B2),
    ('train', ['Surfing'], 'd4', D4),
  ],
)
DATASETS['activitynet_segments'] = (
  *DATASETS['activitynet'][:1],
  {'order.txt': 'Surfing\nArchery\n'},
  [A1, B2, D4],
  ['Surfing', 'Archery'],
  [
    ('train', ['Surfing'], 'a1 0', A1, (1.5, 2.0)),
    ('train', ['Archery'], 'a1 1', A1, (3.0, 9.0)),
    ('validation', ['Surfing'], 'b2 0', B2, (0.0, 2.5)),
    ('train', ['Surfing'], 'd4 0', D4, (1.0, 2.0)),
  ],
)


def write(folder, files):
  for name, content in files.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding='utf-8')
  return [str(folder / name) for name in files]


def read(folder, name, annotations, classes, videos):
  write(folder / 'videos', dict.fromkeys(videos, 'x'))
  return published_annotations.sources(
    name,
    write(folder, annotations),
    write(folder, classes),
    str(folder / 'videos'),
  )


def test_every_format_is_tried():
  assert DATASETS.keys() == published_annotations.FORMATS.keys()


@pytest.mark.parametrize('name', DATASETS)
def test_clips_are_those_of_the_published_files(name, tmp_path):
  *files, labels, clips = DATASETS[name]
  sources = read(tmp_path, name, *files)
  # Whether they have clips or not, in the published order.
  assert sources.labels == labels
  form = published_annotations.FORMATS[name]
  assert sources.separator == form.separator
  assert [
    (
      clip.split,
      video_sources.split_labels(clip.label, sources.separator),
      clip.source_id,
      clip.path.removeprefix(f'{tmp_path}/videos/'),
      *([clip.span] if clip.span else []),
    )
    for clip in sources.clips
  ] == clips
  assert not sources.absent


def test_verbs_and_nouns_are_two_groups_of_classes(tmp_path):
  sources = read(tmp_path, 'epic_kitchens', *DATASETS['epic_kitchens'][:3])
  assert sources.label_groups == (('verb', 2), ('noun', 3))
  assert {clip.recording for clip in sources.clips} == {'P01_01', 'P02_9'}


def test_a_video_that_is_absent_is_told_with_its_line(tmp_path):
  annotations, classes, videos, *_ = DATASETS['epic_kitchens']
  sources = read(tmp_path, 'epic_kitchens', annotations, classes, videos[:1])
  assert [clip[-1] for clip in sources.absent] == ['P02_9_0']
  assert sources.absent_at == f'{tmp_path}/EPIC_100_validation.csv, line 2'


# A dataset; what is written instead of what, in all files; what is said.
WRONG = [
  ('charades', 'c001 11', 'c157 11', r"train.csv, line 3: class 'c157' is not"),
  ('charades', 'N11GT', 'YSKX3', r"'YSKX3' is test here and train in .*line 3"),
  ('charades', 'c000 Hold', 'Hold', 'classes.txt, line 1: .*expected a class'),
  ('charades', 'Holding some', 'Holding; some', "'Holding; some clothes'.*';'"),
  ('charades', ',actions', ',action', 'train.csv: no column actions'),
  ('something_something_v1', '7;H', '7,H', 'line 1: .*expected id;label'),
  (
    'something_something_v1',
    '7;Holding',
    '7;Folding',
    r"validation.csv, line 1: class 'Folding something' is not among the 3",
  ),
  (
    'something_something_v1',
    'Turning something',
    'Holding something\nTurning something',
    "labels.csv, line 3: class 'Holding something' again",
  ),
  (
    'something_something_v2',
    '"Holding [some',
    '"Folding [some',
    r"entry 0 \(id 78687\): class 'Folding something next to",
  ),
  ('something_something_v2', '"template"', '"text"', 'entry 0: .*id, template'),
  ('something_something_v2', '"1"', '"2"', 'no class has index 1'),
  ('something_something_v2', '"1"', '"0"', "has index '0', expected a number"),
  ('something_something_v2', '[{', '{', 'is not JSON'),
  ('moments_in_time', ',tying,', ',lying,', "Set.csv, line 1: class 'lying'"),
  ('moments_in_time', 'tying,1', 'tying', 'categories.txt, line 1: class'),
  ('diving48', '"label": 1', '"label": 48', r'entry 0 \(-mm_00155\): class 48'),
  ('diving48', '_frame": 0', '_frame": 3', 'start_frame 3, expected 0'),
  (
    'epic_kitchens',
    'pan,2,',
    'pan,300,',
    "train.csv, line 3: class '300' is not among the 3 of --class_file",
  ),
  ('epic_kitchens', 'P01_01_1', 'P01_01_0', "line 3: 'P01_01_0' is 'verb take"),
  ('epic_kitchens', '00:00:03.37', '00:00:00.1', "start '0.14' and end '0.1'"),
  ('epic_kitchens', '00:00:03.37', '3.37', "line 2: '3.37', expected a time"),
  ('epic_kitchens', '0,take', '2,take', 'verb_classes.csv: no class has index'),
  ('activitynet', '"training"', '"train"', 'video a1: .*training, validation'),
  ('activitynet', '"database"', '"videos"', 'expected a database'),
]


@pytest.mark.parametrize('name, old, new, message', WRONG)
def test_wrong_annotations_are_one_line(name, old, new, message, tmp_path):
  annotations, classes, videos, *_ = DATASETS[name]
  before = annotations, classes
  annotations, classes = (
    {path: text.replace(old, new) for path, text in files.items()}
    for files in before
  )
  assert (annotations, classes) != before
  with pytest.raises(video_sources.SourceError, match=message) as error:
    read(tmp_path, name, annotations, classes, videos)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'name, annotations, classes, message',
  [
    ('charades', ['a_train.csv'], [], 'takes 1 --class_file, and 0 are given'),
    ('epic_kitchens', ['a'], ['verb.csv'], 'takes 2 .*of verb and of noun'),
    ('epic_kitchens', ['a'], ['a.csv', 'b.csv'], "one file with 'verb' in its"),
    ('activitynet', [], [], 'expected its files by --annotation_file'),
    ('activitynet', ['none.json'], [], 'cannot read .*none.json'),
  ],
)
def test_files_that_do_not_fit_are_one_line(
  name, annotations, classes, message, tmp_path
):
  write(tmp_path, {'1.mp4': 'x'})
  with pytest.raises(video_sources.SourceError, match=message):
    published_annotations.sources(name, annotations, classes, str(tmp_path))


def test_a_file_whose_name_tells_no_split_is_refused(tmp_path):
  annotations, classes, videos, *_ = DATASETS['charades']
  text = annotations['Charades_v1_train.csv']
  with pytest.raises(
    video_sources.SourceError, match=r'all.csv: expected one of train, val, tes'
  ):
    read(tmp_path, 'charades', {'all.csv': text}, classes, videos)
