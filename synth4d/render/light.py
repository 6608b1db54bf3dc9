"""Light on the points of a light mesh: how open each is to the ambient, and what each lamp gives it.

Every lamp is kept apart, so a switch changes colours without new rays. What stands still is lit once, against
what stands still; moving bodies block light in addition, frame by frame, so the light at a time depends on
the poses at that time alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, rotate
from synth4d.render.author import LightMesh
from synth4d.render.rays import RayScene
from synth4d.types import F32, F64, Body, Lamp, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

AMBIENT_RAYS = 24
LAMP_RAYS = 6
REACH_M = 0.6
"""Distance at which an occluder stops to darken the ambient; its effect falls off linearly."""
_LIFT_M = 0.002
_SHEEN = 24
_MOVED = (0.002, 0.008)
"""Metres and quaternion difference below which a moved body keeps its light."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """What reaches each point (V rows), unscaled by any lamp's colour or level."""

    ambient: F32
    """(V,) 0..1"""
    lamps: F32
    """(V,L) cosine / d² × visible share"""
    sheen: F32
    """(V,L) the same about the mirror direction of the normal, for gloss"""


class Probe:
    """Points with normals, and the rays that leave them; frames of reference are the caller's."""

    def __init__(self, mesh: LightMesh, rows: I64) -> None:
        pull = mesh.pull[rows]
        length = np.linalg.norm(pull, axis=1, keepdims=True)
        inset = pull * np.minimum(0.15, 0.004 / np.maximum(length, 1e-9))
        self.rows, self.body = rows, mesh.body[rows]
        self.local_normals = mesh.normals[rows]
        self.local = mesh.points[rows] + self.local_normals * _LIFT_M + inset
        self.local_rays = _hemisphere(self.local_normals, _spin(mesh.points[rows]))

    def pose(self, poses: F64) -> None:
        """Place the points by the poses (B,7) of their bodies."""
        mine = poses[self.body]
        self.points = apply_pose(mine, self.local)
        self.normals = rotate(mine[:, 3:], self.local_normals)
        self.rays = rotate(mine[:, None, 3:], self.local_rays).astype(np.float32)

    def openings(self, scene: RayScene, rows: I64) -> F32:
        """(R,K) distance of what blocks each ambient ray, at most REACH_M."""
        origins = np.repeat(self.points[rows].astype(np.float32), AMBIENT_RAYS, axis=0)
        reach = np.full(len(origins), REACH_M, np.float32)
        rays = self.rays[rows].reshape(-1, 3)
        return scene.distances(origins, rays, reach).reshape(-1, AMBIENT_RAYS)

    def shadows(self, scene: RayScene, lamp: Lamp, rows: I64) -> Bool:
        """(R,S) whether the way to each point of a lamp is blocked."""
        targets = np.asarray(lamp.position) + lamp.radius * _SPHERE
        way = (targets[None] - self.points[rows, None]).astype(np.float32).reshape(-1, 3)
        origins = np.repeat(self.points[rows].astype(np.float32), LAMP_RAYS, axis=0)
        length = np.sqrt(way[:, 0] ** 2 + way[:, 1] ** 2 + way[:, 2] ** 2)
        blocked = scene.blocked(origins, way / length[:, None], length * np.float32(0.999))
        return blocked.reshape(-1, LAMP_RAYS)

    def facing(self, lamp: Lamp) -> tuple[F64, F64]:
        """(V,) cosine towards the lamp and squared distance."""
        way = np.asarray(lamp.position) - self.points
        square = np.maximum(np.sum(way * way, 1), max(lamp.radius, 0.02) ** 2)
        return np.maximum(np.sum(way * self.normals, 1) / np.sqrt(square), 0.0), square


