"""Mesh primitives that props are made of: lofts, lathes, tubes and rounded slabs.

Every primitive is a loft: a strip of quads between successive rings. A ring that runs counter-clockwise
about the direction of travel gives outward normals; a ring shrunk to a point closes the end. Vertices are
rounded to a micrometre, so that the last bits of sin and cos, which differ between processors, never leave
this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.geometry import rotate
from synth4d.types import F64, I32, Material, Surface, Vec3

CREASE_DEG = 34.0
"""Neighbouring strips that meet at a larger angle do not share vertices: the edge is shaded sharp."""
Num = TypeVar("Num", np.float64, np.int32)
Warp = Callable[[F64], F64]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh: vertices (V,3) in metres, faces (F,3) counter-clockwise from outside."""

    vertices: F64
    faces: I32

    def surface(self, material: Material, smooth: bool = True) -> Surface:
        return Surface(self.vertices, self.faces, material, smooth)

    def moved(self, offset: ArrayLike = (0.0, 0.0, 0.0), quat_wxyz: ArrayLike = (1.0, 0.0, 0.0, 0.0)) -> Mesh:
        """The mesh rotated about the origin, then shifted."""
        return Mesh(np.round(rotate(quat_wxyz, self.vertices) + np.asarray(offset, float), 6), self.faces)


# ---- Curves --------------------------------------------------------------------------------------


def fillet(corners: Sequence[Sequence[float]], step_deg: float = 30.0) -> F64:
    """A polyline through corners (a, b) or (a, b, radius); a radius rounds its corner. Returns (P,2)."""
    xy = np.array([c[:2] for c in corners], float)
    out = [xy[:1]]
    for i in range(1, len(corners) - 1):
        radius = corners[i][2] if len(corners[i]) > 2 else 0.0
        out.append(_arc(xy[i - 1], xy[i], xy[i + 1], radius, step_deg))
    points = np.concatenate([*out, xy[-1:]])
    step = np.abs(np.diff(points, axis=0)).max(-1)
    return np.asarray(points[np.r_[True, step > 1e-6]])


def _arc(before: F64, corner: F64, after: F64, radius: float, step_deg: float) -> F64:
    u, v = corner - before, after - corner
    room = 0.49 * min(np.hypot(*u), np.hypot(*v))
    u, v = u / np.hypot(*u), v / np.hypot(*v)
    cross = float(u[0] * v[1] - u[1] * v[0])
    turn = abs(float(np.arctan2(cross, u[0] * v[0] + u[1] * v[1])))
    if radius <= 0 or turn < 1e-3:
        return corner[None]
    length = min(radius * np.tan(turn / 2), room)
    radius = length / np.tan(turn / 2)
    side = np.sign(cross)
    normal = side * np.array([-u[1], u[0]])
    angle = np.linspace(0, turn, max(2, int(np.ceil(np.degrees(turn) / step_deg)) + 1))[:, None]
    centre = corner - u * length + normal * radius
    points: F64 = centre + radius * (u * np.sin(angle) - normal * np.cos(angle))
    return points


