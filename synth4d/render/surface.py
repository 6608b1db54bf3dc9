"""Triangles ready to be covered with Gaussians: cleaned, with shading normals and hard edges.

All arrays are in the bodies' own frames. A *hard line* is a convex crease or open border of the flat patch
a triangle belongs to: Gaussians keep a distance from it so that edges come out clean.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
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
    source: I32
    """(F,) row in Outlines"""
    share: F64
    """(F,3,3) corners as barycentric coordinates of the source"""

    def take(self, rows: NDArray[np.integer[Any]] | Bool) -> Triangles:
        return Triangles(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.corners)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """What surrounds each triangle as it was in its mesh, before any cutting (S rows)."""

    lines: F64
    """(S,9,4) hard lines: distance of a point p inward is lines[:3]·p − lines[3]; NaN = none"""
    widths: F64
    """(S,9) width of the strip between a hard line and the one opposite; inf = no opposite"""
    beyond: F64
    """(S,9) width of the strip on the other side of a hard line; inf = wide"""
    across: F64
    """(S,9,3) normal of the face on the other side of a hard line; NaN = an open border"""
    bend: F64
    """(S,) least radius of convex curvature; inf = flat or hollow"""
    slack: F64
    """(S,) sine by which a triangle may be turned away from a camera and yet be part of what it sees"""
    face: I32
    """(S,) row in the faces of its surface"""


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A surface's look and its bounds in the body's frame, which patterns are fitted to."""

    body: int
    """Index in World.bodies"""
    material: Material
    low: F64
    high: F64
    uv: F64 | None
    """As in Surface"""


def gather(bodies: tuple[Body, ...], wanted: Sequence[bool] | None = None) -> tuple[Triangles, Outlines, list[Skin]]:
    """Every visible triangle of the bodies that are wanted (None: all; liquids are particles, not surfaces), and a
    skin a surface."""
    parts, outlines = [_NOTHING[0]], [_NOTHING[1]]
    skins: list[Skin] = []
    for index, body in enumerate(bodies):
        if body.role == "liquid" or (wanted is not None and not wanted[index]):
            continue
        for surface in body.surfaces:
            if not len(surface.faces) or not surface.drawn:
                continue
            triangles, outline, low, high = _prepared(body, surface)
            number = len(triangles)
            own = np.full(number, index, np.int32), np.full(number, len(skins), np.int32)
            parts.append(replace(triangles, body=own[0], skin=own[1]))
            outlines.append(outline)
            skins.append(Skin(index, surface.material, low, high, surface.uv))
    triangles, table = stack(parts), stack(outlines)
    return replace(triangles, source=np.arange(len(triangles), dtype=np.int32)), table, skins


