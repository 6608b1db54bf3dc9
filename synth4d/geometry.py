"""Rigid geometry on numpy arrays: rotations, poses, cameras, oriented boxes, point-to-box distance.

Conventions as in types.py. Products of 3×3 and 4×4 matrices are written with einsum-free numpy sums where
their bytes are committed, since BLAS results differ between processors.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from synth4d.types import F64

# ---- Rotations and poses -------------------------------------------------------------------------

Num = TypeVar("Num", float, F64)
_FEW = 600
"""Numbers of which so few are rotated as quickly in one go as axis by axis."""


def quat_mul(a: ArrayLike, b: ArrayLike) -> F64:
    """Hamilton product of quaternions wxyz, (...,4)."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim == b.ndim == 1:
        return np.array(_product(*a.tolist(), *b.tolist()))
    return np.stack(_product(*np.moveaxis(a, -1, 0), *np.moveaxis(b, -1, 0)), -1)


def _product(aw: Num, ax: Num, ay: Num, az: Num, bw: Num, bx: Num, by: Num, bz: Num) -> tuple[Num, Num, Num, Num]:
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def quat_inv(q: ArrayLike) -> F64:
    return np.asarray(q, float) * np.array([1.0, -1.0, -1.0, -1.0])


def quat_from_axis_angle(axis: ArrayLike, angle: ArrayLike) -> F64:
    """(...,3) unit axis, (...) radians → (...,4) wxyz."""
    axis, half = np.asarray(axis, float), np.asarray(angle, float)[..., None] / 2
    return np.concatenate([np.cos(half), np.sin(half) * axis], -1)


def rotmat(q: ArrayLike) -> F64:
    """(...,4) wxyz → (...,3,3)."""
    q = np.asarray(q, float)
    if q.ndim == 1:  # a single one in Python's own floats: the same sums in a tenth of the time
        return np.array(_rows(*q.tolist()))
    R = np.empty((*q.shape[:-1], 3, 3))
    for i, row in enumerate(_rows(q[..., 0], q[..., 1], q[..., 2], q[..., 3])):
        for k, entry in enumerate(row):
            R[..., i, k] = entry
    return R


def _rows(w: Num, x: Num, y: Num, z: Num) -> tuple[tuple[Num, Num, Num], ...]:
    """Of the rotation matrix of a quaternion of any length."""
    s = 2.0 / (w * w + x * x + y * y + z * z)
    return (
        (1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)),
        (s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)),
        (s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)),
    )


def quat_from_rotmat(R: ArrayLike) -> F64:
    """(3,3) → (4,) wxyz with w ≥ 0."""
    R = np.asarray(R, float)
    K = np.array(
        [
            [R[0, 0] + R[1, 1] + R[2, 2], 0, 0, 0],
            [R[2, 1] - R[1, 2], R[0, 0] - R[1, 1] - R[2, 2], 0, 0],
            [R[0, 2] - R[2, 0], R[1, 0] + R[0, 1], R[1, 1] - R[0, 0] - R[2, 2], 0],
            [R[1, 0] - R[0, 1], R[2, 0] + R[0, 2], R[2, 1] + R[1, 2], R[2, 2] - R[0, 0] - R[1, 1]],
        ]
    )
    values, vectors = np.linalg.eigh(K / 3.0)
    q = vectors[:, int(np.argmax(values))]
    return q if q[0] >= 0 else -q


def rotate(q: ArrayLike, v: ArrayLike) -> F64:
    """Rotate vectors (...,3) by quaternions (...,4)."""
    q, v = np.asarray(q, float), np.asarray(v, float)
    if q.ndim == v.ndim == 1:
        x, y, z = v.tolist()
        return np.array([a * x + b * y + c * z for a, b, c in _rows(*q.tolist())])
    R = rotmat(q)
    if R.size + v.size < _FEW:
        return R[..., 0] * v[..., 0:1] + R[..., 1] * v[..., 1:2] + R[..., 2] * v[..., 2:3]
    out = np.empty(np.broadcast_shapes(R.shape[:-1], v.shape))
    for k in range(3):  # the same sums; over a last axis of three numpy takes four times as long
        out[..., k] = R[..., k, 0] * v[..., 0] + R[..., k, 1] * v[..., 1] + R[..., k, 2] * v[..., 2]
    return out


