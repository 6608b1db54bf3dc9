"""A moving body as an occluder of others and as a thing that is lit, at the pose it was last lit in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.rays import RayScene
from synth4d.render.bind import LightMesh
from synth4d.render.probe import REACH_M, Cast, Probe, cast, dot
from synth4d.types import F32, F64, Lamp

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

_MOVED = (0.01, 0.012)
"""Metres and quaternion difference below which a moved body keeps its light (the latter is a degree and a half)."""


class Mover:
    """One moving body. What it takes from still points is kept until it moves; so is the light on it, until
    it or a body within reach of it moves."""

    def __init__(self, body: int, shape: F64) -> None:
        self.body, self._shape = body, shape
        self.pose: F64 | None = None
        self.version = 0
        self._kept: tuple[tuple[tuple[int, int], ...], I64, F32] | None = None
        self._own: tuple[int, Probe, F32, Cast] | None = None

    def move(self, pose: F64) -> bool:
        """Take a new pose if it differs enough from the present one."""
        if self.pose is not None:
            change = np.abs(pose - self.pose)
            if change[:3].max() <= _MOVED[0] and change[3:].max() <= _MOVED[1]:
                return False
        self.pose, self.version = pose, self.version + 1
        corners = apply_pose(pose, self._shape).astype(np.float32)
        self.scene = RayScene(corners)
        self.low = corners.min((0, 1), initial=np.inf)
        self.high = corners.max((0, 1), initial=-np.inf)
        return True

    def cover(self, still: Probe, lamps: tuple[Lamp, ...], lamp_rows: list[I64]) -> None:
        """Cast the rays of still points that this body may block."""
        self.near = self._near(still)
        self.opening = still.openings(self.scene, self.near)
        self.shaded, self.shadow = [], []
        for lamp, rows in zip(lamps, lamp_rows, strict=True):
            mine = rows[self._between(still.points[rows], lamp)]
            self.shaded.append(mine)
            self.shadow.append(still.shadows(self.scene, lamp, mine))

    def ride(
        self, mesh: LightMesh, poses: F64, lamps: tuple[Lamp, ...], scene: RayScene, movers: list[Mover]
    ) -> tuple[I64, F32]:
        """This body's light points and their columns, among what stands still and the movers within reach."""
        others = [m for m in movers if self._gap(m) < REACH_M]
        key = tuple((m.body, m.version) for m in others)
        if self._kept is None or self._kept[0] != key:
            if self._own is None or self._own[0] != self.version:
                probe = Probe(mesh, np.flatnonzero(mesh.body == self.body), poses)
                aims = probe.aims(lamps)
                self._own = (self.version, probe, aims, cast(probe, aims, lamps, scene))
            _, probe, aims, among_still = self._own
            opening, shadow = among_still.opening.copy(), among_still.shadow.copy()
            for m in others:
                near = m._near(probe)
                opening[near] = np.minimum(opening[near], probe.openings(m.scene, near))
                for k, lamp in enumerate(lamps):
                    rows = np.flatnonzero((aims[:, k, 0] > 0) & ~shadow[:, k].all(1))
                    rows = rows[m._between(probe.points[rows], lamp)]
                    shadow[rows, k] |= probe.shadows(m.scene, lamp, rows)
            self._kept = (key, probe.rows, Cast(opening, shadow).columns(aims))
        return self._kept[1], self._kept[2]

    def _gap(self, other: Mover) -> float:
        gap = np.maximum(np.maximum(self.low - other.high, other.low - self.high), 0)
        return float(np.sqrt((gap * gap).sum()))

    def _near(self, probe: Probe) -> I64:
        """Points within reach of this body's bounds that have some of them above their horizon."""
        center, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        if not np.isfinite(half).all():
            return np.zeros(0, np.int64)
        to = center - probe.points
        beyond = np.maximum(np.abs(to) - half, 0)
        rows = np.flatnonzero(dot(beyond, beyond) < REACH_M**2)
        n = probe.normals[rows]
        above = dot(to[rows], n) + dot(np.abs(n), np.broadcast_to(half, n.shape)) > 0
        return rows[above]

    def _between(self, points: F32, lamp: Lamp) -> Bool:
        """(N,) whether the way from a point to a lamp comes near this body's bounding sphere."""
        center, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        if not np.isfinite(half).all():
            return np.zeros(len(points), bool)
        way, to = np.asarray(lamp.position, np.float32) - points, center - points
        along, square = dot(way, to), dot(way, way)
        t = np.clip(along / np.maximum(square, 1e-12), 0, 1)
        gap = dot(to, to) - 2 * t * along + t * t * square
        return np.asarray(gap < (float(np.sqrt((half * half).sum())) + lamp.radius) ** 2)
