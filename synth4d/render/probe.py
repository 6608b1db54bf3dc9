"""Points of a light mesh, and the rays they send to the ambient and to the emitters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix, rotmat
from synth4d.rays import RayScene
from synth4d.render import _author, _light
from synth4d.render.bind import LightMesh
from synth4d.render.emitter import FIRST, SAMPLES, Aim, Emitter
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

        def turned(vectors: F64) -> F32:
            return _f32(_author.turned(vectors, body, turn, np.zeros_like(place)))

        length = np.sqrt(np.sum(pull * pull, 1, keepdims=True))
        inset = pull * np.minimum(0.15, 0.004 / np.maximum(length, 1e-9))
        self.rows = rows
        self.points = _f32(_author.turned(mesh.points[rows] + normals * _LIFT_M + inset, body, turn, place))
        self.normals = turned(normals)
        # The pattern of rays turns with the body, so that its light does not flicker as it moves.
        first, second = (turned(t) for t in _tangents(normals))
        self.rays = _hemisphere(first, second, self.normals, _spin(mesh.points[rows]))

    def __len__(self) -> int:
        return len(self.points)

    def extend(self, more: Probe) -> None:
        """Take the points of another after one's own."""
        for name in ("rows", "points", "normals", "rays"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))

    def openings(self, scene: RayScene, rows: I64, motion: F32) -> F32:
        """(R,K) distance of what blocks each ambient ray, at most REACH_M; `motion` leads to the scene's frame."""
        return scene.openings(self.points, self.rays, rows, motion, REACH_M)

    def blocked(self, scene: RayScene, targets: F32, rows: I64, motion: F32) -> U16:
        """(R,) a bit for each of the targets (SAMPLES,3) in the scene's frame whose way is blocked. Where the FIRST
        agree, the rest is taken to: only penumbrae ask all."""
        lead = scene.hits(self.points, rows, targets[:FIRST], motion)
        out = np.where(lead == (1 << FIRST) - 1, BLOCKED, lead)
        mixed = np.flatnonzero((out != 0) & (out != BLOCKED))
        if len(mixed):
            rest = scene.hits(self.points, rows[mixed], np.ascontiguousarray(targets[FIRST:]), motion)
            out[mixed] |= rest << np.uint16(FIRST)
        return out


@dataclass(slots=True, eq=False)
class Cast:
    """What the rays of some points met, kept ray by ray so that further occluders can be added."""

    opening: F32
    """(R,K) distances"""
    blocked: U16
    """(R,L) a bit for each sample of each emitter"""

    def extend(self, more: Cast) -> None:
        self.opening = np.concatenate([self.opening, more.opening])
        self.blocked = np.concatenate([self.blocked, more.blocked])

    def columns(self, aims: list[Aim], rows: I64) -> F32:
        """(R,1+L) how open each point is to the ambient and to each emitter, 0..1; `rows` are those of the aims."""
        out = np.empty((len(self.opening), 1 + len(aims)), np.float32)
        # numpy's mean over a short last axis is ten times slower.
        out[:, 0] = _light.mean(self.opening, AMBIENT_RAYS * REACH_M)
        for k, a in enumerate(aims):
            mine = np.ascontiguousarray(self.blocked[:, k])
            out[:, 1 + k] = _OPEN[mine] if a.weight is None else _light.seen(mine, rows, a.weight, a.diffuse)
        return out


def cast(probe: Probe, emitters: list[Emitter], aims: list[Aim], scene: RayScene, motion: F32) -> Cast:
    """All of a probe's rays in a scene in the world."""
    blocked = np.full((len(probe), len(emitters)), BLOCKED)
    for k, (e, a) in enumerate(zip(emitters, aims, strict=True)):
        blocked[a.rows, k] = probe.blocked(scene, e.points, a.rows, motion)
    return Cast(probe.openings(scene, np.arange(len(probe)), motion), blocked)


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

_BITS: U8 = np.array([bin(n).count("1") for n in range(1 << SAMPLES)], np.uint8)
_OPEN: F32 = (1 - _BITS / np.float32(SAMPLES)).astype(np.float32)
"""Share of the samples that a set of bits leaves open."""


# ---- Directions -------------------------------------------------------------------------------------


def _spiral(count: int) -> F64:
    return np.arange(count) * np.pi * (3 - np.sqrt(5.0))


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
