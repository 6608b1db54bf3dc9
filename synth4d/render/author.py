"""Gaussians authored on the surfaces of a world's bodies, bound to the bodies' frames, for one camera path.

Only what some camera of the path may see is covered, with a spacing of about SPACING_PX pixels at the
nearest distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, rotate
from synth4d.render import lattice, texture
from synth4d.render.surface import Skin, Triangles, bisect, gather, mix
from synth4d.render.view import Views, moving, views_of
from synth4d.types import F32, F64, I32, CameraPath, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

SPACING_PX = 0.9
SPACING_M = (0.002, 0.025)
LIGHT_PX, LIGHT_M = 7.0, (0.01, 0.08)
"""Edge of the triangles whose corners are lit, in pixels at the nearest distance, and its bounds."""
SIGMA = 0.65
"""In-plane standard deviation in lattice cells: the least that leaves no hole between four neighbours."""
FLATNESS = 0.1
OPACITY = 0.97
INSET = 0.7
"""Distance in cells that a Gaussian keeps from a hard line."""
_COARSE_M = 0.4


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
    """Gaussians in their bodies' frames, sorted by body."""

    body: I32
    """(N,) index in World.bodies"""
    means: F64
    quats: F64
    scales: F32
    opacities: F32
    albedo: F32
    """(N,3) linear"""
    material: I32
    lit: I64
    """(N,3) the light points a Gaussian lies between"""
    bary: F32
    light: LightMesh
    skins: list[Skin]


class Sight:
    """What the camera path sees of points given in their bodies' frames."""

    def __init__(self, timeline: Timeline, camera: CameraPath) -> None:
        self.start = timeline.poses[0]
        self.moves = moving(timeline)
        frames = len(camera.T_world_cam)
        rest = np.tile([0.0, 0, 0, 1, 0, 0, 0], (frames, 1))
        self.views: dict[int, Views] = {-1: views_of(camera, rest)}
        for body in np.flatnonzero(self.moves):
            self.views[int(body)] = views_of(camera, timeline.poses[:, body])
        self.focal = self.views[-1].focal

    def groups(self, body: I32) -> list[tuple[int, I64]]:
        """Rows by frame of reference: −1 for all that stands still, then each moving body."""
        group = np.where(self.moves[body], body, -1)
        return [(key, np.flatnonzero(group == key)) for key in self.views]

    def _each(self, body: I32, out: NDArray[np.generic], ask: Callable[[Views, I64, bool], NDArray[np.generic]]) -> None:
        for key, rows in self.groups(body):
            if len(rows):
                out[rows] = ask(self.views[key], rows, key < 0)

    def reach(self, points: F64, radius: F64, body: I32) -> F64:
        """(N,) nearest z-depth of spheres in any frame, inf where never in view."""
        out = np.full(len(points), np.inf)

        def ask(views: Views, rows: I64, still: bool) -> F64:
            p = apply_pose(self.start[body[rows]], points[rows]) if still else points[rows]
            return views.reach(p, radius[rows])

        self._each(body, out, ask)
        return out

    def faced(self, points: F64, normals: F64, slack: F64, body: I32) -> Bool:
        """(N,) whether a camera ever stands in front of the plane through a point."""
        out = np.zeros(len(points), bool)

        def ask(views: Views, rows: I64, still: bool) -> Bool:
            p, n = points[rows], normals[rows]
            if still:
                pose = self.start[body[rows]]
                p, n = apply_pose(pose, p), rotate(pose[:, 3:], n)
            return views.faced(p, n, slack[rows])

        self._each(body, out, ask)
        return out


