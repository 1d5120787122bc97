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

"""Outputs of TFLite files that every client can tell apart.

LiteRT's Interpreter for Java and Kotlin fills one buffer a tensor, and its
CompiledModel lists one output a tensor: of two names of one tensor, one is
never filled.  An output that is an input has no buffer of its own at all.
"""

import collections
import os

from ai_edge_litert import schema_py_generated as schema

from official_ext.grw.serving import export_folder


def require_distinct_outputs(path: str):
  """Raises ExportError unless each output of a TFLite file is its own tensor.

  Args:
    path: the path of the file.
  """
  with open(path, 'rb') as file:
    model = schema.Model.GetRootAs(file.read(), 0)
  for number in range(model.SignatureDefsLength()):
    signature = model.SignatureDefs(number)
    names = collections.defaultdict(list)
    for kind, maps in (
      ('input', map(signature.Inputs, range(signature.InputsLength()))),
      ('output', map(signature.Outputs, range(signature.OutputsLength()))),
    ):
      for entry in maps:
        names[entry.TensorIndex()].append(f'{kind} {entry.Name().decode()}')
    for shared in names.values():
      if len(shared) > 1:
        raise export_folder.ExportError(
          f'{os.path.basename(path)}: signature '
          f'{signature.SignatureKey().decode()!r} has one tensor under the '
          f'names {", ".join(shared)}, of which some clients fill but one: '
          'give each output a tensor of its own. Nothing was written.'
        )
