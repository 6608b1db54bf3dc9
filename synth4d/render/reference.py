"""The same pictures as splat.py, written to be read: the oracle of its tests and the baseline of its bench.

One Gaussian after the other in depth order, over the pixels of its footprint, in double precision.
Formulas: EWA splatting (Zwicker et al. 2001), 3D Gaussian Splatting (Kerbl et al. 2023, sections 4 and 6),
antialiasing of Mip-Splatting (Yu et al. 2024, section 4.2), real spherical harmonics (Sloan 2008, appendix A2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.geometry import rigid_inverse, rotmat
from synth4d.render.splat import Picture, pinhole, pose
from synth4d.types import F64, Gaussians

NEAR_PLANE = 0.01
LOW_PASS = 0.3
SLOPE_PASS = 0.0002
DEPTH_SPAN = 4.0
MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Splats:
    """Projected Gaussians, nearest first; `row` says which Gaussian each is."""

    row: NDArray[np.intp]
    centre: F64
    """(M,2) pixels"""
    cov: F64
    """(M,2,2) pixels², low-pass included"""
    z: F64
    slope: F64
    """(M,2) metres of depth a pixel, along the middle of the Gaussian"""
    span: F64
    """(M,) how far that middle may lead from the centre, metres of depth"""
    opacity: F64
    colour: F64
    """(M,3)"""


def project(g: Gaussians, K: ArrayLike, T_world_cam: ArrayLike, width: int, height: int) -> Splats:
    fx, fy, cx, cy = pinhole(K)
    V = rigid_inverse(pose(T_world_cam))
    R = V[:3, :3]
    M = rotmat(g.quats_wxyz) * g.scales[:, None, :].astype(float)
    cov_cam = np.einsum("ij,njk,nlk,ml->nim", R, M, M, R)
    x, y, z = (np.einsum("ij,nj->ni", R, g.means.astype(float)) + V[:3, 3]).T
    rows = np.flatnonzero(z >= NEAR_PLANE)
    rows = rows[np.argsort(z[rows].astype(np.float32), kind="stable")]
    x, y, z, cov_cam = x[rows], y[rows], z[rows], cov_cam[rows]

    # The projection is linearised at the centre, but no further out than 30 % of half the frame beyond it.
    u = np.clip(x / z, -cx / fx - 0.15 * width / fx, (width - cx) / fx + 0.15 * width / fx)
    v = np.clip(y / z, -cy / fy - 0.15 * height / fy, (height - cy) / fy + 0.15 * height / fy)
    J = np.zeros((len(z), 2, 3))
    J[:, 0, 0], J[:, 0, 2] = fx / z, -fx * u / z
    J[:, 1, 1], J[:, 1, 2] = fy / z, -fy * v / z
    cov = np.einsum("nij,njk,nlk->nil", J, cov_cam, J)
    # Mean depth given the pixel: cov(z,uv) cov(uv)⁻¹, before the low-pass.
    slope = np.linalg.solve(cov + SLOPE_PASS * np.eye(2), np.einsum("nij,nj->ni", J, cov_cam[:, :, 2])[..., None])
    span = DEPTH_SPAN * np.sqrt(cov_cam[:, 2, 2])
    centre = np.stack([fx * x / z + cx, fy * y / z + cy], -1)
    wide = cov + LOW_PASS * np.eye(2)
    share = np.sqrt(np.maximum(np.linalg.det(cov) / np.linalg.det(wide), 0))
    filtered = np.broadcast_to(g.antialiased, len(g.means))[rows]
    opacity = g.opacities[rows] * np.where(filtered, share, 1.0)
    colour = shown(g, np.asarray(T_world_cam, float)[:3, 3])[rows]
    return Splats(rows, centre, wide, z, slope[..., 0], span, opacity, colour)


def shown(g: Gaussians, eye: F64) -> F64:
    """(N,3) colours from an eye (3,): Σ over degree l and order m of a weight times the real harmonic Y_lm of the
    direction to the mean, with the Condon–Shortley phase, m from −l to l."""
    from scipy.special import gammaln, lpmv

    if g.sh is None:
        return g.colours.astype(float)
    x, y, z = (g.means - eye).astype(float).T / np.linalg.norm(g.means - eye, axis=1)
    total, azimuth = g.colours.astype(float), np.arctan2(y, x)
    orders = [(l, m) for l in (1, 2, 3) for m in range(-l, l + 1)][: g.sh.shape[1]]
    for k, (l, m) in enumerate(orders):
        ratio = np.exp(gammaln(l - abs(m) + 1) - gammaln(l + abs(m) + 1))
        norm = np.sqrt((2 * l + 1) / (4 * np.pi) * ratio) * (np.sqrt(2) if m else 1)
        wave = np.sin(-m * azimuth) if m < 0 else np.cos(m * azimuth)
        total = total + g.sh[:, k] * (norm * lpmv(abs(m), l, z) * wave)[:, None]
    return np.maximum(total, 0)


def render(
    g: Gaussians, K: ArrayLike, T_world_cam: ArrayLike, width: int, height: int, covered: float = 1.0
) -> Picture:
    """As Rasteriser.render."""
    splats = project(g, K, T_world_cam, width, height)
    rgb, weight_z = np.zeros((height, width, 3)), np.zeros((height, width))
    T, done = np.ones((height, width)), np.zeros((height, width), bool)
    median, ids = np.zeros((height, width)), np.zeros((height, width), np.uint16)
    for row, centre, cov, z, slope, span, opacity, colour in zip(
        *(getattr(splats, f.name) for f in fields(splats)), strict=True
    ):
        if opacity < MIN_ALPHA:
            continue
        # Half the sides of the box around the outline at which alpha has fallen to 1/255.
        half = np.sqrt(2 * np.log(opacity / MIN_ALPHA) * np.diag(cov)) + 1
        x0, y0 = np.clip(np.floor(centre - half), 0, (width, height)).astype(int)
        x1, y1 = np.clip(np.ceil(centre + half), 0, (width, height)).astype(int)
        box = np.s_[y0:y1, x0:x1]
        dx, dy = np.arange(x0, x1) + 0.5 - centre[0], np.arange(y0, y1)[:, None] + 0.5 - centre[1]
        a, b, c = np.array([cov[1, 1], -cov[0, 1], cov[0, 0]]) / (cov[0, 0] * cov[1, 1] - cov[0, 1] ** 2)
        alpha = np.minimum(MAX_ALPHA, opacity * np.exp(-0.5 * (a * dx**2 + 2 * b * dx * dy + c * dy**2)))

        t = T[box]
        after = t * (1 - alpha)
        hit = (alpha >= MIN_ALPHA) & ~done[box]
        ends = hit & (after <= (MIN_TRANSMITTANCE if covered == 1 else 1 - covered))
        done[box] |= ends
        if covered == 1:
            hit &= ~ends
        w = np.where(hit, alpha * t, 0.0)
        rgb[box] += w[..., None] * colour
        weight_z[box] += w * z
        crosses = hit & (t > 0.5) & (after <= 0.5)
        ridge = np.maximum(z + np.clip(slope[0] * dx + slope[1] * dy, -span, span), NEAR_PLANE)
        median[box] = np.where(crosses, ridge, median[box])
        ids[box] = np.where(crosses, g.ids[row], ids[box])
        T[box] = np.where(hit, after, t)
    alpha = 1 - T
    expected = np.divide(weight_z, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    f32 = np.float32
    return Picture(rgb.astype(f32), median.astype(f32), expected.astype(f32), alpha.astype(f32), ids)
