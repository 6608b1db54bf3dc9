"""Rays: what they hit is what the triangles' own equations say."""

from __future__ import annotations

import numpy as np
import pytest

from synth4d.geometry import pose_matrix
from synth4d.rays import RayScene

RAYS = 333
"""Not a multiple of a packet."""


def crossings(triangles: np.ndarray, origins: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """(N,M) lengths of ways at which rays cross triangles, inf = not (Möller and Trumbore 1997)."""
    a, e, f = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(ways[:, None], f[None])
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / (e * p).sum(2)
        s = origins[:, None] - a
        q = np.cross(s, e[None])
        u, v, t = (s * p).sum(2) * inverse, (ways[:, None] * q).sum(2) * inverse, (f * q).sum(2) * inverse
        return np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0), t, np.inf)


@pytest.fixture(scope="module")
def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    triangles = rng.random((80, 1, 3)) + rng.normal(size=(80, 3, 3)) * 0.1
    return triangles, rng.random((RAYS, 3)), rng.normal(size=(RAYS, 3))


@pytest.mark.parametrize("alike", [False, True])
def test_the_first_hit_is_the_nearest_crossing(case: tuple[np.ndarray, ...], alike: bool) -> None:
    triangles, origins, ways = case
    at = crossings(*case)
    scene = RayScene(triangles)
    triangle, far = scene.first(origins, ways, alike=alike)
    hit = np.isfinite(at.min(1))
    assert 20 < hit.sum() < RAYS and (triangle >= 0).tolist() == hit.tolist()
    assert triangle[hit].tolist() == at.argmin(1)[hit].tolist()
    assert far == pytest.approx(at.min(1), rel=1e-4)
    reach = np.full(RAYS, 0.3, np.float32)
    assert scene.distances(origins, ways, reach, alike=alike) == pytest.approx(np.minimum(at.min(1), 0.3), rel=1e-4)
    assert scene.blocked(origins, ways, reach, alike=alike).tolist() == (at.min(1) < 0.3).tolist()


def test_the_depths_of_a_picture_are_distances_along_its_axis(case: tuple[np.ndarray, ...]) -> None:
    triangles, _, ways = case
    camera = pose_matrix(np.array([0.4, 0.5, 0.6, 0.8, 0.0, 0.6, 0.0]))
    unit = ways[:, None] / np.linalg.norm(ways, axis=1)[:, None, None]
    picture = np.ascontiguousarray(np.moveaxis(unit.reshape(9, 37, 3), -1, 0))  # no whole number of packets
    along = np.minimum(crossings(triangles, np.tile(camera[:3, 3], (RAYS, 1)), unit[:, 0] @ camera[:3, :3].T).min(1), 2)
    assert 20 < (along < 2).sum() < RAYS
    expected = (along * unit[:, 0, 2]).reshape(9, 37)
    assert RayScene(triangles).depths(camera, picture, 2.0) == pytest.approx(expected, rel=1e-4)
    assert RayScene(np.zeros((0, 3, 3))).depths(camera, picture, 2.0) == pytest.approx(2 * picture[2])


def test_rays_of_points_are_turned_into_the_frame_of_the_triangles(case: tuple[np.ndarray, ...]) -> None:
    triangles, points, ways = case
    motion = pose_matrix(np.array([0.1, -0.2, 0.05, 0.8, 0.0, 0.6, 0.0]))
    R, t = motion[:3, :3], motion[:3, 3]
    unit = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    at = crossings(triangles, points @ R.T + t, unit @ R.T).min(1)
    scene = RayScene(triangles)
    here, normals, m = (v.astype(np.float32) for v in (points, unit, motion[:3]))
    patterns = np.tile(np.array([0, 0, 1], np.float32), (256, 3, 1))
    known = np.full((RAYS, 3), 0.5, np.float32)
    rows, met = scene.openings(here, normals, np.zeros(RAYS, np.uint8), patterns, m, known, 0.5)
    assert 0 < len(rows) < RAYS
    known[rows] = met
    assert known == pytest.approx(np.repeat(np.minimum(at, 0.5)[:, None], 3, 1), rel=1e-4)
    targets = np.array([[0.5, 0.5, 0.5], [2.0, 0.1, 0.3]])
    start, clear = points @ R.T + t, np.zeros((RAYS, 2), np.uint16)
    clear[::5] = 1
    rows, bits = scene.shadows(here, targets[:, None].astype(np.float32), m, clear, 1)
    clear[rows] = bits
    for k, target in enumerate(targets):
        expected = crossings(triangles, start, target - start).min(1) < 0.999
        expected[::5] = True
        assert (clear[:, k] == 1).tolist() == expected.tolist()


def test_nothing_is_hit_where_there_is_nothing() -> None:
    scene, ways = RayScene(np.zeros((0, 3, 3))), np.ones((2, 3))
    assert scene.first(ways, ways)[0].tolist() == [-1, -1] and not scene.blocked(ways, ways, np.ones(2)).any()
    assert scene.distances(ways, ways, np.ones(2)).tolist() == [1, 1]
