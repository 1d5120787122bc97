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

"""Pictures of a low-poly airplane turning about one of its own axes.

Body axes are the ones of aeronautics: x to the nose, y to the starboard
(right) wing tip, z to the belly; roll, pitch and yaw turn about x, y and z.
Camera axes are x to the right, y down and z into the picture.  A pose is a
rotation matrix R that takes body to camera coordinates, so that turning the
airplane about an axis of its own multiplies R from the right.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import functools

import cv2
import numpy as np
from scipy.spatial import transform

BODY_AXES = {
  'yaw': (0.0, 0.0, 1.0),
  'pitch': (0.0, 1.0, 0.0),
  'roll': (1.0, 0.0, 0.0),
}

# RGB.  Nose and tail, top and bottom, port (red) and starboard (green) all
# differ, as on real airplanes, so that one picture tells the pose.
GROUND = (156, 178, 196)
_WHITE = (248, 248, 244)
_NAVY = (38, 58, 104)
_GLASS = (26, 34, 46)
_NOSE = (250, 196, 52)
_WING_TOP = (86, 136, 214)
_WING_BOTTOM = (238, 152, 60)
_PORT = (222, 48, 48)
_STARBOARD = (40, 176, 84)
_FIN = (150, 62, 170)
_ENGINE = (96, 100, 108)

# Light that reaches every face, and the most that the lamp adds.
AMBIENT, LAMP = 0.42, 0.66
TO_LAMP = np.array([-0.45, -0.7, -0.75]) / np.linalg.norm([0.45, 0.7, 0.75])
# Distance of the eye from the airplane's center, which is one from its nose.
EYE_DISTANCE = 4.5
# The airplane's bounding sphere as a share of the picture.
FILL = 0.96
# Pictures are painted this much larger, then averaged down.
_SUPERSAMPLING = 4
# OpenCV's fixed-point bits of a corner's position.
_SHIFT = 4

_Color = tuple[int, int, int]
_Face = tuple[np.ndarray, _Color]


@dataclasses.dataclass(frozen=True)
class Partition:
  """A node of a binary space partition of the airplane.

  Attributes:
    normal: the normal of a plane, in body coordinates.
    offset: points p with normal · p > offset are beyond the plane.
    beyond: what is there, a convex part by name or a further split.
    before: what is on the other side.
  """

  normal: tuple[float, float, float]
  offset: float
  beyond: 'Partition | str'
  before: 'Partition | str'


@dataclasses.dataclass(frozen=True)
class Airplane:
  """A model airplane as flat faces.

  Attributes:
    corners: [V, 3] corners of all faces, face after face, body coordinates.
    faces: slices of `corners`, one a face.
    normals: [F, 3] outward unit normals.
    offsets: [F] normal · corner.
    colors: [F, 3] RGB.
    parts: numbers of the faces of each convex part.
    partition: what separates the parts.
  """

  corners: np.ndarray
  faces: list[slice]
  normals: np.ndarray
  offsets: np.ndarray
  colors: np.ndarray
  parts: dict[str, list[int]]
  partition: Partition


def _loft(
  sections: Sequence[np.ndarray],
  colors: Sequence[Sequence[_Color]],
  first_cap: _Color,
  last_cap: _Color,
) -> list[_Face]:
  """A solid through polygons with equal numbers of corners.

  Args:
    sections: S arrays [P, 3], the polygons in order.
    colors: [S - 1, P] colors of the faces between two sections; face i has
      corners i and i + 1 of both.
    first_cap: color of the first polygon.
    last_cap: color of the last.

  Returns:
    Corners and color of every face.
  """
  faces = [(sections[0], first_cap), (sections[-1], last_cap)]
  for near, far, row in zip(sections, sections[1:], colors, strict=False):
    for i, color in enumerate(row):
      j = (i + 1) % len(near)
      faces.append((np.stack([near[i], near[j], far[j], far[i]]), color))
  return faces


def _ring(
  x: float, radius: float, y: float = 0.0, z: float = 0.0
) -> np.ndarray:
  """[8, 3] octagon around the x axis, with a flat top; face 0 is the top."""
  angle = np.deg2rad(-112.5 + 45 * np.arange(8))
  return np.stack(
    [np.full(8, x), y + radius * np.cos(angle), z + radius * np.sin(angle)],
    axis=-1,
  )


def _foil(
  leading: tuple[float, float, float],
  trailing: tuple[float, float, float],
  thickness: tuple[float, float, float],
) -> np.ndarray:
  """[4, 3] section of a wing; faces top, trailing edge, bottom, leading."""
  a, b, t = np.array(leading), np.array(trailing), np.array(thickness) / 2
  return np.stack([a - t, b - t, b + t, a + t])


def _wing(
  side: int,
  root: tuple[float, float, float],
  rear_root: tuple[float, float, float],
  tip: tuple[float, float, float],
  rear_tip: tuple[float, float, float],
  light: float,
) -> list[_Face]:
  """A tapered wing, its tip in the color of the side's navigation light.

  Args:
    side: 1 for starboard, -1 for port.
    root: leading corner at the fuselage of the starboard wing.
    rear_root: trailing corner there.
    tip: leading corner at the tip.
    rear_tip: trailing corner there.
    light: share of the span that has the tip's color; more than 0.

  Returns:
    Faces of the wing.
  """

  def section(share):
    leading = (1 - share) * np.array(root) + share * np.array(tip)
    trailing = (1 - share) * np.array(rear_root) + share * np.array(rear_tip)
    mirror = np.array([1, side, 1])
    return _foil(
      tuple(leading * mirror),
      tuple(trailing * mirror),
      (0.0, 0.0, 0.045 * (1 - share) + 0.02 * share),
    )

  color = _STARBOARD if side > 0 else _PORT
  return _loft(
    [section(0.0), section(1 - light), section(1.0)],
    [[_WING_TOP, _WING_TOP, _WING_BOTTOM, _WING_BOTTOM], [color] * 4],
    _WING_TOP,
    color,
  )


# Half the width of an octagon over its radius.
_APOTHEM = np.cos(np.pi / 8)


@functools.cache
def airplane() -> Airplane:
  """Builds the airplane, an airliner with two engines under its wings."""
  waist, rear, tail = -0.3, -0.55, -1.0
  radius, tail_radius = 0.17, 0.05

  def fuselage_radius(x):
    return np.interp(x, [tail, waist], [tail_radius, radius])

  def flank(x):
    return float(_APOTHEM * fuselage_radius(x))

  side = _APOTHEM * radius
  # Octagon faces from the top clockwise, as seen from behind.
  livery = [_WHITE, _WHITE, _WHITE, _NAVY, _NAVY, _NAVY, _WHITE, _WHITE]
  cockpit = [_GLASS, _GLASS, _WHITE, _NAVY, _NAVY, _NAVY, _WHITE, _GLASS]
  solids = {
    'fuselage': _loft(
      [
        _ring(1.0, 0.04),
        _ring(0.86, 0.115),
        _ring(0.66, 0.155),
        _ring(0.45, radius),
        _ring(waist, radius),
        _ring(rear, fuselage_radius(rear)),
      ],
      [[_NOSE] * 8, cockpit, livery, livery, livery],
      _NOSE,
      _WHITE,
    ),
    'tail': _loft(
      [_ring(rear, fuselage_radius(rear)), _ring(tail, tail_radius)],
      [livery],
      _WHITE,
      _ENGINE,
    ),
    'fin': _loft(
      [
        _foil(
          (-0.6, 0.0, -flank(-0.6)),
          (-0.97, 0.0, -flank(-0.97)),
          (0.0, 0.05, 0.0),
        ),
        _foil((-0.9, 0.0, -0.48), (-1.08, 0.0, -0.48), (0.0, 0.03, 0.0)),
      ],
      [[_FIN] * 4],
      _FIN,
      _FIN,
    ),
  }
  for sign, name in ((1, 'starboard'), (-1, 'port')):
    solids[f'{name} wing'] = _wing(
      sign,
      (0.34, side, 0.04),
      (-0.22, side, 0.04),
      (-0.14, 0.98, -0.05),
      (-0.36, 0.98, -0.05),
      0.22,
    )
    solids[f'{name} tailplane'] = _wing(
      sign,
      (-0.68, flank(-0.68), 0.0),
      (-0.97, flank(-0.97), 0.0),
      (-0.92, 0.42, -0.02),
      (-1.06, 0.42, -0.02),
      0.2,
    )
    y, z = sign * 0.42, 0.104
    solids[f'{name} engine'] = _loft(
      [
        _ring(0.34, 0.06, y, z),
        _ring(0.24, 0.075, y, z),
        _ring(-0.06, 0.055, y, z),
      ],
      [[_WHITE] * 8, [_ENGINE] * 8],
      _GLASS,
      _GLASS,
    )

  # The tail narrows: its flanks, and the roots on them, lean inwards.
  lean = float((flank(rear) - flank(tail)) / (rear - tail))
  flank_offset = flank(rear) - lean * rear

  def beside(normal_y, beyond, before):
    return Partition((-lean, normal_y, 0.0), flank_offset, beyond, before)

  # The wing's bottom rises from 0.0625 below its root to -0.04 at its tip.
  rise = (0.0625 + 0.04) / (0.98 - side)

  def half_wing(name, sign):
    return Partition(
      (0.0, -sign * rise, -1.0),
      -0.0625 - rise * side,
      f'{name} wing',
      f'{name} engine',
    )

  front = Partition(
    (0.0, 1.0, 0.0),
    side,
    half_wing('starboard', 1),
    Partition((0.0, -1.0, 0.0), side, half_wing('port', -1), 'fuselage'),
  )
  back = beside(
    1.0,
    'starboard tailplane',
    beside(
      -1.0,
      'port tailplane',
      Partition((-lean, 0.0, -1.0), flank_offset, 'fin', 'tail'),
    ),
  )

  corners, normals, offsets, colors = [], [], [], []
  faces: list[slice] = []
  parts: dict[str, list[int]] = {}
  start = 0
  for name, solid in solids.items():
    middle = np.mean([face.mean(0) for face, _ in solid], axis=0)
    parts[name] = []
    for face, color in solid:
      normal = np.cross(face[2] - face[0], face[3] - face[1])
      normal /= np.linalg.norm(normal)
      if normal @ (face.mean(0) - middle) < 0:
        normal = -normal
      parts[name].append(len(faces))
      faces.append(slice(start, start + len(face)))
      start += len(face)
      corners.append(face)
      normals.append(normal)
      offsets.append(normal @ face.mean(0))
      colors.append(color)
  return Airplane(
    np.concatenate(corners),
    faces,
    np.stack(normals),
    np.array(offsets),
    np.array(colors, float),
    parts,
    Partition((1.0, 0.0, 0.0), rear, front, back),
  )


def _back_to_front(node: Partition | str, eye: np.ndarray) -> Iterator[str]:
  """Names of the parts, each before those that can hide it from the eye."""
  if isinstance(node, str):
    yield node
    return
  far, near = node.before, node.beyond
  if np.dot(node.normal, eye) < node.offset:
    far, near = near, far
  yield from _back_to_front(far, eye)
  yield from _back_to_front(near, eye)


def turning_poses(
  axis: str,
  num_frames: int,
  degrees_per_frame: tuple[float, float],
  rng: np.random.Generator,
) -> np.ndarray:
  """Poses of an airplane that turns at a constant rate about a body axis.

  R_t = R_0 · R_axis(± rate · t): the first pose is uniform over all rotations,
  the sign even, the rate uniform in its range.  As every R_t is then uniform
  too, whatever the axis, one frame alone tells nothing of the axis.

  Args:
    axis: 'yaw', 'pitch' or 'roll'.
    num_frames: N.
    degrees_per_frame: least and greatest rate.
    rng: source of all randomness.

  Returns:
    [N, 3, 3] rotation matrices from body to camera coordinates.
  """
  # Four normals point evenly in all directions, and so does a unit quaternion.
  first = transform.Rotation.from_quat(rng.normal(size=4))
  rate = np.deg2rad(rng.uniform(*degrees_per_frame)) * rng.choice((-1, 1))
  angles = rate * np.arange(num_frames)
  turn = transform.Rotation.from_rotvec(
    angles[:, np.newaxis] * np.array(BODY_AXES[axis])
  )
  return (first * turn).as_matrix()


def render(poses: np.ndarray, image_size: int) -> np.ndarray:
  """Paints the airplane in each pose.

  Perspective camera, painter's algorithm in the order of a binary space
  partition (so hidden surfaces are exact), one Lambert shade a face.

  Args:
    poses: [N, 3, 3] rotation matrices from body to camera coordinates.
    image_size: S, height and width in pixels.

  Returns:
    [N, S, S, 3] uint8 RGB.
  """
  plane = airplane()
  eyes = poses.transpose(0, 2, 1) @ np.array([0.0, 0.0, -EYE_DISTANCE])
  facing = eyes @ plane.normals.T > plane.offsets
  lamps = poses.transpose(0, 2, 1) @ TO_LAMP
  shades = AMBIENT + LAMP * np.maximum(0.0, lamps @ plane.normals.T)
  colors = np.minimum(255.0, shades[..., np.newaxis] * plane.colors)

  canvas_size = image_size * _SUPERSAMPLING
  reach = np.linalg.norm(plane.corners, axis=-1).max()
  # The bounding sphere's outline is seen under asin(reach / distance).
  focal = FILL * canvas_size / 2 * np.sqrt((EYE_DISTANCE / reach) ** 2 - 1)
  points = plane.corners @ poses.transpose(0, 2, 1)
  pixels = (
    focal * points[..., :2] / (points[..., 2:] + EYE_DISTANCE)
    + (canvas_size - 1) / 2
  )
  fixed = np.rint(pixels * 2**_SHIFT).astype(np.int32)

  frames = np.empty((len(poses), image_size, image_size, 3), np.uint8)
  ground = np.full((canvas_size, canvas_size, 3), GROUND, np.uint8)
  for n, eye in enumerate(eyes):
    canvas = ground.copy()
    for part in _back_to_front(plane.partition, eye):
      for face in plane.parts[part]:
        if facing[n, face]:
          cv2.fillConvexPoly(
            canvas,
            fixed[n, plane.faces[face]],
            colors[n, face].tolist(),
            shift=_SHIFT,
          )
    cv2.resize(
      canvas,
      (image_size, image_size),
      dst=frames[n],
      interpolation=cv2.INTER_AREA,
    )
  return frames
