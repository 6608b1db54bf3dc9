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

_STEP = 3
"""One ray for 3×3 pixels, through another of them in each frame: so what shows through a slit is met in some."""
_FRAMES = 48
"""At most so many frames are looked at."""
_BETWEEN = 4.0
"""Cells that a point moves at most from a frame that is looked at to one that is not."""
_REACH = (1, 2, 4, 7, 13, 25)
"""Radii in cells of the neighbourhoods over which the farthest depth is kept, each at most 3 times the one before and
1: it is the greatest of three neighbourhoods of that one."""
_SLACK_M = 0.02


class Horizon:
    """How far a camera path sees among still occluders."""

    def __init__(self, camera: CameraPath, scene: RayScene) -> None:
        self.scene = scene
        self.size = ((camera.width + _STEP - 1) // _STEP, (camera.height + _STEP - 1) // _STEP)
        self.K = camera.K / np.array([[_STEP], [_STEP], [1]])
        every = -(-len(camera.T_world_cam) // _FRAMES)
        cameras = np.ascontiguousarray(camera.T_world_cam[::every])
        levels = np.stack([_farthest(self._depth(frame, T)) for frame, T in enumerate(cameras)])
        self.depths = _author.Depths(cameras, levels, self.K, list(_REACH), _BETWEEN if every > 1 else 0.0, _SLACK_M)

    def _depth(self, frame: int, T: F64) -> F32:
        """(h,w) what a ray of each cell meets."""
        w, h = self.size
        place = (np.array([frame % _STEP, frame // _STEP % _STEP]) + 0.5) / _STEP
        y, x = np.mgrid[:h, :w].reshape(2, -1).astype(float)
        ahead = unproject(self.K, np.eye(4), np.stack([x + place[0], y + place[1]], 1), np.ones(len(x)))
        length = np.sqrt(np.sum(ahead * ahead, 1))
        x, y, z = ahead.T / length
        ways, eyes = np.empty((2, w * h, 3), np.float32)
        eyes[:] = T[:3, 3]
        for k in range(3):
            ways[:, k] = x * T[k, 0] + y * T[k, 1] + z * T[k, 2]
        reach = np.full(w * h, 1e4, np.float32)
        depth: F32 = (self.scene.distances(eyes, ways, reach, alike=True) * z).astype(np.float32)
        return depth.reshape(h, w)


def _farthest(depth: F32) -> F32:
    """(len(_REACH)+1, h, w) farthest depth about each cell; the last level is infinite."""
    levels, reach = [depth], 0
    for wider in _REACH:
        levels.append(_widest(_widest(levels[-1], wider - reach).T, wider - reach).T)
        reach = wider
    return np.stack([*levels[1:], np.full_like(depth, np.inf)])


def _widest(values: F32, step: int) -> F32:
    """Greatest of each row and those a step before and after it."""
    padded = np.pad(values, ((step, step), (0, 0)), mode="edge")
    return np.maximum(np.maximum(padded[: -2 * step], padded[2 * step :]), values)


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
