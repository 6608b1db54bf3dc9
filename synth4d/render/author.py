"""Gaussians authored on the surfaces of a world's bodies, bound to the bodies' frames, for one camera path.

Only what some camera of the path may see is covered, with a spacing of about a pixel at the nearest distance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import box_corners, compose
from synth4d.render import lattice, texture
from synth4d.render.hidden import Horizon
from synth4d.render.surface import Outlines, Skin, Triangles, bisect, gather, mix, stack
from synth4d.render.view import Sight
from synth4d.types import F32, F64, I32, World

I64 = NDArray[np.int64]

SPACING_PX = {"prop": 0.95, "part": 1.25, "fixture": 1.35, "structure": 1.5}
SPACING_M = (0.002, 0.025)
SLANT = 0.5
"""Cosine of incidence below which spacing grows no further."""
LIGHT_PX, LIGHT_M = 14.0, (0.015, 0.15)
"""Edge of the triangles whose corners are lit, in pixels at the nearest distance, and its bounds."""
CONTACT_M = 0.04
"""The same next to props."""
SIGMA = 0.65
"""In-plane standard deviation in lattice cells: the least that leaves no hole between four neighbours."""
FLATNESS = 0.1
OPACITY = 0.97
INSET = 1.2
"""Distance in cells that a Gaussian keeps from a hard line: as far as the half-opaque contour of a row of them,
blurred by the rasteriser's pixel filter, lies outside it."""
SINK, SINK_M = 0.5, 0.0015
"""How deep Gaussians lie under a smooth surface, in cells and at most: the same, for round silhouettes."""
_COARSE_M = 0.4
_CONTACT_REACH_M = 0.01
_CELL_M = 0.03
_NEAR_M = 0.1
"""Depth that stands for a camera within the bounds of what it looks at."""


@dataclass(frozen=True, slots=True, eq=False)
class LightMesh:
    """The points that are lit; Gaussians interpolate between three of them."""

    points: F64
    """(V,3) body frame"""
    normals: F64
    pull: F64
    """(V,3) from the point towards the middle of its triangles: where rays may start clear of edges"""
    body: I32
    edges: I64
    """(E,2) pairs of neighbours"""


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
    lit: I64
    """(N,3) the light points a Gaussian lies between"""
    bary: F32
    light: LightMesh
    skins: list[Skin]

    def slices(self) -> list[tuple[Skin, slice]]:
        """The rows of each skin."""
        ends = np.searchsorted(self.skin, np.arange(len(self.skins) + 1))
        return [(skin, slice(int(a), int(b))) for skin, a, b in zip(self.skins, ends, ends[1:], strict=False)]


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
    strips = np.min(outlines.widths, 1, initial=np.inf)[triangles.outline]
    cells = _cells(triangles, pieces, strips, wanted)
    points = lattice.fill(triangles.corners, triangles.flat, pieces, cells)
    return _bind(triangles, outlines, skins, pieces, points, lattice.CHUNK / cells)


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
    narrower than a cell and a half."""
    body = triangles.body[pieces.triangle].astype(np.int64)
    cube = np.floor(pieces.center / lattice.CHUNK + 0.5).astype(np.int64) + (1 << 14)
    key = ((body << 15 | cube[:, 0]) << 15 | cube[:, 1]) << 15 | cube[:, 2]
    _, group = np.unique(key, return_inverse=True)
    spacing = np.full(group.max(initial=-1) + 1, np.inf)
    np.minimum.at(spacing, group, wanted)
    spacing = np.clip(spacing, *SPACING_M)[group]
    spacing = np.maximum(np.minimum(spacing, strips[pieces.triangle] / 1.5), spacing / 3)
    return lattice.chunk_level(lattice.CHUNK / np.maximum(spacing, SPACING_M[0]))


def _bind(
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
    mesh, corner = _light_mesh(small)
    skin = small.skin[row]
    out = Authored(
        skin,
        means,
        quaternions(axes).astype(np.float32)[row],
        shape[row] * grain[:, None],
        (OPACITY * np.array([s.material.opacity for s in skins], np.float32))[skin],
        np.empty((len(row), 3), np.float32),
        corner[row],
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
        target = np.minimum(INSET * spacing[mine], half).astype(np.float32)[owner]
        snap = np.flatnonzero(distance < target)
        means[rows[snap]] += line[snap, :3] * (target - distance)[snap, None]


def _light_mesh(small: Triangles) -> tuple[LightMesh, I64]:
    """Weld corners that share surface, place and normal: the mesh and each corner's vertex (F,3)."""
    count = len(small)
    points, normals = small.corners.reshape(-1, 3), small.normals.reshape(-1, 3)
    grid = np.concatenate([np.round(points * 5000), np.round(normals * 60)], 1).astype(np.int64).view(np.uint64)
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
    edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    return LightMesh(points[first], normal, pulled, np.repeat(small.body, 3)[first], edges), corner


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
