"""Points of a light mesh, and the rays they send to the ambient and to the emitters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix, rotmat
from synth4d.rays import RayScene
from synth4d.render import _author
from synth4d.render._light import Lights
from synth4d.render.bind import LightMesh
from synth4d.render.emitter import FIRST, SAMPLES
from synth4d.types import F32, F64, U8, U16

I64 = NDArray[np.int64]

AMBIENT_RAYS = 10
REACH_M = 0.45
"""Distance at which an occluder stops to darken the ambient; its effect falls off linearly."""
BLOCKED = np.uint16((1 << SAMPLES) - 1)
_LIFT_M = 0.002


class Probe:
    """Points of a light mesh in some frame, and the ambient rays that leave them."""

    def __init__(self, mesh: LightMesh, rows: I64, poses: F64) -> None:
        """`poses` (B,7) lead from each body's frame to the probe's."""
        body, normals, pull = mesh.body[rows], mesh.normals[rows], mesh.pull[rows]
        turn, place = rotmat(poses[:, 3:]), np.ascontiguousarray(poses[:, :3])
        length = np.sqrt(np.sum(pull * pull, 1, keepdims=True))
        inset = pull * np.minimum(0.15, 0.004 / np.maximum(length, 1e-9))
        self.rows = rows
        self.points = _f32(_author.turned(mesh.points[rows] + normals * _LIFT_M + inset, body, turn, place))
        self.normals = _f32(_author.turned(normals, body, turn, np.zeros_like(place)))
        self.pattern = _pattern(mesh.points[rows])

    def __len__(self) -> int:
        return len(self.points)

    def extend(self, more: Probe) -> None:
        """Take the points of another after one's own."""
        for name in ("rows", "points", "normals", "pattern"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))

    def openings(self, scene: RayScene, motion: F32, known: F32) -> tuple[I64, F32]:
        """Rows (R,) whose ambient rays meet something nearer than `known` (V,K), and where (R,K); `motion` leads to
        the scene's frame."""
        return scene.openings(self.points, self.normals, self.pattern, _PATTERNS, motion, known, REACH_M)

    def shadows(self, scene: RayScene, lights: Lights, motion: F32, known: U16) -> tuple[I64, U16]:
        """Rows (R,) that lose samples of lights, in the scene's frame, beyond those `known` (V,L), and the bits of all
        that are blocked (R,L)."""
        return scene.shadows(self.points, lights.samples(), motion, known, FIRST)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What some occluders take from points: rows, and what these are left."""

    near: I64
    opening: F32
    dark: I64
    blocked: U16

    def followed(self, more: Taken, first: int) -> Taken:
        """With what they take from points that follow `first` others."""
        return Taken(
            np.concatenate([self.near, first + more.near]),
            np.concatenate([self.opening, more.opening]),
            np.concatenate([self.dark, first + more.dark]),
            np.concatenate([self.blocked, more.blocked]),
        )


class Cast:
    """Points with what lights would give them and what their rays met so far, ray by ray so that further occluders can
    be added."""

    def __init__(self, probe: Probe, lights: Lights) -> None:
        """`lights` in the probe's frame."""
        self.probe, self.lights = probe, lights
        self.diffuse, self.sheen = lights.aim(probe.points, probe.normals)
        """(V,L) irradiance of each emitter of unit rgb, and the same about the mirror direction of the normal"""
        self.opening: F32 = np.full((len(probe), AMBIENT_RAYS), REACH_M, np.float32)
        """(V,K) distances"""
        self.blocked: U16 = np.where(self.diffuse > 0, np.uint16(0), BLOCKED)
        """(V,L) a bit for each sample of each emitter"""

    def extend(self, more: Cast) -> None:
        """Take the points of another after one's own."""
        self.probe.extend(more.probe)
        for name in ("diffuse", "sheen", "opening", "blocked"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))

    def meet(self, scene: RayScene, lights: Lights, motion: F32) -> Taken:
        """What a scene takes; `motion` leads to its frame, in which the lights are."""
        near, opening = self.probe.openings(scene, motion, self.opening)
        return Taken(near, opening, *self.probe.shadows(scene, lights, motion, self.blocked))

    def lose(self, taken: Taken) -> None:
        self.opening[taken.near] = taken.opening
        self.blocked[taken.dark] = taken.blocked

    def relight(self, lights: Lights, changed: list[int], scene: RayScene) -> None:
        """Lights have moved; `scene` is in the probe's frame."""
        self.lights = lights
        self.diffuse, self.sheen = lights.aim(self.probe.points, self.probe.normals)
        self.blocked[:, changed] = np.where(self.diffuse[:, changed] > 0, np.uint16(0), BLOCKED)
        known = np.full_like(self.blocked, BLOCKED)
        known[:, changed] = self.blocked[:, changed]
        rows, blocked = self.probe.shadows(scene, lights, HERE, known)
        self.blocked[rows[:, None], changed] = blocked[:, changed]

    def columns(self) -> F32:
        """(V,1+L) how open each point is to the ambient and to each emitter, 0..1."""
        return self._columns(np.arange(len(self.probe)), self.opening, self.blocked)

    def darkened(self, takers: list[Taken]) -> tuple[I64, F32]:
        """Rows from which takers take something, each by itself, and their columns without."""
        touched = np.zeros(len(self.probe), bool)
        for t in takers:
            touched[t.near] = touched[t.dark] = True
        rows, place = np.flatnonzero(touched), np.empty(len(touched), np.int64)
        place[rows] = np.arange(len(rows))
        opening, blocked = self.opening[rows], self.blocked[rows]
        for t in takers:
            near = place[t.near]
            opening[near] = np.minimum(opening[near], t.opening)
            blocked[place[t.dark]] |= t.blocked
        return rows, self._columns(rows, opening, blocked)

    def _columns(self, rows: I64, opening: F32, blocked: U16) -> F32:
        over, probe = AMBIENT_RAYS * REACH_M, self.probe
        return self.lights.columns(opening, over, blocked, rows, probe.points, probe.normals, self.diffuse)


