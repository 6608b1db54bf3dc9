"""Bodies that move as one, as occluders of others and as things that are lit, at the pose they were last lit in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import compose, invert_pose
from synth4d.rays import RayScene
from synth4d.render._light import Lights
from synth4d.render.bind import LightMesh
from synth4d.render.placed import placed
from synth4d.render.probe import AMBIENT_RAYS, HERE, REACH_M, Cast, Probe, Taken, chain, motion_of
from synth4d.types import F32, F64, Surface

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_MOVED = (0.01, 0.012)
"""Metres and quaternion difference below which a moved body keeps its light (the latter is a degree and a half)."""


def groups(poses: F64, moves: Bool) -> list[list[int]]:
    """Moving bodies (of poses (T,B,7)) that keep their places among each other: a drawer and what lies in it."""
    out: list[list[int]] = []
    for b in np.flatnonzero(moves).tolist():
        for group in out:
            apart = compose(invert_pose(poses[:, group[0]]), poses[:, b])
            change = np.abs(apart - apart[0]).max(0)
            if change[:3].max() <= _MOVED[0] / 2 and change[3:].max() <= _MOVED[1] / 2:
                group.append(b)
                break
        else:
            out.append([b])
    return out


class Mover:
    """What it takes from still points is kept until it moves; so is the light on it, until it or another moves."""

    def __init__(self, bodies: list[int], poses: F64, shapes: list[tuple[int, Surface]]) -> None:
        """`poses` (B,7) are the first frame's, `shapes` the surfaces of `bodies` that block light."""
        self.bodies, self.lead = bodies, bodies[0]
        self._places = compose(invert_pose(poses[self.lead]), poses)
        """(B,7) of the bodies in the frame of the one that leads; those of others mean nothing."""
        self.scene = RayScene(placed(shapes, self._places))
        self.version = 0
        self.pose: F64 = np.full(7, np.nan)

    def attach(self, mesh: LightMesh) -> None:
        """Take the points of a mesh that lie on these bodies."""
        self.own = Probe(mesh, np.flatnonzero(np.isin(mesh.body, self.bodies)), self._places)
        self.inside: F32 = np.full((len(self.own), AMBIENT_RAYS), REACH_M, np.float32)
        rows, met = self.own.openings(self.scene, HERE, self.inside)
        self.inside[rows] = met
        self._lit: tuple[int, Cast, F32] | None = None
        self._taken: dict[int, tuple[tuple[int, int], Taken]] = {}

    def move(self, poses: F64) -> bool:
        """Take the pose of the leading body if it differs enough from the present one."""
        pose = poses[self.lead]
        change = np.abs(pose - self.pose)
        if change[:3].max() <= _MOVED[0] and change[3:].max() <= _MOVED[1]:
            return False
        self.pose, self.version = pose, self.version + 1
        self.out, self.into = motion_of(pose), motion_of(invert_pose(pose))
        return True

    def cover(self, still: Cast) -> None:
        """Cast the rays of still points, in the world, that these bodies may block."""
        self.lights = still.lights.moved(self.into)
        self.taken = still.meet(self.scene, self.lights, self.into)

    def cover_more(self, still: Cast, first: int) -> None:
        """The same for points that follow `first` others, if those are covered."""
        if self.version:
            self.taken = self.taken.followed(still.meet(self.scene, self.lights, self.into), first)

    def ride(self, world: Lights, scene: RayScene, movers: list[Mover]) -> tuple[F32, Cast]:
        """Columns of these bodies' points among what stands still and all movers; their cast is without these."""
        cast, columns = self._among_still(world, scene)
        rows, darker = cast.darkened([self._by(m, cast) for m in movers if m is not self])
        shown = columns.copy()
        shown[rows] = darker
        return shown, cast

    def _among_still(self, world: Lights, scene: RayScene) -> tuple[Cast, F32]:
        """What its own points meet at this pose of itself and of what stands still, and their columns."""
        if self._lit is None or self._lit[0] != self.version:
            cast = Cast(self.own, self.lights)
            cast.opening[:] = self.inside
            cast.lose(cast.meet(scene, world, self.out))
            rows, blocked = self.own.shadows(self.scene, self.lights, HERE, cast.blocked)
            cast.blocked[rows] = blocked
            self._lit = self.version, cast, cast.columns()
        return self._lit[1:]

    def _by(self, other: Mover, cast: Cast) -> Taken:
        """What another takes from its points; kept until one of them moves."""
        key, kept = (self.version, other.version), self._taken.get(other.lead)
        if kept is None or kept[0] != key:
            taken = cast.meet(other.scene, other.lights, chain(other.into, self.out))
            kept = self._taken[other.lead] = key, taken
        return kept[1]