class Light:
    """The light of one clip on a light mesh; `at` moves it to a frame."""

    def __init__(
        self, world: World, timeline: Timeline, mesh: LightMesh, lamps: tuple[Lamp, ...], moves: Bool
    ) -> None:
        self.timeline, self.mesh, self.lamps = timeline, mesh, lamps
        self.moving = [int(b) for b in np.flatnonzero(moves)]
        self.shapes = {b: occluder(world.bodies[b]) for b in self.moving}
        self.still_scene = RayScene(still_triangles(world, timeline, moves))
        self.neighbours = _Neighbours(mesh)
        self.still = Probe(mesh, np.flatnonzero(~moves[mesh.body]))
        self.loose = Probe(mesh, np.flatnonzero(moves[mesh.body]))
        self.still.pose(timeline.poses[0])
        self._opening, self._shadow = self._cast(self.still, self.still_scene)
        self._lit_poses: F64 | None = None
        self.lit: Lit | None = None

    def at(self, frame: int) -> Lit:
        """Light at a frame: the same object as before where nothing has moved since."""
        poses = self.timeline.poses[frame]
        if self.lit is not None and not self._moved(poses):
            return self.lit
        self._lit_poses = poses
        scene = RayScene(self._posed(poses))
        self.loose.pose(poses)
        opening, shadow = self._shade_still(scene, poses)
        loose_opening, loose_shadow = self._cast(self.loose, self.still_scene)
        if len(self.loose.rows):
            every = np.arange(len(self.loose.rows))
            loose_opening = np.minimum(loose_opening, self.loose.openings(scene, every))
            for k, lamp in enumerate(self.lamps):
                toward = np.flatnonzero(self.loose.facing(lamp)[0] > 0)
                loose_shadow[toward, k] |= self.loose.shadows(scene, lamp, toward)
        self.lit = self._combine([(self.still, opening, shadow), (self.loose, loose_opening, loose_shadow)])
        return self.lit

    def _moved(self, poses: F64) -> bool:
        if self._lit_poses is None:
            return True
        change = np.abs(poses - self._lit_poses)[self.moving]
        return bool(np.any(change[:, :3] > _MOVED[0]) or np.any(change[:, 3:] > _MOVED[1]))

    def _posed(self, poses: F64) -> F64:
        parts = [apply_pose(poses[b], self.shapes[b]) for b in self.moving]
        return np.concatenate([np.zeros((0, 3, 3)), *parts])

    def _cast(self, probe: Probe, scene: RayScene) -> tuple[F32, Bool]:
        every = np.arange(len(probe.rows))
        opening = probe.openings(scene, every)
        shadow = np.zeros((len(every), len(self.lamps), LAMP_RAYS), bool)
        for k, lamp in enumerate(self.lamps):
            toward = np.flatnonzero(probe.facing(lamp)[0] > 0)
            shadow[toward, k] = probe.shadows(scene, lamp, toward)
        return opening, shadow

    def _shade_still(self, scene: RayScene, poses: F64) -> tuple[F32, Bool]:
        """What moving bodies take from the points that stand still, in addition."""
        opening, shadow = self._opening.copy(), self._shadow.copy()
        if scene.empty:
            return opening, shadow
        points = self.still.points
        near = np.zeros(len(points), bool)
        behind = np.zeros((len(points), len(self.lamps)), bool)
        for b in self.moving:
            center, radius = _ball(apply_pose(poses[b], self.shapes[b]).reshape(-1, 3))
            near |= np.sum((points - center) ** 2, 1) < (radius + REACH_M) ** 2
            for k, lamp in enumerate(self.lamps):
                behind[:, k] |= _crosses(points, np.asarray(lamp.position), center, radius + lamp.radius)
        rows = np.flatnonzero(near)
        opening[rows] = np.minimum(opening[rows], self.still.openings(scene, rows))
        for k, lamp in enumerate(self.lamps):
            rows = np.flatnonzero(behind[:, k] & (self.still.facing(lamp)[0] > 0) & ~shadow[:, k].all(1))
            shadow[rows, k] |= self.still.shadows(scene, lamp, rows)
        return opening, shadow

    def _combine(self, parts: list[tuple[Probe, F32, Bool]]) -> Lit:
        count = len(self.mesh.points)
        columns = np.zeros((count, 1 + 2 * len(self.lamps)), np.float32)
        buried = np.zeros(count, bool)
        for probe, opening, shadow in parts:
            columns[probe.rows, 0] = (opening / np.float32(REACH_M)).mean(1)
            buried[probe.rows] = opening.max(1) < 0.1 * REACH_M
            for k, lamp in enumerate(self.lamps):
                cosine, square = probe.facing(lamp)
                seen = (1 - shadow[:, k].mean(1)) / square
                columns[probe.rows, 1 + 2 * k] = seen * cosine
                columns[probe.rows, 2 + 2 * k] = seen * cosine**_SHEEN
        columns = self.neighbours.smooth(columns, buried)
        return Lit(columns[:, 0], columns[:, 1::2], columns[:, 2::2])


