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
r"""Trains and evaluates; takes the Model Garden's flags.

  python3 official_ext/grw/train.py \
    --experiment=movinet_grw_kinetics600 \
    --mode=train_and_eval \
    --config_file=configs/movinet_a0_stream_grw_k600.yaml \
    --model_dir=/tmp/movinet_a0_stream_grw_k600

or the same with `python3 -m official_ext.grw.train` or `grw train`.
"""

import pathlib
import sys

if __name__ == '__main__' and not __package__:
  # Run as a script, the first entry of the path is this file's folder, whose
  # sub-folders would hide packages of the same names.  The repository's root
  # takes its place, so that nothing need be installed.
  sys.path[0] = str(pathlib.Path(__file__).absolute().parents[2])

from official_ext.grw.commands import run

if __name__ == '__main__':
  run.run('train')
