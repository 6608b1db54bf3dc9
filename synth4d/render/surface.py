"""Triangles ready to be covered with Gaussians: cleaned, with shading normals and hard edges, cut small.

All arrays are in the bodies' own frames. A *hard line* is a convex crease or open border of the flat patch
a triangle belongs to: Gaussians keep a distance from it so that edges come out clean.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64, I32, Body, Material, Surface

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

T = TypeVar("T")

_CREASE = np.cos(np.radians(40.0))
_FLAT = 1.0 - 1e-5
LINES = 9
"""Own three edges and those of up to three coplanar neighbours (two each)."""


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    corners: F64
    """(F,3,3)"""
    normals: F64
    """(F,3,3) shading normals at the corners"""
    flat: F64
    """(F,3) geometric normal"""
    body: I32
    """(F,) index in World.bodies"""
    skin: I32
    """(F,) index in the list of skins"""
    two_sided: Bool
    smooth: Bool
    outline: I32
    """(F,) row in Outlines"""

    def take(self, rows: NDArray[np.int64] | Bool) -> Triangles:
        return Triangles(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.corners)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """The hard lines about each triangle as it was in its mesh, before any cutting (M rows)."""

    lines: F64
    """(M,9,4) distance of a point p inward is lines[:3]·p − lines[3]; NaN = none"""
    widths: F64
    """(M,9) width of the strip between a hard line and the one opposite; inf = no opposite"""
    beyond: F64
    """(M,9) width of the strip on the other side of a hard line; inf = wide, or an open border"""


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A surface's material and its bounds in the body's frame, which patterns are fitted to."""

    body: int
    """Index in World.bodies"""
    material: Material
    low: F64
    high: F64


def gather(bodies: tuple[Body, ...]) -> tuple[Triangles, Outlines, list[Skin]]:
    """Every visible triangle of the bodies (liquids are particles, not surfaces), and a skin a surface."""
    parts: list[Triangles] = [_empty()]
    outlines = [Outlines(np.zeros((0, LINES, 4)), *np.zeros((2, 0, LINES)))]
    skins: list[Skin] = []
    for index, body in enumerate(bodies):
        if body.role == "liquid":
            continue
        for surface in body.surfaces:
            if not len(surface.faces) or not surface.drawn:
                continue
            vertices = np.asarray(surface.vertices, float)
            triangles, outline = _prepared(vertices, surface)
            number = len(triangles)
            own = np.full(number, index, np.int32), np.full(number, len(skins), np.int32)
            parts.append(replace(triangles, body=own[0], skin=own[1]))
            outlines.append(outline)
            skins.append(Skin(index, surface.material, vertices.min(0), vertices.max(0)))
    triangles, table = stack(parts), stack(outlines)
    return replace(triangles, outline=np.arange(len(triangles), dtype=np.int32)), table, skins


