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

"""Configuration of temporal ensembles, and their experiment.

Kondratyuk et al., arXiv 2103.11511.  Section 3.3: two models, trained apart on
clips of half the frame rate, see every second frame of a video each, one of
them a frame later than the other; the mean of their logits is the ensemble's.
Appendix B: MoViNet-A6 is A4 and A5, each on clips of its own size and rate.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any, Literal

from official.core import exp_factory
from official.modeling import hyperparams

from official_ext.grw.backbones.movinet import (
  experiments as movinet_experiments,
)
from official_ext.grw.configs import completion
from official_ext.grw.configs import fields
from official_ext.grw.configs import schema
from official_ext.grw.configs import trained_params

MEMBERS = ('first', 'second')

# What two members must share, and share with half of the ensemble's frames.
_SHARED = ('num_classes', 'feature_shape', 'frames_per_second')
_RATE_TOLERANCE = 0.05


@dataclasses.dataclass
class Member(hyperparams.Config):
  """A model of an ensemble, and what it was trained on.

  What is unset of the latter is read from the `params.yaml` beside the
  checkpoint, or else is what the ensemble needs.

  Attributes:
    model: as it was trained.
    checkpoint: whatever `task.init_checkpoint` takes, head included.
    num_classes: the number of classes of its logits.
    feature_shape: the shape of the clips it was trained on, half the ensemble's
      frames.  Where `frames` is 'own', of the clips that it sees here.
    frames_per_second: the rate of these clips, half the ensemble's, or its
      `frame_step`-th part.
    frame_step: where `frames` is 'own', from how many frames of the ensemble's
      clips the member sees one; unset, the N of these over its own.
    crop_size: where `frames` is 'own', height and width of the center of the
      ensemble's frames that is resized to `feature_shape`; unset, all.
  """

  model: schema.GrwModel = dataclasses.field(
    default_factory=lambda: schema.GrwModel(  # pylint: disable=g-long-lambda
      # Of half the frames, as many as span 1.2 s.
      dropout_rate=0.0,
      smoothing=schema.Smoothing(window=3),
    )
  )
  checkpoint: str = ''
  num_classes: int = completion.UNSET
  feature_shape: tuple[int, ...] = ()
  frames_per_second: float | None = None
  frame_step: int = completion.UNSET
  crop_size: tuple[int, ...] = ()


@dataclasses.dataclass
class GrwEnsemble(hyperparams.Config):
  """Two classifiers of one video.

  Attributes:
    model_type: the name of the registered builder.
    frames: which frames of a clip the members see.  'alternate': every second
      each, so that a video costs what one member costs at the full rate.
      'own': each all of the video, at a rate and size of its own, as the
      published MoViNet-A6; such an ensemble does not stream.
    first: the member that, of 'alternate', sees frames 0, 2, 4 and so on.
    second: the member that, of 'alternate', sees frames 1, 3, 5 and so on.
  """

  model_type: str = 'grw_ensemble'
  frames: Literal['alternate', 'own'] = 'alternate'
  first: Member = dataclasses.field(default_factory=Member)
  second: Member = dataclasses.field(default_factory=Member)

  @property
  def members(self) -> tuple[Member, Member]:
    """Both, in the order of the frames they see."""
    return self.first, self.second


@dataclasses.dataclass
class GrwEnsembleTask(schema.GrwTask):
  """Evaluation of an ensemble; its members have been trained by `GrwTask`.

  Attributes:
    model: see `GrwEnsemble`.
  """

  model: GrwEnsemble = dataclasses.field(default_factory=GrwEnsemble)

  def validate(self):
    """Sets what is unset of the members, and checks that they go together.

    Raises:
      ValueError: names the field, its value, what was expected and what to do.
    """
    set_members(self)
    validate_task(self)


@dataclasses.dataclass
class GrwEnsembleExperimentConfig(schema.GrwExperimentConfig):
  """An experiment that evaluates an ensemble."""

  task: GrwEnsembleTask = dataclasses.field(default_factory=GrwEnsembleTask)


def classifiers(
  model: schema.GrwModel | GrwEnsemble,
) -> Sequence[schema.GrwModel]:
  """The classifiers that a model consists of: its members, or itself."""
  if isinstance(model, GrwEnsemble):
    return [member.model for member in model.members]
  return [model]


def require_streams(model: schema.GrwModel | GrwEnsemble):
  """Raises ValueError for an ensemble that cannot take a video frame by frame.

  Whether the backbones can, others say.
  """
  frames = getattr(model, 'frames', 'alternate')
  fields.require(
    frames == 'alternate',
    'task.model.frames',
    frames,
    "'alternate', as members that see clips of their own rate and size take no "
    'stream of single frames. Export the clip model',
  )


def _half(shape: Sequence[int]) -> tuple[int, ...]:
  """The shape of every second frame of clips, [frames, height, width, 3]."""
  return (shape[0] // 2, *shape[1:])


def _wanted(
  data: schema.DataConfig, model: GrwEnsemble, member: Member
) -> dict[str, Any]:
  """What an ensemble's data need of a member, by field."""
  rate = data.frames_per_second
  if model.frames == 'alternate':
    step, shape = 2, _half(data.feature_shape)
  else:
    step = member.frame_step
    shape = (data.feature_shape[0] // step, *member.feature_shape[1:])
  return {
    'num_classes': data.num_classes,
    'feature_shape': shape,
    'frames_per_second': rate / step if rate else None,
  }


def _set_own_clips(name: str, member: Member, data: schema.DataConfig):
  """Sets and checks how a member's own clips are made of the ensemble's.

  Raises:
    ValueError: names the field that does not fit.
  """
  field, shape = f'task.model.{name}', tuple(member.feature_shape)
  total, *size = data.feature_shape[:3]
  fields.require(
    len(shape) == 4 and min(shape) >= 1,
    f'{field}.feature_shape',
    shape,
    "the member's own [frames, height, width, 3], because task.model.frames "
    "is 'own'",
  )
  if member.frame_step == completion.UNSET:
    member.frame_step = max(total // shape[0], 1)
  if not member.crop_size:
    member.crop_size = tuple(size)
  fields.require(
    member.frame_step >= 1 and shape[0] * member.frame_step == total,
    f'{field}.frame_step',
    member.frame_step,
    f'a number of which {shape[0]}, the frames of {field}.feature_shape, times '
    f'is {total}, those of task.validation_data.feature_shape',
  )
  fields.require(
    len(member.crop_size) == 2
    and all(1 <= crop <= side for crop, side in zip(member.crop_size, size)),
    f'{field}.crop_size',
    tuple(member.crop_size),
    f'height and width up to {tuple(size)}, those of '
    'task.validation_data.feature_shape',
  )


def set_members(task: GrwEnsembleTask):
  """Sets what is unset of the clips that members were trained on.

  Raises:
    ValueError: a member's model is not the one that was trained.
  """
  model, data = task.model, task.validation_data
  for name, member in zip(MEMBERS, model.members):
    if model.frames == 'own':
      _set_own_clips(name, member, data)
    wanted = _wanted(data, model, member)
    unset = [
      field
      for field in _SHARED
      if getattr(member, field) in (completion.UNSET, (), [], None)
    ]
    if not unset:
      continue
    found = trained_params.read(member.checkpoint) if member.checkpoint else {}
    found = found.get('task', {})
    _require_trained_model(name, member, found.get('model', {}))
    for field in unset:
      value = found.get('train_data', {}).get(field) or wanted[field]
      if value is not None:
        setattr(member, field, value)


def _require_trained_model(name: str, member: Member, trained: dict[str, Any]):
  """Raises ValueError where a member's settings are not those of its run.

  Weights of other settings may load without a word: neither activations nor
  the number of attention heads show in them.
  """
  family = member.model.backbone.type
  for path in (('backbone', family), ('head',)):
    ours, theirs = member.model.as_dict(), trained
    for part in path:
      ours, theirs = ours[part], theirs.get(part, {})
    for field, value in theirs.items():
      # What differs in training alone.
      if field.endswith('_drop_rate') or field not in ours:
        continue
      if ours[field] != value:
        raise ValueError(
          f'task.model.{name}.model.{".".join(path)}.{field}='
          f'{ours[field]!r}: expected {value!r}, with which '
          f'{member.checkpoint} was trained, as its params.yaml says.'
        )


def _is_same(name: str, value: Any, wanted: Any) -> bool:
  if name == 'feature_shape':
    return tuple(value) == tuple(wanted)
  if name == 'frames_per_second':
    return None in (value, wanted) or abs(value / wanted - 1) <= _RATE_TOLERANCE
  return value == wanted


def _shown(value: Any) -> Any:
  return tuple(value) if isinstance(value, (list, tuple)) else value


def validate_task(task: GrwEnsembleTask):
  """Raises ValueError for members that do not go together or with the data."""
  fields.require(
    not task.init_checkpoint,
    'task.init_checkpoint',
    task.init_checkpoint,
    'none, as an ensemble takes the weights of its members. Set '
    'task.model.first.checkpoint and task.model.second.checkpoint',
  )
  model, data = task.model, task.validation_data
  alternates = model.frames == 'alternate'
  if alternates:
    _validate_turns(task)
  first, second = model.members
  for name in _SHARED if alternates else ('num_classes',):
    one, other = getattr(first, name), getattr(second, name)
    if not _is_same(name, other, one):
      raise ValueError(
        f'task.model.second.{name}={_shown(other)}: expected '
        f'{_shown(one)}, that of task.model.first. Members of an ensemble '
        'have the same classes, and clips of the same size and frame rate: '
        'train one of them anew.'
      )
  for member_name, member in zip(MEMBERS, model.members):
    sees = (
      'each member sees every second frame'
      if alternates
      else f'the member sees one of {member.frame_step} frames'
    )
    for name, wanted in _wanted(data, model, member).items():
      value = getattr(member, name)
      if not _is_same(name, value, wanted):
        raise ValueError(
          f'task.model.{member_name}.{name}={_shown(value)}: expected '
          f'{_shown(wanted)}, as task.validation_data has '
          f'{name}={_shown(getattr(data, name))} and {sees}. Train the members '
          'on such clips, or change task.validation_data.'
        )
  for name, member in zip(MEMBERS, model.members):
    try:
      schema.GrwTask(
        model=member.model,
        train_data=_member_data(task.train_data, member),
        validation_data=_member_data(data, member),
        losses=task.losses,
        metrics=task.metrics,
      ).validate()
    except ValueError as error:
      raise ValueError(
        f'In task.model.{name}, as a task of its own: {error}'
      ) from error


def _validate_turns(task: GrwEnsembleTask):
  """Raises ValueError for frames that members cannot take in turns."""
  for split in ('train_data', 'validation_data'):
    shape = getattr(task, split).feature_shape
    fields.require(
      shape[0] % 2 == 0,
      f'task.{split}.feature_shape',
      tuple(shape),
      'an even number of frames, of which each member of the ensemble sees '
      'every second',
    )
  for name, member in zip(MEMBERS, task.model.members):
    for field, unset in (('frame_step', completion.UNSET), ('crop_size', ())):
      value = getattr(member, field)
      fields.require(
        _shown(value) == unset,
        f'task.model.{name}.{field}',
        _shown(value),
        f"{unset}, because task.model.frames is 'alternate'",
      )


def _member_data(data: schema.DataConfig, member: Member) -> schema.DataConfig:
  """The data as a member sees it; its own clips are made of whole frames."""
  side = max(data.min_image_size, *member.feature_shape[1:3])
  return data.replace(
    feature_shape=tuple(member.feature_shape), min_image_size=side
  )


@exp_factory.register_config_factory('movinet_grw_ensemble_kinetics600')
def movinet_grw_ensemble_kinetics600() -> GrwEnsembleExperimentConfig:
  """Two MoViNet-A0-Stream with GRW, of 25 frames at 2.5 a second each.

  The members are trained with `movinet_grw_kinetics600`.
  """
  single = movinet_experiments.movinet_grw_kinetics600()
  return GrwEnsembleExperimentConfig(
    runtime=schema.RuntimeConfig(),
    task=GrwEnsembleTask(
      train_data=single.task.train_data,
      validation_data=single.task.validation_data,
    ),
    trainer=single.trainer,
  )
