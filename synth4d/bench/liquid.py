"""Liquid: whether walls hold it, how well it keeps its volume, and what a pour costs."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray

from synth4d import vessel as vessels
from synth4d.geometry import apply_pose, invert_pose, quat_from_axis_angle
from synth4d.motion._fluid import Fluid
from synth4d.motion.liquid import STEP_S
from synth4d.types import F64, Vessel

TRIALS = 200
PARTICLES = 220
STEPS = 160
SAMPLES = 33
"""Points at which each step of each particle is looked at: less than a millimetre apart."""
POUR_PARTICLES, POUR_STEPS = 1500, 920
"""As a pour of a clip of six seconds has."""

IN, WALL, OUT, BORE = range(4)


def run() -> dict[str, dict[str, object]]:
    crossings = sum(trial(seed) for seed in range(TRIALS))
    error = max(abs(level_error(v, share)) for v in SHAPES for share in (0.4, 0.8))
    still, pouring = _seconds(POUR_PARTICLES // 4), _seconds(POUR_PARTICLES)
    against = f"{TRIALS} random vessels, tossed for {STEPS * STEP_S:.1f} s each"
    return {
        "liquid_walls": {"value": crossings, "unit": "particles through a wall", "against": against, "ratio": 0.0},
        "liquid_level": {
            "value": round(100 * error, 2), "unit": "% of the volume, worst", "against": "analytic", "ratio": 1.0,
        },
        "liquid_pour": {
            "value": round(pouring, 3), "unit": "CPU s, the liquid of 6 s", "against": "a quarter of it",
            "ratio": pouring / still,
        },
    }  # fmt: skip


SHAPES = (
    Vessel(0.006, 0.092, 0.033, 0.037),
    Vessel(0.006, 0.19, 0.048, 0.05, belly=((0.06, 0.06),)),
    Vessel(0.009, 0.064, 0.036, 0.072, belly=((0.028, 0.059),)),
)


# ---- Walls ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Toss:
    """A vessel with liquid in it, another below, and what is done to the first."""

    vessel: Vessel
    other: Vessel
    poses: F64
    """(STEPS + 1, 2, 7)"""
    fill: float


def toss(seed: int) -> Toss:
    """A random vessel, with a spout, a lid or neither, swung and tipped at random over a wide one that stands."""
    rng = np.random.Generator(np.random.Philox(seed))
    heights = np.cumsum([0.005, *rng.uniform(0.02, 0.06, int(rng.integers(1, 4)))])
    radii = rng.uniform(0.025, 0.06, len(heights))
    belly = tuple((float(z), float(r)) for z, r in zip(heights[1:-1], radii[1:-1], strict=True))
    spouted, lid = rng.random() < 0.5, rng.random() < 0.5
    tip = (float(radii.max() + rng.uniform(0.015, 0.05)), 0.0, float(heights[-1]))
    one = Vessel(
        float(heights[0]), float(heights[-1]), float(radii[0]), float(radii[-1]), tip if spouted else (0.0, 0.0, 0.0),
        spouted, belly, float(rng.uniform(0.0025, 0.005)), bool(spouted and lid), 0.012 if spouted else 0.0,
    )  # fmt: skip
    t = np.arange(STEPS + 1) * STEP_S
    swing = [rng.uniform(-1, 1, 3) * 0.05 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5) * t)[:, None] for _ in range(2)]
    angle = rng.uniform(-2.2, 2.2) * np.sin(2 * np.pi * rng.uniform(0.2, 0.9) * t) ** 2
    around = rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(around), np.sin(around), 0.0])
    held = np.concatenate(
        [swing[0] + swing[1] + (0, 0, 0.18), [quat_from_axis_angle(axis, float(a)) for a in angle]], 1
    )
    below = np.tile([0.0, 0, 0, 1, 0, 0, 0], (STEPS + 1, 1))
    return Toss(one, Vessel(0.006, 0.07, 0.09, 0.11), np.stack([held, below], 1), float(rng.uniform(0.3, 0.95)))


def trial(seed: int) -> int:
    """Particles that pass a wall while a random vessel is tossed, each step followed along its way."""
    it = toss(seed)
    both = (it.vessel, it.other)
    spacing = (it.fill * vessels.capacity(it.vessel) / PARTICLES) ** (1 / 3)
    fluid, bores = Fluid(spacing, 0.03), [vessels.bore(v, 1.3 * spacing) for v in both]
    for v, b in zip(both, bores, strict=True):
        axis = np.zeros((0, 3)) if b is None else np.stack([b.throat, b.tip])
        fluid.add_vessel(np.array(v.profile), v.wall, v.lid, axis, b.radius if b else 0.0)
    fluid.set_ground(-1.0, -1.0, 2.0, 0.0, np.zeros((1, 1)))
    seats = vessels.slots(it.vessel, int(PARTICLES / it.fill), 0.4 * spacing)[:PARTICLES]
    fluid.put(apply_pose(it.poses[0, 0], seats), np.zeros(len(seats), np.int32))
    fluid.run(np.repeat(it.poses[:1], 40, 0), STEP_S, 0.1)
    x, u = np.zeros((len(seats), 3), np.float32), np.zeros((len(seats), 3), np.float32)
    owner = np.zeros(len(seats), np.int32)
    fluid.state(x, u, owner)
    before, last = x.astype(float), [np.full(len(seats), IN), np.full(len(seats), OUT)]
    through = np.zeros(len(seats), bool)
    for step in range(STEPS):
        fluid.run(it.poses[step : step + 2], STEP_S, 0.0)
        fluid.state(x, u, owner)
        for k, vessel in enumerate(both):
            start = apply_pose(invert_pose(it.poses[step, k]), before)
            end = apply_pose(invert_pose(it.poses[step + 1, k]), x.astype(float))
            through |= _follow(vessel, bores[k], start, end, last[k])
        before = x.astype(float)
    return int(through.sum())


def _follow(v: Vessel, bore: vessels.Bore | None, a: F64, b: F64, last: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which particles get from inside to outside, or back, through solid wall on their ways a → b (N,3), body frame.
    `last` (N,) is where each was when it was last in no wall, and is brought up to date."""
    wrong, crossed = np.zeros(len(a), bool), np.zeros(len(a), bool)
    for share in np.linspace(0, 1, SAMPLES)[1:]:
        p = a + (b - a) * share
        now = _where(v, bore, p)
        crossed |= now == WALL
        moved = (now != WALL) & crossed & (now != last)
        sides = (last == IN) & (now == OUT) | (last == OUT) & (now == IN)
        wrong |= moved & sides
        if bore is not None:
            along = (bore.tip - bore.throat) / np.linalg.norm(bore.tip - bore.throat)
            t = ((p - bore.throat) * along).sum(1)
            foot = bore.throat + t[:, None] * along
            deep = t < np.linalg.norm(bore.tip - bore.throat) - 0.004
            under = (p[:, 2] < foot[:, 2] - 0.5 * bore.radius) & (np.hypot(p[:, 0], p[:, 1]) > v.top_radius)
            sealed = np.full(len(p), True) if v.lid else under
            wrong |= (last == BORE) & (now == OUT) & deep & sealed
        crossed &= now == WALL
        last[:] = np.where(now == WALL, last, now)
    return wrong


