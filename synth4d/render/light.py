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
_SMOOTHINGS = 2
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
    """Points of a light mesh in world coordinates, and the rays that leave them."""

    def __init__(self, mesh: LightMesh, rows: I64, poses: F64) -> None:
        pose = poses[mesh.body[rows]]
        pull = mesh.pull[rows]
        length = np.sqrt(np.sum(pull * pull, 1, keepdims=True))
        inset = pull * np.minimum(0.15, 0.004 / np.maximum(length, 1e-9))
        self.rows = rows
        self.points = apply_pose(pose, mesh.points[rows] + mesh.normals[rows] * _LIFT_M + inset).astype(np.float32)
        self.normals = rotate(pose[:, 3:], mesh.normals[rows]).astype(np.float32)
        # The pattern of rays turns with the body, so that its light does not flicker as it moves.
        first, second = (rotate(pose[:, 3:], t).astype(np.float32) for t in _tangents(mesh.normals[rows]))
        self.rays = _hemisphere(first, second, self.normals, _spin(mesh.points[rows]))

    def openings(self, scene: RayScene, rows: I64) -> F32:
        """(R,K) distance of what blocks each ambient ray, at most REACH_M."""
        origins = np.repeat(self.points[rows], AMBIENT_RAYS, axis=0)
        reach = np.full(len(origins), REACH_M, np.float32)
        return scene.distances(origins, self.rays[rows].reshape(-1, 3), reach).reshape(-1, AMBIENT_RAYS)

    def shadows(self, scene: RayScene, lamp: Lamp, rows: I64) -> Bool:
        """(R,S) whether the way to each point of a lamp is blocked."""
        targets = (np.asarray(lamp.position) + lamp.radius * _SPHERE).astype(np.float32)
        way = (targets[None] - self.points[rows, None]).reshape(-1, 3)
        origins = np.repeat(self.points[rows], LAMP_RAYS, axis=0)
        length = np.sqrt(_dot(way, way))
        blocked = scene.blocked(origins, way / length[:, None], length * np.float32(0.999))
        return blocked.reshape(-1, LAMP_RAYS)

    def facing(self, lamp: Lamp) -> tuple[F32, F32]:
        """(V,) cosine towards the lamp and squared distance."""
        way = np.asarray(lamp.position, np.float32) - self.points
        square = np.maximum(_dot(way, way), np.float32(max(lamp.radius, 0.02) ** 2))
        return np.maximum(_dot(way, self.normals) / np.sqrt(square), 0), square


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """What a probe's rays met, kept ray by ray so that further occluders can be added."""

    opening: F32
    """(V,K)"""
    shadow: Bool
    """(V,L,S)"""

    def columns(self, probe: Probe, lamps: tuple[Lamp, ...], rows: I64) -> F32:
        """(R,1+2L) ambient, then each lamp's diffuse and sheen."""
        out = np.empty((len(rows), 1 + 2 * len(lamps)), np.float32)
        out[:, 0] = self.opening[rows].mean(1) / np.float32(REACH_M)
        for k, lamp in enumerate(lamps):
            cosine, square = (values[rows] for values in probe.facing(lamp))
            seen = (~self.shadow[rows, k]).mean(1, dtype=np.float32) / square
            out[:, 1 + 2 * k] = seen * cosine
            out[:, 2 + 2 * k] = seen * cosine**_SHEEN
        return out


