"""What hides what: how far a camera path sees among still things, and what lies about a point of a surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import unproject
from synth4d.rays import RayScene
from synth4d.render import _author
from synth4d.render.view import Sight
from synth4d.types import F32, F64, I32, CameraPath, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_STEP = 2
"""Every second frame is looked at, with one ray for 2×2 pixels."""
_REACH = (1, 3, 7)
"""Radii in cells of the neighbourhoods over which the farthest depth is kept."""
_SLACK_M = 0.02


class Horizon:
    """How far a camera path sees among still occluders."""

    def __init__(self, camera: CameraPath, scene: RayScene) -> None:
        self.scene = scene
        self.size = ((camera.width + _STEP - 1) // _STEP, (camera.height + _STEP - 1) // _STEP)
        self.K = camera.K / np.array([[_STEP], [_STEP], [1]])
        y, x = (np.mgrid[: self.size[1], : self.size[0]] + 0.5).reshape(2, -1)
        ahead = unproject(self.K, np.eye(4), np.stack([x, y], 1), np.ones(len(x)))
        self.ways = ahead / np.sqrt(np.sum(ahead * ahead, 1, keepdims=True))
        last = len(camera.T_world_cam) - 1
        cameras = camera.T_world_cam[sorted({*range(0, last + 1, _STEP), last})]
        levels = np.stack([_farthest(self._depth(T, scene)) for T in cameras])
        self.depths = _author.Depths(np.ascontiguousarray(cameras), levels, self.K, list(_REACH), _SLACK_M)

    def _depth(self, T: F64, scene: RayScene) -> F32:
        w, h = self.size
        x, y, z = self.ways.T.copy()
        ways, eyes = np.empty((2, w * h, 3), np.float32)
        eyes[:] = T[:3, 3]
        for k in range(3):
            ways[:, k] = x * T[k, 0] + y * T[k, 1] + z * T[k, 2]
        reach = np.full(w * h, 1e4, np.float32)
        depth: F32 = (scene.distances(eyes, ways, reach, alike=True) * self.ways[:, 2]).astype(np.float32)
        return depth.reshape(h, w)


def _farthest(depth: F32) -> F32:
    """(len(_REACH)+1, h, w) farthest depth about each cell; the last level is infinite."""
    return np.stack([*(_widest(_widest(depth, r).T, r).T for r in _REACH), np.full_like(depth, np.inf)])


def _widest(values: F32, reach: int) -> F32:
    """Greatest value within reach along the first axis."""
    wide, span = np.pad(values, ((reach, reach), (0, 0)), mode="edge"), 1
    while 2 * span <= 2 * reach + 1:  # each row holds the greatest of itself and the `span` − 1 after it
        wide, span = np.maximum(wide[:-span], wide[span:]), 2 * span
    rest = 2 * reach + 1 - span
    return np.maximum(wide[: len(values)], wide[rest : rest + len(values)])


class Solids:
    """What lies about points of bodies: everything that stands still for those that do, the body itself for those
    that move. Points and directions are in the bodies' frames."""

    def __init__(self, world: World, sight: Sight, still: RayScene) -> None:
        self._sight, self._scenes = sight, {-1: still}
        for body in np.flatnonzero(sight.moves):
            parts = [np.asarray(s.vertices, float)[s.faces] for s in world.bodies[body].surfaces]
            self._scenes[int(body)] = RayScene(np.concatenate([np.zeros((0, 3, 3)), *parts]))

    def blocked(self, points: F64, ways: F64, body: I32, reach: F64) -> Bool:
        """(N,) whether anything is hit within reach (N,)."""
        out = np.zeros(len(points), bool)
        for scene, rows, p, w in self._each(points, ways, body):
            out[rows] = scene.blocked(p, w, reach[rows].astype(np.float32))
        return out

    def distances(self, points: F64, ways: F64, body: I32, reach: F64) -> F64:
        """(N,) distance to the first hit, at most reach (N,)."""
        out = reach.copy()
        for scene, rows, p, w in self._each(points, ways, body):
            out[rows] = scene.distances(p, w, reach[rows].astype(np.float32))
        return out

    def _each(self, points: F64, ways: F64, body: I32) -> Iterator[tuple[RayScene, I64, F64, F64]]:
        group = np.where(self._sight.moves[body], body, -1)
        for key, scene in self._scenes.items():
            rows = np.flatnonzero(group == key)
            p, w, b = points[rows], ways[rows], body[rows]
            yield (scene, rows, p, w) if key >= 0 else (scene, rows, self._sight.placed(p, b), self._sight.turned(w, b))
