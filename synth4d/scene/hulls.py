"""Contact shapes of a mesh: convex pieces, of its connected parts where they are convex, else of a grid's cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64, I32

CONVEX = 0.9
"""Share of a part's area that must lie on its hull, facing out, for the hull to stand for it."""
CELL_M = (0.04, 0.5)
CELLS = 8
"""Cells along the longest side of a part that is not convex: a bowl is hollow, a room is empty."""
SHEET_M = 0.002
"""What is thinner gets this thickness, for a hull needs a volume."""
PIECES = 2000
I64 = NDArray[np.int64]


def pieces(vertices: F64, faces: I32) -> list[F64]:
    """Vertices (V,3) of convex pieces, metres, that cover the surface of a mesh."""
    out: list[F64] = []
    welded, corner = _welded(vertices, faces)
    for part in _parts(len(welded), corner):
        corners = welded[corner[part]]
        hull = _hull(corners.reshape(-1, 3))
        if _convex(corners, hull[1]):
            out.append(hull[0])
        else:
            out += [_hull(cell.reshape(-1, 3))[0] for cell in _cells(corners)]
    return out[:PIECES]


def _welded(vertices: F64, faces: I32) -> tuple[F64, I64]:
    """Corners at one place (within a tenth of a millimetre) as one vertex."""
    _, first, place = np.unique(np.round(vertices * 1e4), axis=0, return_index=True, return_inverse=True)
    return vertices[first], place.ravel()[faces].astype(np.int64)


def _parts(count: int, faces: I64) -> list[I64]:
    """Rows of the faces of each connected part."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = np.concatenate([faces[:, 0], faces[:, 0]]), np.concatenate([faces[:, 1], faces[:, 2]])
    _, label = connected_components(coo_matrix((np.ones(len(a), bool), (a, b)), shape=(count, count)), directed=False)
    label = label[faces[:, 0]]
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def _hull(points: F64) -> tuple[F64, F64]:
    """Vertices of the convex hull, and its planes (K,4) n·x + d ≤ 0. Flat points are given a thickness."""
    from scipy.spatial import ConvexHull, QhullError

    middle = points.mean(0)
    spread = points - middle
    normal = np.linalg.svd(spread[:: max(1, len(spread) // 500)], full_matrices=False)[2][-1]
    normal = np.round(normal, 6) / np.linalg.norm(np.round(normal, 6))  # LAPACK's last bits differ between processors
    if np.ptp((spread * normal).sum(1)) < SHEET_M:
        points = np.concatenate([points + normal * SHEET_M / 2, points - normal * SHEET_M / 2])
    try:
        hull = ConvexHull(points)
    except QhullError:  # a needle: every direction across it is thin
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * SHEET_M / 2
        hull = ConvexHull(np.concatenate([points + c for c in corners]))
        return hull.points[np.sort(hull.vertices)], hull.equations
    return points[np.sort(hull.vertices)], hull.equations


def _convex(corners: F64, planes: F64) -> bool:
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.sqrt((cross * cross).sum(1))
    step = max(1, len(area) // 1000)
    cross, area, middle = cross[::step], area[::step], corners.mean(1)[::step]
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    below = (middle[:, None, :] * planes[None, :, :3]).sum(2) + planes[:, 3]
    plane = np.argmax(below, 1)
    out = (cross * planes[plane, :3]).sum(1) > 0.5 * area
    on = below.max(1) > -max(0.02 * size, SHEET_M)
    return bool(area[on & out].sum() >= CONVEX * area.sum())


def _cells(corners: F64) -> list[F64]:
    """Triangles (F,3,3), cut small enough, by the cells of a grid that their middles lie in."""
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    cell = float(np.clip(size / CELLS, *CELL_M))
    while True:
        edge = np.roll(corners, -1, 1) - corners  # edge k runs from corner k to the next
        long = (edge * edge).sum(2)
        rows = long.max(1) > cell * cell
        if not rows.any():
            break
        turn = (np.argmax(long[rows], 1)[:, None] + np.arange(3)) % 3

        a, b, c = (np.take_along_axis(corners[rows], turn[:, k, None, None], 1)[:, 0] for k in range(3))
        middle = (a + b) / 2
        halves = [np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)]
        corners = np.concatenate([corners[~rows], *halves])
    key = np.floor((corners.mean(1) - corners.reshape(-1, 3).min(0)) / cell).astype(np.int64)
    _, group = np.unique(key, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    return [corners[rows] for rows in np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)]