class Light:
    """The light of one clip on a light mesh; `at` moves it to a frame."""

    def __init__(
        self, world: World, timeline: Timeline, mesh: LightMesh, lamps: tuple[Lamp, ...], moves: Bool
    ) -> None:
        self.timeline, self.mesh, self.lamps = timeline, mesh, lamps
        self.moving = [int(b) for b in np.flatnonzero(moves)]
        self.shapes = {b: occluder(world.bodies[b]) for b in self.moving}
        self.scene = RayScene(still_triangles(world, timeline, moves))
        self.neighbours = Neighbours(mesh)
        self.still = Probe(mesh, np.flatnonzero(~moves[mesh.body]), timeline.poses[0])
        self.cast = self._cast(self.still)
        self.columns = self.cast.columns(self.still, lamps, np.arange(len(self.still.rows)))
        self.lamp_rows = [
            np.flatnonzero((self.still.facing(lamp)[0] > 0) & ~self.cast.shadow[:, k].all(1))
            for k, lamp in enumerate(lamps)
        ]
        self._loose: dict[int, tuple[F64, Probe, Cast]] = {}
        self._lit: tuple[F64, Lit] | None = None

    def at(self, frame: int) -> Lit:
        """Light at a frame: the same object as before where nothing has moved since."""
        poses = self.timeline.poses[frame]
        if self._lit is not None and not self._moved(poses, self._lit[0]):
            return self._lit[1]
        raw = np.zeros((len(self.mesh.points), self.columns.shape[1]), np.float32)
        buried = np.zeros(len(raw), bool)
        raw[self.still.rows] = self.columns
        buried[self.still.rows] = _buried(self.cast.opening)
        if self.moving:
            shapes = [apply_pose(poses[b], self.shapes[b]).astype(np.float32) for b in self.moving]
            scene = RayScene(np.concatenate(shapes))
            rows, cast = self._darkened(scene, shapes)
            raw[self.still.rows[rows]] = cast.columns(self.still, self.lamps, rows)
            for body in self.moving:
                probe, cast = self._ride(body, poses, scene)
                raw[probe.rows] = cast.columns(probe, self.lamps, np.arange(len(probe.rows)))
                buried[probe.rows] = _buried(cast.opening)
        smooth = self.neighbours.smooth(raw, buried)
        self._lit = (poses, Lit(smooth[:, 0], smooth[:, 1::2], smooth[:, 2::2]))
        return self._lit[1]

    def _moved(self, poses: F64, before: F64) -> bool:
        change = np.abs(poses - before)[self.moving]
        return bool(np.any(change[:, :3] > _MOVED[0]) or np.any(change[:, 3:] > _MOVED[1]))

    def _cast(self, probe: Probe) -> Cast:
        """A probe's rays among what stands still."""
        every = np.arange(len(probe.rows))
        shadow = np.zeros((len(every), len(self.lamps), LAMP_RAYS), bool)
        for k, lamp in enumerate(self.lamps):
            toward = np.flatnonzero(probe.facing(lamp)[0] > 0)
            shadow[toward, k] = probe.shadows(self.scene, lamp, toward)
        return Cast(probe.openings(self.scene, every), shadow)

    def _darkened(self, scene: RayScene, shapes: list[F32]) -> tuple[I64, Cast]:
        """The still points that moving bodies take light from, and what all still points' rays then meet."""
        points, normals = self.still.points, self.still.normals
        opening, shadow = self.cast.opening.copy(), self.cast.shadow.copy()
        near = np.zeros(len(points), bool)
        behind = [np.zeros(len(rows), bool) for rows in self.lamp_rows]
        for corners in shapes:
            if not len(corners):
                continue
            low, high = corners.min((0, 1)), corners.max((0, 1))
            center, half = (low + high) / 2, (high - low) / 2
            to = center - points
            beyond = np.maximum(np.abs(to) - half, 0)
            above = _dot(to, normals) + _dot(np.abs(normals), np.broadcast_to(half, normals.shape)) > 0
            near |= above & (_dot(beyond, beyond) < REACH_M**2)
            radius = float(np.sqrt((half * half).sum()))
            for k, rows in enumerate(self.lamp_rows):
                behind[k] |= _crosses(points[rows], self.lamps[k], center, radius)
        rows = np.flatnonzero(near)
        opening[rows] = np.minimum(opening[rows], self.still.openings(scene, rows))
        for k, mine in enumerate(self.lamp_rows):
            rows = mine[behind[k]]
            shadow[rows, k] |= self.still.shadows(scene, self.lamps[k], rows)
            near[rows] = True
        return np.flatnonzero(near), Cast(opening, shadow)

    def _ride(self, body: int, poses: F64, scene: RayScene) -> tuple[Probe, Cast]:
        """A moving body's own points: among what stands still (kept while it rests) and what moves."""
        kept = self._loose.get(body)
        if kept is None or np.any(kept[0] != poses[body]):
            probe = Probe(self.mesh, np.flatnonzero(self.mesh.body == body), poses)
            kept = (poses[body], probe, self._cast(probe))
            self._loose[body] = kept
        _, probe, cast = kept
        every = np.arange(len(probe.rows))
        shadow = cast.shadow.copy()
        for k, lamp in enumerate(self.lamps):
            toward = np.flatnonzero(probe.facing(lamp)[0] > 0)
            shadow[toward, k] |= probe.shadows(scene, lamp, toward)
        return probe, Cast(np.minimum(cast.opening, probe.openings(scene, every)), shadow)


