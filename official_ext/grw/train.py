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

or the same with `python3 -m official_ext.grw.train`.
"""

import os
import sys

if __name__ == '__main__' and not __package__:
  # Run as a script, the first entry of the path is this file's folder, whose
  # sub-folders would hide packages of the same names.  The repository's root
  # takes its place, so that nothing need be installed.
  sys.path[0] = os.path.dirname(
      os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=g-import-not-at-top
from absl import app  # noqa: E402
from absl import flags  # noqa: E402
import gin  # noqa: E402
from official.common import distribute_utils  # noqa: E402
from official.common import flags as tfm_flags  # noqa: E402
from official.core import task_factory  # noqa: E402
from official.core import train_lib  # noqa: E402
from official.core import train_utils  # noqa: E402
from official.modeling import performance  # noqa: E402

from official_ext.grw import registry_imports  # noqa: E402,F401
# pylint: enable=g-import-not-at-top

FLAGS = flags.FLAGS


def main(_):
  gin.parse_config_files_and_bindings(FLAGS.gin_file, FLAGS.gin_params)
  params = train_utils.parse_configuration(FLAGS)
  if 'train' in FLAGS.mode:
    train_utils.serialize_config(params, FLAGS.model_dir)
  if params.runtime.mixed_precision_dtype:
    performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
  strategy = distribute_utils.get_distribution_strategy(
      distribution_strategy=params.runtime.distribution_strategy,
      all_reduce_alg=params.runtime.all_reduce_alg,
      num_gpus=params.runtime.num_gpus,
      tpu_address=params.runtime.tpu)
  with strategy.scope():
    task = task_factory.get_task(params.task, logging_dir=FLAGS.model_dir)
  train_lib.run_experiment(
      distribution_strategy=strategy, task=task, mode=FLAGS.mode,
      params=params, model_dir=FLAGS.model_dir,
      enable_async_checkpointing=FLAGS.enable_async_checkpointing)
  train_utils.save_gin_config(FLAGS.mode, FLAGS.model_dir)


if __name__ == '__main__':
  tfm_flags.define_flags()
  flags.DEFINE_bool('enable_async_checkpointing', True,
                    'Saves checkpoints while training goes on.')
  flags.mark_flags_as_required(['experiment', 'mode', 'model_dir'])
  app.run(main)
