"""Light on the points of a light mesh: how open each is to the ambient, and what each emitter gives it.

Every emitter is kept apart, so a switch changes colours without new rays. What stands still is lit once, against
what stands still; moving bodies block light in addition, frame by frame, so the light at a time depends on
the poses at that time alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.rays import RayScene
from synth4d.render import _light
from synth4d.render.bind import Authored, LightMesh
from synth4d.render.emitter import Aim, Emitter, aim, is_bulb
from synth4d.render.mover import Mover, groups
from synth4d.render.probe import AMBIENT_RAYS, BLOCKED, HERE, REACH_M, Cast, Probe, cast
from synth4d.render.refine import halve
from synth4d.render.smooth import smoother
from synth4d.types import F32, F64, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_BURIED_M = 0.06
"""A point whose rays get no further than this on average lies inside, under or close behind something. One in a corner
of three walls has 0.12; asked of every ray, one that finds a slit to get out by left a dark spot on what is beside."""
_UNEVEN = 0.2
"""Exposed light that differs so much between the corners of a triangle varies within it by more than a line: on the
kitchen such triangles are a fifth of all and carry 94 % of the squared error of light."""
_GLARE = 1.5
"""Exposed light above which differences show little."""
_FEWEST = 8
"""Gaussians in a triangle that is worth halving."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """What reaches each point (V rows), unscaled by any emitter's colour or level."""

    ambient: F32
    """(V,) 0..1"""
    lamps: F32
    """(V,L) irradiance of each emitter of unit rgb"""
    sheen: F32
    """(V,L) the same about the mirror direction of the normal, for gloss"""


