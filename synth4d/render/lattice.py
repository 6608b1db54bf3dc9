"""Points on triangles from lattices that neighbours share, so that coverage is even across edges.

A triangle takes the lattice of its dominant axis: a square grid in the other two body axes, projected onto
it. Space is divided into chunks of CHUNK metres; a chunk's grid has a whole number of cells, so grids of
different fineness meet half a cell from the border they share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.render.surface import ranges
from synth4d.types import F64, I32

I64 = NDArray[np.int64]

CHUNK = 0.2
CELLS = np.array([8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 100])
"""Cells a chunk side: spacings of 25 mm down to 2 mm."""
_PLANES = np.array([[1, 2], [2, 0], [0, 1]])
_TIE = 1.7e-4
"""Shift of the grid in cells: keeps its points off the diagonals of symmetric faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Triangles cut by chunks: one row for each triangle and chunk column that may meet."""

    triangle: I64
    chunk: I64
    """(P,2) number along the triangle's two lattice axes"""
    center: F64
    """(P,3) of the part's bounding box in the lattice axes, on the triangle's plane"""
    radius: F64


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    piece: I64
    triangle: I64
    bary: F64
    """(N,3)"""


def dominant(flat: F64) -> I64:
    """Axis (F,) along which a triangle is projected."""
    return np.argmax(np.abs(flat), axis=1)


def cut(corners: F64, flat: F64) -> Pieces:
    """Pieces of triangles (F,3,3)."""
    plane = _plane(corners, flat)
    low, high = plane.min(1), plane.max(1)
    first = np.floor(low / CHUNK + 0.5).astype(np.int64)
    count = np.floor(high / CHUNK + 0.5).astype(np.int64) - first + 1
    owner, k = ranges(count[:, 0] * count[:, 1])
    chunk = first[owner] + np.stack([k // count[owner, 1], k % count[owner, 1]], 1)
    a = np.maximum(low[owner], (chunk - 0.5) * CHUNK)
    b = np.minimum(high[owner], (chunk + 0.5) * CHUNK)
    middle, half = (a + b) / 2, (b - a) / 2
    axis = dominant(flat)[owner]
    center = np.empty((len(owner), 3))
    row = np.arange(len(owner))
    normal = flat[owner]
    nu, nv, nw = normal[row, _PLANES[axis, 0]], normal[row, _PLANES[axis, 1]], normal[row, axis]
    anchor = corners[owner, 0]
    du = middle[:, 0] - anchor[row, _PLANES[axis, 0]]
    dv = middle[:, 1] - anchor[row, _PLANES[axis, 1]]
    center[row, _PLANES[axis, 0]], center[row, _PLANES[axis, 1]] = middle[:, 0], middle[:, 1]
    center[row, axis] = anchor[row, axis] - (nu * du + nv * dv) / nw
    steep = (np.abs(nu) * half[:, 0] + np.abs(nv) * half[:, 1]) / np.abs(nw)
    return Pieces(owner, chunk, center, np.sqrt(half[:, 0] ** 2 + half[:, 1] ** 2 + steep**2))


def fill(corners: F64, flat: F64, pieces: Pieces, cells: I64) -> Points:
    """Lattice points inside each piece, with `cells` (P,) lattice cells a chunk side."""
    plane = _plane(corners, flat)
    spacing = CHUNK / cells
    start = (pieces.chunk - 0.5) * CHUNK
    low = plane.min(1)[pieces.triangle] - start
    high = plane.max(1)[pieces.triangle] - start
    shift = 0.5 + _TIE
    first = np.maximum(np.ceil(low / spacing[:, None] - shift), 0).astype(np.int64)
    last = np.minimum(np.floor(high / spacing[:, None] - shift), cells[:, None] - 1).astype(np.int64)
    count = np.maximum(last - first + 1, 0)
    owner, k = ranges(count[:, 0] * count[:, 1])
    side = count[owner, 1]
    uv = np.stack([first[owner, 0] + k // side, first[owner, 1] + k % side], 1) + shift
    uv = start[owner] + uv * spacing[owner, None]
    weights = _barycentric(plane)[pieces.triangle[owner]]
    b1 = weights[:, 0, 0] * uv[:, 0] + weights[:, 0, 1] * uv[:, 1] + weights[:, 0, 2]
    b2 = weights[:, 1, 0] * uv[:, 0] + weights[:, 1, 1] * uv[:, 1] + weights[:, 1, 2]
    b0 = 1 - b1 - b2
    inside = (b0 >= 0) & (b1 >= 0) & (b2 >= 0)
    kept = owner[inside]
    return Points(kept, pieces.triangle[kept], np.stack([b0[inside], b1[inside], b2[inside]], 1))


def frames(flat: F64) -> tuple[F64, F64]:
    """Axes (F,3,3 columns: two in the plane, the normal) and stretch (F,2) of a lattice cell projected on
    the plane: the principal axes of the covariance that fits the lattice."""
    row = np.arange(len(flat))
    axis = dominant(flat)
    u, v = _PLANES[axis, 0], _PLANES[axis, 1]
    gu, gv = -flat[row, u] / flat[row, axis], -flat[row, v] / flat[row, axis]
    g = np.sqrt(gu * gu + gv * gv)
    level = g < 1e-9
    safe = np.where(level, 1.0, g)
    cu, cv = np.where(level, 1.0, gu / safe), np.where(level, 0.0, gv / safe)
    stretch = np.sqrt(1 + g * g)
    first = np.zeros((len(flat), 3))
    first[row, u], first[row, v], first[row, axis] = cu / stretch, cv / stretch, np.where(level, 0.0, g / stretch)
    second = np.cross(flat, first)
    return np.stack([first, second, flat], 2), np.stack([stretch, np.ones_like(stretch)], 1)


def _plane(corners: F64, flat: F64) -> F64:
    """Corners (F,3,2) in their triangle's lattice axes."""
    return np.take_along_axis(corners, _PLANES[dominant(flat)][:, None], 2)


def _barycentric(plane: F64) -> F64:
    """(F,2,3): barycentric coordinates 1 and 2 as affine functions of the lattice coordinates."""
    a, e, f = plane[:, 0], plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0]
    area = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
    first = np.stack([f[:, 1], -f[:, 0], f[:, 0] * a[:, 1] - f[:, 1] * a[:, 0]], 1)
    second = np.stack([-e[:, 1], e[:, 0], e[:, 1] * a[:, 0] - e[:, 0] * a[:, 1]], 1)
    return np.stack([first, second], 1) / area[:, None, None]


def chunk_level(cells: F64 | I32) -> I64:
    """Smallest allowed number of cells that is at least the wanted one (…,)."""
    return CELLS[np.minimum(np.searchsorted(CELLS, cells), len(CELLS) - 1)]