def author(world: World, timeline: Timeline, camera: CameraPath) -> Authored:
    """Cover everything the camera path may see."""
    sight = Sight(timeline, camera)
    triangles, skins = gather(world.bodies)
    small, _ = _shrink(triangles, sight, lambda t, _: np.full(len(t), _COARSE_M))
    small, near = _shrink(small, sight, lambda _, z: np.clip(LIGHT_PX * z / sight.focal, *LIGHT_M))
    small = _face_camera(small, sight)
    pieces = lattice.cut(small.corners, small.flat)
    body = small.body[pieces.triangle]
    depth = sight.reach(pieces.center, pieces.radius, body)
    seen = np.isfinite(depth)
    pieces = lattice.Pieces(pieces.triangle[seen], pieces.chunk[seen], pieces.center[seen], pieces.radius[seen])
    cells = _cells(small, pieces, depth[seen], sight.focal)
    points = lattice.fill(small.corners, small.flat, pieces, cells)
    return _bind(small, skins, points, lattice.CHUNK / cells[points.piece])


def _shrink(
    triangles: Triangles, sight: Sight, limit: Callable[[Triangles, F64], F64]
) -> tuple[Triangles, F64]:
    """Cut triangles to the edge length limit(triangles, nearest depth) and leave out what is never seen."""
    near = _nearest(triangles, sight)
    triangles = triangles.take(np.isfinite(near))
    source, bary = bisect(triangles, limit(triangles, near[np.isfinite(near)]))
    base = triangles.take(source)
    small = Triangles(
        mix(bary, base.corners),
        mix(bary, base.normals),
        base.flat,
        base.body,
        base.material,
        base.two_sided,
        base.smooth,
        base.lines,
        base.widths,
    )
    near = _nearest(small, sight)
    return small.take(np.isfinite(near)), near[np.isfinite(near)]


def _nearest(triangles: Triangles, sight: Sight) -> F64:
    """(F,) nearest z-depth of triangles, inf where no camera sees their front."""
    middle = triangles.corners.mean(1)
    radius = np.sqrt(np.max(np.sum((triangles.corners - middle[:, None]) ** 2, 2), 1, initial=0.0))
    near = sight.reach(middle, radius, triangles.body)
    slack = np.where(triangles.smooth, 0.2, 1e-3)
    ahead = np.isfinite(near) & ~triangles.two_sided
    rows = np.flatnonzero(ahead)
    faced = sight.faced(middle[rows], triangles.flat[rows], slack[rows], triangles.body[rows])
    near[rows[~faced]] = np.inf
    # A camera inside the bounding sphere has no meaningful depth; a decimetre is as near as cameras come.
    return np.where(np.isfinite(near), np.maximum(near - radius, 0.1), np.inf)


def _face_camera(triangles: Triangles, sight: Sight) -> Triangles:
    """Turn the normals of two-sided triangles that are seen from behind alone."""
    rows = np.flatnonzero(triangles.two_sided)
    middle = triangles.corners[rows].mean(1)
    front = sight.faced(middle, triangles.flat[rows], np.zeros(len(rows)), triangles.body[rows])
    sign = np.ones(len(triangles))
    sign[rows[~front]] = -1.0
    return Triangles(
        triangles.corners,
        triangles.normals * sign[:, None, None],
        triangles.flat * sign[:, None],
        triangles.body,
        triangles.material,
        triangles.two_sided,
        triangles.smooth,
        triangles.lines,
        triangles.widths,
    )


def _cells(triangles: Triangles, pieces: lattice.Pieces, depth: F64, focal: float) -> I64:
    """(P,) lattice cells a chunk side: even within a chunk of a body, finer on strips narrower than a cell."""
    body = triangles.body[pieces.triangle].astype(np.int64)
    cube = np.floor(pieces.center / lattice.CHUNK + 0.5).astype(np.int64) + (1 << 14)
    key = ((body << 15 | cube[:, 0]) << 15 | cube[:, 1]) << 15 | cube[:, 2]
    _, group = np.unique(key, return_inverse=True)
    nearest = np.full(group.max(initial=-1) + 1, np.inf)
    np.minimum.at(nearest, group, np.maximum(depth - pieces.radius, 0.1))
    spacing = np.clip(SPACING_PX * nearest / focal, *SPACING_M)[group]
    strip = np.min(triangles.widths, 1, initial=np.inf)[pieces.triangle]
    spacing = np.maximum(np.minimum(spacing, strip / 1.5), spacing / 3)
    return lattice.chunk_level(lattice.CHUNK / np.maximum(spacing, SPACING_M[0]))


