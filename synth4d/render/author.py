"""Gaussians authored on the surfaces of a world's bodies, bound to the bodies' frames, for one camera path.

Only what some camera of the path may see is covered, with a spacing of about a pixel at the nearest distance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import box_corners, compose
from synth4d.render import lattice
from synth4d.render.bind import Authored, bind
from synth4d.render.hidden import Horizon
from synth4d.render.surface import Triangles, bisect, gather, mix, stack
from synth4d.render.view import Sight
from synth4d.types import F64, World

I64 = NDArray[np.int64]

SPACING_PX = {"prop": 1.0, "part": 1.35, "fixture": 1.6, "structure": 2.0}
SPACING_M = (0.002, 0.025)
SLANT = 0.5
"""Cosine of incidence below which spacing grows no further."""
LIGHT_PX, LIGHT_M = 24.0, (0.02, 0.25)
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


def author(world: World, sight: Sight, horizon: Horizon) -> Authored:
    """Cover everything the camera path may see."""
    triangles, outlines, skins = gather(world.bodies)
    triangles, near = _seen(triangles, sight)
    triangles = _cut(triangles, np.full(len(triangles), _COARSE_M))
    triangles, near = _seen(triangles, sight)
    triangles = _cut(triangles, np.clip(LIGHT_PX * near / sight.focal, *LIGHT_M))
    triangles = _in_sight(triangles, sight, horizon)
    for limit in (2 * CONTACT_M, CONTACT_M):
        triangles = _cut(triangles, _contact_limit(triangles, world, sight, limit))
    triangles = _face_camera(triangles, sight)
    triangles = triangles.take(np.argsort(triangles.skin, kind="stable"))
    pieces = lattice.cut(triangles.corners, triangles.flat)
    depth = sight.reach(pieces.center, pieces.radius, triangles.body[pieces.triangle])
    seen = np.isfinite(depth)
    pieces = pieces.take(seen)
    body = triangles.body[pieces.triangle]
    wanted = np.array([SPACING_PX.get(b.role, 1.0) for b in world.bodies])[body] / sight.focal
    wanted *= np.maximum(depth[seen], _NEAR_M)
    # A surface seen at a slant is foreshortened: its Gaussians may stand further apart, up to a limit.
    slant = sight.facing(pieces.center, triangles.flat[pieces.triangle], body)
    wanted *= np.sqrt(1 / np.clip(slant, SLANT, 1))
    strips = np.minimum(np.min(outlines.widths, 1, initial=np.inf)[triangles.outline], 2 * _bend(triangles))
    cells = _cells(triangles, pieces, strips, wanted)
    points = _bare(lattice.fill(triangles.corners, triangles.flat, pieces, cells), pieces, triangles, sight, horizon)
    return bind(triangles, outlines, skins, pieces, points, lattice.CHUNK / cells)


def _bend(triangles: Triangles) -> F64:
    """(F,) least radius of curvature, from how far the shading normals turn along the edges."""
    edge, turn = (v - np.roll(v, -1, 1) for v in (triangles.corners, triangles.normals))
    square = np.sum(edge * edge, 2) / np.maximum(np.sum(turn * turn, 2), 1e-12)
    radius: F64 = np.sqrt(square.min(1, initial=np.inf))
    return radius


def _seen(triangles: Triangles, sight: Sight) -> tuple[Triangles, F64]:
    """The triangles whose front some camera may see, and their nearest z-depth."""
    middle = triangles.corners.mean(1)
    radius = np.sqrt(np.max(np.sum((triangles.corners - middle[:, None]) ** 2, 2), 1, initial=0.0))
    # Shading normals lean away from flat ones: a smooth silhouette is carried by triangles just behind it.
    slack = np.where(triangles.two_sided, 1.0, np.where(triangles.smooth, 0.2, 1e-3))
    near = sight.reach(middle, radius, triangles.body)
    seen = np.isfinite(near) & (sight.facing(middle, triangles.flat, triangles.body) > -slack)
    return triangles.take(seen), np.maximum(near - radius, _NEAR_M)[seen]


def _in_sight(triangles: Triangles, sight: Sight, horizon: Horizon) -> Triangles:
    """Without the still triangles that stand behind others in every frame."""
    rows = np.flatnonzero(~sight.moves[triangles.body])
    middle = triangles.corners[rows].mean(1)
    radius = np.sqrt(np.max(np.sum((triangles.corners[rows] - middle[:, None]) ** 2, 2), 1, initial=0.0))
    keep = np.ones(len(triangles), bool)
    keep[rows] = horizon.sees(sight.placed(middle, triangles.body[rows]), radius)
    return triangles.take(keep)


def _bare(
    points: lattice.Points, pieces: lattice.Pieces, triangles: Triangles, sight: Sight, horizon: Horizon
) -> lattice.Points:
    """Without points of still bodies that lie just under another surface: doubled surfaces speckle."""
    row = pieces.triangle[points.piece]
    still = np.flatnonzero(~sight.moves[triangles.body])
    body = triangles.body[still]
    corners = np.stack([sight.placed(triangles.corners[still, k], body) for k in range(3)], 1)
    normals = sight.turned(triangles.flat[still], body)
    probes = mix(np.broadcast_to(_PROBES, (len(still), 4, 3)), corners).reshape(-1, 3)
    under = np.zeros(len(triangles), bool)
    under[still] = horizon.covers(probes, np.repeat(normals, 4, 0)).reshape(-1, 4).any(1)
    doubtful = np.flatnonzero(under[row])
    mine = row[doubtful]
    where = mix(points.bary[doubtful, None].astype(np.float64), triangles.corners[mine])[:, 0]
    body = triangles.body[mine]
    keep = np.ones(len(row), bool)
    keep[doubtful] = ~horizon.covers(sight.placed(where, body), sight.turned(triangles.flat[mine], body))
    return lattice.Points(points.piece[keep], points.bary[keep])


def _cut(triangles: Triangles, limit: F64) -> Triangles:
    """Bisect to edges of at most limit (F,)."""
    edges = triangles.corners - np.roll(triangles.corners, -1, 1)
    long = np.max(np.sum(edges * edges, 2), 1, initial=0.0) > limit * limit
    if not long.any():
        return triangles
    source, bary = bisect(triangles.corners[long], limit[long])
    base = triangles.take(np.flatnonzero(long)[source])
    cut = replace(base, corners=mix(bary, base.corners), normals=mix(bary, base.normals))
    return stack([triangles.take(~long), cut])


def _contact_limit(triangles: Triangles, world: World, sight: Sight, limit: float) -> F64:
    """(F,) that edge limit next to props that lie there at the start or end, where shadows are small."""
    cells = [np.zeros(0, np.int64)]
    for index, body in enumerate(world.bodies):
        for pose in (sight.first[index], sight.last[index])[: 1 + sight.moves[index]] if body.role == "prop" else ():
            corners = box_corners(compose(pose, (*body.box_center, 1, 0, 0, 0)), body.box_size)
            reach = _CONTACT_REACH_M + limit / 2
            low, high = (np.floor(c / _CELL_M).astype(int) for c in (corners.min(0) - reach, corners.max(0) + reach))
            grid = np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij")
            cells.append(_cell_key(np.stack([g.ravel() for g in grid], 1)))
    middle = sight.placed(triangles.corners.mean(1), triangles.body)
    near = np.isin(_cell_key(np.floor(middle / _CELL_M).astype(np.int64)), np.unique(np.concatenate(cells)))
    broad = np.array([b.role != "prop" for b in world.bodies])[triangles.body] & ~sight.moves[triangles.body]
    return np.where(near & broad, limit, np.inf)


def _cell_key(cell: I64) -> I64:
    c = cell + (1 << 15)
    key: I64 = (c[:, 0] << 32) | (c[:, 1] << 16) | c[:, 2]
    return key


def _face_camera(triangles: Triangles, sight: Sight) -> Triangles:
    """Turn the normals of two-sided triangles that are seen from behind alone."""
    rows = np.flatnonzero(triangles.two_sided)
    middle = triangles.corners[rows].mean(1)
    facing = sight.facing(middle, triangles.flat[rows], triangles.body[rows])
    sign = np.ones(len(triangles))
    sign[rows[facing <= 0]] = -1.0
    return replace(triangles, normals=triangles.normals * sign[:, None, None], flat=triangles.flat * sign[:, None])


def _cells(triangles: Triangles, pieces: lattice.Pieces, strips: F64, wanted: F64) -> I64:
    """(P,) lattice cells a chunk side for wanted spacings: even within a chunk of a body, finer on strips
    narrower than a cell and a half and on beads as thin."""
    body = triangles.body[pieces.triangle].astype(np.int64)
    cube = np.floor(pieces.center / lattice.CHUNK + 0.5).astype(np.int64) + (1 << 14)
    key = ((body << 15 | cube[:, 0]) << 15 | cube[:, 1]) << 15 | cube[:, 2]
    _, group = np.unique(key, return_inverse=True)
    spacing = np.full(group.max(initial=-1) + 1, np.inf)
    np.minimum.at(spacing, group, wanted)
    spacing = np.clip(spacing, *SPACING_M)[group]
    spacing = np.maximum(np.minimum(spacing, strips[pieces.triangle] / 1.5), spacing / 3)
    return lattice.chunk_level(lattice.CHUNK / np.maximum(spacing, SPACING_M[0]))
