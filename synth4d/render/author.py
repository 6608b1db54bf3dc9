"""Gaussians authored on the surfaces of a world's bodies, bound to the bodies' frames, for one camera path.

Only what some camera of the path may see is covered, with a spacing of about a pixel at the nearest distance. The
inner loops are `_author`'s (C++, render/author_kernel).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import box_corners, compose
from synth4d.rays import RayScene
from synth4d.render import _author
from synth4d.render.bind import Authored, Points, bind
from synth4d.render.hidden import Horizon, Solids
from synth4d.render.surface import Outlines, Triangles, dot, gather, middle, mix, ranges, unit
from synth4d.render.view import Sight
from synth4d.types import F64, Body, World

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

SPACING_PX = {"prop": 1.1, "part": 1.6, "fixture": 1.6, "structure": 2.0}
SPACING_M = (0.002, 0.025)
CHUNK = 0.2
"""Metres; spacing is even within a chunk of space."""
CELLS = [8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 27, 30, 34, 38, 43, 48, 54, 60, 68, 76, 86, 100]
"""Cells a chunk side: spacings of 25 mm down to 2 mm."""
SLANT = 0.5
"""Cosine of incidence below which spacing grows no further."""
JOINT = 0.4
"""Distance in cells that a Gaussian keeps from an edge whose both sides are seen, or beyond which a surface goes on:
the sides must meet without a gap. At silhouettes it is as far as their half-opaque contour lies outside."""
LIGHT_PX, LIGHT_M = 32.0, (0.02, 0.25)
"""Edge of the triangles whose corners are lit, in pixels at the nearest distance, and its bounds."""
CONTACT_M = 0.05
"""Edge of lit triangles next to props."""
_COARSE_M = 0.4
_CONTACT_REACH_M = 0.01
_CELL_M = 0.03
_PROBES = np.array([[1, 1, 1], [2.6, 0.2, 0.2], [0.2, 2.6, 0.2], [0.2, 0.2, 2.6]]) / 3
"""Where a triangle is asked whether another surface covers it, barycentric."""
_NEAR_M = 0.1
"""Depth that stands for a camera within the bounds of what it looks at."""
_BORDER_PX = 5.0
"""Lines this close to a triangle, in pixels, may move its Gaussians."""
_BEYOND_PX, _BEYOND_M, _DEEP = 1.4, 0.002, 2.5
"""A surface goes on beyond an edge if something is met that far from it, no deeper than _DEEP times as far."""
_EDGE_PX = 2.5
"""How far inside its outline, in pixels at the nearest distance, a surface may need to be sunk."""
_ROOM = 0.6
"""Share of a wall's thickness, or of a radius, that Gaussians may be sunk by."""
_COVER_M, _LIFT_M = 0.006, 0.0003
_MARGIN = 3.0
"""Cells from the border of a surface within which those under it are kept: a border lets through."""


def author(world: World, sight: Sight, horizon: Horizon, still: RayScene) -> Authored:
    """Cover everything the camera path may see; `still`: the surfaces that never move."""
    mesh, outlines, skins = gather(world.bodies, [_in_view(b, i, sight) for i, b in enumerate(world.bodies)])
    sheet, pixel = _refine(mesh, outlines, world, sight, horizon)
    solids = Solids(world, sight, still)
    spacing = [SPACING_PX.get(b.role, 1.0) for b in world.bodies]
    points = Points(*_author.cover(
        sheet.corners, sheet.flat, sheet.body, sheet.source, _joined(sheet, outlines, pixel, sight, solids),
        _room(sheet, outlines, pixel, sight, solids), outlines.begin, outlines.lines, outlines.widths,
        outlines.beyond, outlines.across, outlines.strip, outlines.bend, sight.eyes, horizon.depths,
        (~sight.moves).view(np.uint8), sight.rotation, sight.place, spacing, CHUNK, CELLS, SPACING_M, SLANT, JOINT,
    ))  # fmt: skip
    return bind(sheet, outlines, skins, _bare(points, sheet, solids))


def _in_view(body: Body, index: int, sight: Sight) -> bool:
    """Whether a sphere about it is in any frame: a third of what stands in a kitchen is in none."""
    vertices = np.concatenate([np.zeros((0, 3)), *(s.vertices for s in body.surfaces)])
    if not len(vertices):
        return False
    low, high = vertices.min(0), vertices.max(0)
    radius = float(np.sqrt(np.sum((high - low) ** 2))) / 2
    return bool(np.isfinite(sight.eyes.reach(index, (low + high)[None] / 2, radius)[0]))


def _refine(mesh: Triangles, outlines: Outlines, world: World, sight: Sight, horizon: Horizon) -> tuple[Triangles, F64]:
    """The triangles that are seen, cut to the size in which light varies, and metres a pixel at their nearest."""
    broad = np.array([b.role != "prop" for b in world.bodies]) & ~sight.moves
    near, nearer = (_contact_keys(world, sight, limit) for limit in (2 * CONTACT_M, CONTACT_M))
    source, corners, normals, share, pixel = _author.refine(
        mesh.corners, mesh.normals, mesh.flat, outlines.slack, mesh.body, sight.eyes, horizon.depths,
        (~sight.moves).view(np.uint8), broad.view(np.uint8), sight.rotation, sight.place, near, nearer,
        (_COARSE_M, LIGHT_PX, *LIGHT_M, _NEAR_M, CONTACT_M, _CELL_M),
    )  # fmt: skip
    flat, body = mesh.flat[source], mesh.body[source]
    # Two-sided triangles that are seen from behind alone are turned.
    rows = np.flatnonzero(outlines.slack[source] >= 1)
    away = sight.eyes.facing(middle(corners[rows]), flat[rows], body[rows])[:, 0] <= 0
    normals[rows[away]] *= -1
    flat[rows[away]] *= -1
    return Triangles(corners, normals, flat, body, mesh.skin[source], source, share), pixel