class Light:
    """The light of one clip on a light mesh; `at` moves it to a frame."""

    def __init__(
        self,
        world: World,
        timeline: Timeline,
        mesh: LightMesh,
        emitters: tuple[Emitter, ...],
        moves: Bool,
        scene: RayScene,
    ) -> None:
        self.timeline, self.emitters, self.scene, self._moves = timeline, emitters, scene, moves
        first = timeline.poses[0]
        self.here = [e.placed(first) for e in emitters]
        self.still = Probe(mesh, np.flatnonzero(~moves[mesh.body]), first)
        self.aims = [aim(e, self.still.points, self.still.normals) for e in self.here]
        self.cast = cast(self.still, self.here, self.aims, scene, HERE)
        shapes = [occluder(world, timeline, b) for b in range(len(world.bodies))] if moves.any() else []
        self.movers = [Mover(g, first, [shapes[b] for b in g]) for g in groups(timeline.poses, moves)]
        self._attach(mesh)

    def grow(self, mesh: LightMesh) -> None:
        """Light the points of a mesh that follow those lit already, which are its first."""
        old, first = len(self.mesh.points), self.timeline.poses[0]
        new = np.arange(old, len(mesh.points))
        more = Probe(mesh, new[~self._moves[mesh.body[new]]], first)
        aims = [aim(e, more.points, more.normals) for e in self.here]
        self.cast.extend(cast(more, self.here, aims, self.scene, HERE))
        self.aims = [a.followed(b) for a, b in zip(self.aims, aims, strict=True)]
        self.still.extend(more)
        self._attach(mesh, old)

    def _attach(self, mesh: LightMesh, before: int = 0) -> None:
        """Take a mesh, of which `before` points were there."""
        self.mesh = mesh
        self._lit: Lit | None = None
        self._stale = True
        self._all = np.arange(len(self.still))
        count, kinds = len(mesh.points), len(self.here)
        self._columns = np.zeros((count, 1 + kinds), np.float32)
        self._shown = self._columns
        """(V,1+L) openness of each point at the present frame, not smoothed."""
        self._diffuse, self._sheen = (np.zeros((count, kinds), np.float32) for _ in range(2))
        self._open_still()
        self._buried = np.zeros(len(mesh.points), bool)
        self._buried[self.still.rows] = self._columns[self.still.rows, 0] < np.float32(_BURIED_M / REACH_M)
        self._smoother: _light.Smoother | None = None
        if not before or self._moves[mesh.body[before:]].any():  # a captured body moves without a point
            for m in self.movers:
                m.attach(mesh)

    def at(self, frame: int) -> Lit:
        """Light at a frame: the same object as before where nothing has moved since."""
        if self._move(frame) or self._lit is None:
            if self._smoother is None:
                self._smoother = smoother(self.mesh, self._distance(), self._buried)
            self._lit = Lit(*self._smoother.smooth(self._shown, self._diffuse, self._sheen))
        return self._lit

    def uneven(self, power: F32, frames: tuple[int, ...]) -> Bool:
        """(F,) triangles within which light varies too much to be a line between corners, at some of these
        frames. `power` (1+L,) is the exposed light of the ambient and of each emitter at its brightest."""
        out = np.zeros(len(self.mesh.faces), bool)
        for frame in frames if self.movers else frames[:1]:
            self._move(frame)
            for k, p in enumerate(power):
                light = self._shown[:, k] * (p if k == 0 else p * self._diffuse[:, k - 1])
                a, b, c = np.minimum(light, _GLARE)[self.mesh.faces].T
                out |= np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c) > _UNEVEN
        return out

    def _move(self, frame: int) -> bool:
        """Bring what is shown to a frame; whether that changed it."""
        poses = self.timeline.poses[frame]
        moved = [m for m in self.movers if m.move(poses)]
        if not moved and not self._stale:
            return False
        self._stale = False
        if self._carry({b for m in moved for b in m.bodies}, poses):
            moved = self.movers
        for m in moved:
            m.cover(self.still, self.here, self.lit_rows)
        self._shown = self._columns.copy()
        rows, darker = self._darkened()
        self._shown[self.still.rows[rows]] = darker
        for m in self.movers:
            self._shown[m.own.rows], aims = m.ride(self.here, self.scene, self.movers)
            self._aim_at(m.own.rows, aims)
        return True

    def _distance(self) -> F32:
        """(V,) harmonic mean distance of what each point sees that does not move."""
        out = np.zeros(len(self.mesh.points), np.float32)
        parts = [(self.still.rows, self.cast.opening), *((m.own.rows, m.inside) for m in self.movers)]
        for rows, opening in parts:
            out[rows] = AMBIENT_RAYS / _light.mean(1 / np.maximum(opening, np.float32(0.005)), 1.0)
        return out

    def _open_still(self) -> None:
        """Columns and aims of what stands still, and the rows that some way of each emitter reaches."""
        rows = self.still.rows
        self._columns[rows] = self.cast.columns(self.aims, self._all)
        self._aim_at(rows, self.aims)
        self.lit_rows = [a.rows[self.cast.blocked[a.rows, k] != BLOCKED] for k, a in enumerate(self.aims)]

    def _aim_at(self, rows: I64, aims: list[Aim]) -> None:
        for k, a in enumerate(aims):
            self._diffuse[rows, k], self._sheen[rows, k] = a.diffuse, a.sheen

    def _carry(self, bodies: set[int], poses: F64) -> bool:
        """Light what stands still anew by the emitters on bodies that moved; whether there are any."""
        carried = [k for k, e in enumerate(self.emitters) if e.body in bodies]
        for k in carried:
            e = self.here[k] = self.emitters[k].placed(poses)
            a = self.aims[k] = aim(e, self.still.points, self.still.normals)
            self.cast.blocked[:, k] = BLOCKED
            self.cast.blocked[a.rows, k] = self.still.blocked(self.scene, e.points, a.rows, HERE)
        if carried:
            self._open_still()
            for m in self.movers:
                m.version += 1
        return bool(carried)

    def _darkened(self) -> tuple[I64, F32]:
        """The still points that moving bodies take light from, and their columns."""
        touched = np.zeros(len(self.still), bool)
        for m in self.movers:
            for rows in (m.near, *(rows for rows, _ in m.shadows)):
                touched[rows] = True
        rows, place = np.flatnonzero(touched), np.cumsum(touched) - 1
        opening, blocked = self.cast.opening[rows], self.cast.blocked[rows]
        for m in self.movers:
            near = place[m.near]
            opening[near] = np.minimum(opening[near], m.opening)
            for k, (mine, shadow) in enumerate(m.shadows):
                blocked[place[mine], k] |= shadow
        return rows, Cast(opening, blocked).columns(self.aims, rows)


def lit_mesh(authored: Authored, light: Light, power: F32) -> Authored:
    """The Gaussians on a light mesh that is finer where light is uneven; `light` grows with it."""
    # What moves is looked at where it rests, before and after.
    for frames in ((0, len(light.timeline.poses) - 1), (0,)):
        many = np.bincount(authored.triangle, minlength=len(authored.light.faces)) >= _FEWEST
        authored = halve(authored, light.uneven(power, frames) & many)
        light.grow(authored.light)
    return authored


def occluder(world: World, timeline: Timeline, index: int) -> F64:
    """Triangles (F,3,3) of a body that block light, body frame: all but glass, liquid and the bulbs of lamps."""
    body = world.bodies[index]
    parts = [np.zeros((0, 3, 3))]
    if body.role != "liquid":
        for s in body.surfaces:
            if s.material.opacity > 0.5 and not is_bulb(s, world, timeline, index):
                parts.append(np.asarray(s.vertices, float)[s.faces])
    return np.concatenate(parts)


def still_triangles(world: World, timeline: Timeline, moves: Bool, *, drawn: bool = False) -> F64:
    """World-frame occluders that never move; `drawn`: without the shapes that stand for captured bodies."""
    shown = [not drawn or all(s.drawn for s in b.surfaces) for b in world.bodies]
    still = [i for i in range(len(world.bodies)) if not moves[i] and shown[i]]
    parts = [apply_pose(timeline.poses[0, i], occluder(world, timeline, i)) for i in still]
    return np.concatenate([np.zeros((0, 3, 3)), *parts])
