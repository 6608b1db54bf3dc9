"""Bodies that move as one, as occluders of others and as things that are lit, at the pose they were last lit in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, compose, invert_pose, rotate
from synth4d.rays import RayScene
from synth4d.render import _light
from synth4d.render.bind import LightMesh
from synth4d.render.emitter import Aim, Emitter, aim
from synth4d.render.probe import BLOCKED, HERE, REACH_M, Cast, Probe, cast, chain, motion_of
from synth4d.types import F32, F64, U16

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

    def __init__(self, bodies: list[int], poses: F64, shapes: list[F64]) -> None:
        """`poses` (B,7) are the first frame's, `shapes` the triangles of `bodies` that block light."""
        self.bodies, self.lead = bodies, bodies[0]
        self._places = compose(invert_pose(poses[self.lead]), poses)
        """(B,7) of the bodies in the frame of the one that leads; those of others mean nothing."""
        corners = [apply_pose(self._places[b], s) for b, s in zip(bodies, shapes, strict=True)]
        self.scene = RayScene(np.concatenate(corners))
        self.version = 0

    def attach(self, mesh: LightMesh) -> None:
        """Take the points of a mesh that lie on these bodies."""
        self.own = Probe(mesh, np.flatnonzero(np.isin(mesh.body, self.bodies)), self._places)
        self._all = np.arange(len(self.own))
        self.inside = self.own.openings(self.scene, self._all, HERE)
        self._still: tuple[int, list[Aim], Cast] | None = None
        self._kept: tuple[tuple[int, ...], F32, list[Aim]] | None = None
        self._opened: dict[int, tuple[F32, I64, F32]] = {}
        self.pose: F64 = np.full(7, np.nan)

    def move(self, poses: F64) -> bool:
        """Take the pose of the leading body if it differs enough from the present one."""
        pose = poses[self.lead]
        change = np.abs(pose - self.pose)
        if change[:3].max() <= _MOVED[0] and change[3:].max() <= _MOVED[1]:
            return False
        self.pose, self.version = pose, self.version + 1
        self.out, self.into = motion_of(pose), motion_of(invert_pose(pose))
        return True

    def cover(self, still: Probe, emitters: list[Emitter], lit_rows: list[I64]) -> None:
        """Cast the rays of still points that these bodies may block; `lit_rows` are those an emitter reaches."""
        self.near = _light.near(still.points, still.normals, self.into, self.scene.bounds, REACH_M)
        self.opening = still.openings(self.scene, self.near, self.into)
        self.shadows = [self._shadows(still, rows, e, self.into) for e, rows in zip(emitters, lit_rows, strict=True)]

    def ride(self, emitters: list[Emitter], scene: RayScene, movers: list[Mover]) -> tuple[F32, list[Aim]]:
        """Columns and aims of these bodies' points, among what stands still and all movers."""
        key = (*(m.version for m in movers),)
        if self._kept is None or self._kept[0] != key:
            aims, cast_ = self._among_still(emitters, scene)
            opening, blocked = cast_.opening.copy(), cast_.blocked.copy()
            for m in movers:
                if m is self or m.scene.empty:
                    continue
                motion = chain(m.into, self.out)
                near, openings = self._openings(m, motion)
                opening[near] = np.minimum(opening[near], openings)
                for k, (e, a) in enumerate(zip(emitters, aims, strict=True)):
                    mine, shadow = m._shadows(self.own, a.rows[blocked[a.rows, k] != BLOCKED], e, motion)
                    blocked[mine, k] |= shadow
            self._kept = (key, Cast(opening, blocked).columns(aims, self._all), aims)
        return self._kept[1], self._kept[2]

    def _among_still(self, emitters: list[Emitter], scene: RayScene) -> tuple[list[Aim], Cast]:
        """Aims at this pose, and what its own points meet of itself and of what stands still."""
        if self._still is None or self._still[0] != self.version:
            points, normals = apply_pose(self.pose, self.own.points), rotate(self.pose[3:], self.own.normals)
            aims = [aim(e, points.astype(np.float32), normals.astype(np.float32)) for e in emitters]
            met = cast(self.own, emitters, aims, scene, self.out)
            met.opening = np.minimum(met.opening, self.inside)
            for k, (e, a) in enumerate(zip(emitters, aims, strict=True)):
                mine, shadow = self._shadows(self.own, a.rows[met.blocked[a.rows, k] != BLOCKED], e, HERE)
                met.blocked[mine, k] |= shadow
            self._still = (self.version, aims, met)
        return self._still[1], self._still[2]

    def _openings(self, other: Mover, motion: F32) -> tuple[I64, F32]:
        """Which of its points another is near, and the openings it leaves them; kept while both move as one."""
        kept = self._opened.get(other.lead)
        if kept is None or np.abs(motion - kept[0]).max() > _MOVED[0] / 2:
            near = _light.near(self.own.points, self.own.normals, motion, other.scene.bounds, REACH_M)
            kept = self._opened[other.lead] = (motion, near, self.own.openings(other.scene, near, motion))
        return kept[1], kept[2]

    def _shadows(self, probe: Probe, rows: I64, emitter: Emitter, motion: F32) -> tuple[I64, U16]:
        """Those of some rows that these bodies shade, and the samples they block. `motion` leads from the probe's
        frame to that of these bodies, the emitter is in the world."""
        if self.scene.empty:
            return rows[:0], np.zeros(0, np.uint16)
        blocked = probe.blocked(self.scene, self._targets(emitter), rows, motion)
        return rows[blocked > 0], blocked[blocked > 0]

    def _targets(self, emitter: Emitter) -> F32:
        """The emitter's samples in the frame of these bodies."""
        R, t = self.into[:, :3], self.into[:, 3]
        p = emitter.points
        return p[:, 0:1] * R[:, 0] + p[:, 1:2] * R[:, 1] + p[:, 2:3] * R[:, 2] + t
