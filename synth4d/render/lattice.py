"""Points on triangles from lattices that neighbours share, so that coverage is even across edges.

A triangle takes the lattice of its dominant axis: a square grid in the other two body axes, projected onto
it. Space is divided into chunks of CHUNK metres; a chunk's grid has a whole number of cells, so grids of
different fineness meet half a cell from the border they share.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from synth4d.render.surface import ranges
from synth4d.types import F32, F64

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

CHUNK = 0.2
CELLS = np.array([8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 27, 30, 34, 38, 43, 48, 54, 60, 68, 76, 86, 100])
"""Cells a chunk side: spacings of 25 mm down to 2 mm."""
_PLANES = np.array([[1, 2], [2, 0], [0, 1]])
_SHIFT = 0.5 + 1.7e-4
"""Place of the first point in cells; a little off the middle, and so off the diagonals of symmetric faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Triangles cut by chunks: one row for each triangle and chunk column that may meet."""

    triangle: I64
    chunk: I64
    """(P,2) number along the triangle's two lattice axes"""
    low: F64
    """(P,2) bounds along those axes"""
    high: F64
    center: F64
    """(P,3) middle of the bounds, on the triangle's plane"""
    radius: F64

    def take(self, rows: Bool) -> Pieces:
        return Pieces(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """In the order of the pieces they lie in."""

    piece: I64
    """(N,)"""
    bary: F32
    """(N,3) in the piece's triangle"""


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
    side = count[owner, 1]
    chunk = first[owner] + np.stack([k // side, k % side], 1)
    a = np.maximum(low[owner], (chunk - 0.5) * CHUNK)
    b = np.minimum(high[owner], (chunk + 0.5) * CHUNK)
    middle, half = (a + b) / 2, (b - a) / 2
    slope = _slope(flat)[owner]
    axis = dominant(flat)[owner]
    row, anchor, at = np.arange(len(owner)), plane[owner, 0], corners[owner, 0]
    center = np.empty((len(owner), 3))
    center[row, _PLANES[axis, 0]], center[row, _PLANES[axis, 1]] = middle[:, 0], middle[:, 1]
    center[row, axis] = at[row, axis] + np.sum(slope * (middle - anchor), 1)
    rise = np.sum(np.abs(slope) * half, 1)
    return Pieces(owner, chunk, a, b, center, np.sqrt(half[:, 0] ** 2 + half[:, 1] ** 2 + rise**2))


def fill(corners: F64, flat: F64, pieces: Pieces, cells: I64) -> Points:
    """Lattice points inside each piece, with `cells` (P,) lattice cells a chunk side."""
    spacing = (CHUNK / cells)[:, None]
    start = (pieces.chunk - 0.5) * CHUNK
    first = np.maximum(np.ceil((pieces.low - start) / spacing - _SHIFT), 0)
    last = np.minimum(np.floor((pieces.high - start) / spacing - _SHIFT), cells[:, None] - 1)
    count = np.maximum(last - first + 1, 0).astype(np.int64)
    number = count[:, 0] * count[:, 1]
    owner, k = ranges(number)
    side = np.repeat(count[:, 1], number)
    i = k // side
    j = (k - i * side).astype(np.float32)
    i = i.astype(np.float32)
    origin = start + (first + _SHIFT) * spacing
    weights = _barycentric(_plane(corners, flat))[pieces.triangle]
    at = [w[:, 0] * origin[:, 0] + w[:, 1] * origin[:, 1] + w[:, 2] for w in (weights[:, 0], weights[:, 1])]
    step = weights[:, :, :2] * spacing[:, None]

    def spread(values: F64) -> F32:
        return np.repeat(values.astype(np.float32), number)

    b1 = spread(at[0]) + spread(step[:, 0, 0]) * i + spread(step[:, 0, 1]) * j
    b2 = spread(at[1]) + spread(step[:, 1, 0]) * i + spread(step[:, 1, 1]) * j
    b0 = np.float32(1) - b1 - b2
    inside = np.flatnonzero((b0 >= 0) & (b1 >= 0) & (b2 >= 0))
    return Points(owner[inside], np.stack([b0[inside], b1[inside], b2[inside]], 1))


def frames(flat: F64) -> tuple[F64, F64]:
    """Axes (F,3,3 columns: two in the plane, the normal) and stretch (F,2) of a lattice cell projected on
    the plane: the principal axes of the covariance that fits the lattice."""
    row = np.arange(len(flat))
    axis = dominant(flat)
    u, v = _PLANES[axis, 0], _PLANES[axis, 1]
    gu, gv = _slope(flat).T
    g = np.sqrt(gu * gu + gv * gv)
    level = g < 1e-9
    safe = np.where(level, 1.0, g)
    cu, cv = np.where(level, 1.0, gu / safe), np.where(level, 0.0, gv / safe)
    stretch = np.sqrt(1 + g * g)
    first = np.zeros((len(flat), 3))
    first[row, u], first[row, v], first[row, axis] = cu / stretch, cv / stretch, np.where(level, 0.0, g / stretch)
    second = np.cross(flat, first)
    return np.stack([first, second, flat], 2), np.stack([stretch, np.ones_like(stretch)], 1)


def chunk_level(cells: F64) -> I64:
    """Smallest allowed number of cells that is at least the wanted one (…,)."""
    return CELLS[np.minimum(np.searchsorted(CELLS, cells), len(CELLS) - 1)]


def _slope(flat: F64) -> F64:
    """(F,2) rise along the dominant axis per metre along the lattice axes."""
    row, axis = np.arange(len(flat)), dominant(flat)
    return -flat[row[:, None], _PLANES[axis]] / flat[row, axis][:, None]


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
