"""Leaving out what still things hide: walls behind cupboards, surfaces just under others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import project, unproject
from synth4d.rays import RayScene
from synth4d.types import F32, F64, CameraPath

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_STEP = 2
"""Every second frame is looked at, with one ray for 2×2 pixels."""
_REACH = (1, 3, 7)
"""Radii in cells of the neighbourhoods over which the farthest depth is kept."""
_SLACK_M = 0.02
_COVER_M, _LIFT_M = 0.006, 0.0003


class Horizon:
    """How far a camera path sees among still occluders."""

    def __init__(self, camera: CameraPath, scene: RayScene) -> None:
        self.scene = scene
        self.size = ((camera.width + _STEP - 1) // _STEP, (camera.height + _STEP - 1) // _STEP)
        self.K = camera.K / np.array([[_STEP], [_STEP], [1]])
        last = len(camera.T_world_cam) - 1
        self.cameras = [camera.T_world_cam[t] for t in sorted({*range(0, last + 1, _STEP), last})]
        self.levels = [_farthest(self._depth(T, scene)) for T in self.cameras]

    def sees(self, points: F64, radius: F64) -> Bool:
        """(N,) whether any part of a sphere (N,3), (N,) in world coordinates may be in sight."""
        seen = np.zeros(len(points), bool)
        for T, levels in zip(self.cameras, self.levels, strict=True):
            rows = np.flatnonzero(~seen)
            pixels, z = project(self.K, T, points[rows])
            r = radius[rows]
            close = z < 2 * r + 0.05
            cells = self.K[0, 0] * r / np.maximum(z - r, 0.01) + 0.5
            level = np.minimum(np.searchsorted(_REACH, cells), len(_REACH))
            u, v = (np.clip(pixels[:, k], 0, self.size[k] - 1).astype(np.int64) for k in (0, 1))
            farthest = levels[level, v, u]
            # Behind the camera is not in sight; what is wholly out of the frame was left out before.
            seen[rows] = np.where(close, z > -r, z - r - _SLACK_M <= farthest)
        return seen

    def covers(self, points: F64, normals: F64) -> Bool:
        """(N,) whether a still surface lies less than _COVER_M above a point, world coordinates."""
        reach = np.full(len(points), _COVER_M, np.float32)
        return self.scene.blocked(points + _LIFT_M * normals, normals, reach)

    def _depth(self, T: F64, scene: RayScene) -> F32:
        w, h = self.size
        y, x = np.mgrid[:h, :w] + 0.5
        ahead = unproject(self.K, T, np.stack([x.ravel(), y.ravel()], 1), np.ones(w * h)) - T[:3, 3]
        length = np.sqrt(np.sum(ahead * ahead, 1))
        reach = np.full(w * h, 1e4, np.float32)
        eyes = np.broadcast_to(T[:3, 3], (w * h, 3))
        depth: F32 = (scene.distances(eyes, ahead / length[:, None], reach) / length).astype(np.float32)
        return depth.reshape(h, w)


def _farthest(depth: F32) -> F32:
    """(len(_REACH)+1, h, w) farthest depth about each cell; the last level is infinite."""
    return np.stack([*(_widest(_widest(depth, r).T, r).T for r in _REACH), np.full_like(depth, np.inf)])


def _widest(values: F32, reach: int) -> F32:
    """Greatest value within reach along the first axis."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    out = padded[: len(values)].copy()
    for shift in range(1, 2 * reach + 1):
        np.maximum(out, padded[shift : shift + len(values)], out=out)
    return out
