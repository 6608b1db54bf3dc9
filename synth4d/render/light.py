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
from synth4d.rays import RayScene
from synth4d.render.bind import LightMesh
from synth4d.render.mover import Mover
from synth4d.render.probe import Cast, Probe, cast
from synth4d.types import F32, F64, Body, Lamp, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_BURIED_M = 0.06
"""A point from which no ray gets further than this lies inside or under something."""


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

    def __init__(
        self, world: World, timeline: Timeline, mesh: LightMesh, lamps: tuple[Lamp, ...], moves: Bool, scene: RayScene
    ) -> None:
        self.timeline, self.mesh, self.lamps, self.scene = timeline, mesh, lamps, scene
        self.still = Probe(mesh, np.flatnonzero(~moves[mesh.body]), timeline.poses[0])
        self.aims = self.still.aims(lamps)
        self.cast = cast(self.still, self.aims, lamps, scene)
        self.columns = self.cast.columns(self.aims)
        buried = np.zeros(len(mesh.points), bool)
        buried[self.still.rows] = self.cast.opening.max(1, initial=0) < _BURIED_M
        self.neighbours = Neighbours(mesh, buried)
        dark = self.cast.shadow.all(2)
        self.lamp_rows = [np.flatnonzero((self.aims[:, k, 0] > 0) & ~dark[:, k]) for k in range(len(lamps))]
        self.movers = [Mover(int(b), occluder(world.bodies[b], bulbs(world))) for b in np.flatnonzero(moves)]
        self._lit: Lit | None = None

    def at(self, frame: int) -> Lit:
        """Light at a frame: the same object as before where nothing has moved since."""
        poses = self.timeline.poses[frame]
        moved = [m for m in self.movers if m.move(poses[m.body])]
        if self._lit is not None and not moved:
            return self._lit
        raw = np.zeros((len(self.mesh.points), self.columns.shape[1]), np.float32)
        raw[self.still.rows] = self.columns
        for m in moved:
            m.cover(self.still, self.lamps, self.lamp_rows)
        rows, columns = self._darkened()
        raw[self.still.rows[rows]] = columns
        for m in self.movers:
            rows, columns = m.ride(self.mesh, poses, self.lamps, self.scene, self.movers)
            raw[rows] = columns
        smooth = self.neighbours.smooth(raw)
        self._lit = Lit(smooth[:, 0], smooth[:, 1::2], smooth[:, 2::2])
        return self._lit

    def _darkened(self) -> tuple[I64, F32]:
        """The still points that moving bodies take light from, and their columns."""
        touched = np.zeros(len(self.still.points), bool)
        for m in self.movers:
            for rows in (m.near, *m.shaded):
                touched[rows] = True
        rows, place = np.flatnonzero(touched), np.cumsum(touched) - 1
        opening, shadow = self.cast.opening[rows], self.cast.shadow[rows]
        for m in self.movers:
            near = place[m.near]
            opening[near] = np.minimum(opening[near], m.opening)
            for k, mine in enumerate(m.shaded):
                shadow[place[mine], k] |= m.shadow[k]
        return rows, Cast(opening, shadow).columns(self.aims[rows])


class Neighbours:
    """Averages over the edges of a light mesh. Buried points take their neighbours' light, lest the dark
    inside of a solid reach out of it."""

    def __init__(self, mesh: LightMesh, buried: Bool) -> None:
        from scipy.sparse import csr_matrix, diags

        f = mesh.faces
        a, b = np.concatenate([f, f[:, [1, 2, 0]]]).ravel(), np.concatenate([f[:, [1, 2, 0]], f]).ravel()
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


def occluder(body: Body, bulbs: frozenset[str | None]) -> F64:
    """Triangles (F,3,3) of a body that block light, body frame: all but glass, liquid and the bulbs of lamps
    (what glows with a lamp's control)."""
    parts = [np.zeros((0, 3, 3))]
    if body.role != "liquid":
        for s in body.surfaces:
            if s.material.opacity > 0.5 and (s.material.glow is None or s.material.glow not in bulbs):
                parts.append(np.asarray(s.vertices, float)[s.faces])
    return np.concatenate(parts)


def bulbs(world: World) -> frozenset[str | None]:
    """Controls of lamps."""
    return frozenset(lamp.control for lamp in world.lamps)


def still_triangles(world: World, timeline: Timeline, moves: Bool, *, drawn: bool = False) -> F64:
    """World-frame occluders that never move; `drawn`: without the shapes that stand for captured bodies."""
    lit = bulbs(world)
    shown = [not drawn or all(s.drawn for s in b.surfaces) for b in world.bodies]
    still = [(i, body) for i, body in enumerate(world.bodies) if not moves[i] and shown[i]]
    parts = [apply_pose(timeline.poses[0, i], occluder(body, lit)) for i, body in still]
    return np.concatenate([np.zeros((0, 3, 3)), *parts])
