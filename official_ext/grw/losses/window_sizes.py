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

"""Limits of the window T, and where windows begin, without TensorFlow."""

# An acceleration takes three frames.
MIN_WINDOW = 3
# 253,440 transitions a window at T = 12; each frame more costs 2.4 times that.
MAX_EXACT_WINDOW = 12
# Where the windows of a clip begin, see `grw_smoothing`.
PHASES = ('fixed', 'random', 'overlapping')