def _contact_keys(world: World, sight: Sight, limit: float) -> I64:
    """Cells of space next to props that lie there at the start or end, where shadows are small, ascending."""
    cells = [np.zeros(0, np.int64)]
    for index, body in enumerate(world.bodies):
        for pose in (sight.first[index], sight.last[index])[: 1 + sight.moves[index]] if body.role == "prop" else ():
            corners = box_corners(compose(pose, (*body.box_center, 1, 0, 0, 0)), body.box_size)
            reach = _CONTACT_REACH_M + limit / 2
            low, high = (np.floor(c / _CELL_M).astype(int) for c in (corners.min(0) - reach, corners.max(0) + reach))
            grid = np.meshgrid(
                *(np.arange(a, b + 1) + (1 << 15) for a, b in zip(low, high, strict=True)), indexing="ij"
            )
            x, y, z = (g.ravel() for g in grid)
            cells.append(x << 32 | y << 16 | z)
    return np.unique(np.concatenate(cells))


def _joined(sheet: Triangles, outlines: Outlines, pixel: F64, sight: Sight, solids: Solids) -> U8:
    """(M,9) whether what is seen goes on beyond a hard line of a triangle at about the same depth, for the first, the
    middle and the last eye: such an edge is no silhouette, and what lies behind must not show."""
    out = np.zeros((len(sheet), _author.LINES), np.uint8)
    row, k = ranges(np.diff(outlines.begin)[sheet.source])
    line = outlines.lines.take(outlines.begin[sheet.source[row]] + k, axis=0)
    corners = sheet.corners.take(row, axis=0)
    away = np.stack([dot(line, corners[:, c]) - line[:, 3] for c in range(3)])
    near = np.flatnonzero(away.min(0) < _BORDER_PX * pixel[row])
    row, k, inward, body = row[near], k[near], line[near, :3], sheet.body[row[near]]
    at = middle(corners.take(near, axis=0)) - away[:, near].mean(0)[:, None] * inward
    step = np.maximum(_BEYOND_PX * pixel[row], _BEYOND_M)
    for eye in range(sight.witnesses.shape[1]):
        way = unit(at - sight.witnesses[body, eye])
        along = dot(way, inward)
        beyond = at - (step / np.sqrt(np.maximum(1 - along * along, 0.04)))[:, None] * inward
        way = unit(beyond - sight.witnesses[body, eye])
        goes_on = solids.blocked(beyond - step[:, None] * way, way, body, (1 + _DEEP) * step)
        rows = np.flatnonzero(goes_on)
        row, k, at, inward, body, step = (v.take(rows, axis=0) for v in (row, k, at, inward, body, step))
    out[row, k] = 1
    return out


def _room(sheet: Triangles, outlines: Outlines, pixel: F64, sight: Sight, solids: Solids) -> F64:
    """(M,) how deep a triangle's Gaussians may be sunk where some eye sees it edge-on: not through a thin wall."""
    bend, strip = outlines.bend[sheet.source], outlines.strip[sheet.source]
    center = middle(sheet.corners)
    height = sight.eyes.facing(center, sheet.flat, sheet.body)[:, 1]
    level = np.clip(height, 0, 1)
    inside = np.where(
        np.isfinite(bend), np.minimum(bend, 1e3) * (1 - np.sqrt(1 - level * level)), height * np.minimum(strip, 1) / 2
    )
    rows = np.flatnonzero(inside < _EDGE_PX * pixel)
    flat = sheet.flat[rows]
    thick = solids.distances(center[rows] - _LIFT_M * flat, -flat, sheet.body[rows], _BORDER_PX * pixel[rows])
    room = np.zeros(len(sheet))
    room[rows] = _ROOM * np.minimum(thick, bend[rows])
    return room


def _bare(points: Points, sheet: Triangles, solids: Solids) -> Points:
    """Without points that lie just under another surface, and not at its border: doubled surfaces speckle."""
    used = np.flatnonzero(np.bincount(points.triangle, minlength=len(sheet)))
    flat, body = sheet.flat[used], sheet.body[used]
    probes = mix(np.broadcast_to(_PROBES, (len(used), 4, 3)), sheet.corners[used]) + _LIFT_M * flat[:, None]
    met = solids.blocked(
        probes.reshape(-1, 3), np.repeat(flat, 4, 0), np.repeat(body, 4), np.full(4 * len(used), _COVER_M)
    )
    under = np.flatnonzero(met.reshape(-1, 4).any(1))
    number, flat, body = np.full(len(sheet), -1), flat[under], body[under]
    number[used[under]] = np.arange(len(under))
    rows = np.flatnonzero(number[points.triangle] >= 0)
    first = unit(np.cross(flat, np.eye(3)[np.argmin(np.abs(flat), 1)]))
    second = np.cross(flat, first)
    for a, b in ((1.0, 0.0), (-0.5, 0.866), (-0.5, -0.866)):
        mine = number[points.triangle[rows]]
        away, aside = flat.take(mine, axis=0), (a * first + b * second).take(mine, axis=0)
        where = points.means.take(rows, axis=0) + _LIFT_M * away + _MARGIN * points.grain[rows, None] * aside
        rows = rows[solids.blocked(where, away, body[mine], np.full(len(mine), _COVER_M))]
    keep = np.ones(len(points.triangle), bool)
    keep[rows] = False
    return points if keep.all() else points.take(np.flatnonzero(keep))
