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

"""Writes a trained model in a format: `grw export NAME`."""

import sys

from absl import flags

from official_ext.grw.commands import experiment_flags
from official_ext.grw.configs import overrides
from official_ext.grw.configs import preflight
from official_ext.grw.files import screen
from official_ext.grw.serving import export_format
from official_ext.grw.serving import export_formats


class ExportCommand:
  """The command of one format, for `run.run`."""

  def __init__(self, name: str):
    self._format = export_formats.named(name)
    self.__doc__ = self._format.help
    self._options: set[str] = set()

  def define_flags(self):
    flags.DEFINE_string(
      'checkpoint', None, 'Whatever task.init_checkpoint takes.'
    )
    flags.DEFINE_string('output_dir', None, 'The folder to make.')
    flags.DEFINE_enum(
      'kind',
      self._format.default_kind,
      list(export_format.KINDS),
      'Whole clips at once, or frames as they come, with states.',
    )
    others = set(flags.FLAGS)
    self._format.define_flags()
    self._options = set(flags.FLAGS) - others
    flags.DEFINE_string(
      'labels', None, 'Class names, one a line; by default task.labels.'
    )
    experiment_flags.define()
    flags.mark_flags_as_required(['experiment', 'checkpoint', 'output_dir'])

  @screen.only_what_matters()
  def main(self, _):
    values = flags.FLAGS
    try:
      self._check(values)
      params = experiment_flags.parse()
      written = self._format.write(
        params,
        values.checkpoint,
        values.output_dir,
        kind=values.kind,
        labels=values.labels,
        **{name: values[name].value for name in self._options},
      )
    except (ValueError, KeyError, OSError) as error:
      sys.exit(f'error: {error}')
    print(
      f'written: {values.output_dir}; largest difference to the model '
      f'{written.difference:.1e} of the largest logit'
    )
    if written.agreement:
      print(f'against float32, {written.agreement}')

  def _check(self, values):
    """Raises ValueError for what can be known before TensorFlow is imported."""
    experiment_flags.find_config_files()
    preflight.check_export(
      values.experiment,
      values.checkpoint,
      values.output_dir,
      values.labels,
      overrides.read(values.config_file, values.params_override),
      values.tpu,
    )