def stack(parts: list[T]) -> T:
    names = [f.name for f in fields(parts[0])]  # type: ignore[arg-type]
    return type(parts[0])(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


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


Prepared = tuple[Triangles, Outlines, F64, F64]
"""Triangles of no body yet, their outlines, and the bounds of the surface."""
_CACHE: OrderedDict[bytes, Prepared] = OrderedDict()
_CACHE_TRIANGLES = 150_000
"""About 100 MB: the meshes of a scene recur from shot to shot."""


def _prepared(body: Body, surface: Surface) -> Prepared:
    """`_prepare` of a surface and its bounds, remembered by the mesh's content."""
    vertices, faces = np.asarray(surface.vertices, float), np.ascontiguousarray(surface.faces, np.int32)
    key = hashlib.sha256(vertices.tobytes() + faces.tobytes() + bytes([surface.smooth, surface.two_sided])).digest()
    if key not in _CACHE:
        if not np.isfinite(vertices).all():
            raise RenderError(f"{body.name}: a vertex of its mesh is not finite: mend the model")
        _CACHE[key] = *_prepare(vertices, surface), vertices.min(0), vertices.max(0)
        if len(_CACHE) % 64 == 0:
            total = sum(len(p[0]) for p in _CACHE.values())
            while len(_CACHE) > 1 and total > _CACHE_TRIANGLES:
                total -= len(_CACHE.popitem(last=False)[1][0])
    _CACHE.move_to_end(key)
    return _CACHE[key]


def _prepare(vertices: F64, surface: Surface) -> tuple[Triangles, Outlines]:
    """Triangles of no body yet, and their outlines."""
    corners, vertex, face = _clean(vertices[surface.faces])
    flat = unit(_cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    count = len(corners)
    twin, twin_edge = _neighbours(vertex)
    smooth = _corner_normals(corners, flat, vertex)
    lines, across = _hard_lines(corners, flat, twin, twin_edge)
    # Shading normals lean away from flat ones: a smooth silhouette is carried by triangles just behind it.
    slack = np.full(count, 1.0 if surface.two_sided else 0.2 if surface.smooth else 1e-3)
    widths = _strip_widths(corners, lines)
    outlines = Outlines(lines, widths, _beyond(widths, twin, twin_edge), across, _bend(corners, smooth), slack, face)
    normals = smooth if surface.smooth else np.repeat(flat[:, None], 3, 1)
    zero = np.zeros(count, np.int32)
    share = np.broadcast_to(np.eye(3), (count, 3, 3))
    return Triangles(corners, normals, flat, zero, zero, zero, share), outlines


def _bend(corners: F64, normals: F64) -> F64:
    """(F,) least radius of convex curvature, from how far smooth normals turn along the edges."""
    edge, turn = (v - np.roll(v, -1, 1) for v in (corners, normals))
    turned, long = dot(turn, turn), dot(edge, edge)
    convex = (turned > 1e-8) & (dot(edge, turn) > 0)
    square = np.where(convex, long / np.maximum(turned, 1e-8), np.inf)
    radius: F64 = np.sqrt(square.min(1, initial=np.inf))
    return radius


def _clean(corners: F64) -> tuple[F64, I64, I32]:
    """Corners (F,3,3), welded vertex numbers (F,3) and the rows that are left, without degenerate and repeated
    triangles."""
    cross = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows = np.flatnonzero(np.sqrt(dot(cross, cross)) / 2 > 1e-9)
    grid = np.round(corners[rows].reshape(-1, 3) * 1e5).astype(np.int64)
    vertex = _number(grid).reshape(-1, 3)
    ordered = np.sort(vertex, 1)
    _, first = np.unique(_number(ordered), return_index=True)
    keep = np.sort(first)
    return corners[rows[keep]], vertex[keep], rows[keep].astype(np.int32)


def _number(rows: I64) -> I64:
    """(N,) equal numbers for equal rows (N,3), ascending in the order of the rows' columns."""
    order = np.lexsort(rows.T[::-1])
    step = np.any(rows[order[1:]] != rows[order[:-1]], axis=1)
    out = np.zeros(len(rows), np.int64)
    out[order[1:]] = np.cumsum(step)
    return out


def _cross(a: F64, b: F64) -> F64:
    """(N,3) cross products: numpy's own takes three times as long."""
    x = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    y = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
    return np.stack([x, y, a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]], 1)


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
    cosine = dot(unit(along), unit(back))
    weight = np.arccos(np.clip(cosine, -1, 1)).ravel()
    here = vertex.ravel()
    order = np.argsort(here, kind="stable")
    degree = np.bincount(here)
    begin = np.cumsum(degree) - degree
    mine, offset = ranges(degree[here])
    theirs = order[begin[here[mine]] + offset]
    near = dot(flat[mine // 3], flat[theirs // 3]) > _CREASE
    mine, theirs = mine[near], theirs[near]
    summed = [np.bincount(mine, weight[theirs] * flat[theirs // 3, axis], minlength=3 * count) for axis in range(3)]
    return unit(np.stack(summed, 1)).reshape(-1, 3, 3)


def _hard_lines(corners: F64, flat: F64, twin: I64, twin_edge: I64) -> tuple[F64, F64]:
    """(F,9,4) the hard lines of a triangle and of its coplanar neighbours, where the triangle lies inside, and
    (F,9,3) the normals of the faces across them."""
    along = np.roll(corners, -1, 1) - corners
    inward = unit(np.stack([_cross(flat, along[:, k]) for k in range(3)], 1))
    offset = dot(inward, corners)
    facing = dot(flat[:, None], flat[twin])
    opposite = np.take_along_axis(corners[twin], ((twin_edge + 2) % 3)[..., None, None], 2)[:, :, 0]
    below = dot(flat[:, None], opposite - corners) < 0
    hard = (twin < 0) | ((facing < _CREASE) & below)
    other = np.where((twin >= 0)[..., None], flat[twin], np.nan)
    own = np.where(hard[..., None], np.concatenate([inward, offset[..., None], other], 2), np.nan)
    flush = (twin >= 0) & (facing > _FLAT)
    theirs = np.where(flush[..., None, None], own[twin], np.nan)
    step = np.stack([(twin_edge + 1) % 3, (twin_edge + 2) % 3], 2)
    borrowed = np.take_along_axis(theirs, step[..., None], 2).reshape(len(corners), 6, 7)
    distance = dot(borrowed[:, :, None, :3], corners[:, None]) - borrowed[:, :, 3:4]
    outside = ~np.all(distance > -1e-6, axis=2)
    borrowed[outside] = np.nan
    lines = np.concatenate([own, borrowed], 1)
    return np.ascontiguousarray(lines[..., :4]), np.ascontiguousarray(lines[..., 4:])


def _strip_widths(corners: F64, lines: F64) -> F64:
    """(F,9) distance between each hard line and the nearest one that runs against it; inf = none."""
    widths = np.full(lines.shape[:2], np.inf)
    several = np.flatnonzero(np.sum(~np.isnan(lines[:, :, 3]), 1) > 1)
    own = lines[several]
    distance = dot(own[:, :, :3], corners[several, None, 0]) - own[:, :, 3]
    for k in range(LINES):
        against = dot(own[:, k, None, :3], own[:, :, :3]) < -0.8
        between = np.where(against, distance[:, k, None] + distance, np.inf)
        widths[several, k] = np.min(between, 1, initial=np.inf)
    return widths


def _beyond(widths: F64, twin: I64, twin_edge: I64) -> F64:
    own = np.where(twin >= 0, widths[twin, twin_edge], np.inf)
    step = np.stack([(twin_edge + 1) % 3, (twin_edge + 2) % 3], 2)
    borrowed = np.take_along_axis(own[twin], step, 2).reshape(len(twin), 6)
    return np.concatenate([own, borrowed], 1)


def dot(a: F64, b: F64) -> F64:
    """Over a last axis of three, which numpy's own sum takes three times as long for."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def unit(v: F64) -> F64:
    return v / np.maximum(np.sqrt(dot(v, v)), 1e-12)[..., None]


_NOTHING = _prepare(np.zeros((0, 3)), Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int32), Material((0, 0, 0))))
