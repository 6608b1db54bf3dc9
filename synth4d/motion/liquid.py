"""Liquid as particles of equal volume: in a vessel they fill it from below, poured they fall freely.

Every particle is at all times in exactly one vessel or in the air between two, so volume is conserved and a
fill level is a count. Inside a vessel the surface is level with the vessel, not with the world: a pouring
vessel is tilted for a second and its inside is mostly hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.types import F32, F64, Vessel, World

I64 = NDArray[np.int64]

PER_LARGEST = 1600
"""Particles that fill the largest vessel of a world; a mug then has a few hundred of 3–4 mm."""
GRAVITY = 9.81


@dataclass(frozen=True, slots=True, eq=False)
class Pour:
    """One flow: which vessels (indices in World.bodies), when, from where, how much of the target."""

    source: int
    target: int
    start_s: float
    end_s: float
    spout: F64
    """World point of the spout while it runs."""
    mouth: F64
    """World point in the middle of the target's opening."""
    share: float
    """Filled share of the target that is added."""


def capacity(v: Vessel) -> float:
    """Volume of a vessel, m³ (truncated cone)."""
    a, b = v.bottom_radius, v.top_radius
    return float(np.pi * (v.top_z - v.bottom_z) * (a * a + a * b + b * b) / 3)


def slots(v: Vessel, count: int, radius: float) -> F64:
    """(count,3) places of the particles of a full vessel, bottom first, body frame."""
    u = np.linspace(0, 1, 257)
    a, d = v.bottom_radius, v.top_radius - v.bottom_radius
    volume = a * a * u + a * d * u**2 + d * d * u**3 / 3
    height = np.interp((np.arange(count) + 0.5) / count, volume / volume[-1], u)
    i = np.arange(count)
    reach = np.sqrt((i * 0.7548776662466927 + 0.5) % 1.0) * np.maximum(a + d * height - radius * 0.8, 1e-4)
    angle = 2 * np.pi * ((i * 0.5698402909980532 + 0.5) % 1.0)
    z = v.bottom_z + height * (v.top_z - v.bottom_z)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle), z], 1)


def flow(
    world: World, times: F64, poses: F64, pours: list[Pour]
) -> tuple[F32, float, F64]:  # fmt: skip
    """→ particles (T,P,3), their radius, and fill (T,B) of every vessel, NaN for other bodies."""
    vessels = {i: b.vessel for i, b in enumerate(world.bodies) if b.vessel}
    fill = np.full((len(times), len(world.bodies)), np.nan)
    holding = [i for i in vessels if world.start_fill[i] > 0]
    if world.liquid is None or not holding:
        for i in vessels:
            fill[:, i] = 0.0
        return np.zeros((len(times), 0, 3), np.float32), 0.0, fill
    unit = max(capacity(v) for v in vessels.values()) / PER_LARGEST
    radius = float((3 * unit / (4 * np.pi)) ** (1 / 3))
    full = {i: max(1, round(capacity(v) / unit)) for i, v in vessels.items()}
    seats = {i: slots(v, full[i], radius) for i, v in vessels.items()}
    owners = [np.full(round(world.start_fill[i] * full[i]), i) for i in holding]
    owner = np.concatenate(owners)
    position = _positions(owner, times, poses, pours, full, seats, fill)
    return position.astype(np.float32), radius, fill


def _positions(
    owner: I64, times: F64, poses: F64, pours: list[Pour], full: dict[int, int], seats: dict[int, F64],
    fill: F64,
) -> F64:  # fmt: skip
    leaves, lands, moved = _departures(owner, pours, full)
    out = np.full((len(times), len(owner), 3), np.nan)
    for f, t in enumerate(times):
        at = owner.copy()
        for k, pour in enumerate(pours):
            flying = moved[k][(leaves[k] <= t) & (t < lands[k])]
            landed = moved[k][lands[k] <= t]
            at[flying], at[landed] = -1, pour.target
            age = t - leaves[k][(leaves[k] <= t) & (t < lands[k])]
            out[f, flying] = _fall(pour, age)
        for i, count in full.items():
            inside = np.flatnonzero(at == i)
            fill[f, i] = len(inside) / count
            # A particle keeps its seat by rank, so what is left behind does not shuffle about.
            out[f, inside] = apply_pose(poses[f, i], seats[i][: len(inside)])
    return out


def _departures(owner: I64, pours: list[Pour], full: dict[int, int]) -> tuple[list[F64], list[F64], list[I64]]:
    """When each poured particle leaves and lands, and which ones they are: the topmost of the source."""
    leaves: list[F64] = []
    lands: list[F64] = []
    moved: list[I64] = []
    at = owner.copy()
    for pour in pours:
        inside = np.flatnonzero(at == pour.source)
        count = min(len(inside), round(pour.share * full[pour.target]))
        chosen = inside[len(inside) - count :][::-1]
        drop = max(0.01, float(pour.spout[2] - pour.mouth[2]) + 0.03)
        fall = np.sqrt(2 * drop / GRAVITY)
        start = np.linspace(pour.start_s, pour.end_s - fall, count)
        leaves.append(start)
        lands.append(start + fall)
        moved.append(chosen)
        at[chosen] = pour.target
    return leaves, lands, moved


def _fall(pour: Pour, age: F64) -> F64:
    """Free fall from the spout towards the middle of the mouth."""
    flat = pour.mouth[:2] - pour.spout[:2]
    drop = max(0.01, float(pour.spout[2] - pour.mouth[2]) + 0.03)
    span = np.sqrt(2 * drop / GRAVITY)
    xy = pour.spout[:2] + flat * (age / span)[:, None]
    return np.concatenate([xy, (pour.spout[2] - GRAVITY * age**2 / 2)[:, None]], 1)
