"""What a camera path can see: used to choose how finely a surface is covered and to leave out the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import invert_pose, pose_matrix
from synth4d.types import F64, CameraPath, Timeline

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The cameras of a clip as one body sees them, in the body's frame."""

    eyes: F64
    """(T,3)"""
    axes: F64
    """(T,3,3) rows: the camera's x, y, z axes"""
    focal: float
    spread: F64
    """(2,) half width and half height of the image plane at distance 1, whichever side is the larger"""

    def reach(self, points: F64, radius: F64) -> F64:
        """(N,) nearest z-depth at which a sphere (N,3), (N,) is inside any frame; inf = in none."""
        nearest = np.full(len(points), np.inf)
        slope = np.sqrt(1 + self.spread**2)
        for eye, axes in zip(self.eyes, self.axes, strict=True):
            r = points - eye
            x, y, z = (r[:, 0] * a[0] + r[:, 1] * a[1] + r[:, 2] * a[2] for a in axes)
            seen = (z > -radius) & (np.abs(x) < self.spread[0] * z + radius * slope[0])
            seen &= np.abs(y) < self.spread[1] * z + radius * slope[1]
            np.minimum(nearest, np.where(seen, z, np.inf), out=nearest)
        return nearest

    def faced(self, points: F64, normals: F64, slack: F64) -> Bool:
        """(N,) whether any eye stands in front of the plane through a point (N,3); slack is the sine of
        the angle by which it may stand behind."""
        front = np.zeros(len(points), bool)
        for eye in self.eyes:
            r = eye - points
            height = r[:, 0] * normals[:, 0] + r[:, 1] * normals[:, 1] + r[:, 2] * normals[:, 2]
            away = np.sqrt(r[:, 0] ** 2 + r[:, 1] ** 2 + r[:, 2] ** 2)
            front |= height > -slack * away
        return front


def views_of(camera: CameraPath, poses: F64) -> Views:
    """The path seen from a body with poses (T,7)."""
    T = camera.T_world_cam
    inverse = pose_matrix(invert_pose(poses))
    R = inverse[:, :3, :3]
    eyes = R[..., 0] * T[:, 0:1, 3] + R[..., 1] * T[:, 1:2, 3] + R[..., 2] * T[:, 2:3, 3] + inverse[:, :3, 3]
    columns = [
        R[..., 0] * T[:, 0, j, None] + R[..., 1] * T[:, 1, j, None] + R[..., 2] * T[:, 2, j, None] for j in range(3)
    ]
    cx, cy, fx, fy = camera.K[0, 2], camera.K[1, 2], camera.K[0, 0], camera.K[1, 1]
    spread = np.array([max(cx, camera.width - cx) / fx, max(cy, camera.height - cy) / fy])
    return Views(eyes, np.stack(columns, 1), float(max(fx, fy)), spread)


def moving(timeline: Timeline) -> Bool:
    """(B,) bodies whose pose changes at any time."""
    spread = timeline.poses.max(0) - timeline.poses.min(0)
    return np.asarray(np.any(spread > 1e-6, axis=1))