def stack(parts: list[T]) -> T:
    names = [f.name for f in fields(parts[0])]  # type: ignore[arg-type]
    return type(parts[0])(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def bisect(corners: F64, limit: F64) -> tuple[I64, F64]:
    """Halve longest edges of triangles (F,3,3) until none exceeds limit (F,) metres: (source row (M,), corners
    as barycentric coordinates of the source (M,3,3)). Neighbours cut a shared edge at the same midpoint."""
    source, points = np.arange(len(corners)), corners
    bary = np.broadcast_to(np.eye(3), (len(corners), 3, 3))
    done: list[tuple[I64, F64]] = []
    while len(source):
        edge = points - np.roll(points, -1, 1)
        square = edge[..., 0] ** 2 + edge[..., 1] ** 2 + edge[..., 2] ** 2
        longest = np.argmax(square, 1)
        split = square[np.arange(len(square)), longest] > limit[source] ** 2
        done.append((source[~split], bary[~split]))
        order = (longest[split, None] + np.arange(3)) % 3
        source = np.concatenate([source[split]] * 2)
        bary, points = (_halve(np.take_along_axis(v[split], order[..., None], 1)) for v in (bary, points))
    return np.concatenate([s for s, _ in done]), np.concatenate([b for _, b in done])


def _halve(corners: F64) -> F64:
    """Triangles (F,3,C) cut at the middle of their first edge (2F,3,C)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    middle = (a + b) / 2
    return np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])


def mix(bary: F64, values: F64) -> F64:
    """Weigh corner values (M,3,C) with barycentric coordinates (M,K,3) → (M,K,C), without BLAS."""
    mixed: F64 = bary[:, :, 0:1] * values[:, None, 0]
    for k in (1, 2):
        mixed = mixed + bary[:, :, k : k + 1] * values[:, None, k]
    return mixed


def ranges(counts: I64) -> tuple[I64, I64]:
    """For counts (N,): the owner of every item (sum,) and the item's number within its owner."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _empty() -> Triangles:
    z, i, b = np.zeros((0, 3, 3)), np.zeros(0, np.int32), np.zeros(0, bool)
    return Triangles(z, z, z[:, 0], i, i, b, b, i)


_CACHE: OrderedDict[bytes, tuple[Triangles, Outlines]] = OrderedDict()
_CACHE_TRIANGLES = 150_000
"""About 100 MB: the meshes of a scene recur from shot to shot."""


def _prepared(vertices: F64, surface: Surface) -> tuple[Triangles, Outlines]:
    """`_prepare`, remembered by the mesh's content."""
    faces = np.ascontiguousarray(surface.faces, np.int32)
    key = hashlib.sha256(vertices.tobytes() + faces.tobytes() + bytes([surface.smooth, surface.two_sided])).digest()
    if key not in _CACHE:
        _CACHE[key] = _prepare(vertices, surface)
        while len(_CACHE) > 1 and sum(len(t) for t, _ in _CACHE.values()) > _CACHE_TRIANGLES:
            _CACHE.popitem(last=False)
    _CACHE.move_to_end(key)
    return _CACHE[key]


def _prepare(vertices: F64, surface: Surface) -> tuple[Triangles, Outlines]:
    """Triangles of no body yet, and their outlines."""
    corners, vertex = _clean(vertices[surface.faces])
    flat = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    count = len(corners)
    twin, twin_edge = _neighbours(vertex)
    normals = _corner_normals(corners, flat, vertex) if surface.smooth else np.repeat(flat[:, None], 3, 1)
    lines = _hard_lines(corners, flat, twin, twin_edge)
    triangles = Triangles(
        corners,
        normals,
        flat,
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.full(count, surface.two_sided),
        np.full(count, surface.smooth),
        np.zeros(count, np.int32),
    )
    widths = _strip_widths(corners, lines)
    return triangles, Outlines(lines, widths, _beyond(widths, twin, twin_edge))


def _clean(corners: F64) -> tuple[F64, I64]:
    """Corners (F,3,3) and welded vertex numbers (F,3), without degenerate and repeated triangles."""
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    corners = corners[area > 1e-9]
    if not len(corners):
        return corners, np.zeros((0, 3), np.int64)
    grid = np.round(corners.reshape(-1, 3) * 1e5).astype(np.int64)
    _, vertex = np.unique(grid, axis=0, return_inverse=True)
    vertex = vertex.reshape(-1, 3).astype(np.int64)
    _, first = np.unique(np.sort(vertex, 1), axis=0, return_index=True)
    keep = np.sort(first)
    return corners[keep], vertex[keep]


def _neighbours(vertex: I64) -> tuple[I64, I64]:
    """Across each edge k (from corner k to k+1): the other triangle (F,3), or −1 where there is none or
    more than one, and which of its edges it is."""
    count = len(vertex)
    a, b = vertex, np.roll(vertex, -1, 1)
    key = (np.minimum(a, b) * (vertex.max(initial=0) + 1) + np.maximum(a, b)).ravel()
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    start = np.concatenate([[True], ranked[1:] != ranked[:-1]])[: len(ranked)]
    group = np.cumsum(start) - 1
    pair = np.flatnonzero(start & (np.bincount(group)[group] == 2)) if count else np.zeros(0, np.int64)
    twin = np.full(3 * count, -1)
    twin[order[pair]], twin[order[pair + 1]] = order[pair + 1], order[pair]
    other = np.where(twin >= 0, twin // 3, -1)
    return other.reshape(-1, 3), (twin % 3).reshape(-1, 3)


def _corner_normals(corners: F64, flat: F64, vertex: I64) -> F64:
    """Angle-weighted normals over the faces around a vertex that lie within the crease angle."""
    count = len(corners)
    along, back = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    cosine = np.sum(_unit(along) * _unit(back), 2)
    weight = np.arccos(np.clip(cosine, -1, 1)).ravel()
    here = vertex.ravel()
    order = np.argsort(here, kind="stable")
    degree = np.bincount(here)
    begin = np.cumsum(degree) - degree
    mine, offset = ranges(degree[here])
    theirs = order[begin[here[mine]] + offset]
    near = np.sum(flat[mine // 3] * flat[theirs // 3], 1) > _CREASE
    mine, theirs = mine[near], theirs[near]
    summed = [np.bincount(mine, weight[theirs] * flat[theirs // 3, axis], minlength=3 * count) for axis in range(3)]
    return _unit(np.stack(summed, 1)).reshape(-1, 3, 3)


def _hard_lines(corners: F64, flat: F64, twin: I64, twin_edge: I64) -> F64:
    """(F,9,4) the hard lines of a triangle and of its coplanar neighbours, where the triangle lies inside."""
    along = np.roll(corners, -1, 1) - corners
    inward = _unit(np.cross(flat[:, None], along))
    offset = np.sum(inward * corners, 2)
    facing = np.sum(flat[:, None] * flat[twin], 2)
    opposite = np.take_along_axis(corners[twin], ((twin_edge + 2) % 3)[..., None, None], 2)[:, :, 0]
    below = np.sum(flat[:, None] * (opposite - corners), 2) < 0
    hard = (twin < 0) | ((facing < _CREASE) & below)
    own = np.where(hard[..., None], np.concatenate([inward, offset[..., None]], 2), np.nan)
    flush = (twin >= 0) & (facing > _FLAT)
    theirs = np.where(flush[..., None, None], own[twin], np.nan)
    step = np.stack([(twin_edge + 1) % 3, (twin_edge + 2) % 3], 2)
    borrowed = np.take_along_axis(theirs, step[..., None], 2).reshape(len(corners), 6, 4)
    distance = np.sum(borrowed[:, :, None, :3] * corners[:, None], 3) - borrowed[:, :, 3:4]
    outside = ~np.all(distance > -1e-6, axis=2)
    borrowed[outside] = np.nan
    return np.concatenate([own, borrowed], 1)


def _strip_widths(corners: F64, lines: F64) -> F64:
    """(F,9) distance between each hard line and the nearest one that runs against it; inf = none."""
    widths = np.full(lines.shape[:2], np.inf)
    several = np.flatnonzero(np.sum(~np.isnan(lines[:, :, 3]), 1) > 1)
    own = lines[several]
    distance = np.sum(own[:, :, :3] * corners[several, None, 0], 2) - own[:, :, 3]
    for k in range(LINES):
        against = np.sum(own[:, k, None, :3] * own[:, :, :3], 2) < -0.8
        between = np.where(against, distance[:, k, None] + distance, np.inf)
        widths[several, k] = np.min(between, 1, initial=np.inf)
    return widths


def _beyond(widths: F64, twin: I64, twin_edge: I64) -> F64:
    own = np.where(twin >= 0, widths[twin, twin_edge], np.inf)
    step = np.stack([(twin_edge + 1) % 3, (twin_edge + 2) % 3], 2)
    borrowed = np.take_along_axis(own[twin], step, 2).reshape(len(twin), 6)
    return np.concatenate([own, borrowed], 1)


def _unit(v: F64) -> F64:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)
