"""When a thing rests and when it moves: what was seen there is seen there again, or is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from synth4d.annotate import _masks
from synth4d.annotate.pixels_cloud import Points
from synth4d.geometry import rigid_inverse
from synth4d.types import F64, Clip

GONE = 0.12
"""It moved when this share of its points, or more, is gone."""
LAGS = (1, 3)
PROBES = 50
TOLERANCE_M = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """Frames first..last in which a thing rests; one frame while it moves."""

    first: int
    last: int
    resting: bool


def runs(clip: Clip, points: Points, moves: bool = True) -> list[Run]:
    """The frames in which the object is seen, cut where it moves; `moves` False: it never does."""
    seen = points.frames
    if not len(seen):
        return []
    if not moves:
        return [Run(int(seen[0]), int(seen[-1]), True)]
    moving = _moving(clip, points)
    out: list[Run] = []
    start = int(seen[0])
    for t, after in pairwise(seen):
        if after != t + 1 or moving[t]:
            out.append(Run(start, int(t), True))
            start = int(after)
    out.append(Run(start, int(seen[-1]), True))
    return [Run(r.first, r.last, not _inside_motion(r, moving)) for r in out]


def _inside_motion(run: Run, moving: F64) -> bool:
    """A single frame with motion before and after it."""
    if run.first != run.last:
        return False
    before = run.first > 0 and bool(moving[run.first - 1])
    after = run.last < len(moving) and bool(moving[run.last])
    return before and after


def _moving(clip: Clip, points: Points) -> F64:
    """(T-1,) whether it moved from frame t to t+1; False where that cannot be seen."""
    T = len(clip.ids)
    gone = _gone_after(clip, _probes(points))
    moving = np.zeros(max(T - 1, 0), bool)
    for lag in LAGS:
        if lag >= T:
            continue
        for t in np.flatnonzero(np.maximum(gone(lag), gone(-lag)) >= GONE):
            if lag == 1 or not moving[t : t + lag].any():
                moving[t : t + lag] = True
    return moving


def _probes(points: Points) -> Points:
    """A few points a frame that are inside its outline."""
    inner = np.flatnonzero(~points.border)
    frame = points.frame[inner]
    counts = np.bincount(frame)
    starts, steps = np.cumsum(counts) - counts, np.maximum(counts // PROBES, 1)
    return points.pick(inner[(np.arange(len(inner)) - starts[frame]) % steps[frame] == 0])


def _gone_after(clip: Clip, probes: Points) -> Callable[[int], F64]:
    """lag → (T-|lag|,) share of an object's points that are gone when looked for `lag` frames later (or earlier);
    index = the earlier frame. 0 where too few can be looked for."""
    ids, depth, K = np.ascontiguousarray(clip.ids), np.ascontiguousarray(clip.depth_z_m), clip.camera.K
    lens, T_cam_world = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]]), rigid_inverse(clip.camera.T_world_cam)
    own, slack = ids[probes.frame, probes.y, probes.x], TOLERANCE_M + probes.slope

    def gone(lag: int) -> F64:
        counts = np.zeros((len(ids), 2), np.int64)
        _masks.looked_for(ids, depth, probes.frame, probes.world, own, slack, lens, T_cam_world, lag, counts)
        lost, kept = counts[: len(ids) - abs(lag)].T
        return np.where((lost + kept >= 6) & (lost >= 3), lost / np.maximum(lost + kept, 1), 0.0)

    return gone
