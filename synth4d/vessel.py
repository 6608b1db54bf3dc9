"""What a vessel holds: volume by height, the level of a volume, and how far it must tilt to let some of it go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from synth4d.types import F64, Vec3, Vessel

SLICES = 256
LEANS = np.radians(np.arange(0.0, 121.0, 2.0))
"""Angles from upright at which what a vessel still holds is worked out."""
OVERHANG_M = 0.015
"""A spout that reaches this far beyond its rim has a trough even where none is given, of so much radius:"""
TROUGH_M = 0.012


def capacity(v: Vessel) -> float:
    """Volume of a vessel, m³ (a stack of truncated cones)."""
    z, r = np.array(v.profile).T
    return float(np.pi / 3 * (np.diff(z) * (r[:-1] ** 2 + r[:-1] * r[1:] + r[1:] ** 2)).sum())


def radius(v: Vessel, z: F64) -> F64:
    """Inner radius at body heights z."""
    heights, radii = np.array(v.profile).T
    return np.interp(z, heights, radii)


@lru_cache(maxsize=64)
def _heights(v: Vessel) -> tuple[F64, F64]:
    """Body heights, and the share of the volume that is below each."""
    z = np.linspace(v.bottom_z, v.top_z, SLICES + 1)
    r = radius(v, z)
    below = np.concatenate([[0.0], np.cumsum(r[:-1] ** 2 + r[:-1] * r[1:] + r[1:] ** 2)])
    return z, below / below[-1]


def level(v: Vessel, fill: float) -> float:
    """Body height of the surface of an upright vessel that is filled to a share of its volume."""
    z, below = _heights(v)
    return float(np.interp(fill, below, z))


def slots(v: Vessel, count: int, margin: float) -> F64:
    """(count,3) evenly spread points of a full vessel, lowest first, body frame, `margin` off the walls.
    The R2 sequence (Roberts 2018) spreads them over the disc."""
    z, below = _heights(v)
    height = np.interp((np.arange(count) + 0.5) / count, below, z)
    i = np.arange(count)
    reach = np.sqrt((i * 0.7548776662466927 + 0.5) % 1.0) * np.maximum(radius(v, height) - margin, 1e-4)
    angle = 2 * np.pi * ((i * 0.5698402909980532 + 0.5) % 1.0)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle), height], 1)


@dataclass(frozen=True, slots=True, eq=False)
class Bore:
    """A straight spout, from inside the vessel to its tip, body frame."""

    throat: F64
    tip: F64
    radius: float


def bore(v: Vessel, least: float) -> Bore | None:
    """The spout of a vessel; never narrower than `least` in radius, so that particles pass. None = only a lip."""
    side = np.array([*v.spout[:2], 0.0])
    out = float(np.hypot(*v.spout[:2]))
    wide = v.bore
    if wide == 0.0 and out > v.top_radius + v.wall + OVERHANG_M:
        wide = TROUGH_M
    if not v.pours or wide == 0.0 or out == 0.0:
        return None
    wide, side, depth = max(wide, least), side / out, v.top_z - v.bottom_z
    if v.lid:
        z = v.bottom_z + 0.4 * depth
        return Bore(side * (0.5 * float(radius(v, np.array(z)))) + (0, 0, z), np.array(v.spout), wide)
    lifted = np.array([0, 0, wide])  # liquid runs along the trough's floor and leaves at the spout
    return Bore(side * 0.4 * v.top_radius + (0, 0, v.top_z - 0.2 * depth) + lifted, np.array(v.spout) + lifted, wide)


def lip(v: Vessel) -> Vec3:
    """The point over which liquid leaves when the vessel tips towards its spout, body frame."""
    b = bore(v, 0.0)
    if b is None:
        side = np.array(v.spout[:2]) / max(float(np.hypot(*v.spout[:2])), 1e-9)
        return (float(side[0] * v.top_radius), float(side[1] * v.top_radius), v.top_z)
    if not v.lid:
        return v.spout
    along = (b.tip - b.throat) / np.linalg.norm(b.tip - b.throat)
    under = np.array([0, 0, -1.0]) + along * along[2]
    x, y, z = b.tip + b.radius * under / max(float(np.linalg.norm(under)), 1e-9)
    return (float(x), float(y), float(z))


def lean(v: Vessel, fill: float, head: float = 0.0) -> float:
    """The angle (rad) towards its spout at which a vessel's contents stand `head` metres above its lip."""
    shares = _held(v, round(head, 4))
    return float(np.interp(-fill, -shares, LEANS))


@lru_cache(maxsize=256)
def _held(v: Vessel, head: float) -> F64:
    """(len(LEANS),) share of its volume that is below `head` above the lip when a vessel leans by each angle."""
    points, edge = slots(v, 3000, 0.0), np.array(lip(v))
    side = np.array(v.spout[:2]) / max(float(np.hypot(*v.spout[:2])), 1e-9)
    along, edge_along = points[:, 0] * side[0] + points[:, 1] * side[1], edge[0] * side[0] + edge[1] * side[1]
    up, out = np.cos(LEANS)[:, None], np.sin(LEANS)[:, None]
    below = (points[:, 2] - edge[2]) * up - (along - edge_along) * out <= head
    return np.minimum.accumulate(below.mean(1))


def head(v: Vessel, flow: float) -> float:
    """How high (m) liquid stands over the lip when it runs over it at `flow` m³/s: the broad-crested weir,
    Q = 1.7 b h^1.5, over half the spout's width or a quarter of the rim's, and at half that in a tube: as particles of
    4 to 9 mm were seen to flow."""
    b = bore(v, 0.0)
    width = (b.radius if b else 0.5 * v.top_radius) * (0.5 if v.lid else 1.0)
    return float(min((max(flow, 0.0) / (1.7 * width)) ** (2 / 3), 0.05))
