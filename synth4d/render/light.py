"""Light on the points of a light mesh: how open each is to the ambient, and what each lamp gives it.

Every lamp is kept apart, so a switch changes colours without new rays. What stands still is lit once, against
what stands still; moving bodies block light in addition, frame by frame, so the light at a time depends on
the poses at that time alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.render.author import LightMesh
from synth4d.render.probe import LAMP_RAYS, REACH_M, Cast, Probe, dot
from synth4d.render.rays import RayScene
from synth4d.types import F32, F64, Body, Lamp, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_BURIED_M = 0.06
"""A point from which no ray gets further than this lies inside or under something."""
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


class Light:
    """The light of one clip on a light mesh; `at` moves it to a frame."""

    def __init__(self, world: World, timeline: Timeline, mesh: LightMesh, lamps: tuple[Lamp, ...], moves: Bool) -> None:
        self.timeline, self.mesh, self.lamps = timeline, mesh, lamps
        self.moving = [int(b) for b in np.flatnonzero(moves)]
        self.shapes = {b: occluder(world.bodies[b]) for b in self.moving}
        self.scene = RayScene(still_triangles(world, timeline, moves))
        self.still = Probe(mesh, np.flatnonzero(~moves[mesh.body]), timeline.poses[0])
        self.aims = self.still.aims(lamps)
        self.cast = self._cast(self.still, self.aims)
        self.columns = self.cast.columns(self.aims)
        buried = np.zeros(len(mesh.points), bool)
        buried[self.still.rows] = self.cast.opening.max(1, initial=0) < _BURIED_M
        self.neighbours = Neighbours(mesh, buried)
        dark = self.cast.shadow.all(2)
        self.lamp_rows = [np.flatnonzero((self.aims[:, k, 0] > 0) & ~dark[:, k]) for k in range(len(lamps))]
        self._rides: dict[int, tuple[F64, Probe, F32, Cast]] = {}
        self._lit: tuple[F64, Lit] | None = None

    def at(self, frame: int) -> Lit:
        """Light at a frame: the same object as before where nothing has moved since."""
        poses = self.timeline.poses[frame]
        if self._lit is not None and not self._moved(poses, self._lit[0]):
            return self._lit[1]
        raw = np.zeros((len(self.mesh.points), self.columns.shape[1]), np.float32)
        raw[self.still.rows] = self.columns
        if self.moving:
            shapes = [apply_pose(poses[b], self.shapes[b]).astype(np.float32) for b in self.moving]
            scene = RayScene(np.concatenate(shapes))
            rows, columns = self._darkened(scene, shapes)
            raw[self.still.rows[rows]] = columns
            for body in self.moving:
                rows, columns = self._ride(body, poses, scene)
                raw[rows] = columns
        smooth = self.neighbours.smooth(raw)
        self._lit = (poses, Lit(smooth[:, 0], smooth[:, 1::2], smooth[:, 2::2]))
        return self._lit[1]

    def _moved(self, poses: F64, before: F64) -> bool:
        change = np.abs(poses - before)[self.moving]
        return bool(np.any(change[:, :3] > _MOVED[0]) or np.any(change[:, 3:] > _MOVED[1]))

    def _cast(self, probe: Probe, aims: F32) -> Cast:
        """A probe's rays among what stands still."""
        shadow = np.zeros((len(aims), len(self.lamps), LAMP_RAYS), bool)
        for k, lamp in enumerate(self.lamps):
            toward = np.flatnonzero(aims[:, k, 0] > 0)
            shadow[toward, k] = probe.shadows(self.scene, lamp, toward)
        return Cast(probe.openings(self.scene, np.arange(len(aims))), shadow)

    def _darkened(self, scene: RayScene, shapes: list[F32]) -> tuple[I64, F32]:
        """The still points that moving bodies take light from, and their columns."""
        points, normals = self.still.points, self.still.normals
        near = np.zeros(len(points), bool)
        behind = [np.zeros(len(rows), bool) for rows in self.lamp_rows]
        for corners in (s for s in shapes if len(s)):
            low, high = corners.min((0, 1)), corners.max((0, 1))
            center, half = (low + high) / 2, (high - low) / 2
            to = center - points
            beyond = np.maximum(np.abs(to) - half, 0)
            above = dot(to, normals) + dot(np.abs(normals), np.broadcast_to(half, normals.shape)) > 0
            near |= above & (dot(beyond, beyond) < REACH_M**2)
            radius = float(np.sqrt((half * half).sum()))
            for k, rows in enumerate(self.lamp_rows):
                behind[k] |= _crosses(points[rows], self.lamps[k], center, radius)
        shaded = [rows[b] for rows, b in zip(self.lamp_rows, behind, strict=True)]
        touched = near.copy()
        touched[np.concatenate([np.zeros(0, np.int64), *shaded])] = True
        rows, place = np.flatnonzero(touched), np.cumsum(touched) - 1
        cast = Cast(self.cast.opening[rows], self.cast.shadow[rows])
        some = np.flatnonzero(near)
        cast.opening[place[some]] = np.minimum(cast.opening[place[some]], self.still.openings(scene, some))
        for k, mine in enumerate(shaded):
            cast.shadow[place[mine], k] |= self.still.shadows(scene, self.lamps[k], mine)
        return rows, cast.columns(self.aims[rows])

    def _ride(self, body: int, poses: F64, scene: RayScene) -> tuple[I64, F32]:
        """A moving body's own points and their columns: among what stands still (kept while the body rests)
        and among what moves."""
        kept = self._rides.get(body)
        if kept is None or np.any(kept[0] != poses[body]):
            probe = Probe(self.mesh, np.flatnonzero(self.mesh.body == body), poses)
            aims = probe.aims(self.lamps)
            kept = (poses[body], probe, aims, self._cast(probe, aims))
            self._rides[body] = kept
        _, probe, aims, cast = kept
        shadow = cast.shadow.copy()
        for k, lamp in enumerate(self.lamps):
            toward = np.flatnonzero((aims[:, k, 0] > 0) & ~shadow[:, k].all(1))
            shadow[toward, k] |= probe.shadows(scene, lamp, toward)
        opening = np.minimum(cast.opening, probe.openings(scene, np.arange(len(aims))))
        return probe.rows, Cast(opening, shadow).columns(aims)


