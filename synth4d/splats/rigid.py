"""Rotations found without LAPACK, whose last bits depend on the processor; and moving Gaussians about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from synth4d.errors import SceneError
from synth4d.geometry import quat_mul, rotate, rotmat
from synth4d.splats import harmonics
from synth4d.types import F64, Gaussians


def nearest_rotation(C: ArrayLike) -> F64:
    """(...,3,3) → (...,4) unit wxyz, w ≥ 0, of the rotation R that makes Σ R·C greatest.

    Of Σ yᵢ xᵢᵀ over pairs of centred points it is the least-squares rotation from x to y; of a rotation matrix, its
    quaternion. Source: Horn, "Closed-form solution of absolute orientation using unit quaternions" (JOSA A 1987);
    the eigenvector by cyclic Jacobi sweeps, which converge quadratically: 8 sweeps of a 4×4 reach float64's end.
    """
    C = np.asarray(C, float)
    a = np.empty((*C.shape[:-2], 4, 4))
    xx, yy, zz = C[..., 0, 0], C[..., 1, 1], C[..., 2, 2]
    a[..., 0, 0], a[..., 1, 1], a[..., 2, 2], a[..., 3, 3] = xx + yy + zz, xx - yy - zz, yy - xx - zz, zz - xx - yy
    a[..., 0, 1] = a[..., 1, 0] = C[..., 2, 1] - C[..., 1, 2]
    a[..., 0, 2] = a[..., 2, 0] = C[..., 0, 2] - C[..., 2, 0]
    a[..., 0, 3] = a[..., 3, 0] = C[..., 1, 0] - C[..., 0, 1]
    a[..., 1, 2] = a[..., 2, 1] = C[..., 0, 1] + C[..., 1, 0]
    a[..., 1, 3] = a[..., 3, 1] = C[..., 0, 2] + C[..., 2, 0]
    a[..., 2, 3] = a[..., 3, 2] = C[..., 1, 2] + C[..., 2, 1]
    v = np.broadcast_to(np.eye(4), a.shape).copy()
    with np.errstate(over="ignore"):  # the tangent of an angle near zero, squared
        for p, q in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] * 8:
            _annihilate(a, v, p, q)
    best = np.argmax(np.diagonal(a, axis1=-2, axis2=-1), -1)
    quat = np.take_along_axis(v, best[..., None, None], -1)[..., 0]
    quat = quat / np.sqrt((quat * quat).sum(-1, keepdims=True))
    return np.where(quat[..., :1] < 0, -quat, quat)


def _annihilate(a: F64, v: F64, p: int, q: int) -> None:
    """One Jacobi rotation: a[p, q] becomes 0, and v keeps track of the axes. In place."""
    off = a[..., p, q]
    theta = (a[..., q, q] - a[..., p, p]) / np.where(off == 0, 1.0, 2 * off)
    t = np.where(theta < 0, -1.0, 1.0) / (np.abs(theta) + np.sqrt(theta * theta + 1))
    t = np.where(off == 0, 0.0, t)[..., None]
    c = 1 / np.sqrt(t * t + 1)
    s = t * c
    for m, rows in ((a, True), (a, False), (v, False)):
        one, two = (m[..., p, :], m[..., q, :]) if rows else (m[..., :, p], m[..., :, q])
        one[...], two[...] = c * one - s * two, s * one + c * two


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """x → R (scale · x) + t, with R = hand · turn."""

    scale: float
    hand: float
    """-1 where R mirrors, else 1"""
    turn: F64
    """(4,) wxyz"""
    t: F64

    @property
    def R(self) -> F64:
        return self.hand * rotmat(self.turn)

    def directions(self, v: ArrayLike) -> F64:
        """R v of (...,3), unscaled."""
        return self.hand * rotate(self.turn, v)

    def points(self, x: ArrayLike) -> F64:
        return self.directions(self.scale * np.asarray(x, float)) + self.t


def similarity(T: ArrayLike, scale: float) -> Similarity:
    """Of T (4,4) after a scale; SceneError where T is not rigid to three digits, which are made exact."""
    T = np.asarray(T, float)
    if not (np.isfinite(scale) and scale > 0):
        raise SceneError(f"scale {scale} of Gaussians must be positive")
    if T.shape != (4, 4) or not np.isfinite(T).all() or (T[3] != (0, 0, 0, 1)).any():
        raise SceneError("a transform of Gaussians must be a 4×4 matrix with last row 0 0 0 1")
    R = T[:3, :3]
    if np.abs((R[:, :, None] * R[:, None, :]).sum(0) - np.eye(3)).max() > 1e-3:
        raise SceneError("a transform of Gaussians must be rigid (orthogonal 3×3 part); give the scale apart")
    hand = float(np.sign((R[:, 0] * np.cross(R[:, 1], R[:, 2])).sum()))
    return Similarity(float(scale), hand, nearest_rotation(hand * R), T[:3, 3].copy())


def transform(gaussians: Gaussians, T: ArrayLike, scale: float = 1.0) -> Gaussians:
    """The same Gaussians elsewhere: scaled about the origin, then moved by T (4,4), x → R (scale · x) + t.

    R may mirror, as files in left-handed axes need. Shapes, view-dependent colours and ids come along. SceneError
    where T is not rigid or the scale not positive.
    """
    move = similarity(T, scale)
    still = bool((np.eye(3) == move.R).all())
    # An ellipsoid is its own mirror image through its centre, so its axes need the turn only.
    return replace(
        gaussians,
        means=move.points(gaussians.means).astype(np.float32),
        quats_wxyz=quat_mul(move.turn, gaussians.quats_wxyz).astype(np.float32),
        scales=gaussians.scales * np.float32(scale),
        sh=gaussians.sh if gaussians.sh is None or still else harmonics.rotate(gaussians.sh, move.R),
    )
