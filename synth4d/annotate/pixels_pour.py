"""How full a vessel is, and who poured into it, from the liquid that is seen in it and above it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate.pixels_cloud import Bools, Points
from synth4d.annotate.pixels_events import Change
from synth4d.annotate.pixels_scene import Track
from synth4d.records import ConeFact, ObjectFact
from synth4d.types import F64, Clip

DRY = 0.12
"""A vessel is empty when its inside is seen this low, as a share of its height."""
FILLED = 0.1
"""A vessel whose level rises by this share was poured into."""
OFF_M = 0.012
"""A vessel whose lowest visible points are this far above the foot of another one is held over it."""
STREAM_M = 0.12
"""Liquid above a vessel and so near its axis is falling into it."""


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """What is seen of a vessel's liquid, by frame."""

    level: list[float | None]
    """Filled share."""
    stream: Bools
    """(T,) liquid is falling into it."""


def filling(
    clip: Clip, track: Track, liquid: list[Points], support: list[int | None], inside: list[int | None]
) -> Filling:
    """The level is claimed while the vessel is known to stand somewhere and nothing falls into it."""
    T = len(clip.ids)
    level: list[float | None] = [None] * T
    stream = np.zeros(T, bool)
    for t in track.points.frames.tolist():
        rest = next(r for r in track.rests if r.run.first <= t <= r.run.last)
        if rest.box is None or rest.fallen or not (support[t] or inside[t]):
            continue
        wet = np.concatenate([*(p.at(t) for p in liquid), np.zeros((0, 3))])
        stream[t] = _falling(wet, rest.box, track.thing.size[2])
        if not stream[t]:
            eye = clip.camera.T_world_cam[t, :3, 3]
            level[t] = fill(track.thing, rest.box, eye, track.points.at(t), wet)
    return Filling(level, stream)


def _falling(liquid: F64, box: F64, tall: float) -> bool:
    away = np.hypot(liquid[:, 0] - box[0], liquid[:, 1] - box[1])
    above = liquid[:, 2] > box[2] + tall / 2 + 0.01
    return bool(((away < STREAM_M) & above).sum() >= 4)


def pourings(target: Track, filling: Filling, vessels: list[Track]) -> list[Change]:
    """Liquid falls into a vessel, or its level rises: the pouring vessel is the one that is held over it."""
    known = [(t, v) for t, v in enumerate(filling.level) if v is not None]
    falls = np.flatnonzero(filling.stream)
    if len(falls):
        first, last = int(falls[0]), int(falls[-1])
        low = next((v for t, v in reversed(known) if t < first), None)
        high = next((v for t, v in known if t > last), None)
    else:
        if len(known) < 2 or known[-1][1] - known[0][1] < FILLED:
            return []
        low, high = known[0][1], max(v for _, v in known)
        slack = 0.1 * (high - low)
        last = min(t for t, v in known if v >= high - slack)
        first = max(t for t, v in known if t < last and v <= low + slack)
    by = [v.thing.id for v in vessels if v is not target and _held_over(v, target, first, last)]
    if len(by) != 1:
        return []
    return [Change("pour", by[0], first, last, None, target.thing.id, False, low, high)]


def _held_over(vessel: Track, target: Track, first: int, last: int) -> bool:
    """Whether in most frames that show both, a vessel is off what the other stands on, and near it."""
    over = []
    for t in range(first, last + 1):
        points = vessel.points.at(t)
        if len(points) >= 8 and np.isfinite(target.box[t, 0]):
            away = float(np.hypot(*(points[:, :2].mean(axis=0) - target.box[t, :2])))
            foot = target.box[t, 2] - target.thing.size[2] / 2
            over.append(float(np.percentile(points[:, 2], 3)) > foot + OFF_M and away < 0.35)
    return len(over) > 0 and sum(over) > len(over) / 2


# ---- The level -----------------------------------------------------------------------------------


def share(cone: ConeFact, level: float) -> float:
    """Filled share of a vessel's volume when its liquid stands at body z `level`."""
    below, whole = 0.0, 0.0
    for (z0, r0), (z1, r1) in pairwise(profile(cone)):
        t = min(max((level - z0) / (z1 - z0), 0.0), 1.0)
        rt = r0 + (r1 - r0) * t
        below += (z1 - z0) * t * (r0 * r0 + r0 * rt + rt * rt)
        whole += (z1 - z0) * (r0 * r0 + r0 * r1 + r1 * r1)
    return below / whole


def profile(cone: ConeFact) -> list[tuple[float, float]]:
    """(z, radius) of a vessel's inside from the bottom up."""
    belly = [(z, r) for z, r in cone.belly]
    return [(cone.bottom_z, cone.bottom_radius), *belly, (cone.top_z, cone.top_radius)]


def fill(thing: ObjectFact, box: F64, eye: F64, own: F64, liquid: F64) -> float | None:
    """Filled share of an upright vessel whose box (7,) is known, from its own points (M,3) and the liquid's
    (L,3) of one frame, seen from `eye` (3,). 0 where it is seen dry nearly to the bottom; None where neither
    liquid nor bottom is seen."""
    cone = thing.vessel
    assert cone is not None
    axis, base = box[:2], box[2] - thing.box_offset[2]
    wet = _within(liquid, axis, base, cone, 0.015)
    if len(wet) >= 4:
        return share(cone, float(np.median(wet[:, 2]) - base))
    dry = _within(own, axis, base, cone, 0.01)
    low = dry[dry[:, 2] - base < cone.bottom_z + DRY * (cone.top_z - cone.bottom_z)]
    return 0.0 if not len(wet) and _inner(low, axis, eye, cone.bottom_radius).sum() >= 4 else None


def _inner(points: F64, axis: F64, eye: F64, radius: float) -> NDArray[np.bool_]:
    """Which of a vessel's points are on its inside: on its floor, or on the wall across from the eye."""
    away = axis - eye[:2]
    away = away / max(float(np.hypot(away[0], away[1])), 1e-9)
    flat = points[:, :2] - axis
    across = flat[:, 0] * away[0] + flat[:, 1] * away[1]
    return np.asarray((np.hypot(flat[:, 0], flat[:, 1]) < 0.7 * radius) | (across > 0.5 * radius))


def _within(points: F64, axis: F64, base: float, cone: ConeFact, slack: float) -> F64:
    """The points inside the vessel's cone grown by `slack`."""
    if not len(points):
        return points
    r = np.hypot(points[:, 0] - axis[0], points[:, 1] - axis[1])
    z = points[:, 2] - base
    heights, radii = np.array(profile(cone)).T
    wide = np.interp(z, heights, radii) + slack
    return np.asarray(points[(r < wide) & (z > cone.bottom_z - 0.02) & (z < cone.top_z + 0.01)])