def _where(v: Vessel, bore: vessels.Bore | None, p: F64) -> NDArray[np.int64]:
    """(N,) IN the body of a vessel, in its BORE, in a WALL, or OUT of it."""
    r, wide = np.hypot(p[:, 0], p[:, 1]), vessels.radius(v, p[:, 2])
    roof = v.top_z + (v.wall if v.lid else 0.0)
    inside = (p[:, 2] > v.bottom_z) & (p[:, 2] < v.top_z) & (r < wide)
    shell = (p[:, 2] > v.bottom_z - v.wall) & (p[:, 2] < roof) & (r < wide + v.wall)
    out = np.where(inside, IN, np.where(shell, WALL, OUT))
    if bore is not None:
        along = bore.tip - bore.throat
        length = float(np.linalg.norm(along))
        t = ((p - bore.throat) * along).sum(1) / length
        away = np.linalg.norm(p - bore.throat - np.clip(t, 0, length)[:, None] * along / length, axis=1)
        out = np.where((out != IN) & (t <= length) & (away < bore.radius), BORE, out)
    return out


# ---- Volume, cost --------------------------------------------------------------------------------


def settled(v: Vessel, share: float, count: int, steps: int = 300) -> tuple[F64, float]:
    """Particles (count,3) of a vessel filled to a share of its volume after they came to rest, and their spacing."""
    spacing = (share * vessels.capacity(v) / count) ** (1 / 3)
    fluid = Fluid(spacing, 0.03)
    fluid.add_vessel(np.array(v.profile), v.wall, v.lid, np.zeros((0, 3)), 0.0)
    seats = vessels.slots(v, int(count / share), 0.4 * spacing)[:count]
    fluid.put(seats, np.zeros(count, np.int32))
    still = np.tile([0.0, 0, 0, 1, 0, 0, 0], (steps + 1, 1, 1))
    fluid.run(still[:80], STEP_S, 0.1)
    fluid.run(still, STEP_S, 0.0)
    x, u, owner = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32), np.zeros(count, np.int32)
    fluid.state(x, u, owner)
    return x.astype(float), spacing


def level_error(v: Vessel, share: float, count: int = 700) -> float:
    """Volume below the settled surface over the liquid's, minus one. The surface is half a spacing above the topmost
    particles of the columns that the wall does not touch."""
    x, d = settled(v, share, count)
    column = np.floor(x[:, :2] / (1.2 * d)).astype(np.int64)
    names, owner = np.unique(column, axis=0, return_inverse=True)
    top = np.full(len(names), -np.inf)
    np.maximum.at(top, owner.ravel(), x[:, 2])
    level = float(
        np.median(top[np.hypot(*((names + 0.5) * 1.2 * d).T) < float(vessels.radius(v, np.array(top.max()))) - d])
    )
    z = np.linspace(v.bottom_z, level + d / 2, 2000)
    return float(np.pi * (vessels.radius(v, z) ** 2).mean() * (z[-1] - z[0]) / (share * vessels.capacity(v)) - 1)


def _seconds(count: int) -> float:
    """CPU seconds for the steps of a pour with so many particles."""
    start = process_time()
    settled(SHAPES[1], 0.6, count, POUR_STEPS)
    return process_time() - start