class _Neighbours:
    """Averages over the edges of a light mesh."""

    def __init__(self, mesh: LightMesh) -> None:
        self.a = np.concatenate([mesh.edges[:, 0], mesh.edges[:, 1]])
        self.b = np.concatenate([mesh.edges[:, 1], mesh.edges[:, 0]])
        self.count = len(mesh.points)

    def smooth(self, columns: F32, buried: Bool) -> F32:
        """Half each point, half the mean of its neighbours; buried points take their neighbours' light, lest
        the dark inside of a solid reach out of it."""
        known = ~buried
        out = columns.astype(np.float64)
        for _ in range(2):
            mean, share = self._mean(out, known)
            reached = buried & (share > 0)
            out[reached] = mean[reached]
            known = known | reached
        mean, share = self._mean(out, known)
        rows = known & (share > 0)
        out[rows] = 0.5 * out[rows] + 0.5 * mean[rows]
        return out.astype(np.float32)

    def _mean(self, columns: F64, known: Bool) -> tuple[F64, F64]:
        use = known[self.b].astype(np.float64)
        share = np.bincount(self.a, use, self.count)
        sums = [np.bincount(self.a, columns[self.b, k] * use, self.count) for k in range(columns.shape[1])]
        return np.stack(sums, 1) / np.maximum(share, 1)[:, None], share


def occluder(body: Body) -> F64:
    """Triangles (F,3,3) of a body that block light, body frame: all but those that glow, glass and liquid."""
    parts = [np.zeros((0, 3, 3))]
    if body.role != "liquid":
        for s in body.surfaces:
            if s.material.glow is None and s.material.opacity > 0.5:
                parts.append(np.asarray(s.vertices, float)[s.faces])
    return np.concatenate(parts)


def still_triangles(world: World, timeline: Timeline, moves: Bool) -> F64:
    """World-frame occluders that never move."""
    parts = [
        apply_pose(timeline.poses[0, i], occluder(body)) for i, body in enumerate(world.bodies) if not moves[i]
    ]
    return np.concatenate([np.zeros((0, 3, 3)), *parts])


def _ball(points: F64) -> tuple[F64, float]:
    if not len(points):
        return np.zeros(3), 0.0
    center = (points.min(0) + points.max(0)) / 2
    return center, float(np.sqrt(np.max(np.sum((points - center) ** 2, 1))))


def _crosses(points: F64, lamp: F64, center: F64, radius: float) -> Bool:
    """(N,) whether the segment from a point to the lamp comes within radius of a centre."""
    way, to = lamp - points, center - points
    t = np.clip(np.sum(way * to, 1) / np.maximum(np.sum(way * way, 1), 1e-12), 0, 1)
    return np.asarray(np.sum((to - t[:, None] * way) ** 2, 1) < radius**2)


# ---- Directions -------------------------------------------------------------------------------------


def _spiral(count: int) -> F64:
    return np.arange(count) * np.pi * (3 - np.sqrt(5.0))


def _fibonacci_sphere(count: int) -> F64:
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    r, phi = np.sqrt(1 - z * z), _spiral(count)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)


_SPHERE = _fibonacci_sphere(LAMP_RAYS)


def _hemisphere(normals: F64, spin: F64) -> F64:
    """(V,K,3) cosine-distributed directions about normals, turned by spin (V,) radians."""
    k = (np.arange(AMBIENT_RAYS) + 0.5) / AMBIENT_RAYS
    phi = _spiral(AMBIENT_RAYS)[None] + spin[:, None]
    x, y, z = np.sqrt(k) * np.cos(phi), np.sqrt(k) * np.sin(phi), np.sqrt(1 - k)
    first, second = _tangents(normals)
    return x[..., None] * first[:, None] + y[..., None] * second[:, None] + z[:, None] * normals[:, None]


def _tangents(n: F64) -> tuple[F64, F64]:
    """Two axes across each normal (Duff et al. 2017, Building an orthonormal basis, revisited)."""
    sign = np.copysign(1.0, n[:, 2])
    a = -1.0 / (sign + n[:, 2])
    b = n[:, 0] * n[:, 1] * a
    first = np.stack([1 + sign * n[:, 0] ** 2 * a, sign * b, -sign * n[:, 0]], 1)
    return first, np.stack([b, sign + n[:, 1] ** 2 * a, -n[:, 1]], 1)


def _spin(points: F64) -> F64:
    """(V,) an angle hashed from the place, so that culling does not change it."""
    cell = np.round(points * 2000).astype(np.int64)
    x = (cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791).astype(np.uint64)
    x = (x ^ (x >> np.uint64(15))) * np.uint64(0x9E3779B97F4A7C15)
    return (x >> np.uint64(40)).astype(np.float64) * (2 * np.pi / 2**24)
