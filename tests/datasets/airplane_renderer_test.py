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

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import stats
from scipy.spatial import transform

from official_ext.grw.datasets import airplane_renderer

AXES = sorted(airplane_renderer.BODY_AXES)
RATES = (10.0, 16.0)


def _rotation_vectors(poses):
  """[N - 1, 3] rotations from each pose to the next, body coordinates."""
  steps = poses[:-1].transpose(0, 2, 1) @ poses[1:]
  return transform.Rotation.from_matrix(steps).as_rotvec()


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
  axis=st.sampled_from(AXES),
  seed=st.integers(0, 2**32 - 1),
  num_frames=st.integers(2, 20),
  rates=st.tuples(st.floats(0.5, 170), st.floats(0.5, 170)).map(sorted),
)
def test_an_airplane_turns_at_constant_rate_about_its_own_axis(
  axis, seed, num_frames, rates
):
  poses = airplane_renderer.turning_poses(
    axis, num_frames, tuple(rates), np.random.default_rng(seed)
  )
  vectors = _rotation_vectors(poses)
  body_axis = np.array(airplane_renderer.BODY_AXES[axis])
  along = vectors @ body_axis
  np.testing.assert_allclose(
    vectors, along[:, np.newaxis] * body_axis, atol=1e-6
  )
  np.testing.assert_allclose(along, along[0], atol=1e-6)
  assert rates[0] - 1e-4 <= np.rad2deg(abs(along[0])) <= rates[1] + 1e-4
  # The axis itself stands still in the picture.
  still = poses @ body_axis
  np.testing.assert_allclose(
    still, np.tile(still[0], (num_frames, 1)), atol=1e-6
  )


def test_axes_are_those_of_aeronautics():
  nose, starboard, belly = np.eye(3)
  axes = {name: np.array(a) for name, a in airplane_renderer.BODY_AXES.items()}
  np.testing.assert_array_equal(axes['roll'], nose)
  np.testing.assert_array_equal(axes['pitch'], starboard)
  np.testing.assert_array_equal(axes['yaw'], belly)


@pytest.mark.parametrize('axis', AXES)
@pytest.mark.parametrize('frame', [0, 6])
def test_poses_are_uniform_over_all_rotations_at_any_time(axis, frame):
  rng = np.random.default_rng(17)
  poses = np.stack(
    [
      airplane_renderer.turning_poses(axis, 7, RATES, rng)[frame]
      for _ in range(1500)
    ]
  )
  # Every entry of a uniform rotation is uniform in [-1, 1] (Archimedes) ...
  for entry in poses.reshape(-1, 9).T:
    assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-3
  # ... and its angle has density (1 - cos) / π.
  angles = transform.Rotation.from_matrix(poses).magnitude()
  assert stats.kstest(angles, lambda x: (x - np.sin(x)) / np.pi).pvalue > 1e-3


@pytest.mark.parametrize('axis', AXES)
def test_sign_is_even_and_rates_fill_their_range(axis):
  rng = np.random.default_rng(3)
  body_axis = np.array(airplane_renderer.BODY_AXES[axis])
  turns = np.array(
    [
      _rotation_vectors(airplane_renderer.turning_poses(axis, 2, RATES, rng))[0]
      @ body_axis
      for _ in range(1000)
    ]
  )
  assert stats.binomtest(int((turns > 0).sum()), turns.size).pvalue > 1e-3
  rates = np.rad2deg(abs(turns))
  span = stats.uniform(RATES[0], RATES[1] - RATES[0])
  assert stats.kstest(rates, span.cdf).pvalue > 1e-3


def _cast_rays(pose, image_size):
  """The same picture by casting a ray through every pixel's center.

  Returns:
    [S, S] number of the nearest face on the ray, -1 for the ground, and
    [S, S, 3] its color.
  """
  plane = airplane_renderer.airplane()
  distance = airplane_renderer.EYE_DISTANCE
  reach = np.linalg.norm(plane.corners, axis=-1).max()
  focal = (
    airplane_renderer.FILL
    * image_size
    / 2
    / np.tan(np.arcsin(reach / distance))
  )
  across = (np.arange(image_size) + 0.5 - image_size / 2) / focal
  x, y = np.meshgrid(across, across)
  rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose
  eye = np.array([0.0, 0.0, -distance]) @ pose

  seen = np.full((image_size, image_size), -1)
  nearest = np.full((image_size, image_size), np.inf)
  for number, face in enumerate(plane.faces):
    # A ray meets a convex face if it passes all edges on the same side.
    corners = plane.corners[face] - eye
    edges = np.cross(corners, np.roll(corners, -1, axis=0))
    sides = rays @ edges.T
    through = (sides > 0).all(-1) | (sides < 0).all(-1)
    normal = plane.normals[number]
    depth = (plane.offsets[number] - normal @ eye) / (rays @ normal)
    hit = through & (depth < nearest)
    seen[hit] = number
    nearest[hit] = depth[hit]

  light = np.maximum(0, plane.normals @ (airplane_renderer.TO_LAMP @ pose))
  shade = airplane_renderer.AMBIENT + airplane_renderer.LAMP * light
  colors = np.minimum(255, plane.colors * shade[:, np.newaxis])
  colors = np.concatenate([colors, [airplane_renderer.GROUND]])
  return seen, colors[seen]


def test_painted_surfaces_are_those_a_ray_meets_first():
  poses = transform.Rotation.random(10, random_state=5).as_matrix()
  size = 160
  frames = airplane_renderer.render(poses, size)
  compared = []
  for frame, pose in zip(frames, poses, strict=True):
    seen, expected = _cast_rays(pose, size)
    # Away from the edges, where a pixel is an average.
    inner = np.ones_like(seen, bool)
    for shift in np.ndindex(3, 3):
      inner &= seen == np.roll(seen, np.array(shift) - 1, axis=(0, 1))
    wrong = abs(frame - expected).max(-1) > 2
    assert wrong[inner].mean() < 5e-4
    compared.append(seen[inner])
  faces = np.concatenate(compared)
  assert (faces >= 0).sum() > 10000
  for part, numbers in airplane_renderer.airplane().parts.items():
    assert np.isin(faces, numbers).any(), part


def test_airplane_keeps_inside_the_picture():
  poses = transform.Rotation.random(200, random_state=6).as_matrix()
  frames = airplane_renderer.render(poses, 64)
  border = np.ones((64, 64), bool)
  border[1:-1, 1:-1] = False
  np.testing.assert_array_equal(
    frames[:, border],
    np.broadcast_to(airplane_renderer.GROUND, (200, border.sum(), 3)),
  )


def test_a_pixel_at_an_edge_is_the_average_over_its_area():
  poses = transform.Rotation.random(2, random_state=8).as_matrix()
  size, rays = 64, 6
  for frame, pose in zip(
    airplane_renderer.render(poses, size), poses, strict=True
  ):
    _, colors = _cast_rays(pose, size * rays)
    cells = colors.reshape(size, rays, size, rays, 3)
    edge = np.ptp(cells, axis=(1, 3)).max(-1) > 30
    assert edge.sum() > 200
    error = abs(frame - cells.mean((1, 3)))
    # OpenCV widens a polygon by half a pixel of the larger picture; twice
    # the size gives 20, no supersampling 44.
    assert error[edge].mean() < 12


@pytest.mark.parametrize('size', [16, 33, 64, 172])
def test_pictures_have_the_size_asked_for(size):
  frames = airplane_renderer.render(np.eye(3)[np.newaxis], size)
  assert frames.shape == (1, size, size, 3)
  assert frames.dtype == np.uint8
