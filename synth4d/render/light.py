"""Light on the points of a light mesh: how open each is to the ambient, and what each emitter gives it.

Every emitter is kept apart, so a switch changes colours without new rays. What stands still is lit once, against
what stands still; moving bodies block light in addition, frame by frame, so the light at a time depends on
the poses at that time alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.rays import RayScene
from synth4d.render import _light
from synth4d.render.bind import OPACITY, Authored, LightMesh
from synth4d.render.emitter import Emitter, is_bulb, lights
from synth4d.render.mover import Mover, groups
from synth4d.render.placed import placed
from synth4d.render.probe import AMBIENT_RAYS, HERE, REACH_M, Cast, Probe
from synth4d.render.refine import halve
from synth4d.render.smooth import smoother
from synth4d.types import F32, F64, Surface, Timeline, World

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
        self.movers = [
            Mover(g, first, [s for b in g for s in occluders(world, timeline, b)])
            for g in groups(timeline.poses, moves)
        ]
        self._here = [e.placed(first) for e in emitters]
        self.still = self._cast(mesh, np.arange(len(mesh.points)), lights(self._here))
        self._attach(mesh)

    def grow(self, mesh: LightMesh) -> None:
        """Light the points of a mesh that follow those lit already, which are its first."""
        old = len(self.mesh.points)
        more = self._cast(mesh, np.arange(old, len(mesh.points)), self.still.lights)
        for m in self.movers:
            m.cover_more(more, len(self.still.probe))
        self.still.extend(more)
        self._attach(mesh, old)

    def _cast(self, mesh: LightMesh, rows: I64, lights: _light.Lights) -> Cast:
        """Those of some points that stand still, among what does."""
        still = rows[~self._moves[mesh.body[rows]]]
        cast = Cast(Probe(mesh, still, self.timeline.poses[0]), lights)
        cast.lose(cast.meet(self.scene, lights, HERE))
        return cast

    def _attach(self, mesh: LightMesh, before: int = 0) -> None:
        """Take a mesh, of which `before` points were there."""
        self.mesh = mesh
        self._lit: Lit | None = None
        self._stale = True
        count, kinds = len(mesh.points), len(self.emitters)
        self._columns = np.zeros((count, 1 + kinds), np.float32)
        self._shown = self._columns
        """(V,1+L) openness of each point at the present frame, not smoothed."""
        self._diffuse, self._sheen = (np.zeros((count, kinds), np.float32) for _ in range(2))
        self._open_still()
        rows = self.still.probe.rows
        self._buried = np.zeros(count, bool)
        self._buried[rows] = self._columns[rows, 0] < np.float32(_BURIED_M / REACH_M)
        self._smoother: _light.Smoother | None = None
        for m in self.movers:
            if not before or np.isin(mesh.body[before:], m.bodies).any():  # a captured body moves without a point
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
        for frame in frames if self.movers else frames[-1:]:
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
            m.cover(self.still)
        self._shown = self._columns.copy()
        rows, darker = self.still.darkened([m.taken for m in self.movers])
        self._shown[self.still.probe.rows[rows]] = darker
        for m in self.movers:
            self._shown[m.own.rows], cast = m.ride(self.still.lights, self.scene, self.movers)
            self._aim_at(m.own.rows, cast)
        return True

    def _distance(self) -> F32:
        """(V,) harmonic mean distance of what each point sees that does not move."""
        out = np.zeros(len(self.mesh.points), np.float32)
        parts = [(self.still.probe.rows, self.still.opening), *((m.own.rows, m.inside) for m in self.movers)]
        for rows, opening in parts:
            out[rows] = AMBIENT_RAYS / _light.mean(1 / np.maximum(opening, np.float32(0.005)), 1.0)
        return out

    def _open_still(self) -> None:
        """Columns and aims of what stands still."""
        rows = self.still.probe.rows
        self._columns[rows] = self.still.columns()
        self._aim_at(rows, self.still)

    def _aim_at(self, rows: I64, cast: Cast) -> None:
        self._diffuse[rows], self._sheen[rows] = cast.diffuse, cast.sheen

    def _carry(self, bodies: set[int], poses: F64) -> bool:
        """Light what stands still anew by the emitters on bodies that moved; whether there are any."""
        carried = [k for k, e in enumerate(self.emitters) if e.body in bodies]
        if carried:
            for k in carried:
                self._here[k] = self.emitters[k].placed(poses)
            self.still.relight(lights(self._here), carried, self.scene)
            self._open_still()
            for m in self.movers:
                m.version += 1
        return bool(carried)


def lit_mesh(authored: Authored, light: Light, power: F32) -> Authored:
    """The Gaussians on a light mesh that is finer where light is uneven; `light` grows with it."""
    # What moves is looked at where it rests, after and before: at the first frame it stays for the clip to begin.
    for frames in ((len(light.timeline.poses) - 1, 0), (0,)):
        many = np.bincount(authored.triangle, minlength=len(authored.light.faces)) >= _FEWEST
        authored = halve(authored, light.uneven(power, frames) & many)
        light.grow(authored.light)
    return authored


def occluders(world: World, timeline: Timeline, index: int) -> list[tuple[int, Surface]]:
    """Surfaces of a body that block light, with its index: all but glass, liquid and the bulbs of lamps."""
    body = world.bodies[index]
    if body.role == "liquid":
        return []
    solid = [s for s in body.surfaces if s.material.opacity > 0.5]
    return [(index, s) for s in solid if not is_bulb(s, world, timeline, index)]


def still_scenes(world: World, timeline: Timeline, moves: Bool) -> tuple[RayScene, RayScene, RayScene]:
    """World-frame occluders that never move: all; without the shapes that stand for captured bodies; of these what
    nothing is seen through, so no tinted glass. Mostly the three are one."""
    shading = [s for i in range(len(world.bodies)) if not moves[i] for s in occluders(world, timeline, i)]
    drawn = [(i, s) for i, s in shading if s.drawn]
    hiding = [(i, s) for i, s in drawn if s.material.opacity >= OPACITY]
    scenes = dict[int, RayScene]()
    for some in (shading, drawn, hiding):  # each a part of the one before, so as many are the same
        if len(some) not in scenes:
            scenes[len(some)] = RayScene(placed(some, timeline.poses[0]))
    return scenes[len(shading)], scenes[len(drawn)], scenes[len(hiding)]