def _f32(a: F64) -> F32:
    return np.ascontiguousarray(a, np.float32)


def motion_of(pose: F64) -> F32:
    """Pose (7,) → the (3,4) rows that the extension takes."""
    return _f32(pose_matrix(pose)[:3])


def chain(a: F32, b: F32) -> F32:
    """The motion of b, then of a."""
    out = sum(a[:, k : k + 1] * b[k] for k in range(3))
    out[:, 3] += a[:, 3]
    return _f32(out)


HERE = motion_of(np.array([0.0, 0, 0, 1, 0, 0, 0]))

# ---- Directions -------------------------------------------------------------------------------------


def _spiral(count: int) -> F64:
    return np.arange(count) * np.pi * (3 - np.sqrt(5.0))


def _patterns() -> F32:
    """(256,K,3) cosine-distributed directions about +z, turned about it by 256 angles."""
    k = (np.arange(AMBIENT_RAYS) + 0.5) / AMBIENT_RAYS
    phi = _spiral(AMBIENT_RAYS) + np.arange(256)[:, None] * (2 * np.pi / 256)
    flat = np.sqrt(k)
    return _f32(np.stack([flat * np.cos(phi), flat * np.sin(phi), np.broadcast_to(np.sqrt(1 - k), phi.shape)], 2))


_PATTERNS = _patterns()


def _pattern(points: F64) -> U8:
    """(V,) which one, hashed from the place, so that culling does not change it. It turns with the body, so that its
    light does not flicker as it moves."""
    cell = np.round(points * 2000).astype(np.int64)
    x = (cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791).astype(np.uint64)
    x = (x ^ (x >> np.uint64(15))) * np.uint64(0x9E3779B97F4A7C15)
    return (x >> np.uint64(56)).astype(np.uint8)
