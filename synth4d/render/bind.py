"""Gaussians bound to their bodies' frames, from points on triangles, and the mesh of points that are lit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.render import lattice, texture
from synth4d.render.surface import Outlines, Skin, Triangles
from synth4d.types import F32, F64, I32

I64 = NDArray[np.int64]

SIGMA = 0.6
"""In-plane standard deviation in lattice cells: four neighbours still hide 93 % of what lies between them."""
FLATNESS = 0.03
OPACITY = 0.97
INSET = 1.1
"""Distance in cells that a Gaussian keeps from a hard line: as far as the half-opaque contour of a row of them,
blurred by the rasteriser's pixel filter, lies outside it."""
NARROW_INSET = 0.4
SINK, SINK_M = 0.5, 0.001
"""How deep Gaussians lie under a smooth surface, in cells and at most: the same, for round silhouettes."""
WELD_M = 0.004
"""Corners in one cell of this grid are lit as one: fine meshes need no finer light."""


@dataclass(frozen=True, slots=True, eq=False)
class LightMesh:
    """The points that are lit; Gaussians interpolate between three of them."""

    points: F64
    """(V,3) body frame"""
    normals: F64
    pull: F64
    """(V,3) from the point towards the middle of its triangles: where rays may start clear of edges"""
    body: I32
    faces: I64
    """(F,3) the points at the corners of each triangle"""


@dataclass(frozen=True, slots=True, eq=False)
class Authored:
    """Gaussians in their bodies' frames, in the order of the bodies."""

    skin: I32
    """(N,) index in skins, ascending"""
    means: F32
    quats: F32
    scales: F32
    opacities: F32
    albedo: F32
    """(N,3) linear"""
    triangle: I32
    """(N,) the triangle of the light mesh that a Gaussian lies in"""
    bary: F32
    """(N,3) where in it"""
    light: LightMesh
    skins: list[Skin]

    def slices(self) -> list[tuple[Skin, slice]]:
        """The rows of each skin."""
        ends = np.searchsorted(self.skin, np.arange(len(self.skins) + 1))
        return [(skin, slice(int(a), int(b))) for skin, a, b in zip(self.skins, ends, ends[1:], strict=False)]


def bind(
    triangles: Triangles,
    outlines: Outlines,
    skins: list[Skin],
    pieces: lattice.Pieces,
    points: lattice.Points,
    spacing: F64,
) -> Authored:
    used, compact = _used(pieces.triangle[points.piece], len(triangles))
    small = triangles.take(used)
    row = compact[pieces.triangle][points.piece]
    corners, b = small.corners.astype(np.float32), points.bary
    means = b[:, 0:1] * corners[row, 0] + b[:, 1:2] * corners[row, 1] + b[:, 2:3] * corners[row, 2]
    grain = spacing.astype(np.float32)[points.piece]
    sink = np.where(small.smooth[row], np.minimum(SINK * grain, SINK_M), 0).astype(np.float32)
    means -= sink[:, None] * small.flat.astype(np.float32)[row]
    _keep_clear(means, outlines, triangles.outline[pieces.triangle], pieces, points.piece, spacing)
    axes, stretch = lattice.frames(small.flat)
    shape = np.concatenate([stretch, np.full((len(small), 1), FLATNESS)], 1).astype(np.float32) * np.float32(SIGMA)
    mesh = _light_mesh(small)
    skin = small.skin[row]
    out = Authored(
        skin,
        means,
        quaternions(axes).astype(np.float32)[row],
        shape[row] * grain[:, None],
        (OPACITY * np.array([s.material.opacity for s in skins], np.float32))[skin],
        np.empty((len(row), 3), np.float32),
        row.astype(np.int32),
        b,
        mesh,
        skins,
    )
    axis = lattice.dominant(small.flat)[row]
    for s, rows in out.slices():
        at = texture.Place(means[rows], axis[rows], s.low, s.high, s.material.texture_size_m, grain[rows])
        out.albedo[rows] = texture.albedo(s.material, at)
    return out


def _used(triangle: I64, count: int) -> tuple[I64, I64]:
    """Triangles that carry a Gaussian, and the new number of each (count,)."""
    flag = np.zeros(count, bool)
    flag[triangle] = True
    return np.flatnonzero(flag), np.cumsum(flag) - 1


def _keep_clear(means: F32, outlines: Outlines, outline: I32, pieces: lattice.Pieces, piece: I64, spacing: F64) -> None:
    """Move points that stand too close to a hard line to INSET cells from it, or to a strip's middle."""
    begin = np.searchsorted(piece, np.arange(len(spacing) + 1))
    center, near = pieces.center, pieces.radius + INSET * spacing
    for k in range(outlines.lines.shape[1]):
        lined = np.flatnonzero(~np.isnan(outlines.lines[outline, k, 3]))
        lines = outlines.lines[outline[lined], k]
        away = np.sum(lines[:, :3] * center[lined], 1) - lines[:, 3]
        mine, lines = lined[away < near[lined]], lines[away < near[lined]]
        count = begin[mine + 1] - begin[mine]
        owner = np.repeat(np.arange(len(mine)), count)
        rows = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count - begin[mine], count)
        line = lines.astype(np.float32)[owner]
        p = means[rows]
        distance = p[:, 0] * line[:, 0] + p[:, 1] * line[:, 1] + p[:, 2] * line[:, 2] - line[:, 3]
        half = outlines.widths[outline[mine], k] / 2
        # Next to a strip that has room for one row, a wide margin would leave a gap.
        inset = np.where(outlines.beyond[outline[mine], k] < 2 * spacing[mine], NARROW_INSET, INSET)
        target = np.minimum(inset * spacing[mine], half).astype(np.float32)[owner]
        snap = np.flatnonzero(distance < target)
        means[rows[snap]] += line[snap, :3] * (target - distance)[snap, None]


def _light_mesh(small: Triangles) -> LightMesh:
    """Weld corners that about share surface, place and normal."""
    count = len(small)
    points, normals = small.corners.reshape(-1, 3), small.normals.reshape(-1, 3)
    grid = np.concatenate([np.floor(points / WELD_M), np.round(normals * 6)], 1).astype(np.int64).view(np.uint64)
    key = np.repeat(small.skin, 3).astype(np.uint64)
    for column in range(6):
        key = (key ^ grid[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first, vertex = np.unique(key, return_index=True, return_inverse=True)
    pull = np.repeat(small.corners.mean(1), 3, 0) - points
    share = np.bincount(vertex, minlength=len(first))
    pulled = np.stack([np.bincount(vertex, pull[:, k], len(first)) / share for k in range(3)], 1)
    normal = normals[first] / np.maximum(np.linalg.norm(normals[first], axis=1, keepdims=True), 1e-12)
    corner = vertex.reshape(count, 3).astype(np.int64)
    return LightMesh(points[first], normal, pulled, np.repeat(small.body, 3)[first], corner)


def quaternions(axes: F64) -> F64:
    """(N,4) wxyz of rotation matrices (N,3,3), by the largest of the four squared components."""
    m = axes
    trace = m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]
    best = np.argmax(np.stack([trace, m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]], 1), 1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    x, y, z = (1 + 2 * m[:, k, k] - trace for k in range(3))
    rows = ([1 + trace, a, b, c], [a, x, d, e], [b, d, y, f], [c, e, f, z])
    q = np.stack([np.stack(r, 1) for r in rows], 1)[np.arange(len(m)), best]
    unit: F64 = q / np.linalg.norm(q, axis=1, keepdims=True)
    return unit
