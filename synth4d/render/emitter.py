"""What gives light: lamps and glowing surfaces, each as a few points that rays are sent to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, rotate
from synth4d.render import _light
from synth4d.types import F32, F64, Lamp, Surface, Timeline, Vec3, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

SAMPLES = 16
FIRST = 4
"""Samples asked first; where they agree the others are taken to."""
_FAINTEST = 0.01
"""Exposed light below which a glowing surface is not felt: two levels of 255 on white."""
_LIFT_M = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Emitter:
    """A light. A lamp shines all ways; a surface only to its side, with the cosine of the angle (Lambert)."""

    rgb: F32
    """(3,) linear: irradiance a metre away, facing it"""
    control: int
    """Index in World.controls of what switches it; −1 = always on."""
    points: F32
    """(SAMPLES,3) world, or frame of the body it moves with"""
    facing: F32 | None
    """(SAMPLES,3) normals of a glowing surface; zero = both sides shine."""
    radius: float
    body: int = -1
    """Index in World.bodies of the moving body that carries it; −1 = none."""
    reach_m: float = np.inf

    @property
    def middle(self) -> F32:
        middle: F32 = self.points.mean(0)
        return middle

    def placed(self, poses: F64) -> Emitter:
        """In the world, for poses (B,7)."""
        if self.body < 0:
            return self
        pose = poses[self.body]
        facing = None if self.facing is None else rotate(pose[3:], self.facing).astype(np.float32)
        return replace(self, points=apply_pose(pose, self.points).astype(np.float32), facing=facing, body=-1)


def lights(emitters: Sequence[Emitter]) -> _light.Lights:
    """Emitters in the world as they are asked together."""
    count = len(emitters)
    samples, facing = np.zeros((count, SAMPLES, 3), np.float32), np.zeros((count, SAMPLES, 3), np.float32)
    least, lamp = np.zeros(count, np.float32), np.zeros(count, bool)
    for k, e in enumerate(emitters):
        samples[k], lamp[k] = e.points, e.facing is None
        # No sample is nearer than its own share of the surface is wide, or it would be a spot.
        least[k] = max(e.radius, 0.02) ** 2 if e.facing is None else np.pi * e.radius**2 / SAMPLES
        if e.facing is not None:
            facing[k] = e.facing
    reach = np.array([min(e.reach_m, 1e6) for e in emitters], np.float32)
    return _light.Lights(samples, facing, lamp, least, reach)


# ---- From a world -----------------------------------------------------------------------------------


def lamps(world: World) -> tuple[Emitter, ...]:
    return tuple(_lamp(lamp, _control(world, lamp.control)) for lamp in world.lamps)


def glows(world: World, timeline: Timeline, moves: Bool, exposure: F32) -> tuple[Emitter, ...]:
    """Glowing surfaces that are no lamp's own, one emitter for all of a body with one control.

    A surface that shows emission e is as bright as a white one in exposed light e, so its radiosity is e and the
    irradiance it gives is ∫ e cos cos / (π d²) dA (Lambert).
    """
    out = []
    for i, body in enumerate(world.bodies):
        kinds = {s.material.glow for s in body.surfaces if glowing(s) and not is_bulb(s, world, timeline, i)}
        for glow in sorted(kinds, key=str):
            mine = [s for s in body.surfaces if glowing(s) and s.material.glow == glow]
            out.append(_surface(mine, _control(world, glow), exposure, i, timeline.poses[0, i], bool(moves[i])))
    return tuple(out)


def shining(emitters: tuple[Emitter, ...], timeline: Timeline) -> tuple[Emitter, ...]:
    """Those that are on at some time of the clip."""
    level = timeline.levels.max(0, initial=0)
    return tuple(e for e in emitters if e.control < 0 or level[e.control] > 0)


def glowing(surface: Surface) -> bool:
    return any(e > 0 for e in surface.material.emission) and len(surface.faces) > 0


def is_bulb(surface: Surface, world: World, timeline: Timeline, index: int) -> bool:
    """Whether a surface is what a lamp shines through: it glows with the lamp's control, or always and around it."""
    if not glowing(surface):
        return False
    if surface.material.glow is not None:
        return any(lamp.control == surface.material.glow for lamp in world.lamps)
    corners = apply_pose(timeline.poses[0, index], surface.vertices)
    low, high = corners.min(0), corners.max(0)
    at = [(np.array(lamp.position), lamp.radius) for lamp in world.lamps if lamp.control is None]
    return any(bool(((p > low - r) & (p < high + r)).all()) for p, r in at)


def _control(world: World, name: str | None) -> int:
    return -1 if name is None else world.controls.index(name)


def _lamp(lamp: Lamp, control: int) -> Emitter:
    points = np.asarray(lamp.position) + lamp.radius * _SPHERE
    return Emitter(_rgb(lamp.rgb), control, points.astype(np.float32), None, lamp.radius)


def _surface(surfaces: list[Surface], control: int, exposure: F32, index: int, pose: F64, moves: bool) -> Emitter:
    corners = np.concatenate([np.asarray(s.vertices, float)[s.faces] for s in surfaces])
    tint = np.concatenate([np.tile(s.material.emission, (len(s.faces), 1)) for s in surfaces])
    both = np.concatenate([np.full(len(s.faces), s.two_sided) for s in surfaces])
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    area = np.linalg.norm(cross, axis=1)
    row, points = (a[_SPREAD] for a in on_triangles(corners, area, SAMPLES))
    facing = cross[row] / np.maximum(area[row, None], 1e-12)
    points = points + _LIFT_M * facing
    facing[both[row]] = 0
    if not moves:
        points, facing = apply_pose(pose, points), rotate(pose[3:], facing)
    power = (tint * area[:, None]).sum(0) / np.pi
    reach = float(np.sqrt(max(power.max(), 0.0) / _FAINTEST))
    radius = float(np.sqrt(area.sum() / np.pi))
    rgb = _rgb(power) / exposure
    return Emitter(rgb, control, _f32(points), _f32(facing), radius, index if moves else -1, reach + radius)


def on_triangles(corners: F64, area: F64, count: int) -> tuple[I64, F64]:
    """Points spread evenly over triangles (F,3,3) of some area: their triangles (count,) and places (count,3)."""
    total = np.cumsum(area)
    k = np.arange(count)
    row = np.minimum(np.searchsorted(total, (k + 0.5) / count * total[-1]), len(total) - 1)
    # The R2 low-discrepancy sequence (Roberts 2018), folded onto the triangle.
    r, t = np.sqrt((k * 0.7548776662 + 0.5) % 1), (k * 0.5698402910 + 0.5) % 1
    w = np.stack([1 - r, r * (1 - t), r * t], 1)
    return row, w[:, :1] * corners[row, 0] + w[:, 1:2] * corners[row, 1] + w[:, 2:] * corners[row, 2]


_SPREAD = [int(f"{k:04b}"[::-1], 2) for k in range(SAMPLES)]
"""Bits reversed: any leading few of evenly spaced samples are well spread too."""


def _sphere() -> F64:
    """(SAMPLES,3) a Fibonacci sphere."""
    z = 1 - 2 * (np.arange(SAMPLES) + 0.5) / SAMPLES
    r, phi = np.sqrt(1 - z * z), np.arange(SAMPLES) * np.pi * (3 - np.sqrt(5.0))
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)[_SPREAD]


_SPHERE = _sphere()


def _rgb(rgb: Vec3 | F64) -> F32:
    return np.asarray(rgb, np.float32)


def _f32(a: F64) -> F32:
    return np.ascontiguousarray(a, np.float32)