def _bind(small: Triangles, skins: list[Skin], points: lattice.Points, spacing: F64) -> Authored:
    order = np.argsort(small.body[points.triangle], kind="stable")
    triangle, bary, spacing = points.triangle[order], points.bary[order], spacing[order]
    used, row = np.unique(triangle, return_inverse=True)
    small = small.take(used)
    corners = small.corners[row]
    means = bary[:, 0:1] * corners[:, 0] + bary[:, 1:2] * corners[:, 1] + bary[:, 2:3] * corners[:, 2]
    means = _keep_clear(means, small, row, spacing)
    axes, stretch = lattice.frames(small.flat)
    sigma = SIGMA * spacing
    scales = np.concatenate([stretch[row] * sigma[:, None], (FLATNESS * sigma)[:, None]], 1)
    albedo = np.empty((len(row), 3), np.float32)
    opacity = np.empty(len(row), np.float32)
    for index in np.unique(small.material):
        mine = np.flatnonzero(small.material[row] == index)
        skin = skins[index]
        albedo[mine] = texture.albedo(skin.material, means[mine], small.flat[row[mine]], skin.low, skin.high)
        opacity[mine] = OPACITY * skin.material.opacity
    mesh, corner = _light_mesh(small)
    return Authored(
        small.body[row],
        means,
        quaternions(axes)[row],
        scales.astype(np.float32),
        opacity,
        albedo,
        small.material[row],
        corner[row],
        bary.astype(np.float32),
        mesh,
        skins,
    )


def _keep_clear(means: F64, small: Triangles, row: I64, spacing: F64) -> F64:
    """Move points that stand within a cell of a hard line to INSET cells from it, or to a strip's middle."""
    out = means.copy()
    for k in range(small.lines.shape[1]):
        some = np.flatnonzero(~np.isnan(small.lines[row, k, 3]))
        line, width = small.lines[row[some], k], small.widths[row[some], k]
        p = out[some]
        distance = p[:, 0] * line[:, 0] + p[:, 1] * line[:, 1] + p[:, 2] * line[:, 2] - line[:, 3]
        target = np.minimum(INSET * spacing[some], width / 2)
        close = distance < np.minimum(spacing[some], width / 2)
        out[some[close]] += line[close, :3] * (target - distance)[close, None]
    return out


def _light_mesh(small: Triangles) -> tuple[LightMesh, I64]:
    """Weld corners that share surface, place and normal: the mesh and each corner's vertex (F,3)."""
    count = len(small)
    points, normals = small.corners.reshape(-1, 3), small.normals.reshape(-1, 3)
    grid = np.concatenate([np.round(points * 5000), np.round(normals * 60)], 1).astype(np.int64).view(np.uint64)
    key = np.repeat(small.material, 3).astype(np.uint64)
    for column in range(6):
        key = (key ^ grid[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first, vertex = np.unique(key, return_index=True, return_inverse=True)
    pull = (np.repeat(small.corners.mean(1), 3, 0) - points)
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
    square = np.stack([trace, m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]], 1)
    best = np.argmax(square, 1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    x, y, z = (1 + 2 * m[:, k, k] - trace for k in range(3))
    table = np.stack(
        [np.stack(r, 1) for r in ([1 + trace, a, b, c], [a, x, d, e], [b, d, y, f], [c, e, f, z])], 1
    )
    q = table[np.arange(len(m)), best]
    return q / np.linalg.norm(q, axis=1, keepdims=True)