def spline(points: ArrayLike, per_segment: int = 4) -> F64:
    """A Catmull-Rom curve through the points (P,D), with per_segment steps between two of them."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (np.arange(per_segment) / per_segment)[:, None]
    a, b, c, d = (q[:, None] for q in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    cubic = (3 * b - 3 * c + d - a) * t**3 + (2 * a - 5 * b + 4 * c - d) * t**2 + (c - a) * t + 2 * b
    return np.concatenate([(cubic / 2).reshape(-1, p.shape[1]), p[-2:-1]])


def split_z(profile: F64, z: float) -> tuple[F64, F64]:
    """Cut a profile (r, z) where it first rises past z; both halves hold the cut point."""
    i = int(np.argmax((profile[:-1, 1] < z) & (profile[1:, 1] >= z)))
    a, b = profile[i], profile[i + 1]
    cut = (a + (b - a) * (z - a[1]) / (b[1] - a[1]))[None]
    return np.concatenate([profile[: i + 1], cut]), np.concatenate([cut, profile[i + 1 :]])


def split_rim(profile: F64, lip: float = 0.004) -> tuple[F64, F64]:
    """Cut a hollow profile (outside, inside) a little below its rim, inside, so that the lip is one piece."""
    top = int(np.argmax(profile[:, 1]))
    inside, outside = split_z(profile[top:][::-1], profile[top, 1] - lip)
    return np.concatenate([profile[:top], outside[::-1]]), inside[::-1]


# ---- Lofts ---------------------------------------------------------------------------------------


def loft(rings: ArrayLike) -> Mesh:
    """Join successive rings (R,N,3) by strips of triangles; rings of no extent become single points."""
    r = np.round(np.asarray(rings, float), 6)
    xyz = np.ascontiguousarray(np.moveaxis(r, -1, 0))  # over a last axis of three numpy takes four times as long
    points = np.ptp(xyz, axis=2).max(0) < 2e-6
    corners, faces = _joined(r.shape[1], _sharp_rings(xyz).tobytes(), points.tobytes())
    return Mesh(r.reshape(-1, 3)[corners], faces)


@lru_cache(maxsize=1024)  # props of one shape are joined alike
def _joined(count: int, sharp: bytes, point: bytes) -> tuple[NDArray[np.intp], I32]:
    """Which corners of rings of so many each are vertices, and the triangles between them. `sharp` (R,) are rings on a
    crease, which are there twice: once for the strip below, once for the one above; of `point` (R,) there is one
    corner."""
    twice, single = np.frombuffer(sharp, bool), np.frombuffer(point, bool)
    copies, last = np.repeat(np.arange(len(twice)), 1 + twice), np.cumsum(1 + twice) - 1
    kept = ~single[copies, None] | (np.arange(count) == 0)
    ids = np.cumsum(kept, dtype=np.int32).reshape(kept.shape) - 1
    faces = _strips(ids[last[:-1]], ids[(last - twice)[1:]])
    faces.flags.writeable = False
    return (copies[:, None] * count + np.arange(count))[kept], faces


def _turned_on(rings: NDArray[Num]) -> NDArray[Num]:
    """Rings (…,N) that begin with their second point."""
    return np.concatenate([rings[..., 1:], rings[..., :1]], -1)


def _strips(lower: I32, upper: I32) -> I32:
    """Triangles between rings (R,N) and the next (R,N); none that has a corner twice."""
    a, b, c, d = lower, _turned_on(lower), _turned_on(upper), upper
    corners = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    x, y, z = corners.T
    return np.asarray(corners[(x != y) & (y != z) & (z != x)])


def _sharp_rings(xyz: F64) -> NDArray[np.bool_]:
    """Which of the rings (3,R,N) lie on a crease: their two strips meet at more than CREASE_DEG somewhere."""
    turned = _turned_on(xyz)
    a, b = turned[:, 1:] - xyz[:, :-1], xyz[:, 1:] - turned[:, :-1]
    # Written out: numpy's cross product and roll take three times as long.
    normal = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    normal /= np.maximum(np.sqrt((normal * normal).sum(0)), 1e-15)
    cosine = (normal[:, 1:] * normal[:, :-1]).sum(0).min(-1)
    return np.concatenate([[False], cosine < np.cos(np.radians(CREASE_DEG)), [False]])


def lathe(profile: F64, segments: int = 32, warp: Warp | None = None) -> Mesh:
    """Turn a profile (P,2) of (radius, z) about +z. Outside up, inside down, from axis to axis is closed."""
    angle = 2 * np.pi * np.arange(segments) / segments
    r, z = profile[:, :1], np.broadcast_to(profile[:, 1:2], (len(profile), segments))
    rings = np.stack([r * np.cos(angle), r * np.sin(angle), z], -1)
    return loft(rings if warp is None else warp(rings))


def turned(runs: Sequence[tuple[Material, F64]], segments: int = 32, warp: Warp | None = None) -> tuple[Surface, ...]:
    """Lathe one profile whose successive stretches have different materials; together they are closed."""
    return tuple(lathe(profile, segments, warp).surface(material) for material, profile in runs)


def ellipsoid(radii: Vec3, centre: Vec3 = (0.0, 0.0, 0.0), segments: int = 20) -> Mesh:
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    unit = np.stack([np.abs(np.cos(angle)), np.sin(angle)], -1)
    unit[[0, -1], 0] = 0.0
    return lathe(unit, segments, lambda v: v * np.asarray(radii) + np.asarray(centre))


# ---- Tubes and slabs -----------------------------------------------------------------------------


def tube_rings(path: F64, half: ArrayLike, across: Vec3, segments: int = 10) -> F64:
    """Rings (P,N,3) around a plane curve (P,3). `across` is the unit normal of its plane; `half` (P,2) or
    (2,) are the half-widths along `across` and within the plane."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    u = np.asarray(across, float)
    w = np.cross(tangent, u)
    w /= np.linalg.norm(w, axis=-1, keepdims=True)
    size = np.broadcast_to(np.asarray(half, float), (len(path), 2))[:, None, :, None]
    angle = 2 * np.pi * np.arange(segments)[:, None] / segments
    ring = size[:, :, 0] * np.cos(angle) * u + size[:, :, 1] * np.sin(angle) * w[:, None]
    return np.asarray(path[:, None] + ring)


