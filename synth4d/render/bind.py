"""Gaussians bound to their bodies' frames, from points on triangles, and the mesh of points that are lit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from synth4d.render import _light, image, texture
from synth4d.render.surface import Outlines, Skin, Triangles, mix
from synth4d.types import F32, F64, I32

I64 = NDArray[np.int64]

SIGMA = 0.55
"""In-plane standard deviation in lattice cells: four neighbours still hide 89 % of what lies between them. Wider ones
blur, narrower ones let the background through."""
FLATNESS = 0.03
OPACITY = 0.97
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


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Where Gaussians are to lie, in the order of the triangles."""

    triangle: I32
    """(N,)"""
    share: F32
    """(N,3) barycentric in the triangle"""
    means: F32
    """(N,3) body frame"""
    grain: F32
    """(N,) metres between neighbours"""
    pixel: F32
    """(N,) metres a pixel where it is seen, on average"""

    def take(self, rows: I64) -> Points:
        return Points(*(getattr(self, f.name).take(rows, axis=0) for f in fields(self)))


def bind(sheet: Triangles, outlines: Outlines, skins: list[Skin], points: Points) -> Authored:
    """Gaussians at points on the triangles of a sheet."""
    used, compact = _used(points.triangle, len(sheet))
    small, row = sheet.take(used), compact[points.triangle]
    quats, scales = _light.lay(small.flat, row, points.grain, SIGMA, FLATNESS)
    out = Authored(
        small.skin[row],
        points.means,
        quats,
        scales,
        np.full(len(row), OPACITY, np.float32),
        np.empty((len(row), 3), np.float32),
        row,
        points.share,
        _light_mesh(small),
        skins,
    )
    axis, face = dominant(small.flat), outlines.face[small.source]
    for s, rows in out.slices():
        mine, grain = row[rows], points.grain[rows]
        if s.material.opacity < OPACITY:
            out.opacities[rows] = _opacity(s.material.opacity, points.pixel[rows], grain)
        if s.material.image is not None and s.uv is not None:
            used, of = np.unique(mine, return_inverse=True)
            uv = mix(small.share[used], s.uv[face[used]].astype(np.float64))
            out.albedo[rows] = image.albedo(s.material, uv, small.corners[used], of, points.share[rows], grain)
        else:
            m = s.material
            at = texture.Place(points.means[rows], axis[mine], s.low, s.high, m.texture_size_m, grain, m.texture_phase)
            out.albedo[rows] = texture.albedo(m, at)
    return out


def _opacity(layer: float, pixel: F32, grain: F32) -> F64:
    """(N,) opacities of Gaussians that together make a layer as opaque as that: the optical thickness of a lattice,
    2π σ² ω a cell with the pixel filter's 0.3 pixels², less what a Gaussian saturates by itself."""
    pixels = (pixel / grain).astype(np.float64)
    thin = -np.log1p(-float(np.float32(layer))) / (2 * np.pi * (SIGMA * SIGMA + 0.3 * pixels * pixels))
    return np.round(np.minimum(thin / (1 + 0.4 * thin), OPACITY), 4)


def _used(triangle: I32, count: int) -> tuple[I64, I32]:
    """Triangles that carry a Gaussian, and the new number of each (count,)."""
    flag = np.zeros(count, bool)
    flag[triangle] = True
    return np.flatnonzero(flag), (np.cumsum(flag) - 1).astype(np.int32)


def dominant(flat: F64) -> I64:
    """Axis (F,) along which a triangle is projected."""
    return np.argmax(np.abs(flat), axis=1)


def _light_mesh(small: Triangles) -> LightMesh:
    """Weld corners that about share surface, place and normal."""
    vertex, first, pull = _light.weld(small.corners, small.normals, small.skin, WELD_M)
    normal = small.normals.reshape(-1, 3)[first]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    points, body = small.corners.reshape(-1, 3)[first], small.body[first // 3]
    return LightMesh(points, normal, pull, body, vertex.reshape(-1, 3))
