"""Points of a light mesh in the world, and the rays they send to the ambient and to the lamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, rotate
from synth4d.rays import RayScene
from synth4d.render.bind import LightMesh
from synth4d.types import F32, F64, Lamp

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

AMBIENT_RAYS = 10
LAMP_RAYS = 4
REACH_M = 0.45
"""Distance at which an occluder stops to darken the ambient; its effect falls off linearly."""
_LIFT_M = 0.002
_SHEEN = 24


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
        length = np.sqrt(dot(way, way))
        blocked = scene.blocked(origins, way / length[:, None], length * np.float32(0.999))
        return blocked.reshape(-1, LAMP_RAYS)

    def aims(self, lamps: tuple[Lamp, ...]) -> F32:
        """(V,L,2) cosine towards each lamp, and 1/d² for each of its rays."""
        out = np.empty((len(self.points), len(lamps), 2), np.float32)
        for k, lamp in enumerate(lamps):
            way = np.asarray(lamp.position, np.float32) - self.points
            square = np.maximum(dot(way, way), np.float32(max(lamp.radius, 0.02) ** 2))
            out[:, k, 0] = np.maximum(dot(way, self.normals) / np.sqrt(square), 0)
            out[:, k, 1] = 1 / (square * LAMP_RAYS)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """What rays met, kept ray by ray so that further occluders can be added."""

    opening: F32
    """(R,K) distances"""
    shadow: Bool
    """(R,L,S)"""

    def columns(self, aims: F32) -> F32:
        """(R,1+2L) ambient, then each lamp's diffuse and sheen, for points with these aims (R,L,2)."""
        lamps = self.shadow.shape[1]
        out = np.empty((len(aims), 1 + 2 * lamps), np.float32)
        # A sum by columns: numpy's mean over a short last axis is ten times slower.
        out[:, 0] = sum(self.opening[:, k] for k in range(AMBIENT_RAYS)) / np.float32(AMBIENT_RAYS * REACH_M)
        for k in range(lamps):
            lit = sum((~self.shadow[:, k, s]).astype(np.float32) for s in range(LAMP_RAYS))
            seen = lit * aims[:, k, 1]
            out[:, 1 + 2 * k] = seen * aims[:, k, 0]
            out[:, 2 + 2 * k] = seen * aims[:, k, 0] ** _SHEEN
        return out


def cast(probe: Probe, aims: F32, lamps: tuple[Lamp, ...], scene: RayScene) -> Cast:
    """All of a probe's rays in a scene."""
    shadow = np.zeros((len(aims), len(lamps), LAMP_RAYS), bool)
    for k, lamp in enumerate(lamps):
        toward = np.flatnonzero(aims[:, k, 0] > 0)
        shadow[toward, k] = probe.shadows(scene, lamp, toward)
    return Cast(probe.openings(scene, np.arange(len(aims))), shadow)


def dot(a: F32, b: F32) -> F32:
    total: F32 = a[:, 0] * b[:, 0]
    total += a[:, 1] * b[:, 1]
    total += a[:, 2] * b[:, 2]
    return total


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