class Neighbours:
    """Averages over the edges of a light mesh. Buried points take their neighbours' light, lest the dark
    inside of a solid reach out of it."""

    def __init__(self, mesh: LightMesh, buried: Bool) -> None:
        from scipy.sparse import csr_matrix, diags

        a = np.concatenate([mesh.edges[:, 0], mesh.edges[:, 1]])
        b = np.concatenate([mesh.edges[:, 1], mesh.edges[:, 0]])
        count = len(mesh.points)
        links = csr_matrix((np.ones(len(a), np.float32), (a, b)), shape=(count, count))
        known = (~buried).astype(np.float32)
        share = links @ known
        mean = diags(1 / np.maximum(share, 1)) @ links @ diags(known)
        own = np.where(share == 0, 1, np.where(buried, 0, 0.5))
        self._half: Any = (diags(own) + diags(1 - own) @ mean).astype(np.float32).tocsr()

    def smooth(self, columns: F32) -> F32:
        """Twice: half each point and half the mean of its neighbours."""
        smoothed: F32 = self._half @ (self._half @ columns)
        return smoothed


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
    parts = [apply_pose(timeline.poses[0, i], occluder(body)) for i, body in enumerate(world.bodies) if not moves[i]]
    return np.concatenate([np.zeros((0, 3, 3)), *parts])


def _crosses(points: F32, lamp: Lamp, center: F32, radius: float) -> Bool:
    """(N,) whether the way from a point to a lamp comes within radius of a centre."""
    way, to = np.asarray(lamp.position, np.float32) - points, center - points
    along, square = dot(way, to), dot(way, way)
    t = np.clip(along / np.maximum(square, 1e-12), 0, 1)
    gap = dot(to, to) - 2 * t * along + t * t * square
    return np.asarray(gap < (radius + lamp.radius) ** 2)
