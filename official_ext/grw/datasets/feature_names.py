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

"""Names of the features of a batch, beside the image."""

# Beside 'image' in the features of a batch: how many frames of a clip, from its
# first, come before the first repetition.
NUM_FRAMES = 'num_frames'
# With short_clips 'loop', likewise: how many frames of a clip the head sees,
# which are all; only windows of the first NUM_FRAMES are smoothed.
HEAD_FRAMES = 'head_frames'
# With task.model.smoothing.cuts, likewise: whether a frame begins another shot
# than the one before it.
CUTS = 'cuts'
# With on_bad_record 'skip', a feature beside 'image': per clip, how many
# records were dropped around it.  Its sum over all clips is the number dropped.
BAD_RECORDS = 'bad_records'
# With short_clips 'drop', likewise: how many videos were too short.
SHORT_CLIPS = 'short_clips'

# In evaluation, a feature beside 'image': what the record calls its video, as
# zero-padded UTF-8 bytes, since not every device takes strings.
SOURCE_ID = 'source_id'

SOURCE_ID_BYTES = 256

SOURCE_ID_KEY = 'clip/media_id'

# In records: the class of each frame, where frames have one.
FRAME_LABELS_KEY = 'clip/label/frames'
# In labels of frames: none, as the frame is repeated.
NO_LABEL = -1

# Where a decoded record comes from, for messages.
LOCATION = 'location'