def capped(rings: F64, rounded: bool = False) -> F64:
    """The rings with both ends closed, flat or by a dome."""
    first, last = _end(rings[0], rings[1], rounded), _end(rings[-1], rings[-2], rounded)
    return np.concatenate([first[::-1], rings, last])


def _end(ring: F64, inner: F64, rounded: bool) -> F64:
    centre, spread = ring.mean(0), ring - ring.mean(0)
    if not rounded:
        return np.broadcast_to(centre, (1, *ring.shape))
    out = centre - inner.mean(0)
    out = out / np.linalg.norm(out) * np.linalg.norm(spread, axis=-1).mean()
    angle = np.radians([30.0, 60.0, 90.0])[:, None, None]
    return np.asarray(centre + out * np.sin(angle) + spread * np.round(np.cos(angle), 9))


def tube(path: F64, half: ArrayLike, across: Vec3, segments: int = 10, rounded: bool = False) -> Mesh:
    return loft(capped(tube_rings(path, half, across, segments), rounded))


def rounded_rectangle(sx: ArrayLike, sy: ArrayLike, radius: ArrayLike, steps: int = 3) -> F64:
    """Outlines (…,N,2) of rectangles with full sizes sx, sy (…) about the origin, counter-clockwise."""
    half = np.stack([np.asarray(sx, float), np.asarray(sy, float)], -1) / 2
    rounded = np.minimum(radius, 0.998 * half.min(-1))[..., None]
    corners = (half - rounded)[..., None, None, :] * _QUADRANTS + rounded[..., None, None] * _quarters(steps)
    return np.asarray(corners.reshape(*half.shape[:-1], -1, 2))


_QUADRANTS = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])[:, None]


@lru_cache(maxsize=8)
def _quarters(steps: int) -> F64:
    """(4,steps+1,2) the unit circle by quadrants, counter-clockwise, both ends of each."""
    angle = np.radians(np.linspace(0, 90, steps + 1))
    x, y = np.cos(angle), np.sin(angle)
    return np.stack([np.stack(q, -1) for q in ((x, y), (-y, x), (-x, -y), (y, -x))])


def slab(
    size: Vec3, corner: float, bevel: float = 0.0, centre: tuple[float, float] = (0.0, 0.0), z: float = 0.0
) -> Mesh:
    """An extruded rounded rectangle of full sizes (x, y, height) standing at z, its edges bevelled."""
    sx, sy, height = size
    levels = [(0.0, bevel), (bevel * 0.3, bevel * 0.3), (bevel, 0.0)] if bevel > 0 else [(0.0, 0.0)]
    levels += [(height - dz, inset) for dz, inset in reversed(levels)]
    dz, inset = np.array(levels).T
    outlines = rounded_rectangle(sx - 2 * inset, sy - 2 * inset, np.maximum(corner - inset, 1e-4)) + centre
    heights = np.broadcast_to((z + dz)[:, None, None], (*outlines.shape[:2], 1))
    return loft(capped(np.concatenate([outlines, heights], -1)))


def prism(outline: F64, z0: float, z1: float, bevel: float = 0.0) -> Mesh:
    """An outline (N,2), star-shaped about its mean, counter-clockwise, extruded from z0 to z1."""
    levels = [(z0, 1.0), (z1, 1.0)]
    if bevel > 0:
        inset = 1 - bevel / float(np.linalg.norm(outline, axis=-1).max())
        levels = [(z0, inset), (z0 + bevel, 1.0), (z1 - bevel, 1.0), (z1, inset)]
    return loft(capped(np.stack([np.column_stack([outline * s, np.full(len(outline), z)]) for z, s in levels])))
