"""What a camera path can see: used to choose how finely a surface is covered and to leave out the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import invert_pose, pose_matrix, rotmat
from synth4d.types import F64, I32, CameraPath, Timeline

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_NEAR = (0.06, 0.05)
"""Metres and radians (about) within which frames are tested together, by the first, with that margin."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """The cameras of a clip as one body sees them, in the body's frame, G groups of frames."""

    eyes: F64
    """(G,3)"""
    axes: F64
    """(G,3,3) rows: the camera's x, y, z axes"""
    shift: F64
    """(G,) how far the eyes of a group are from its middle one, metres"""
    turn: F64
    """(G,) how far a point moves in the camera's frame by its turning, per metre of distance"""
    spread: F64
    """(2,) half width and half height of the image plane at distance 1, whichever side is the larger"""

    def reach(self, points: F64, radius: F64) -> F64:
        """(N,) nearest z-depth at which a sphere (N,3), (N,) is inside any frame; inf = in none."""
        nearest = np.full(len(points), np.inf)
        slope = np.sqrt(1 + self.spread**2)
        for eye, axes, shift, turn in zip(self.eyes, self.axes, self.shift, self.turn, strict=True):
            r = points - eye
            x, y, z = (r[:, 0] * a[0] + r[:, 1] * a[1] + r[:, 2] * a[2] for a in axes)
            margin = radius + shift + turn * np.sqrt(x * x + y * y + z * z)
            seen = (z > -margin) & (np.abs(x) < self.spread[0] * z + margin * slope[0])
            seen &= np.abs(y) < self.spread[1] * z + margin * slope[1]
            np.minimum(nearest, np.where(seen, z, np.inf), out=nearest)
        return nearest

    def facing(self, points: F64, normals: F64) -> F64:
        """(N,) sine of the greatest height of any eye over the plane through a point, as seen from there;
        never less than the truth."""
        best = np.full(len(points), -1.0)
        for eye, shift in zip(self.eyes, self.shift, strict=True):
            r = eye - points
            height = r[:, 0] * normals[:, 0] + r[:, 1] * normals[:, 1] + r[:, 2] * normals[:, 2]
            away = np.sqrt(r[:, 0] ** 2 + r[:, 1] ** 2 + r[:, 2] ** 2)
            np.maximum(best, (height + shift) / np.maximum(away - shift, 1e-6), out=best)
        return best


def views_of(camera: CameraPath, poses: F64) -> Views:
    """The path seen from a body with poses (T,7)."""
    T = camera.T_world_cam
    inverse = pose_matrix(invert_pose(poses))
    R = inverse[:, :3, :3]
    eyes: F64 = R[..., 0] * T[:, 0:1, 3] + R[..., 1] * T[:, 1:2, 3] + R[..., 2] * T[:, 2:3, 3] + inverse[:, :3, 3]
    axes: F64 = np.stack(
        [R[..., 0] * T[:, 0, j, None] + R[..., 1] * T[:, 1, j, None] + R[..., 2] * T[:, 2, j, None] for j in range(3)],
        1,
    )
    cx, cy, fx, fy = camera.K[0, 2], camera.K[1, 2], camera.K[0, 0], camera.K[1, 1]
    spread = np.array([max(cx, camera.width - cx) / fx, max(cy, camera.height - cy) / fy])
    first, shift, turn = _groups(eyes, axes)
    return Views(eyes[first], axes[first], shift, turn, spread)


def _groups(eyes: F64, axes: F64) -> tuple[I64, F64, F64]:
    """Runs of frames close to their first one: that frame, and the run's largest shift and turn."""
    first, shift, turn = [0], [0.0], [0.0]
    for t in range(1, len(eyes)):
        moved = float(np.sqrt(np.sum((eyes[t] - eyes[first[-1]]) ** 2)))
        turned = float(np.sqrt(np.sum((axes[t] - axes[first[-1]]) ** 2)))
        if moved > _NEAR[0] or turned > _NEAR[1]:
            first.append(t)
            shift.append(0.0)
            turn.append(0.0)
        else:
            shift[-1], turn[-1] = max(shift[-1], moved), max(turn[-1], turned)
    return np.array(first), np.array(shift), np.array(turn)


def moving(timeline: Timeline) -> Bool:
    """(B,) bodies whose pose changes by more than a tremor: half a millimetre or a tenth of a degree."""
    spread = timeline.poses.max(0) - timeline.poses.min(0)
    return np.asarray((spread[:, :3].max(1) > 5e-4) | (spread[:, 3:].max(1) > 1e-3))


class Sight:
    """What the camera path sees of points given in their bodies' frames."""

    def __init__(self, timeline: Timeline, camera: CameraPath) -> None:
        self.first, self.last = timeline.poses[0], timeline.poses[-1]
        self._rotation, self._shift = rotmat(self.first[:, 3:]), self.first[:, :3]
        self.moves = moving(timeline)
        rest = np.tile([0.0, 0, 0, 1, 0, 0, 0], (len(camera.T_world_cam), 1))
        self.views = {-1: views_of(camera, rest)}
        for body in np.flatnonzero(self.moves):
            self.views[int(body)] = views_of(camera, timeline.poses[:, body])
        self.focal = float(max(camera.K[0, 0], camera.K[1, 1]))

    def reach(self, points: F64, radius: F64, body: I32) -> F64:
        """(N,) nearest z-depth of spheres in any frame, inf where never in view."""

        def ask(views: Views, rows: I64, still: bool) -> F64:
            p = self.placed(points[rows], body[rows]) if still else points[rows]
            return views.reach(p, radius[rows])

        return self._each(body, np.full(len(points), np.inf), ask)

    def facing(self, points: F64, normals: F64, body: I32) -> F64:
        """(N,) how frontally a camera ever sees the plane through a point: 1 = square on, ≤ 0 = from behind."""

        def ask(views: Views, rows: I64, still: bool) -> F64:
            p, n, b = points[rows], normals[rows], body[rows]
            if still:
                return views.facing(self.placed(p, b), self.turned(n, b))
            return views.facing(p, n)

        return self._each(body, np.zeros(len(points)), ask)

    def _each(self, body: I32, out: NDArray[Any], ask: Callable[[Views, I64, bool], NDArray[Any]]) -> NDArray[Any]:
        """Ask all that stands still at once, in world coordinates, then each moving body in its own."""
        group = np.where(self.moves[body], body, -1)
        for key, views in self.views.items():
            rows: I64 = np.flatnonzero(group == key)
            if len(rows):
                out[rows] = ask(views, rows, key < 0)
        return out

    def placed(self, points: F64, body: I32) -> F64:
        """(N,3) points in world coordinates, at the first frame."""
        world: F64 = self.turned(points, body) + self._shift[body]
        return world

    def turned(self, vectors: F64, body: I32) -> F64:
        """(N,3) directions in world axes, at the first frame."""
        R = self._rotation[body]
        turned: F64 = R[..., 0] * vectors[:, 0:1]
        turned += R[..., 1] * vectors[:, 1:2]
        turned += R[..., 2] * vectors[:, 2:3]
        return turned
