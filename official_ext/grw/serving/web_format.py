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

"""A static folder with a page that streams a camera through the model."""

from __future__ import annotations

import os

from official_ext.grw.serving import export_folder
from official_ext.grw.serving import tflite_format
from official_ext.grw.serving import web_page


class WebFormat(tflite_format.TfliteFormat):
  """A TFLite stream, and beside it what runs it in a browser.

  The folder is one of `TfliteFormat` too, and its card says so: whatever takes
  those takes it.
  """

  name = 'web'
  summary = 'Writes a web page that runs the model.'
  help = r"""Writes a trained model as a web page.

  grw export web \
    --experiment=movinet_grw_kinetics600 \
    --config_file=/tmp/a0s_grw/config.yaml \
    --checkpoint=/tmp/a0s_grw --output_dir=/tmp/a0s_grw_web
  python3 -m http.server --directory=/tmp/a0s_grw_web

The folder holds what `grw export tflite --signals` writes, and a page that runs
it by LiteRT.js in any server of files: it streams a camera or a video file
through the model and shows the answers, the path of the embeddings and how
smooth it is.  Video stays in the browser, and the page loads nothing from
elsewhere.  Browsers give cameras only to pages from https: or from the same
machine.  The first export fetches LiteRT.js by npm.
"""

  def define_flags(self):
    tflite_format.define_stream_flags()

  def write(self, params, checkpoint, output_dir, *, kind, labels, **options):
    if kind != 'stream':
      raise ValueError(
        f'kind={kind!r}: expected stream, as the page feeds one frame after '
        'the other.'
      )
    data = params.task.validation_data
    if not data.frames_per_second:
      raise ValueError(
        f'task.validation_data.frames_per_second={data.frames_per_second}: '
        'expected the rate of the clips that the model was trained with, at '
        'which the page feeds frames.'
      )
    with export_folder.whole_folder(output_dir) as folder:
      runtime = web_page.fetch_runtime()
      from official_ext.grw.configs import ensemble  # pylint: disable=g-import-not-at-top

      exported = os.path.join(folder, 'exported')
      written = super().write(
        params,
        checkpoint,
        exported,
        kind=kind,
        labels=labels,
        # Members of an ensemble have embeddings of their own, and no one path.
        signals=len(ensemble.classifiers(params.task.model)) == 1,
        **options,
      )
      for name in os.listdir(exported):
        os.rename(os.path.join(exported, name), os.path.join(folder, name))
      os.rmdir(exported)
      web_page.write(folder, runtime)
    return written
