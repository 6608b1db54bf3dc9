"""What a camera path can see: used to choose how finely a surface is covered and to leave out the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import invert_pose, pose_matrix, rotmat
from synth4d.render import _author
from synth4d.types import F64, I32, CameraPath, Timeline

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_NEAR = (0.06, 0.05)
"""Metres and radians (about) within which frames are tested together, by the first, with that margin."""


def moving(timeline: Timeline) -> Bool:
    """(B,) bodies whose pose changes by more than a tremor: half a millimetre or a tenth of a degree."""
    spread = timeline.poses.max(0) - timeline.poses.min(0)
    return np.asarray((spread[:, :3].max(1) > 5e-4) | (spread[:, 3:].max(1) > 1e-3))


class Sight:
    """What the camera path sees of points given in their bodies' frames."""

    def __init__(self, timeline: Timeline, camera: CameraPath) -> None:
        self.first, self.last = timeline.poses[0], timeline.poses[-1]
        self.rotation, self.place = rotmat(self.first[:, 3:]), np.ascontiguousarray(self.first[:, :3])
        self.moves = moving(timeline)
        self.focal = float(max(camera.K[0, 0], camera.K[1, 1]))
        self.eyes, self.witnesses = _eyes(timeline, camera, self.moves, self.focal)

    def placed(self, points: F64, body: I32) -> F64:
        """(N,3) points in world coordinates, at the first frame."""
        return _author.turned(np.ascontiguousarray(points), body, self.rotation, self.place)

    def turned(self, vectors: F64, body: I32) -> F64:
        """(N,3) directions in world axes, at the first frame."""
        return _author.turned(np.ascontiguousarray(vectors), body, self.rotation, np.zeros_like(self.place))


def spread(camera: CameraPath) -> tuple[float, float]:
    """Half width and half height of the image plane at distance 1, whichever side is the larger."""
    cx, cy, fx, fy = camera.K[0, 2], camera.K[1, 2], camera.K[0, 0], camera.K[1, 1]
    return float(max(cx, camera.width - cx) / fx), float(max(cy, camera.height - cy) / fy)


def _eyes(timeline: Timeline, camera: CameraPath, moves: Bool, focal: float) -> tuple[_author.Eyes, F64]:
    """The cameras as each body sees them, in groups of frames (still bodies share one grouping), and the first, the
    middle and the last eye of each body (B,3,3)."""
    cameras = camera.T_world_cam
    first, shift, turn = _groups(cameras[:, :3, 3], np.swapaxes(cameras[:, :3, :3], 1, 2))
    still = _seen_from(cameras[first], pose_matrix(invert_pose(timeline.poses[0]))[:, None])
    parts = []
    for body in range(len(moves)):
        if moves[body]:
            eyes, axes = _seen_from(cameras, pose_matrix(invert_pose(timeline.poses[:, body])))
            mine, *margins = _groups(eyes, axes)
            parts.append((eyes[mine], axes[mine], *margins))
        else:
            parts.append((still[0][body], still[1][body], shift, turn))
    all_eyes, all_axes, shifts, turns = (np.ascontiguousarray(np.concatenate(c)) for c in zip(*parts, strict=True))
    begin = np.cumsum([0, *(len(p[0]) for p in parts)]).astype(np.int64)
    witnesses = np.stack([p[0][[0, len(p[0]) // 2, -1]] for p in parts])
    return _author.Eyes(all_eyes, all_axes, shifts, turns, begin, spread(camera), focal), witnesses


def _seen_from(cameras: F64, inverse: F64) -> tuple[F64, F64]:
    """Eyes (…,3) and rows of camera axes (…,3,3) of T_world_cam (…,4,4) in the frames of inverse (…,4,4)."""
    R, T = inverse[..., :3, :3], cameras
    axes = [R[..., 0] * T[..., 0, j, None] + R[..., 1] * T[..., 1, j, None] + R[..., 2] * T[..., 2, j, None]
            for j in range(4)]  # fmt: skip
    return axes[3] + inverse[..., :3, 3], np.stack(axes[:3], -2)


def _groups(eyes: F64, axes: F64) -> tuple[I64, F64, F64]:
    """Runs of frames close to their first one: that frame, how far the eyes of a run are from its first, and how
    far a point moves in the camera's frame by its turning, per metre of distance."""
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
