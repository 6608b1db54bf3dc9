"""What hides what: how far a camera path sees among still things, and what lies about a point of a surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synth4d.rays import RayScene
from synth4d.render import _author
from synth4d.render.view import Sight
from synth4d.types import F64, I32, CameraPath, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_STEP = 3
"""One ray for 3×3 pixels, through another of them in each frame: so what shows through a slit is met in some."""
_FRAMES = 48
"""At most so many frames are looked at."""
_BETWEEN = 4.0
"""Cells that a point moves at most from a frame that is looked at to one that is not."""
_REACH = (1, 2, 4, 7, 13, 25)
"""Radii in cells of the neighbourhoods over which the farthest depth is kept, each at most 3 times the one before
and 1: its depth is the farthest of three neighbourhoods of that one."""
_SLACK_M = 0.02
_FAR_M = 1e4


class Horizon:
    """How far a camera path sees among still occluders."""

    def __init__(self, camera: CameraPath, scene: RayScene) -> None:
        self.size = ((camera.width + _STEP - 1) // _STEP, (camera.height + _STEP - 1) // _STEP)
        self.K = camera.K / np.array([[_STEP], [_STEP], [1]])
        every = -(-len(camera.T_world_cam) // _FRAMES)
        cameras = np.ascontiguousarray(camera.T_world_cam[::every])
        ways = [self._from(*place) for place in np.ndindex(_STEP, _STEP)]
        depth = np.stack([scene.depths(T, ways[frame % len(ways)], _FAR_M) for frame, T in enumerate(cameras)])
        between = _BETWEEN if every > 1 else 0.0
        self.depths = _author.Depths(cameras, depth, self.K, list(_REACH), between, _SLACK_M)

    def _from(self, row: int, column: int) -> F64:
        """(3,h,w) directions through one of the 3×3 pixels of every cell, in the camera's axes."""
        x, y = (
            (np.arange(n) + (k + 0.5) / _STEP - self.K[i, 2]) / self.K[i, i]
            for i, (n, k) in enumerate(zip(self.size, (column, row), strict=True))
        )
        length = np.sqrt(x * x + (y * y)[:, None] + 1)
        return np.stack([x / length, y[:, None] / length, 1 / length])


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
            p, w, b = points.take(rows, axis=0), ways.take(rows, axis=0), body[rows]  # an index takes thrice as long
            yield (scene, rows, p, w) if key >= 0 else (scene, rows, self._sight.placed(p, b), self._sight.turned(w, b))