def apply_pose(pose: ArrayLike, points: ArrayLike) -> F64:
    """Map points (...,3) from the body frame by poses (...,7) xyz + wxyz."""
    pose = np.asarray(pose, float)
    return rotate(pose[..., 3:], points) + pose[..., :3]


def invert_pose(pose: ArrayLike) -> F64:
    pose = np.asarray(pose, float)
    q = quat_inv(pose[..., 3:])
    return np.concatenate([-rotate(q, pose[..., :3]), q], -1)


def compose(a: ArrayLike, b: ArrayLike) -> F64:
    """Pose a∘b, (...,7): first b, then a."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return np.concatenate([apply_pose(a, b[..., :3]), quat_mul(a[..., 3:], b[..., 3:])], -1)


def pose_matrix(pose: ArrayLike) -> F64:
    """(...,7) → (...,4,4)."""
    pose = np.asarray(pose, float)
    T = np.zeros((*pose.shape[:-1], 4, 4))
    T[..., :3, :3], T[..., :3, 3], T[..., 3, 3] = rotmat(pose[..., 3:]), pose[..., :3], 1
    return T


def rigid_inverse(T: ArrayLike) -> F64:
    """Inverse of rigid (...,4,4)."""
    T = np.asarray(T, float)
    out = np.zeros_like(T)
    R = np.swapaxes(T[..., :3, :3], -1, -2)
    t = T[..., :3, 3]
    out[..., :3, :3] = R
    out[..., :3, 3] = -(R[..., 0] * t[..., 0:1] + R[..., 1] * t[..., 1:2] + R[..., 2] * t[..., 2:3])
    out[..., 3, 3] = 1
    return out


# ---- Cameras -------------------------------------------------------------------------------------


def look_at(eye: ArrayLike, target: ArrayLike) -> F64:
    """T_world_cam (...,4,4) of cameras at eyes (...,3) that look at target with world +z up, OpenCV axes."""
    eye = np.asarray(eye, float)
    a, b, c = np.moveaxis(np.asarray(target, float) - eye, -1, 0)
    # Written out: numpy's cross product of three numbers takes thirty times as long.
    length, flat = np.sqrt(a * a + b * b + c * c), np.sqrt(a * a + b * b)
    z, x = (a / length, b / length, c / length), (b / flat, -a / flat)
    T = np.zeros((*eye.shape[:-1], 4, 4))
    T[..., 0, 0], T[..., 1, 0] = x
    T[..., 0, 1], T[..., 1, 1], T[..., 2, 1] = -z[2] * x[1], z[2] * x[0], z[0] * x[1] - z[1] * x[0]
    T[..., 0, 2], T[..., 1, 2], T[..., 2, 2] = z
    T[..., :3, 3], T[..., 3, 3] = eye, 1
    return T


def intrinsics(width: int, height: int, fov_x: float) -> F64:
    """Pinhole K for a horizontal field of view in radians; centre in the middle of the frame."""
    f = 0.5 * width / np.tan(0.5 * fov_x)
    return np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1.0]])


def project(K: ArrayLike, T_world_cam: ArrayLike, points: ArrayLike) -> tuple[F64, F64]:
    """World points (...,3) → pixels (...,2) and z-depth (...); cameras (...,3,3) and (...,4,4) may be many too. Points
    with z ≤ 0 give meaningless pixels."""
    K, T, p = np.asarray(K, float), rigid_inverse(T_world_cam), np.asarray(points, float)
    c = p[..., 0:1] * T[..., :3, 0] + p[..., 1:2] * T[..., :3, 1] + p[..., 2:3] * T[..., :3, 2] + T[..., :3, 3]
    x, y, depth = c[..., 0], c[..., 1], c[..., 2]
    z = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    return np.stack([K[..., 0, 0] * x / z + K[..., 0, 2], K[..., 1, 1] * y / z + K[..., 1, 2]], -1), depth


def unproject(K: ArrayLike, T_world_cam: ArrayLike, pixels: ArrayLike, depth_z: ArrayLike) -> F64:
    """Pixels (N,2) (centres at half-integers) with z-depth (N,) → world points (N,3)."""
    K, T = np.asarray(K, float), np.asarray(T_world_cam, float)
    p, z = np.asarray(pixels, float), np.asarray(depth_z, float)
    x = (p[..., 0] - K[0, 2]) / K[0, 0] * z
    y = (p[..., 1] - K[1, 2]) / K[1, 1] * z
    return x[..., None] * T[:3, 0] + y[..., None] * T[:3, 1] + z[..., None] * T[:3, 2] + T[:3, 3]


# ---- Oriented boxes ------------------------------------------------------------------------------

_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def box_corners(box: ArrayLike, size: ArrayLike) -> F64:
    """(...,7) centre + wxyz, (3,) extents → (...,8,3) world corners."""
    box = np.asarray(box, float)
    return apply_pose(box if box.ndim == 1 else box[..., None, :], _SIGNS * (np.asarray(size, float) / 2))


_EDGES = np.array([(i, i | 1 << k) for k in range(3) for i in range(8) if not i >> k & 1])
"""The corners that the edges of a box join, numbered as in _SIGNS."""


def box_distance(box_a: ArrayLike, size_a: ArrayLike, box_b: ArrayLike, size_b: ArrayLike) -> float:
    """Exact distance between two oriented boxes, metres; 0 when they touch or one is inside the other.

    They are apart if a normal of a face or of two edges separates them, and then nearest at a corner of one or an
    edge of each (Ericson 2005, Real-Time Collision Detection, 4.4.1 and 5.1.9).
    """
    a, b = ((np.asarray(b, float), np.asarray(s, float)) for b, s in ((box_a, size_a), (box_b, size_b)))
    corners, axes = [box_corners(*x) for x in (a, b)], [rotmat(x[0][3:]).T for x in (a, b)]
    x, y = axes[0][:, None], axes[1][None]
    across = (x[..., [1, 2, 0]] * y[..., [2, 0, 1]] - x[..., [2, 0, 1]] * y[..., [1, 2, 0]]).reshape(-1, 3)
    normals = np.concatenate([*axes, across[np.abs(across).max(1) > 1e-9]])
    along = [(c[:, None] * normals).sum(2) for c in corners]
    if not ((along[0].min(0) > along[1].max(0)) | (along[1].min(0) > along[0].max(0))).any():
        return 0.0
    least = min(_from_box(corners[0], *b), _from_box(corners[1], *a), _between_edges(*corners))
    return 0.0 if least < 1e-6 else least


def _from_box(points: F64, box: F64, size: F64) -> float:
    """Least distance of points (N,3) from a box."""
    local = apply_pose(invert_pose(box), points)
    return float(np.sqrt((np.maximum(np.abs(local) - size / 2, 0.0) ** 2).sum(1).min()))


def _between_edges(a: F64, b: F64) -> float:
    """Least distance of an edge of one box from an edge of another, of corners (8,3) each."""
    p, q = a[_EDGES[:, 0], None], b[None, _EDGES[:, 0]]
    u, v, r = a[_EDGES[:, 1], None] - p, b[None, _EDGES[:, 1]] - q, p - q
    uu, vv, uv, ur, vr = ((x * y).sum(2) for x, y in ((u, u), (v, v), (u, v), (u, r), (v, r)))
    area = uu * vv - uv * uv
    s = _share(np.where(area > 1e-12 * uu * vv, (uv * vr - ur * vv) / np.maximum(area, 1e-300), 0.0))
    t = _share((uv * s + vr) / vv)
    s = _share((uv * t - ur) / uu)
    away = r + s[..., None] * u - t[..., None] * v
    return float(np.sqrt((away * away).sum(2).min()))


def _share(x: F64) -> F64:
    """Cut to 0..1; `np.clip` takes four times as long over few numbers."""
    return np.minimum(np.maximum(x, 0.0), 1.0)