class Neighbours:
    """Averages over the edges of a light mesh."""

    def __init__(self, mesh: LightMesh) -> None:
        from scipy.sparse import csr_matrix

        a = np.concatenate([mesh.edges[:, 0], mesh.edges[:, 1]])
        b = np.concatenate([mesh.edges[:, 1], mesh.edges[:, 0]])
        count = len(mesh.points)
        self._links = csr_matrix((np.ones(len(a), np.float32), (a, b)), shape=(count, count))

    def smooth(self, columns: F32, buried: Bool) -> F32:
        """Half each point, half the mean of its neighbours; buried points take their neighbours' light, lest
        the dark inside of a solid reach out of it."""
        known = (~buried).astype(np.float32)[:, None]
        for _ in range(2):
            rows = np.flatnonzero(known[:, 0] == 0)
            links = self._links[rows]
            share = links @ known
            reached = np.flatnonzero(share[:, 0] > 0)
            mean = (links @ (columns * known))[reached] / share[reached]
            columns[rows[reached]] = mean
            known[rows[reached]] = 1
        for _ in range(_SMOOTHINGS):
            share = self._links @ known
            mean = (self._links @ (columns * known)) / np.maximum(share, 1)
            blend = np.where((known > 0) & (share > 0), np.float32(0.5), np.float32(0))
            columns = columns + blend * (mean - columns)
        return columns


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


def _buried(opening: F32) -> Bool:
    return opening.max(1, initial=0) < 0.1 * REACH_M


def _crosses(points: F32, lamp: Lamp, center: F32, radius: float) -> Bool:
    """(N,) whether the way from a point to a lamp comes within radius of a centre."""
    way, to = np.asarray(lamp.position, np.float32) - points, center - points
    along, square = _dot(way, to), _dot(way, way)
    t = np.clip(along / np.maximum(square, 1e-12), 0, 1)
    gap = _dot(to, to) - 2 * t * along + t * t * square
    return np.asarray(gap < (radius + lamp.radius) ** 2)


def _dot(a: F32, b: F32) -> F32:
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


# ---- Directions -------------------------------------------------------------------------------------


def _spiral(count: int) -> F64:
    return np.arange(count) * np.pi * (3 - np.sqrt(5.0))


def _fibonacci_sphere(count: int) -> F64:
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    r, phi = np.sqrt(1 - z * z), _spiral(count)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)


_SPHERE = _fibonacci_sphere(LAMP_RAYS)


def _hemisphere(first: F32, second: F32, normals: F32, spin: F64) -> F32:
    """(V,K,3) cosine-distributed directions about normals, turned by spin (V,) radians."""
    k = (np.arange(AMBIENT_RAYS) + 0.5) / AMBIENT_RAYS
    phi = _spiral(AMBIENT_RAYS)
    c, s = np.cos(spin)[:, None], np.sin(spin)[:, None]
    x = (np.sqrt(k) * (np.cos(phi) * c - np.sin(phi) * s)).astype(np.float32)
    y = (np.sqrt(k) * (np.sin(phi) * c + np.cos(phi) * s)).astype(np.float32)
    z = np.sqrt(1 - k).astype(np.float32)[:, None]
    return x[..., None] * first[:, None] + y[..., None] * second[:, None] + z * normals[:, None]


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
